// timeouts_test.cpp - timeout(): who is told that the time is up, and who only that it was
// cancelled.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/tasks.hpp>
#include <asyncio/timeouts.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace asyncio {

using namespace std::chrono_literals;
using testing::settle;
using testing::thrown_by;
using testing::Trace;

namespace {

template <class A>
Coroutine<std::string> error_of(A awaitable) {
    auto result = co_await as_result(std::move(awaitable));
    co_return describe(result.error());
}

ASYNC_TEST(Timeout, turns_its_own_cancellation_into_a_timeout_error) {
    const TimePoint start = get_running_loop().time();
    Timeout limit = timeout(2.5);
    std::string inside;
    auto limited = with(limit, [&]() -> Coroutine<> {
        auto slept = co_await as_result(sleep(10));
        inside = describe(slept.error());
        slept.get();
    });

    const std::string error = co_await error_of(std::move(limited));

    EXPECT_EQ(error, "TimeoutError()");
    EXPECT_EQ(inside, "CancelledError()");
    EXPECT_TRUE(limit.expired());
    EXPECT_EQ(get_running_loop().time() - start, 2500ms);
    EXPECT_EQ(current_task().cancelling(), 0);
    co_await sleep(1);  // nothing is left of the request
}

ASYNC_TEST(Timeout, does_nothing_when_the_body_is_done_in_time) {
    Timeout limit = timeout(2);
    auto body = [&]() -> Coroutine<int> {
        co_await sleep(1);
        co_return 5;
    };
    const TimePoint when = *limit.when();

    const int result = co_await with(limit, body);
    co_await sleep(9);

    EXPECT_EQ(result, 5);
    EXPECT_FALSE(limit.expired());
    EXPECT_EQ(limit.when(), when);
}

ASYNC_TEST(Timeout, takes_any_kind_of_delay_and_a_body_at_once) {
    auto quick = [] { return 7; };
    const int by_number = co_await timeout(1, quick);
    const int by_chrono = co_await timeout(20ms, quick);
    const int without = co_await timeout(std::nullopt, quick);

    EXPECT_EQ(by_number + by_chrono + without, 21);
    const Timeout none = timeout(std::nullopt);
    EXPECT_FALSE(none.when().has_value());
}

ASYNC_TEST(Timeout, at_a_time_on_the_clock_of_the_loop) {
    const TimePoint when = get_running_loop().time() + 3s;
    Timeout limit = timeout_at(when);

    const std::string error = co_await error_of(with(limit, [] { return sleep(10); }));

    EXPECT_EQ(error, "TimeoutError()");
    EXPECT_EQ(limit.when(), when);
    EXPECT_EQ(get_running_loop().time(), when);
}

ASYNC_TEST(Timeout, of_zero_fires_at_the_first_await_that_waits) {
    for (const double delay : {0.0, -1.0}) {
        int steps = 0;
        auto body = [&]() -> Coroutine<> {
            ++steps;
            co_await sleep(0);
            ++steps;
            co_await sleep(0);
            ++steps;
        };

        const std::string error = co_await error_of(timeout(delay, body));

        EXPECT_EQ(error, "TimeoutError()");
        EXPECT_EQ(steps, 1);
    }
}

ASYNC_TEST(Timeout, of_zero_or_less_has_its_time_and_is_expired) {
    auto& loop = get_running_loop();
    for (const int seconds : {0, -11}) {
        const TimePoint start = loop.time();
        Timeout limit = timeout(seconds);
        Timeout longer = timeout(seconds);

        const std::string error = co_await error_of(with(limit, [] { return sleep(0); }));
        const std::string slept = co_await error_of(with(longer, [] { return sleep(10); }));

        EXPECT_EQ(error, "TimeoutError()");
        EXPECT_EQ(slept, "TimeoutError()");
        EXPECT_TRUE(limit.expired() && longer.expired());
        EXPECT_EQ(limit.when(), start + seconds * 1s);
        EXPECT_EQ(loop.time(), start);
    }
}

ASYNC_TEST(Timeout, without_a_time_never_expires) {
    Timeout limit = timeout(std::nullopt);
    Timeout limit_at = timeout_at(std::nullopt);

    co_await with(limit, [] { return sleep(10); });
    co_await with(limit_at, [] { return sleep(10); });

    EXPECT_FALSE(limit.expired() || limit_at.expired());
    EXPECT_FALSE(limit.when().has_value() || limit_at.when().has_value());
}

ASYNC_TEST(Timeout, never_interrupts_a_body_that_does_not_wait) {
    const int result = co_await timeout(0, [] { return 4; });

    EXPECT_EQ(result, 4);
    EXPECT_EQ(current_task().cancelling(), 0);
    co_await sleep(0);
}

ASYNC_TEST(Timeout, gives_the_result_of_a_body_that_ends_well_after_the_time_was_up) {
    Timeout limit = timeout(1);
    auto body = []() -> Coroutine<std::string> {
        auto slept = co_await as_result(sleep(10));
        co_return "rescued from " + describe(slept.error());
    };

    const std::string result = co_await with(limit, body);

    EXPECT_EQ(result, "rescued from CancelledError()");
    EXPECT_TRUE(limit.expired());
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(Timeout, lets_other_errors_of_the_body_pass) {
    Timeout limit = timeout(1);
    auto body = []() -> Coroutine<> {
        auto slept = co_await as_result(sleep(10));
        throw RuntimeError("cleanup");
    };

    const std::string late = co_await error_of(with(limit, body));
    const std::string early = co_await error_of(timeout(1, [] { throw RuntimeError("early"); }));

    EXPECT_EQ(late, "RuntimeError('cleanup')");
    EXPECT_TRUE(limit.expired());
    EXPECT_EQ(early, "RuntimeError('early')");
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(Timeout, lets_a_cancellation_from_outside_pass) {
    std::optional<bool> expired;
    auto body = [&]() -> Coroutine<> {
        Timeout limit = timeout(10);
        auto limited = co_await as_result(with(limit, [] { return sleep(100); }));
        expired = limit.expired();
        limited.get();
    };
    auto task = create_task(body());
    co_await sleep(1);

    task.cancel("outside");
    const std::string error = co_await error_of(task);

    EXPECT_EQ(error, "CancelledError('outside')");
    EXPECT_EQ(expired, std::optional(false));
}

// The request of the timeout and one from outside in one turn: CancelledError, whichever came
// first.
ASYNC_TEST(Timeout, loses_to_a_cancellation_from_outside_in_the_same_turn) {
    auto& loop = get_running_loop();
    const TimePoint when = loop.time() + 1s;
    auto body = [](TimePoint when, bool& expired) -> Coroutine<> {
        Timeout limit = timeout_at(when);
        auto limited = co_await as_result(with(limit, [] { return sleep(100); }));
        expired = limit.expired();
        limited.get();
    };
    bool expired_first = false;
    bool expired_second = true;
    Task<> second;
    loop.call_at(when, [&] { second.cancel("outside"); });
    auto first = create_task(body(when, expired_first));
    second = create_task(body(when, expired_second));
    co_await sleep(0);
    loop.call_at(when, [&] { first.cancel("outside"); });

    const std::string timeout_first = co_await error_of(first);
    const std::string outside_first = co_await error_of(second);

    EXPECT_EQ(timeout_first, "CancelledError()");  // the message of the first request
    EXPECT_EQ(outside_first, "CancelledError('outside')");
    EXPECT_TRUE(expired_first);
    EXPECT_TRUE(first.cancelled());
    EXPECT_TRUE(second.cancelled());
}

ASYNC_TEST(Timeout, that_expires_when_the_awaited_future_is_done_still_times_out) {
    auto& loop = get_running_loop();
    auto future = loop.create_future<int>();
    const TimePoint when = loop.time() + 1s;
    loop.call_at(when, [&] { future.set_result(1); });  // before the timer of the timeout
    auto body = [&]() -> Coroutine<int> { co_return co_await future; };

    const std::string error = co_await error_of(with(timeout_at(when), body));

    EXPECT_EQ(error, "TimeoutError()");
    EXPECT_EQ(future.result(), 1);
}

ASYNC_TEST(Timeout, nested_the_outer_one_first_leaves_the_inner_one_unexpired) {
    Timeout outer = timeout(1);
    Timeout inner = timeout(5);
    std::string inside;
    auto body = [&]() -> Coroutine<> {
        auto limited = co_await as_result(with(inner, [] { return sleep(9); }));
        inside = describe(limited.error());
        limited.get();
    };

    const std::string error = co_await error_of(with(outer, body));

    EXPECT_EQ(inside, "CancelledError()");
    EXPECT_EQ(error, "TimeoutError()");
    EXPECT_TRUE(outer.expired());
    EXPECT_FALSE(inner.expired());
}

ASYNC_TEST(Timeout, nested_and_expiring_together_the_outer_one_raises) {
    const TimePoint when = get_running_loop().time() + 1s;
    Timeout outer = timeout_at(when);
    Timeout inner = timeout_at(when);
    std::string inside;
    auto body = [&]() -> Coroutine<> {
        auto limited = co_await as_result(with(inner, [] { return sleep(9); }));
        inside = describe(limited.error());
        limited.get();
    };

    const std::string error = co_await error_of(with(outer, body));

    EXPECT_EQ(inside, "CancelledError()");
    EXPECT_EQ(error, "TimeoutError()");
    EXPECT_TRUE(outer.expired());
    EXPECT_TRUE(inner.expired());
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(Timeout, nested_the_inner_one_first_only_ends_the_inner_block) {
    Trace trace;
    Timeout outer = timeout(5);
    auto body = [&]() -> Coroutine<> {
        auto limited = co_await as_result(timeout(1, [] { return sleep(9); }));
        trace.push_back(describe(limited.error()));
        co_await sleep(1);
        trace.push_back("goes on");
    };

    co_await with(outer, body);

    EXPECT_EQ(trace, (Trace{"TimeoutError()", "goes on"}));
    EXPECT_FALSE(outer.expired());
}

ASYNC_TEST(Timeout, can_be_rescheduled_while_it_is_active) {
    auto& loop = get_running_loop();
    const TimePoint start = loop.time();
    Timeout limit = timeout(1);
    auto body = [&]() -> Coroutine<> {
        co_await sleep(0.5);
        limit.reschedule(start + 4s);
        co_await sleep(2);
        limit.reschedule(std::nullopt);
        EXPECT_FALSE(limit.when().has_value());
        co_await sleep(10);
        limit.reschedule(start);  // past: in the next turn
        co_await sleep(10);
    };

    const std::string error = co_await error_of(with(limit, body));

    EXPECT_EQ(error, "TimeoutError()");
    EXPECT_EQ(loop.time() - start, 12500ms);
}

ASYNC_TEST(Timeout, switched_off_by_another_task_lets_a_cancellation_pass) {
    const TimePoint deadline = get_running_loop().time() + 10s;
    Timeout limit = timeout_at(deadline);
    auto task = create_task(with(limit, [] { return sleep(50); }));
    co_await settle();

    EXPECT_EQ(limit.when(), deadline);
    limit.reschedule(deadline + 20s);
    EXPECT_EQ(limit.when(), deadline + 20s);
    limit.reschedule(std::nullopt);
    EXPECT_FALSE(limit.when().has_value());
    task.cancel();
    const std::string error = co_await error_of(task);

    EXPECT_EQ(error, "CancelledError()");
    EXPECT_FALSE(limit.expired());
}

ASYNC_TEST(Timeout, cannot_be_rescheduled_before_after_or_once_it_is_up) {
    Timeout limit = timeout(1);
    std::string while_expiring;
    const std::string before = thrown_by([&] { limit.reschedule(std::nullopt); });
    auto body = [&]() -> Coroutine<> {
        auto slept = co_await as_result(sleep(9));
        while_expiring = thrown_by([&] { limit.reschedule(std::nullopt); });
        slept.get();
    };
    const std::string error = co_await error_of(with(limit, body));
    const std::string after = thrown_by([&] { limit.reschedule(std::nullopt); });
    Timeout in_time = timeout(1);
    co_await with(in_time, [] {});
    const std::string finished = thrown_by([&] { in_time.reschedule(std::nullopt); });

    EXPECT_EQ(error, "TimeoutError()");
    EXPECT_EQ(before, "RuntimeError('Timeout has not been entered')");
    EXPECT_EQ(while_expiring, "RuntimeError('Cannot change state of expiring Timeout')");
    EXPECT_EQ(after, "RuntimeError('Cannot change state of expired Timeout')");
    EXPECT_EQ(finished, "RuntimeError('Cannot change state of finished Timeout')");
}

ASYNC_TEST(Timeout, cannot_be_entered_twice) {
    Timeout limit = timeout(1);
    co_await with(limit, [] {});

    const std::string error = co_await error_of(with(limit, [] {}));

    EXPECT_EQ(error, "RuntimeError('Timeout has already been entered')");
}

ASYNC_TEST(Timeout, cannot_be_entered_inside_itself) {
    Timeout limit = timeout(1);
    std::string again;

    co_await with(limit, [&]() -> Coroutine<> { again = co_await error_of(with(limit, [] {})); });

    EXPECT_EQ(again, "RuntimeError('Timeout has already been entered')");
    EXPECT_FALSE(limit.expired());
}

ASYNC_TEST(Timeout, cannot_be_moved_once_it_has_been_entered) {
    Timeout limit = timeout(1);
    limit.enter();
    EXPECT_EQ(thrown_by([&] { Timeout other(std::move(limit)); }),
              "RuntimeError('Timeout cannot be moved once it has been entered')");
    limit.exit(nullptr);
    co_return;
}

TEST(Timeout, needs_a_task) {
    Timeout limit(std::nullopt);
    EXPECT_EQ(thrown_by([&] { limit.enter(); }),
              "RuntimeError('Timeout should be used inside a task')");
    EXPECT_EQ(thrown_by([&] { limit.reschedule(std::nullopt); }),
              "RuntimeError('Timeout has not been entered')");
}

ASYNC_TEST(Timeout, in_a_task_that_was_cancelled_before_still_knows_its_own_request) {
    auto body = []() -> Coroutine<std::string> {
        auto slept = co_await as_result(sleep(9));  // cancelled once, and not taken back
        EXPECT_EQ(current_task().cancelling(), 1);
        auto limited = co_await as_result(timeout(1, [] { return sleep(9); }));
        EXPECT_EQ(current_task().cancelling(), 1);
        co_return describe(limited.error());
    };
    auto task = create_task(body);
    co_await settle();
    task.cancel();

    const std::string error = co_await task;

    EXPECT_EQ(error, "TimeoutError()");
}

ASYNC_TEST(Timeout, in_a_task_that_was_cancelled_before_lets_another_cancellation_pass) {
    auto body = []() -> Coroutine<> {
        auto slept = co_await as_result(sleep(9));  // cancelled once, and not taken back
        co_await timeout(1, [] {
            current_task().cancel("again");
            return sleep(2);
        });
    };
    auto task = create_task(body);
    co_await settle();
    task.cancel();

    const std::string error = co_await error_of(task);

    EXPECT_EQ(error, "CancelledError('again')");
    EXPECT_TRUE(task.cancelled());
}

ASYNC_TEST(Timeout, in_the_cleanup_of_one_that_expired_expires_as_well) {
    Trace trace;
    auto body = [&]() -> Coroutine<> {
        auto slept = co_await as_result(sleep(1));
        const std::string cleanup = co_await error_of(timeout(0.01, [] { return sleep(10); }));
        trace.push_back(cleanup);
        slept.get();
    };

    const std::string error = co_await error_of(timeout(0.01, body));

    EXPECT_EQ(trace, Trace{"TimeoutError()"});
    EXPECT_EQ(error, "TimeoutError()");
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(Timeout, that_is_caught_leaves_its_task_as_it_was) {
    auto body = []() -> Coroutine<> {
        const std::string error = co_await error_of(timeout(0.001, [] { return sleep(10); }));
        EXPECT_EQ(error, "TimeoutError()");
    };
    auto task = create_task(body);

    co_await task;

    EXPECT_FALSE(task.cancelled());
    EXPECT_EQ(task.cancelling(), 0);
}

ASYNC_TEST(Timeout, whose_limit_is_infinite_never_fires) {
    const TimePoint start = get_running_loop().time();
    co_await timeout(1e300, [] { return sleep(1e6); });

    EXPECT_EQ(get_running_loop().time() - start, 1'000'000s);
}

}  // namespace

}  // namespace asyncio
