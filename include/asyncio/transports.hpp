// transports.hpp - the connections that protocols talk over: Transport, DatagramTransport,
// SubprocessTransport.
//
// Mirrors Python's asyncio.transports; differences: docs/parity.md#transports.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/config.hpp>
#include <asyncio/detail/create_connection.hpp>
#include <asyncio/detail/protocol_factory.hpp>
#include <asyncio/detail/views.hpp>
#include <asyncio/protocols.hpp>
#include <asyncio/servers.hpp>
#include <asyncio/sockets.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asyncio {

namespace files {
class File;  // of <asyncio/files.hpp>
}
using files::File;
class SSLContext;  // of <asyncio/ssl.hpp>
class SSLObject;

/// Keyword arguments of sendfile().
struct SendfileOptions {
    std::int64_t offset = 0;                           ///< where to begin in the file
    std::optional<std::int64_t> count = std::nullopt;  ///< how many bytes; none: up to the end
    bool fallback = true;  ///< read and write the file where the system cannot send it
};
static_assert(detail::trivially_destructible<SendfileOptions>);

/// Keyword arguments of set_write_buffer_limits().
struct WriteBufferLimits {
    std::optional<std::size_t> high = std::nullopt;  ///< default: 64 KiB, or 4 times `low`
    std::optional<std::size_t> low = std::nullopt;   ///< default: a quarter of `high`
};
static_assert(detail::trivially_destructible<WriteBufferLimits>);

/// What all transports have. They are made by create_connection(), create_server() and their like,
/// and given to a protocol by connection_made(). A test may derive one of its own and override what
/// it needs: what is not overridden throws NotImplementedError.
///
/// Threads: belongs to its loop's thread.
class BaseTransport {
public:
    BaseTransport() = default;
    BaseTransport(const BaseTransport&) = delete;
    BaseTransport& operator=(const BaseTransport&) = delete;
    virtual ~BaseTransport();

    /// What else is known, as text: "peername", "sockname", "socket" (the descriptor), "pipe" and
    /// others; nullopt for what there is not.
    [[nodiscard]] virtual std::optional<std::string> get_extra_info(std::string_view name) const;
    /// The same of these, as what they are. Empty where there is none.
    [[nodiscard]] virtual Address peername() const;
    [[nodiscard]] virtual Address sockname() const;
    /// To set options on; without a descriptor where there is no socket, or no more.
    [[nodiscard]] virtual TransportSocket socket() const;
    /// What is known of TLS; empty, and false, without it. For this include <asyncio/ssl.hpp>.
    [[nodiscard]] virtual SSLObject ssl_object() const;

    /// Is it closed, or about to be, by whomever?
    [[nodiscard]] virtual bool is_closing() const;
    /// Receives nothing more, sends what was written, and then calls connection_lost(nullptr).
    virtual void close();

    /// Another protocol gets the events from now on; it is not told that there is a connection.
    virtual void set_protocol(std::shared_ptr<BaseProtocol> protocol);
    /// The same, with a protocol that belongs to somebody else, who keeps it long enough.
    void set_protocol(BaseProtocol& protocol) {
        set_protocol(std::shared_ptr<BaseProtocol>(std::shared_ptr<void>(), &protocol));
    }
    /// Null once the connection is lost.
    [[nodiscard]] virtual std::shared_ptr<BaseProtocol> get_protocol() const;

    /// For reports: "<_SelectorSocketTransport fd=7 read=polling write=<idle, bufsize=0>>".
    [[nodiscard]] virtual std::string repr() const;
};

/// One that receives.
class ReadTransport : public virtual BaseTransport {
public:
    /// Not paused, and not closing.
    [[nodiscard]] virtual bool is_reading() const;
    /// Nothing is received, and the protocol gets nothing, until resume_reading(). Both may be
    /// called at any time and any number of times.
    virtual void pause_reading();
    virtual void resume_reading();
};

