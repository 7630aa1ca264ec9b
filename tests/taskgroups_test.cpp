// taskgroups_test.cpp - task groups: who is cancelled when, and what is thrown.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/locks.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/timeouts.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
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

Coroutine<int> give_after(double seconds, int value) {
    co_await sleep(seconds);
    co_return value;
}

Coroutine<> fail_after(double seconds, std::string why) {
    co_await sleep(seconds);
    throw RuntimeError(why);
}

/// Fails when it is cancelled.
Coroutine<> fail_in_cleanup(std::string why) {
    auto slept = co_await as_result(sleep(1e9));
    throw RuntimeError(why);
}

/// How many exceptions are in the group that `error` is, if it is one.
std::size_t size_of_group(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const ExceptionGroup& group) {
        return group.exceptions().size();
    } catch (...) {
        return 0;
    }
}

/// No std::exception: what Python calls a BaseException.
struct Odd {};

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

ASYNC_TEST(TaskGroup, takes_children_as_long_as_its_body_runs) {
    Task<int> first;
    Task<int> cancelled;
    Task<int> second;
    auto forty_two = [] { return give_after(0.1, 42); };

    co_await task_group([&](TaskGroup& group) -> Coroutine<> {
        first = group.create_task(forty_two);
        cancelled = group.create_task(give_after(1, 0));
        co_await sleep(0.15);
        EXPECT_TRUE(first.done());  // which is no reason to end
        cancelled.cancel();
        second = group.create_task(give_after(0.2, 11));
    });

    EXPECT_EQ(first.result(), 42);
    EXPECT_TRUE(cancelled.cancelled());
    EXPECT_EQ(second.result(), 11);
}

// Children come and go while the body runs: at its end there is nobody to wait for.
ASYNC_TEST(TaskGroup, forgets_children_that_have_ended) {
    auto& loop = get_running_loop();
    const TimePoint start = loop.time();

    co_await task_group([](TaskGroup& group) -> Coroutine<> {
        for (int i = 0; i < 10; ++i) {
            co_await sleep(0.1);
            group.create_task(sleep(0.3));
        }
        co_await sleep(1.35);
    });

    EXPECT_EQ(loop.time() - start, std::chrono::milliseconds(2350));
}

ASYNC_TEST(TaskGroup, body_that_throws_at_once_cancels_children_that_have_not_begun) {
    Trace trace;
    Task<> first;
    Task<> second;
    auto group = task_group([&](TaskGroup& group) {
        first = group.create_task(sleeper(trace, "first"));
        second = group.create_task(sleeper(trace, "second"));
        throw RuntimeError("body");
    });

    const std::string error = co_await error_of(std::move(group));

    EXPECT_EQ(error, "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('body')])");
    EXPECT_TRUE(first.cancelled() && second.cancelled());
    EXPECT_EQ(trace, Trace{});
}

ASYNC_TEST(TaskGroup, children_that_multiply_are_all_cancelled) {
    struct Hydra {
        static Coroutine<> grow(TaskGroup& group, int& heads) {
            ++heads;
            co_await sleep(0.01);
            for (int head = 0; head < 2; ++head) {
                group.create_task(grow(group, heads));
            }
        }
        static Coroutine<> hercules(const int& heads) {
            while (heads < 10) {
                co_await sleep(0.015);
            }
            throw RuntimeError("hercules");
        }
    };
    int heads = 0;
    auto group = task_group([&](TaskGroup& group) {
        group.create_task(Hydra::grow(group, heads));
        group.create_task(Hydra::hercules(heads));
    });

    const std::string error = co_await error_of(std::move(group));

    EXPECT_EQ(error,
              "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('hercules')])");
    EXPECT_GE(heads, 10);
    EXPECT_EQ(all_tasks().size(), 1U);
}

