// workload.hpp - the sizes of the workloads that `floor` and `metrics` have in common.
//
// A ratio between two programs means something only if both do the same: the numbers are here once.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "measure.hpp"

namespace bench::workload {

/// How often each of `tasks` tasks yields; in total about two million switches.
struct Switch {
    const char* metric;
    int tasks;
    int turns;
};
inline constexpr Switch switches[] = {
    {"switch_1_ns", 1, 2'000'000},
    {"switch_1000_ns", 1'000, 2'000},
    {"switch_100k_ns", 100'000, 20},
};

inline constexpr int spawn_batches = 1'000;
inline constexpr int spawn_batch_size = 1'000;
inline constexpr int spawn_one_by_one = 1'000'000;
inline constexpr int awaits = 1'000'000;
inline constexpr int deep_chains = 10'000;
inline constexpr int deep_levels = 50;
inline constexpr int round_trips = 1'000'000;
inline constexpr int queue_items = 1'000'000;
inline constexpr int cancelled_tasks = 100'000;
inline constexpr int timers = 1'000'000;
inline constexpr int wake_ups = 2'000;
inline constexpr int posts = 2'000'000;
inline constexpr int million = 1'000'000;
inline constexpr int context_variables = 8;  // that are set
inline constexpr int context_gets = 10'000'000;
inline constexpr int context_sets = 1'000'000;
inline constexpr int context_copies = 1'000'000;

/// Due times of `timers` timers in microseconds from now, random over a minute.
inline std::vector<std::uint64_t> timer_delays_us(Random& random) {
    std::vector<std::uint64_t> delays(timers);
    for (std::uint64_t& delay : delays) {
        delay = 1 + random() % 60'000'000;
    }
    return delays;
}

/// The order in which timers are cancelled: random, because the order of creation would be the best
/// case of every cache.
inline std::vector<std::uint32_t> cancel_order(Random& random) {
    std::vector<std::uint32_t> order(timers);
    for (std::size_t i = 0; i < order.size(); ++i) {
        order[i] = static_cast<std::uint32_t>(i);
    }
    for (std::size_t i = order.size() - 1; i > 0; --i) {
        std::swap(order[i], order[random() % (i + 1)]);
    }
    return order;
}

}  // namespace bench::workload
