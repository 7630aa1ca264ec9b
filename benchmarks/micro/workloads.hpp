// workloads.hpp - the coroutines that `metrics`, `coordination` and `micro` measure.
//
// Each is what the coroutine of the same name in limits/floor.cpp does, written with the library.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/events.hpp>
#include <asyncio/futures.hpp>
#include <asyncio/locks.hpp>
#include <asyncio/queues.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/tasks.hpp>

#include <cstdint>
#include <vector>

namespace bench {

using asyncio::Coroutine;
using asyncio::Task;

inline Coroutine<> do_nothing() {
    co_return;
}

inline Coroutine<> yield_often(int turns) {
    for (int i = 0; i < turns; ++i) {
        co_await asyncio::sleep(0);
    }
}

inline Coroutine<> spawn_and_join(std::vector<Task<>>& tasks, int count) {
    tasks.clear();
    for (int i = 0; i < count; ++i) {
        tasks.push_back(asyncio::create_task(do_nothing()));
    }
    for (Task<>& task : tasks) {
        co_await task;
    }
}

inline Coroutine<int> add_one(int x) {
    co_return x + 1;
}

inline Coroutine<int> descend(int levels) {
    if (levels == 0) {
        co_await asyncio::sleep(0);
        co_return 0;
    }
    const int below = co_await descend(levels - 1);
    co_return below + 1;
}

/// Two tasks that wake each other, each time by a future of its own.
struct Table {
    asyncio::Future<> here = asyncio::get_running_loop().create_future();
    asyncio::Future<> there = asyncio::get_running_loop().create_future();
};

inline Coroutine<> ping(Table& table, int count) {
    for (int i = 0; i < count; ++i) {
        table.there.set_result();
        co_await table.here;
        table.here = asyncio::get_running_loop().create_future();
    }
}

inline Coroutine<> pong(Table& table, int count) {
    for (int i = 0; i < count; ++i) {
        co_await table.there;
        table.there = asyncio::get_running_loop().create_future();
        table.here.set_result();
    }
}

inline Coroutine<> produce(asyncio::Queue<int>& queue, int count) {
    for (int i = 0; i < count; ++i) {
        co_await queue.put(i);
    }
}

inline Coroutine<> consume(asyncio::Queue<int>& queue, int count, std::int64_t& sum) {
    for (int i = 0; i < count; ++i) {
        sum += co_await queue.get();
    }
}

inline Coroutine<> wait_for_event(asyncio::Event& event, int& woken) {
    co_await event.wait();
    ++woken;
}

inline Coroutine<int> wait_below(asyncio::Event& event, int levels) {
    if (levels == 0) {
        co_await event.wait();
        co_return 0;
    }
    co_return co_await wait_below(event, levels - 1);
}

inline Coroutine<> wait_in_child(asyncio::Event& event, int depth) {
    co_await wait_below(event, depth - 1);
}

/// A task that waits for `event` below `depth` coroutines.
inline Task<> create_waiting_task(asyncio::Event& event, int depth, int& woken) {
    return depth == 0 ? asyncio::create_task(wait_for_event(event, woken))
                      : asyncio::create_task(wait_in_child(event, depth));
}

/// Lets the loop turn until `task` is done, without waiting for it: its error is not thrown here.
inline Coroutine<> settle(Task<> task) {
    while (!task.done()) {
        co_await asyncio::sleep(0);
    }
}

inline double per(std::uint64_t nanoseconds, double operations) {
    return static_cast<double>(nanoseconds) / operations;
}

/// A Group's function of a coroutine.
template <Coroutine<> (*measure)()>
void run_group() {
    asyncio::run(measure());
}

}  // namespace bench
