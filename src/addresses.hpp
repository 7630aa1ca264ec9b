// addresses.hpp - addresses and kinds of sockets as the system and as Python have them.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/sockets.hpp>

#include <string>

namespace asyncio::detail {

// AF_* and SOCK_*.
[[nodiscard]] int system_family(AddressFamily family) noexcept;
[[nodiscard]] AddressFamily family_of(int family) noexcept;
[[nodiscard]] int system_type(SocketType type) noexcept;
[[nodiscard]] SocketType type_of(int type) noexcept;

/// The address as Python's repr() of it: ('127.0.0.1', 80).
[[nodiscard]] std::string python_address(const Address& address);

}  // namespace asyncio::detail
