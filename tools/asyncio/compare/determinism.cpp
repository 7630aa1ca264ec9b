// determinism.cpp - one program of interleaving units, run again and again: is it always the same?
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
#include <cstdint>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace compare {
namespace {

// Values: in how many runs, how many traces there were.

constexpr std::size_t unit_count = 8;

using Trace = std::string;

/// Which unit was at work, step by step.
class Recorder {
public:
    explicit Recorder(std::size_t steps) : steps_(steps) {}

    void add(std::size_t unit) noexcept { steps_[next_->fetch_add(1)] = static_cast<char>(unit); }
    [[nodiscard]] Trace trace() const { return {steps_.all().begin(), steps_.all().end()}; }

private:
    Shared<char> steps_;
    Shared<std::atomic<std::size_t>> next_;
};

/// Some work of each step, more or less of it.
void work(std::size_t unit, std::size_t step) noexcept {
    volatile std::uint64_t value = unit + step;
    const std::size_t amount = 2000 * (1 + (unit + step) % 7);
    for (std::size_t i = 0; i < amount; ++i) {
        value = value * 6364136223846793005U + 1442695040888963407U;
    }
}

asyncio::Coroutine<> run_unit(Recorder& recorder, std::size_t unit, std::size_t steps) {
    for (std::size_t step = 0; step < steps; ++step) {
        work(unit, step);
        recorder.add(unit);
        co_await asyncio::sleep(0);
    }
}

asyncio::Coroutine<> run_tasks(Recorder& recorder, std::size_t steps) {
    std::vector<asyncio::Coroutine<>> units;
    for (std::size_t unit = 0; unit < unit_count; ++unit) {
        units.push_back(run_unit(recorder, unit, steps));
    }
    co_await asyncio::gather(std::move(units));
}

/// What run_unit() does, for the others: once all of them are there.
void run_unit(Recorder& recorder, Gate& gate, std::atomic<std::size_t>& present, std::size_t unit,
              std::size_t steps) {
    if (present.fetch_add(1) + 1 == unit_count) {
        gate.open();
    }
    gate.pass();
    for (std::size_t step = 0; step < steps; ++step) {
        work(unit, step);
        recorder.add(unit);
        std::this_thread::yield();
    }
}

/// Runs the program as often as the scale says; the traces that there were.
template <class Program>
Values traces_of(const Scale& scale, Program program) {
    std::set<Trace> traces;
    for (std::size_t run = 0; run < scale.traces; ++run) {
        Recorder recorder(unit_count * scale.trace_steps);
        program(recorder);
        traces.insert(recorder.trace());
    }
    return {static_cast<double>(scale.traces), static_cast<double>(traces.size())};
}

Values of_tasks(const Scale& scale) {
    return traces_of(
        scale, [&](Recorder& recorder) { asyncio::run(run_tasks(recorder, scale.trace_steps)); });
}

Values of_threads(const Scale& scale) {
    return traces_of(scale, [&](Recorder& recorder) {
        Gate gate;
        std::atomic<std::size_t> present{0};
        in_threads(unit_count, [&](std::size_t unit) {
            run_unit(recorder, gate, present, unit, scale.trace_steps);
        });
    });
}

Values of_processes(const Scale& scale) {
    return traces_of(scale, [&](Recorder& recorder) {
        const Shared<Gate> gate;
        const Shared<std::atomic<std::size_t>> present;
        in_processes(unit_count, [&](std::size_t unit) {
            run_unit(recorder, *gate, *present, unit, scale.trace_steps);
        });
    });
}

Cell cell(Model, const Values& values) {
    const double runs = values.at(0);
    const double traces = values.at(1);
    const std::string found =
        count_of(traces, traces == 1 ? "trace" : "traces") + " in " + count_of(runs, "runs");
    return {(traces == 1 ? "yes (" : "no (") + found + ")",
            {{"deterministic", traces == 1}, {"runs", runs}, {"distinct_traces", traces}}};
}

}  // namespace

const Measurement determinism = {
    .key = "determinism",
    .title = "determinism",
    .unit = "",
    .method =
        "Eight units note their number, work a little and let others go on (sleep(0); for threads "
        "and processes sched_yield()), again and again. The same program is run repeatedly, and "
        "the traces are compared: it is deterministic if there is only one. That one was found "
        "proves nothing about threads and processes; that there are several does.",
    .measure = {of_tasks, of_threads, of_processes},
    .cell = cell,
};

}  // namespace compare
