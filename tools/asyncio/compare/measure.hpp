// measure.hpp - clocks, repetitions and processors for measurements.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "isolated.hpp"
#include "scale.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <stdexcept>

#include <sched.h>

namespace compare {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Calls `measure` as often as the scale says, at least once; what it returned.
template <class Measure>
Values repeat(const Scale& scale, Measure measure) {
    const Clock::time_point start = Clock::now();
    Values values;
    do {
        values.push_back(measure());
    } while (static_cast<int>(values.size()) < scale.repetitions &&
             Clock::now() - start < scale.repetition_time);
    return values;
}

/// Calls `work` repeatedly; the nanoseconds that each of its `count` operations took.
template <class Work>
Values repeat_ns(const Scale& scale, std::size_t count, Work work) {
    return repeat(scale, [&] {
        const Clock::time_point start = Clock::now();
        work();
        return seconds_since(start) * 1e9 / static_cast<double>(count);
    });
}

/// Of one or more values.
inline double median(Values values) {
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// Of one or more values.
inline double smallest(const Values& values) {
    return *std::min_element(values.begin(), values.end());
}

/// Keeps this process, and the threads and processes that it will start, on one processor. Where
/// that is not allowed the figures contain the way between processors, and so failure is ignored.
inline void stay_on_one_processor() noexcept {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<unsigned>(std::max(::sched_getcpu(), 0)), &one);
    ::sched_setaffinity(0, sizeof one, &one);
}

/// How many processors this process may use.
inline std::size_t processors() noexcept {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    const bool known = ::sched_getaffinity(0, sizeof allowed, &allowed) == 0;
    return known ? static_cast<std::size_t>(CPU_COUNT(&allowed)) : 1;
}

/// A program that does something else than it should has measured something else.
inline void require(bool condition, const char* what) {
    if (!condition) {
        throw std::runtime_error(what);
    }
}

}  // namespace compare
