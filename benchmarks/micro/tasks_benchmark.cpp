// tasks_benchmark.cpp - switching between tasks, making and joining them, awaiting, cancelling.
//
// SPDX-License-Identifier: MIT
#include <asyncio/runners.hpp>

#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>

#include "workloads.hpp"

using namespace asyncio;
using namespace bench;

static Coroutine<> yield_until(const bool& stop) {
    while (!stop) {
        co_await sleep(0);
    }
}

// One iteration is one turn of the loop, in which each of the tasks runs once.
static Coroutine<> switch_between(benchmark::State& state) {
    bool stop = false;
    std::vector<Task<>> others;
    for (std::int64_t i = 1; i < state.range(0); ++i) {
        others.push_back(create_task(yield_until(stop)));
    }
    while (state.KeepRunning()) {
        co_await sleep(0);
    }
    stop = true;
    for (Task<>& task : others) {
        co_await task;
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}

static void task_switch(benchmark::State& state) {
    run(switch_between(state));
}
BENCHMARK(task_switch)->Arg(1)->Arg(1'000);

static Coroutine<> spawn_batches(benchmark::State& state) {
    std::vector<Task<>> tasks;
    while (state.KeepRunning()) {
        co_await spawn_and_join(tasks, static_cast<int>(state.range(0)));
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}

static void spawn_join(benchmark::State& state) {
    run(spawn_batches(state));
}
BENCHMARK(spawn_join)->Arg(1)->Arg(1'000);

static Coroutine<> await_children(benchmark::State& state) {
    int x = 0;
    while (state.KeepRunning()) {
        x = co_await add_one(x);
    }
    benchmark::DoNotOptimize(x);
}

static void await_coroutine(benchmark::State& state) {
    run(await_children(state));
}
BENCHMARK(await_coroutine);

static Coroutine<> play(benchmark::State& state) {
    constexpr int round_trips = 1'000;
    while (state.KeepRunningBatch(round_trips)) {
        Table table;
        Task<> first = create_task(ping(table, round_trips));
        Task<> second = create_task(pong(table, round_trips));
        co_await first;
        co_await second;
    }
}

static void future_ping_pong(benchmark::State& state) {
    run(play(state));
}
BENCHMARK(future_ping_pong);

// Only the cancellation is timed, not making the tasks.
static Coroutine<> cancel_waiting(benchmark::State& state) {
    constexpr int count = 1'000;
    const int depth = static_cast<int>(state.range(0));
    while (state.KeepRunningBatch(count)) {
        state.PauseTiming();
        Event event;
        int woken = 0;
        std::vector<Task<>> tasks;
        for (int i = 0; i < count; ++i) {
            tasks.push_back(create_waiting_task(event, depth, woken));
        }
        co_await sleep(0);
        state.ResumeTiming();
        for (Task<>& task : tasks) {
            task.cancel();
        }
        co_await settle(tasks.back());
    }
}

static void cancel_task(benchmark::State& state) {
    run(cancel_waiting(state));
}
BENCHMARK(cancel_task)->ArgName("depth")->Arg(0)->Arg(1)->Arg(4);
