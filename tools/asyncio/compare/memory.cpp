// memory.cpp - what a unit holds of memory while it waits.
//
// SPDX-License-Identifier: MIT
#include <asyncio/locks.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/tasks.hpp>

#include "format.hpp"
#include "measure.hpp"
#include "measurement.hpp"
#include "memory_use.hpp"
#include "shared.hpp"
#include "turns.hpp"
#include "unit_process.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <system_error>
#include <thread>
#include <vector>

#include <unistd.h>

namespace compare {
namespace {

// Values: how many units there were, the bytes of each, and those of each in the kernel.

/// What grows between the beginning and grown().
class Growth {
public:
    Values grown(std::size_t units, double in_children = 0) const {
        const auto count = static_cast<double>(units);
        const double own = bytes_of_process(::getpid()) - own_ + in_children;
        const double kernel = bytes_of_kernel() - kernel_;
        return {count, std::max(own, 1.0) / count, std::max(kernel, 0.0) / count};
    }

private:
    double kernel_ = bytes_of_kernel();
    double own_ = bytes_of_process(::getpid());
};

/// A unit of the others: says that it is there, and waits.
struct WaitingRoom {
    std::atomic<std::size_t> present{0};
    Gate gate;

    void wait() noexcept {
        present.fetch_add(1);
        gate.pass();
    }
    /// Until all are there.
    void await(std::size_t units) const {
        while (present.load() < units) {
            std::this_thread::yield();
        }
    }
};

/// Starts units until there are `count`, or the system has no room for more.
template <class Units>
void start_units(Units& units, std::size_t count, const std::function<void()>& body) {
    units.reserve(count);
    try {
        while (units.size() < count) {
            units.emplace_back(body);
        }
    } catch (const std::system_error&) {
        require(!units.empty(), "the system has no room for one unit");
    }
}

asyncio::Coroutine<> wait(asyncio::Event& event) {
    co_await event.wait();
}

asyncio::Coroutine<Values> suspended_tasks(std::size_t count) {
    std::vector<asyncio::Task<>> tasks;
    tasks.reserve(count);
    asyncio::Event event;
    const Growth growth;
    for (std::size_t i = 0; i < count; ++i) {
        tasks.push_back(asyncio::create_task(wait(event)));
    }
    co_await asyncio::sleep(0);  // they have begun, and wait
    Values values = growth.grown(count);
    event.set();
    for (asyncio::Task<>& task : tasks) {
        co_await task;
    }
    co_return values;
}

Values of_tasks(const Scale& scale) {
    return asyncio::run(suspended_tasks(affordable(scale.suspended.asyncio, 1024)));
}

Values of_threads(const Scale& scale) {
    const std::size_t count = affordable(scale.suspended.threads, 64 * 1024);
    WaitingRoom room;
    const Growth growth;
    std::vector<std::thread> threads;
    start_units(threads, count, [&] { room.wait(); });
    room.await(threads.size());
    const Values values = growth.grown(threads.size());
    room.gate.open();
    for (std::thread& thread : threads) {
        thread.join();
    }
    return values;
}

Values of_processes(const Scale& scale) {
    const std::size_t count = affordable(scale.suspended.processes, 1024 * 1024);
    const Shared<WaitingRoom> room;
    const Growth growth;
    std::vector<UnitProcess> processes;
    start_units(processes, count, [&] { room->wait(); });
    room->await(processes.size());
    double in_children = 0;
    for (const UnitProcess& process : processes) {
        in_children += bytes_of_process(process.pid());
    }
    const Values values = growth.grown(processes.size(), in_children);
    room->gate.open();
    for (UnitProcess& process : processes) {
        process.wait();
    }
    return values;
}

Cell cell(Model model, const Values& values) {
    const double units = values.at(0);
    const double bytes = values.at(1);
    const double kernel = values.at(2);
    return {quantity(bytes) + " (" + count_of(units, unit_names[model]) + ")",
            {{"value", bytes}, {"units", units}, {"in_kernel", kernel}}};
}

}  // namespace

const Measurement memory = {
    .key = "memory",
    .title = "memory per unit",
    .unit = "bytes",
    .method =
        "As many units as the table says are started and wait, tasks for an Event, the others in a "
        "futex. By how much the memory of the process has grown (proportional set size, which "
        "divides what processes have in common), with that of its children, divided by the number "
        "of units. They are as many as a fixed number, a quarter of the free memory and the limits "
        "of the system allow. What the kernel needs for them besides (stacks, page tables, its "
        "objects: /proc/meminfo, where all other programs count, too) is in_kernel.",
    .measure = {of_tasks, of_threads, of_processes},
    .cell = cell,
};

}  // namespace compare
