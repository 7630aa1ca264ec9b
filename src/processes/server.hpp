// server.hpp - the process that workers are forked from, and these: serve(), run_worker().
//
// SPDX-License-Identifier: MIT
#pragma once

namespace asyncio::detail {

/// Starts workers for the parent until it is gone.
[[noreturn]] void serve() noexcept;

/// Makes the calls that come from `socket` until it ends; both descriptors are its own.
[[noreturn]] void run_worker(int socket, int page) noexcept;

/// The process ends with its parent, whatever that does; and now, if that has happened.
void end_with_parent(long parent) noexcept;

/// To be linked wherever pools are: what catches the server before main(). False if this program
/// cannot be started again as a server.
[[nodiscard]] bool can_be_caught() noexcept;

}  // namespace asyncio::detail