/// One that sends. Nothing of it waits: what the system does not take is kept.
class WriteTransport : public virtual BaseTransport {
public:
    /// When the protocol's pause_writing() and resume_writing() are called: when more than `high`
    /// bytes are kept, and then when it is no more than `low`. std::invalid_argument if high < low.
    virtual void set_write_buffer_limits(WriteBufferLimits limits = {});
    /// The low and the high one.
    [[nodiscard]] virtual std::pair<std::size_t, std::size_t> get_write_buffer_limits() const;
    /// How many bytes are kept.
    [[nodiscard]] virtual std::size_t get_write_buffer_size() const;

    /// The bytes are taken at once; what holds them may be changed after the call. Does nothing if
    /// the transport is closing (and is logged from the fifth time on). RuntimeError after
    /// write_eof().
    virtual void write(std::string_view data);
    void write(std::span<const std::byte> data) {
        write(std::string_view(reinterpret_cast<const char*>(data.data()), data.size()));
    }
    /// The same as a write() of each, with fewer system calls.
    virtual void writelines(std::span<const std::string_view> lines);
    void writelines(std::initializer_list<std::string_view> lines) {
        writelines(std::span<const std::string_view>(lines.begin(), lines.size()));
    }
    template <detail::LinesOfText Lines>
    void writelines(const Lines& lines) {
        detail::with_views(lines,
                           [this](std::span<const std::string_view> views) { writelines(views); });
    }

    /// Ends the stream that the peer reads, after what was written; receiving goes on.
    virtual void write_eof();
    [[nodiscard]] virtual bool can_write_eof() const;
    /// Closes at once, without sending the rest.
    virtual void abort();
};

/// A stream of bytes in both directions. (Of a pipe, which has one, the functions of the other
/// throw NotImplementedError.)
class Transport : public ReadTransport, public WriteTransport {};

/// Datagrams in both directions.
class DatagramTransport : public virtual BaseTransport {
public:
    /// Sends `data` to `addr`, or where the socket is connected to. Nothing of it waits.
    virtual void sendto(std::string_view data, const Address& addr = Address());
    /// Closes at once; what is left to send is dropped.
    virtual void abort();
    virtual void set_write_buffer_limits(WriteBufferLimits limits = {});
    /// The low and the high one.
    [[nodiscard]] virtual std::pair<std::size_t, std::size_t> get_write_buffer_limits() const;
    /// How many bytes are kept, with 8 more for each datagram.
    [[nodiscard]] virtual std::size_t get_write_buffer_size() const;
};

/// A child process.
class SubprocessTransport : public virtual BaseTransport {
public:
    [[nodiscard]] virtual int get_pid() const;
    /// Nullopt while it runs; negative: the signal that ended it.
    [[nodiscard]] virtual std::optional<int> get_returncode() const;
    /// The transport of its standard stream 0, 1 or 2; null if that is no pipe.
    [[nodiscard]] virtual BaseTransport* get_pipe_transport(int fd) const;
    // ProcessLookupError if the process has ended.
    virtual void send_signal(int signal);
    virtual void terminate();
    virtual void kill();
};

// ------------------------------------------------------------------------- making connections

/// What create_connection() gives: `auto [transport, protocol] = co_await create_connection(...);`.
/// The transport exists as long as the protocol does, at least.
template <class P, class T = Transport>
struct ProtocolPair {
    T& transport;
    std::shared_ptr<P> protocol;
};

/// Keyword arguments of create_connection().
struct CreateConnectionOptions {
    const SSLContext* ssl = nullptr;                    ///< of <asyncio/ssl.hpp>: TLS
    AddressFamily family = AddressFamily::unspecified;  ///< of the addresses to try; all
    int proto = 0;                                      ///< of getaddrinfo()
    int flags = 0;                                      ///< of getaddrinfo()
    std::string_view local_host = {};                   ///< to bind the socket to
    int local_port = 0;                                 ///< the same; 0: any that is free
    std::string_view server_hostname = {};              ///< whose certificate it is to be; `host`
    std::optional<Duration> ssl_handshake_timeout = std::nullopt;  ///< 60 s
    std::optional<Duration> ssl_shutdown_timeout = std::nullopt;   ///< 30 s
    bool suppress_ragged_eofs = false;  ///< a stream that ends without close_notify is no error
    /// How long one address may take before the next one is tried at the same time; none: one after
    /// the other.
    std::optional<Duration> happy_eyeballs_delay = std::nullopt;
    /// How many addresses of the first family are tried before the first one of another; none: 1
    /// with happy eyeballs, otherwise all of them.
    std::optional<int> interleave = std::nullopt;
    bool all_errors = false;  ///< if none can be connected to: an ExceptionGroup of all errors
};
static_assert(detail::trivially_destructible<CreateConnectionOptions>);

