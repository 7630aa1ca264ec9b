// servers.hpp - Server: what listens, and the connections that it has accepted.
//
// Mirrors asyncio's Server (of asyncio.base_events); differences: docs/parity.md#base_events.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/server_ref.hpp>
#include <asyncio/sockets.hpp>

#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace asyncio {

/// A server as start_server() makes it: a shared handle. The loop keeps what serves alive, so
/// dropping the handle changes nothing.
///
///     Server server = co_await start_server(handler, "127.0.0.1", 8888);
///     co_await server.serve_forever();
///
/// Used with with(), it is closed at the end, and its connections are awaited.
///
/// Threads: belongs to its loop's thread.
class Server {
public:
    /// The listening sockets; none once it is closed.
    [[nodiscard]] std::vector<TransportSocket> sockets() const;
    /// Their addresses.
    [[nodiscard]] std::vector<Address> addresses() const;

    /// Listens, if it does not yet. RuntimeError if it is closed.
    [[nodiscard]] Coroutine<> start_serving() const;
    /// Does it accept connections?
    [[nodiscard]] bool is_serving() const noexcept;

    /// Serves until it is closed, or the task is cancelled: then closes the server and its
    /// connections, waits for them, and throws CancelledError. RuntimeError if it is closed, or
    /// served so by another task.
    [[nodiscard]] Coroutine<> serve_forever() const;

    /// Stops listening. Connections that were accepted stay open.
    void close() const noexcept;
    /// Closes the connections; what was written to them is still sent.
    void close_clients() const noexcept;
    /// Drops the connections.
    void abort_clients() const noexcept;
    /// Cancels the tasks that serve connections; drops those that are served by none.
    void cancel_clients() const noexcept;
    /// Waits until it is closed and its connections are, too.
    [[nodiscard]] detail::ServerClosed wait_closed() const noexcept {
        return detail::ServerClosed(core_);
    }

    /// The loop it belongs to; RuntimeError once that is closed.
    [[nodiscard]] EventLoop& get_loop() const;

    /// For with().
    Server& aenter() noexcept { return *this; }
    Coroutine<bool> aexit(std::exception_ptr error);

    explicit Server(detail::ServerCore& core) noexcept : core_(core) {}

private:
    detail::ServerRef core_;
};

namespace detail {

/// The hosts to listen on of a server that was given one; none if it is empty.
[[nodiscard]] std::vector<std::string> one_host(std::string_view host);

}  // namespace detail

}  // namespace asyncio
