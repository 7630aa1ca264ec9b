// floor.cpp - the least that each primitive of a coroutine runtime can cost on this machine.
//
//     floor                 everything
//     floor GROUP...        only these: tasks contexts cancel timers threads million sleepers
//
// Measures the smallest runtime that still does the work: a task can be joined, a wait cancelled, a
// timer taken back. It has no names, contexts, call graph, second waiter or error reports, so no
// library reaches these figures; the distance to them is what the features of a library cost, and
// the ratio survives a change of machine where nanoseconds do not.
//
// Prints `metric=value`; CPU nanoseconds per operation, wall time for the threads, bytes for
// memory.
//
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "../support/groups.hpp"
#include "../support/measure.hpp"
#include "../support/workload.hpp"
#include "floor/coroutine.hpp"
#include "floor/event.hpp"
#include "floor/inbox.hpp"
#include "floor/loop.hpp"
#include "floor/queue.hpp"
#include "floor/task.hpp"
#include "floor/timers.hpp"

namespace {

using namespace limits;
namespace workload = bench::workload;
using bench::cpu_ns;
using bench::report;
using bench::report_cpu;
using bench::require;
using bench::wall_ns;

double per(std::uint64_t nanoseconds, int operations) {
    return static_cast<double>(nanoseconds) / operations;
}

// ---- tasks

Task yield_often(int turns) {
    for (int i = 0; i < turns; ++i) {
        co_await Yield{};
    }
}

void measure_switch(const workload::Switch& load) {
    {
        Task warm_up = yield_often(100'000);
        loop.run();
    }
    std::vector<Task> tasks;
    tasks.reserve(static_cast<std::size_t>(load.tasks));
    for (int i = 0; i < load.tasks; ++i) {
        tasks.push_back(yield_often(load.turns));
    }
    report_cpu(load.metric, double(load.tasks) * load.turns, [] { loop.run(); });
}

Task do_nothing() {
    co_return;
}

Task spawn_in_batches(int batches, int size) {
    std::vector<Task> tasks;
    tasks.reserve(static_cast<std::size_t>(size));
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

Task spawn_one_by_one(int count) {
    for (int i = 0; i < count; ++i) {
        Task task = do_nothing();
        co_await task;
    }
}

Coroutine<int> add_one(int x) {
    co_return x + 1;
}

Task await_often(int count, int& result) {
    int x = 0;
    for (int i = 0; i < count; ++i) {
        x = co_await add_one(x);
    }
    result = x;
}

Coroutine<int> descend(int levels) {
    if (levels == 0) {
        co_await Yield{};
        co_return 0;
    }
    co_return 1 + co_await descend(levels - 1);
}

Task descend_often(int count, int levels, int& result) {
    for (int i = 0; i < count; ++i) {
        result += co_await descend(levels);
    }
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

void measure_queue(const char* metric, std::size_t capacity) {
    constexpr std::int64_t items = workload::queue_items;
    Queue queue(capacity);
    std::int64_t sum = 0;
    Task producer = produce(queue, items);
    Task consumer = consume(queue, items, sum);
    report_cpu(metric, items, [] { loop.run(); });
    require(sum == items * (items - 1) / 2, metric);
}

void measure_tasks() {
    for (const workload::Switch& load : workload::switches) {
        measure_switch(load);
    }
    {
        Task warm_up = spawn_in_batches(10, workload::spawn_batch_size);
        loop.run();
    }
    {
        Task task = spawn_in_batches(workload::spawn_batches, workload::spawn_batch_size);
        report_cpu("spawn_batch_ns", double(workload::spawn_batches) * workload::spawn_batch_size,
                   [] { loop.run(); });
    }
    {
        Task task = spawn_one_by_one(workload::spawn_one_by_one);
        report_cpu("spawn_seq_ns", workload::spawn_one_by_one, [] { loop.run(); });
    }
    {
        int result = 0;
        Task task = await_often(workload::awaits, result);
        report_cpu("await_coro_ns", workload::awaits, [] { loop.run(); });
        require(result == workload::awaits, "await_coro_ns");
    }
    {
        int result = 0;
        Task task = descend_often(workload::deep_chains, workload::deep_levels, result);
        report_cpu("deep50_yield_ns", workload::deep_chains, [] { loop.run(); });
        require(result == workload::deep_chains * workload::deep_levels, "deep50_yield_ns");
    }
    {
        Flag here;
        Flag there;
        Task first = ping(here, there, workload::round_trips);
        Task second = pong(there, here, workload::round_trips);
        report_cpu("pingpong_roundtrip_ns", workload::round_trips, [] { loop.run(); });
    }
    measure_queue("queue_cap1_ns", 1);
    measure_queue("queue_cap1024_ns", 1024);
}

// ---- contexts: an array with a place for each variable, shared until it is changed

struct Values {
    std::atomic<int> references{1};
    int values[workload::context_variables] = {};
};

void drop(Values* values) {
    if (values->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        delete values;
    }
}

void measure_contexts() {
    static thread_local Values* volatile current = new Values;
    std::int64_t sum = 0;
    report_cpu("context_get_ns", workload::context_gets, [&sum] {
        for (int i = 0; i < workload::context_gets; ++i) {
            sum += current->values[i % workload::context_variables];
        }
    });
    require(sum == 0, "context_get_ns");
    report_cpu("context_set_ns", workload::context_sets, [] {
        for (int i = 0; i < workload::context_sets; ++i) {
            auto* const changed = new Values;
            std::memcpy(changed->values, current->values, sizeof changed->values);
            changed->values[i % workload::context_variables] = i;
            drop(current);
            current = changed;
        }
    });
    report_cpu("context_copy_ns", workload::context_copies, [] {
        for (int i = 0; i < workload::context_copies; ++i) {
            Values* volatile copy = current;
            copy->references.fetch_add(1, std::memory_order_relaxed);
            drop(copy);
        }
    });
    drop(current);
}

// ---- cancellation

Task wait_for_event(Event& event, int& woken) {
    co_await event;
    ++woken;
}

Coroutine<int> wait_below(Event& event, int levels) {
    if (levels == 0) {
        co_await event;
        co_return 0;
    }
    co_return co_await wait_below(event, levels - 1);
}

Task wait_in_child(Event& event, int depth) {
    co_await wait_below(event, depth - 1);
}

template <class MakeTask>
void measure_cancel(const char* metric, MakeTask make_task) {
    Event event;
    std::vector<Task> tasks;
    tasks.reserve(workload::cancelled_tasks);
    for (int i = 0; i < workload::cancelled_tasks; ++i) {
        tasks.push_back(make_task(event));
    }
    loop.run();
    report_cpu(metric, workload::cancelled_tasks, [&event] {
        event.cancel_all();
        loop.run();
    });
    require(std::ranges::all_of(tasks, &Task::failed), metric);
}

void measure_cancellation() {
    int woken = 0;
    measure_cancel("cancel_exc_depth0_ns",
                   [&woken](Event& event) { return wait_for_event(event, woken); });
    measure_cancel("cancel_exc_depth1_ns", [](Event& event) { return wait_in_child(event, 1); });
    measure_cancel("cancel_exc_depth4_ns", [](Event& event) { return wait_in_child(event, 4); });
    require(woken == 0, "a cancelled task was woken");
}

// ---- timers

// Only the heap: the timers lie in an array, as they would in the frames of sleeping tasks.
void measure_timer_heap(const std::vector<std::uint64_t>& delays,
                        const std::vector<std::uint32_t>& order) {
    constexpr int count = workload::timers;
    std::vector<Timer> timers(count);
    for (std::size_t i = 0; i < count; ++i) {
        timers[i].due = delays[i];
    }
    TimerHeap heap;

    const std::uint64_t start = cpu_ns();
    for (Timer& timer : timers) {
        heap.add(timer);
    }
    const std::uint64_t created = cpu_ns();
    for (std::size_t i = 0; i < count / 2; ++i) {
        heap.remove(timers[order[i]]);
    }
    const std::uint64_t cancelled = cpu_ns();
    std::uint64_t last = 0;
    int fired = 0;
    while (!heap.empty()) {
        const Timer& timer = heap.pop();
        require(timer.due >= last, "a timer fired early");
        last = timer.due;
        ++fired;
    }
    const std::uint64_t end = cpu_ns();

    require(fired == count - count / 2, "number of timers fired");
    report("timer_heap4_create_ns", per(created - start, count));
    report("timer_heap4_cancel_ns", per(cancelled - created, count / 2));
    report("timer_heap4_fire_ns", per(end - cancelled, fired));
    report("timer_heap4_total_ns", per(end - start, count));
}

// What call_later cannot avoid on top: a node of its own, as large as a cache line, and a look at
// the clock.
void measure_allocated_timers(const std::vector<std::uint64_t>& delays,
                              const std::vector<std::uint32_t>& order) {
    constexpr int count = workload::timers;
    struct Node : Timer {
        std::byte callback[64 - sizeof(Timer)];
    };
    static_assert(sizeof(Node) == 64);
    std::vector<Node*> nodes(count);
    TimerHeap heap;

    const std::uint64_t start = cpu_ns();
    for (std::size_t i = 0; i < count; ++i) {
        Node* node = new Node;
        node->due = wall_ns() / 1000 + delays[i];
        heap.add(*node);
        nodes[i] = node;
    }
    const std::uint64_t created = cpu_ns();
    for (std::size_t i = 0; i < count / 2; ++i) {
        Node*& node = nodes[order[i]];
        heap.remove(*node);
        delete node;
        node = nullptr;
    }
    const std::uint64_t cancelled = cpu_ns();
    while (!heap.empty()) {
        delete static_cast<Node*>(&heap.pop());
    }
    const std::uint64_t end = cpu_ns();

    report("timer_alloc_create_ns", per(created - start, count));
    report("timer_alloc_cancel_ns", per(cancelled - created, count / 2));
    report("timer_alloc_total_ns", per(end - start, count));
}

void measure_timers() {
    bench::Random random;
    const std::vector<std::uint64_t> delays = workload::timer_delays_us(random);
    const std::vector<std::uint32_t> order = workload::cancel_order(random);
    measure_timer_heap(delays, order);
    measure_allocated_timers(delays, order);
}

// ---- threads: the receiving loop on core 0, the sender on core 1

void measure_wake_up_latency() {
    Inbox inbox;
    std::vector<std::uint64_t> latencies;
    latencies.reserve(workload::wake_ups);
    std::atomic<int> received{0};
    std::thread receiver([&] {
        bench::pin_to_core(0);
        inbox.run([&](Message& message) {
            latencies.push_back(wall_ns() - message.sent_ns);
            received.store(static_cast<int>(latencies.size()), std::memory_order_release);
            return latencies.size() < workload::wake_ups;
        });
    });
    bench::pin_to_core(1);
    Message message;
    for (int i = 1; i <= workload::wake_ups; ++i) {
        ::usleep(50);  // long enough for the receiver to fall asleep
        message.sent_ns = wall_ns();
        inbox.post(message);
        while (received.load(std::memory_order_acquire) != i) {}
    }
    receiver.join();
    std::ranges::sort(latencies);
    report("xthread_latency_us_p50", static_cast<double>(latencies[latencies.size() / 2]) / 1e3);
}

// Time from the first post until the last message has been handled.
template <class NextMessage, class Handle>
void measure_posts(const char* metric, NextMessage next_message, Handle handle) {
    Inbox inbox;
    std::uint64_t end = 0;
    std::thread receiver([&] {
        bench::pin_to_core(0);
        int received = 0;
        inbox.run([&](Message& message) {
            handle(message);
            return ++received < workload::posts;
        });
        end = wall_ns();
    });
    bench::pin_to_core(1);
    ::usleep(10'000);  // until the receiver waits
    const std::uint64_t start = wall_ns();
    for (int i = 0; i < workload::posts; ++i) {
        inbox.post(next_message(i));
    }
    receiver.join();
    report(metric, per(end - start, workload::posts));
}

void measure_threads() {
    measure_wake_up_latency();
    {
        std::vector<Message> messages(workload::posts);
        measure_posts(
            "xthread_post_ns",
            [&messages](int i) -> Message& { return messages[static_cast<std::size_t>(i)]; },
            [](Message&) {});
    }
    // What a callback with arguments cannot avoid: a node of its own for each post, freed by the
    // thread that did not allocate it.
    struct Node : Message {
        std::byte callback[64 - sizeof(Message)];
    };
    static_assert(sizeof(Node) == 64);
    measure_posts(
        "xthread_post_alloc_ns", [](int) -> Message& { return *new Node; },
        [](Message& message) { delete static_cast<Node*>(&message); });
}

// ---- a million tasks at once

Task join(std::vector<Task>& tasks) {
    for (Task& task : tasks) {
        co_await task;
    }
}

// The array of handles is touched before memory is looked at, and not counted to the tasks.
std::vector<Task> room_for(std::size_t count) {
    std::vector<Task> tasks;
    tasks.reserve(count);
    std::memset(static_cast<void*>(tasks.data()), 1, sizeof(Task) * count);
    return tasks;
}

void measure_million() {
    constexpr int count = workload::million;
    Event event;
    int woken = 0;
    std::vector<Task> tasks = room_for(count);
    const std::uint64_t memory = bench::resident_bytes();

    const std::uint64_t start = cpu_ns();
    for (int i = 0; i < count; ++i) {
        tasks.push_back(wait_for_event(event, woken));
    }
    loop.run();
    const std::uint64_t grown = bench::resident_bytes() - memory;
    const std::uint64_t suspended = cpu_ns();
    event.set();
    Task joined = join(tasks);
    loop.run();
    const std::uint64_t woken_up = cpu_ns();
    tasks.clear();
    const std::uint64_t end = cpu_ns();

    require(woken == count, "number of tasks woken");
    report("million_suspend_ns", per(suspended - start, count));
    report("million_wake_join_ns", per(woken_up - suspended, count));
    report("million_free_ns", per(end - woken_up, count));
    report("million_total_ns", per(end - start, count));
    report("bytes_per_task", static_cast<double>(grown) / count);
}

Task sleep_until(std::uint64_t due, int& woken) {
    co_await SleepUntil(due);
    ++woken;
}

void measure_sleepers() {
    constexpr int count = workload::million;
    bench::Random random;
    int woken = 0;
    std::vector<Task> tasks = room_for(count);
    const std::uint64_t memory = bench::resident_bytes();

    const std::uint64_t start = cpu_ns();
    for (int i = 0; i < count; ++i) {
        tasks.push_back(sleep_until(random() % 1'000'000, woken));
    }
    loop.run();
    const std::uint64_t grown = bench::resident_bytes() - memory;
    while (!timer_heap.empty()) {
        loop.push(timer_heap.pop().ready);
    }
    Task joined = join(tasks);
    loop.run();
    tasks.clear();
    const std::uint64_t end = cpu_ns();

    require(woken == count, "number of sleepers woken");
    report("sleepers_total_ns", per(end - start, count));
    report("bytes_per_sleeper", static_cast<double>(grown) / count);
}

constexpr bench::Group groups[] = {
    {"tasks", measure_tasks},         {"contexts", measure_contexts},
    {"cancel", measure_cancellation}, {"timers", measure_timers},
    {"threads", measure_threads},     {"million", measure_million},
    {"sleepers", measure_sleepers},
};

}  // namespace

int main(int argc, char** argv) {
    return bench::run_groups(groups, argc, argv);
}
