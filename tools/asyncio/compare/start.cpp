// start.cpp - a unit that does nothing: made, and awaited.
//
// SPDX-License-Identifier: MIT
#include <asyncio/runners.hpp>
#include <asyncio/tasks.hpp>

#include "measure.hpp"
#include "measurement.hpp"
#include "unit_process.hpp"

#include <cstddef>
#include <thread>

namespace compare {
namespace {

asyncio::Coroutine<> nothing() {
    co_return;
}

asyncio::Coroutine<> start_tasks(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        co_await asyncio::create_task(nothing());
    }
}

Values of_tasks(const Scale& scale) {
    const std::size_t count = scale.starts.asyncio;
    return repeat_ns(scale, count, [&] { asyncio::run(start_tasks(count)); });
}

Values of_threads(const Scale& scale) {
    const std::size_t count = scale.starts.threads;
    return repeat_ns(scale, count, [&] {
        for (std::size_t i = 0; i < count; ++i) {
            std::thread([] {}).join();
        }
    });
}

Values of_processes(const Scale& scale) {
    const std::size_t count = scale.starts.processes;
    return repeat_ns(scale, count, [&] {
        for (std::size_t i = 0; i < count; ++i) {
            UnitProcess([] {}).wait();
        }
    });
}

}  // namespace

const Measurement start = {
    .key = "start",
    .title = "start of a unit",
    .unit = "ns",
    .method =
        "A unit that does nothing is started and its end awaited, one after another. Tasks: "
        "create_task(). Threads: std::thread and join(). Processes: fork() of a small process and "
        "waitpid(); to start a program in it costs more.",
    .measure = {of_tasks, of_threads, of_processes},
    .cell = cell_of_repetitions,
};

}  // namespace compare
