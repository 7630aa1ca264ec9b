// time.cpp - seconds to nanoseconds.
//
// SPDX-License-Identifier: MIT
#include <asyncio/time.hpp>

#include <asyncio/exceptions.hpp>

#include <cmath>

namespace asyncio::detail {

std::int64_t nanoseconds_from_seconds(long double seconds) {
    if (std::isnan(seconds)) {
        raise_value_error("Invalid delay: NaN (not a number)");
    }
    // Rounded, so that 0.1 means 100,000,000 ns although 0.1 itself is a little more than a tenth.
    const long double nanoseconds = std::round(seconds * 1e9L);
    using Limits = std::numeric_limits<std::int64_t>;
    if (nanoseconds >= static_cast<long double>(Limits::max())) {
        return Limits::max();
    }
    if (nanoseconds <= static_cast<long double>(Limits::min())) {
        return Limits::min();
    }
    return static_cast<std::int64_t>(nanoseconds);
}

}  // namespace asyncio::detail
