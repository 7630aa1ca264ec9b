// floor_metrics.cpp - what the library needs for the work that limits/floor.cpp measures.
//
//     metrics                 everything
//     metrics GROUP...        only these: tasks contexts cancel timers threads million sleepers
//
// The same workloads, sizes and names of metrics as in `floor`, so that micro_bench.py can pair
// them. Where `floor` times a run of its loop, this times the same section inside a main coroutine.
//
// SPDX-License-Identifier: MIT
#include <asyncio/runners.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "../support/groups.hpp"
#include "../support/measure.hpp"
#include "../support/workload.hpp"
#include "workloads.hpp"

namespace {

using namespace asyncio;
using namespace bench;

// ---- tasks

Coroutine<> measure_switch(const workload::Switch& load) {
    std::vector<Task<>> tasks;
    tasks.reserve(static_cast<std::size_t>(load.tasks));
    co_await yield_often(100'000);
    for (int i = 0; i < load.tasks; ++i) {
        tasks.push_back(create_task(yield_often(load.turns)));
    }
    const std::uint64_t start = cpu_ns();
    for (Task<>& task : tasks) {
        co_await task;
    }
    report(load.metric, per(cpu_ns() - start, double(load.tasks) * load.turns));
}

Coroutine<> measure_spawn() {
    std::vector<Task<>> tasks;
    tasks.reserve(workload::spawn_batch_size);
    for (int i = 0; i < 10; ++i) {
        co_await spawn_and_join(tasks, workload::spawn_batch_size);
    }
    std::uint64_t start = cpu_ns();
    for (int i = 0; i < workload::spawn_batches; ++i) {
        co_await spawn_and_join(tasks, workload::spawn_batch_size);
    }
    report("spawn_batch_ns",
           per(cpu_ns() - start, double(workload::spawn_batches) * workload::spawn_batch_size));

    start = cpu_ns();
    for (int i = 0; i < workload::spawn_one_by_one; ++i) {
        Task<> task = create_task(do_nothing());
        co_await task;
    }
    report("spawn_seq_ns", per(cpu_ns() - start, workload::spawn_one_by_one));
}

Coroutine<> measure_awaits() {
    std::uint64_t start = cpu_ns();
    int result = 0;
    for (int i = 0; i < workload::awaits; ++i) {
        result = co_await add_one(result);
    }
    report("await_coro_ns", per(cpu_ns() - start, workload::awaits));
    require(result == workload::awaits, "await_coro_ns");

    start = cpu_ns();
    result = 0;
    for (int i = 0; i < workload::deep_chains; ++i) {
        const int levels = co_await descend(workload::deep_levels);
        result += levels;
    }
    report("deep50_yield_ns", per(cpu_ns() - start, workload::deep_chains));
    require(result == workload::deep_chains * workload::deep_levels, "deep50_yield_ns");
}

Coroutine<> measure_ping_pong() {
    Table table;
    Task<> first = create_task(ping(table, workload::round_trips));
    Task<> second = create_task(pong(table, workload::round_trips));
    const std::uint64_t start = cpu_ns();
    co_await first;
    co_await second;
    report("pingpong_roundtrip_ns", per(cpu_ns() - start, workload::round_trips));
}

Coroutine<> measure_queue(const char* metric, int capacity) {
    constexpr std::int64_t items = workload::queue_items;
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

Coroutine<> measure_tasks() {
    for (const workload::Switch& load : workload::switches) {
        co_await measure_switch(load);
    }
    co_await measure_spawn();
    co_await measure_awaits();
    co_await measure_ping_pong();
    co_await measure_queue("queue_cap1_ns", 1);
    co_await measure_queue("queue_cap1024_ns", 1024);
}

// ---- contexts

using Variables = std::vector<std::unique_ptr<ContextVar<int>>>;

Coroutine<> measure_contexts() {
    Variables variables;
    for (int i = 0; i < workload::context_variables; ++i) {
        variables.push_back(std::make_unique<ContextVar<int>>("variable"));
        variables.back()->set(0);
    }
    std::int64_t sum = 0;
    report_cpu("context_get_ns", workload::context_gets, [&] {
        for (std::size_t i = 0; i < workload::context_gets; ++i) {
            sum += variables[i % workload::context_variables]->get();
        }
    });
    require(sum == 0, "context_get_ns");
    report_cpu("context_set_ns", workload::context_sets, [&] {
        for (std::size_t i = 0; i < workload::context_sets; ++i) {
            variables[i % workload::context_variables]->set(static_cast<int>(i));
        }
    });
    report_cpu("context_copy_ns", workload::context_copies, [] {
        for (int i = 0; i < workload::context_copies; ++i) {
            const Context copy = copy_context();
        }
    });
    co_return;
}

// ---- cancellation

Coroutine<> measure_cancel(const char* metric, int depth) {
    Event event;
    int woken = 0;
    std::vector<Task<>> tasks;
    tasks.reserve(workload::cancelled_tasks);
    for (int i = 0; i < workload::cancelled_tasks; ++i) {
        tasks.push_back(create_waiting_task(event, depth, woken));
    }
    co_await sleep(0);

    const std::uint64_t start = cpu_ns();
    for (Task<>& task : tasks) {
        task.cancel();
    }
    co_await settle(tasks.back());
    report(metric, per(cpu_ns() - start, workload::cancelled_tasks));
    require(woken == 0 && std::ranges::all_of(tasks, &Task<>::cancelled), metric);
}

Coroutine<> measure_cancellation() {
    co_await measure_cancel("cancel_exc_depth0_ns", 0);
    co_await measure_cancel("cancel_exc_depth1_ns", 1);
    co_await measure_cancel("cancel_exc_depth4_ns", 4);
}

// ---- timers

// The delays are those of `floor`, a minute earlier: so all that are left are due when the loop
// gets to run, and firing them is measured without waiting for them.
Coroutine<> measure_timers() {
    constexpr int count = workload::timers;
    Random random;
    const std::vector<std::uint64_t> delays = workload::timer_delays_us(random);
    const std::vector<std::uint32_t> order = workload::cancel_order(random);
    EventLoop& loop = get_running_loop();
    std::vector<TimerHandle> timers(count);
    int fired = 0;

    const std::uint64_t start = cpu_ns();
    for (std::size_t i = 0; i < count; ++i) {
        const std::chrono::microseconds delay(static_cast<std::int64_t>(delays[i]) - 60'000'000);
        timers[i] = loop.call_later(delay, [&fired] { ++fired; });
    }
    const std::uint64_t created = cpu_ns();
    for (std::size_t i = 0; i < count / 2; ++i) {
        TimerHandle& timer = timers[order[i]];
        timer.cancel();
        timer = {};
    }
    const std::uint64_t cancelled = cpu_ns();
    while (fired < count - count / 2) {
        co_await sleep(0);
    }
    const std::uint64_t end = cpu_ns();

    require(fired == count - count / 2, "number of timers fired");
    report("timer_alloc_create_ns", per(created - start, count));
    report("timer_alloc_cancel_ns", per(cancelled - created, count / 2));
    report("timer_alloc_total_ns", per(end - start, count));
}

// ---- threads: the loop on core 0, the sender on core 1

Coroutine<> measure_wake_up_latency() {
    EventLoop& loop = get_running_loop();
    Event all_received;
    std::vector<std::uint64_t> latencies;
    latencies.reserve(workload::wake_ups);
    std::atomic<int> received{0};
    std::thread sender([&] {
        pin_to_core(1);
        for (int i = 1; i <= workload::wake_ups; ++i) {
            ::usleep(50);  // long enough for the loop to fall asleep
            loop.call_soon_threadsafe([&, sent = wall_ns()] {
                latencies.push_back(wall_ns() - sent);
                if (latencies.size() == workload::wake_ups) {
                    all_received.set();
                }
                received.store(static_cast<int>(latencies.size()), std::memory_order_release);
            });
            while (received.load(std::memory_order_acquire) != i) {}
        }
    });
    co_await all_received.wait();
    sender.join();
    std::ranges::sort(latencies);
    report("xthread_latency_us_p50", static_cast<double>(latencies[latencies.size() / 2]) / 1e3);
}

Coroutine<> measure_posts() {
    EventLoop& loop = get_running_loop();
    Event all_received;
    int received = 0;
    std::uint64_t start = 0;
    std::uint64_t end = 0;
    std::thread sender([&] {
        pin_to_core(1);
        ::usleep(10'000);  // until the loop waits
        start = wall_ns();
        for (int i = 0; i < workload::posts; ++i) {
            loop.call_soon_threadsafe([&] {
                if (++received == workload::posts) {
                    end = wall_ns();
                    all_received.set();
                }
            });
        }
    });
    co_await all_received.wait();
    sender.join();
    report("xthread_post_alloc_ns", per(end - start, workload::posts));
}

Coroutine<> measure_threads() {
    co_await measure_wake_up_latency();
    co_await measure_posts();
}

// ---- a million tasks at once

// The array of handles is touched before memory is looked at, and not counted to the tasks.
std::vector<Task<>> room_for(std::size_t count) {
    std::vector<Task<>> tasks;
    tasks.reserve(count);
    std::memset(static_cast<void*>(tasks.data()), 1, sizeof(Task<>) * count);
    return tasks;
}

Coroutine<> measure_million() {
    constexpr int count = workload::million;
    Event event;
    int woken = 0;
    std::vector<Task<>> tasks = room_for(count);
    const std::uint64_t memory = resident_bytes();

    const std::uint64_t start = cpu_ns();
    for (int i = 0; i < count; ++i) {
        tasks.push_back(create_task(wait_for_event(event, woken)));
    }
    co_await sleep(0);
    const std::uint64_t grown = resident_bytes() - memory;
    const std::uint64_t suspended = cpu_ns();
    event.set();
    for (Task<>& task : tasks) {
        co_await task;
    }
    const std::uint64_t woken_up = cpu_ns();
    tasks.clear();
    const std::uint64_t end = cpu_ns();

    require(woken == count, "number of tasks woken");
    report("million_suspend_ns", per(suspended - start, count));
    report("million_wake_join_ns", per(woken_up - suspended, count));
    report("million_free_ns", per(end - woken_up, count));
    report("million_total_ns", per(end - start, count));
    report("bytes_per_task", per(grown, count));
}

Coroutine<> sleep_then_count(std::chrono::microseconds delay, int& woken) {
    co_await sleep(delay);
    ++woken;
}

// CPU time: that the loop waits three seconds until all tasks sleep does not count.
Coroutine<> measure_sleepers() {
    constexpr int count = workload::million;
    Random random;
    int woken = 0;
    std::vector<Task<>> tasks = room_for(count);
    const std::uint64_t memory = resident_bytes();

    const std::uint64_t start = cpu_ns();
    for (int i = 0; i < count; ++i) {
        const std::chrono::microseconds delay(3'000'000 + random() % 1'000'000);
        tasks.push_back(create_task(sleep_then_count(delay, woken)));
    }
    co_await sleep(0);
    const std::uint64_t grown = resident_bytes() - memory;
    require(woken == 0, "sleepers that woke before all slept");
    for (Task<>& task : tasks) {
        co_await task;
    }
    tasks.clear();
    const std::uint64_t end = cpu_ns();

    require(woken == count, "number of sleepers woken");
    report("sleepers_total_ns", per(end - start, count));
    report("bytes_per_sleeper", per(grown, count));
}

constexpr Group groups[] = {
    {"tasks", run_group<measure_tasks>},         {"contexts", run_group<measure_contexts>},
    {"cancel", run_group<measure_cancellation>}, {"timers", run_group<measure_timers>},
    {"threads", run_group<measure_threads>},     {"million", run_group<measure_million>},
    {"sleepers", run_group<measure_sleepers>},
};

}  // namespace

int main(int argc, char** argv) {
    return run_groups(groups, argc, argv);
}
