// addresses.cpp - Address: addresses as text and as the kernel wants them.
//
// SPDX-License-Identifier: MIT
#include "addresses.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace asyncio {

using lowlevel::SocketAddress;

static_assert(sizeof(SocketAddress::storage) >= sizeof(sockaddr_storage));

template <class T>
static T get_raw(const SocketAddress& raw) noexcept {
    T result{};
    std::memcpy(&result, raw.storage, std::min<std::size_t>(raw.size, sizeof result));
    return result;
}

template <class T>
static SocketAddress make_raw(const T& value) noexcept {
    SocketAddress raw;
    std::memcpy(raw.storage, &value, sizeof value);
    raw.size = sizeof value;
    return raw;
}

// A number, or the name of an interface; 0 if it is neither.
static std::uint32_t scope_from(const std::string& zone) noexcept {
    if (!zone.empty() && zone.size() < 10 &&
        zone.find_first_not_of("0123456789") == std::string::npos) {
        return static_cast<std::uint32_t>(std::stoul(zone));
    }
    return ::if_nametoindex(zone.c_str());
}

std::optional<Address> Address::parse(std::string_view host, int port) {
    if (port < 0 || port > 65535 || host.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }
    const auto network_port = htons(static_cast<std::uint16_t>(port));
    sockaddr_in v4{};
    if (::inet_pton(AF_INET, std::string(host).c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = network_port;
        return Address(make_raw(v4));
    }
    sockaddr_in6 v6{};
    const std::size_t percent = host.find('%');
    if (percent != std::string_view::npos) {
        v6.sin6_scope_id = scope_from(std::string(host.substr(percent + 1)));
        if (v6.sin6_scope_id == 0) {
            return std::nullopt;
        }
    }
    if (::inet_pton(AF_INET6, std::string(host.substr(0, percent)).c_str(), &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = network_port;
        return Address(make_raw(v6));
    }
    return std::nullopt;
}

std::optional<Address> Address::parse(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string port(text.substr(colon + 1));
    if (port.empty() || port.size() > 5 ||
        port.find_first_not_of("0123456789") != std::string::npos) {
        return std::nullopt;
    }
    std::string_view host = text.substr(0, colon);
    const bool brackets = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (brackets) {
        host = host.substr(1, host.size() - 2);
    }
    // An IPv6 address without them would be ambiguous.
    if (brackets != (host.find(':') != std::string_view::npos)) {
        return std::nullopt;
    }
    return parse(host, std::stoi(port));
}

Address::Address(std::string_view host, int port) {
    if (port < 0 || port > 65535) {
        detail::raise_value_error("port must be 0-65535.");
    }
    const std::optional<Address> parsed = parse(host, port);
    if (!parsed.has_value()) {
        const std::string text = "not a numeric address: " + std::string(host);
        detail::raise_value_error(text.c_str());
    }
    raw_ = parsed->raw_;
}

Address Address::from_path(std::string_view path) {
    const bool abstract = !path.empty() && path.front() == '\0';
    sockaddr_un raw{};
    raw.sun_family = AF_UNIX;
    if (!abstract && path.find('\0') != std::string_view::npos) {
        detail::raise_value_error("embedded null byte");
    }
    if (path.size() > sizeof raw.sun_path - (abstract ? 0 : 1)) {
        throw OSError("AF_UNIX path too long");
    }
    std::copy(path.begin(), path.end(), raw.sun_path);
    SocketAddress result = make_raw(raw);
    const std::size_t end = path.empty() || abstract ? 0 : 1;  // the zero counts for the kernel
    result.size = static_cast<std::uint32_t>(offsetof(sockaddr_un, sun_path) + path.size() + end);
    return Address(result);
}

AddressFamily Address::family() const noexcept {
    if (raw_.size < sizeof(sa_family_t)) {
        return AddressFamily::unspecified;
    }
    return detail::family_of(get_raw<sockaddr_storage>(raw_).ss_family);
}

int Address::port() const noexcept {
    switch (family()) {
        case AddressFamily::ipv4:
            return ntohs(get_raw<sockaddr_in>(raw_).sin_port);
        case AddressFamily::ipv6:
            return ntohs(get_raw<sockaddr_in6>(raw_).sin6_port);
        default:
            return 0;
    }
}

static std::string unix_path(const SocketAddress& raw) {
    const std::size_t begin = offsetof(sockaddr_un, sun_path);
    if (raw.size <= begin) {
        return {};
    }
    std::string path(reinterpret_cast<const char*>(raw.storage) + begin, raw.size - begin);
    if (path[0] != '\0') {  // otherwise an abstract name, in which zeros count
        path.resize(std::strlen(path.c_str()));
    }
    return path;
}

std::string Address::host() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    switch (family()) {
        case AddressFamily::ipv4: {
            const auto v4 = get_raw<sockaddr_in>(raw_);
            ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
            return text.data();
        }
        case AddressFamily::ipv6: {
            const auto v6 = get_raw<sockaddr_in6>(raw_);
            ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
            std::string host = text.data();
            if (v6.sin6_scope_id != 0) {
                host += "%" + std::to_string(v6.sin6_scope_id);
            }
            return host;
        }
        case AddressFamily::unix_:
            return unix_path(raw_);
        default:
            return {};
    }
}

std::string Address::to_string() const {
    switch (family()) {
        case AddressFamily::ipv4:
            return host() + ":" + std::to_string(port());
        case AddressFamily::ipv6:
            return "[" + host() + "]:" + std::to_string(port());
        default: {
            std::string name = host();
            if (!name.empty() && name.front() == '\0') {
                name.front() = '@';
            }
            return name;
        }
    }
}

bool operator==(const Address& a, const Address& b) noexcept {
    return a.raw_.size == b.raw_.size &&
           std::memcmp(a.raw_.storage, b.raw_.storage, a.raw_.size) == 0;
}

namespace detail {

int system_family(AddressFamily family) noexcept {
    switch (family) {
        case AddressFamily::ipv4:
            return AF_INET;
        case AddressFamily::ipv6:
            return AF_INET6;
        case AddressFamily::unix_:
            return AF_UNIX;
        default:
            return AF_UNSPEC;
    }
}

AddressFamily family_of(int family) noexcept {
    switch (family) {
        case AF_INET:
            return AddressFamily::ipv4;
        case AF_INET6:
            return AddressFamily::ipv6;
        case AF_UNIX:
            return AddressFamily::unix_;
        case AF_UNSPEC:
            return AddressFamily::unspecified;
        default:
            return AddressFamily::other;
    }
}

int system_type(SocketType type) noexcept {
    switch (type) {
        case SocketType::stream:
            return SOCK_STREAM;
        case SocketType::datagram:
            return SOCK_DGRAM;
        default:
            return 0;
    }
}

SocketType type_of(int type) noexcept {
    switch (type) {
        case SOCK_STREAM:
            return SocketType::stream;
        case SOCK_DGRAM:
            return SocketType::datagram;
        default:
            return SocketType::other;
    }
}

// Of a Unix socket: 'path', or b'\x00name'.
static std::string python_name(const std::string& name) {
    if (name.empty() || name.front() != '\0') {
        return "'" + name + "'";
    }
    std::string text = "b'";
    for (const char c : name) {
        if (c >= ' ' && c <= '~' && c != '\'' && c != '\\') {
            text += c;
        } else {
            static constexpr char digits[] = "0123456789abcdef";
            const auto byte = static_cast<unsigned char>(c);
            text += {'\\', 'x', digits[byte / 16], digits[byte % 16]};
        }
    }
    return text + "'";
}

std::string python_address(const Address& address) {
    switch (address.family()) {
        case AddressFamily::ipv4:
            return "('" + address.host() + "', " + std::to_string(address.port()) + ")";
        case AddressFamily::ipv6: {
            const auto v6 = get_raw<sockaddr_in6>(address.raw());
            return "('" + address.host() + "', " + std::to_string(address.port()) + ", " +
                   std::to_string(ntohl(v6.sin6_flowinfo)) + ", " +
                   std::to_string(v6.sin6_scope_id) + ")";
        }
        default:
            return python_name(address.host());
    }
}

}  // namespace detail

}  // namespace asyncio
