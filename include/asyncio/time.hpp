// time.hpp - the loop's clock: Clock, TimePoint, and Duration, which every delay is.
//
// Python counts seconds in floats; here time is int64 nanoseconds, and seconds convert.
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

namespace asyncio {

/// The loop's clock. It is the kernel's monotonic one unless a test puts another in its place;
/// EventLoop::time() reads it. Its epoch means nothing.
struct Clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<Clock>;
    static constexpr bool is_steady = true;
};

using TimePoint = Clock::time_point;

namespace detail {

/// Nanoseconds of a number of seconds, saturating; throws std::invalid_argument for NaN.
std::int64_t nanoseconds_from_seconds(long double seconds);

}  // namespace detail

/// A length of time, wherever Python takes seconds: any number is seconds, and any
/// std::chrono::duration converts.
///
///     co_await sleep(1);  co_await sleep(0.5);  co_await sleep(20ms);
///
/// Range: 1 ns to 292 years; what is out of range, infinity too, saturates. NaN is a
/// std::invalid_argument (Python's ValueError).
class Duration {
public:
    constexpr Duration() = default;

    template <class Rep, class Period>
    constexpr Duration(std::chrono::duration<Rep, Period> duration)
        : Duration(from_chrono(duration)) {}

    template <class Number>
        requires std::is_arithmetic_v<Number>
    constexpr Duration(Number seconds) : nanoseconds_(from_number(seconds)) {}

    [[nodiscard]] constexpr std::int64_t nanoseconds() const noexcept { return nanoseconds_; }
    [[nodiscard]] constexpr double seconds() const noexcept {
        return static_cast<double>(nanoseconds_) / 1e9;
    }
    constexpr operator std::chrono::nanoseconds() const noexcept {
        return std::chrono::nanoseconds(nanoseconds_);
    }

    friend constexpr auto operator<=>(Duration, Duration) noexcept = default;

private:
    template <class Rep, class Period>
    static constexpr Duration from_chrono(std::chrono::duration<Rep, Period> duration) {
        using Limits = std::numeric_limits<std::int64_t>;
        if constexpr (std::is_same_v<Period, std::nano> && std::is_integral_v<Rep>) {
            Duration result;
            result.nanoseconds_ = duration.count();
            return result;
        } else if constexpr (std::is_integral_v<Rep> &&
                             std::ratio_less_equal_v<std::nano, Period>) {
            constexpr std::int64_t factor = std::ratio_divide<Period, std::nano>::num;
            Duration result;
            const auto count = static_cast<std::int64_t>(duration.count());
            result.nanoseconds_ = count > Limits::max() / factor   ? Limits::max()
                                  : count < Limits::min() / factor ? Limits::min()
                                                                   : count * factor;
            return result;
        } else {
            return Duration(std::chrono::duration<long double>(duration).count());
        }
    }
    template <class Number>
    static constexpr std::int64_t from_number(Number seconds) {
        if constexpr (std::is_integral_v<Number>) {
            constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / 1'000'000'000;
            if (std::cmp_greater(seconds, most)) {
                return std::numeric_limits<std::int64_t>::max();
            }
            if (std::cmp_less(seconds, -most)) {
                return std::numeric_limits<std::int64_t>::min();
            }
            return static_cast<std::int64_t>(seconds) * 1'000'000'000;
        } else {
            return detail::nanoseconds_from_seconds(seconds);
        }
    }

    std::int64_t nanoseconds_ = 0;
};

namespace detail {

/// `start` plus `delay`, saturating.
[[nodiscard]] constexpr TimePoint after(TimePoint start, Duration delay) noexcept {
    const std::int64_t from = start.time_since_epoch().count();
    std::int64_t sum = 0;
    if (__builtin_add_overflow(from, delay.nanoseconds(), &sum)) {
        return delay.nanoseconds() > 0 ? TimePoint::max() : TimePoint::min();
    }
    return TimePoint(std::chrono::nanoseconds(sum));
}

}  // namespace detail

}  // namespace asyncio
