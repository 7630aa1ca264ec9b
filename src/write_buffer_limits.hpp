// write_buffer_limits.hpp - the low and the high-water mark that are meant: resolve_limits().
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/transports.hpp>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

namespace asyncio::detail {

/// The low and the high one. std::invalid_argument if low > high.
[[nodiscard]] inline std::pair<std::size_t, std::size_t> resolve_limits(
    const WriteBufferLimits& limits) {
    std::size_t high = std::size_t{64} * 1024;
    if (limits.high.has_value()) {
        high = *limits.high;
    } else if (limits.low.has_value()) {
        high = 4 * *limits.low;
    }
    const std::size_t low = limits.low.value_or(high / 4);
    if (high < low) {
        throw std::invalid_argument("high (" + std::to_string(high) + ") must be >= low (" +
                                    std::to_string(low) + ") must be >= 0");
    }
    return {low, high};
}

}  // namespace asyncio::detail
