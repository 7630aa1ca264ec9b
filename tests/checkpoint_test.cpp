// checkpoint_test.cpp - checkpoints, and waiting until all others wait.
//
// SPDX-License-Identifier: MIT
#include <asyncio/lowlevel/checkpoint.hpp>

#include <asyncio/cancel_scope.hpp>
#include <asyncio/locks.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/testing/wait_all_tasks_blocked.hpp>

#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <gtest/gtest.h>

#include <string>

namespace asyncio {

namespace {

using lowlevel::cancel_shielded_checkpoint;
using lowlevel::checkpoint;
using lowlevel::checkpoint_if_cancelled;
using testing::Trace;
using testing::wait_all_tasks_blocked;

template <class T>
std::string error_of(const Result<T>& result) {
    return describe(result.error());
}

double now() {
    return std::chrono::duration<double>(get_running_loop().time().time_since_epoch()).count();
}

ASYNC_TEST(Checkpoint, lets_others_run) {
    Trace trace;
    auto other = create_task([&]() -> Coroutine<> {
        trace.push_back("other");
        co_return;
    });
    co_await checkpoint_if_cancelled();
    EXPECT_EQ(trace, Trace{});
    co_await checkpoint();
    EXPECT_EQ(trace, Trace{"other"});
    get_running_loop().call_soon([&] { trace.push_back("call"); });
    co_await cancel_shielded_checkpoint();
    EXPECT_EQ(trace, (Trace{"other", "call"}));
    co_await other;
}

ASYNC_TEST(Checkpoint, throws_if_the_task_is_cancelled_but_for_the_shielded_one) {
    Trace trace;
    auto task = create_task([&]() -> Coroutine<> {
        current_task().cancel();
        co_await cancel_shielded_checkpoint();
        trace.push_back("shielded");
        const auto first = co_await as_result(checkpoint());
        trace.push_back(error_of(first));
        current_task().cancel();
        const auto second = co_await as_result(checkpoint_if_cancelled());
        trace.push_back(error_of(second));
        co_await checkpoint_if_cancelled();
        co_await checkpoint();
        current_task().cancel();
        co_await checkpoint_if_cancelled();
        trace.push_back("not reached");
    });
    const auto ended = co_await as_result(task);
    EXPECT_TRUE(ended.cancelled());
    EXPECT_EQ(trace, (Trace{"shielded", "CancelledError()", "CancelledError()"}));
}

ASYNC_TEST(Checkpoint, shielded_keeps_a_cancellation_that_comes_meanwhile) {
    Trace trace;
    auto task = create_task([&]() -> Coroutine<> {
        co_await cancel_shielded_checkpoint();
        trace.push_back("shielded");
        co_await sleep(1);
        trace.push_back("not reached");
    });
    get_running_loop().call_soon([&] { task.cancel(); });
    const auto ended = co_await as_result(task);
    EXPECT_TRUE(ended.cancelled());
    EXPECT_EQ(trace, Trace{"shielded"});
}

ASYNC_TEST(Checkpoint, in_a_cancelled_scope_throws_again_and_again) {
    CancelScope scope;
    scope.cancel();
    Trace trace;
    const auto body = [&]() -> Coroutine<> {
        co_await cancel_shielded_checkpoint();
        for (int i = 0; i < 2; ++i) {
            const auto any = co_await as_result(checkpoint());
            trace.push_back(error_of(any));
            const auto cancelled = co_await as_result(checkpoint_if_cancelled());
            trace.push_back(error_of(cancelled));
            co_await cancel_shielded_checkpoint();
        }
        Lock lock;
        const bool held = co_await lock.acquire();  // is free: does not wait, does not look
        EXPECT_TRUE(held);
    };
    co_await with(scope, body);
    EXPECT_EQ(trace, Trace(4, "CancelledError()"));
    co_await cancel_shielded_checkpoint();
    co_await checkpoint();
}

// A cancellation that was postponed in a scope is the scope's still, or somebody else's.
ASYNC_TEST(Checkpoint, shielded_at_the_end_of_a_scope_leaves_nothing_behind) {
    for (const bool by_task : {false, true}) {
        Trace trace;
        auto task = create_task([&]() -> Coroutine<> {
            CancelScope scope;
            const auto body = [&]() -> Coroutine<> {
                scope.cancel();
                if (by_task) {
                    current_task().cancel();
                }
                co_await cancel_shielded_checkpoint();
            };
            co_await with(scope, body);
            const auto slept = co_await as_result(sleep(1));
            trace.push_back(error_of(slept));
        });
        co_await task;
        EXPECT_EQ(trace, Trace{by_task ? "CancelledError()" : "None"});
    }
}

ASYNC_TEST(WaitAllTasksBlocked, waits_until_nobody_else_runs) {
    Trace trace;
    Event event;
    auto busy = create_task([&]() -> Coroutine<> {
        for (int i = 0; i < 10; ++i) {
            co_await sleep(0);
        }
        trace.push_back("waits");
        co_await event.wait();
        trace.push_back("goes on");
    });
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(trace, Trace{"waits"});
    event.set();
    co_await wait_all_tasks_blocked();
    EXPECT_EQ(trace, (Trace{"waits", "goes on"}));
    co_await busy;
}

ASYNC_TEST(WaitAllTasksBlocked, wants_quiet_for_as_long_as_the_cushion) {
    Trace trace;
    auto often = create_task([&]() -> Coroutine<> {
        for (int i = 0; i < 5; ++i) {
            co_await sleep(1);
        }
        trace.push_back("waits");
        co_await sleep(100);
    });
    const double start = now();
    co_await wait_all_tasks_blocked(0.5);
    EXPECT_EQ(trace, Trace{});
    EXPECT_LT(now() - start, 1);
    co_await wait_all_tasks_blocked(2);
    EXPECT_EQ(trace, Trace{"waits"});
    EXPECT_GE(now() - start, 7);
    EXPECT_LT(now() - start, 12);
    often.cancel();
    const auto ended = co_await as_result(often);
    EXPECT_TRUE(ended.cancelled());
}

ASYNC_TEST(WaitAllTasksBlocked, can_be_done_by_several_and_be_cancelled) {
    Trace trace;
    const auto waiter = [&](std::string name, double cushion) -> Coroutine<> {
        co_await wait_all_tasks_blocked(cushion);
        trace.push_back(std::move(name));
    };
    auto first = create_task(waiter("first", 1));
    auto second = create_task(waiter("second", 1));
    auto third = create_task(waiter("third", 3));
    auto fourth = create_task(waiter("fourth", 3));
    co_await sleep(0.1);
    fourth.cancel();
    co_await gather(return_exceptions, first, second, third, fourth);
    EXPECT_TRUE(fourth.cancelled());
    EXPECT_EQ(trace, (Trace{"first", "second", "third"}));
}

TEST(WaitAllTasksBlocked, may_go_on_when_the_loop_is_closed) {
    EventLoop loop;
    loop.set_exception_handler([](EventLoop&, const ExceptionContext&) {});
    auto task = loop.create_task([]() -> Coroutine<> { co_await wait_all_tasks_blocked(3600); });
    loop.call_soon([&] { loop.call_soon([&] { loop.call_soon([&] { loop.stop(); }); }); });
    loop.run_forever();
    EXPECT_FALSE(task.done());
}

}  // namespace

}  // namespace asyncio