ASYNC_TEST(TaskGroup, exceptions_of_every_type_are_in_its_group) {
    auto odd_child = task_group([](TaskGroup& group) -> Coroutine<> {
        auto throw_odd = []() -> Coroutine<> {
            co_await sleep(0.1);
            throw Odd();
        };
        group.create_task(throw_odd);
        auto slept = co_await as_result(sleep(10));
        throw RuntimeError("body");
    });
    auto odd_body = task_group([](TaskGroup& group) -> Coroutine<> {
        group.create_task(fail_after(0.1, "child"));
        auto slept = co_await as_result(sleep(10));
        throw Odd();
    });

    const auto child = co_await as_result(std::move(odd_child));
    const auto body = co_await as_result(std::move(odd_body));

    EXPECT_EQ(size_of_group(child.error()), 2U) << describe(child.error());
    EXPECT_EQ(size_of_group(body.error()), 2U) << describe(body.error());
}

ASYNC_TEST(TaskGroup, keyboard_interrupt_of_its_body_passes_bare) {
    auto group = task_group([](TaskGroup& group) -> Coroutine<> {
        group.create_task(fail_after(0.1, "child"));
        auto slept = co_await as_result(sleep(10));
        throw KeyboardInterrupt();
    });

    const std::string error = co_await error_of(std::move(group));

    EXPECT_EQ(error, "KeyboardInterrupt()");
}

ASYNC_TEST(TaskGroup, error_of_a_resource_in_its_body_comes_beside_that_of_the_child) {
    struct Database {
        void aenter() {}
        bool aexit(const std::exception_ptr&) { throw RuntimeError("database"); }
    };
    auto group = task_group([](TaskGroup& group) -> Coroutine<> {
        Database database;
        auto body = [&group] {
            group.create_task(fail("child"));
            return sleep(1);
        };
        co_await with(database, body);
    });

    const std::string error = co_await error_of(std::move(group));

    EXPECT_EQ(error,
              "ExceptionGroup('unhandled errors in a TaskGroup', "
              "[RuntimeError('child'), RuntimeError('database')])");
    EXPECT_EQ(current_task().cancelling(), 0);
}

