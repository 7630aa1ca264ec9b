// context_switch.cpp - from one unit to another and no more.
//
// SPDX-License-Identifier: MIT
#include <asyncio/runners.hpp>
#include <asyncio/tasks.hpp>

#include "measure.hpp"
#include "measurement.hpp"
#include "shared.hpp"
#include "turns.hpp"
#include "units.hpp"

#include <cstddef>
#include <cstdint>

namespace compare {
namespace {

asyncio::Coroutine<> take_turns(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        co_await asyncio::sleep(0);
    }
}

asyncio::Coroutine<> two_tasks(std::size_t count) {
    co_await asyncio::gather(take_turns(count), take_turns(count));
}

Values of_tasks(const Scale& scale) {
    stay_on_one_processor();
    const std::size_t count = scale.switches.asyncio;
    return repeat_ns(scale, count, [&] { asyncio::run(two_tasks(count / 2)); });
}

/// What both units do; `me` is 0 or 1.
void take_turns(Turns& turns, std::size_t me, std::size_t count) {
    const auto own = static_cast<std::uint32_t>(me);
    for (std::size_t i = 0; i < count; ++i) {
        turns.await_turn(own);
        turns.give_turn(1 - own);
    }
}

Values of_threads(const Scale& scale) {
    stay_on_one_processor();
    const std::size_t count = scale.switches.threads;
    return repeat_ns(scale, count, [&] {
        Turns turns;
        in_threads(2, [&](std::size_t me) { take_turns(turns, me, count / 2); });
    });
}

Values of_processes(const Scale& scale) {
    stay_on_one_processor();
    const std::size_t count = scale.switches.processes;
    return repeat_ns(scale, count, [&] {
        const Shared<Turns> turns;
        in_processes(2, [&](std::size_t me) { take_turns(*turns, me, count / 2); });
    });
}

}  // namespace

const Measurement context_switch = {
    .key = "context_switch",
    .title = "context switch",
    .unit = "ns",
    .method =
        "Two units on one processor take turns. Tasks: sleep(0). Threads and processes: each "
        "wakes the other through a futex in common memory and waits in the kernel for its next "
        "turn. The time of all turns, divided by their number.",
    .measure = {of_tasks, of_threads, of_processes},
    .cell = cell_of_repetitions,
};

}  // namespace compare
