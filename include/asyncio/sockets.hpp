// sockets.hpp - Socket, Address, getaddrinfo(), sock_recv() and add_reader() and their kin: the
// network without streams.
//
// Mirrors Python's socket module as far as asyncio needs it, and the loop's sock_ methods;
// differences: docs/parity.md#events.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/config.hpp>
#include <asyncio/detail/message_operations.hpp>
#include <asyncio/detail/socket_operations.hpp>
#include <asyncio/detail/watch.hpp>
#include <asyncio/lowlevel/operation.hpp>
#include <asyncio/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asyncio {

/// What kind of addresses a socket has. (The numbers of the system, AF_INET and so on, differ from
/// one system to another.)
enum class AddressFamily : std::uint8_t { unspecified, ipv4, ipv6, unix_, other };

/// How a socket carries bytes. `any` is for getaddrinfo().
enum class SocketType : std::uint8_t { any, stream, datagram, other };

/// The address of one end of a connection: a value. Empty by default, and false then.
///
///     Address address("::1", 80);
///     address.host();         // "::1"
///     address.to_string();    // "[::1]:80"
///
/// Names are not looked up: that is what getaddrinfo() does.
class Address {
public:
    Address() = default;
    /// `host` is a numeric IPv4 or IPv6 address ("::1", "fe80::1%eth0"); otherwise, or if the port
    /// is not in 0 to 65535, std::invalid_argument.
    Address(std::string_view host, int port);
    explicit Address(const lowlevel::SocketAddress& raw) noexcept : raw_(raw) {}

    /// Of a Unix socket: a path of at most 107 bytes or, where the first byte is zero, an abstract
    /// name of at most 108 with it, in which every byte counts. Empty: no name yet; binding to it
    /// lets the system choose an abstract one. OSError if it is too long, std::invalid_argument if
    /// a path has a zero in it.
    [[nodiscard]] static Address from_path(std::string_view path);

    /// Of a numeric `host`, or of "127.0.0.1:80" or "[::1]:80"; nullopt if it is none.
    [[nodiscard]] static std::optional<Address> parse(std::string_view host, int port);
    [[nodiscard]] static std::optional<Address> parse(std::string_view text);

    /// "127.0.0.1", "::1", "fe80::1%2"; the path or abstract name of a Unix socket.
    [[nodiscard]] std::string host() const;
    /// 0 where there are no ports.
    [[nodiscard]] int port() const noexcept;
    [[nodiscard]] AddressFamily family() const noexcept;
    /// "127.0.0.1:80", "[::1]:80"; the path of a Unix socket, or "@name" of an abstract one.
    [[nodiscard]] std::string to_string() const;

    explicit operator bool() const noexcept { return raw_.size != 0; }
    friend bool operator==(const Address& a, const Address& b) noexcept;

    /// As the kernel wants it.
    [[nodiscard]] const lowlevel::SocketAddress& raw() const noexcept { return raw_; }

private:
    lowlevel::SocketAddress raw_;
};

class Socket;

namespace detail {

/// A descriptor of a loop, and what can be asked of it: what Socket and TransportSocket share.
class SocketBase {
public:
    /// The descriptor; -1 if there is none (any more).
    [[nodiscard]] int fileno() const noexcept { return fd_; }

    [[nodiscard]] AddressFamily family() const;
    [[nodiscard]] SocketType type() const;
    /// The number of the protocol: that of TCP is 6.
    [[nodiscard]] int proto() const;

    [[nodiscard]] Address getsockname() const;
    [[nodiscard]] Address getpeername() const;

    // `level` and `option` are those of <sys/socket.h> and <netinet/...>.
    [[nodiscard]] int getsockopt(int level, int option) const;
    void setsockopt(int level, int option, int value) const;
    /// Is it left open in programs that are started? Sockets of this library are not.
    [[nodiscard]] bool get_inheritable() const;
    /// A descriptor of its own for the same socket.
    [[nodiscard]] Socket dup() const;
    /// `how`: SHUT_RD, SHUT_WR or SHUT_RDWR of <sys/socket.h>.
    void shutdown(int how) const;

    /// The loop it belongs to; RuntimeError once that is closed.
    [[nodiscard]] EventLoop& get_loop() const;

