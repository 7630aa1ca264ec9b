// tasks.cpp - the workloads without input and output, with this library.
//
//     tasks WORKLOAD SIZE TIMES        ../../workloads.toml says what they are
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "../../../micro/workloads.hpp"
#include "../program.hpp"

namespace {

using namespace asyncio;
using namespace bench;

Coroutine<> join(std::vector<Task<>>& tasks) {
    for (Task<>& task : tasks) {
        co_await task;
    }
}

Coroutine<> measure_switch(Job job) {
    std::vector<Task<>> tasks;
    for (int i = 0; i < job.size; ++i) {
        tasks.push_back(create_task(yield_often(job.times)));
    }
    const Stopwatch watch;
    co_await join(tasks);
    job.print(watch.ns() / (double(job.size) * job.times));
}

Coroutine<> measure_spawn_batch(Job job) {
    std::vector<Task<>> tasks;
    const Stopwatch watch;
    for (int i = 0; i < job.times; ++i) {
        co_await spawn_and_join(tasks, job.size);
    }
    job.print(watch.ns() / (double(job.size) * job.times));
}

Coroutine<> measure_spawn_seq(Job job) {
    const Stopwatch watch;
    for (int i = 0; i < job.times; ++i) {
        Task<> task = create_task(do_nothing());
        co_await task;
    }
    job.print(watch.ns() / job.times);
}

Coroutine<> measure_suspended(Job job) {
    Event event;
    int woken = 0;
    std::vector<Task<>> tasks = room_for<Task<>>(job.size);
    const std::uint64_t memory = resident_bytes();
    const Stopwatch watch;
    for (int i = 0; i < job.size; ++i) {
        tasks.push_back(create_task(wait_for_event(event, woken)));
    }
    co_await sleep(0);
    const double grown = double(resident_bytes() - memory);
    event.set();
    co_await join(tasks);
    tasks.clear();
    job.print(watch.ns() / job.size);
    job.print("suspended_memory", grown / job.size, "bytes");
    require(woken == job.size, "number of tasks woken");
}

Coroutine<> measure_ping_pong(Job job) {
    Table table;
    Task<> first = create_task(ping(table, job.times));
    Task<> second = create_task(pong(table, job.times));
    const Stopwatch watch;
    co_await first;
    co_await second;
    job.print(watch.ns() / job.times);
}

Coroutine<> measure_queue(Job job) {
    Queue<int> queue(job.size);
    std::int64_t sum = 0;
    Task<> producer = create_task(produce(queue, job.times));
    Task<> consumer = create_task(consume(queue, job.times, sum));
    const Stopwatch watch;
    co_await producer;
    co_await consumer;
    job.print(watch.ns() / job.times);
    require(sum == sum_below(job.times), "sum of the items");
}

Coroutine<> measure_cancel(Job job) {
    Event event;
    int woken = 0;
    std::vector<Task<>> tasks;
    for (int i = 0; i < job.size; ++i) {
        tasks.push_back(create_task(wait_for_event(event, woken)));
    }
    co_await sleep(0);
    const Stopwatch watch;
    for (Task<>& task : tasks) {
        task.cancel();
    }
    co_await settle(tasks.back());
    job.print(watch.ns() / job.size);
    require(woken == 0 && std::ranges::all_of(tasks, &Task<>::cancelled), "cancelled tasks");
}

template <Coroutine<> (*measure)(Job)>
void run_job(const Job& job) {
    asyncio::run(measure(job));
}

constexpr Workload workloads[] = {
    {"switch", run_job<measure_switch>},       {"spawn_batch", run_job<measure_spawn_batch>},
    {"spawn_seq", run_job<measure_spawn_seq>}, {"suspended", run_job<measure_suspended>},
    {"ping_pong", run_job<measure_ping_pong>}, {"queue", run_job<measure_queue>},
    {"cancel", run_job<measure_cancel>},
};

}  // namespace

int main(int argc, char** argv) {
    return run_workload(workloads, argc, argv);
}