/// Connects to a TCP server and has what happens told to the protocol that `protocol_factory()`
/// makes: a std::unique_ptr or std::shared_ptr of it, or a reference to one that exists long
/// enough.
///
///     auto [transport, protocol] = co_await create_connection(
///         [] { return std::make_unique<Client>(); }, "localhost", 8888);
///     transport.write("hello");
///     co_await protocol->done;
///
/// The factory is called when there is a connection; connection_made() is called in the next turn,
/// receiving begins after it, and then the caller goes on. With TLS the handshake comes before
/// connection_made().
///
/// Cancellation: the connection is closed.
/// Errors:       as open_connection(), and what the factory throws.
template <detail::ProtocolFactory Factory>
[[nodiscard]] Coroutine<ProtocolPair<detail::ProtocolOf<Factory>>> create_connection(
    Factory&& protocol_factory, std::string_view host, int port,
    CreateConnectionOptions options = {}) {
    return detail::typed_pair<detail::ProtocolOf<Factory>>(detail::create_protocol_connection(
        detail::erase_factory(std::forward<Factory>(protocol_factory)), host, port, options));
}
/// The same over a stream socket that is connected already; of the options, those of TLS count.
template <detail::ProtocolFactory Factory>
[[nodiscard]] Coroutine<ProtocolPair<detail::ProtocolOf<Factory>>> create_connection(
    Factory&& protocol_factory, Socket sock, CreateConnectionOptions options = {}) {
    return detail::typed_pair<detail::ProtocolOf<Factory>>(detail::create_protocol_connection(
        detail::erase_factory(std::forward<Factory>(protocol_factory)), std::move(sock), options));
}

/// Keyword arguments of create_unix_connection().
struct CreateUnixConnectionOptions {
    const SSLContext* ssl = nullptr;        ///< of <asyncio/ssl.hpp>: TLS
    std::string_view server_hostname = {};  ///< with TLS: whose certificate it is to be
    std::optional<Duration> ssl_handshake_timeout = std::nullopt;  ///< 60 s
    std::optional<Duration> ssl_shutdown_timeout = std::nullopt;   ///< 30 s
    bool suppress_ragged_eofs = false;  ///< a stream that ends without close_notify is no error
};
static_assert(detail::trivially_destructible<CreateUnixConnectionOptions>);

/// Connects to the Unix socket at `path` or, where that begins with a zero byte, of that abstract
/// name. Cancellation and errors: as create_connection() and open_unix_connection().
template <detail::ProtocolFactory Factory>
[[nodiscard]] Coroutine<ProtocolPair<detail::ProtocolOf<Factory>>> create_unix_connection(
    Factory&& protocol_factory, std::string_view path, CreateUnixConnectionOptions options = {}) {
    return detail::typed_pair<detail::ProtocolOf<Factory>>(detail::create_protocol_connection(
        detail::erase_factory(std::forward<Factory>(protocol_factory)), path, options));
}
/// Over a Unix stream socket that is connected already.
template <detail::ProtocolFactory Factory>
[[nodiscard]] Coroutine<ProtocolPair<detail::ProtocolOf<Factory>>> create_unix_connection(
    Factory&& protocol_factory, Socket sock, CreateUnixConnectionOptions options = {}) {
    return detail::typed_pair<detail::ProtocolOf<Factory>>(detail::create_protocol_connection(
        detail::erase_factory(std::forward<Factory>(protocol_factory)), std::move(sock), options));
}

