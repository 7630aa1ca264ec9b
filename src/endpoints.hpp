// endpoints.hpp - sockets to connect from and to listen on, and the addresses for both.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/sockets.hpp>

#include <exception>
#include <string>
#include <vector>

namespace asyncio::detail {

/// What to ask getaddrinfo() for.
[[nodiscard]] AddressInfoOptions stream_addresses(AddressFamily family, int flags) noexcept;

/// Those that stand for all addresses of this machine.
[[nodiscard]] std::vector<Address> all_interfaces(int port, AddressFamily family);

/// The addresses to listen on for `hosts`, each once. No host: all interfaces.
[[nodiscard]] Coroutine<std::vector<Address>> server_addresses(std::vector<std::string> hosts,
                                                               int port, AddressFamily family);

/// ValueError unless it is a stream socket.
void check_stream(const Socket& socket);

/// Binds to the first of the addresses of `family` that can be had; `errors` gets why the others
/// could not. Throws the last of these, or that there is none of that family.
void bind_local(const Socket& socket, AddressFamily family,
                const std::vector<AddressInfo>& addresses, std::vector<std::exception_ptr>& errors);

struct ListeningOptions {
    bool reuse_address;
    bool reuse_port;
    bool keep_alive;
};

/// One socket for each of the addresses that this machine has, bound. With port 0: on the same
/// port, one that is free on all of them.
[[nodiscard]] std::vector<Socket> bind_server(const std::vector<Address>& addresses, int port,
                                              const ListeningOptions& options);

}  // namespace asyncio::detail
