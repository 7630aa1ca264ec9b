// no_memory_test.cpp - what becomes of tasks, and of what they wait in, when there is no memory.
//
// SPDX-License-Identifier: MIT
#include "support/each_allocation.hpp"

#include <asyncio/generators.hpp>
#include <asyncio/graph.hpp>
#include <asyncio/locks.hpp>
#include <asyncio/queues.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/timeouts.hpp>

#include <gtest/gtest-spi.h>

#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace asyncio {

using testing::expect_survives_each_failure;

namespace {

void check(bool holds) {
    if (!holds) {
        throw InvalidStateError("the result is wrong");
    }
}

Coroutine<int> give_after(int seconds, int value) {
    co_await sleep(seconds);
    co_return value;
}

Coroutine<int> fail_after(int seconds) {
    co_await sleep(seconds);
    throw RuntimeError("a text that is too long to be kept in the string itself");
}

/// Either that, or what was thrown instead.
template <class T>
void check_cancelled(const Result<T>& result) {
    if (!result.cancelled()) {
        static_cast<void>(result.get());
        check(false);
    }
}

/// Both, whatever the outcome.
template <class First, class Second>
Coroutine<> both(First first, Second second) {
    const auto one = co_await as_result(first);
    const auto other = co_await as_result(second);
    static_cast<void>(one.get());
    static_cast<void>(other.get());
}

/// Takes a failure for a reason to wait for what nobody does.
Coroutine<> wait_without_memory() {
    bool failed = false;
    try {
        const auto kept = std::make_unique<std::string>(100, 'x');
    } catch (const std::bad_alloc&) {
        failed = true;
    }
    if (failed) {
        co_await get_running_loop().create_future();
    }
}

TEST(NoMemory, that_makes_a_task_hang_is_found) {
    ::testing::TestPartResultArray failures;
    {
        const ::testing::ScopedFakeTestPartResultReporter reporter(
            ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &failures);
        expect_survives_each_failure(&wait_without_memory);
    }
    ASSERT_GE(failures.size(), 1);
    EXPECT_NE(std::string(failures.GetTestPartResult(0).message()).find("hangs"),
              std::string::npos);
}

// -------------------------------------------------------------------------------------- tasks

Coroutine<> make_tasks() {
    const Task<int> task = create_task(give_after(1, 5), {.name = "a name that is quite long"});
    const Task<> other = create_task(sleep(2));
    const int value = co_await task;
    check(value == 5);
    co_await other;
}

TEST(NoMemory, for_tasks) {
    expect_survives_each_failure(&make_tasks);
}

Coroutine<> cancel_with_message() {
    const Task<> task = create_task(sleep(5));
    co_await sleep(1);
    task.cancel("a message that is too long to be kept in the string itself");
    const auto ended = co_await as_result(task);
    check_cancelled(ended);
}

TEST(NoMemory, for_the_message_of_a_cancellation) {
    expect_survives_each_failure(&cancel_with_message);
}

Coroutine<> start_eagerly() {
    const Task<int> task = create_task(give_after(1, 5), {.eager_start = true});
    const int value = co_await task;
    check(value == 5);
}

TEST(NoMemory, for_eager_tasks) {
    expect_survives_each_failure(&start_eagerly);
}

Coroutine<> leave_an_error() {
    {
        const Task<int> task = create_task(fail_after(1));
        co_await sleep(2);
    }
    co_await sleep(1);
}

TEST(NoMemory, for_the_report_of_an_error) {
    expect_survives_each_failure(&leave_an_error);
}

Coroutine<> call_functions() {
    EventLoop& loop = get_running_loop();
    int called = 0;
    const std::string text(100, 'x');
    std::vector<Handle> handles;
    struct Cancel {
        std::vector<Handle>& handles;
        ~Cancel() {
            for (Handle& handle : handles) {
                handle.cancel();
            }
        }
    } cancel{handles};
    handles.reserve(4);
    const auto count = [&called, text] { ++called; };
    handles.push_back(loop.call_soon(count));
    handles.push_back(loop.call_later(1, count));
    handles.push_back(loop.call_soon_threadsafe(count));
    handles.push_back(loop.call_soon([] { throw RuntimeError("reported"); }));
    co_await sleep(2);
    check(called == 3);
}

TEST(NoMemory, for_calls) {
    expect_survives_each_failure(&call_functions);
}

Coroutine<> use_futures() {
    const Future<std::string> future = get_running_loop().create_future<std::string>();
    const auto called = std::make_shared<int>(0);
    const std::string long_text(100, 'x');
    const auto token = future.add_done_callback([called](const AnyFuture&) { ++*called; });
    future.add_done_callback([long_text](const AnyFuture&) {});
    get_running_loop().call_soon([future] { future.set_result(std::string(100, 'x')); });
    const auto text = co_await as_result(wait_for(future, 1));
    future.remove_done_callback(token);
    co_await sleep(1);
    check(text.get().size() == 100 && *called == 1);
}

TEST(NoMemory, for_futures) {
    expect_survives_each_failure(&use_futures);
}

// ------------------------------------------------------------------------------------ several

Coroutine<> gather_some() {
    const auto [one, two] = co_await gather(give_after(1, 1), give_after(2, 2));
    check(one + two == 3);
    const auto [three, failed] =
        co_await gather(return_exceptions, give_after(1, 3), fail_after(1));
    check(*three == 3 && !failed.has_value());
}

Coroutine<> gather_many() {
    std::vector<Task<int>> tasks;
    for (int number = 0; number < 5; ++number) {
        tasks.push_back(create_task(give_after(1, number)));
    }
    const std::vector<int> numbers = co_await gather(tasks);
    check(numbers.size() == 5);
}

Coroutine<> gather_and_cancel() {
    const Task<> child = create_task(sleep(5));
    auto gathered = gather(child, give_after(3, 1));
    get_running_loop().call_later(
        1, [child] { child.cancel("a message too long to be kept in the string itself"); });
    const auto ended = co_await as_result(gathered);
    check_cancelled(ended);
    auto again = gather(give_after(3, 1), sleep(5));
    get_running_loop().call_later(
        1, [again] { again.cancel("a message too long to be kept in the string itself"); });
    const auto ended_again = co_await as_result(again);
    check_cancelled(ended_again);
}

// The text of the CancelledError is copied in the callback of the gathering.
Coroutine<> gather_cancelled_future() {
    const Future<> future = get_running_loop().create_future();
    auto gathered = gather(future);
    const Task<> other = create_task(sleep(2));
    co_await sleep(1);
    future.cancel("a message that is too long to be kept in the string itself");
    const auto ended = co_await as_result(wait_for(gathered, 100));
    check_cancelled(ended);
    co_await other;
}

TEST(NoMemory, for_gather) {
    expect_survives_each_failure(&gather_cancelled_future);
    expect_survives_each_failure(&gather_some);
    expect_survives_each_failure(&gather_many);
    expect_survives_each_failure(&gather_and_cancel);
}

Coroutine<> wait_for_some() {
    std::vector<Task<int>> tasks;
    tasks.push_back(create_task(give_after(1, 1)));
    tasks.push_back(create_task(give_after(2, 2)));
    tasks.push_back(create_task(fail_after(3)));
    const auto first = co_await wait(tasks, {.return_when = FIRST_COMPLETED});
    check(first.done.size() == 1);
    const auto all = co_await wait(tasks, {.timeout = 90});
    check(all.done.size() == 3);
    const auto failed = co_await as_result(tasks.back());
    check(!failed.has_value());
}

TEST(NoMemory, for_wait) {
    expect_survives_each_failure(&wait_for_some);
}

Coroutine<> shield_some() {
    const Task<int> inner = create_task(give_after(2, 2));
    const int value = co_await shield(inner);
    check(value == 2);
    const Task<int> failing = create_task(fail_after(2));
    const auto late = co_await as_result(wait_for(shield(failing), 1));
    check(!late.has_value());
    co_await sleep(2);  // the error that comes too late is reported
}

TEST(NoMemory, for_shield) {
    expect_survives_each_failure(&shield_some);
}

Coroutine<> take_one_after_another() {
    int sum = 0;
    auto completed = as_completed(give_after(2, 1), give_after(1, 2));
    for (bool more = true; more;) {
        const auto next = co_await completed.next();
        more = next.has_value();
        sum += more ? next->result() : 0;
    }
    check(sum == 3);
    int late = 0;
    for (auto next : as_completed({.timeout = 2}, give_after(1, 3), give_after(9, 4))) {
        const auto result = co_await as_result(std::move(next));
        late += result.has_value() ? *result : 10;
    }
    check(late == 13);
}

TEST(NoMemory, for_as_completed) {
    expect_survives_each_failure(&take_one_after_another);
}

// ------------------------------------------------------------------------------------- scopes

Coroutine<> limit_time() {
    const auto late = co_await as_result(timeout(1, [] { return sleep(5); }));
    check(!late.has_value());
    const auto never = co_await as_result(wait_for(give_after(5, 1), 1));
    check(!never.has_value());
    const int value = co_await wait_for(give_after(1, 6), 5);
    check(value == 6);
}

TEST(NoMemory, for_timeouts) {
    expect_survives_each_failure(&limit_time);
}

Coroutine<> group_tasks() {
    int sum = 0;
    const auto body = [&sum](TaskGroup& group) -> Coroutine<> {
        const Task<int> one = group.create_task(give_after(1, 1));
        const Task<int> two = group.create_task(give_after(2, 2), {.name = "two"});
        sum += co_await one;
        sum += co_await two;
    };
    co_await task_group(body);
    check(sum == 3);
}

// The children use what is local to the parent, and so must have ended when it goes on.
Coroutine<> group_with_references() {
    const auto alive = std::make_shared<int>(0);
    const auto child = [](std::shared_ptr<int> count) -> Coroutine<> {
        ++*count;
        const auto slept = co_await as_result(sleep(5));
        --*count;
        slept.get();
    };
    const auto body = [&](TaskGroup& group) -> Coroutine<> {
        group.create_task(child(alive));
        group.create_task(child(alive));
        co_await sleep(1);
    };
    const auto ended = co_await as_result(task_group(body));
    check(*alive == 0);
    ended.get();
}

Coroutine<> group_that_fails() {
    const auto body = [](TaskGroup& group) -> Coroutine<> {
        group.create_task(fail_after(1));
        group.create_task(fail_after(1));
        group.create_task(give_after(5, 1));
        co_await sleep(9);
    };
    const auto ended = co_await as_result(task_group(body));
    check(!ended.has_value() && !ended.cancelled());
    if (testing::has_bad_alloc(ended.error())) {
        static_cast<void>(ended.get());
    }
}

TEST(NoMemory, for_task_groups) {
    expect_survives_each_failure(&group_tasks);
    expect_survives_each_failure(&group_that_fails);
    expect_survives_each_failure(&group_with_references);
}

// --------------------------------------------------------------------------------- primitives

struct Locks {
    Lock lock;
    Event event;
    Condition condition;
    Semaphore semaphore{1};
    Barrier barrier{2};
    int count = 0;
};

Coroutine<> use_locks_once(std::shared_ptr<Locks> locks) {
    const auto held = co_await locks->lock.scoped();
    const auto permit = co_await locks->semaphore.scoped();
    co_await with(locks->condition, [&locks]() -> Coroutine<> {
        co_await locks->condition.wait_for([&locks] { return ++locks->count > 1; });
    });
    co_await locks->event.wait();
    co_await locks->barrier.wait();
}

Coroutine<> use_locks() {
    const auto locks = std::make_shared<Locks>();
    const auto user = create_task(use_locks_once(locks));
    co_await sleep(1);
    co_await with(locks->condition, [&locks] { locks->condition.notify_all(); });
    locks->event.set();
    const auto waited = co_await as_result(wait_for(locks->barrier.wait(), 5));
    if (!waited.has_value()) {
        user.cancel();
        const auto why = co_await as_result(user);
        check(locks->barrier.n_waiting() == 0);
        if (testing::has_bad_alloc(waited.error())) {
            static_cast<void>(waited.get());
        }
        static_cast<void>(why.get());
    }
    const bool at_once = co_await locks->lock.acquire();
    check(at_once);
    co_await user;
}

TEST(NoMemory, for_locks) {
    expect_survives_each_failure(&use_locks);
}

template <class Q>
Coroutine<> fill(std::shared_ptr<Q> queue, int count) {
    for (int item = 0; item < count; ++item) {
        co_await queue->put(item);
    }
}

template <class Q>
Coroutine<> use_queue() {
    const auto queue = std::make_shared<Q>(10);
    const Task<> putter = create_task(fill(queue, 30));
    int sum = 0;
    for (int time = 0; time < 30; ++time) {
        const auto item = co_await as_result(wait_for(queue->get(), 5));
        if (!item.has_value() && putter.done()) {
            co_await putter;
        }
        sum += item.get();
        queue->task_done();
    }
    check(sum == 29 * 15);
    co_await queue->join();
    queue->shutdown();
    co_await putter;
}

TEST(NoMemory, for_queues) {
    expect_survives_each_failure(&use_queue<Queue<int>>);
    expect_survives_each_failure(&use_queue<PriorityQueue<int>>);
    expect_survives_each_failure(&use_queue<LifoQueue<int>>);
}

// ---------------------------------------------------------------------------------- generators

AsyncGenerator<std::string> lines(int count) {
    for (int number = 0; number < count; ++number) {
        co_await sleep(1);
        co_yield std::string(100, 'x');
    }
}

Coroutine<> iterate() {
    int count = 0;
    auto generator = lines(3);
    const auto body = [&count](AsyncGenerator<std::string>& each) -> Coroutine<> {
        for (int time = 0; time < 2; ++time) {
            const auto line = co_await each.next();
            count += line.has_value() ? 1 : 0;
        }
    };
    co_await with(aclosing(generator), body);
    check(count == 2);
    auto dropped = lines(1);
    const auto first = co_await dropped.next();
    check(first.has_value());
}

TEST(NoMemory, for_generators) {
    expect_survives_each_failure(&iterate);
}

Coroutine<> look_at_graph() {
    const Task<int> inner = create_task(give_after(1, 1));
    const Task<> outer = create_task(both(inner, create_task(sleep(1))));
    co_await sleep(0);
    co_await sleep(0);
    if (inner.done() || outer.done()) {
        co_await outer;
        co_await inner;
    }
    const auto graph = capture_call_graph(inner);
    check(graph.has_value() && graph->awaited_by.size() == 1);
    check(format_call_graph(inner).size() > 100);
    co_await outer;
}

TEST(NoMemory, for_call_graphs) {
    expect_survives_each_failure(&look_at_graph);
}

}  // namespace

}  // namespace asyncio
