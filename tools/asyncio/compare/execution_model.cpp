// execution_model.cpp - what units run in, and whether one that computes keeps others from running.
//
// SPDX-License-Identifier: MIT
#include <asyncio/runners.hpp>
#include <asyncio/tasks.hpp>

#include "format.hpp"
#include "measure.hpp"
#include "measurement.hpp"
#include "shared.hpp"
#include "turns.hpp"
#include "units.hpp"

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace compare {
namespace {

// Values: how many turns others had meanwhile, in how many threads and processes the units ran.

constexpr double at_least = 0.05;  // seconds that one computes
constexpr double at_most = 2;      // if no other gets a turn
constexpr std::size_t unit_count = 8;

/// What one that computes and those that take turns share.
struct Scene {
    std::atomic<std::size_t> turns{0};  // that others have had
    std::atomic<std::size_t> while_computing{0};
    std::atomic<bool> done{false};
    std::atomic<std::size_t> present{0};
    std::atomic<std::size_t> threads{0};
};

std::size_t threads_of_this_process() {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                      std::filesystem::directory_iterator()));
}

/// Computes, and looks whether others get turns. If none does at first, not for ever.
void compute(Scene& scene, double limit) {
    const Clock::time_point start = Clock::now();
    const std::size_t before = scene.turns.load();
    scene.threads.store(threads_of_this_process());
    double elapsed = 0;
    do {
        elapsed = seconds_since(start);
    } while (elapsed < at_least || (elapsed < limit && scene.turns.load() == before));
    scene.while_computing.store(scene.turns.load() - before);
    scene.done.store(true);
}

asyncio::Coroutine<> take_turns(Scene& scene) {
    while (!scene.done.load()) {
        scene.turns.fetch_add(1);
        co_await asyncio::sleep(0);
    }
}

asyncio::Coroutine<> compute_after_all_began(Scene& scene) {
    co_await asyncio::sleep(0);
    compute(scene, at_least);
}

asyncio::Coroutine<> run_tasks(Scene& scene) {
    std::vector<asyncio::Coroutine<>> units;
    units.push_back(compute_after_all_began(scene));
    for (std::size_t unit = 1; unit < unit_count; ++unit) {
        units.push_back(take_turns(scene));
    }
    co_await asyncio::gather(std::move(units));
}

Values of_tasks(const Scale&) {
    stay_on_one_processor();
    Scene scene;
    asyncio::run(run_tasks(scene));
    return {static_cast<double>(scene.while_computing.load()),
            static_cast<double>(scene.threads.load()), 1};
}

/// The same for the others.
void run_unit(Scene& scene, std::size_t unit) {
    scene.present.fetch_add(1);
    while (scene.present.load() < unit_count) {
        std::this_thread::yield();
    }
    if (unit == 0) {
        compute(scene, at_most);
        return;
    }
    while (!scene.done.load()) {
        scene.turns.fetch_add(1);
        std::this_thread::yield();
    }
}

Values of_threads(const Scale&) {
    stay_on_one_processor();
    Scene scene;
    in_threads(unit_count, [&](std::size_t unit) { run_unit(scene, unit); });
    // Of these threads, one is the main thread, and waits.
    return {static_cast<double>(scene.while_computing.load()),
            static_cast<double>(scene.threads.load() - 1), 1};
}

Values of_processes(const Scale&) {
    stay_on_one_processor();
    const Shared<Scene> scene;
    in_processes(unit_count, [&](std::size_t unit) { run_unit(*scene, unit); });
    return {static_cast<double>(scene->while_computing.load()),
            static_cast<double>(scene->threads.load()), static_cast<double>(scene->present.load())};
}

Cell cell(Model model, const Values& values) {
    const double turns = values.at(0);
    const double threads = values.at(1);
    const double processes = values.at(2);
    const std::string kind = turns > 0 ? "preemptive" : "cooperative";
    std::string where = count_of(threads, threads == 1 ? "thread" : "threads");
    if (model == Model::processes) {
        where = count_of(processes, "processes");
    }
    return {kind + ", " + where,
            {{"value", kind},
             {"turns_of_others", turns},
             {"threads_of_a_process", threads},
             {"processes", processes}}};
}

}  // namespace

const Measurement execution_model = {
    .key = "execution_model",
    .title = "execution model of 8 units",
    .unit = "",
    .method =
        "Eight units on one processor: one computes for 50 ms, the others count the turns that "
        "they get. If they get none meanwhile, a unit runs until it gives way (cooperative); "
        "otherwise the system takes the processor away from it (preemptive). In how many threads "
        "and processes the units ran is read from /proc.",
    .measure = {of_tasks, of_threads, of_processes},
    .cell = cell,
};

}  // namespace compare
