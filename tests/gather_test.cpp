// gather_test.cpp - gather(): results in order, the first error, cancellation both ways.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/tasks.hpp>

#include <memory>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

namespace asyncio {

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

ASYNC_TEST(Gather, passes_on_what_copying_a_result_throws) {
    struct Throws {
        Throws() = default;
        Throws(const Throws&) { throw RuntimeError("copied"); }
        Throws(Throws&&) noexcept {}
    };
    auto make = []() -> Coroutine<Throws> { co_return Throws(); };
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

TEST(Gather, of_futures_needs_no_running_loop) {
    EventLoop loop;
    auto a = loop.create_future<int>();
    auto gathered = gather(a);
    loop.call_soon([&] { a.set_result(1); });
    EXPECT_EQ(std::get<0>(loop.run_until_complete(gathered)), 1);
}

}  // namespace

}  // namespace asyncio
