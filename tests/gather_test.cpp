// gather_test.cpp - gather(): results in order, the first error, cancellation both ways.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"
#include "support/small_stack.hpp"

#include <asyncio/tasks.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

namespace asyncio {

using testing::Gone;
using testing::Reports;
using testing::settle;
using testing::thrown_by;
using testing::Trace;

namespace {

Coroutine<int> after(double seconds, int value) {
    co_await sleep(seconds);
    co_return value;
}
Coroutine<> note(Trace& trace, double seconds, std::string what) {
    co_await sleep(seconds);
    trace.push_back(what);
}
Coroutine<int> fail(double seconds, std::string why) {
    co_await sleep(seconds);
    throw RuntimeError(why);
}

ASYNC_TEST(Gather, gives_results_in_the_order_of_the_arguments) {
    auto text = []() -> Coroutine<std::string> { co_return "text"; };
    auto nothing = []() -> Coroutine<> { co_return; };

    auto [a, b, c] = co_await gather(after(2, 1), text, nothing);
    std::vector<Coroutine<int>> several;
    several.push_back(after(3, 3));
    several.push_back(after(1, 1));
    std::vector<int> values = co_await gather(std::move(several));

    EXPECT_EQ(a, 1);
    EXPECT_EQ(b, "text");
    EXPECT_EQ(c, std::monostate{});
    EXPECT_EQ(values, (std::vector<int>{3, 1}));
}

ASYNC_TEST(Gather, of_nothing_is_done_at_once) {
    auto empty = gather(std::vector<Task<int>>{});
    EXPECT_TRUE(empty.done());

    std::vector<int> values = co_await empty;

    EXPECT_TRUE(values.empty());
}

ASYNC_TEST(Gather, of_done_futures_is_done_at_once) {
    auto future = get_running_loop().create_future<int>();
    future.set_result(4);

    auto gathered = gather(future, future);

    EXPECT_TRUE(gathered.done());
    auto [a, b] = co_await gathered;
    EXPECT_EQ(a + b, 8);
}

ASYNC_TEST(Gather, begins_coroutines_in_order_and_runs_an_argument_given_twice_once) {
    Trace trace;
    auto shared = create_task(note(trace, 0, "shared"));

    co_await gather(shared, note(trace, 0, "second"), shared, note(trace, 0, "third"));

    EXPECT_EQ(trace, (Trace{"shared", "second", "third"}));
}

ASYNC_TEST(Gather, moves_results_that_cannot_be_copied) {
    auto make = [](int value) -> Coroutine<std::unique_ptr<int>> {
        co_return std::make_unique<int>(value);
    };

    auto gathered = co_await gather(make(1), make(2));

    EXPECT_EQ(*std::get<0>(gathered), 1);
    EXPECT_EQ(*std::get<1>(gathered), 2);
}

ASYNC_TEST(Gather, leaves_the_results_of_tasks_that_others_have) {
    auto task = create_task([]() -> Coroutine<std::string> { co_return std::string(100, 'x'); });

    auto [text] = co_await gather(task);

    EXPECT_EQ(text, std::string(100, 'x'));
    EXPECT_EQ(task.result(), std::string(100, 'x'));
}

ASYNC_TEST(Gather, throws_the_first_error_at_once_and_the_siblings_go_on) {
    Trace trace;
    Reports reports;
    const TimePoint start = get_running_loop().time();

    auto gathered = co_await as_result(
        gather(fail(1, "first"), note(trace, 2, "sibling"), fail(3, "later and lost")));
    const auto waited = get_running_loop().time() - start;
    co_await sleep(9);

    EXPECT_EQ(describe(gathered.error()), "RuntimeError('first')");
    EXPECT_EQ(waited, std::chrono::seconds(1));
    EXPECT_EQ(trace, Trace{"sibling"});
    EXPECT_EQ(reports.messages, Trace{});
}

ASYNC_TEST(Gather, with_return_exceptions_gives_every_outcome) {
    auto cancelled = create_task(sleep(9));
    get_running_loop().call_later(1, [cancelled] { cancelled.cancel("child"); });

    auto [a, b, c] = co_await gather(return_exceptions, fail(2, "one"), after(1, 2), cancelled);
    std::vector<Coroutine<int>> several;
    several.push_back(fail(0, "v"));
    several.push_back(after(0, 3));
    auto values = co_await gather(return_exceptions, std::move(several));

    EXPECT_EQ(describe(a.error()), "RuntimeError('one')");
    EXPECT_EQ(*b, 2);
    EXPECT_EQ(describe(c.error()), "CancelledError('')");  // a new one, as CPython
    EXPECT_EQ(describe(values[0].error()), "RuntimeError('v')");
    EXPECT_EQ(values[1].get(), 3);
}

ASYNC_TEST(Gather, child_that_is_cancelled_is_an_exception_and_no_cancellation) {
    auto child = create_task(sleep(9));
    auto gathered = gather(child, after(1, 1));
    co_await settle();

    child.cancel();
    auto result = co_await as_result(gathered);

    EXPECT_TRUE(result.cancelled());
    EXPECT_FALSE(gathered.cancelled());
    EXPECT_EQ(describe(gathered.exception()), "CancelledError()");
    EXPECT_EQ(current_task().cancelling(), 0);
}

Coroutine<> wait_for_gathered(Future<> child) {
    co_await gather(child);
}

ASYNC_TEST(Gather, whose_waiter_is_cancelled_reports_no_error_that_came_as_well) {
    Reports reports;
    auto child = get_running_loop().create_future();
    auto waiter = create_task(wait_for_gathered(child));
    co_await settle();

    child.set_exception(RuntimeError("child"));
    waiter.cancel();  // no child is left to be asked, and the gathering has not heard of it
    co_await settle();

    EXPECT_TRUE(waiter.cancelled());
    EXPECT_EQ(reports.messages, Trace{});
}

/// Asked to end, does so after some time.
Coroutine<> slow_to_end(Trace& trace, double cleanup) {
    auto slept = co_await as_result(sleep(100));
    co_await sleep(cleanup);
    trace.push_back(describe(slept.error()));
    slept.get();
}

ASYNC_TEST(Gather, cancelled_from_outside_cancels_the_children_and_ends_with_the_first) {
    Trace trace;
    auto outer = [](Trace& trace) -> Coroutine<> {
        co_await gather(slow_to_end(trace, 1), slow_to_end(trace, 2));
    };
    auto task = create_task(outer(trace));
    co_await settle();

    task.cancel("all");
    EXPECT_FALSE(task.done());
    auto result = co_await as_result(task);

    EXPECT_EQ(trace, Trace{"CancelledError('all')"});
    EXPECT_EQ(describe(result.error()), "CancelledError('all')");
    EXPECT_TRUE(task.cancelled());
    co_await sleep(3);
    EXPECT_EQ(trace.size(), 2U);
}

ASYNC_TEST(Gather, cancelled_from_outside_with_return_exceptions_waits_for_all_and_is_cancelled) {
    Trace trace;
    auto outer = [](Trace& trace) -> Coroutine<> {
        co_await gather(return_exceptions, slow_to_end(trace, 1), slow_to_end(trace, 2));
    };
    auto task = create_task(outer(trace));
    co_await settle();

    task.cancel("all");
    auto result = co_await as_result(task);

    EXPECT_EQ(trace, (Trace{"CancelledError('all')", "CancelledError('all')"}));
    EXPECT_TRUE(result.cancelled());
    EXPECT_TRUE(task.cancelled());
}

ASYNC_TEST(Gather, cancel_counts_for_every_argument_and_answers_whether_any_child_was_asked) {
    auto child = create_task(sleep(9));
    auto gathered = gather(child, child);
    co_await settle();

    EXPECT_TRUE(gathered.cancel());
    EXPECT_EQ(child.cancelling(), 2);
    EXPECT_FALSE(gathered.done());  // it ends when the children have
    auto result = co_await as_result(gathered);
    EXPECT_TRUE(result.cancelled());
    EXPECT_FALSE(gathered.cancelled());
    EXPECT_FALSE(gathered.cancel());
}

ASYNC_TEST(Gather, after_an_error_was_thrown_no_longer_cancels_the_children) {
    auto child = create_task(sleep(9));
    auto gathered = gather(fail(0, "x"), child);
    auto result = co_await as_result(gathered);

    EXPECT_FALSE(gathered.cancel());
    co_await settle();

    EXPECT_FALSE(child.done());
    EXPECT_FALSE(result.has_value());
    child.cancel();
}

ASYNC_TEST(Gather, of_gathers) {
    auto [left, right] = co_await gather(gather(after(1, 1), after(2, 2)), gather(after(1, 3)));

    EXPECT_EQ(left, (std::tuple{1, 2}));
    EXPECT_EQ(right, std::tuple{3});
}

ASYNC_TEST(Gather, whose_exception_nobody_retrieved_is_reported) {
    Reports reports;
    auto gathered = gather(fail(1, "lost"), after(1, 1));
    co_await sleep(2);

    gathered = {};

    EXPECT_EQ(reports.messages, Trace{"_GatheringFuture exception was never retrieved"});
    EXPECT_EQ(reports.errors, Trace{"RuntimeError('lost')"});
}

ASYNC_TEST(Gather, that_nobody_has_still_looks_at_what_its_children_throw) {
    Reports reports;
    static_cast<void>(gather(return_exceptions, fail(1, "a"), fail(2, "b")));

    co_await sleep(3);

    EXPECT_EQ(reports.messages, Trace{});
}

// Not in the test: g++ 12 -O0 fails on a class of one coroutine that is the result of another.
struct ThrowsIfCopied {
    ThrowsIfCopied() = default;
    ThrowsIfCopied(const ThrowsIfCopied&) { throw RuntimeError("copied"); }
    ThrowsIfCopied(ThrowsIfCopied&&) noexcept {}
};

ASYNC_TEST(Gather, passes_on_what_copying_a_result_throws) {
    auto make = []() -> Coroutine<ThrowsIfCopied> { co_return ThrowsIfCopied(); };
    auto shared = create_task(make);  // others have it: it must be copied

    auto result = co_await as_result(gather(shared));

    EXPECT_EQ(describe(result.error()), "RuntimeError('copied')");
}

TEST(Gather, whose_loop_is_closed_lets_go_of_its_children) {
    EventLoop loop;
    const Reports reports(loop);
    auto body = []() -> Coroutine<> { co_await gather(sleep(9), sleep(9)); };
    auto task = loop.create_task(body());
    loop.run_until_complete(sleep(0));
    loop.run_until_complete(sleep(0));

    loop.close();

    EXPECT_EQ(reports.messages, Trace(3, "Task was destroyed but it is pending!"));
    EXPECT_FALSE(task.done());
}

TEST(Gather, of_futures_of_different_loops_is_refused) {
    EventLoop one;
    EventLoop two;
    auto a = one.create_future<int>();
    auto b = two.create_future<int>();
    EXPECT_EQ(
        thrown_by([&] { static_cast<void>(gather(a, b)); }),
        "ValueError('The future belongs to a different loop than the one specified as the loop "
        "argument')");
    EXPECT_EQ(thrown_by([&] { static_cast<void>(gather(a, a)); }), "nothing");
}

TEST(Gather, of_coroutines_or_of_nothing_needs_a_running_loop) {
    EXPECT_EQ(thrown_by([] { return gather(after(1, 1)); }),
              "RuntimeError('no running event loop')");
    EXPECT_EQ(thrown_by([] { return gather(); }), "RuntimeError('no running event loop')");
    EXPECT_EQ(thrown_by([] { return gather(std::vector<Task<int>>{}); }),
              "RuntimeError('no running event loop')");
}

TEST(Gather, of_futures_needs_no_running_loop) {
    EventLoop loop;
    auto a = loop.create_future<int>();
    auto gathered = gather(a);
    loop.call_soon([&] { a.set_result(1); });
    EXPECT_EQ(std::get<0>(loop.run_until_complete(gathered)), 1);
}

ASYNC_TEST(Gather, keeps_references) {
    int object = 1;
    auto give = [&object]() -> Coroutine<int&> { co_return object; };
    std::vector<Coroutine<int&>> several;
    several.push_back(give());
    std::vector<Coroutine<int&>> more;
    more.push_back(give());

    auto [a, b] = co_await gather(give(), create_task(give));
    auto elements = co_await gather(std::move(several));
    auto [result] = co_await gather(return_exceptions, give());
    auto results = co_await gather(return_exceptions, std::move(more));

    EXPECT_EQ(&a, &object);
    EXPECT_EQ(&b, &object);
    EXPECT_EQ(&elements[0].get(), &object);
    EXPECT_EQ(&result.get(), &object);
    EXPECT_EQ(&results[0].get(), &object);
}

ASYNC_TEST(Gather, of_many_that_only_move) {
    auto make = [](int value) -> Coroutine<std::unique_ptr<int>> {
        co_return std::make_unique<int>(value);
    };
    std::vector<Coroutine<std::unique_ptr<int>>> several;
    several.push_back(make(1));
    several.push_back(make(2));

    auto values = co_await gather(std::move(several));

    EXPECT_EQ(*values[0] + *values[1], 3);
}

// ------------------------------------------------------------------------- AnyFuture, AnyTask

ASYNC_TEST(AnyFuture, can_be_awaited_for_its_end) {
    auto value = create_task(after(1, 4));
    auto pointer = create_task(
        []() -> Coroutine<std::unique_ptr<int>> { co_return std::make_unique<int>(5); });
    const AnyTask any = value;
    const AnyFuture moves = pointer;

    co_await any;
    co_await moves;
    any.result();
    auto failed = co_await as_result(AnyFuture(create_task(fail(1, "x"))));
    auto empty = co_await as_result(AnyTask());

    EXPECT_EQ(value.result(), 4);
    EXPECT_EQ(*pointer.result(), 5);  // it is still there
    EXPECT_EQ(describe(failed.error()), "RuntimeError('x')");
    EXPECT_EQ(describe(empty.error()), "RuntimeError('this handle of a future is empty')");
}

ASYNC_TEST(AnyFuture, has_an_exception_or_nothing_as_its_result) {
    const AnyFuture pending = create_task(after(1, 1));
    const AnyFuture failing = create_task(fail(1, "x"));
    const AnyFuture cancelled = create_task(after(2, 1));
    EXPECT_EQ(thrown_by([&] { pending.result(); }), "InvalidStateError('Result is not set.')");
    get_running_loop().call_later(1, [&] { cancelled.cancel("why"); });

    std::string caught;
    try {
        co_await cancelled;
    } catch (const CancelledError& error) {
        caught = error.what();
    }

    EXPECT_EQ(caught, "why");
    EXPECT_EQ(thrown_by([&] { pending.result(); }), "nothing");
    EXPECT_EQ(thrown_by([&] { failing.result(); }), "RuntimeError('x')");
}

ASYNC_TEST(Gather, of_tasks_without_the_types_of_their_results) {
    create_task(after(1, 1));
    create_task(sleep(2));
    std::vector<AnyTask> others = all_tasks();
    std::erase(others, current_task());
    const TimePoint start = get_running_loop().time();

    std::vector<std::monostate> values = co_await gather(others);
    const auto waited = get_running_loop().time() - start;
    auto [nothing, number] = co_await gather(others[0], after(0, 3));
    auto [failed] = co_await gather(return_exceptions, AnyFuture(create_task(fail(1, "x"))));

    EXPECT_EQ(values.size(), 2U);
    EXPECT_EQ(waited, std::chrono::seconds(2));
    EXPECT_EQ(nothing, std::monostate());
    EXPECT_EQ(number, 3);
    EXPECT_EQ(describe(failed.error()), "RuntimeError('x')");
}

// ------------------------------------------------------------------------------- cancellation

ASYNC_TEST(Gather, that_is_cancelled_takes_no_exception_of_a_child) {
    auto cleans = []() -> Coroutine<int> {
        auto slept = co_await as_result(sleep(100));
        throw RuntimeError("cleanup failed");
    };
    auto task = create_task(cleans);
    auto gathered = gather(return_exceptions, task);
    co_await settle();

    gathered.cancel("all");
    auto result = co_await as_result(gathered);

    EXPECT_EQ(describe(result.error()), "CancelledError()");
    EXPECT_EQ(describe(task.exception()), "RuntimeError('cleanup failed')");
    EXPECT_EQ(thrown_by([&] { return task.result(); }), "RuntimeError('cleanup failed')");
}

ASYNC_TEST(Gather, that_is_cancelled_ends_with_the_error_of_its_last_argument) {
    auto refuses = []() -> Coroutine<int> {
        auto slept = co_await as_result(sleep(100));
        co_await sleep(1);  // it is the last to end
        co_return 5;
    };
    auto cancelled_last = gather(return_exceptions, create_task(refuses), create_task(after(9, 1)));
    auto refusing_last = gather(return_exceptions, create_task(after(9, 1)), create_task(refuses));
    co_await settle();

    cancelled_last.cancel("all");
    refusing_last.cancel("all");
    auto first = co_await as_result(cancelled_last);
    auto second = co_await as_result(refusing_last);

    EXPECT_EQ(describe(first.error()), "CancelledError('all')");
    EXPECT_EQ(describe(second.error()), "CancelledError()");
}

Coroutine<> gather_below(int levels, std::vector<Task<>>& tasks) {
    if (levels == 0) {
        co_await sleep(9);
        co_return;
    }
    tasks.push_back(create_task(gather_below(levels - 1, tasks)));
    Task<> below = tasks.back();
    co_await gather(return_exceptions, below, sleep(9));
}

constexpr int levels = 20'000;

TEST(Gather, is_cancelled_in_constant_stack) {
    testing::run_on_small_stack([] {
        run([]() -> Coroutine<> {
            std::vector<Task<>> tasks;
            auto outermost = create_task(gather_below(levels, tasks));
            while (tasks.size() < levels) {
                co_await sleep(0);
            }
            co_await settle();

            outermost.cancel("deep");
            auto result = co_await as_result(outermost);

            EXPECT_TRUE(result.cancelled());
            EXPECT_EQ(std::count_if(tasks.begin(), tasks.end(),
                                    [](const Task<>& task) { return task.cancelled(); }),
                      levels);
        });
    });
}

ASYNC_TEST(Gather, tasks_that_wait_for_each_other_through_gathers_can_be_cancelled) {
    const Reports reports;  // of gatherings that nobody waits for any more
    for (int begin = 0; begin < 3; ++begin) {
        Trace trace;
        std::vector<Task<>> tasks(3);
        auto body = [](Trace& trace, std::vector<Task<>>& tasks, std::size_t next) -> Coroutine<> {
            co_await sleep(0);
            const Gone gone(trace, "gone");
            co_await gather(tasks[next]);
        };
        for (std::size_t index = 0; index < 3; ++index) {
            tasks[index] = create_task(body(trace, tasks, (index + 1) % 3));
        }
        co_await settle();

        EXPECT_TRUE(tasks[static_cast<std::size_t>(begin)].cancel("circle"));
        co_await settle();

        EXPECT_EQ(trace.size(), 3U);
        for (const Task<>& task : tasks) {
            EXPECT_TRUE(task.cancelled());
        }
    }
}

ASYNC_TEST(Gather, of_a_task_that_waits_for_it_can_be_cancelled) {
    Future<std::tuple<std::monostate>> gathered;
    auto body = [](Future<std::tuple<std::monostate>>& gathered) -> Coroutine<> {
        co_await gathered;
    };
    auto task = create_task(body(gathered));
    gathered = gather(task);
    co_await settle();

    EXPECT_TRUE(gathered.cancel("circle"));
    auto result = co_await as_result(task);
    auto whole = co_await as_result(gathered);

    EXPECT_TRUE(result.cancelled());
    EXPECT_EQ(describe(whole.error()), "CancelledError('circle')");
}

ASYNC_TEST(Gather, whose_children_have_just_ended_is_not_cancelled_any_more) {
    auto child = get_running_loop().create_future<int>();
    auto inner = gather(child);
    auto outer = gather(inner);
    child.set_result(3);

    EXPECT_FALSE(inner.done());
    EXPECT_FALSE(inner.cancel());
    EXPECT_FALSE(outer.cancel());
    auto [values] = co_await outer;

    EXPECT_EQ(values, std::tuple(3));
}

}  // namespace

}  // namespace asyncio
