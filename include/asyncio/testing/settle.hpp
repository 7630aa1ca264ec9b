// settle.hpp - settle(): until nothing more can happen without time passing.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/tasks.hpp>

namespace asyncio::testing {

/// Waits until every other task and callback has run as far as it can: nothing is ready, and only
/// time, or the outside, could change that. On the virtual clock, which then moves on by 1 ns.
///
///     auto waiter = create_task(event.wait());
///     co_await settle();  // it is parked now
[[nodiscard]] inline auto settle() {
    return sleep(std::chrono::nanoseconds(1));
}

}  // namespace asyncio::testing
