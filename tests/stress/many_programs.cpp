// many_programs.cpp - so many programs, one after another and some at a time: none is left, and
// what is in use stays the same.
//
//     many_programs [COUNT]
//
// SPDX-License-Identifier: MIT
#include "resources.hpp"

#include <asyncio/exceptions.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/subprocess.hpp>
#include <asyncio/tasks.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

using namespace asyncio;

[[noreturn]] void fail(const char* what) {
    std::printf("FAILED: %s\n", what);
    std::exit(1);
}

Coroutine<> start_one(std::size_t number) {
    Process process = co_await create_subprocess_exec({.stdout_ = PIPE}, "/bin/echo", "hello");
    if (number % 2 == 0) {
        const auto [out, err] = co_await process.communicate();
        if (out != "hello\n") {
            fail("a program was not heard");
        }
        co_return;
    }
    const int status = co_await process.wait();  // its output is dropped
    if (status != 0) {
        fail("a program failed");
    }
}

Coroutine<> start_share(std::size_t count) {
    constexpr std::size_t at_once = 4;
    for (std::size_t number = 0; number < count; number += at_once) {
        std::vector<Task<>> tasks;
        for (std::size_t i = 0; i < std::min(at_once, count - number); ++i) {
            tasks.push_back(create_task(start_one(number + i)));
        }
        for (const Task<>& task : tasks) {
            co_await task;
        }
    }
}

Coroutine<> start_many(std::size_t count) {
    constexpr std::size_t shares = 10;
    constexpr std::size_t allowance = 1'024;  // KiB: of the allocator's

    std::size_t memory = 0;
    std::size_t descriptors = 0;
    for (std::size_t share = 0; share < shares; ++share) {
        co_await start_share(count / shares);
        co_await sleep(0.01);  // pipes whose last handle has gone are closed
        if (stress::has_children()) {
            fail("a program was not reaped");
        }
        if (share == 0) {
            memory = stress::resident_memory();
            descriptors = stress::open_descriptors();
        } else if (stress::open_descriptors() != descriptors) {
            fail("descriptors are left");
        } else if (stress::resident_memory() > memory + allowance) {
            fail("memory is left");
        }
    }
    std::printf(
        "%zu programs; %zu KiB and %zu descriptors before the last nine tenths, %zu and "
        "%zu after them\n",
        count, memory, descriptors, stress::resident_memory(), stress::open_descriptors());
}

}  // namespace

int main(int argument_count, char** arguments) {
    const std::size_t count =
        argument_count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 10'000;
    const auto begin = std::chrono::steady_clock::now();
    run(start_many(count));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::printf("%.1f s\n", took.count());
}
