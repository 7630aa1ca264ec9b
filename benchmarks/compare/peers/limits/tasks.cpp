// tasks.cpp - the workloads without input and output, with the smallest runtime that does them.
//
//     tasks WORKLOAD SIZE TIMES        ../../workloads.toml says what they are
//
// SPDX-License-Identifier: MIT
#include "../../../limits/floor/coroutine.hpp"
#include "../../../limits/floor/event.hpp"
#include "../../../limits/floor/loop.hpp"
#include "../../../limits/floor/queue.hpp"
#include "../../../limits/floor/task.hpp"
#include "../program.hpp"

namespace {

using namespace limits;
using namespace bench;

Task yield_often(int turns) {
    for (int i = 0; i < turns; ++i) {
        co_await Yield{};
    }
}

Task do_nothing() {
    co_return;
}

Task join(std::vector<Task>& tasks) {
    for (Task& task : tasks) {
        co_await task;
    }
}

void measure_switch(const Job& job) {
    std::vector<Task> tasks;
    for (int i = 0; i < job.size; ++i) {
        tasks.push_back(yield_often(job.times));
    }
    const Stopwatch watch;
    loop.run();
    job.print(watch.ns() / (double(job.size) * job.times));
}

Task spawn_in_batches(int batches, int size) {
    std::vector<Task> tasks;
    for (int i = 0; i < batches; ++i) {
        tasks.clear();
        for (int j = 0; j < size; ++j) {
            tasks.push_back(do_nothing());
        }
        for (Task& task : tasks) {
            co_await task;
        }
    }
}

void measure_spawn_batch(const Job& job) {
    const Stopwatch watch;
    Task task = spawn_in_batches(job.times, job.size);
    loop.run();
    job.print(watch.ns() / (double(job.size) * job.times));
}

Task spawn_one_by_one(int count) {
    for (int i = 0; i < count; ++i) {
        Task task = do_nothing();
        co_await task;
    }
}

void measure_spawn_seq(const Job& job) {
    const Stopwatch watch;
    Task task = spawn_one_by_one(job.times);
    loop.run();
    job.print(watch.ns() / job.times);
}

Task wait_for_event(Event& event, int& woken) {
    co_await event;
    ++woken;
}

void measure_suspended(const Job& job) {
    Event event;
    int woken = 0;
    std::vector<Task> tasks = room_for<Task>(job.size);
    const std::uint64_t memory = resident_bytes();
    const Stopwatch watch;
    for (int i = 0; i < job.size; ++i) {
        tasks.push_back(wait_for_event(event, woken));
    }
    loop.run();
    const double grown = double(resident_bytes() - memory);
    event.set();
    Task joined = join(tasks);
    loop.run();
    tasks.clear();
    job.print(watch.ns() / job.size);
    job.print("suspended_memory", grown / job.size, "bytes");
    require(woken == job.size, "number of tasks woken");
}

Task ping(Flag& here, Flag& there, int count) {
    for (int i = 0; i < count; ++i) {
        there.raise();
        co_await here;
    }
}

Task pong(Flag& here, Flag& there, int count) {
    for (int i = 0; i < count; ++i) {
        co_await here;
        there.raise();
    }
}

void measure_ping_pong(const Job& job) {
    Flag here;
    Flag there;
    Task first = ping(here, there, job.times);
    Task second = pong(there, here, job.times);
    const Stopwatch watch;
    loop.run();
    job.print(watch.ns() / job.times);
}

Task produce(Queue& queue, int count) {
    for (int i = 0; i < count; ++i) {
        co_await queue.put(i);
    }
}

Task consume(Queue& queue, int count, std::int64_t& sum) {
    for (int i = 0; i < count; ++i) {
        sum += co_await queue.get();
    }
}

void measure_queue(const Job& job) {
    Queue queue(static_cast<std::size_t>(job.size));
    std::int64_t sum = 0;
    Task producer = produce(queue, job.times);
    Task consumer = consume(queue, job.times, sum);
    const Stopwatch watch;
    loop.run();
    job.print(watch.ns() / job.times);
    require(sum == sum_below(job.times), "sum of the items");
}

void measure_cancel(const Job& job) {
    Event event;
    int woken = 0;
    std::vector<Task> tasks;
    for (int i = 0; i < job.size; ++i) {
        tasks.push_back(wait_for_event(event, woken));
    }
    loop.run();
    const Stopwatch watch;
    event.cancel_all();
    loop.run();
    job.print(watch.ns() / job.size);
    require(woken == 0 && std::ranges::all_of(tasks, &Task::failed), "cancelled tasks");
}

constexpr Workload workloads[] = {
    {"switch", measure_switch},       {"spawn_batch", measure_spawn_batch},
    {"spawn_seq", measure_spawn_seq}, {"suspended", measure_suspended},
    {"ping_pong", measure_ping_pong}, {"queue", measure_queue},
    {"cancel", measure_cancel},
};

}  // namespace

int main(int argc, char** argv) {
    return run_workload(workloads, argc, argv);
}
