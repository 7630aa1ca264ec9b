// queues_benchmark.cpp - what tasks share: queues and locks.
//
// SPDX-License-Identifier: MIT
#include <asyncio/runners.hpp>

#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>

#include "../support/measure.hpp"
#include "workloads.hpp"

using namespace asyncio;
using namespace bench;

static Coroutine<> pass_items(benchmark::State& state) {
    constexpr int count = 10'000;
    while (state.KeepRunningBatch(count)) {
        Queue<int> queue(static_cast<int>(state.range(0)));
        std::int64_t sum = 0;
        Task<> producer = create_task(produce(queue, count));
        Task<> consumer = create_task(consume(queue, count, sum));
        co_await producer;
        co_await consumer;
        require(sum == std::int64_t{count} * (count - 1) / 2, "queue_put_get");
    }
}

static void queue_put_get(benchmark::State& state) {
    run(pass_items(state));
}
BENCHMARK(queue_put_get)->ArgName("capacity")->Arg(1)->Arg(1'024);

static Coroutine<> lock_alone(benchmark::State& state) {
    Lock lock;
    while (state.KeepRunning()) {
        co_await lock.acquire();
        lock.release();
    }
}

static void lock_uncontended(benchmark::State& state) {
    run(lock_alone(state));
}
BENCHMARK(lock_uncontended);

// Holds the lock over a turn of the loop, so that all others queue for it.
static Coroutine<> lock_often(Lock& lock, int times) {
    for (int i = 0; i < times; ++i) {
        co_await lock.acquire();
        co_await sleep(0);
        lock.release();
    }
}

static Coroutine<> lock_in_turn(benchmark::State& state) {
    constexpr int tasks_count = 10;
    constexpr int times = 1'000;
    Lock lock;
    while (state.KeepRunningBatch(tasks_count * times)) {
        std::vector<Task<>> tasks;
        for (int i = 0; i < tasks_count; ++i) {
            tasks.push_back(create_task(lock_often(lock, times)));
        }
        for (Task<>& task : tasks) {
            co_await task;
        }
    }
}

static void lock_contended(benchmark::State& state) {
    run(lock_in_turn(state));
}
BENCHMARK(lock_contended);
