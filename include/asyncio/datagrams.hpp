// datagrams.hpp - create_datagram_endpoint(): protocols that get datagrams.
//
// Mirrors what Python's loop has of that name; differences: docs/parity.md#events.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/config.hpp>
#include <asyncio/detail/create_connection.hpp>
#include <asyncio/transports.hpp>

#include <optional>
#include <string_view>
#include <utility>

namespace asyncio {

/// Where a datagram endpoint is, or sends to: a host, which may be a name, and a port; an Address;
/// or, with `.family = AddressFamily::unix_`, a path or an abstract name. Empty by default.
class DatagramAddress {
public:
    DatagramAddress() = default;
    DatagramAddress(std::string_view host, int port) noexcept
        : kind_(Kind::host), text_(host), port_(port) {}
    DatagramAddress(const Address& address) noexcept
        : kind_(address ? Kind::address : Kind::none), address_(address) {}
    DatagramAddress(std::string_view path) noexcept : kind_(Kind::path), text_(path) {}
    DatagramAddress(const char* path) noexcept : DatagramAddress(std::string_view(path)) {}

    enum class Kind : std::uint8_t { none, host, address, path };
    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    explicit operator bool() const noexcept { return kind_ != Kind::none; }
    /// The host, or the path.
    [[nodiscard]] std::string_view text() const noexcept { return text_; }
    [[nodiscard]] int port() const noexcept { return port_; }
    [[nodiscard]] const Address& address() const noexcept { return address_; }

private:
    Kind kind_ = Kind::none;
    std::string_view text_;
    int port_ = 0;
    Address address_;
};

/// Keyword arguments of create_datagram_endpoint().
struct CreateDatagramEndpointOptions {
    DatagramAddress local_addr = {};   ///< to bind the socket to
    DatagramAddress remote_addr = {};  ///< whom alone it talks to; sendto() needs no address then
    AddressFamily family = AddressFamily::unspecified;  ///< needed where there is no address
    int proto = 0;                                      ///< of getaddrinfo()
    int flags = 0;                                      ///< of getaddrinfo()
    bool reuse_port = false;  ///< the port may be shared with others who say so, too
    bool allow_broadcast = false;
};
static_assert(detail::trivially_destructible<CreateDatagramEndpointOptions>);

namespace detail {
[[nodiscard]] Coroutine<UntypedPair<DatagramTransport>> create_endpoint(
    MakeProtocol make, const CreateDatagramEndpointOptions& options);
[[nodiscard]] Coroutine<UntypedPair<DatagramTransport>> create_endpoint(MakeProtocol make,
                                                                        Socket socket);

template <class Factory>
concept DatagramProtocolFactory =
    ProtocolFactory<Factory> && std::derived_from<ProtocolOf<Factory>, DatagramProtocol>;
}  // namespace detail

/// A socket for datagrams, and a protocol that gets them.
///
///     auto [transport, protocol] = co_await create_datagram_endpoint(
///         [] { return std::make_unique<Server>(); }, {.local_addr = {"127.0.0.1", 9999}});
///     transport.sendto("hello", Address("127.0.0.1", 9998));
///
/// One datagram is received per turn; `data` of datagram_received() is of no use afterwards. One
/// that is larger than 256 KiB, which only Unix sockets can send, is not passed on in part:
/// error_received() gets OSError(EMSGSIZE). It also gets what the system says of datagrams that
/// were sent: that nobody was there (ECONNREFUSED, where the socket is connected), that it was too
/// long (EMSGSIZE). What the protocol throws goes to the exception handler; the transport goes on.
///
/// Of a path in `local_addr` a socket that nobody has bound any more is replaced; the file is not
/// removed at the end.
///
/// Cancellation: the socket is closed.
/// Errors:       std::invalid_argument if there is neither an address nor a family, or none that
/// fit
///               together; AddressInfoError; OSError.
template <detail::DatagramProtocolFactory Factory>
[[nodiscard]] Coroutine<ProtocolPair<detail::ProtocolOf<Factory>, DatagramTransport>>
create_datagram_endpoint(Factory&& protocol_factory, CreateDatagramEndpointOptions options = {}) {
    return detail::typed_pair<detail::ProtocolOf<Factory>>(detail::create_endpoint(
        detail::erase_factory(std::forward<Factory>(protocol_factory)), options));
}
/// Over a socket that was made by the caller; std::invalid_argument of a stream socket.
template <detail::DatagramProtocolFactory Factory>
[[nodiscard]] Coroutine<ProtocolPair<detail::ProtocolOf<Factory>, DatagramTransport>>
create_datagram_endpoint(Factory&& protocol_factory, Socket sock) {
    return detail::typed_pair<detail::ProtocolOf<Factory>>(detail::create_endpoint(
        detail::erase_factory(std::forward<Factory>(protocol_factory)), std::move(sock)));
}

}  // namespace asyncio
