// Pools of processes for longer: workers that are killed at random, and a million small tasks.
//
// usage: process_pool_stress killed|many COUNT
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/processes.hpp>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace asyncio;

namespace {

int add_one(int x) {
    return x + 1;
}

int fail(const char* what, long is, long expected) {
    std::printf("%s: %ld, and not %ld\n", what, is, expected);
    return 1;
}

// Each task ends exactly once, with a value or an error.
int killed(int count) {
    ProcessPoolExecutor pool({.max_workers = 4, .restart_workers = true});
    std::atomic<bool> stop = false;
    std::atomic<int> kills = 0;
    std::thread killer([&] {
        std::mt19937 random(4711);
        while (!stop) {
            const std::vector<int> pids = pool.worker_pids();
            if (!pids.empty() && ::kill(pids[random() % pids.size()], SIGKILL) == 0) {
                ++kills;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(random() % 20));
        }
    });
    std::vector<std::atomic<int>> ended(static_cast<std::size_t>(count));
    std::vector<ConcurrentFuture<int>> futures;
    for (std::size_t i = 0; i < ended.size(); ++i) {
        futures.push_back(pool.submit(
            [](int x) {
                for (volatile int spin = 0; spin < 20000;) {
                    const int next = spin + 1;
                    spin = next;
                }
                return x + 1;
            },
            static_cast<int>(i)));
        futures.back().add_done_callback([&ended, i](const ConcurrentFuture<int>&) { ++ended[i]; });
    }
    int good = 0;
    int broken = 0;
    for (int i = 0; i < count; ++i) {
        try {
            const int result = futures[static_cast<std::size_t>(i)].result();
            if (result != i + 1) {
                return fail("a result", result, i + 1);
            }
            ++good;
        } catch (const BrokenProcessPool&) {
            ++broken;
        }
    }
    stop = true;
    killer.join();
    pool.shutdown();
    for (const std::atomic<int>& times : ended) {
        if (times != 1) {
            return fail("times that a task ended", times, 1);
        }
    }
    std::printf("%d results, %d errors, %d kills\n", good, broken, kills.load());
    return good + broken == count ? 0 : 1;
}

long resident_kilobytes() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmRSS:")) {
            return std::atol(line.c_str() + 6);
        }
    }
    return 0;
}

// Memory is bounded by what is under way, and not by what there is to do.
int many(int count) {
    ProcessPoolExecutor pool(2);
    struct Numbers {
        struct Iterator {
            int value;
            int operator*() const { return value; }
            void operator++() { ++value; }
            bool operator==(const Iterator& other) const { return value == other.value; }
        };
        int size;
        [[nodiscard]] Iterator begin() const { return {0}; }
        [[nodiscard]] Iterator end() const { return {size}; }
    };
    long before = 0;
    int next = 0;
    for (const int result :
         pool.map({.chunksize = 1, .buffersize = 1000}, add_one, Numbers{count})) {
        if (result != ++next) {
            return fail("a result", result, next);
        }
        if (next == count / 10) {
            before = resident_kilobytes();
        }
    }
    const long grown = resident_kilobytes() - before;
    std::printf("%d results, %ld KiB more than after a tenth of them\n", next, grown);
    constexpr long most = 16 * 1024;
    return next == count && grown < most ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::printf("usage: process_pool_stress killed|many COUNT\n");
        return 2;
    }
    const int count = std::atoi(argv[2]);
    return std::string_view(argv[1]) == "killed" ? killed(count) : many(count);
}
