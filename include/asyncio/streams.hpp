// streams.hpp - byte streams to read and write with co_await: StreamReader, StreamWriter,
// open_connection(), start_server().
//
// Mirrors Python's asyncio.streams; differences: docs/parity.md#streams.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/config.hpp>
#include <asyncio/detail/owned.hpp>
#include <asyncio/detail/start_server.hpp>
#include <asyncio/detail/stream_drain.hpp>
#include <asyncio/detail/stream_handle.hpp>
#include <asyncio/detail/stream_read.hpp>
#include <asyncio/exceptions.hpp>
#include <asyncio/servers.hpp>
#include <asyncio/sockets.hpp>
#include <asyncio/transports.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio {

class SSLContext;  // of <asyncio/ssl.hpp>
class SSLObject;

/// The receiving half of a connection.
///
///     std::string line = co_await reader.readline();    // "" at the end
///     while (auto line = co_await reader.next()) { ... }
///
/// Bytes are received while a task reads, as many as are there; what it did not ask for stays in
/// the buffer for the next read. (CPython receives in the background, up to twice the limit. So
/// here the end of the stream, or that it was reset, is found by the next read or write.)
///
/// Only one task may read at a time; a second one gets RuntimeError, as in Python.
/// Cancellation: a cancelled read consumes nothing: what has arrived stays in the buffer.
/// Units:    sizes and `limit` are bytes; `limit` (64 KiB) bounds readuntil() and readline(), not
///           read().
/// Errors:   IncompleteReadError if the stream ends inside what was asked for (it carries the
///           partial data); LimitOverrunError, of readline() std::invalid_argument (ValueError), if
///           there is no separator within `limit`; OSError for what the system reports. After an
///           error every read reports it again.
/// Threads:  belongs to its loop's thread.
class StreamReader {
public:
    /// A reader that is fed by hand, for tests. std::invalid_argument if `limit` is 0.
    explicit StreamReader(std::size_t limit = detail::default_stream_limit);

    /// Up to `n` bytes, at least one; empty only at the end of the stream (or if `n` is 0). With
    /// a negative `n`, everything up to the end.
    [[nodiscard]] detail::Read read(std::ptrdiff_t n = -1) {
        return {stream(), n < 0 ? detail::ReadKind::all : detail::ReadKind::some,
                n < 0 ? 0 : static_cast<std::size_t>(n)};
    }
    /// The same into memory of the caller's, without an allocation; how many bytes.
    [[nodiscard]] detail::ReadInto read_into(std::span<std::byte> buffer) {
        return {stream(), buffer};
    }
    [[nodiscard]] detail::ReadInto read_into(std::span<char> buffer) {
        return {stream(), std::as_writable_bytes(buffer)};
    }
    /// Exactly `n` bytes, or IncompleteReadError.
    [[nodiscard]] detail::Read readexactly(std::ptrdiff_t n) {
        if (n < 0) {
            detail::raise_value_error("readexactly size can not be less than zero");
        }
        return {stream(), detail::ReadKind::exactly, static_cast<std::size_t>(n)};
    }
    /// Up to and including the next newline; what there is if the stream ends before.
    [[nodiscard]] detail::ReadLine readline() { return detail::ReadLine(stream()); }
    /// Up to and including the first of the separators that ends first; IncompleteReadError if the
    /// stream ends before.
    [[nodiscard]] detail::ReadUntil readuntil(std::string_view separator = "\n") {
        return {stream(), detail::Separators(separator)};
    }
    template <std::convertible_to<std::string_view>... More>
    [[nodiscard]] detail::ReadUntil readuntil(std::string_view first, std::string_view second,
                                              const More&... more) {
        return readuntil(std::vector<std::string>{std::string(first), std::string(second),
                                                  std::string(std::string_view(more))...});
    }
    [[nodiscard]] detail::ReadUntil readuntil(std::vector<std::string> separators) {
        return {stream(), detail::Separators(std::move(separators))};
    }
    /// The next line, with its newline; nullopt at the end.
    [[nodiscard]] detail::NextLine next() { return detail::NextLine(stream()); }

    /// Has the end been received, and everything been read?
    [[nodiscard]] bool at_eof() const;

