// cancel_scope_test.cpp - CancelScope: level cancellation, shields, deadlines, and what
// Task::cancel does besides.
//
// SPDX-License-Identifier: MIT
#include <asyncio/cancel_scope.hpp>

#include <asyncio/asyncio.hpp>

#include "support/async_test.hpp"
#include "support/no_memory.hpp"
#include "support/observe.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace asyncio {

namespace {

using testing::thrown_by;
using testing::Trace;

template <class T>
std::string error_of(const Result<T>& result) {
    return describe(result.error());
}

double now() {
    return std::chrono::duration<double>(get_running_loop().time().time_since_epoch()).count();
}

/// Sleeps `times` times, whatever happens, and notes how each ended.
Coroutine<> stubborn(int times, Trace& trace) {
    for (int i = 0; i < times; ++i) {
        const auto slept = co_await as_result(sleep(1));
        trace.push_back(slept.has_value() ? "slept" : error_of(slept));
    }
}

// ------------------------------------------------------------------------------------- one scope

ASYNC_TEST(CancelScope, does_nothing_unless_it_is_cancelled) {
    CancelScope scope;
    const auto body = [&]() -> Coroutine<int> {
        co_await sleep(1);
        co_return 7;
    };
    const int result = co_await with(scope, body);

    EXPECT_EQ(result, 7);
    EXPECT_FALSE(scope.cancel_called());
    EXPECT_FALSE(scope.cancelled_caught());
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(CancelScope, throws_at_every_await_until_it_is_left) {
    CancelScope scope;
    Trace trace;
    const auto body = [&]() -> Coroutine<> {
        scope.cancel();
        EXPECT_EQ(current_task().cancelling(), 1);
        co_await stubborn(3, trace);
        const auto turned = co_await as_result(sleep(0));
        trace.push_back(error_of(turned));
        const auto waited = co_await as_result(get_running_loop().create_future<int>());
        trace.push_back(error_of(waited));
        Event event;
        const auto set = co_await as_result(event.wait());
        trace.push_back(error_of(set));
        Queue<int> queue;
        const auto got = co_await as_result(queue.get());
        trace.push_back(error_of(got));
        co_await sleep(1);
        trace.push_back("not reached");
    };
    const double start = now();
    co_await with(scope, body);

    EXPECT_EQ(trace, Trace(7, "CancelledError()"));
    EXPECT_TRUE(scope.cancelled_caught());
    EXPECT_EQ(current_task().cancelling(), 0);
    EXPECT_EQ(now(), start);
    co_await sleep(1);  // and now nothing is cancelled any more
}

ASYNC_TEST(CancelScope, is_cancelled_from_outside_while_it_waits) {
    CancelScope scope;
    Trace trace;
    get_running_loop().call_later(1.5, [&] { scope.cancel(); });
    const auto body = [&]() -> Coroutine<> { co_await stubborn(4, trace); };
    const double start = now();
    co_await with(scope, body);

    EXPECT_EQ(trace, (Trace{"slept", "CancelledError()", "CancelledError()", "CancelledError()"}));
    EXPECT_DOUBLE_EQ(now() - start, 1.5);
    EXPECT_TRUE(scope.cancel_called());
    EXPECT_FALSE(scope.cancelled_caught());  // the body took no notice, and has ended well
}

ASYNC_TEST(CancelScope, that_was_cancelled_before_cancels_as_soon_as_it_is_entered) {
    CancelScope scope;
    scope.cancel();
    Trace trace;
    const auto body = [&]() -> Coroutine<> {
        trace.push_back("begun");
        co_await sleep(1);
        trace.push_back("not reached");
    };
    co_await with(scope, body);

    EXPECT_EQ(trace, Trace{"begun"});
    EXPECT_TRUE(scope.cancelled_caught());
}

ASYNC_TEST(CancelScope, lets_other_exceptions_pass) {
    CancelScope scope;
    const auto body = [&]() -> Coroutine<> {
        scope.cancel();
        const auto slept = co_await as_result(sleep(1));
        EXPECT_EQ(error_of(slept), "CancelledError()");
        throw RuntimeError("cleanup failed");
    };
    const auto result = co_await as_result(with(scope, body));

    EXPECT_EQ(error_of(result), "RuntimeError('cleanup failed')");
    EXPECT_TRUE(scope.cancel_called());
    EXPECT_FALSE(scope.cancelled_caught());
    co_await sleep(0);
}

ASYNC_TEST(CancelScope, lets_a_cancelled_error_pass_that_is_not_its_own) {
    CancelScope scope;
    const auto body = [&]() -> Coroutine<> {
        auto future = get_running_loop().create_future<int>();
        future.cancel();
        co_await future;
    };
    const auto result = co_await as_result(with(scope, body));

    EXPECT_TRUE(result.cancelled());
    EXPECT_FALSE(scope.cancelled_caught());
}

ASYNC_TEST(CancelScope, cannot_be_entered_twice_or_left_out_of_order) {
    CancelScope outer;
    CancelScope inner;
    EXPECT_EQ(thrown_by([&] { outer.exit(nullptr); }),
              "RuntimeError('CancelScope has not been entered')");
    outer.enter();
    inner.enter();
    EXPECT_EQ(thrown_by([&] { outer.enter(); }),
              "RuntimeError('CancelScope has already been entered')");
    EXPECT_EQ(thrown_by([&] { CancelScope moved(std::move(inner)); }),
              "RuntimeError('CancelScope cannot be moved once it has been entered')");
    EXPECT_EQ(thrown_by([&] { outer.exit(nullptr); }),
              "RuntimeError('CancelScope must be left by the task that entered it, and after those "
              "inside of it')");
    auto other = create_task([&]() -> Coroutine<> {
        inner.exit(nullptr);
        co_return;
    });
    const auto left = co_await as_result(other);
    EXPECT_TRUE(error_of(left).starts_with("RuntimeError('CancelScope must be left"));

    EXPECT_FALSE(inner.exit(nullptr));
    EXPECT_FALSE(outer.exit(nullptr));
    EXPECT_EQ(thrown_by([&] { inner.enter(); }),
              "RuntimeError('CancelScope has already been entered')");
}

TEST(CancelScope, is_for_tasks) {
    EventLoop loop;
    std::string thrown;
    loop.call_soon([&] {
        CancelScope scope;
        thrown = thrown_by([&] { scope.enter(); });
        loop.stop();
    });
    loop.run_forever();
    EXPECT_EQ(thrown, "RuntimeError('CancelScope should be used inside a task')");
}

ASYNC_TEST(CancelScope, that_is_dropped_while_entered_leaves_nothing_behind) {
    {
        CancelScope scope({.deadline = get_running_loop().time() + std::chrono::seconds(1)});
        scope.enter();
    }
    co_await sleep(2);
    {
        CancelScope scope;
        scope.enter();
        scope.cancel();
    }
    EXPECT_EQ(current_task().cancelling(), 0);
    co_await sleep(2);
}

TEST(CancelScope, may_be_entered_when_the_loop_is_closed_under_it) {
    Trace trace;
    {
        EventLoop loop;
        loop.set_exception_handler([](EventLoop&, const ExceptionContext&) {});
        auto task = loop.create_task([&]() -> Coroutine<> {
            CancelScope scope({.deadline = get_running_loop().time() + std::chrono::hours(1)});
            CancelScope inner({.shield = true});
            const testing::Gone gone(trace, "gone");
            const auto body = [&]() -> Coroutine<> { co_await sleep(3600); };
            const auto both = [&]() -> Coroutine<> { co_await with(inner, body); };
            co_await with(scope, both);
        });
        loop.call_soon([&] { loop.stop(); });
        loop.run_forever();
    }
    EXPECT_EQ(trace, Trace{"gone"});
}

// ------------------------------------------------------------------------------ what was granted

ASYNC_TEST(CancelScope, takes_no_value_from_a_task_that_was_woken_with_it) {
    CancelScope scope;
    auto future = get_running_loop().create_future<int>();
    Trace trace;
    auto task = create_task([&]() -> Coroutine<> {
        const auto body = [&]() -> Coroutine<> {
            const int value = co_await future;
            trace.push_back("got " + std::to_string(value));
            co_await sleep(1);
            trace.push_back("not reached");
        };
        co_await with(scope, body);
    });
    co_await testing::settle();

    future.set_result(5);
    scope.cancel();
    co_await task;

    EXPECT_EQ(trace, Trace{"got 5"});
    EXPECT_TRUE(scope.cancelled_caught());
}

ASYNC_TEST(CancelScope, gives_the_value_of_a_task_that_does_not_let_itself_be_cancelled) {
    CancelScope scope;
    Trace trace;
    auto inner = create_task([&]() -> Coroutine<int> {
        const auto slept = co_await as_result(sleep(10));
        trace.push_back(error_of(slept));
        co_return 3;
    });
    get_running_loop().call_later(1, [&] { scope.cancel(); });
    const auto body = [&]() -> Coroutine<> {
        const int value = co_await inner;
        trace.push_back("got " + std::to_string(value));
        const auto slept = co_await as_result(sleep(1));
        trace.push_back(error_of(slept));
        co_await sleep(1);
    };
    co_await with(scope, body);

    EXPECT_EQ(trace, (Trace{"CancelledError()", "got 3", "CancelledError()"}));
    EXPECT_TRUE(scope.cancelled_caught());
}

ASYNC_TEST(CancelScope, passes_on_what_a_woken_getter_or_locker_does_not_take) {
    Queue<int> queue;
    Lock lock;
    CancelScope scope;
    Trace trace;
    auto task = create_task([&]() -> Coroutine<> {
        const auto body = [&]() -> Coroutine<> {
            const auto got = co_await as_result(queue.get());
            trace.push_back(got.has_value() ? "got" : error_of(got));
            co_await sleep(1);
        };
        co_await with(scope, body);
    });
    co_await testing::settle();
    queue.put_nowait(1);
    scope.cancel();
    co_await task;
    EXPECT_EQ(queue.qsize() + (trace == Trace{"got"} ? 1U : 0U), 1U);
    EXPECT_TRUE(scope.cancelled_caught());
    EXPECT_EQ(task.cancelling(), 0);
}

// ---------------------------------------------------------------------------------------- nesting

ASYNC_TEST(CancelScope, of_two_that_are_cancelled_the_outer_one_ends_it) {
    CancelScope outer;
    CancelScope inner;
    Trace trace;
    const auto inside = [&]() -> Coroutine<> {
        outer.cancel();
        inner.cancel();
        EXPECT_EQ(current_task().cancelling(), 2);
        co_await sleep(1);
    };
    const auto around = [&]() -> Coroutine<> {
        co_await with(inner, inside);
        trace.push_back("not reached");
    };
    co_await with(outer, around);

    EXPECT_EQ(trace, Trace{});
    EXPECT_FALSE(inner.cancelled_caught());
    EXPECT_TRUE(outer.cancelled_caught());
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(CancelScope, inside_is_cancelled_alone) {
    CancelScope outer;
    CancelScope inner;
    Trace trace;
    const auto inside = [&]() -> Coroutine<> {
        inner.cancel();
        co_await sleep(1);
    };
    const auto around = [&]() -> Coroutine<> {
        co_await with(inner, inside);
        trace.push_back("after");
        co_await sleep(1);
        trace.push_back("slept");
    };
    co_await with(outer, around);

    EXPECT_EQ(trace, (Trace{"after", "slept"}));
    EXPECT_TRUE(inner.cancelled_caught());
    EXPECT_FALSE(outer.cancelled_caught());
}

ASYNC_TEST(CancelScope, outside_goes_on_cancelling_when_the_inner_one_was_left) {
    CancelScope outer;
    Trace trace;
    const auto around = [&]() -> Coroutine<> {
        outer.cancel();
        CancelScope inner;
        inner.enter();
        const auto slept = co_await as_result(sleep(1));
        trace.push_back(error_of(slept));
        EXPECT_FALSE(inner.exit(slept.error()));
        co_await stubborn(2, trace);
    };
    co_await with(outer, around);
    EXPECT_EQ(trace, Trace(3, "CancelledError()"));
    EXPECT_EQ(current_task().cancelling(), 0);
}

// ---------------------------------------------------------------------------------------- shields

ASYNC_TEST(CancelScope, shielded_is_not_disturbed_from_around) {
    CancelScope outer;
    CancelScope shielded({.shield = true});
    Trace trace;
    const auto inside = [&]() -> Coroutine<> {
        EXPECT_EQ(current_task().cancelling(), 0);
        co_await stubborn(2, trace);
    };
    const auto around = [&]() -> Coroutine<> {
        outer.cancel();
        co_await stubborn(1, trace);
        EXPECT_EQ(current_task().cancelling(), 1);
        co_await with(shielded, inside);
        EXPECT_EQ(current_task().cancelling(), 1);
        co_await stubborn(1, trace);
    };
    co_await with(outer, around);

    EXPECT_EQ(trace, (Trace{"CancelledError()", "slept", "slept", "CancelledError()"}));
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(CancelScope, shielded_hears_of_the_outer_one_when_it_is_left) {
    CancelScope outer;
    Trace trace;
    get_running_loop().call_later(0.5, [&] { outer.cancel(); });
    const auto around = [&]() -> Coroutine<> {
        CancelScope shielded({.shield = true});
        const auto inside = [&]() -> Coroutine<> { co_await stubborn(2, trace); };
        co_await with(shielded, inside);
        co_await stubborn(2, trace);
    };
    const double start = now();
    co_await with(outer, around);
    EXPECT_EQ(trace, (Trace{"slept", "slept", "CancelledError()", "CancelledError()"}));
    EXPECT_DOUBLE_EQ(now() - start, 2);
}

ASYNC_TEST(CancelScope, shielded_can_be_cancelled_itself) {
    CancelScope outer;
    Trace trace;
    const auto around = [&]() -> Coroutine<> {
        outer.cancel();
        CancelScope shielded = move_on_after(1, {.shield = true});
        const auto inside = [&]() -> Coroutine<> { co_await sleep(10); };
        co_await with(shielded, inside);
        EXPECT_TRUE(shielded.cancelled_caught());
        trace.push_back("cleaned up");
        co_await sleep(1);
        trace.push_back("not reached");
    };
    const double start = now();
    co_await with(outer, around);
    EXPECT_EQ(trace, Trace{"cleaned up"});
    EXPECT_TRUE(outer.cancelled_caught());
    EXPECT_DOUBLE_EQ(now() - start, 1);
}

ASYNC_TEST(CancelScope, shield_can_be_taken_away_and_put_up_by_others) {
    CancelScope outer;
    CancelScope scope({.shield = true});
    Trace trace;
    get_running_loop().call_later(0.5, [&] { outer.cancel(); });
    get_running_loop().call_later(1.5, [&] { scope.set_shield(false); });
    const auto inside = [&]() -> Coroutine<> {
        co_await stubborn(2, trace);
        scope.set_shield(true);
        EXPECT_TRUE(scope.shield());
        co_await stubborn(1, trace);
    };
    const auto around = [&]() -> Coroutine<> { co_await with(scope, inside); };
    co_await with(outer, around);
    EXPECT_EQ(trace, (Trace{"slept", "CancelledError()", "slept"}));
    EXPECT_EQ(current_task().cancelling(), 0);
}

// --------------------------------------------------------------------------------------- deadlines

ASYNC_TEST(MoveOnAfter, ends_the_body_when_the_time_is_up) {
    const double start = now();
    CancelScope scope = move_on_after(1);
    const auto body = [&]() -> Coroutine<> { co_await sleep(10); };
    co_await with(scope, body);
    EXPECT_TRUE(scope.cancel_called());
    EXPECT_TRUE(scope.cancelled_caught());
    EXPECT_DOUBLE_EQ(now() - start, 1);

    CancelScope at = move_on_at(get_running_loop().time() + std::chrono::seconds(2));
    co_await with(at, body);
    EXPECT_DOUBLE_EQ(now() - start, 3);

    CancelScope never = move_on_after(std::nullopt);
    EXPECT_EQ(never.deadline(), std::nullopt);
    co_await with(never, body);
    EXPECT_DOUBLE_EQ(now() - start, 13);
}

ASYNC_TEST(MoveOnAfter, zero_cancels_the_first_await) {
    const auto body = [&](CancelScope& scope) -> Coroutine<> {
        EXPECT_TRUE(scope.cancel_called());
        co_await sleep(0);
        ADD_FAILURE();
    };
    co_await with(move_on_after(0), body);
}

ASYNC_TEST(MoveOnAfter, gives_what_its_body_gives_or_nothing) {
    const auto quick = []() -> Coroutine<std::unique_ptr<int>> {
        co_await sleep(1);
        co_return std::make_unique<int>(4);
    };
    const auto slow = []() -> Coroutine<int> {
        co_await sleep(10);
        co_return 4;
    };
    const auto wait = []() -> Coroutine<> { co_await sleep(2); };

    const auto first = co_await move_on_after(2, quick);
    const std::optional<int> second = co_await move_on_after(2, slow);
    const bool in_time = co_await move_on_after(3, wait);
    const bool too_late = co_await move_on_after(1, wait);

    EXPECT_EQ(**first, 4);
    EXPECT_EQ(second, std::nullopt);
    EXPECT_TRUE(in_time);
    EXPECT_FALSE(too_late);
    const auto bad = []() -> Coroutine<> {
        throw RuntimeError("bad");
        co_return;
    };
    const auto failed = co_await as_result(move_on_after(1, bad));
    EXPECT_EQ(error_of(failed), "RuntimeError('bad')");
}

ASYNC_TEST(MoveOnAfter, can_be_put_off) {
    const double start = now();
    CancelScope scope = move_on_after(1);
    const auto body = [&]() -> Coroutine<> {
        co_await sleep(0.5);
        scope.set_deadline(get_running_loop().time() + std::chrono::seconds(2));
        co_await sleep(1);
        scope.set_deadline(std::nullopt);
        co_await sleep(10);
        scope.set_deadline(get_running_loop().time());
        EXPECT_TRUE(scope.cancel_called());
        co_await sleep(10);
    };
    co_await with(scope, body);
    EXPECT_DOUBLE_EQ(now() - start, 11.5);
    EXPECT_TRUE(scope.cancelled_caught());
}

ASYNC_TEST(FailAfter, throws_timeout_error_when_the_time_is_up) {
    const auto slow = [] { return sleep(10); };
    const auto late = co_await as_result(fail_after(1, slow));
    EXPECT_EQ(error_of(late), "TimeoutError()");
    const auto quick = []() -> Coroutine<int> {
        co_await sleep(0.5);
        co_return 2;
    };
    const int in_time = co_await fail_after(1, quick);
    EXPECT_EQ(in_time, 2);
    const auto at = co_await as_result(
        with(fail_at(get_running_loop().time() + std::chrono::seconds(1)), slow));
    EXPECT_EQ(error_of(at), "TimeoutError()");
    EXPECT_EQ(current_task().cancelling(), 0);
    co_await sleep(0);
}

ASYNC_TEST(CurrentEffectiveDeadline, is_the_earliest_that_can_be_seen) {
    const auto seconds = [start = get_running_loop().time()](int n) {
        return start + std::chrono::seconds(n);
    };
    EXPECT_EQ(current_effective_deadline(), TimePoint::max());
    CancelScope outer({.deadline = seconds(5)});
    outer.enter();
    EXPECT_EQ(current_effective_deadline(), seconds(5));
    CancelScope inner({.deadline = seconds(9)});
    inner.enter();
    EXPECT_EQ(current_effective_deadline(), seconds(5));
    inner.set_shield(true);
    EXPECT_EQ(current_effective_deadline(), seconds(9));
    inner.set_shield(false);
    outer.cancel();
    EXPECT_EQ(current_effective_deadline(), TimePoint::min());
    inner.set_shield(true);
    EXPECT_EQ(current_effective_deadline(), seconds(9));
    inner.exit(nullptr);
    outer.exit(nullptr);
    EXPECT_EQ(current_effective_deadline(), TimePoint::max());
    co_await sleep(0);
}

// ------------------------------------------------------------------- Task::cancel() and its users

ASYNC_TEST(CancelScope, lets_a_task_cancel_pass_and_does_not_count_it_as_its_own) {
    for (const bool both : {false, true}) {
        CancelScope scope({.shield = true});
        Trace trace;
        auto task = create_task([&]() -> Coroutine<> {
            const auto body = [&]() -> Coroutine<> { co_await sleep(10); };
            const auto result = co_await as_result(with(scope, body));
            trace.push_back(error_of(result));
            trace.push_back(std::to_string(current_task().cancelling()));
            result.get();
        });
        co_await testing::settle();
        task.cancel();
        if (both) {
            scope.cancel();
        }
        const auto ended = co_await as_result(task);
        EXPECT_TRUE(ended.cancelled());
        EXPECT_EQ(trace, (Trace{"CancelledError()", "1"}));
        EXPECT_TRUE(task.cancelled());
        EXPECT_FALSE(scope.cancelled_caught());
    }
}

ASYNC_TEST(CancelScope, keeps_a_task_cancel_that_comes_after_its_own_last_await) {
    CancelScope scope;
    Trace trace;
    auto task = create_task([&]() -> Coroutine<> {
        const auto body = [&]() -> Coroutine<> {
            scope.cancel();
            const auto slept = co_await as_result(sleep(1));
            trace.push_back(error_of(slept));
            current_task().cancel();
            slept.get();
        };
        const auto result = co_await as_result(with(scope, body));
        trace.push_back(error_of(result));
        trace.push_back(std::to_string(current_task().cancelling()));
        co_await stubborn(2, trace);
    });
    const auto ended = co_await as_result(task);
    EXPECT_TRUE(ended.has_value());
    EXPECT_EQ(trace,
              (Trace{"CancelledError()", "CancelledError()", "1", "CancelledError()", "slept"}));
}

ASYNC_TEST(CancelScope, goes_on_when_a_request_of_others_was_taken_back) {
    CancelScope scope;
    Trace trace;
    const auto body = [&]() -> Coroutine<> {
        scope.cancel();
        current_task().cancel();
        EXPECT_EQ(current_task().cancelling(), 2);
        EXPECT_EQ(current_task().uncancel(), 1);
        co_await stubborn(2, trace);
        current_task().uncancel();  // the scope's: nobody should
        co_await stubborn(2, trace);
        co_await sleep(1);
    };
    co_await with(scope, body);
    EXPECT_EQ(trace, Trace(4, "CancelledError()"));
    EXPECT_TRUE(scope.cancelled_caught());
    EXPECT_EQ(current_task().cancelling(), 0);
    co_await sleep(1);
}

ASYNC_TEST(CancelScope, in_a_timeout_and_around_one) {
    const auto slow = []() -> Coroutine<> { co_await sleep(10); };
    {
        CancelScope scope = move_on_after(5);
        const auto limited = [&]() -> Coroutine<> { co_await timeout(1, slow); };
        const auto result = co_await as_result(with(scope, limited));
        EXPECT_EQ(error_of(result), "TimeoutError()");
        EXPECT_FALSE(scope.cancel_called());
    }
    {
        CancelScope scope = move_on_after(1);
        const auto limited = [&]() -> Coroutine<> { co_await timeout(5, slow); };
        const auto result = co_await as_result(with(scope, limited));
        EXPECT_EQ(error_of(result), "None");
        EXPECT_TRUE(scope.cancelled_caught());
    }
    {
        CancelScope scope = move_on_after(1);  // both at once: the outer one wins
        const auto limited = [&]() -> Coroutine<> { co_await timeout(1, slow); };
        const auto result = co_await as_result(with(scope, limited));
        EXPECT_EQ(error_of(result), "None");
        EXPECT_TRUE(scope.cancelled_caught());
    }
    {
        CancelScope scope = move_on_after(1);
        const auto moved_on = [&]() -> Coroutine<> { co_await with(scope, slow); };
        const auto result = co_await as_result(timeout(1, moved_on));
        EXPECT_EQ(error_of(result), "TimeoutError()");
        EXPECT_FALSE(scope.cancelled_caught());
    }
    EXPECT_EQ(current_task().cancelling(), 0);
    co_await sleep(1);
}

ASYNC_TEST(CancelScope, shielded_timeout_in_a_cancelled_scope_is_a_timeout) {
    CancelScope outer;
    const auto around = [&]() -> Coroutine<> {
        outer.cancel();
        CancelScope shielded({.shield = true});
        const auto inside = [&]() -> Coroutine<> {
            const auto slow = []() -> Coroutine<> { co_await sleep(10); };
            const auto limited = co_await as_result(timeout(1, slow));
            EXPECT_EQ(error_of(limited), "TimeoutError()");
            const auto group = co_await as_result(task_group([&](TaskGroup& group) {
                group.create_task([]() -> Coroutine<> {
                    throw RuntimeError("x");
                    co_return;
                });
            }));
            EXPECT_EQ(error_of(group),
                      "ExceptionGroup('unhandled errors in a TaskGroup', "
                      "[RuntimeError('x')])");
            co_await sleep(1);
        };
        co_await with(shielded, inside);
    };
    co_await with(outer, around);
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(CancelScope, cancels_the_children_of_a_group_once_and_waits_for_them) {
    CancelScope scope = move_on_after(1);
    Trace trace;
    const double start = now();
    const auto body = [&]() -> Coroutine<> {
        co_await task_group([&](TaskGroup& group) -> Coroutine<> {
            group.create_task(stubborn(3, trace));
            co_await sleep(10);
        });
        trace.push_back("not reached");
    };
    co_await with(scope, body);
    // The child is not in the scope: it is asked to end once, and its cleanup takes its time.
    EXPECT_EQ(trace, (Trace{"CancelledError()", "slept", "slept"}));
    EXPECT_DOUBLE_EQ(now() - start, 3);
    EXPECT_TRUE(scope.cancelled_caught());
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(CancelScope, lets_the_errors_of_a_group_pass) {
    CancelScope scope;
    const auto body = [&]() -> Coroutine<> {
        co_await task_group([&](TaskGroup& group) -> Coroutine<> {
            group.create_task([]() -> Coroutine<> {
                const auto slept = co_await as_result(sleep(10));
                throw RuntimeError("cleanup");
            });
            co_await sleep(0);
            scope.cancel();
            co_await sleep(10);
        });
    };
    const auto result = co_await as_result(with(scope, body));
    EXPECT_EQ(error_of(result),
              "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('cleanup')])");
    EXPECT_EQ(current_task().cancelling(), 0);
    co_await sleep(1);
}

ASYNC_TEST(CancelScope, in_a_group_that_fails_lets_it_have_its_way) {
    CancelScope scope;
    const auto result = co_await as_result(task_group([&](TaskGroup& group) -> Coroutine<> {
        group.create_task([]() -> Coroutine<> {
            co_await sleep(1);
            throw RuntimeError("x");
        });
        const auto body = []() -> Coroutine<> { co_await sleep(10); };
        co_await with(scope, body);
        ADD_FAILURE();
    }));
    EXPECT_EQ(error_of(result),
              "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('x')])");
    EXPECT_FALSE(scope.cancel_called());
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(CancelScope, does_not_keep_a_condition_from_getting_its_lock_back) {
    Condition condition;
    CancelScope scope;
    Trace trace;
    auto waiter = create_task([&]() -> Coroutine<> {
        const auto body = [&]() -> Coroutine<> {
            const auto held = co_await condition.scoped();
            const auto waited = co_await as_result(condition.wait());
            trace.push_back(error_of(waited) + (condition.locked() ? " locked" : ""));
        };
        co_await with(scope, body);
    });
    co_await testing::settle();
    co_await condition.acquire();
    scope.cancel();
    co_await sleep(3600);  // a wait that were tried again and again would stop the clock
    condition.release();
    co_await waiter;
    EXPECT_EQ(trace, Trace{"CancelledError() locked"});
}

// -------------------------------------------------------------------------------------- all of it

/// What a task does, one kind of wait after the other, in a scope.
Coroutine<> all_waits(Queue<int>& queue, Lock& lock, Event& event, int& steps) {
    co_await sleep(0);
    ++steps;
    co_await sleep(1);
    ++steps;
    const int item = co_await queue.get();
    static_cast<void>(item);
    ++steps;
    {
        const auto held = co_await lock.scoped();
        ++steps;
        co_await event.wait();
        ++steps;
    }
    Task<int> task = create_task([]() -> Coroutine<int> {
        co_await sleep(1);
        co_return 1;
    });
    const int result = co_await task;
    static_cast<void>(result);
    ++steps;
}

// Four tasks in scopes; one is cancelled at each step of the program: by its scope, by
// Task::cancel(), or by both, in either order. Nobody else is disturbed, and nothing is left.
ASYNC_TEST(CancelScope, can_be_cancelled_at_any_step_and_leaves_no_trace) {
    constexpr int tasks = 4;
    enum Way { by_scope, by_task, scope_then_task, task_then_scope, ways };
    for (int victim = 0; victim < tasks; ++victim) {
        for (int way = 0; way < ways; ++way) {
            for (int step = 0; step < 40; ++step) {
                Queue<int> queue;
                Lock lock;
                Event event;
                CancelScope scopes[tasks];
                int steps[tasks] = {};
                bool reached_end[tasks] = {};
                std::vector<Task<>> all;
                for (int i = 0; i < tasks; ++i) {
                    all.push_back(create_task([&, i]() -> Coroutine<> {
                        const auto body = [&, i]() -> Coroutine<> {
                            co_await all_waits(queue, lock, event, steps[i]);
                        };
                        co_await with(scopes[i], body);
                        EXPECT_EQ(current_task().cancelling(), 0);
                        co_await sleep(0);
                        co_await sleep(1);
                        reached_end[i] = true;
                    }));
                }
                get_running_loop().call_later(2, [&] {
                    for (int i = 0; i < tasks; ++i) {
                        queue.put_nowait(i);
                    }
                });
                get_running_loop().call_later(3, [&] { event.set(); });
                for (int i = 0; i < step; ++i) {
                    const Duration pause = i % 8 == 7 ? Duration(0.25) : Duration(0);
                    co_await sleep(pause);
                }
                bool was_done = all[victim].done();
                bool was_left = reached_end[victim] || steps[victim] == 6;
                if (way == by_scope || way == scope_then_task) {
                    scopes[victim].cancel();
                }
                if (way != by_scope) {
                    all[victim].cancel();
                }
                if (way == task_then_scope) {
                    scopes[victim].cancel();
                }
                const auto ended = co_await as_result(gather(return_exceptions, all));
                EXPECT_TRUE(ended.has_value());
                for (int i = 0; i < tasks; ++i) {
                    const bool cancelled = i == victim && way != by_scope && !was_done;
                    EXPECT_EQ(all[i].cancelled(), cancelled)
                        << victim << " " << way << " " << step << " " << i;
                    EXPECT_EQ(reached_end[i], !cancelled);
                    if (i != victim) {
                        EXPECT_EQ(steps[i], 6);
                    } else if (way == by_scope && !was_left) {
                        EXPECT_LT(steps[i], 6);
                        EXPECT_TRUE(scopes[i].cancelled_caught());
                    }
                }
                EXPECT_FALSE(lock.locked());
            }
        }
    }
}

// ---------------------------------------------------------------------- whose request is it?

ASYNC_TEST(CancelScope, does_not_end_a_task_cancel_that_was_pending_when_it_was_entered) {
    CancelScope scope;
    const auto work = [&]() -> Coroutine<> {
        current_task().cancel();
        scope.cancel();
        co_await with(scope, []() -> Coroutine<> { co_await sleep(1); });
        ADD_FAILURE();
    };
    auto task = create_task(work());
    const auto ended = co_await as_result(task);
    EXPECT_EQ(error_of(ended).substr(0, 14), "CancelledError");
    EXPECT_TRUE(task.cancelled());
    EXPECT_FALSE(scope.cancelled_caught());
}

ASYNC_TEST(CancelScope, has_a_request_that_uncancel_does_not_take_back) {
    CancelScope scope;
    const auto work = [&]() -> Coroutine<> {
        const auto body = [&]() -> Coroutine<> {
            scope.cancel();
            EXPECT_EQ(current_task().uncancel(), 1);
            const auto slept = co_await as_result(sleep(1));
            EXPECT_EQ(error_of(slept), "CancelledError()");
            current_task().cancel("really");
            EXPECT_EQ(current_task().cancelling(), 2);
            co_await sleep(1);
        };
        co_await with(scope, body);
        ADD_FAILURE();
    };
    auto task = create_task(work());
    const auto ended = co_await as_result(task);
    EXPECT_EQ(error_of(ended).substr(0, 14), "CancelledError");
    EXPECT_TRUE(task.cancelled());
    EXPECT_FALSE(scope.cancelled_caught());
}

ASYNC_TEST(CancelScope, that_was_cancelled_wins_over_a_timeout_that_is_entered_in_it) {
    CancelScope scope;
    scope.cancel();
    const auto body = [&]() -> Coroutine<> {
        co_await timeout(0, []() -> Coroutine<> { co_await sleep(1); });
    };
    const auto ended = co_await as_result(with(scope, body));
    EXPECT_EQ(error_of(ended), "None");
    EXPECT_TRUE(scope.cancelled_caught());
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(CancelScope, may_outlive_the_task_that_has_not_left_it) {
    auto scope = std::make_unique<CancelScope>(CancelScopeOptions{.deadline = TimePoint::max()});
    {
        const auto careless = [&]() -> Coroutine<> {
            scope->enter();
            co_return;
        };
        auto task = create_task(careless());
        co_await task;
    }
    co_await sleep(0);
    scope->cancel();
    scope.reset();
}

ASYNC_TEST(CancelScope, that_gets_no_memory_for_its_deadline_is_not_entered) {
    constexpr int more_than_there_is_room_for = 1000;
    const TimePoint deadline = get_running_loop().time() + std::chrono::hours(1);
    std::vector<std::unique_ptr<CancelScope>> scopes;
    for (int i = 0; i < more_than_there_is_room_for; ++i) {
        scopes.push_back(std::make_unique<CancelScope>(CancelScopeOptions{.deadline = deadline}));
    }
    scopes[0]->enter();
    std::size_t entered = 1;
    {
        const testing::NoMemory no_memory(256);  // but for the exception
        try {
            for (; entered < scopes.size(); ++entered) {
                scopes[entered]->enter();
            }
        } catch (const std::bad_alloc&) {}
    }
    EXPECT_LT(entered, scopes.size());
    while (entered > 0) {
        --entered;
        EXPECT_FALSE(scopes[entered]->exit(nullptr));
    }
    EXPECT_EQ(current_effective_deadline(), TimePoint::max());
    co_return;
}

}  // namespace

}  // namespace asyncio