    [[nodiscard]] LoopIO* io() const noexcept { return io_; }

protected:
    SocketBase() = default;
    SocketBase(LoopIO* io, int fd) noexcept;
    SocketBase(const SocketBase& other) noexcept;
    SocketBase(SocketBase&& other) noexcept
        : io_(std::exchange(other.io_, nullptr)), fd_(std::exchange(other.fd_, -1)) {}
    SocketBase& operator=(const SocketBase&) = delete;
    ~SocketBase();

    void swap(SocketBase& other) noexcept {
        std::swap(io_, other.io_);
        std::swap(fd_, other.fd_);
    }
    /// Its result, or -errno.
    std::int64_t call(lowlevel::Operation& operation) const;

    LoopIO* io_ = nullptr;  // counted
    int fd_ = -1;
};

}  // namespace detail

/// The socket of a connection or server, to look at it and to set options: what Python's
/// asyncio.TransportSocket is. It owns nothing, and means something only while what it was asked of
/// is open.
class TransportSocket : public detail::SocketBase {
public:
    explicit TransportSocket(const detail::SocketBase& socket) noexcept : SocketBase(socket) {}
    TransportSocket(const TransportSocket&) = default;
    TransportSocket& operator=(TransportSocket other) noexcept {
        swap(other);
        return *this;
    }

    /// Always 0: nothing waits.
    [[nodiscard]] Duration gettimeout() const noexcept { return 0; }
    /// std::invalid_argument if it is anything but 0.
    void settimeout(std::optional<Duration> value) const;
    /// std::invalid_argument if `flag` is true.
    void setblocking(bool flag) const;
};

/// Owns a socket of a loop: non-blocking, and closed in programs that are started. Movable; empty
/// by default, and false then.
///
/// Closing it ends what waits on it, with OSError(ECANCELED). A Socket may outlive its loop.
///
/// Errors:  OSError for what the system reports.
/// Threads: belongs to its loop's thread.
class Socket : public detail::SocketBase {
public:
    Socket() = default;
    /// A new socket of the running loop.
    explicit Socket(AddressFamily family, SocketType type = SocketType::stream);
    /// Takes over a descriptor for the running loop; makes it non-blocking and close-on-exec.
    explicit Socket(int fd);
    /// Takes over a descriptor that is so already.
    Socket(detail::LoopIO& io, int fd) noexcept : SocketBase(&io, fd) {}
    Socket(Socket&&) noexcept = default;
    Socket& operator=(Socket other) noexcept {
        swap(other);
        return *this;
    }
    ~Socket() { close(); }

    explicit operator bool() const noexcept { return fd_ >= 0; }

    void close() noexcept;
    /// Gives the descriptor up; what waits on it ends.
    [[nodiscard]] int detach() noexcept;

    void bind(const Address& address) const;
    void listen(int backlog = 100) const;

private:
    void end_operations() noexcept;
};

// ------------------------------------------------------------------------------------ names

/// One of the addresses of a host. Mirrors the tuples of Python's getaddrinfo().
struct AddressInfo {
    AddressFamily family = AddressFamily::unspecified;  ///< of a socket to connect from
    SocketType type = SocketType::any;                  ///< the same
    int proto = 0;                                      ///< the same: 6 for TCP, 17 for UDP
    std::string canonname;  ///< the host's own name, in the first one, if flags has AI_CANONNAME
    Address address;        ///< to connect to
};

/// Keyword arguments of getaddrinfo().
struct AddressInfoOptions {
    AddressFamily family = AddressFamily::unspecified;  ///< unspecified: all
    SocketType type = SocketType::any;                  ///< any: one of each type
    int proto = 0;                                      ///< 0: all
    int flags = 0;                                      ///< AI_PASSIVE and others of <netdb.h>
};
static_assert(detail::trivially_destructible<AddressInfoOptions>);

/// The addresses of `host`, in the order in which to try them. A numeric address is only converted;
/// a name is looked up in a thread of the loop's resolver_executor(). A null view for `host` stands
/// for this machine, or for all interfaces where flags has AI_PASSIVE.
///
/// Cancellation: the lookup goes on and its result is dropped.
/// Errors:       AddressInfoError (Python's socket.gaierror).
[[nodiscard]] Coroutine<std::vector<AddressInfo>> getaddrinfo(std::string_view host, int port,
                                                              AddressInfoOptions options = {});
/// The same with the name of a service: "http".
[[nodiscard]] Coroutine<std::vector<AddressInfo>> getaddrinfo(std::string_view host,
                                                              std::string_view service,
                                                              AddressInfoOptions options = {});