/// Keyword arguments of connect_accepted_socket().
struct ConnectAcceptedSocketOptions {
    const SSLContext* ssl = nullptr;                               ///< of <asyncio/ssl.hpp>: TLS
    std::optional<Duration> ssl_handshake_timeout = std::nullopt;  ///< 60 s
    std::optional<Duration> ssl_shutdown_timeout = std::nullopt;   ///< 30 s
    bool suppress_ragged_eofs = false;  ///< a stream that ends without close_notify is no error
};
static_assert(detail::trivially_destructible<ConnectAcceptedSocketOptions>);

/// The same over a socket that a server outside of the library has accepted.
template <detail::ProtocolFactory Factory>
[[nodiscard]] Coroutine<ProtocolPair<detail::ProtocolOf<Factory>>> connect_accepted_socket(
    Factory&& protocol_factory, Socket sock, ConnectAcceptedSocketOptions options = {}) {
    return detail::typed_pair<detail::ProtocolOf<Factory>>(detail::connect_accepted(
        detail::erase_factory(std::forward<Factory>(protocol_factory)), std::move(sock), options));
}

/// Keyword arguments of create_server().
struct CreateServerOptions {
    const SSLContext* ssl = nullptr;                    ///< of <asyncio/ssl.hpp>: TLS
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
static_assert(detail::trivially_destructible<CreateServerOptions>);

/// Starts a TCP server. `protocol_factory()` makes a protocol for each connection; see
/// create_connection(). What it throws goes to the exception handler, and the connection is closed.
///
/// An empty `host` stands for all interfaces, IPv4 and IPv6; `port` 0 for a port that is free on
/// all of them (server.addresses() tells).
///
/// Cancellation and errors: as start_server().
template <detail::ProtocolFactory Factory>
[[nodiscard]] Coroutine<Server> create_server(Factory&& protocol_factory, std::string_view host,
                                              int port, CreateServerOptions options = {}) {
    return detail::create_protocol_server(
        detail::erase_factory(std::forward<Factory>(protocol_factory)), detail::one_host(host),
        port, options);
}
template <detail::ProtocolFactory Factory>
[[nodiscard]] Coroutine<Server> create_server(Factory&& protocol_factory, std::nullptr_t, int port,
                                              CreateServerOptions options = {}) {
    return create_server(std::forward<Factory>(protocol_factory), std::string_view(), port,
                         options);
}
/// On several hosts.
template <detail::ProtocolFactory Factory>
[[nodiscard]] Coroutine<Server> create_server(Factory&& protocol_factory,
                                              std::vector<std::string> hosts, int port,
                                              CreateServerOptions options = {}) {
    return detail::create_protocol_server(
        detail::erase_factory(std::forward<Factory>(protocol_factory)), std::move(hosts), port,
        options);
}
/// On a stream socket that is bound already.
template <detail::ProtocolFactory Factory>
[[nodiscard]] Coroutine<Server> create_server(Factory&& protocol_factory, Socket sock,
                                              CreateServerOptions options = {}) {
    return detail::create_protocol_server(
        detail::erase_factory(std::forward<Factory>(protocol_factory)), std::move(sock), options);
}

/// Keyword arguments of start_tls().
struct TransportStartTLSOptions {
    bool server_side = false;
    std::string_view server_hostname = {};  ///< of a client: whose certificate it is to be
    std::optional<Duration> ssl_handshake_timeout = std::nullopt;  ///< 60 s
    std::optional<Duration> ssl_shutdown_timeout = std::nullopt;   ///< 30 s
    bool suppress_ragged_eofs = false;  ///< a stream that ends without close_notify is no error
};
static_assert(detail::trivially_destructible<TransportStartTLSOptions>);

/// A connection goes on over TLS, and with `protocol`, which is not told that it is made. What was
/// received and not yet given to a protocol is taken for the beginning of the handshake. Gives the
/// transport to be used from now on. (Which is the same one, other than in Python.)
///
/// Cancellation: the connection is closed.
/// Errors:       those of the handshake, after which the connection is lost; TypeError if it is a
///               transport of the program's own; std::invalid_argument.
[[nodiscard]] Coroutine<Transport&> start_tls(Transport& transport,
                                              std::shared_ptr<BaseProtocol> protocol,
                                              const SSLContext& context,
                                              TransportStartTLSOptions options = {});
/// The same, with a protocol that belongs to somebody else, who keeps it long enough.
[[nodiscard]] inline Coroutine<Transport&> start_tls(Transport& transport, BaseProtocol& protocol,
                                                     const SSLContext& context,
                                                     TransportStartTLSOptions options = {}) {
    return start_tls(transport, std::shared_ptr<BaseProtocol>(std::shared_ptr<void>(), &protocol),
                     context, options);
}

/// Keyword arguments of create_unix_server().
struct CreateUnixServerOptions {
    const SSLContext* ssl = nullptr;         ///< of <asyncio/ssl.hpp>: TLS
    int backlog = 100;                       ///< connections that wait to be accepted
    std::optional<int> mode = std::nullopt;  ///< of the file, 0 to 0777; none: as the umask has it
    bool cleanup_socket = true;              ///< the file goes when the server is closed
    std::optional<Duration> ssl_handshake_timeout = std::nullopt;  ///< 60 s
    std::optional<Duration> ssl_shutdown_timeout = std::nullopt;   ///< 30 s
    bool suppress_ragged_eofs = false;  ///< a stream that ends without close_notify is no error
    /// As of create_server().
    std::optional<std::size_t> max_connections = std::nullopt;
    bool start_serving = true;  ///< false: Server::start_serving() or serve_forever() begins
};
static_assert(detail::trivially_destructible<CreateUnixServerOptions>);

/// As create_server(), on a Unix socket; see start_unix_server().
template <detail::ProtocolFactory Factory>
[[nodiscard]] Coroutine<Server> create_unix_server(Factory&& protocol_factory,
                                                   std::string_view path,
                                                   CreateUnixServerOptions options = {}) {
    return detail::create_unix_protocol_server(
        detail::erase_factory(std::forward<Factory>(protocol_factory)), std::string(path), options);
}
/// On a Unix stream socket that is bound already.
template <detail::ProtocolFactory Factory>
[[nodiscard]] Coroutine<Server> create_unix_server(Factory&& protocol_factory, Socket sock,
                                                   CreateUnixServerOptions options = {}) {
    return detail::create_unix_protocol_server(
        detail::erase_factory(std::forward<Factory>(protocol_factory)), std::move(sock), options);
}

// -------------------------------------------------------------------------------------- sendfile

/// Sends a file behind what was written. `file` is a File or an open file of the system's. How many
/// bytes that were; fewer than `count` if the file ends before. Its position is then behind them.
///
///     co_await sendfile(transport, file);
///     co_await sendfile(transport, file, 1000, 24);
///     co_await sendfile(transport, file, {.offset = 1000, .fallback = false});
///
/// The system sends it without its being read, where it can (not with TLS, nor what is no regular
/// file); then nothing may be written meanwhile: RuntimeError. Otherwise it is read in a thread and
/// written, unless `fallback` is false: SendfileNotAvailableError.
///
/// Cancellation: nothing more is sent; the position says how much was.
/// Errors:       OSError; ConnectionError if the connection is lost; RuntimeError if it is closing;
///               std::invalid_argument if `count` is not positive, or `offset` is negative.
[[nodiscard]] Coroutine<std::int64_t> sendfile(Transport& transport, const File& file,
                                               SendfileOptions options = {});
[[nodiscard]] Coroutine<std::int64_t> sendfile(Transport& transport, int file,
                                               SendfileOptions options = {});
template <class AnyFile>
[[nodiscard]] Coroutine<std::int64_t> sendfile(Transport& transport, const AnyFile& file,
                                               std::int64_t offset,
                                               std::optional<std::int64_t> count = std::nullopt) {
    return sendfile(transport, file, SendfileOptions{offset, count, true});
}

}  // namespace asyncio