    // What feeds a reader does: connections, and tests.
    void feed_data(std::string_view data);
    void feed_eof();
    void set_exception(std::exception_ptr error);
    template <class E>
        requires(!std::is_same_v<std::decay_t<E>, std::exception_ptr>)
    void set_exception(E&& error) {
        set_exception(std::make_exception_ptr(std::forward<E>(error)));
    }
    /// The exception that reads throw; null if there is none.
    [[nodiscard]] std::exception_ptr exception() const;
    /// Of a reader that is fed by hand: what feeds it, and is paused while more than twice the
    /// limit waits to be read. It is to exist as long as it does that. RuntimeError if there is
    /// one.
    void set_transport(ReadTransport& transport);

    explicit StreamReader(detail::StreamCount& stream) noexcept : handle_(stream) {}

private:
    friend class StreamReaderProtocol;
    friend class StreamWriter;

    [[nodiscard]] detail::StreamCount& stream() const { return handle_.get(); }

    detail::StreamHandle handle_;
};

namespace detail {

/// What transport() gives, and what keeps it.
struct WriterTransport;
struct DropTransport {
    void operator()(WriterTransport* transport) const noexcept;
};

}  // namespace detail

class BaseProtocol;   // of <asyncio/protocols.hpp>
class ReadTransport;  // of <asyncio/transports.hpp>
class Transport;
class WriteTransport;

/// Keyword arguments of StreamWriter::start_tls().
struct StartTLSOptions {
    std::string_view server_hostname = {};  ///< of a client: whose certificate it is to be
    std::optional<Duration> ssl_handshake_timeout = std::nullopt;  ///< 60 s
    std::optional<Duration> ssl_shutdown_timeout = std::nullopt;   ///< 30 s
    bool suppress_ragged_eofs = false;  ///< a stream that ends without close_notify is no error
};
static_assert(detail::trivially_destructible<StartTLSOptions>);

/// The sending half of a connection.
///
///     writer.write("hello\n");
///     co_await writer.drain();
///     writer.close();
///     co_await writer.wait_closed();
///
/// write() never waits: it sends what the system takes and keeps the rest. drain() waits while more
/// is kept than the high-water mark (64 KiB), until it is no more than the low one (16 KiB).
///
/// Destroying reader and writer without close() closes the connection, too; what was written is
/// still sent.
///
/// Errors:  a connection that is lost is reported by drain() and wait_closed(), and by reads:
///          ConnectionResetError, BrokenPipeError or another OSError. Writing to a connection that
///          is closed or lost does nothing (and is logged from the fifth time on). If there is no
///          memory for what is still to be sent, write() throws std::bad_alloc and the connection
///          is aborted: a part of it may have been sent.
/// Threads: belongs to its loop's thread.
class StreamWriter {
public:
    /// Writes to a transport that has been made with a protocol; see StreamReaderProtocol in
    /// <asyncio/stream_protocols.hpp>. The reader is kept.
    ///
    /// A transport of the library's may have any protocol. One of the program's own is to be a
    /// Transport and to exist until its protocol, a FlowControlMixin, is told of the end or is
    /// destroyed, and the writer as well: TypeError otherwise.
    StreamWriter(WriteTransport& transport, BaseProtocol& protocol, const StreamReader* reader,
                 EventLoop& loop);
    StreamWriter(WriteTransport& transport, BaseProtocol& protocol, const StreamReader& reader,
                 EventLoop& loop)
        : StreamWriter(transport, protocol, &reader, loop) {}
    template <class P, class Reader>
    StreamWriter(WriteTransport& transport, const std::shared_ptr<P>& protocol, Reader&& reader,
                 EventLoop& loop)
        : StreamWriter(transport, *protocol, std::forward<Reader>(reader), loop) {}

    /// The bytes are taken at once; what holds them may be changed after the call. RuntimeError
    /// after write_eof().
    void write(std::string_view bytes);
    void write(std::span<const std::byte> bytes) {
        write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    }
    /// The same as a write() of each, with fewer system calls. Of a range of strings, or of what is
    /// one on demand.
    template <detail::LinesOfText Lines>
    void writelines(const Lines& lines) {
        detail::with_views(lines,
                           [this](std::span<const std::string_view> views) { write_all(views); });
    }
    void writelines(std::span<const std::string_view> lines) { write_all(lines); }
    void writelines(std::initializer_list<std::string_view> lines) { write_all(lines); }

    /// Waits until enough is sent for more to be written. Any number of tasks may.
    [[nodiscard]] detail::Drain drain() { return detail::Drain(connection()); }