/// Keyword arguments of getnameinfo() are flags: NI_NUMERICHOST and others of <netdb.h>.
struct NameInfo {
    std::string host;
    std::string service;
};

/// The names of an address: `auto [host, service] = co_await getnameinfo(address, flags);`. They
/// are looked up as those of getaddrinfo() are; what has no name is given as a number.
///
/// Cancellation: the lookup goes on and its result is dropped.
/// Errors:       AddressInfoError.
[[nodiscard]] Coroutine<NameInfo> getnameinfo(const Address& address, int flags = 0);

// --------------------------------------------------------------------------- raw operations

/// What sock_accept() gives: `auto [connection, peer] = co_await sock_accept(listener);`.
struct Accepted {
    Socket socket;
    Address address;
};

// Awaiters, which live in the awaiting coroutine. The socket, and what is passed by reference, must
// outlive the await.
//
// Cancellation: the operation is ended. If it had finished after all, its result is delivered and
//               the CancelledError comes at the next await: no byte and no connection is lost.
// Errors:       OSError and its subclasses.

/// Up to `n` bytes (and up to 256 KiB), at least one; empty only at the end.
[[nodiscard]] inline detail::SockRecv sock_recv(const Socket& socket, std::size_t n) noexcept {
    return {socket, n};
}

/// Receives into `buffer`; how many bytes, 0 at the end.
[[nodiscard]] inline detail::SockRecvInto sock_recv_into(const Socket& socket,
                                                         std::span<std::byte> buffer) noexcept {
    return {socket, buffer};
}

/// Sends all of `bytes`. ECANCELED if the socket is closed before. How many were sent is not known
/// if it is cancelled or fails.
[[nodiscard]] inline detail::SockSendAll sock_sendall(const Socket& socket,
                                                      std::string_view bytes) noexcept {
    return {socket, bytes};
}

/// Connects to `address`.
[[nodiscard]] inline detail::SockConnect sock_connect(const Socket& socket,
                                                      const Address& address) noexcept {
    return {socket, address.raw()};
}

/// The next connection of a listening socket, and its peer's address.
[[nodiscard]] inline detail::SockAccept sock_accept(const Socket& listener) noexcept {
    return detail::SockAccept(listener);
}

/// What sock_recvfrom() gives: `auto [data, address] = co_await sock_recvfrom(socket, 65536);`.
struct ReceivedFrom {
    std::string data;
    Address address;  ///< of the sender; empty where there is none
};

/// The same where the data is in the caller's memory.
struct ReceivedFromInto {
    std::size_t size;
    Address address;
};

/// One datagram, which may be empty, and who has sent it. What is beyond `n` bytes (and 256 KiB) of
/// it is lost.
[[nodiscard]] inline detail::SockRecvFrom sock_recvfrom(const Socket& socket,
                                                        std::size_t n) noexcept {
    return {socket, n};
}

/// The same into `buffer`.
[[nodiscard]] inline detail::SockRecvFromInto sock_recvfrom_into(
    const Socket& socket, std::span<std::byte> buffer) noexcept {
    return {socket, buffer};
}

/// Sends a datagram to `address`, or where the socket is connected to if that is empty. Its size.
[[nodiscard]] inline detail::SockSendTo sock_sendto(const Socket& socket, std::string_view bytes,
                                                    const Address& address) noexcept {
    return {socket, bytes, address.raw()};
}

/// Keyword arguments of sock_sendfile().
struct SockSendfileOptions {
    std::int64_t offset = 0;                           ///< in the file; not from where it stands
    std::optional<std::int64_t> count = std::nullopt;  ///< bytes; none: up to its end
    bool fallback = true;  ///< what the system cannot send itself is read, in a thread, and sent
};
static_assert(detail::trivially_destructible<SockSendfileOptions>);

/// Sends what is in a file that is open for reading, in the system's memory where it can. How many
/// bytes: fewer than `count` if the file ends before, or is cut off meanwhile. The file's position
/// is then behind what was sent, also after an error or a cancellation.
///
/// Errors: std::invalid_argument unless it is a stream socket, `count` is positive, `offset` is not
///         negative; SendfileNotAvailableError, if nothing was sent, without a fallback; OSError.
[[nodiscard]] Coroutine<std::int64_t> sock_sendfile(const Socket& socket, int file,
                                                    SockSendfileOptions options = {});

}  // namespace asyncio
