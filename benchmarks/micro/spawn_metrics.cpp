// spawn_metrics.cpp - what it takes to start a process, beside what the C library takes: with a
// small parent, and with one that has used as much memory as it is told.
//
//     benchmarks/spawn [MEGABYTES [STARTS]]        1024 and 300 by default
//
// A start is complete when the program has ended and was reaped; the program is /bin/true. A line
// each: microseconds in the middle of all starts, for a small parent and for a large one.
// SPDX-License-Identifier: MIT
#include <asyncio/runners.hpp>
#include <asyncio/subprocess.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;

void wait_for(pid_t pid) {
    while (::waitpid(pid, nullptr, 0) < 0) {}
}

void by_posix_spawn() {
    char name[] = "true";
    char* const arguments[] = {name, nullptr};
    pid_t pid = 0;
    if (::posix_spawn(&pid, "/bin/true", nullptr, nullptr, arguments, ::environ) == 0) {
        wait_for(pid);
    }
}

void by_fork() {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::execl("/bin/true", "true", nullptr);
        ::_exit(127);
    }
    wait_for(pid);
}

double median(std::vector<double>& times) {
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

double microseconds_since(Clock::time_point start) {
    return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

double measure(int starts, const std::function<void()>& start_one) {
    std::vector<double> times;
    for (int i = 0; i < starts; ++i) {
        const Clock::time_point start = Clock::now();
        start_one();
        times.push_back(microseconds_since(start));
    }
    return median(times);
}

asyncio::Coroutine<double> measure_library(int starts) {
    std::vector<double> times;
    for (int i = 0; i < starts; ++i) {
        const Clock::time_point start = Clock::now();
        asyncio::Process process = co_await asyncio::create_subprocess_exec("/bin/true");
        co_await process.wait();
        times.push_back(microseconds_since(start));
    }
    co_return median(times);
}

struct Column {
    double library;
    double posix_spawn;
    double fork;
};

Column measure_all(int starts) {
    return {asyncio::run(measure_library(starts)), measure(starts, by_posix_spawn),
            measure(starts, by_fork)};
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t megabytes = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1024;
    const int starts = argc > 2 ? std::atoi(argv[2]) : 300;
    measure_all(std::max(1, starts / 10));
    const Column small = measure_all(starts);
    const std::size_t size = megabytes << 20;
    const auto memory = std::make_unique<char[]>(size);
    std::memset(memory.get(), 1, size);
    const Column large = measure_all(starts);

    std::printf("%-24s %10s %7zu MB\n", "microseconds", "small", megabytes);
    const auto line = [](const char* name, double before, double after) {
        std::printf("%-24s %10.0f %10.0f\n", name, before, after);
    };
    line("create_subprocess_exec", small.library, large.library);
    line("posix_spawn", small.posix_spawn, large.posix_spawn);
    line("fork and exec", small.fork, large.fork);
}
