// events_benchmark.cpp - callbacks of the loop: at once, later, and from another thread.
//
// SPDX-License-Identifier: MIT
#include <asyncio/runners.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>

#include "../support/measure.hpp"
#include "workloads.hpp"

using namespace asyncio;
using namespace bench;
using namespace std::chrono_literals;

static Coroutine<> call_many_soon(benchmark::State& state) {
    constexpr int count = 1'000;
    EventLoop& loop = get_running_loop();
    int called = 0;
    while (state.KeepRunningBatch(count)) {
        for (int i = 0; i < count; ++i) {
            loop.call_soon([&called] { ++called; });
        }
        co_await sleep(0);
    }
    require(called == state.iterations(), "number of callbacks");
}

static void call_soon(benchmark::State& state) {
    run(call_many_soon(state));
}
BENCHMARK(call_soon);

// Makes one timer and cancels a random one, among as many as the argument says.
static Coroutine<> make_and_cancel(benchmark::State& state) {
    EventLoop& loop = get_running_loop();
    Random random;
    const auto random_delay = [&random] {
        return 1h + std::chrono::microseconds(random() % 60'000'000);
    };
    std::vector<TimerHandle> timers(static_cast<std::size_t>(state.range(0)));
    for (TimerHandle& timer : timers) {
        timer = loop.call_later(random_delay(), [] {});
    }
    while (state.KeepRunning()) {
        TimerHandle& timer = timers[random() % timers.size()];
        timer.cancel();
        timer = loop.call_later(random_delay(), [] {});
    }
    for (TimerHandle& timer : timers) {
        timer.cancel();
    }
    co_return;
}

static void call_later_and_cancel(benchmark::State& state) {
    run(make_and_cancel(state));
}
BENCHMARK(call_later_and_cancel)->Arg(1)->Arg(1'000)->Arg(1'000'000);

// Timers that are due at once, in random order.
static Coroutine<> make_and_fire(benchmark::State& state) {
    constexpr int count = 1'000;
    EventLoop& loop = get_running_loop();
    Random random;
    int fired = 0;
    int made = 0;
    while (state.KeepRunningBatch(count)) {
        for (int i = 0; i < count; ++i) {
            loop.call_later(-std::chrono::microseconds(random() % 60'000'000),
                            [&fired] { ++fired; });
        }
        made += count;
        while (fired < made) {
            co_await sleep(0);
        }
    }
}

static void call_later_and_fire(benchmark::State& state) {
    run(make_and_fire(state));
}
BENCHMARK(call_later_and_fire);

// Another thread posts a batch for each iteration; wall time until the last callback has run.
static Coroutine<> receive_posts(benchmark::State& state) {
    constexpr int count = 100'000;
    EventLoop& loop = get_running_loop();
    while (state.KeepRunningBatch(count)) {
        Event all_received;
        int received = 0;
        std::thread sender([&] {
            for (int i = 0; i < count; ++i) {
                loop.call_soon_threadsafe([&] {
                    if (++received == count) {
                        all_received.set();
                    }
                });
            }
        });
        co_await all_received.wait();
        sender.join();
    }
}

static void call_soon_threadsafe(benchmark::State& state) {
    run(receive_posts(state));
}
BENCHMARK(call_soon_threadsafe)->UseRealTime();
