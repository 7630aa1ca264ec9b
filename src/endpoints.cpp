// endpoints.cpp - sockets to connect from and to listen on, and the addresses for both.
//
// SPDX-License-Identifier: MIT
#include "endpoints.hpp"

#include <asyncio/log.hpp>

#include "addresses.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <string>
#include <utility>

#include <netinet/in.h>
#include <sys/socket.h>

namespace asyncio::detail {

std::vector<Address> all_interfaces(int port, AddressFamily family) {
    std::vector<Address> addresses;
    for (const char* any : {"0.0.0.0", "::"}) {
        const Address address(any, port);
        if (family == AddressFamily::unspecified || family == address.family()) {
            addresses.push_back(address);
        }
    }
    return addresses;
}

AddressInfoOptions stream_addresses(AddressFamily family, int flags) noexcept {
    AddressInfoOptions options;
    options.family = family;
    options.type = SocketType::stream;
    options.flags = flags;
    return options;
}

Coroutine<std::vector<Address>> server_addresses(std::vector<std::string> hosts, int port,
                                                 AddressFamily family) {
    std::vector<Address> addresses;
    if (hosts.empty()) {
        addresses = all_interfaces(port, family);
    }
    for (const std::string& host : hosts) {
        const AddressInfoOptions wanted = stream_addresses(family, 0);
        const std::vector<AddressInfo> infos = co_await getaddrinfo(host, port, wanted);
        for (const AddressInfo& info : infos) {
            if (std::find(addresses.begin(), addresses.end(), info.address) == addresses.end()) {
                addresses.push_back(info.address);
            }
        }
    }
    co_return addresses;
}

void check_stream(const Socket& socket) {
    if (socket.type() != SocketType::stream) {
        throw std::invalid_argument("A Stream Socket was expected, got <socket fd=" +
                                    std::to_string(socket.fileno()) + ">");
    }
}

namespace {

[[noreturn]] void raise_bind_error(const OSError& error, const Address& address) {
    raise_os_error(error.error_number(),
                   "error while attempting to bind on address " + python_address(address));
}

}  // namespace

void bind_local(const Socket& socket, AddressFamily family,
                const std::vector<AddressInfo>& addresses,
                std::vector<std::exception_ptr>& errors) {
    for (const AddressInfo& local : addresses) {
        if (local.family != family) {
            continue;
        }
        try {
            try {
                socket.bind(local.address);
                return;
            } catch (const OSError& error) {
                raise_bind_error(error, local.address);
            }
        } catch (const OSError&) {
            errors.push_back(std::current_exception());
        }
    }
    if (!errors.empty()) {
        const std::exception_ptr last = errors.back();
        errors.pop_back();
        std::rethrow_exception(last);
    }
    throw OSError(std::string("no matching local address with family=<AddressFamily.") +
                  (family == AddressFamily::ipv6 ? "AF_INET6: 10" : "AF_INET: 2") + "> found");
}

namespace {

Socket make_listening_socket(const Address& address, const ListeningOptions& options) {
    Socket socket(address.family());
    if (options.reuse_address) {
        socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    }
    if (options.reuse_port) {
        socket.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (options.keep_alive) {
        socket.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1);
    }
    if (address.family() == AddressFamily::ipv6) {
        // Each family has a socket of its own.
        socket.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    return socket;
}

bool is_want_of_resources(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/// One socket for each address that this machine has; on the same port, if any would do.
std::vector<Socket> bind_all(const std::vector<Address>& addresses, int port,
                             const ListeningOptions& options) {
    std::vector<Socket> sockets;
    int chosen = port;
    for (const Address& address : addresses) {
        Socket socket;
        try {
            socket = make_listening_socket(address, options);
        } catch (const OSError& error) {
            if (is_want_of_resources(error.error_number())) {
                throw;  // rather than to listen on some of the addresses only
            }
            if (get_running_loop().get_debug()) {
                log(Level::warning, "start_server() failed to create a socket for " +
                                        address.to_string() + ": " + error.what());
            }
            continue;  // a family that this system does not have
        }
        const Address wanted = Address::parse(address.host(), chosen).value_or(address);
        try {
            socket.bind(wanted);
        } catch (const OSError& error) {
            if (error.error_number() == EADDRNOTAVAIL) {
                continue;  // a family that is switched off
            }
            raise_bind_error(error, wanted);
        }
        if (chosen == 0) {
            chosen = socket.getsockname().port();
        }
        sockets.push_back(std::move(socket));
    }
    if (sockets.empty()) {
        std::string list;
        for (const Address& address : addresses) {
            list += (list.empty() ? "" : ", ") + python_address(address);
        }
        throw OSError("could not bind on any address out of [" + list + "]");
    }
    return sockets;
}

}  // namespace

// A port that is free on one address may be taken on another: then another one is tried.
std::vector<Socket> bind_server(const std::vector<Address>& addresses, int port,
                                const ListeningOptions& options) {
    constexpr int most_ports = 20;

    for (int i = 1; port == 0 && addresses.size() > 1 && i < most_ports; ++i) {
        try {
            return bind_all(addresses, port, options);
        } catch (const OSError& error) {
            if (error.error_number() != EADDRINUSE) {
                throw;
            }
        }
    }
    return bind_all(addresses, port, options);
}

}  // namespace asyncio::detail
