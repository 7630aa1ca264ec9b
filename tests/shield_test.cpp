// shield_test.cpp - shield(): what passes through it, what does not, and who hears of late
// failures.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/graph.hpp>
#include <asyncio/tasks.hpp>

#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace asyncio {

using testing::Gone;
using testing::Reports;
using testing::settle;
using testing::thrown_by;
using testing::Trace;
using testing::TurnCounter;

namespace {

Coroutine<int> after(double seconds, int value) {
    co_await sleep(seconds);
    co_return value;
}
Coroutine<int> fail(double seconds, std::string why) {
    co_await sleep(seconds);
    throw RuntimeError(why);
}

struct Counted {
    explicit Counted(int& to_count) : copies(&to_count) {}
    Counted(const Counted& other) : copies(other.copies) { ++*copies; }
    Counted(Counted&&) = default;
    int* copies;
};
Coroutine<Counted> make_counted(int& copies) {
    co_await sleep(0);
    co_return Counted(copies);
}

template <class F>
Coroutine<> await_shield(F future) {
    co_await shield(future);
}

// ----------------------------------------------------------------------------- what passes through

ASYNC_TEST(Shield, gives_what_the_awaitable_gives) {
    int object = 1;
    auto nothing = []() -> Coroutine<> { co_return; };
    auto only_moves = []() -> Coroutine<std::unique_ptr<int>> {
        co_return std::make_unique<int>(7);
    };
    auto reference = [](int& what) -> Coroutine<int&> { co_return what; };

    const int value = co_await shield(after(1, 5));
    co_await shield(nothing);
    const auto moved = co_await shield(only_moves());
    int& same = co_await shield(reference(object));
    const int slept = co_await shield(sleep(1, 6));

    EXPECT_EQ(value, 5);
    EXPECT_EQ(*moved, 7);
    EXPECT_EQ(&same, &object);
    EXPECT_EQ(slept, 6);
}

ASYNC_TEST(Shield, moves_the_result_only_if_nobody_else_can_ask_for_it) {
    int of_mine = 0;
    int of_shared = 0;

    auto sole = shield(make_counted(of_mine));
    auto task = create_task(make_counted(of_shared));
    auto shared = shield(task);
    co_await settle();

    EXPECT_EQ(of_mine, 0);
    EXPECT_EQ(of_shared, 1);
    EXPECT_EQ(task.result().copies, &of_shared);
}

ASYNC_TEST(Shield, throws_what_the_awaitable_throws) {
    const Reports reports;
    auto task = create_task(fail(1, "inner"));

    auto outer = shield(task);
    const auto result = co_await as_result(outer);

    EXPECT_EQ(describe(result.error()), "RuntimeError('inner')");
    task = {};
    outer = {};
    EXPECT_TRUE(reports.messages.empty());  // both were looked at
}

ASYNC_TEST(Shield, of_a_done_future_is_that_future) {
    auto future = get_running_loop().create_future<int>();
    future.set_result(1);
    auto failed = create_task(fail(0, "early"));
    co_await settle();

    EXPECT_EQ(shield(future), future);
    EXPECT_EQ(shield(failed), failed);
    EXPECT_EQ(thrown_by([&] { return shield(failed).result(); }), "RuntimeError('early')");
}

ASYNC_TEST(Shield, of_a_future_of_unknown_type_is_one) {
    const AnyTask task = create_task(after(1, 5));
    AnyFuture outer = shield(task);
    static_assert(std::is_same_v<decltype(shield(task)), AnyFuture>);

    co_await outer;

    EXPECT_TRUE(task.done());
    EXPECT_EQ(shield(task), task);
}

TEST(Shield, of_a_coroutine_needs_a_running_loop) {
    EXPECT_EQ(thrown_by([] { return shield(after(1, 1)); }),
              "RuntimeError('no running event loop')");
}

ASYNC_TEST(Shield, of_a_coroutine_takes_three_turns) {
    auto instant = []() -> Coroutine<int> { co_return 1; };
    TurnCounter turns(get_running_loop());
    co_await sleep(0);

    const int before = turns.now();
    co_await shield(instant());

    EXPECT_EQ(turns.now() - before, 3);
}

// --------------------------------------------------------------------------------- cancellation

ASYNC_TEST(Shield, keeps_the_cancellation_of_who_awaits_it_from_the_awaitable) {
    auto inner = create_task(after(2, 5));
    auto outer = create_task(await_shield(inner));
    co_await settle();

    EXPECT_TRUE(outer.cancel("why"));
    const auto result = co_await as_result(outer);

    EXPECT_EQ(describe(result.error()), "CancelledError('why')");
    EXPECT_EQ(inner.cancelling(), 0);
    const int value = co_await inner;
    EXPECT_EQ(value, 5);
}

ASYNC_TEST(Shield, is_cancelled_with_the_awaitable_but_without_its_message) {
    auto inner = create_task(after(2, 5));
    auto outer = shield(inner);
    co_await settle();

    inner.cancel("inner");
    const auto result = co_await as_result(outer);

    EXPECT_TRUE(outer.cancelled());
    EXPECT_EQ(describe(result.error()), "CancelledError()");
}

ASYNC_TEST(Shield, is_cancelled_at_once_and_takes_its_callback_back) {
    auto inner = get_running_loop().create_future<int>();
    auto outer = shield(inner);
    EXPECT_EQ(inner.raw()->callbacks().size(), 1U);

    EXPECT_TRUE(outer.cancel());
    EXPECT_TRUE(outer.cancelled());
    EXPECT_FALSE(outer.cancel());
    co_await settle();
    inner.set_result(1);
    co_await settle();

    EXPECT_EQ(thrown_by([&] { outer.result(); }), "CancelledError()");
}

ASYNC_TEST(Shield, cancelled_in_the_turn_in_which_the_awaitable_ends_loses_the_result) {
    auto inner = get_running_loop().create_future<int>();
    auto outer = shield(inner);

    inner.set_result(1);
    outer.cancel();
    co_await settle();

    EXPECT_TRUE(outer.cancelled());
    EXPECT_EQ(inner.result(), 1);
}

// -------------------------------------------------------------------------------- late failures

ASYNC_TEST(Shield, reports_once_what_the_awaitable_throws_when_nobody_waits_any_more) {
    const Reports reports;
    auto inner = create_task(fail(1, "late"));
    std::vector<Task<>> waiting;
    for (int count = 0; count < 3; ++count) {
        waiting.push_back(create_task(await_shield(inner)));
    }
    co_await settle();
    for (const auto& task : waiting) {
        task.cancel();
        co_await settle();
    }

    const auto result = co_await as_result(inner);

    EXPECT_EQ(describe(result.error()), "RuntimeError('late')");
    co_await settle();
    EXPECT_EQ(reports.messages, Trace{"RuntimeError exception in shielded future"});
    EXPECT_EQ(reports.errors, Trace{"RuntimeError('late')"});
    inner = {};
    EXPECT_EQ(reports.messages.size(), 1U);
}

ASYNC_TEST(Shield, reports_nothing_late_of_a_result_or_of_a_cancellation) {
    const Reports reports;
    auto good = create_task(after(1, 1));
    auto cancelled = create_task(after(1, 1));
    shield(good).cancel();
    shield(cancelled).cancel();
    co_await settle();

    cancelled.cancel();
    co_await sleep(2);

    EXPECT_TRUE(reports.messages.empty());
}

ASYNC_TEST(Shield, does_not_lose_a_failure_in_the_turn_in_which_it_is_cancelled) {
    const Reports reports;
    auto inner = get_running_loop().create_future<int>();
    auto outer = shield(inner);

    inner.set_exception(RuntimeError("same turn"));
    outer.cancel();
    co_await settle();
    EXPECT_TRUE(reports.messages.empty());
    inner = {};
    outer = {};

    EXPECT_EQ(reports.messages, Trace{"Future exception was never retrieved"});
}

ASYNC_TEST(Shield, that_nobody_looks_at_reports_its_exception) {
    const Reports reports;

    static_cast<void>(shield(fail(1, "nobody")));
    co_await sleep(2);

    EXPECT_EQ(reports.messages, Trace{"Future exception was never retrieved"});
}

// ------------------------------------------------------------------------------------- lifetime

ASYNC_TEST(Shield, is_kept_until_the_awaitable_is_done) {
    Trace trace;

    shield(after(1, 5)).add_done_callback([&trace](Future<int> outer) {
        trace.push_back(std::to_string(outer.result()));
    });
    co_await sleep(2);

    EXPECT_EQ(trace, Trace{"5"});
}

TEST(ShieldAtTheEnd, lets_go_when_the_loop_closes) {
    const testing::VirtualClockScope clock;
    Trace trace;
    Future<int> kept;
    {
        EventLoop loop;
        const Reports reports(loop);
        auto wait = [](Gone gone, Task<int> inner) -> Coroutine<> {
            const Gone here = std::move(gone);
            co_await shield(inner);
        };
        auto inner = loop.create_task(after(3600, 1));
        loop.create_task(wait(Gone(trace, "waiter"), inner));
        auto lonely = loop.create_future<int>();
        auto make = [](const Task<int>& task, const Future<int>& future) -> Coroutine<Future<int>> {
            static_cast<void>(shield(future));
            auto cancelled = shield(task);
            cancelled.cancel();
            co_await sleep(0);
            co_await sleep(0);
            co_return shield(task);
        };
        kept = loop.run_until_complete(make(inner, lonely));

        loop.close();

        EXPECT_EQ(trace, Trace{"waiter"});
        EXPECT_EQ(reports.messages.size(), 2U);
    }
    EXPECT_FALSE(kept.done());
}

TEST(ShieldAtTheEnd, of_a_future_whose_loop_is_gone_never_ends) {
    Future<int> future;
    {
        EventLoop loop;
        future = loop.create_future<int>();
    }

    auto outer = shield(future);
    auto gathered = gather(future);

    EXPECT_FALSE(outer.done());
    EXPECT_FALSE(gathered.done());
}

ASYNC_TEST(Shield, shows_in_the_call_graph_who_awaits_it) {
    auto inner = create_task(after(1, 5));
    auto waiting = create_task(await_shield(inner));
    waiting.set_name("waiting");
    co_await settle();

    const auto graph = capture_call_graph(inner);

    EXPECT_EQ(graph->awaited_by.size(), 1U);
    EXPECT_EQ(graph->awaited_by.at(0).future.get_name(), "waiting");
    co_await waiting;
}

}  // namespace

}  // namespace asyncio
