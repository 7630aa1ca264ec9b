// process_pool.cpp - what a pool of processes does in a second: small tasks, tasks that keep a
// processor busy, and large data, copied and shared. Prints name and value, as pool_bench.py does.
//
// usage: process_pool [TASKS]
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/processes.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

using namespace asyncio;

namespace {

int add_one(int x) {
    return x + 1;
}

// About 50 ms of work that nothing else has a part in.
std::uint64_t spin(std::uint64_t seed) {
    for (int i = 0; i < 30'000'000; ++i) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    }
    return seed;
}

double sum(const std::vector<double>& numbers) {
    double total = 0;
    for (const double each : numbers) {
        total += each;
    }
    return total;
}

double sum_shared(const SharedMemory& memory) {
    double total = 0;
    for (const double each : memory.span<double>()) {
        total += each;
    }
    return total;
}

template <class Fn>
double seconds_of(Fn&& fn) {
    const auto begin = std::chrono::steady_clock::now();
    fn();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void start(ProcessPoolExecutor& pool) {
    std::vector<ConcurrentFuture<int>> futures;
    for (int i = 0; i < 50; ++i) {
        futures.push_back(pool.submit(add_one, i));
    }
    for (const auto& future : futures) {
        static_cast<void>(future.result());
    }
}

void small_tasks(int count) {
    ProcessPoolExecutor pool(2);
    start(pool);
    const double each = seconds_of([&] {
        for (int i = 0; i < count / 10; ++i) {
            static_cast<void>(pool.submit(add_one, i).result());
        }
    });
    std::printf("round trips, one at a time: %.0f/s\n", count / 10 / each);
    const double all = seconds_of([&] {
        std::vector<ConcurrentFuture<int>> futures;
        for (int i = 0; i < count; ++i) {
            futures.push_back(pool.submit(add_one, i));
        }
        for (const auto& future : futures) {
            static_cast<void>(future.result());
        }
    });
    std::printf("small tasks, submitted at once: %.0f/s\n", count / all);
    std::vector<int> items(static_cast<std::size_t>(count));
    const double mapped = seconds_of([&] {
        for (const int each_result : pool.map({.chunksize = 100}, add_one, items)) {
            static_cast<void>(each_result);
        }
    });
    std::printf("small tasks, map in chunks of 100: %.0f/s\n", count / mapped);
}

Coroutine<> awaited(ProcessPoolExecutor& pool, int count) {
    EventLoop& loop = get_running_loop();
    for (int i = 0; i < count; i += 100) {
        std::vector<Future<int>> futures;
        for (int j = 0; j < 100; ++j) {
            futures.push_back(loop.run_in_executor(&pool, add_one, j));
        }
        for (const Future<int>& future : futures) {
            co_await future;
        }
    }
}

void awaited_tasks(int count) {
    ProcessPoolExecutor pool(2);
    start(pool);
    const double all = seconds_of([&] { run(awaited(pool, count)); });
    std::printf("small tasks, awaited a hundred at a time: %.0f/s\n", count / all);
}

void busy_tasks() {
    constexpr std::uint64_t count = 40;
    const double alone = seconds_of([] {
        std::uint64_t result = 0;
        for (std::uint64_t i = 0; i < count; ++i) {
            result += spin(i);
        }
        std::printf("(%d)\n", static_cast<int>(result & 1));
    });
    ProcessPoolExecutor pool(2);
    start(pool);
    const double together = seconds_of([&pool] {
        std::vector<ConcurrentFuture<std::uint64_t>> futures;
        for (std::uint64_t i = 0; i < count; ++i) {
            futures.push_back(pool.submit(spin, i));
        }
        for (const auto& future : futures) {
            static_cast<void>(future.result());
        }
    });
    std::printf("speed-up over two processes: %.2f\n", alone / together);
}

void large_data() {
    constexpr std::size_t count = std::size_t{4} << 20;  // 32 MiB
    ProcessPoolExecutor pool(1);
    start(pool);
    const std::vector<double> numbers(count, 1);
    const SharedMemory memory({.create = true, .size = count * sizeof(double)});
    for (double& each : memory.span<double>()) {
        each = 1;
    }
    static_cast<void>(pool.submit(sum_shared, memory).result());
    constexpr int times = 10;
    const double copied = seconds_of([&] {
        for (int i = 0; i < times; ++i) {
            static_cast<void>(pool.submit(sum, numbers).result());
        }
    });
    const double shared = seconds_of([&] {
        for (int i = 0; i < times; ++i) {
            static_cast<void>(pool.submit(sum_shared, memory).result());
        }
    });
    std::printf("sum of 32 MiB, copied: %.1f ms\n", copied / times * 1e3);
    std::printf("sum of 32 MiB, shared: %.1f ms\n", shared / times * 1e3);
}

}  // namespace

int main(int argc, char** argv) {
    const int count = argc > 1 ? std::atoi(argv[1]) : 100'000;
    small_tasks(count);
    awaited_tasks(count);
    busy_tasks();
    large_data();
    return 0;
}
