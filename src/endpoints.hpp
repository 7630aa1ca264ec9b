// endpoints.hpp - sockets to connect from and to listen on, and the addresses for both.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/result.hpp>
#include <asyncio/sockets.hpp>

#include <vector>

namespace asyncio::detail {

/// What to ask getaddrinfo() for.
[[nodiscard]] AddressInfoOptions stream_addresses(AddressFamily family, int flags) noexcept;

/// Those that stand for all addresses of this machine.
[[nodiscard]] std::vector<Address> all_interfaces(int port, AddressFamily family);

/// A socket to connect to `info`, or why there is none. With `has_local` it is bound to the first
/// of the addresses in `local` that can be had.
[[nodiscard]] Result<Socket> make_client_socket(const AddressInfo& info, bool has_local,
                                                const std::vector<AddressInfo>& local);

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
