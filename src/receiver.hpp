// receiver.hpp - who is given what a connection receives, if it is not a task that reads: Receiver.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <exception>
#include <span>

namespace asyncio::detail {

/// The consumer of a Connection that pushes: the transport of a protocol, the TLS layer.
///
/// The connection keeps a plain pointer (Connection::set_receiver) until it has called
/// connection_lost() or connection_dropped(), one of which comes exactly once, at the very end. The
/// order of calls is
///
///     (receive_buffer  received)*  received_end?  (connection_lost | connection_dropped)
///
/// with writing_paused() and writing_resumed(), alternating, anywhere before the end. Everything
/// but writing_paused() comes from the loop, never from inside a call to the connection;
/// writing_paused() comes from inside write(), write_all() and set_write_buffer_limits(), too.
///
/// From inside each call everything is allowed: to write, stop_reading(), close(), force_close(),
/// set_receiver(), and to drop the last handle of the connection. The connection looks again at
/// what it is after each of them.
///
/// What they throw: KeyboardInterrupt and SystemExit leave the loop and leave the connection as it
/// is; anything else (no memory, say) loses the connection, with that exception. What is thrown by
/// connection_lost() must be one that leaves the loop.
class Receiver {
public:
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;

    /// There is something to receive: where to? Empty stands for memory that the whole loop shares.
    /// Followed by received(), unless there was nothing after all, or the receiver has stopped
    /// reading in here; by received_end(); or by the end of the connection.
    [[nodiscard]] virtual std::span<char> receive_buffer() = 0;
    /// So much of receive_buffer() was filled, or of the shared memory, which is of no use after
    /// this call.
    virtual void received(std::span<char> data) = 0;
    /// The peer sends no more; nothing is received afterwards, and reading has stopped for good.
    /// The other direction goes on: who does not want that closes the connection.
    virtual void received_end() = 0;

    /// More is kept to be sent than the high-water mark; no more than the low one.
    virtual void writing_paused() = 0;
    virtual void writing_resumed() = 0;

    /// The connection is no more: null if it was closed or aborted here. Its descriptor is closed
    /// afterwards.
    virtual void connection_lost(std::exception_ptr error) = 0;
    /// The loop is being closed: nothing will come, not even connection_lost(). No user's code may
    /// run; what keeps the receiver alive until the end is to be given up.
    virtual void connection_dropped() noexcept = 0;

protected:
    Receiver() = default;
    ~Receiver() = default;
};

}  // namespace asyncio::detail
