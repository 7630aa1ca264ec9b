// posix.hpp - Operations as system calls that do not wait: what readiness-based proactors perform.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/operation.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>

namespace asyncio::lowlevel::posix {

/// perform() could not do anything without waiting. Not -EAGAIN, which can be a final answer: that
/// of connect() to a Unix socket whose backlog is full.
inline constexpr std::int64_t would_block = std::numeric_limits<std::int64_t>::min();

/// Of one send_vector; what is beyond (IOV_MAX) the kernel would refuse.
inline constexpr std::size_t most_buffers = 1024;

/// Tries an operation that can be started; returns its result, or would_block: then it is to be
/// called again when the descriptor is ready. In between, Operation::result belongs to it.
[[nodiscard]] std::int64_t perform(Operation& operation) noexcept;

/// Carries out an immediate operation; returns its result. `forget` is the proactor's own.
[[nodiscard]] std::int64_t call(Operation& operation) noexcept;

}  // namespace asyncio::lowlevel::posix
