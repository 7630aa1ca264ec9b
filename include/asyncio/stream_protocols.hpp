// stream_protocols.hpp - streams over any transport: StreamReaderProtocol, FlowControlMixin.
//
// Mirrors a part of Python's asyncio.streams; differences: docs/parity.md#streams.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/start_server.hpp>
#include <asyncio/protocols.hpp>
#include <asyncio/streams.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace asyncio {

namespace detail {
class Connection;
class FedStream;
class TransportConnection;
}  // namespace detail

/// A protocol whose connection a StreamWriter writes to; what is received is dropped.
///
///     auto [transport, protocol] = co_await connect_write_pipe(
///         [] { return std::make_unique<FlowControlMixin>(); }, Pipe(STDOUT_FILENO));
///     StreamWriter writer(transport, protocol, nullptr, get_running_loop());
///
/// A class that overrides one of its functions calls that one, too.
///
/// Threads: belongs to its loop's thread.
class FlowControlMixin : public Protocol {
public:
    FlowControlMixin() = default;
    ~FlowControlMixin() override;

    // drain() waits between these two. (Over a transport of the library's it asks that.)
    void pause_writing() override;
    void resume_writing() override;
    void connection_lost(std::exception_ptr exc) override;

private:
    friend class detail::TransportConnection;

    detail::TransportConnection* carrier_ = nullptr;  // over a transport of the program's own
    std::exception_ptr lost_by_;
    bool paused_ = false;
    bool lost_ = false;
};

/// A protocol that feeds a StreamReader: how to get streams out of whatever takes protocols.
///
///     StreamReader reader;
///     auto [transport, protocol] = co_await create_connection(
///         [&] { return std::make_unique<StreamReaderProtocol>(reader); }, host, port);
///     StreamWriter writer(transport, protocol, reader, get_running_loop());
///
/// With a `client_connected_cb`, it is called as the handler of start_server() is, when there is a
/// connection. So a factory that makes such a protocol makes a server of streams:
///
///     Server server = co_await create_server([] {
///         return std::make_unique<StreamReaderProtocol>(StreamReader(), handler);
///     }, host, port);
///
/// What arrives is received before it is asked for, up to twice the reader's limit; it is dropped
/// when there is no reader any more.
///
/// Threads: belongs to its loop's thread.
class StreamReaderProtocol : public FlowControlMixin {
public:
    /// The reader stays the caller's; it is one that was made by StreamReader(limit).
    /// std::invalid_argument if a connection feeds it.
    explicit StreamReaderProtocol(const StreamReader& stream_reader);
    /// The reader is kept until there is a connection.
    template <detail::ClientHandler Handler>
    StreamReaderProtocol(const StreamReader& stream_reader, Handler&& client_connected_cb)
        : StreamReaderProtocol(stream_reader, detail::make_start_client(
                                                  std::forward<Handler>(client_connected_cb))) {}
    StreamReaderProtocol(const StreamReader& stream_reader, detail::StartClient start);
    ~StreamReaderProtocol() override;

    void connection_made(Transport& transport) override;
    void data_received(std::string_view data) override;
    /// Without TLS the connection stays open, for writing.
    bool eof_received() override;
    void connection_lost(std::exception_ptr exc) override;

    // For StreamWriter::start_tls().

    /// Is it the server's side of the connection?
    [[nodiscard]] bool serves() const noexcept;
    /// What has been received and not read is that of `carrier` again: it belongs to the handshake.
    /// RuntimeError while a task reads.
    void give_back(detail::Connection& carrier);

private:
    void forget_transport() noexcept;

    /// What serves the connection may need it longer than there is a protocol.
    struct Served {
        Transport* transport = nullptr;  // as long as there is a connection
        detail::StartClient start;
    };

    detail::StreamKeep stream_;
    std::optional<detail::StreamHandle> kept_;  // until there is a connection
    std::shared_ptr<Served> served_ = std::make_shared<Served>();
};

}  // namespace asyncio