    /// Sends a file behind what was written; see asyncio::sendfile() in <asyncio/transports.hpp>.
    [[nodiscard]] Coroutine<std::int64_t> sendfile(const File& file, SendfileOptions options = {});
    [[nodiscard]] Coroutine<std::int64_t> sendfile(int file, SendfileOptions options = {});
    template <class AnyFile>
    [[nodiscard]] Coroutine<std::int64_t> sendfile(
        const AnyFile& file, std::int64_t offset,
        std::optional<std::int64_t> count = std::nullopt) {
        return sendfile(file, SendfileOptions{offset, count, true});
    }

    /// Ends the stream that the peer reads, after what was written; reading goes on. OSError (of
    /// ENOTCONN) if the connection is gone and nothing was left to send.
    void write_eof();
    /// Can the one stream be ended without the other? A socket's can.
    [[nodiscard]] bool can_write_eof() const;

    /// Closes the connection after what was written is sent. Reading ends.
    void close();
    /// Is it closed, or about to be, by whomever? Then writing does nothing any more.
    [[nodiscard]] bool is_closing() const;
    /// Waits until it is closed; throws what it was lost by. That the peer has gone is found by a
    /// read or a write: where nobody does either, it is close() that ends this wait.
    [[nodiscard]] detail::StreamClosed wait_closed() { return detail::StreamClosed(connection()); }
    /// Closes the connection at once, without sending the rest.
    void abort();

    /// "peername", "sockname" and "socket" as text, with TLS also "cipher", "peercert",
    /// "ssl_object", "sslcontext"; nullopt for what there is not.
    [[nodiscard]] std::optional<std::string> get_extra_info(std::string_view name) const;
    /// The peer's address and the own one, also after the connection is closed; empty if it has
    /// none, as the client of a Unix socket.
    [[nodiscard]] Address peername() const;
    [[nodiscard]] Address sockname() const;
    /// To set options on; without a descriptor once the connection is closed.
    [[nodiscard]] TransportSocket socket() const;

    /// Goes on over TLS: as a client, or as a server where start_server() made the connection.
    /// Everything that was written is sent before; what was received and not yet read is taken for
    /// the beginning of the handshake, so that nothing unencrypted is ever read as if it had come
    /// over TLS. The reader and the writer stay the same.
    ///
    /// Cancellation: the connection is closed.
    /// Errors:       those of the handshake, after which the connection is lost;
    ///               std::invalid_argument; RuntimeError while a task reads.
    [[nodiscard]] Coroutine<> start_tls(const SSLContext& context, StartTLSOptions options = {});
    /// What is known of TLS (cipher(), getpeercert(), selected_alpn_protocol(), ...); empty, and
    /// false, without it. To be asked only. For this include <asyncio/ssl.hpp>.
    [[nodiscard]] SSLObject ssl_object() const;

    /// What it writes to, as a transport. That of open_connection() and start_server() has no
    /// protocol: what arrives waits for reads, whether it is paused or not. set_protocol() of it
    /// gives the connection to that protocol; then nothing can be read any more. For this include
    /// <asyncio/transports.hpp>.
    ///
    /// It exists as long as the writer, or the protocol that it has got.
    [[nodiscard]] Transport& transport() const;

    // What Python has on that.
    void set_write_buffer_limits(WriteBufferLimits limits = {});
    /// The low and the high one.
    [[nodiscard]] std::pair<std::size_t, std::size_t> get_write_buffer_limits() const;
    [[nodiscard]] std::size_t get_write_buffer_size() const;

    explicit StreamWriter(detail::StreamCount& connection) noexcept : handle_(connection) {}

private:
    [[nodiscard]] detail::StreamCount& connection() const { return handle_.get(); }
    void write_all(std::span<const std::string_view> views);

    detail::StreamHandle handle_;
    mutable detail::Owned<detail::WriterTransport, detail::DropTransport>
        transport_;  // if asked for
};

/// What open_connection() gives: `auto [reader, writer] = co_await open_connection(...);`.
struct StreamPair {
    StreamReader reader;
    StreamWriter writer;
};

