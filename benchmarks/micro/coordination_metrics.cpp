// coordination_metrics.cpp - what waiting for each other costs: locks, queues, groups, timeouts.
//
//     coordination                 everything
//     coordination GROUP...        only these: locks queues groups timeouts sleepers
//
// The same work and the same names of metrics as in peers/, so that micro_bench.py can pair them.
//
// SPDX-License-Identifier: MIT
#include <asyncio/runners.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/timeouts.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "../support/coordination.hpp"
#include "../support/groups.hpp"
#include "../support/measure.hpp"
#include "workloads.hpp"

namespace {

using namespace asyncio;
using namespace bench;
using namespace std::chrono_literals;

// ---- locks

Coroutine<> lock_often(Lock& lock, int times) {
    for (int i = 0; i < times; ++i) {
        co_await lock.acquire();
        co_await sleep(0);  // so that all others queue for it
        lock.release();
    }
}

Coroutine<> measure_locks() {
    Lock lock;
    std::uint64_t start = cpu_ns();
    for (int i = 0; i < coordination::lock_times; ++i) {
        co_await lock.acquire();
        lock.release();
    }
    report("lock_ns", per(cpu_ns() - start, coordination::lock_times));

    std::vector<Task<>> tasks;
    for (int i = 0; i < coordination::handover_tasks; ++i) {
        tasks.push_back(create_task(lock_often(lock, coordination::handover_times)));
    }
    start = cpu_ns();
    for (Task<>& task : tasks) {
        co_await task;
    }
    report("lock_handover_ns",
           per(cpu_ns() - start, coordination::handover_tasks * coordination::handover_times));
}

// ---- queues

Coroutine<> measure_queue(const char* metric, int capacity) {
    constexpr std::int64_t items = coordination::queue_items;
    Queue<int> queue(capacity);
    std::int64_t sum = 0;
    Task<> producer = create_task(produce(queue, items));
    Task<> consumer = create_task(consume(queue, items, sum));
    const std::uint64_t start = cpu_ns();
    co_await producer;
    co_await consumer;
    report(metric, per(cpu_ns() - start, items));
    require(sum == items * (items - 1) / 2, metric);
}

Coroutine<> measure_queues() {
    co_await measure_queue("queue_cap1_ns", 1);
    co_await measure_queue("queue_cap1024_ns", 1024);
}

// ---- groups: per child

Coroutine<> measure_groups() {
    constexpr double children = double(coordination::group_times) * coordination::group_size;

    std::int64_t sum = 0;
    std::uint64_t start = cpu_ns();
    for (int i = 0; i < coordination::group_times; ++i) {
        std::vector<Coroutine<int>> work;
        work.reserve(coordination::group_size);
        for (int j = 0; j < coordination::group_size; ++j) {
            work.push_back(add_one(j));
        }
        const std::vector<int> results = co_await gather(std::move(work));
        sum += results.back();
    }
    report("gather_1000_ns", per(cpu_ns() - start, children));
    require(sum == std::int64_t{coordination::group_times} * coordination::group_size, "gather");

    start = cpu_ns();
    for (int i = 0; i < coordination::group_times; ++i) {
        co_await task_group([](TaskGroup& group) -> Coroutine<> {
            for (int j = 0; j < coordination::group_size; ++j) {
                group.create_task(do_nothing());
            }
            co_return;
        });
    }
    report("taskgroup_1000_ns", per(cpu_ns() - start, children));
}

// ---- timeouts: what one costs around an await that completes, and what it is made of

Coroutine<> measure_timeouts() {
    constexpr int times = coordination::timeout_times;
    EventLoop& loop = get_running_loop();

    std::uint64_t start = cpu_ns();
    int result = 0;
    for (int i = 0; i < times; ++i) {
        result = co_await timeout(10s, [&] { return add_one(result); });
    }
    report("timeout_ns", per(cpu_ns() - start, times));
    require(result == times, "timeout");

    start = cpu_ns();
    for (int i = 0; i < times; ++i) {
        result = co_await add_one(result);
    }
    report("await_ns", per(cpu_ns() - start, times));

    start = cpu_ns();
    TimePoint last{};
    for (int i = 0; i < times; ++i) {
        last = std::max(last, loop.time());
    }
    report("clock_ns", per(cpu_ns() - start, times));
    require(last > TimePoint{}, "clock");
}

// ---- a hundred thousand tasks that sleep are cancelled and joined

Coroutine<> sleep_long() {
    co_await sleep(1h);
}

Coroutine<> measure_sleepers() {
    std::vector<Task<>> tasks;
    tasks.reserve(coordination::sleepers);
    for (int i = 0; i < coordination::sleepers; ++i) {
        tasks.push_back(create_task(sleep_long()));
    }
    co_await sleep(0);
    const std::uint64_t start = cpu_ns();
    for (Task<>& task : tasks) {
        task.cancel();
    }
    co_await settle(tasks.back());
    report("cancel_sleeping_ns", per(cpu_ns() - start, coordination::sleepers));
    require(std::ranges::all_of(tasks, &Task<>::cancelled), "cancel_sleeping_ns");
}

constexpr Group groups[] = {
    {"locks", run_group<measure_locks>},       {"queues", run_group<measure_queues>},
    {"groups", run_group<measure_groups>},     {"timeouts", run_group<measure_timeouts>},
    {"sleepers", run_group<measure_sleepers>},
};

}  // namespace

int main(int argc, char** argv) {
    return run_groups(groups, argc, argv);
}