// Nothing of what the group did to its parent may reach the next await.
ASYNC_TEST(TaskGroup, cancellation_of_its_own_does_not_leak_out) {
    auto group = task_group([](TaskGroup& group) { group.create_task(fail("child")); });

    const std::string error = co_await error_of(std::move(group));
    const std::string after = co_await error_of(sleep(0));

    EXPECT_EQ(error, "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('child')])");
    EXPECT_EQ(after, "None");
    EXPECT_EQ(current_task().cancelling(), 0);
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

ASYNC_TEST(TaskGroup, without_children_lets_an_outside_cancel_or_what_came_of_it_pass) {
    Trace trace;
    auto passes = [&](TaskGroup&) { return sleeper(trace, "body"); };
    auto replaces = [](TaskGroup&) { return fail_in_cleanup("body"); };
    auto first = create_task(task_group(passes));
    auto second = create_task(task_group(replaces));
    co_await sleep(0.1);

    first.cancel();
    second.cancel();
    const std::string passed = co_await error_of(first);
    const std::string replaced = co_await error_of(second);

    EXPECT_EQ(passed, "CancelledError()");
    EXPECT_TRUE(first.cancelled());
    EXPECT_EQ(trace, Trace{"body CancelledError()"});
    EXPECT_EQ(replaced,
              "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('body')])");
}

ASYNC_TEST(TaskGroup, nested_and_cancelled_from_outside_nests_the_errors_of_the_cleanup) {
    for (const bool outer_has_a_child : {false, true}) {
        Trace trace;
        auto inner_body = [](TaskGroup& inner) -> Coroutine<> {
            for (int i = 0; i < 2; ++i) {
                inner.create_task(fail_in_cleanup("child"));
            }
            co_await sleep(10);
        };
        auto outer_body = [&](TaskGroup& outer) -> Coroutine<> {
            if (outer_has_a_child) {
                outer.create_task(sleeper(trace, "outer's child"));
            }
            co_await task_group(inner_body);
        };
        auto task = create_task(task_group(outer_body));
        co_await sleep(0.1);

        task.cancel();
        const std::string error = co_await error_of(task);

        EXPECT_EQ(error,
                  "ExceptionGroup('unhandled errors in a TaskGroup', "
                  "[ExceptionGroup('unhandled errors in a TaskGroup', "
                  "[RuntimeError('child'), RuntimeError('child')])])");
        EXPECT_EQ(trace, outer_has_a_child ? Trace{"outer's child CancelledError()"} : Trace{});
        EXPECT_EQ(task.cancelling(), 1);
    }
}

// The body cleans up until after the child has failed, in the task itself or in one that it awaits.
ASYNC_TEST(TaskGroup, child_that_fails_while_the_cancelled_body_cleans_up_wins) {
    for (const bool in_another_task : {false, true}) {
        auto body = [](TaskGroup& group) -> Coroutine<> {
            group.create_task(fail_after(0.3, "child"));
            auto slept = co_await as_result(sleep(10));
            co_await sleep(0.5);
            slept.get();
        };
        auto outer = [&]() -> Coroutine<> {
            if (in_another_task) {
                co_await create_task(task_group(body));
            } else {
                co_await task_group(body);
            }
        };
        auto task = create_task(outer);
        co_await sleep(0.1);
        EXPECT_FALSE(task.done());

        task.cancel();
        const std::string error = co_await error_of(task);

        EXPECT_EQ(error,
                  "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('child')])");
    }
}

ASYNC_TEST(TaskGroup, nested_and_failing_with_the_outer_one_each_gives_its_error) {
    std::string inner_error;
    int between = 0;
    auto group = task_group([&](TaskGroup& outer) -> Coroutine<> {
        auto inner = co_await as_result(task_group([&](TaskGroup& inner) {
            inner.create_task(fail("inner", 1));
            outer.create_task(fail("outer", 1));
        }));
        inner_error = describe(inner.error());
        between = current_task().cancelling();
    });

    const std::string error = co_await error_of(std::move(group));

    EXPECT_EQ(inner_error,
              "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('inner')])");
    EXPECT_EQ(between, 1);
    EXPECT_EQ(error, "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('outer')])");
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(TaskGroup, failing_when_it_has_just_been_cancelled_from_outside_keeps_the_count) {
    Event raises;
    Trace trace;
    auto raise_error = [&]() -> Coroutine<> {
        raises.set();
        co_await sleep(0);
        throw RuntimeError("child");
    };
    auto inner = [&]() -> Coroutine<> {
        auto grouped = co_await as_result(task_group([&](TaskGroup& group) -> Coroutine<> {
            group.create_task(raise_error);
            co_await sleep(1);
            trace.push_back("not reached");
        }));
        trace.push_back(describe(grouped.error()) + " " +
                        std::to_string(current_task().cancelling()));
        co_await sleep(1);
        trace.push_back("not reached");
    };
    auto task = create_task(inner);
    co_await raises.wait();
    EXPECT_EQ(task.cancelling(), 0);

    task.cancel();
    EXPECT_EQ(task.cancelling(), 1);
    const std::string error = co_await error_of(task);

    EXPECT_EQ(error, "CancelledError()");
    EXPECT_TRUE(task.cancelled());
    EXPECT_EQ(
        trace,
        Trace{"ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('child')]) 1"});
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

ASYNC_TEST(TaskGroup, cannot_be_entered_inside_itself) {
    TaskGroup group;
    std::string again;

    co_await with(
        group, [&](TaskGroup&) -> Coroutine<> { again = co_await error_of(with(group, [] {})); });

    EXPECT_EQ(again, "RuntimeError('TaskGroup <TaskGroup entered> has already been entered')");
}

TEST(TaskGroup, needs_a_task) {
    TaskGroup group;
    EXPECT_EQ(thrown_by([&] { group.aenter(); }),
              "RuntimeError('TaskGroup <TaskGroup> cannot determine the parent task')");
    EXPECT_EQ(thrown_by([&] { group.create_task(give(1)); }),
              "RuntimeError('TaskGroup <TaskGroup> has not been entered')");
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

ASYNC_TEST(TaskGroup, in_a_timeout_that_expires_gives_the_errors_of_the_cleanup) {
    auto body = [] {
        return task_group([](TaskGroup& group) -> Coroutine<> {
            group.create_task(fail_in_cleanup("child"));
            co_await sleep(1);
        });
    };
    const std::string error = co_await error_of(timeout(0.01, body));

    EXPECT_EQ(error, "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('child')])");
    EXPECT_EQ(current_task().cancelling(), 0);
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

ASYNC_TEST(TaskGroupCancel, keeps_an_error_of_who_called_it_before_or_after) {
    const std::string expected =
        "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('x')])";
    auto child = task_group([](TaskGroup& group) -> Coroutine<> {
        auto cancel_and_fail = [](TaskGroup& group) -> Coroutine<> {
            group.cancel();
            throw RuntimeError("x");
            co_return;
        };
        group.create_task(cancel_and_fail, std::ref(group));
        co_await sleep(1);
    });
    auto body = task_group([](TaskGroup& group) {
        group.cancel();
        throw RuntimeError("x");
    });
    auto body_after = task_group([](TaskGroup& group) {
        try {
            throw RuntimeError("x");
        } catch (...) {
            group.cancel();
            throw;
        }
    });

    const std::string of_child = co_await error_of(std::move(child));
    const std::string of_body = co_await error_of(std::move(body));
    const std::string of_body_after = co_await error_of(std::move(body_after));

    EXPECT_EQ(of_child, expected);
    EXPECT_EQ(of_body, expected);
    EXPECT_EQ(of_body_after, expected);
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(TaskGroupCancel, takes_no_children_afterwards) {
    std::string late;

    co_await task_group([&](TaskGroup& group) {
        group.cancel();
        late = thrown_by([&] { group.create_task(give(1)); });
    });

    EXPECT_EQ(late, "RuntimeError('TaskGroup <TaskGroup cancelling> is shutting down')");
    EXPECT_EQ(current_task().cancelling(), 0);
}

// A race: of several that are woken together only the first gets to the end.
ASYNC_TEST(TaskGroupCancel, by_the_winner_of_a_race_leaves_one_winner) {
    Event go;
    Trace trace;
    std::string winner;
    auto run_one = [&](TaskGroup& group, std::string name, bool fires) -> Coroutine<> {
        trace.push_back(name + " starts");
        if (fires) {
            go.set();
            co_await sleep(10);
        } else {
            co_await go.wait();
        }
        trace.push_back(name + " ends");
        winner = name;
        group.cancel();
    };

    co_await task_group([&](TaskGroup& group) {
        group.create_task(run_one(group, "1", false));
        group.create_task(run_one(group, "2", false));
        group.create_task(run_one(group, "3", true));
    });

    EXPECT_EQ(winner, "1");
    EXPECT_EQ(trace, (Trace{"1 starts", "2 starts", "3 starts", "1 ends"}));
}

// An eager one is not among the children yet.
ASYNC_TEST(TaskGroupCancel, by_a_child_in_its_first_step_cancels_it_too) {
    for (const bool eager : {false, true}) {
        auto& loop = get_running_loop();
        const TimePoint start = loop.time();
        if (eager) {
            loop.set_task_factory(eager_task_factory);
        }
        Trace trace;
        auto child = [&](TaskGroup& group) -> Coroutine<> {
            group.cancel();
            auto slept = co_await as_result(sleep(10));
            trace.push_back(describe(slept.error()));
            slept.get();
        };

        co_await task_group([&](TaskGroup& group) { group.create_task(child, std::ref(group)); });

        loop.set_task_factory(nullptr);
        EXPECT_EQ(trace, Trace{"CancelledError()"}) << (eager ? "eager" : "lazy");
        EXPECT_EQ(loop.time(), start) << (eager ? "eager" : "lazy");
    }
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

ASYNC_TEST(TaskGroup, child_whose_child_failed_before_it_waited_is_cancelled) {
    for (const bool eager : {false, true}) {
        auto& loop = get_running_loop();
        if (eager) {
            loop.set_task_factory(eager_task_factory);
        }
        Trace trace;
        auto second = [&](TaskGroup& group) -> Coroutine<> {
            group.create_task(fail("third"));
            auto waits = []() -> Coroutine<> {
                co_await sleep(0);  // an eager one is cancelled here
                co_await sleep(0);  // and any other here
            };
            const std::string error = co_await error_of(waits());
            trace.push_back(error);
        };
        auto group =
            task_group([&](TaskGroup& group) { group.create_task(second, std::ref(group)); });

        const std::string error = co_await error_of(std::move(group));

        loop.set_task_factory(nullptr);
        EXPECT_EQ(error,
                  "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('third')])");
        EXPECT_EQ(trace, Trace{"CancelledError()"}) << (eager ? "eager" : "lazy");
    }
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
