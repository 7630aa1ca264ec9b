// tasks_test.cpp - tasks: how they run, are cancelled and end; sleep().
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/tasks.hpp>
#include <asyncio/timeouts.hpp>

#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

namespace asyncio {

using namespace std::chrono_literals;
using testing::Gone;
using testing::Logged;
using testing::Reports;
using testing::settle;
using testing::thrown_by;
using testing::Trace;
using testing::TurnCounter;

namespace {

Coroutine<int> give(int value) {
    co_return value;
}

Coroutine<int> fail(std::string why) {
    co_await sleep(0);
    throw RuntimeError(why);
}

Coroutine<> note(Trace& trace, std::string what) {
    trace.push_back(what);
    co_return;
}

Coroutine<> wait_for_ever() {
    co_await get_running_loop().create_future();
}

// What a task got in place of its value.
template <class T>
Coroutine<std::string> outcome_of(Task<T> task) {
    Result<T> result = co_await as_result(task);
    co_return describe(result.error());
}

// ------------------------------------------------------------------------------------ running

ASYNC_TEST(Task, begins_in_the_next_turn_in_the_order_of_creation) {
    Trace trace;
    auto first = create_task(note(trace, "first"));
    auto second = create_task(note(trace, "second"));
    trace.push_back("created");

    co_await second;

    EXPECT_EQ(trace, (Trace{"created", "first", "second"}));
    EXPECT_TRUE(first.done());
}

ASYNC_TEST(Task, is_kept_alive_by_its_loop_when_nobody_has_a_handle) {
    Trace trace;
    create_task(note(trace, "ran"));

    co_await settle();

    EXPECT_EQ(trace, Trace{"ran"});
}

ASYNC_TEST(Task, gives_its_result_to_every_task_that_awaits_it) {
    auto shared = create_task(give(7));
    auto await_it = [](Task<int> task) -> Coroutine<int> { co_return co_await task; };
    auto a = create_task(await_it, shared);
    auto b = create_task(await_it, shared);

    const int first = co_await a;
    const int second = co_await b;
    const int again = co_await shared;

    EXPECT_EQ(first, 7);
    EXPECT_EQ(second, 7);
    EXPECT_EQ(again, 7);
    EXPECT_EQ(shared.result(), 7);
    EXPECT_EQ(shared.exception(), nullptr);
}

ASYNC_TEST(Task, throws_its_exception_to_every_task_that_awaits_it) {
    auto failing = create_task(fail("bad"));

    auto first = co_await as_result(failing);
    auto second = co_await as_result(failing);

    EXPECT_EQ(describe(first.error()), "RuntimeError('bad')");
    EXPECT_EQ(describe(second.error()), "RuntimeError('bad')");
    EXPECT_EQ(thrown_by([&] { return failing.result(); }), "RuntimeError('bad')");
    EXPECT_EQ(describe(failing.exception()), "RuntimeError('bad')");
    EXPECT_FALSE(failing.cancelled());
}

ASYNC_TEST(Task, gives_a_result_that_can_only_be_moved_to_the_first_who_asks) {
    auto make = []() -> Coroutine<std::unique_ptr<int>> { co_return std::make_unique<int>(3); };
    auto task = create_task(make);

    std::unique_ptr<int> value = co_await task;
    auto again = co_await as_result(task);

    EXPECT_EQ(*value, 3);
    EXPECT_EQ(describe(again.error()), "InvalidStateError('Result has been moved out already.')");
}

ASYNC_TEST(Task, may_give_a_reference) {
    int object = 1;
    auto refer = [](int& to) -> Coroutine<int&> { co_return to; };
    auto task = create_task(refer(object));

    int& directly = co_await refer(object);
    int& by_task = co_await task;

    EXPECT_EQ(&directly, &object);
    EXPECT_EQ(&by_task, &object);
}

ASYNC_TEST(Task, may_give_a_future_which_is_not_awaited) {
    auto future = get_running_loop().create_future<int>();
    auto pass_on = [](Future<int> given) -> Coroutine<Future<int>> { co_return given; };
    auto task = create_task(pass_on(future));

    const Future<int> got = co_await task;

    EXPECT_TRUE(got == future);
    EXPECT_FALSE(got.done());
}

struct alignas(64) Overaligned {
    explicit Overaligned(int value) : value(value) {}
    int value;
};

ASYNC_TEST(Task, keeps_an_overaligned_result_where_it_must_lie) {
    auto make = [](int value) -> Coroutine<Overaligned> { co_return Overaligned(value); };
    auto task = create_task(make(5));
    co_await settle();

    const auto& outcome = static_cast<detail::Outcome<Overaligned>&>(task.raw()->outcome());
    auto* const where = &const_cast<detail::Outcome<Overaligned>&>(outcome).value();

    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(where) % 64, 0U);
    EXPECT_EQ(where->value, 5);
}

struct ThrowsWhenCopied {
    ThrowsWhenCopied() = default;
    ThrowsWhenCopied(const ThrowsWhenCopied&) { throw RuntimeError("copied"); }
    ThrowsWhenCopied(ThrowsWhenCopied&&) noexcept {}
    ThrowsWhenCopied& operator=(const ThrowsWhenCopied&) = default;
};

ASYNC_TEST(Task, passes_on_what_copying_its_result_throws) {
    auto make = []() -> Coroutine<ThrowsWhenCopied> { co_return ThrowsWhenCopied(); };
    auto task = create_task(make);

    auto result = co_await as_result(task);

    EXPECT_EQ(describe(result.error()), "RuntimeError('copied')");
    EXPECT_TRUE(task.done());
    EXPECT_EQ(task.exception(), nullptr);
}

ASYNC_TEST(Task, destroys_its_arguments_and_locals_when_it_ends_although_handles_are_left) {
    Trace trace;
    auto body = [](Trace& trace, Gone) -> Coroutine<int> {
        const Gone local(trace, "local");
        co_await sleep(0);
        co_return 1;
    };
    auto task = create_task(body(trace, Gone(trace, "argument")));
    task.add_done_callback([&trace](const auto&) { trace.push_back("callback"); });

    const int result = co_await task;

    EXPECT_EQ(result, 1);
    EXPECT_EQ(trace, (Trace{"local", "argument", "callback"}));
}

ASYNC_TEST(Task, keeps_the_captures_of_a_callable_that_makes_its_coroutine) {
    auto value = std::make_shared<int>(4);
    auto task = create_task([value]() -> Coroutine<int> {
        co_await sleep(0);
        co_return *value;
    });
    EXPECT_EQ(value.use_count(), 2);

    const int result = co_await task;

    EXPECT_EQ(result, 4);
    EXPECT_EQ(value.use_count(), 1);
}

ASYNC_TEST(Task, takes_any_awaitable) {
    auto future = get_running_loop().create_future<int>();
    auto of_sleep = create_task(sleep(1, std::string("slept")));
    auto of_future = create_task(future);
    future.set_result(2);

    const std::string slept = co_await of_sleep;
    const int got = co_await of_future;

    EXPECT_EQ(slept, "slept");
    EXPECT_EQ(got, 2);
}

ASYNC_TEST(Task, cannot_be_given_a_result_by_others) {
    auto task = create_task(give(1));

    EXPECT_EQ(thrown_by([&] { task.set_result(2); }),
              "RuntimeError('Task does not support set_result operation')");
    EXPECT_NE(thrown_by([&] { task.set_exception(RuntimeError("x")); }), "nothing");
    const Future<int> as_future = task;
    EXPECT_EQ(thrown_by([&] { as_future.set_result(2); }),
              "RuntimeError('Task does not support set_result operation')");
    const int result = co_await task;
    EXPECT_EQ(result, 1);
}

ASYNC_TEST(Task, cannot_await_itself) {
    Task<> task;
    auto body = [](Task<>& task) -> Coroutine<> { co_await task; };
    task = create_task(body(task));

    const std::string error = co_await outcome_of(task);

    EXPECT_TRUE(error.starts_with("RuntimeError(\"Task cannot await on itself: <Task name='Task-"))
        << error;
    task = {};
}

ASYNC_TEST(Task, is_named_by_a_counter_unless_it_is_given_a_name) {
    auto one = create_task(give(1));
    auto two = create_task(give(2));
    auto named = create_task(give(3), {.name = "worker"});

    EXPECT_TRUE(one.get_name().starts_with("Task-"));
    EXPECT_EQ(std::stoi(two.get_name().substr(5)), std::stoi(one.get_name().substr(5)) + 1);
    EXPECT_EQ(named.get_name(), "worker");
    named.set_name("other");
    EXPECT_EQ(named.get_name(), "other");
    EXPECT_EQ(AnyTask(named).get_name(), "other");
    co_await settle();
    EXPECT_EQ(named.get_name(), "other");
}

ASYNC_TEST(Task, handles_of_all_types_compare_and_hash_by_identity) {
    auto task = create_task(give(1));
    auto other = create_task(give(1));
    const Future<int> as_future = task;
    const AnyTask as_task = task;
    const AnyFuture as_any = task;

    EXPECT_TRUE(as_future == task);
    EXPECT_TRUE(as_task == as_any);
    EXPECT_FALSE(as_any == other);
    std::unordered_set<AnyFuture> seen{task, as_future, as_task, other};
    EXPECT_EQ(seen.size(), 2U);
    EXPECT_FALSE(static_cast<bool>(Task<int>()));
    EXPECT_TRUE(static_cast<bool>(task));
    EXPECT_NE(thrown_by([] { return AnyFuture().done(); }), "nothing");
    co_await settle();
}

ASYNC_TEST(CurrentTask, is_the_one_that_runs_and_none_in_a_callback) {
    AnyTask seen;
    AnyTask in_callback = current_task();
    auto body = [](AnyTask& seen) -> Coroutine<> {
        seen = current_task();
        co_return;
    };
    auto task = create_task(body(seen));
    get_running_loop().call_soon([&] { in_callback = current_task(); });

    co_await task;

    EXPECT_TRUE(seen == task);
    EXPECT_FALSE(static_cast<bool>(in_callback));
    EXPECT_FALSE(current_task() == task);
}

ASYNC_TEST(CurrentTask, is_the_same_after_every_wait_of_tasks_that_take_turns) {
    auto ping = get_running_loop().create_future();
    auto pong = get_running_loop().create_future();
    auto first = [](Future<> ping, Future<> pong) -> Coroutine<bool> {
        const AnyTask me = current_task();
        co_await ping;
        EXPECT_TRUE(current_task() == me);
        pong.set_result();
        co_await sleep(1);
        co_return current_task() == me;
    };
    auto second = [](Future<> ping, Future<> pong) -> Coroutine<bool> {
        const AnyTask me = current_task();
        ping.set_result();
        co_await pong;
        co_return current_task() == me;
    };

    auto [of_first, of_second] = co_await gather(first(ping, pong), second(ping, pong));

    EXPECT_TRUE(of_first);
    EXPECT_TRUE(of_second);
}

TEST(CurrentTask, needs_a_running_loop) {
    EXPECT_EQ(thrown_by([] { return current_task(); }), "RuntimeError('no running event loop')");
}

ASYNC_TEST(AllTasks, are_those_that_are_not_done_in_the_order_of_creation) {
    auto a = create_task(wait_for_ever());
    auto b = create_task(give(1));
    auto c = create_task(wait_for_ever());

    const std::vector<AnyTask> before = all_tasks();
    co_await settle();
    const std::vector<AnyTask> after = all_tasks(get_running_loop());

    EXPECT_EQ(before, (std::vector<AnyTask>{current_task(), a, b, c}));
    EXPECT_EQ(after, (std::vector<AnyTask>{current_task(), a, c}));
}

TEST(CreateTask, needs_a_running_loop_unless_it_is_told_one) {
    EventLoop loop;

    EXPECT_EQ(thrown_by([] { return create_task(give(1)); }),
              "RuntimeError('no running event loop')");
    auto task = loop.create_task(give(1), {.name = "mine"});

    EXPECT_EQ(task.get_name(), "mine");
    EXPECT_EQ(loop.run_until_complete(task), 1);
}

TEST(CreateTask, refuses_a_coroutine_that_was_given_away) {
    EventLoop loop;
    auto coroutine = give(1);
    auto task = loop.create_task(std::move(coroutine));

    EXPECT_EQ(thrown_by([&] { return loop.create_task(std::move(coroutine)); }),
              "RuntimeError('cannot reuse already awaited coroutine')");
    EXPECT_EQ(loop.run_until_complete(task), 1);
}

TEST(CreateTask, on_a_closed_loop_throws_and_destroys_the_coroutine) {
    Trace trace;
    EventLoop loop;
    loop.close();
    auto body = [](Gone) -> Coroutine<> { co_return; };

    EXPECT_EQ(thrown_by([&] { return loop.create_task(body(Gone(trace, "gone"))); }),
              "RuntimeError('Event loop is closed')");
    EXPECT_EQ(trace, Trace{"gone"});
}

ASYNC_TEST(EnsureFuture, gives_futures_back_and_makes_tasks_of_the_rest) {
    auto future = get_running_loop().create_future<int>();
    auto same = ensure_future(future);
    auto task = ensure_future(give(4));

    EXPECT_TRUE(same == future);
    const int result = co_await task;
    EXPECT_EQ(result, 4);
}

ASYNC_TEST(EnsureFuture, makes_a_task_of_any_awaitable_and_gives_tasks_back) {
    auto task = ensure_future(sleep(1, std::string("slept")));
    auto same = ensure_future(task);

    EXPECT_TRUE(same == task);
    const std::string slept = co_await same;
    EXPECT_EQ(slept, "slept");
}

TEST(EnsureFuture, of_a_coroutine_needs_a_running_loop) {
    EXPECT_EQ(thrown_by([] { return ensure_future(give(1)); }),
              "RuntimeError('no running event loop')");
}

// --------------------------------------------------------------------------------------- turns

// Runs `body` with a counter that is first in every turn.
template <class Body>
void run_counted(Body body) {
    EventLoop loop;
    TurnCounter turns(loop);
    loop.run_until_complete(body(turns));
}

TEST(Turns, no_turn_passes_in_the_await_of_a_done_future_or_a_coroutine) {
    run_counted([](TurnCounter& turns) -> Coroutine<> {
        auto future = get_running_loop().create_future<int>();
        future.set_result(1);
        const int before = turns.now();
        co_await future;
        const int after_future = turns.now();
        co_await give(1);
        const int after_coroutine = turns.now();

        EXPECT_EQ(after_future - before, 0);
        EXPECT_EQ(after_coroutine - before, 0);
    });
}

TEST(Turns, sleep_of_nothing_takes_one) {
    run_counted([](TurnCounter& turns) -> Coroutine<> {
        const int before = turns.now();
        co_await sleep(0);
        const int after_one = turns.now();
        co_await sleep(-1);
        const int after_two = turns.now();

        EXPECT_EQ(after_one - before, 1);
        EXPECT_EQ(after_two - after_one, 1);
    });
}

TEST(Turns, a_new_task_that_ends_at_once_takes_two) {
    run_counted([](TurnCounter& turns) -> Coroutine<> {
        const int before = turns.now();
        auto task = create_task(give(1));
        co_await task;
        const int after = turns.now();

        EXPECT_EQ(after - before, 2);
    });
}

TEST(Turns, gather_of_two_coroutines_takes_three) {
    run_counted([](TurnCounter& turns) -> Coroutine<> {
        const int before = turns.now();
        co_await gather(give(1), give(2));
        const int after = turns.now();

        EXPECT_EQ(after - before, 3);
    });
}

TEST(Turns, wait_for_one_task_takes_three) {
    run_counted([](TurnCounter& turns) -> Coroutine<> {
        const std::vector<Task<int>> tasks{create_task(give(1))};
        const int before = turns.now();
        co_await wait(tasks);
        const int after = turns.now();

        EXPECT_EQ(after - before, 3);
    });
}

TEST(Turns, wait_for_takes_those_of_what_it_waits_for) {
    run_counted([](TurnCounter& turns) -> Coroutine<> {
        auto task = create_task(give(1));
        const int before = turns.now();
        co_await wait_for(give(1), 1);
        const int after_coroutine = turns.now();
        co_await wait_for(task, 1);
        const int after_task = turns.now();

        EXPECT_EQ(after_coroutine - before, 0);
        EXPECT_EQ(after_task - before, 2);
    });
}

// -------------------------------------------------------------------------------- cancellation

ASYNC_TEST(Cancel, before_the_first_step_never_runs_the_body) {
    Trace trace;
    auto body = [](Trace& trace, Gone) -> Coroutine<> {
        trace.push_back("ran");
        co_return;
    };
    auto task = create_task(body(trace, Gone(trace, "argument")));

    EXPECT_TRUE(task.cancel("early"));
    const std::string error = co_await outcome_of(task);

    EXPECT_EQ(error, "CancelledError('early')");
    EXPECT_TRUE(task.cancelled());
    EXPECT_EQ(trace, Trace{"argument"});
}

ASYNC_TEST(Cancel, of_a_done_task_answers_false) {
    auto task = create_task(give(1));
    co_await settle();

    EXPECT_FALSE(task.cancel());
    EXPECT_FALSE(task.cancelled());
    EXPECT_EQ(task.cancelling(), 0);
    EXPECT_EQ(task.result(), 1);
}

ASYNC_TEST(Cancel, is_thrown_at_the_await_and_runs_the_cleanup) {
    Trace trace;
    auto body = [](Trace& trace) -> Coroutine<> {
        const Gone local(trace, "local");
        try {
            co_await sleep(3600);
        } catch (const CancelledError& error) {
            trace.push_back("caught " + error.message().value_or("-"));
            throw;
        }
    };
    auto task = create_task(body(trace));
    co_await settle();

    EXPECT_TRUE(task.cancel("stop"));
    EXPECT_FALSE(task.done());  // it has only been asked
    EXPECT_EQ(task.cancelling(), 1);
    const std::string error = co_await outcome_of(task);

    EXPECT_EQ(trace, (Trace{"caught stop", "local"}));
    EXPECT_EQ(error, "CancelledError('stop')");
    EXPECT_TRUE(task.cancelled());
    EXPECT_FALSE(task.cancel());
}

ASYNC_TEST(Cancel, is_delivered_in_the_next_turn) {
    Trace trace;
    auto body = [](Trace& trace) -> Coroutine<> {
        auto slept = co_await as_result(sleep(3600));
        trace.push_back(describe(slept.error()));
    };
    auto task = create_task(body(trace));
    co_await settle();

    task.cancel();
    EXPECT_EQ(trace, Trace{});
    co_await sleep(0);

    EXPECT_EQ(trace, Trace{"CancelledError()"});
}

ASYNC_TEST(Cancel, that_is_caught_does_not_cancel_the_task) {
    auto body = []() -> Coroutine<int> {
        try {
            co_await sleep(9);
        } catch (const CancelledError&) {}
        co_return 5;
    };
    auto task = create_task(body);
    co_await settle();

    task.cancel();
    const int result = co_await task;

    EXPECT_EQ(result, 5);
    EXPECT_FALSE(task.cancelled());
    EXPECT_EQ(task.cancelling(), 1);
}

ASYNC_TEST(Cancel, that_becomes_another_error_fails_the_task) {
    auto body = []() -> Coroutine<> {
        try {
            co_await sleep(9);
        } catch (const CancelledError&) {
            throw RuntimeError("cleanup");
        }
    };
    auto task = create_task(body);
    co_await settle();

    task.cancel();
    const std::string error = co_await outcome_of(task);

    EXPECT_EQ(error, "RuntimeError('cleanup')");
    EXPECT_FALSE(task.cancelled());
}

ASYNC_TEST(Cancel, twice_before_the_next_step_throws_once_and_counts_two) {
    int caught = 0;
    auto body = [](int& caught) -> Coroutine<> {
        for (int round = 0; round < 2; ++round) {
            auto slept = co_await as_result(sleep(5));
            caught += slept.cancelled() ? 1 : 0;
        }
    };
    auto task = create_task(body(caught));
    co_await settle();

    EXPECT_TRUE(task.cancel("first"));
    EXPECT_TRUE(task.cancel("second"));
    EXPECT_EQ(task.cancelling(), 2);
    co_await task;

    EXPECT_EQ(caught, 1);
}

ASYNC_TEST(Cancel, twice_delivers_the_message_of_the_first) {
    auto task = create_task(wait_for_ever());
    auto sleeper = create_task(sleep(9));
    co_await settle();
    for (const AnyTask& each : {AnyTask(task), AnyTask(sleeper)}) {
        each.cancel("first");
        each.cancel("second");
    }

    const std::string error = co_await outcome_of(task);
    const std::string slept = co_await outcome_of(sleeper);

    EXPECT_EQ(error, "CancelledError('first')");
    EXPECT_EQ(slept, "CancelledError('first')");
}

ASYNC_TEST(Cancel, while_it_cleans_up_interrupts_the_cleanup) {
    Trace trace;
    auto body = [](Trace& trace) -> Coroutine<> {
        auto first = co_await as_result(sleep(9));
        trace.push_back(describe(first.error()));
        auto second = co_await as_result(sleep(9));
        trace.push_back(describe(second.error()));
        first.get();
    };
    auto task = create_task(body(trace));
    co_await settle();

    task.cancel("one");
    co_await settle();
    task.cancel("two");
    const std::string error = co_await outcome_of(task);

    EXPECT_EQ(trace, (Trace{"CancelledError('one')", "CancelledError('two')"}));
    EXPECT_EQ(error, "CancelledError('one')");
}

ASYNC_TEST(Cancel, of_a_task_whose_future_is_done_but_which_has_not_run_yet_loses_the_value) {
    Trace got;
    auto future = get_running_loop().create_future<std::string>();
    auto body = [](Future<std::string> future, Trace& got) -> Coroutine<> {
        const std::string value = co_await future;
        got.push_back(value);
    };
    auto task = create_task(body(future, got));
    co_await settle();

    future.set_result("value");
    EXPECT_TRUE(task.cancel("late"));
    const std::string error = co_await outcome_of(task);

    EXPECT_EQ(error, "CancelledError('late')");
    EXPECT_EQ(got, Trace{});
    EXPECT_EQ(future.result(), "value");
}

ASYNC_TEST(Cancel, before_the_future_is_set_in_the_same_turn_cancels_the_future) {
    auto future = get_running_loop().create_future<int>();
    auto await_it = [](Future<int> future) -> Coroutine<int> { co_return co_await future; };
    auto task = create_task(await_it, future);
    co_await settle();

    task.cancel("why");

    EXPECT_TRUE(future.cancelled());
    EXPECT_EQ(thrown_by([&] { future.set_result(1); }), "InvalidStateError('invalid state')");
    const std::string error = co_await outcome_of(task);
    EXPECT_EQ(error, "CancelledError('why')");
}

ASYNC_TEST(Cancel, goes_through_the_tasks_that_are_awaited_to_the_innermost) {
    Trace trace;
    auto inner = [](Trace& trace) -> Coroutine<> {
        auto slept = co_await as_result(sleep(9));
        trace.push_back("inner " + describe(slept.error()));
        slept.get();
    };
    auto outer = [](Task<> inner, Trace& trace) -> Coroutine<> {
        auto waited = co_await as_result(inner);
        trace.push_back("outer " + describe(waited.error()));
        waited.get();
    };
    auto innermost = create_task(inner(trace));
    auto middle = create_task(outer(innermost, trace));
    auto outermost = create_task(outer(middle, trace));
    co_await settle();

    outermost.cancel("all");
    EXPECT_EQ(innermost.cancelling(), 1);
    EXPECT_EQ(middle.cancelling(), 1);
    co_await settle();

    EXPECT_EQ(trace, (Trace{"inner CancelledError('all')", "outer CancelledError('all')",
                            "outer CancelledError('all')"}));
    EXPECT_TRUE(innermost.cancelled());
    EXPECT_TRUE(middle.cancelled());
    EXPECT_TRUE(outermost.cancelled());
}

ASYNC_TEST(Cancel, of_an_inner_task_ends_the_one_that_awaits_it) {
    auto inner = create_task(wait_for_ever());
    auto await_it = [](Task<> inner) -> Coroutine<> { co_await inner; };
    auto outer = create_task(await_it, inner);
    co_await settle();

    inner.cancel("inner");
    const std::string error = co_await outcome_of(outer);

    EXPECT_EQ(error, "CancelledError('inner')");
    EXPECT_TRUE(outer.cancelled());
    EXPECT_EQ(outer.cancelling(), 0);
}

ASYNC_TEST(Cancel, that_an_inner_task_refuses_leaves_the_outer_one_going) {
    auto stubborn = []() -> Coroutine<int> {
        auto slept = co_await as_result(sleep(1));
        co_return slept.cancelled() ? 1 : 2;
    };
    auto await_it = [](Task<int> inner) -> Coroutine<int> { co_return co_await inner; };
    auto inner = create_task(stubborn);
    auto outer = create_task(await_it, inner);
    co_await settle();

    outer.cancel();
    const int result = co_await outer;

    EXPECT_EQ(result, 1);
    EXPECT_FALSE(outer.cancelled());
    EXPECT_EQ(outer.cancelling(), 1);
}

ASYNC_TEST(Cancel, of_oneself_is_thrown_at_the_next_await_that_waits) {
    Trace trace;
    auto body = [](Trace& trace) -> Coroutine<> {
        current_task().cancel("self");
        trace.push_back("goes on");
        co_await give(1);  // does not wait
        trace.push_back("still");
        auto done = get_running_loop().create_future();
        done.set_result();
        co_await done;  // nor does this
        trace.push_back("and still");
        auto future = co_await as_result(get_running_loop().create_future());
        trace.push_back(describe(future.error()));
        future.get();
    };
    auto task = create_task(body(trace));

    const std::string error = co_await outcome_of(task);

    EXPECT_EQ(trace, (Trace{"goes on", "still", "and still", "CancelledError('self')"}));
    EXPECT_EQ(error, "CancelledError('self')");
}

ASYNC_TEST(Cancel, of_oneself_is_thrown_by_a_sleep_of_any_length) {
    auto body = [](double delay) -> Coroutine<> {
        current_task().cancel("self");
        co_await sleep(delay);
    };
    auto none = create_task(body(0));
    auto some = create_task(body(9));

    const std::string without = co_await outcome_of(none);
    const std::string with = co_await outcome_of(some);

    EXPECT_EQ(without, "CancelledError('self')");
    EXPECT_EQ(with, "CancelledError('self')");
}

ASYNC_TEST(Cancel, of_oneself_reaches_the_task_that_is_awaited_next) {
    auto future = get_running_loop().create_future();
    auto nested = [](Future<> future) -> Coroutine<> { co_await future; };
    auto inner = create_task(nested(future));
    co_await settle();
    auto body = [](Task<> inner) -> Coroutine<> {
        current_task().cancel("self");
        co_await inner;
    };
    auto task = create_task(body(inner));

    const std::string error = co_await outcome_of(task);

    EXPECT_EQ(error, "CancelledError('self')");
    EXPECT_TRUE(task.cancelled());
    EXPECT_TRUE(inner.cancelled());
    EXPECT_TRUE(future.cancelled());
}

ASYNC_TEST(Cancel, of_oneself_before_returning_cancels_the_task) {
    auto body = []() -> Coroutine<int> {
        current_task().cancel();
        co_return 7;
    };
    auto task = create_task(body);

    const std::string error = co_await outcome_of(task);

    EXPECT_EQ(error, "CancelledError()");
    EXPECT_TRUE(task.cancelled());
}

ASYNC_TEST(Cancel, an_error_that_leaves_after_cancelling_oneself_wins) {
    auto body = []() -> Coroutine<> {
        current_task().cancel();
        throw RuntimeError("error");
        co_return;
    };
    auto task = create_task(body);

    const std::string error = co_await outcome_of(task);

    EXPECT_EQ(error, "RuntimeError('error')");
    EXPECT_FALSE(task.cancelled());
}

ASYNC_TEST(Cancel, in_a_sleep_of_nothing_is_thrown_there) {
    auto body = []() -> Coroutine<> { co_await sleep(0); };
    auto task = create_task(body);
    co_await sleep(0);

    EXPECT_TRUE(task.cancel("in between"));
    const std::string error = co_await outcome_of(task);

    EXPECT_EQ(error, "CancelledError('in between')");
}

ASYNC_TEST(Cancel, of_a_sleep_that_is_over_but_has_not_returned_is_thrown_there) {
    auto& loop = get_running_loop();
    const TimePoint when = loop.time() + 1s;
    Task<> early;
    Task<> late;
    loop.call_at(when, [&early] { early.cancel("before"); });
    early = create_task(sleep(1));
    late = create_task(sleep(1));
    co_await sleep(0);  // both have begun to sleep, and their timers are behind the first
    loop.call_at(when, [&late] { late.cancel("after"); });

    const std::string before = co_await outcome_of(early);
    const std::string after = co_await outcome_of(late);

    EXPECT_EQ(before, "CancelledError('before')");
    EXPECT_EQ(after, "CancelledError('after')");
}

ASYNC_TEST(Cancel, a_cancelled_error_that_nobody_asked_for_cancels_the_task) {
    auto body = []() -> Coroutine<> {
        throw CancelledError("own");
        co_return;
    };
    auto task = create_task(body);

    const std::string error = co_await outcome_of(task);

    EXPECT_EQ(error, "CancelledError('own')");
    EXPECT_TRUE(task.cancelled());
    EXPECT_EQ(task.cancelling(), 0);
}

ASYNC_TEST(Cancel, tells_the_message_once_and_a_bare_error_from_then_on) {
    auto task = create_task(wait_for_ever());
    co_await settle();
    task.cancel("told");
    co_await settle();

    EXPECT_EQ(thrown_by([&] { return task.exception(); }), "CancelledError('told')");
    EXPECT_EQ(thrown_by([&] { task.result(); }), "CancelledError()");
    EXPECT_EQ(thrown_by([&] { task.result(); }), "CancelledError()");
}

ASYNC_TEST(Cancel, tells_the_message_to_whoever_asks_first_once_it_has_been_waited_for) {
    for (const detail::CancelMessage message : {detail::CancelMessage(), {"told"}}) {
        const std::string expected = message ? "CancelledError('told')" : "CancelledError()";
        const std::vector<Task<>> tasks{create_task(wait_for_ever()), create_task(wait_for_ever())};
        co_await sleep(0);
        for (const Task<>& task : tasks) {
            task.cancel(message);
        }
        co_await wait(tasks);

        EXPECT_EQ(thrown_by([&] { tasks[0].result(); }), expected);
        EXPECT_EQ(thrown_by([&] { return tasks[1].exception(); }), expected);
    }
}

ASYNC_TEST(Cancel, when_the_task_refused_once_can_be_asked_again) {
    int refused = 0;
    auto body = [](int& refused) -> Coroutine<> {
        while (refused < 3) {
            auto slept = co_await as_result(sleep(9));
            ++refused;
            if (refused == 3) {
                slept.get();
            }
        }
    };
    auto task = create_task(body(refused));
    for (int round = 0; round < 3; ++round) {
        co_await settle();
        task.cancel();
    }

    const std::string error = co_await outcome_of(task);

    EXPECT_EQ(refused, 3);
    EXPECT_EQ(task.cancelling(), 3);
    EXPECT_EQ(error, "CancelledError()");
}

ASYNC_TEST(Cancel, of_tasks_that_wait_for_each_other_ends_them_all) {
    Task<> first;
    Task<> second;
    auto await_it = [](Task<>& other) -> Coroutine<> {
        const Task<> held = other;
        co_await held;
    };
    first = create_task(await_it(second));
    second = create_task(await_it(first));
    auto outside = create_task(await_it(first));
    co_await settle();

    outside.cancel("enough");
    co_await settle();

    EXPECT_TRUE(first.cancelled());
    EXPECT_TRUE(second.cancelled());
    EXPECT_TRUE(outside.cancelled());
    first = second = {};
}

ASYNC_TEST(Uncancel, takes_back_a_request_that_was_not_delivered) {
    auto body = []() -> Coroutine<std::string> {
        const AnyTask me = current_task();
        me.cancel();
        me.cancel();
        EXPECT_EQ(me.uncancel(), 1);
        EXPECT_EQ(me.uncancel(), 0);
        EXPECT_EQ(me.uncancel(), 0);  // never less
        co_await sleep(0);
        co_return "survived";
    };
    auto task = create_task(body);

    const std::string result = co_await task;

    EXPECT_EQ(result, "survived");
    EXPECT_EQ(task.cancelling(), 0);
}

ASYNC_TEST(Uncancel, of_some_of_the_requests_still_delivers) {
    auto body = []() -> Coroutine<> {
        const AnyTask me = current_task();
        me.cancel();
        me.cancel();
        EXPECT_EQ(me.uncancel(), 1);
        co_await sleep(0);
    };
    auto task = create_task(body);

    const std::string error = co_await outcome_of(task);

    EXPECT_EQ(error, "CancelledError()");
    EXPECT_EQ(task.cancelling(), 1);
}

ASYNC_TEST(Uncancel, comes_too_late_for_a_wait_that_was_aborted) {
    auto task = create_task(sleep(9));
    co_await settle();

    task.cancel("gone");
    EXPECT_EQ(task.uncancel(), 0);
    const std::string error = co_await outcome_of(task);

    EXPECT_EQ(error, "CancelledError('gone')");
}

ASYNC_TEST(Uncancel, of_a_task_that_has_ended_changes_nothing) {
    auto task = create_task(wait_for_ever());
    co_await settle();
    task.cancel();
    co_await settle();

    EXPECT_EQ(task.uncancel(), 0);
    EXPECT_TRUE(task.done());
    EXPECT_TRUE(task.cancelled());
}

ASYNC_TEST(Uncancel, after_catching_lets_the_task_be_cancelled_afresh) {
    Trace trace;
    auto body = [](Trace& trace) -> Coroutine<> {
        for (int round = 0; round < 2; ++round) {
            auto slept = co_await as_result(sleep(9));
            trace.push_back(describe(slept.error()));
            EXPECT_EQ(current_task().uncancel(), 0);
        }
    };
    auto task = create_task(body(trace));
    co_await settle();
    task.cancel("one");
    co_await settle();
    task.cancel("two");

    co_await task;

    EXPECT_EQ(trace, (Trace{"CancelledError('one')", "CancelledError('two')"}));
}

ASYNC_TEST(Cancel, of_a_task_in_a_coroutine_of_a_coroutine_unwinds_all_of_them) {
    Trace trace;
    struct Level {
        static Coroutine<> down(int levels, Trace& trace) {
            const Gone local(trace, std::to_string(levels));
            if (levels > 0) {
                co_await down(levels - 1, trace);
            } else {
                co_await sleep(9);
            }
        }
    };
    auto task = create_task(Level::down(3, trace));
    co_await settle();

    task.cancel("deep");
    const std::string error = co_await outcome_of(task);

    EXPECT_EQ(trace, (Trace{"0", "1", "2", "3"}));
    EXPECT_EQ(error, "CancelledError('deep')");
}

// --------------------------------------------------------------- what nobody looked at; the end

ASYNC_TEST(Task, whose_exception_nobody_retrieved_is_reported_once_when_the_last_handle_goes) {
    Reports reports;
    auto task = create_task(fail("lost"));
    auto second = task;
    co_await settle();

    task = {};
    EXPECT_EQ(reports.messages, Trace{});
    second = {};

    EXPECT_EQ(reports.messages, Trace{"Task exception was never retrieved"});
    EXPECT_EQ(reports.errors, Trace{"RuntimeError('lost')"});
}

ASYNC_TEST(Task, whose_exception_was_looked_at_is_not_reported) {
    Reports reports;
    auto by_exception = create_task(fail("a"));
    auto by_result = create_task(fail("b"));
    auto by_await = create_task(fail("c"));
    auto by_cancel = create_task(fail("d"));
    co_await settle();

    EXPECT_NE(by_exception.exception(), nullptr);
    EXPECT_NE(thrown_by([&] { return by_result.result(); }), "nothing");
    const std::string awaited = co_await outcome_of(by_await);
    EXPECT_FALSE(by_cancel.cancel());  // CPython's quirk: this is enough
    by_exception = by_result = by_await = by_cancel = {};

    EXPECT_EQ(reports.messages, Trace{});
}

ASYNC_TEST(Task, whose_handler_keeps_the_future_lives_on) {
    AnyFuture kept;
    auto& loop = get_running_loop();
    loop.set_exception_handler(
        [&kept](EventLoop&, const ExceptionContext& context) { kept = context.future; });
    auto task = create_task(fail("kept"));
    co_await settle();
    task = {};
    loop.set_exception_handler(nullptr);

    EXPECT_TRUE(static_cast<bool>(kept));
    EXPECT_EQ(describe(kept.exception()), "RuntimeError('kept')");
}

TEST(Task, whose_exception_nobody_retrieved_is_logged_when_its_loop_is_gone) {
    Logged logged;
    Task<int> task;
    {
        EventLoop loop;
        task = loop.create_task(fail("orphan"));
        loop.run_until_complete(sleep(0.001));
    }
    EXPECT_EQ(logged.texts, Trace{});

    const std::string name = task.get_name();
    task = {};

    EXPECT_EQ(logged.texts,
              Trace{"Task exception was never retrieved\nfuture: <Task finished name='" + name +
                    "' exception=RuntimeError('orphan')>\nexception: "
                    "RuntimeError('orphan')"});
    EXPECT_EQ(logged.levels, std::vector<Level>{Level::error});
}

TEST(Task, that_is_pending_when_its_loop_is_closed_is_reported_and_its_frames_destroyed) {
    Trace trace;
    Trace messages;
    AnyFuture reported;
    EventLoop loop;
    loop.set_exception_handler([&](EventLoop&, const ExceptionContext& context) {
        messages.push_back(context.message);
        reported = context.task;
    });
    auto inner = [](Trace& trace) -> Coroutine<> {
        const Gone local(trace, "inner");
        try {
            co_await sleep(3600);
        } catch (...) {
            trace.push_back("caught");  // no exception: the frame is just destroyed
        }
    };
    auto outer = [&inner](Trace& trace) -> Coroutine<> {
        const Gone local(trace, "outer");
        co_await inner(trace);
    };
    auto task = loop.create_task(outer(trace));
    loop.run_until_complete(sleep(0));

    loop.close();

    EXPECT_EQ(trace, (Trace{"inner", "outer"}));
    EXPECT_EQ(messages, Trace{"Task was destroyed but it is pending!"});
    EXPECT_TRUE(reported == task);
    EXPECT_FALSE(task.done());
}

TEST(Task, that_never_began_when_its_loop_is_closed_is_destroyed_with_its_arguments) {
    Trace trace;
    EventLoop loop;
    const Reports reports(loop);
    auto body = [](Gone) -> Coroutine<> { co_return; };
    loop.create_task(body(Gone(trace, "argument")));

    loop.close();

    EXPECT_EQ(trace, Trace{"argument"});
    EXPECT_EQ(reports.messages, Trace{"Task was destroyed but it is pending!"});
}

TEST(Task, may_be_asked_and_cancelled_after_its_loop_is_gone) {
    Logged logged;
    Task<int> pending;
    Task<int> done;
    {
        EventLoop loop;
        auto never = [](Future<int> future) -> Coroutine<int> { co_return co_await future; };
        pending = loop.create_task(never(loop.create_future<int>()));
        done = loop.create_task(give(3));
        loop.run_until_complete(sleep(0));
        loop.run_until_complete(sleep(0));
    }

    EXPECT_EQ(done.result(), 3);
    EXPECT_FALSE(pending.done());
    pending.cancel();
    EXPECT_EQ(thrown_by([&] { return pending.result(); }),
              "InvalidStateError('Result is not set.')");
}

TEST(Task, a_destructor_may_cancel_other_tasks_while_the_loop_is_closed) {
    struct CancelsAtEnd {
        explicit CancelsAtEnd(Task<> task) : task(std::move(task)) {}
        CancelsAtEnd(const CancelsAtEnd&) = delete;
        CancelsAtEnd& operator=(const CancelsAtEnd&) = delete;
        ~CancelsAtEnd() { task.cancel(); }
        Task<> task;
    };
    auto waits = []() -> Coroutine<> { co_await sleep(3600); };
    auto guards = [](Task<> other) -> Coroutine<> {
        const CancelsAtEnd guard(std::move(other));
        co_await get_running_loop().create_future();
    };
    EventLoop loop;
    const Reports reports(loop);
    auto before = loop.create_task(waits());
    auto guard = loop.create_task(guards(before));
    auto after = loop.create_task(waits());
    auto second = loop.create_task(guards(after));
    auto last = loop.create_task(guards(second));
    loop.run_until_complete(sleep(0));

    loop.close();

    EXPECT_EQ(reports.messages.size(), 5U);
    EXPECT_FALSE(last.done());
}

TEST(Task, that_sleeps_may_be_cancelled_by_an_older_one_that_the_closing_loop_destroys) {
    struct CancelsAtEnd {
        Task<> task;
        ~CancelsAtEnd() { task.cancel(); }
    };
    auto waits = []() -> Coroutine<> { co_await sleep(3600); };
    auto older = [&]() -> Coroutine<> {
        const CancelsAtEnd guard{create_task(waits())};
        co_await sleep(3600);
    };
    EventLoop loop;
    const Reports reports(loop);
    const auto task = loop.create_task(older());
    loop.run_until_complete(sleep(0));
    loop.run_until_complete(sleep(0));

    loop.close();

    EXPECT_EQ(reports.messages.size(), 2U);
    EXPECT_FALSE(task.done());
}

TEST(Task, that_sleeps_may_be_cancelled_by_the_handler_that_hears_of_pending_tasks) {
    EventLoop loop;
    auto waits = []() -> Coroutine<> { co_await sleep(3600); };
    std::vector<Task<>> tasks;
    for (int number = 0; number < 3; ++number) {
        tasks.push_back(loop.create_task(waits()));
    }
    loop.run_until_complete(sleep(0));
    int reports = 0;
    loop.set_exception_handler([&](EventLoop&, const ExceptionContext&) {
        ++reports;
        for (const Task<>& task : tasks) {
            task.cancel();
        }
    });

    loop.close();

    EXPECT_EQ(reports, 3);
}

TEST(Task, keyboard_interrupt_leaves_the_loop_and_is_kept_by_the_task) {
    EventLoop loop;
    auto interrupted = []() -> Coroutine<> {
        co_await sleep(0);
        throw KeyboardInterrupt();
    };
    auto task = loop.create_task(interrupted());
    bool rest_ran = false;

    EXPECT_EQ(thrown_by([&] {
                  loop.call_soon([&] { loop.call_soon([&] { rest_ran = true; }); });
                  loop.run_forever();
              }),
              "KeyboardInterrupt()");

    EXPECT_TRUE(task.done());
    EXPECT_EQ(describe(task.exception()), "KeyboardInterrupt()");
    EXPECT_FALSE(rest_ran);
    loop.run_until_complete(sleep(0));
    EXPECT_TRUE(rest_ran);
}

TEST(Task, that_answers_a_cancellation_with_system_exit_has_failed_and_ends_the_loop) {
    EventLoop loop;
    auto leaves = []() -> Coroutine<> {
        auto slept = co_await as_result(sleep(3600));
        throw SystemExit(3);
    };
    auto task = loop.create_task(leaves());
    loop.run_until_complete(sleep(0));

    task.cancel();
    EXPECT_FALSE(task.done());
    EXPECT_EQ(thrown_by([&] { loop.run_forever(); }), "SystemExit(3)");

    EXPECT_TRUE(task.done());
    EXPECT_FALSE(task.cancelled());
    EXPECT_EQ(describe(task.exception()), "SystemExit(3)");
}

// --------------------------------------------------------------------------------------- sleep

ASYNC_TEST(Sleep, takes_exactly_its_time_and_gives_its_result) {
    auto& loop = get_running_loop();
    const TimePoint start = loop.time();

    const std::string result = co_await sleep(1500ms, std::string("done"));
    const TimePoint middle = loop.time();
    co_await sleep(0.25);

    EXPECT_EQ(result, "done");
    EXPECT_EQ(middle - start, 1500ms);
    EXPECT_EQ(loop.time() - middle, 250ms);
}

ASYNC_TEST(Sleep, of_equal_length_ends_in_the_order_in_which_it_began) {
    Trace trace;
    auto body = [](Trace& trace, int number) -> Coroutine<> {
        co_await sleep(1);
        trace.push_back(std::to_string(number));
    };
    for (int number = 0; number < 12; ++number) {
        create_task(body(trace, number));
    }

    co_await sleep(2);

    EXPECT_EQ(trace, (Trace{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"}));
}

ASYNC_TEST(Sleep, refuses_what_is_not_a_number) {
    EXPECT_EQ(thrown_by([] { static_cast<void>(sleep(std::nan(""))); }),
              "ValueError('Invalid delay: NaN (not a number)')");
    co_return;
}

ASYNC_TEST(Sleep, of_a_trillion_seconds_or_for_ever_can_be_cancelled) {
    auto trillion = create_task(sleep(1e12));
    auto infinite = create_task(sleep(std::numeric_limits<double>::infinity()));
    co_await sleep(3600);

    EXPECT_FALSE(trillion.done());
    EXPECT_FALSE(infinite.done());
    trillion.cancel();
    infinite.cancel();
    co_await settle();

    EXPECT_TRUE(trillion.cancelled());
    EXPECT_TRUE(infinite.cancelled());
}

ASYNC_TEST(Sleep, of_zero_and_less_only_lets_the_others_run) {
    const TimePoint start = get_running_loop().time();
    Trace trace;
    auto other = create_task(note(trace, "other"));

    co_await sleep(-3);
    trace.push_back("after");
    co_await sleep(-std::numeric_limits<double>::infinity());

    EXPECT_EQ(trace, (Trace{"other", "after"}));
    EXPECT_EQ(get_running_loop().time(), start);
}

ASYNC_TEST(TaskCoroutine, is_that_of_the_task_until_it_is_done) {
    auto inner = []() -> Coroutine<> { co_await sleep(1); };
    auto outer = [](auto below, std::coroutine_handle<>& inside) -> Coroutine<> {
        inside = current_task().get_coro();
        co_await below();
    };
    std::coroutine_handle<> inside;
    auto task = create_task(outer(inner, inside));
    const std::coroutine_handle<> before = task.get_coro();
    co_await sleep(0);

    EXPECT_TRUE(before);
    EXPECT_EQ(inside, before);
    EXPECT_EQ(task.get_coro(), before) << "and not that of what it awaits";
    EXPECT_NE(current_task().get_coro(), before);
    co_await task;
    EXPECT_FALSE(task.get_coro());
}

}  // namespace

}  // namespace asyncio