/// Keyword arguments of open_connection().
struct OpenConnectionOptions {
    const SSLContext* ssl = nullptr;                    ///< of <asyncio/ssl.hpp>: TLS
    std::size_t limit = detail::default_stream_limit;   ///< of the reader
    AddressFamily family = AddressFamily::unspecified;  ///< of the addresses to try; all
    int flags = 0;                                      ///< of getaddrinfo()
    int proto = 0;                                      ///< of getaddrinfo()
    std::string_view local_host = {};                   ///< to bind the socket to
    int local_port = 0;                                 ///< the same; 0: any that is free
    std::string_view server_hostname = {};              ///< whose certificate it is to be; `host`
    std::optional<Duration> ssl_handshake_timeout = std::nullopt;  ///< 60 s
    std::optional<Duration> ssl_shutdown_timeout = std::nullopt;   ///< 30 s
    bool suppress_ragged_eofs = false;  ///< a stream that ends without close_notify is no error
    /// The next address is tried when the one before has failed, or has taken so long (RFC 8305
    /// says 0.25 s); the first connection is taken. None: only when it has failed.
    std::optional<Duration> happy_eyeballs_delay = std::nullopt;
    /// The families of addresses take turns, after so many of the first one. 0: the order is that
    /// of getaddrinfo(). None: 1 with happy_eyeballs_delay, otherwise 0.
    std::optional<int> interleave = std::nullopt;
    bool all_errors = false;  ///< what failed is told by an ExceptionGroup
};
static_assert(detail::trivially_destructible<OpenConnectionOptions>);

/// Connects to a TCP server; tries all addresses of `host`, one after the other, or side by side:
/// see `happy_eyeballs_delay`.
///
/// Cancellation: the connections that are being made are closed.
/// Errors:       std::invalid_argument if `limit` is 0; AddressInfoError; if no address can be
///               connected to, the OSError of the only one, or one that tells them all, or with
///               `all_errors` an ExceptionGroup of them.
[[nodiscard]] Coroutine<StreamPair> open_connection(std::string_view host, int port,
                                                    OpenConnectionOptions options = {});

/// Streams over a socket that is connected already; of the options, `limit` counts.
[[nodiscard]] Coroutine<StreamPair> open_connection(Socket socket,
                                                    OpenConnectionOptions options = {});

/// Keyword arguments of open_unix_connection().
struct OpenUnixConnectionOptions {
    const SSLContext* ssl = nullptr;                   ///< of <asyncio/ssl.hpp>: TLS
    std::size_t limit = detail::default_stream_limit;  ///< of the reader
    std::string_view server_hostname = {};  ///< whose certificate it is to be; needed with ssl
    std::optional<Duration> ssl_handshake_timeout = std::nullopt;  ///< 60 s
    std::optional<Duration> ssl_shutdown_timeout = std::nullopt;   ///< 30 s
    bool suppress_ragged_eofs = false;  ///< a stream that ends without close_notify is no error
};
static_assert(detail::trivially_destructible<OpenUnixConnectionOptions>);

/// Connects to the Unix socket at `path` or, where that begins with a zero byte, of that abstract
/// name.
///
/// Cancellation: the connection that is being made is closed.
/// Errors:       std::invalid_argument if `limit` is 0; OSError: FileNotFoundError, nobody listens
///               there (ECONNREFUSED), too many wait to be accepted (EAGAIN).
[[nodiscard]] Coroutine<StreamPair> open_unix_connection(std::string_view path,
                                                         OpenUnixConnectionOptions options = {});

/// Streams over a Unix socket that is connected already; ValueError if it is another one.
[[nodiscard]] Coroutine<StreamPair> open_unix_connection(Socket socket,
                                                         OpenUnixConnectionOptions options = {});

/// Keyword arguments of start_server().
struct StartServerOptions {
    const SSLContext* ssl = nullptr;                    ///< of <asyncio/ssl.hpp>: TLS
    std::size_t limit = detail::default_stream_limit;   ///< of the readers
    AddressFamily family = AddressFamily::unspecified;  ///< of the addresses to listen on; all
    int backlog = 100;                                  ///< connections that wait to be accepted
    bool reuse_address = true;  ///< a port whose last connections still linger may be had again
    bool reuse_port = false;    ///< the port may be shared with others who say so, too
    bool keep_alive = false;    ///< the system finds out whether silent peers are still there
    std::optional<Duration> ssl_handshake_timeout = std::nullopt;  ///< 60 s
    std::optional<Duration> ssl_shutdown_timeout = std::nullopt;   ///< 30 s
    bool suppress_ragged_eofs = false;  ///< a stream that ends without close_notify is no error
    /// How many connections may be open; further ones wait in the backlog until one ends. None: any
    /// number.
    std::optional<std::size_t> max_connections = std::nullopt;
    bool start_serving = true;  ///< false: Server::start_serving() or serve_forever() begins
};
static_assert(detail::trivially_destructible<StartServerOptions>);

