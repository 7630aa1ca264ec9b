// taskgroup_start_test.cpp - TaskGroup::start(): children that say when they are ready.
//
// SPDX-License-Identifier: MIT
#include <asyncio/cancel_scope.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/timeouts.hpp>

#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

namespace asyncio {

namespace {

using testing::thrown_by;
using testing::Trace;

template <class T>
std::string error_of(const Result<T>& result) {
    return describe(result.error());
}

/// Says after a second that it is ready, and ends a second later.
Coroutine<> serve(int port, Trace& trace, TaskStatus<int>& status) {
    co_await sleep(1);
    trace.push_back("listens");
    status.started(port);
    co_await sleep(1);
    trace.push_back("ends");
}

ASYNC_TEST(TaskGroupStart, gives_what_the_child_starts_with) {
    Trace trace;
    co_await task_group([&](TaskGroup& group) -> Coroutine<> {
        const int port = co_await group.start<int>(serve, 80, std::ref(trace));
        EXPECT_EQ(port, 80);
        trace.push_back("started");
    });
    EXPECT_EQ(trace, (Trace{"listens", "started", "ends"}));
}

ASYNC_TEST(TaskGroupStart, needs_no_value_and_takes_one_that_can_only_be_moved) {
    co_await task_group([&](TaskGroup& group) -> Coroutine<> {
        const auto plain = [](TaskStatus<>& status) -> Coroutine<> {
            status.started();
            co_return;
        };
        co_await group.start(plain);
        using Pointer = std::unique_ptr<int>;
        const auto give = [](int value, TaskStatus<Pointer>& status) -> Coroutine<> {
            status.started(std::make_unique<int>(value));
            co_await sleep(1);
        };
        const Pointer pointer = co_await group.start<Pointer>(give, 3);
        EXPECT_EQ(*pointer, 3);
    });
}

ASYNC_TEST(TaskGroupStart, throws_what_the_child_throws_before_and_leaves_the_group_alone) {
    Trace trace;
    co_await task_group([&](TaskGroup& group) -> Coroutine<> {
        const auto bad = [](TaskStatus<>&) -> Coroutine<> {
            co_await sleep(1);
            throw RuntimeError("no port");
        };
        const auto started = co_await as_result(group.start(bad));
        trace.push_back(error_of(started));
        co_await sleep(1);
    });
    EXPECT_EQ(trace, Trace{"RuntimeError('no port')"});
}

ASYNC_TEST(TaskGroupStart, gives_the_group_what_the_child_throws_afterwards) {
    const auto failed = co_await as_result(task_group([&](TaskGroup& group) -> Coroutine<> {
        const auto bad = [](TaskStatus<>& status) -> Coroutine<> {
            status.started();
            co_await sleep(1);
            throw RuntimeError("later");
        };
        co_await group.start(bad);
        co_await sleep(10);
        ADD_FAILURE();
    }));
    EXPECT_EQ(error_of(failed),
              "ExceptionGroup('unhandled errors in a TaskGroup', [RuntimeError('later')])");
}

ASYNC_TEST(TaskGroupStart, complains_of_a_child_that_never_starts_or_does_twice) {
    Trace trace;
    co_await task_group([&](TaskGroup& group) -> Coroutine<> {
        const auto silent = [](TaskStatus<int>&) -> Coroutine<> { co_await sleep(1); };
        const auto started = co_await as_result(group.start<int>(silent));
        trace.push_back(error_of(started));
        const auto cancelled = [](TaskStatus<>&) -> Coroutine<> {
            current_task().cancel();
            co_await sleep(1);
        };
        const auto never = co_await as_result(group.start(cancelled));
        trace.push_back(error_of(never));
        const auto twice = [&trace](TaskStatus<>& status) -> Coroutine<> {
            status.started();
            trace.push_back(thrown_by([&] { status.started(); }));
            co_return;
        };
        co_await group.start(twice);
    });
    EXPECT_EQ(trace, (Trace{"RuntimeError('child exited without calling task_status.started()')",
                            "RuntimeError('child exited without calling task_status.started()')",
                            "RuntimeError(\"called 'started' twice on the same task status\")"}));
}

ASYNC_TEST(TaskGroupStart, cancels_the_child_when_it_is_cancelled_and_waits_for_it) {
    Trace trace;
    const auto slow = [&trace](TaskStatus<>&) -> Coroutine<> {
        const auto slept = co_await as_result(sleep(10));
        trace.push_back(error_of(slept));
        co_await sleep(1);
        trace.push_back("cleaned up");
        slept.get();
    };
    co_await task_group([&](TaskGroup& group) -> Coroutine<> {
        const auto limited = co_await as_result(timeout(1, [&] { return group.start(slow); }));
        trace.push_back(error_of(limited));
        CancelScope scope = move_on_after(1);
        co_await with(scope, [&] { return group.start(slow); });
        EXPECT_TRUE(scope.cancelled_caught());
        const auto fails = [](TaskStatus<>&) -> Coroutine<> {
            const auto slept = co_await as_result(sleep(10));
            throw RuntimeError("cleanup");
        };
        const auto failed = co_await as_result(timeout(1, [&] { return group.start(fails); }));
        trace.push_back(error_of(failed));
    });
    EXPECT_EQ(trace, (Trace{"CancelledError()", "cleaned up", "TimeoutError()", "CancelledError()",
                            "cleaned up", "RuntimeError('cleanup')"}));
}

ASYNC_TEST(TaskGroupStart, in_a_group_that_has_ended_or_shuts_down) {
    Trace trace;
    TaskGroup group;
    const auto quick = [](TaskStatus<>& status) -> Coroutine<> {
        status.started();
        co_return;
    };
    co_await with(group, [] {});
    const auto ended = co_await as_result(group.start(quick));
    EXPECT_TRUE(error_of(ended).ends_with("is finished')")) << error_of(ended);

    // The group is cancelled while a child is being started that takes no notice of it.
    const auto stubborn = [&trace](TaskStatus<>& status) -> Coroutine<> {
        const auto slept = co_await as_result(sleep(10));
        trace.push_back(error_of(slept));
        status.started();
        const auto again = co_await as_result(sleep(10));
        trace.push_back(error_of(again));
    };
    co_await task_group([&](TaskGroup& other) -> Coroutine<> {
        get_running_loop().call_later(1, [&other] { other.cancel(); });
        co_await other.start(stubborn);
        ADD_FAILURE();
    });
    EXPECT_EQ(trace, (Trace{"CancelledError()", "CancelledError()"}));
    EXPECT_EQ(current_task().cancelling(), 0);
}

ASYNC_TEST(TaskGroupStart, asks_a_child_once_that_starts_while_the_group_shuts_down) {
    Task<> outside;
    int requests = 0;
    const auto late = [&](TaskStatus<>& status) -> Coroutine<> {
        co_await sleep(2);
        status.started();
        const auto slept = co_await as_result(sleep(10));
        EXPECT_EQ(error_of(slept), "CancelledError()");
        requests = current_task().cancelling();
    };
    co_await task_group([&](TaskGroup& group) -> Coroutine<> {
        outside = create_task(group.start(late));
        co_await sleep(1);
        group.cancel();
    });
    co_await outside;
    EXPECT_EQ(requests, 1);
}

ASYNC_TEST(TaskGroupStart, of_a_child_that_begins_at_once) {
    get_running_loop().set_task_factory(eager_task_factory);
    Trace trace;
    co_await task_group([&](TaskGroup& group) -> Coroutine<> {
        const auto quick = [&](TaskStatus<int>& status) -> Coroutine<> {
            status.started(1);
            co_await sleep(1);
            trace.push_back("ends");
        };
        const int one = co_await group.start<int>(quick);
        EXPECT_EQ(one, 1);
        const auto done_at_once = [](TaskStatus<int>& status) -> Coroutine<> {
            status.started(2);
            co_return;
        };
        const int two = co_await group.start<int>(done_at_once);
        EXPECT_EQ(two, 2);
        const auto fails = [](TaskStatus<int>&) -> Coroutine<> {
            throw RuntimeError("at once");
            co_return;
        };
        const auto failed = co_await as_result(group.start<int>(fails));
        EXPECT_EQ(error_of(failed), "RuntimeError('at once')");
        trace.push_back("started");
    });
    EXPECT_EQ(trace, (Trace{"started", "ends"}));
}

// As Trio's nursery does: otherwise the child would look for a group that is gone.
ASYNC_TEST(TaskGroupStart, makes_the_group_wait_for_a_child_that_is_being_started) {
    Trace trace;
    Task<int> outside;
    co_await task_group([&](TaskGroup& group) -> Coroutine<> {
        outside = create_task(group.start<int>(serve, 80, std::ref(trace)));
        co_await sleep(0);
    });
    trace.push_back("group has ended");
    const int port = co_await outside;
    EXPECT_EQ(port, 80);
    EXPECT_EQ(trace, (Trace{"listens", "ends", "group has ended"}));
}

TEST(TaskGroupStart, may_be_under_way_when_the_loop_is_closed) {
    EventLoop loop;
    loop.set_exception_handler([](EventLoop&, const ExceptionContext&) {});
    Task<> outside;
    const auto never = [](TaskStatus<>&) -> Coroutine<> { co_await sleep(3600); };
    const auto starts = [&](TaskGroup& group) -> Coroutine<> {
        outside = create_task(group.start(never));
        co_await group.start(never);
    };
    auto task = loop.create_task(task_group(starts));
    loop.call_later(0.001, [&] { loop.stop(); });
    loop.run_forever();
    EXPECT_TRUE(outside);
    loop.close();
    EXPECT_FALSE(task.done());
}

}  // namespace

}  // namespace asyncio
