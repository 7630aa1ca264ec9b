// protocols.hpp - what gets the events of a connection: Protocol, BufferedProtocol,
// DatagramProtocol, SubprocessProtocol.
//
// Mirrors Python's asyncio.protocols; differences: docs/parity.md#protocols.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/sockets.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string_view>

namespace asyncio {

class BaseTransport;
class DatagramTransport;
class SubprocessTransport;
class Transport;

namespace detail {
struct TransportOf;
}

/// What all protocols have. A protocol is a class of yours that derives from one of those below and
/// overrides what it is interested in; the loop calls it when something happens.
///
///     class Echo : public Protocol {
///         void connection_made(Transport& transport) override { transport_ = &transport; }
///         void data_received(std::string_view data) override { transport_->write(data); }
///         Transport* transport_ = nullptr;
///     };
///     Server server = co_await create_server([] { return std::make_unique<Echo>(); }, host, port);
///
/// A transport keeps its protocol until connection_lost() has returned, and a protocol keeps its
/// transport as long as it exists: so what connection_made() was given may be used whenever a
/// member of the protocol runs, also after the connection is lost.
///
/// Order: connection_made(); then what is received; then connection_lost(), once; pause_writing()
///        and resume_writing() in between. All of them are called from the loop, but for
///        pause_writing(), which may be called from within a write().
/// Errors: what a callback throws ends the connection with it and goes to the exception handler;
///        what connection_made(), connection_lost(), pause_writing() and resume_writing() throw
///        only goes there. KeyboardInterrupt and SystemExit leave the loop.
class BaseProtocol {
public:
    BaseProtocol() = default;
    BaseProtocol(const BaseProtocol&) = delete;
    BaseProtocol& operator=(const BaseProtocol&) = delete;
    virtual ~BaseProtocol();

    /// There is a connection. (The classes below have one that gets their kind of transport.)
    virtual void connection_made(BaseTransport& transport);
    /// The connection is lost or closed. `exc` is null if it was closed or aborted at this end, or
    /// ended by the peer in the regular way.
    virtual void connection_lost(std::exception_ptr exc);

    /// More than the high-water mark waits to be sent: it would be well not to write for a while.
    virtual void pause_writing();
    /// No more than the low-water mark waits to be sent.
    virtual void resume_writing();

private:
    friend struct detail::TransportOf;

    std::shared_ptr<BaseTransport> transport_;
};

/// Of a stream of bytes: it is given what was received.
class Protocol : public BaseProtocol {
public:
    void connection_made(BaseTransport& transport) override;  // this one or the next
    virtual void connection_made(Transport& transport);

    /// Some bytes have come, which are there until this returns. How they were divided when they
    /// were sent is not known.
    virtual void data_received(std::string_view data);
    /// The peer sends no more. True: the connection stays open, for writing; false closes it.
    virtual bool eof_received();
};

/// Of a stream of bytes that are received into memory of the protocol's own.
class BufferedProtocol : public BaseProtocol {
public:
    void connection_made(BaseTransport& transport) override;  // this one or the next
    virtual void connection_made(Transport& transport);

    /// Where to receive to; not empty. `sizehint`: about how much would be good; -1 if that is not
    /// known.
    [[nodiscard]] virtual std::span<std::byte> get_buffer(std::ptrdiff_t sizehint) = 0;
    /// The first `nbytes` of that memory have been filled.
    virtual void buffer_updated(std::size_t nbytes) = 0;
    /// As Protocol::eof_received().
    virtual bool eof_received();
};

/// Of datagrams.
class DatagramProtocol : public BaseProtocol {
public:
    void connection_made(BaseTransport& transport) override;  // this one or the next
    virtual void connection_made(DatagramTransport& transport);

    virtual void datagram_received(std::string_view data, const Address& addr);
    /// A send or receive has failed with an OSError. The transport goes on.
    virtual void error_received(std::exception_ptr exc);
};

/// Of a child process: its standard streams and its end.
class SubprocessProtocol : public BaseProtocol {
public:
    void connection_made(BaseTransport& transport) override;  // this one or the next
    virtual void connection_made(SubprocessTransport& transport);

    /// The process has written to its standard output (`fd` 1) or standard error (2).
    virtual void pipe_data_received(int fd, std::string_view data);
    /// The pipe to or from one of its standard streams is closed.
    virtual void pipe_connection_lost(int fd, std::exception_ptr exc);
    virtual void process_exited();
};

}  // namespace asyncio
