// as_completed_test.cpp - as_completed(): the order of completion, time limits, cancellation.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/tasks.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio {

using testing::Gone;
using testing::Reports;
using testing::settle;
using testing::thrown_by;
using testing::Trace;
using namespace std::chrono_literals;

namespace {

Coroutine<int> after(double seconds, int value) {
    co_await sleep(seconds);
    co_return value;
}
Coroutine<int> fail(double seconds, std::string why) {
    co_await sleep(seconds);
    throw RuntimeError(why);
}
Coroutine<> take_one(Trace& trace, std::string name, AsCompleted<int> completed) {
    auto future = co_await completed.next();
    trace.push_back(name + " " + (future ? std::to_string(future->result()) : "nothing"));
}

// -------------------------------------------------------------------------------- both ways

ASYNC_TEST(AsCompleted, gives_the_futures_in_the_order_of_completion) {
    std::vector<Task<int>> tasks{create_task(after(3, 0)), create_task(after(1, 1)),
                                 create_task(after(2, 2))};
    std::vector<int> order;
    bool same = true;

    auto completed = as_completed(tasks);
    while (auto future = co_await completed.next()) {
        const int value = co_await *future;
        same = same && *future == tasks.at(static_cast<std::size_t>(value));
        order.push_back(value);
    }
    const auto end = co_await completed.next();

    EXPECT_EQ(order, (std::vector<int>{1, 2, 0}));
    EXPECT_TRUE(same);
    EXPECT_FALSE(end.has_value());
}

ASYNC_TEST(AsCompleted, gives_the_results_in_the_order_of_completion) {
    Trace trace;

    for (auto next : as_completed(after(2, 2), fail(1, "failed"), after(3, 3))) {
        const auto result = co_await as_result(std::move(next));
        trace.push_back(result ? std::to_string(*result) : describe(result.error()));
    }

    EXPECT_EQ(trace, (Trace{"RuntimeError('failed')", "2", "3"}));
}

ASYNC_TEST(AsCompleted, takes_coroutines_awaiters_and_functions) {
    auto lambda = []() -> Coroutine<int> { co_return 3; };
    int sum = 0;
    std::vector<Coroutine<int>> coroutines;
    coroutines.push_back(after(1, 10));
    coroutines.push_back(after(0, 20));

    for (auto next : as_completed(after(1, 1), sleep(2, 2), lambda)) {
        sum += co_await next;
    }
    for (auto next : as_completed(std::move(coroutines))) {
        sum += co_await next;
    }

    EXPECT_EQ(sum, 36);
}

ASYNC_TEST(AsCompleted, gives_results_that_only_move_and_references) {
    int object = 0;
    auto only_moves = []() -> Coroutine<std::unique_ptr<int>> {
        co_return std::make_unique<int>(7);
    };
    auto reference = [](int& what) -> Coroutine<int&> { co_return what; };
    std::unique_ptr<int> moved;
    int* same = nullptr;

    for (auto next : as_completed(only_moves())) {
        moved = co_await next;
    }
    for (auto next : as_completed(reference(object))) {
        int& given = co_await next;
        same = &given;
    }

    EXPECT_EQ(*moved, 7);
    EXPECT_EQ(same, &object);
}

ASYNC_TEST(AsCompleted, of_different_types_gives_futures_of_any) {
    auto number = create_task(after(2, 5));
    auto nothing = []() -> Coroutine<> { co_await sleep(1); };
    std::vector<AnyFuture> seen;

    auto completed = as_completed(number, nothing);
    static_assert(std::is_same_v<decltype(completed), AsCompleted<void, AnyFuture>>);
    while (auto future = co_await completed.next()) {
        co_await *future;
        seen.push_back(*future);
    }

    EXPECT_EQ(seen.size(), 2U);
    EXPECT_EQ(seen.back(), number);
    std::vector<AnyTask> tasks{number};
    auto of_any = as_completed(tasks);
    auto first = co_await of_any.next();
    EXPECT_EQ(*first, number);
    for (auto next : as_completed(AnyFuture(number), AnyTask(number))) {
        co_await next;
    }
}

ASYNC_TEST(AsCompleted, counts_what_is_given_twice_once) {
    auto task = create_task(after(1, 1));
    int count = 0;

    for (auto next : as_completed(task, Future<int>(task), task)) {
        co_await next;
        ++count;
    }

    EXPECT_EQ(count, 1);
}

ASYNC_TEST(AsCompleted, goes_on_where_a_loop_over_it_was_left) {
    auto completed = as_completed(after(1, 1), after(2, 2), after(3, 3), after(4, 4));
    std::vector<int> values;

    for (auto next : completed) {
        values.push_back(co_await next);
        if (values.size() == 2) {
            break;
        }
    }
    if (auto future = co_await completed.next()) {
        values.push_back(future->result());
    }
    for (auto next : completed) {
        values.push_back(co_await next);
    }

    EXPECT_EQ(values, (std::vector<int>{1, 2, 3, 4}));
}

ASYNC_TEST(AsCompleted, of_nothing_ends_at_once) {
    auto completed = as_completed(std::vector<Task<int>>{}, 1);

    const auto first = co_await completed.next();

    EXPECT_FALSE(first.has_value());
    EXPECT_TRUE(completed.begin() == completed.end());
}

ASYNC_TEST(AsCompleted, awaits_what_a_for_gave_only_once) {
    auto completed = as_completed(after(1, 1), after(2, 2));
    auto item = *completed.begin();
    co_await item;

    const auto again = co_await as_result(std::move(item));

    EXPECT_EQ(describe(again.error()), "RuntimeError('cannot reuse already awaited coroutine')");
}

ASYNC_TEST(AsCompleted, gives_eager_tasks_in_the_next_turn) {
    get_running_loop().set_task_factory(eager_task_factory);
    auto instant = [](int value) -> Coroutine<int> { co_return value; };
    std::vector<int> values;

    for (auto next : as_completed(after(1, 3), instant(1), instant(2))) {
        values.push_back(co_await next);
    }

    EXPECT_EQ(values, (std::vector<int>{1, 2, 3}));
    get_running_loop().set_task_factory(nullptr);
}

// --------------------------------------------------------------------------------- time limits

ASYNC_TEST(AsCompleted, throws_for_each_that_is_not_done_in_time_and_leaves_them_alone) {
    std::vector<Task<int>> tasks{create_task(after(1, 1)), create_task(after(5, 5)),
                                 create_task(after(6, 6))};
    Trace trace;

    for (auto next : as_completed(tasks, {.timeout = 2s})) {
        const auto result = co_await as_result(std::move(next));
        trace.push_back(result ? std::to_string(*result) : describe(result.error()));
    }

    EXPECT_EQ(trace, (Trace{"1", "TimeoutError()", "TimeoutError()"}));
    std::vector<int> values = co_await gather(tasks);
    EXPECT_EQ(values, (std::vector<int>{1, 5, 6}));
}

ASYNC_TEST(AsCompleted, does_not_mind_a_limit_that_is_not_needed) {
    const TimePoint start = get_running_loop().time();
    std::vector<int> values;

    for (auto next : as_completed({.timeout = 5}, after(1, 1), after(2, 2))) {
        values.push_back(co_await next);
    }
    const TimePoint end = get_running_loop().time();
    co_await sleep(9);

    EXPECT_EQ(values, (std::vector<int>{1, 2}));
    EXPECT_EQ(end - start, 2s);
}

ASYNC_TEST(AsCompleted, throws_from_next_too) {
    auto completed = as_completed({.timeout = 1}, after(5, 5), after(6, 6));

    const auto first = co_await as_result(completed.next());
    const auto second = co_await as_result(completed.next());
    const auto third = co_await as_result(completed.next());

    EXPECT_EQ(describe(first.error()), "TimeoutError()");
    EXPECT_EQ(describe(second.error()), "TimeoutError()");
    EXPECT_FALSE(third.error());
    EXPECT_FALSE(third->has_value());
}

// -------------------------------------------------------------------------------- cancellation

ASYNC_TEST(AsCompleted, passes_on_what_a_cancelled_task_was_woken_for) {
    Trace trace;
    auto first = get_running_loop().create_future<int>();
    auto second = get_running_loop().create_future<int>();
    auto completed = as_completed(first, second);
    auto a = create_task(take_one(trace, "a", completed));
    auto b = create_task(take_one(trace, "b", completed));
    co_await settle();

    second.set_result(2);
    co_await sleep(0);  // a is woken ...
    a.cancel();         // ... and does not take it
    co_await settle();

    EXPECT_TRUE(a.cancelled());
    EXPECT_EQ(trace, Trace{"b 2"});
    const auto none = co_await completed.next();  // the place of a is lost
    EXPECT_FALSE(none.has_value());
}

ASYNC_TEST(AsCompleted, forgets_a_cancellation_that_was_taken_back) {
    Trace trace;
    auto first = get_running_loop().create_future<int>();
    auto completed = as_completed(first);
    auto a = create_task(take_one(trace, "a", completed));
    co_await settle();

    first.set_result(1);
    co_await sleep(0);
    a.cancel();
    a.uncancel();
    co_await settle();

    EXPECT_EQ(trace, Trace{"a 1"});
}

ASYNC_TEST(AsCompleted, lets_who_need_not_wait_be_quicker) {
    Trace trace;
    auto first = get_running_loop().create_future<int>();
    auto second = get_running_loop().create_future<int>();
    auto completed = as_completed(first, second);
    auto a = create_task(take_one(trace, "a", completed));
    co_await settle();

    second.set_result(2);
    auto b = create_task(take_one(trace, "b", completed));  // runs before a, which is woken then
    co_await settle();
    EXPECT_EQ(trace, Trace{"b 2"});
    first.set_result(1);
    co_await settle();

    EXPECT_EQ(trace, (Trace{"b 2", "a 1"}));
}

ASYNC_TEST(AsCompleted, leaves_the_futures_alone_when_it_is_dropped) {
    auto task = create_task(after(1, 1));
    {
        auto completed = as_completed({.timeout = 2}, task, after(2, 2));
        co_await completed.next();
        EXPECT_EQ(task.result(), 1);
    }
    {
        auto dropped = as_completed({.timeout = 1}, create_task(after(3, 3)));
        auto unused = *dropped.begin();
    }
    auto pending = get_running_loop().create_future<int>();
    static_cast<void>(as_completed(pending));
    EXPECT_TRUE(pending.raw()->callbacks().empty());

    co_await sleep(10);

    EXPECT_EQ(all_tasks().size(), 1U);
}

// -------------------------------------------------------------------------------------- loops

TEST(AsCompletedOfALoop, needs_a_running_loop_and_futures_of_it) {
    const testing::VirtualClockScope clock;
    EventLoop other;
    auto foreign = other.create_future<int>();
    auto main = [](Future<int> future) -> Coroutine<std::string> {
        co_return thrown_by([&] { return as_completed(future); });
    };

    EXPECT_EQ(thrown_by([&] { return as_completed(foreign); }),
              "RuntimeError('no running event loop')");
    EXPECT_EQ(run(main(foreign)),
              "ValueError('The future belongs to a different loop than the one specified as the "
              "loop argument')");
}

TEST(AsCompletedOfALoop, must_not_be_waited_for_on_another) {
    const testing::VirtualClockScope clock;
    auto make = []() -> Coroutine<AsCompleted<int>> {
        co_return as_completed(get_running_loop().create_future<int>());
    };
    auto use = [](AsCompleted<int> completed) -> Coroutine<> { co_await completed.next(); };
    EventLoop one;
    auto completed = one.run_until_complete(make());

    EXPECT_EQ(thrown_by([&] { return run(use(completed)), 0; }),
              "RuntimeError('as_completed() is bound to a different event loop')");
}

TEST(AsCompletedOfALoop, lets_go_when_the_loop_closes) {
    const testing::VirtualClockScope clock;
    Trace trace;
    std::optional<AsCompleted<int>> kept;
    {
        EventLoop loop;
        const Reports reports(loop);
        auto make = [](Trace& gone) -> Coroutine<AsCompleted<int>> {
            auto wait = [](AsCompleted<int> of, Gone here) -> Coroutine<> {
                const Gone at_end = std::move(here);
                co_await of.next();
            };
            auto wait_for_result = [](AsCompleted<int> of) -> Coroutine<> {
                for (auto next : of) {
                    co_await next;
                }
            };
            auto future = get_running_loop().create_future<int>();
            auto done = get_running_loop().create_future<int>();
            auto completed = as_completed({.timeout = 3600}, future, done, after(3600, 1));
            create_task(wait(completed, Gone(gone, "waiter")));
            create_task(wait_for_result(completed));
            co_await sleep(0);
            done.set_result(1);
            co_return completed;
        };
        kept = loop.run_until_complete(make(trace));

        loop.close();

        EXPECT_EQ(trace, Trace{"waiter"});
    }
}

}  // namespace

}  // namespace asyncio