/// Starts a TCP server. `handler(StreamReader, StreamWriter)` is called for each connection: a
/// coroutine, which runs as a task of its own, or a plain function. It is kept as long as it is
/// needed. An exception that leaves it goes to the exception handler and closes the connection.
///
///     Coroutine<> echo(StreamReader reader, StreamWriter writer) { ... }
///     Server server = co_await start_server(echo, "127.0.0.1", 8888);
///
/// An empty `host` stands for all interfaces, IPv4 and IPv6; `port` 0 for a port that is free on
/// all of them (server.addresses() tells).
///
/// Cancellation: the server is closed, if it was there already.
/// Errors:       std::invalid_argument if `limit` is 0; AddressInfoError, OSError. If one address
///               cannot be bound, none is.
template <detail::ClientHandler Handler>
[[nodiscard]] Coroutine<Server> start_server(Handler&& handler, std::string_view host, int port,
                                             StartServerOptions options = {}) {
    return detail::start_stream_server(detail::make_start_client(std::forward<Handler>(handler)),
                                       detail::one_host(host), port, options);
}
template <detail::ClientHandler Handler>
[[nodiscard]] Coroutine<Server> start_server(Handler&& handler, std::nullptr_t, int port,
                                             StartServerOptions options = {}) {
    return start_server(std::forward<Handler>(handler), std::string_view(), port, options);
}
/// On several hosts.
template <detail::ClientHandler Handler>
[[nodiscard]] Coroutine<Server> start_server(Handler&& handler, std::vector<std::string> hosts,
                                             int port, StartServerOptions options = {}) {
    return detail::start_stream_server(detail::make_start_client(std::forward<Handler>(handler)),
                                       std::move(hosts), port, options);
}

/// On a stream socket that is bound already; of the addresses' options none counts.
template <detail::ClientHandler Handler>
[[nodiscard]] Coroutine<Server> start_server(Handler&& handler, Socket sock,
                                             StartServerOptions options = {}) {
    return detail::start_stream_server(detail::make_start_client(std::forward<Handler>(handler)),
                                       std::move(sock), options);
}

/// Keyword arguments of start_unix_server().
struct StartUnixServerOptions {
    const SSLContext* ssl = nullptr;                   ///< of <asyncio/ssl.hpp>: TLS
    std::size_t limit = detail::default_stream_limit;  ///< of the readers
    int backlog = 100;                                 ///< connections that wait to be accepted
    std::optional<int> mode = std::nullopt;  ///< of the file, 0 to 0777; none: as the umask has it
    bool cleanup_socket = true;              ///< the file goes when the server is closed
    std::optional<Duration> ssl_handshake_timeout = std::nullopt;  ///< 60 s
    std::optional<Duration> ssl_shutdown_timeout = std::nullopt;   ///< 30 s
    bool suppress_ragged_eofs = false;  ///< a stream that ends without close_notify is no error
    /// How many connections may be open; further ones wait in the backlog until one ends. None: any
    /// number.
    std::optional<std::size_t> max_connections = std::nullopt;
    bool start_serving = true;  ///< false: Server::start_serving() or serve_forever() begins
};
static_assert(detail::trivially_destructible<StartUnixServerOptions>);

/// As start_server(), on a Unix socket at `path` or, where that begins with a zero byte, of that
/// abstract name, which has no file and goes with the socket.
///
/// A socket that is there already is replaced if nobody listens on it. (Python replaces it in any
/// case, and a server that is there gets no connections any more.) To find that out it is connected
/// to. At the end the file is removed, unless somebody else has put another one there.
///
/// Errors: std::invalid_argument; OSError(EADDRINUSE) if something else is there.
template <detail::ClientHandler Handler>
[[nodiscard]] Coroutine<Server> start_unix_server(Handler&& handler, std::string_view path,
                                                  StartUnixServerOptions options = {}) {
    return detail::start_unix_stream_server(
        detail::make_start_client(std::forward<Handler>(handler)), std::string(path), options);
}
/// On a Unix stream socket that is bound already; std::invalid_argument if it is another one.
template <detail::ClientHandler Handler>
[[nodiscard]] Coroutine<Server> start_unix_server(Handler&& handler, Socket socket,
                                                  StartUnixServerOptions options = {}) {
    return detail::start_unix_stream_server(
        detail::make_start_client(std::forward<Handler>(handler)), std::move(socket), options);
}

}  // namespace asyncio
