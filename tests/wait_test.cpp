// wait_test.cpp - wait() and wait_for().
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/graph.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/timeouts.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace asyncio {

using namespace std::chrono_literals;
using testing::Reports;
using testing::settle;
using testing::Trace;

namespace {

Coroutine<int> after(double seconds, int value) {
    co_await sleep(seconds);
    co_return value;
}
Coroutine<int> fail(double seconds, std::string why) {
    co_await sleep(seconds);
    throw RuntimeError(why);
}
/// Asked to end, gives a value after some time.
Coroutine<std::string> rescued(double cleanup) {
    auto slept = co_await as_result(sleep(100));
    co_await sleep(cleanup);
    co_return describe(slept.error());
}

std::chrono::nanoseconds now() {
    return get_running_loop().time().time_since_epoch();
}

ASYNC_TEST(Wait, until_all_are_done) {
    const auto start = now();
    const std::vector<Task<int>> tasks{create_task(after(2, 1)), create_task(fail(3, "x")),
                                       create_task(after(1, 2))};

    auto [done, pending] = co_await wait(tasks);

    EXPECT_EQ(done, (std::vector<AnyFuture>(tasks.begin(), tasks.end())));
    EXPECT_TRUE(pending.empty());
    EXPECT_EQ(now() - start, 3s);
    EXPECT_EQ(describe(tasks[1].exception()), "RuntimeError('x')");
}

ASYNC_TEST(Wait, until_the_first_is_done) {
    const auto start = now();
    const std::vector<Task<int>> tasks{create_task(after(2, 1)), create_task(after(1, 2)),
                                       create_task(after(3, 3))};

    auto [done, pending] = co_await wait(tasks, {.return_when = FIRST_COMPLETED});

    EXPECT_EQ(done, std::vector<AnyFuture>{tasks[1]});
    EXPECT_EQ(pending, (std::vector<AnyFuture>{tasks[0], tasks[2]}));
    EXPECT_EQ(now() - start, 1s);
    co_await sleep(5);
    EXPECT_EQ(tasks[2].result(), 3);  // it was left alone
}

ASYNC_TEST(Wait, until_the_first_fails_and_a_cancelled_one_has_not_failed) {
    const auto start = now();
    const std::vector<Task<int>> tasks{create_task(after(1, 1)), create_task(after(2, 2)),
                                       create_task(fail(3, "x")), create_task(after(4, 4))};
    get_running_loop().call_later(2, [task = tasks[1]] { task.cancel(); });

    auto [done, pending] = co_await wait(tasks, {.return_when = FIRST_EXCEPTION});

    EXPECT_EQ(done, (std::vector<AnyFuture>{tasks[0], tasks[1], tasks[2]}));
    EXPECT_EQ(pending, std::vector<AnyFuture>{tasks[3]});
    EXPECT_EQ(now() - start, 3s);
    tasks[3].cancel();
}

ASYNC_TEST(Wait, for_the_first_failure_returns_when_all_are_done_without_one) {
    const std::vector<Task<int>> tasks{create_task(after(1, 1)), create_task(after(2, 2))};

    auto [done, pending] = co_await wait(tasks, {.return_when = FIRST_EXCEPTION});

    EXPECT_EQ(done.size(), 2U);
    EXPECT_TRUE(pending.empty());
}

ASYNC_TEST(Wait, with_a_limit_neither_throws_nor_cancels) {
    const auto start = now();
    const std::vector<Task<int>> tasks{create_task(after(1, 1)), create_task(after(5, 5))};

    auto [done, pending] = co_await wait(tasks, {.timeout = 2});

    EXPECT_EQ(done, std::vector<AnyFuture>{tasks[0]});
    EXPECT_EQ(pending, std::vector<AnyFuture>{tasks[1]});
    EXPECT_EQ(now() - start, 2s);
    const int value = co_await tasks[1];
    EXPECT_EQ(value, 5);
}

ASYNC_TEST(Wait, that_is_cancelled_leaves_the_tasks_alone) {
    auto task = create_task(after(2, 7));
    const std::vector<Task<int>> tasks{task};
    auto waiting = create_task(wait(tasks, {.timeout = 9}));
    co_await settle();

    waiting.cancel("enough");
    auto result = co_await as_result(waiting);
    const int value = co_await task;

    EXPECT_EQ(describe(result.error()), "CancelledError('enough')");
    EXPECT_EQ(value, 7);
    EXPECT_EQ(task.cancelling(), 0);
}

ASYNC_TEST(Wait, counts_what_ends_in_the_turn_in_which_the_time_is_up) {
    const auto start = now();
    const std::vector<Task<int>> tasks{create_task(after(1, 1)), create_task(after(2, 2))};
    co_await sleep(0);  // both have begun to sleep

    auto [done, pending] = co_await wait(tasks, {.timeout = 1});

    EXPECT_EQ(done, std::vector<AnyFuture>{tasks[0]});
    EXPECT_EQ(pending, std::vector<AnyFuture>{tasks[1]});
    EXPECT_EQ(now() - start, 1s);
}

ASYNC_TEST(Wait, for_the_first_failure_returns_at_once_if_one_has_failed) {
    const std::vector<Task<int>> tasks{create_task(after(9, 1)), create_task(fail(0, "x"))};
    co_await settle();
    const auto start = now();

    auto [done, pending] = co_await wait(tasks, {.return_when = FIRST_EXCEPTION});

    EXPECT_EQ(done, std::vector<AnyFuture>{tasks[1]});
    EXPECT_EQ(pending, std::vector<AnyFuture>{tasks[0]});
    EXPECT_EQ(now(), start);
}

ASYNC_TEST(Wait, that_is_over_no_longer_shows_in_the_call_graph_of_what_is_pending) {
    auto task = create_task(after(5, 1));
    const std::vector<Task<int>> tasks{task};
    auto waiting = create_task(wait(tasks, {.timeout = 1}));
    co_await settle();
    const auto meanwhile = capture_call_graph(task);

    co_await waiting;
    const auto afterwards = capture_call_graph(task);

    EXPECT_EQ(meanwhile->awaited_by.size(), 1U);
    EXPECT_FALSE(task.done());
    EXPECT_TRUE(afterwards->awaited_by.empty());
}

ASYNC_TEST(Wait, for_what_is_done_already_and_for_one_twice) {
    auto future = get_running_loop().create_future<int>();
    future.set_result(1);
    const std::vector<Future<int>> futures{future, future};

    auto [done, pending] = co_await wait(futures);

    EXPECT_EQ(done, std::vector<AnyFuture>{future});
    EXPECT_TRUE(pending.empty());
}

ASYNC_TEST(Wait, for_nothing_is_an_error) {
    auto result = co_await as_result(wait(std::vector<AnyFuture>{}));

    EXPECT_EQ(describe(result.error()), "ValueError('Set of Tasks/Futures is empty.')");
}

ASYNC_TEST(Wait, for_an_empty_handle_is_an_error) {
    const std::vector<AnyFuture> futures{create_task(after(1, 1)), AnyFuture()};

    auto result = co_await as_result(wait(futures));

    EXPECT_EQ(describe(result.error()), "RuntimeError('this handle of a future is empty')");
}

ASYNC_TEST(Wait, for_futures_of_different_types) {
    auto number = create_task(after(1, 1));
    auto nothing = create_task(sleep(2));
    const std::vector<AnyFuture> futures{number, nothing};

    auto [done, pending] = co_await wait(futures);

    EXPECT_EQ(done, futures);
}

ASYNC_TEST(Wait, whose_task_is_cancelled_in_the_turn_in_which_it_is_over_throws) {
    auto future = get_running_loop().create_future<int>();
    const std::vector<Future<int>> futures{future};
    auto waiting = create_task(wait(futures));
    co_await settle();

    future.set_result(1);
    waiting.cancel("both");
    auto result = co_await as_result(waiting);

    EXPECT_EQ(describe(result.error()), "CancelledError('both')");
}

// ------------------------------------------------------------------------------------ wait_for

ASYNC_TEST(WaitFor, gives_the_result_in_time) {
    const int coroutine = co_await wait_for(after(1, 1), 2);
    auto task = create_task(after(1, 2));
    const int of_task = co_await wait_for(task, 2s);
    const int without = co_await wait_for(after(1, 3), std::nullopt);
    const std::string of_sleep = co_await wait_for(sleep(1, std::string("slept")), 2);

    EXPECT_EQ(coroutine + of_task + without, 6);
    EXPECT_EQ(of_sleep, "slept");
}

ASYNC_TEST(WaitFor, runs_a_coroutine_in_the_task_of_the_caller) {
    auto who = []() -> Coroutine<AnyTask> { co_return current_task(); };

    const AnyTask task = co_await wait_for(who, 1);

    EXPECT_TRUE(task == current_task());
}

ASYNC_TEST(WaitFor, throws_when_the_time_is_up_and_has_cancelled_what_it_waited_for) {
    const auto start = now();
    auto task = create_task(after(5, 1));

    auto result = co_await as_result(wait_for(task, 2));

    EXPECT_EQ(describe(result.error()), "TimeoutError()");
    EXPECT_TRUE(task.cancelled());
    EXPECT_EQ(now() - start, 2s);
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(WaitFor, waits_until_what_it_cancelled_has_ended) {
    const auto start = now();
    auto cleanup = []() -> Coroutine<> {
        auto slept = co_await as_result(sleep(100));
        co_await sleep(3);
        slept.get();
    };
    auto task = create_task(cleanup);

    auto result = co_await as_result(wait_for(task, 1));

    EXPECT_EQ(describe(result.error()), "TimeoutError()");
    EXPECT_EQ(now() - start, 4s);
}

ASYNC_TEST(WaitFor, gives_the_value_of_what_ended_with_one_although_it_was_cancelled) {
    auto task = create_task(rescued(1));
    const std::string of_task = co_await wait_for(task, 1);
    const std::string of_coroutine = co_await wait_for(rescued(1), 1);
    auto refuses = create_task(rescued(0));
    co_await sleep(0);  // it has begun
    const std::string at_once = co_await wait_for(refuses, 0);

    EXPECT_EQ(of_task, "CancelledError()");
    EXPECT_EQ(of_coroutine, "CancelledError()");
    EXPECT_EQ(at_once, "CancelledError()");
}

ASYNC_TEST(WaitFor, throws_what_it_waited_for_throws_when_cancelled) {
    auto cleanup = []() -> Coroutine<> {
        auto slept = co_await as_result(sleep(100));
        throw RuntimeError("cleanup");
    };
    auto result = co_await as_result(wait_for(cleanup, 1));

    EXPECT_EQ(describe(result.error()), "RuntimeError('cleanup')");
}

ASYNC_TEST(WaitFor, with_no_time_gives_what_is_done_and_never_begins_a_coroutine) {
    auto done = get_running_loop().create_future<int>();
    done.set_result(3);
    bool begun = false;
    auto body = [&begun]() -> Coroutine<> {
        begun = true;
        co_return;
    };

    const int value = co_await wait_for(done, 0);
    auto zero = co_await as_result(wait_for(body, 0));
    auto negative = co_await as_result(wait_for(body, -1));

    EXPECT_EQ(value, 3);
    EXPECT_EQ(describe(zero.error()), "TimeoutError()");
    EXPECT_EQ(describe(negative.error()), "TimeoutError()");
    EXPECT_FALSE(begun);
}

ASYNC_TEST(WaitFor, with_no_time_cancels_what_has_begun_and_waits_until_it_has_ended) {
    for (const int limit : {0, -1}) {
        Trace trace;
        auto cleanup = [&]() -> Coroutine<> {
            auto slept = co_await as_result(sleep(100));
            co_await sleep(3);
            trace.push_back("cleaned up");
            slept.get();
        };
        auto task = create_task(cleanup);
        co_await sleep(0);

        auto result = co_await as_result(wait_for(task, limit));

        EXPECT_EQ(describe(result.error()), "TimeoutError()");
        EXPECT_TRUE(task.cancelled());
        EXPECT_EQ(trace, Trace{"cleaned up"});
    }
}

ASYNC_TEST(WaitFor, without_a_limit_that_is_cancelled_cancels_what_it_waits_for) {
    auto future = get_running_loop().create_future<int>();
    auto block = [future]() mutable -> Coroutine<> { co_await future; };
    auto task = create_task(block);
    auto waiting = create_task(wait_for(task, std::nullopt));
    get_running_loop().call_soon([&] { waiting.cancel(); });

    auto result = co_await as_result(waiting);

    EXPECT_TRUE(result.cancelled());
    EXPECT_TRUE(task.cancelled());
}

ASYNC_TEST(WaitFor, cancelled_waits_for_one_that_refuses_to_be) {
    Trace trace;
    auto slow = [&]() -> Coroutine<> {
        auto slept = co_await as_result(sleep(0.2));
        trace.push_back(describe(slept.error()));
        co_await sleep(0.2);
        trace.push_back("ended");
    };
    auto waiting = create_task(wait_for(slow, 0.4));
    co_await settle();

    waiting.cancel();
    co_await waiting;  // its value counts

    EXPECT_EQ(trace, (Trace{"CancelledError()", "ended"}));
    EXPECT_FALSE(waiting.cancelled());
}

ASYNC_TEST(WaitFor, cancelled_in_the_turn_in_which_the_task_has_ended_does_not_go_on) {
    auto at_once = []() -> Coroutine<int> { co_return 1; };
    auto inner = create_task(at_once);
    bool reached_the_end = false;
    auto waits = [&]() -> Coroutine<> {
        co_await wait_for(inner, 100);
        co_await sleep(1);
        reached_the_end = true;
    };
    auto task = create_task(waits);
    co_await sleep(0);

    task.cancel();
    auto result = co_await as_result(task);
    const int value = co_await inner;

    EXPECT_TRUE(result.cancelled());
    EXPECT_EQ(value, 1);
    EXPECT_FALSE(reached_the_end);
}

ASYNC_TEST(WaitFor, a_shield_leaves_the_task_alone_when_the_time_is_up) {
    for (const double limit : {0.0, 0.01}) {
        auto task = create_task(after(1, 5));
        auto shielded = shield(task);

        auto result = co_await as_result(wait_for(shielded, limit));

        EXPECT_EQ(describe(result.error()), "TimeoutError()");
        EXPECT_TRUE(shielded.cancelled());
        EXPECT_FALSE(task.done());
        const int value = co_await task;
        EXPECT_EQ(value, 5);
    }
    auto task = create_task(after(1, 6));
    const int in_time = co_await wait_for(shield(task), std::nullopt);
    EXPECT_EQ(in_time, 6);
    EXPECT_TRUE(task.done());
}

ASYNC_TEST(WaitFor, cancelled_from_outside_cancels_what_it_waits_for) {
    auto inner = create_task(after(9, 1));
    auto outer = create_task(wait_for(inner, 5));
    co_await settle();

    outer.cancel("outside");
    auto result = co_await as_result(outer);

    EXPECT_EQ(describe(result.error()), "CancelledError('outside')");
    EXPECT_TRUE(inner.cancelled());
}

ASYNC_TEST(WaitFor, what_it_waits_for_may_be_cancelled_by_others) {
    auto inner = create_task(after(9, 1));
    get_running_loop().call_later(1, [inner] { inner.cancel("inner"); });

    auto result = co_await as_result(wait_for(inner, 5));

    EXPECT_EQ(describe(result.error()), "CancelledError('inner')");
    EXPECT_EQ(current_task().cancelling(), 0);
}

// Both in one turn, in both orders: CPython gives the value only if the task runs before the timer.
ASYNC_TEST(WaitFor, whose_future_is_done_in_the_turn_in_which_the_time_is_up) {
    auto& loop = get_running_loop();
    auto before = loop.create_future<int>();
    const TimePoint when = loop.time() + 1s;
    loop.call_at(when, [&] { before.set_result(1); });
    auto first = create_task(wait_for(before, 1));
    auto after_it = loop.create_future<int>();
    auto second = create_task(wait_for(after_it, 1));
    co_await sleep(0);
    loop.call_at(when, [&] {
        if (!after_it.done()) {
            after_it.set_result(2);
        }
    });

    auto value_first = co_await as_result(first);
    auto timer_first = co_await as_result(second);

    EXPECT_EQ(describe(value_first.error()), "TimeoutError()");
    EXPECT_EQ(describe(timer_first.error()), "TimeoutError()");
    EXPECT_EQ(before.result(), 1);
    EXPECT_TRUE(after_it.cancelled());
}

ASYNC_TEST(WaitFor, keeps_references) {
    int object = 1;
    auto give = [&object]() -> Coroutine<int&> { co_return object; };
    auto task = create_task(give);

    int& of_coroutine = co_await wait_for(give(), 1);
    int& of_task = co_await wait_for(task, 1);
    int& at_once = co_await wait_for(task, 0);

    EXPECT_EQ(&of_coroutine, &object);
    EXPECT_EQ(&of_task, &object);
    EXPECT_EQ(&at_once, &object);
}

ASYNC_TEST(WaitFor, a_task_without_the_type_of_its_result) {
    auto task = create_task(after(1, 1));
    const AnyTask any = task;
    const AnyFuture failing = create_task(fail(1, "x"));

    co_await wait_for(any, 2);
    auto failed = co_await as_result(wait_for(failing, 2));
    auto late = co_await as_result(wait_for(AnyTask(create_task(after(9, 1))), 0));

    EXPECT_EQ(task.result(), 1);
    EXPECT_EQ(describe(failed.error()), "RuntimeError('x')");
    EXPECT_EQ(describe(late.error()), "TimeoutError()");
}

}  // namespace

}  // namespace asyncio
