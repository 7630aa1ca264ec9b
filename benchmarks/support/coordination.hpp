// coordination.hpp - the sizes of the workloads of `coordination` and its peers.
//
// peers/coordination.py has the same numbers.
//
// SPDX-License-Identifier: MIT
#pragma once

namespace bench::coordination {

inline constexpr int lock_times = 1'000'000;
inline constexpr int handover_tasks = 10;
inline constexpr int handover_times = 20'000;  // of each task
inline constexpr int queue_items = 500'000;
inline constexpr int group_size = 1'000;
inline constexpr int group_times = 200;
inline constexpr int timeout_times = 200'000;
inline constexpr int sleepers = 100'000;

}  // namespace bench::coordination
