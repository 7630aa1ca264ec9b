// taskgroups_test.cpp - task groups: who is cancelled when, and what is thrown.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/taskgroups.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/timeouts.hpp>

#include <stdexcept>
#include <string>
#include <vector>

namespace asyncio {

using testing::Reports;
using testing::settle;
using testing::thrown_by;
using testing::Trace;
using testing::TurnCounter;

namespace {

Coroutine<int> give(int value) {
    co_return value;
}

Coroutine<> fail(std::string why, int turns = 0) {
    for (int turn = 0; turn < turns; ++turn) {
        co_await sleep(0);
    }
    throw RuntimeError(why);
}

/// Sleeps for ever and notes how it ended.
Coroutine<> sleeper(Trace& trace, std::string name) {
    auto slept = co_await as_result(sleep(1e9));
    trace.push_back(name + " " + describe(slept.error()));
    slept.get();
}

/// Refuses to be cancelled, and ends after a second more.
Coroutine<> stubborn(Trace& trace) {
    auto slept = co_await as_result(sleep(1e9));
    trace.push_back(describe(slept.error()));
    co_await sleep(1);
    trace.push_back("ended");
}

template <class A>
Coroutine<std::string> error_of(A awaitable) {
    auto result = co_await as_result(std::move(awaitable));
    co_return describe(result.error());
}

ASYNC_TEST(TaskGroup, waits_for_all_its_children) {
    Trace trace;
    auto child = [](Trace& trace, int seconds) -> Coroutine<> {
        co_await sleep(seconds);
        trace.push_back(std::to_string(seconds));
    };

    co_await task_group([&](TaskGroup& group) {
        group.create_task(child(trace, 2));
        group.create_task(child(trace, 1));
        trace.push_back("body");
    });

    EXPECT_EQ(trace, (Trace{"body", "1", "2"}));
}

ASYNC_TEST(TaskGroup, gives_what_its_body_gives) {
    auto plain = co_await task_group([](TaskGroup&) { return 1; });
    auto coroutine = co_await task_group([](TaskGroup& group) -> Coroutine<int> {
        auto child = group.create_task(give(2));
        co_return co_await child;
    });

    EXPECT_EQ(plain, 1);
    EXPECT_EQ(coroutine, 2);
}

ASYNC_TEST(TaskGroup, takes_callables_with_arguments_and_names) {
    std::string name;
    int sum = 0;

    co_await task_group([&](TaskGroup& group) -> Coroutine<> {
        auto add = [](int a, int b) -> Coroutine<int> { co_return a + b; };
        auto by_arguments = group.create_task(add, 1, 2);
        auto named = group.create_task(add(3, 4), {.name = "adder"});
        TaskOptions options{.name = "other"};
        auto both = group.create_task(options, add, 5, 6);
        name = named.get_name() + " " + both.get_name();
        sum += co_await by_arguments;
        sum += co_await named;
        sum += co_await both;
    });

    EXPECT_EQ(name, "adder other");
    EXPECT_EQ(sum, 21);
}

ASYNC_TEST(TaskGroup, child_that_fails_cancels_the_others_and_the_body) {
    Trace trace;
    int cancelling_in_body = 0;
    auto group = task_group([&](TaskGroup& group) -> Coroutine<> {
        group.create_task(sleeper(trace, "other"));
        group.create_task(fail("child", 1));
        auto slept = co_await as_result(sleep(9));
        cancelling_in_body = current_task().cancelling();
        trace.push_back("body " + describe(slept.error()));
        slept.get();
    });

    const std::string error = co_await error_of(std::move(group));

    EXPECT_EQ(error, "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('child')])");
    EXPECT_EQ(trace, (Trace{"other CancelledError()", "body CancelledError()"}));
    EXPECT_EQ(cancelling_in_body, 1);
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(TaskGroup, child_that_fails_while_the_body_is_over_cancels_the_others) {
    Trace trace;
    auto group = task_group([&](TaskGroup& group) {
        group.create_task(sleeper(trace, "other"));
        group.create_task(fail("child", 3));
    });

    const std::string error = co_await error_of(std::move(group));

    EXPECT_EQ(error, "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('child')])");
    EXPECT_EQ(trace, Trace{"other CancelledError()"});
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(TaskGroup, body_that_throws_cancels_the_children) {
    Trace trace;
    auto group = task_group([&](TaskGroup& group) -> Coroutine<> {
        group.create_task(sleeper(trace, "child"));
        co_await sleep(0);
        throw std::out_of_range("body");
    });

    const std::string error = co_await error_of(std::move(group));

    EXPECT_EQ(error, "ExceptionGroup('unhandled errors in a TaskGroup', [KeyError('body')])");
    EXPECT_EQ(trace, Trace{"child CancelledError()"});
}

ASYNC_TEST(TaskGroup, errors_of_children_come_before_that_of_the_body) {
    auto group = task_group([&](TaskGroup& group) -> Coroutine<> {
        group.create_task(fail("one"));
        group.create_task(fail("two"));
        auto slept = co_await as_result(sleep(9));
        throw RuntimeError("body");
    });

    const std::string error = co_await error_of(std::move(group));

    EXPECT_EQ(error,
              "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('one'), "
              "RuntimeError('two'), RuntimeError('body')])");
}

ASYNC_TEST(TaskGroup, child_that_is_cancelled_alone_is_no_error) {
    Trace trace;

    co_await task_group([&](TaskGroup& group) -> Coroutine<> {
        auto child = group.create_task(sleeper(trace, "child"));
        group.create_task(give(1));
        co_await sleep(0);
        child.cancel();
        co_await sleep(1);
        trace.push_back("body goes on");
    });

    EXPECT_EQ(trace, (Trace{"child CancelledError()", "body goes on"}));
}

ASYNC_TEST(TaskGroup, cancelled_from_outside_cancels_the_children_and_passes) {
    Trace trace;
    auto body = [&](TaskGroup& group) -> Coroutine<> {
        group.create_task(sleeper(trace, "child"));
        co_await sleeper(trace, "body");
    };
    auto task = create_task(task_group(body));
    co_await settle();

    task.cancel("outside");
    const std::string error = co_await error_of(task);

    EXPECT_EQ(error, "CancelledError('outside')");
    EXPECT_EQ(trace, (Trace{"body CancelledError('outside')", "child CancelledError()"}));
    EXPECT_TRUE(task.cancelled());
}

ASYNC_TEST(TaskGroup, cancelled_while_it_exits_cancels_the_children_and_waits_for_them) {
    Trace trace;
    auto task =
        create_task(task_group([&](TaskGroup& group) { group.create_task(stubborn(trace)); }));
    co_await settle();

    task.cancel("first");
    co_await settle();
    task.cancel("second");  // while it waits for the child that goes on
    co_await settle();
    EXPECT_FALSE(task.done());
    const std::string error = co_await error_of(task);

    EXPECT_EQ(error, "CancelledError('first')");
    EXPECT_EQ(trace, (Trace{"CancelledError()", "ended"}));
    EXPECT_EQ(task.cancelling(), 2);
}

ASYNC_TEST(TaskGroup, outside_cancel_and_an_error_give_the_error_and_keep_the_count) {
    auto child = []() -> Coroutine<> {
        auto slept = co_await as_result(sleep(9));
        throw std::invalid_argument("c");
    };
    auto body = [&](TaskGroup& group) -> Coroutine<> {
        group.create_task(child());
        co_await sleep(9);
    };
    auto task = create_task(task_group(body));
    co_await settle();

    task.cancel();
    const std::string error = co_await error_of(task);

    EXPECT_EQ(error, "ExceptionGroup('unhandled errors in a TaskGroup', [ValueError('c')])");
    EXPECT_EQ(task.cancelling(), 1);
}

ASYNC_TEST(TaskGroup, outside_cancel_that_lost_to_an_error_is_thrown_at_the_next_await) {
    Trace trace;
    auto child = []() -> Coroutine<> {
        auto slept = co_await as_result(sleep(9));
        throw std::invalid_argument("c");
    };
    auto outer = [&]() -> Coroutine<> {
        auto grouped = co_await as_result(task_group([&](TaskGroup& group) -> Coroutine<> {
            group.create_task(child());
            co_await sleep(9);
        }));
        trace.push_back(describe(grouped.error()));
        auto slept = co_await as_result(sleep(1));
        trace.push_back(describe(slept.error()));
        slept.get();
    };
    auto task = create_task(outer());
    co_await settle();

    task.cancel();
    co_await settle();

    EXPECT_EQ(trace, (Trace{"ExceptionGroup('unhandled errors in a TaskGroup', [ValueError('c')])",
                            "CancelledError()"}));
    EXPECT_TRUE(task.cancelled());
}

ASYNC_TEST(TaskGroup, nested_inside_another_is_cancelled_with_it) {
    Trace trace;
    auto group = task_group([&](TaskGroup& outer) -> Coroutine<> {
        outer.create_task(fail("outer", 2));
        co_await task_group(
            [&](TaskGroup& inner) { inner.create_task(sleeper(trace, "inner child")); });
    });

    const std::string error = co_await error_of(std::move(group));

    EXPECT_EQ(error, "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('outer')])");
    EXPECT_EQ(trace, Trace{"inner child CancelledError()"});
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(TaskGroup, nested_errors_are_nested_groups) {
    auto group = task_group([&](TaskGroup& outer) -> Coroutine<> {
        outer.create_task(give(0));
        co_await task_group([&](TaskGroup& inner) { inner.create_task(fail("inner")); });
    });

    const std::string error = co_await error_of(std::move(group));

    EXPECT_EQ(error,
              "ExceptionGroup('unhandled errors in a TaskGroup', "
              "[ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('inner')])])");
}

ASYNC_TEST(TaskGroup, takes_children_from_a_child_while_it_exits) {
    Trace trace;

    co_await task_group([&](TaskGroup& group) {
        auto child = [](TaskGroup& group, Trace& trace) -> Coroutine<> {
            co_await sleep(1);
            auto late = [](Trace& trace) -> Coroutine<> {
                co_await sleep(1);
                trace.push_back("late child");
            };
            group.create_task(late(trace));
            trace.push_back("child");
        };
        group.create_task(child(group, trace));
    });

    EXPECT_EQ(trace, (Trace{"child", "late child"}));
}

ASYNC_TEST(TaskGroup, takes_no_children_before_after_or_while_it_shuts_down) {
    TaskGroup group;
    std::string while_shutting_down;
    const std::string before = thrown_by([&] { group.create_task(give(1)); });

    auto used = co_await as_result(with(group, [&](TaskGroup& group) -> Coroutine<> {
        group.create_task(fail("x"));
        auto slept = co_await as_result(sleep(9));
        while_shutting_down = thrown_by([&] { group.create_task(give(1)); });
    }));
    const std::string after = thrown_by([&] { group.create_task(give(1)); });

    EXPECT_FALSE(used.has_value());
    EXPECT_EQ(before, "RuntimeError('TaskGroup <TaskGroup> has not been entered')");
    EXPECT_EQ(while_shutting_down,
              "RuntimeError('TaskGroup <TaskGroup errors=1 cancelling> is shutting down')");
    EXPECT_TRUE(after.find("is finished") != std::string::npos) << after;
}

ASYNC_TEST(TaskGroup, cannot_be_entered_twice) {
    TaskGroup group;
    co_await with(group, [] {});

    auto again = co_await as_result(with(group, [] {}));

    EXPECT_EQ(describe(again.error()),
              "RuntimeError('TaskGroup <TaskGroup entered> has already been entered')");
}

TEST(TaskGroup, needs_a_task) {
    TaskGroup group;
    EXPECT_EQ(thrown_by([&] { group.aenter(); }),
              "RuntimeError('TaskGroup <TaskGroup> cannot determine the parent task')");
}

TEST(TaskGroup, keyboard_interrupt_of_a_child_leaves_the_loop_and_then_the_group) {
    auto interrupted = []() -> Coroutine<> {
        co_await sleep(0);
        throw KeyboardInterrupt();
    };
    auto body = [&](TaskGroup& group) -> Coroutine<> {
        group.create_task(interrupted());
        group.create_task(sleep(9));
        co_await sleep(9);
    };
    EventLoop loop;
    auto task = loop.create_task(task_group(body));

    EXPECT_EQ(thrown_by([&] { loop.run_until_complete(task); }), "KeyboardInterrupt()");
    EXPECT_FALSE(task.done());
    EXPECT_EQ(thrown_by([&] { loop.run_until_complete(task); }), "KeyboardInterrupt()");
    EXPECT_EQ(describe(task.exception()), "KeyboardInterrupt()");  // bare, in no group
}

TEST(TaskGroup, takes_no_turn_when_it_is_empty_and_three_for_one_child) {
    EventLoop loop;
    TurnCounter turns(loop);
    auto count = [](TurnCounter& turns) -> Coroutine<> {
        const int start = turns.now();
        co_await task_group([](TaskGroup&) {});
        const int empty = turns.now();
        co_await task_group([](TaskGroup& group) { group.create_task(give(1)); });
        const int one = turns.now();

        EXPECT_EQ(empty - start, 0);
        EXPECT_EQ(one - empty, 3);
    };
    loop.run_until_complete(count(turns));
}

ASYNC_TEST(TaskGroup, in_a_timeout_that_expires_cancels_the_children) {
    Trace trace;
    auto limited = timeout(1, [&]() -> Coroutine<> {
        co_await task_group([&](TaskGroup& group) { group.create_task(sleeper(trace, "child")); });
    });

    const std::string error = co_await error_of(std::move(limited));

    EXPECT_EQ(error, "TimeoutError()");
    EXPECT_EQ(trace, Trace{"child CancelledError()"});
}

// --------------------------------------------------------------------------- cancel() of
// Python 3.15

ASYNC_TEST(TaskGroupCancel, ends_children_and_body_without_an_error) {
    Trace trace;

    co_await task_group([&](TaskGroup& group) -> Coroutine<> {
        group.create_task(sleeper(trace, "child"));
        co_await sleep(0);
        group.cancel();
        group.cancel();  // once is enough
        co_await sleeper(trace, "body");
        trace.push_back("not reached");
    });

    EXPECT_EQ(trace, (Trace{"child CancelledError()", "body CancelledError()"}));
    EXPECT_EQ(current_task().cancelling(), 0);
    co_await sleep(1);  // nothing is left of the request
}

ASYNC_TEST(TaskGroupCancel, by_a_child_ends_the_group) {
    Trace trace;

    co_await task_group([&](TaskGroup& group) {
        auto child = [](TaskGroup& group) -> Coroutine<> {
            co_await sleep(1);
            group.cancel();
        };
        group.create_task(sleeper(trace, "other"));
        group.create_task(child(group));
    });

    EXPECT_EQ(trace, Trace{"other CancelledError()"});
}

ASYNC_TEST(TaskGroupCancel, before_it_is_entered_cancels_as_soon_as_it_is) {
    Trace trace;
    TaskGroup group;
    group.cancel();

    co_await with(group, [&](TaskGroup&) -> Coroutine<> { co_await sleeper(trace, "body"); });

    EXPECT_EQ(trace, Trace{"body CancelledError()"});
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(TaskGroupCancel, after_it_is_over_does_nothing) {
    TaskGroup group;
    co_await with(group, [] {});

    group.cancel();
    co_await sleep(0);

    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(TaskGroupCancel, still_throws_the_errors_of_children) {
    auto child = []() -> Coroutine<> {
        auto slept = co_await as_result(sleep(9));
        throw RuntimeError("while cancelled");
    };
    auto group = task_group([&](TaskGroup& group) -> Coroutine<> {
        group.create_task(child());
        co_await sleep(0);
        group.cancel();
    });

    const std::string error = co_await error_of(std::move(group));

    EXPECT_EQ(
        error,
        "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('while cancelled')])");
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(TaskGroupCancel, does_not_hide_a_cancellation_from_outside) {
    auto body = [](TaskGroup& group) -> Coroutine<> {
        group.cancel();
        co_await sleep(9);
    };
    auto task = create_task(task_group(body));
    get_running_loop().call_soon([&] { task.cancel("outside"); });

    const std::string error = co_await error_of(task);

    EXPECT_TRUE(error.starts_with("CancelledError(")) << error;
    EXPECT_TRUE(task.cancelled());
}

ASYNC_TEST(TaskGroup, entered_by_hand_reports_a_child_that_fails_after_the_parent_has_ended) {
    const Reports reports;
    TaskGroup group;
    auto fail = []() -> Coroutine<> {
        co_await sleep(1);
        throw std::invalid_argument("late");
    };
    auto enter = [&]() -> Coroutine<> {
        group.aenter();
        group.create_task(fail(), {.name = "child"});
        co_await sleep(0);
    };
    co_await create_task(enter, TaskOptions{.name = "parent"});

    co_await sleep(2);

    EXPECT_EQ(reports.messages,
              Trace{"Task 'child' has errored out but its parent task 'parent' is already "
                    "completed"});
    EXPECT_EQ(reports.errors, Trace{"ValueError('late')"});
}

ASYNC_TEST(TaskGroup, cannot_be_moved_once_it_has_been_entered) {
    TaskGroup group;
    group.aenter();
    EXPECT_TRUE(thrown_by([&] { TaskGroup other(std::move(group)); }).starts_with("RuntimeError("));
    co_await group.aexit(nullptr);
}

TEST(TaskGroup, whose_loop_is_closed_lets_go_of_its_children) {
    EventLoop loop;
    const Reports reports(loop);
    Trace trace;
    auto body = [&](TaskGroup& group) -> Coroutine<> {
        group.create_task(sleeper(trace, "child"));
        co_await sleep(9);
    };
    loop.create_task(task_group(body));
    loop.create_task(task_group([&](TaskGroup& group) { group.create_task(stubborn(trace)); }));
    loop.run_until_complete(sleep(0));
    loop.run_until_complete(sleep(0));

    loop.close();

    EXPECT_EQ(reports.messages, Trace(4, "Task was destroyed but it is pending!"));
    EXPECT_EQ(trace, Trace{});
}

}  // namespace

}  // namespace asyncio
