// result_test.cpp - Result<T> and as_result().
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/result.hpp>
#include <asyncio/tasks.hpp>

#include <memory>
#include <string>

namespace asyncio {

using testing::settle;
using testing::thrown_by;
using testing::Trace;

namespace {

TEST(Result, has_a_value_or_an_error) {
    Result<std::string> good(std::in_place, "value");
    const Result<std::string> bad(std::make_exception_ptr(RuntimeError("bad")));

    EXPECT_TRUE(good.has_value());
    EXPECT_TRUE(static_cast<bool>(good));
    EXPECT_EQ(good.error(), nullptr);
    EXPECT_EQ(good.get(), "value");
    EXPECT_EQ(*good, "value");
    EXPECT_EQ(good->size(), 5U);
    good.value() += "!";
    EXPECT_EQ(good.get(), "value!");
    EXPECT_EQ(std::move(good).get(), "value!");

    EXPECT_FALSE(bad.has_value());
    EXPECT_FALSE(static_cast<bool>(bad));
    EXPECT_FALSE(bad.cancelled());
    EXPECT_EQ(thrown_by([&] { return bad.get(); }), "RuntimeError('bad')");
    EXPECT_EQ(thrown_by([&] { return bad.value(); }), "RuntimeError('bad')");
    EXPECT_EQ(thrown_by([&] { return *bad; }), "RuntimeError('bad')");
}

TEST(Result, of_void_and_of_what_only_moves) {
    const Result<> good(std::in_place);
    const Result<> bad(std::make_exception_ptr(CancelledError("why")));
    Result<std::unique_ptr<int>> pointer(std::in_place, std::make_unique<int>(1));

    EXPECT_EQ(thrown_by([&] { good.get(); }), "nothing");
    EXPECT_TRUE(bad.cancelled());
    EXPECT_EQ(thrown_by([&] { bad.get(); }), "CancelledError('why')");
    EXPECT_EQ(*pointer.get(), 1);
}

TEST(Result, of_a_function_is_what_it_returns_or_throws) {
    auto value = Result<int>::of([] { return 1; });
    auto error = Result<int>::of([]() -> int { throw RuntimeError("x"); });
    auto nothing = Result<>::of([] {});
    const Result<int> copy = value;

    EXPECT_EQ(*copy, 1);
    EXPECT_EQ(describe(error.error()), "RuntimeError('x')");
    EXPECT_TRUE(nothing.has_value());
}

ASYNC_TEST(AsResult, takes_every_awaitable) {
    auto give = [](int value) -> Coroutine<int> { co_return value; };
    auto future = get_running_loop().create_future<int>();
    future.set_result(3);

    auto coroutine = co_await as_result(give(1));
    auto task = co_await as_result(create_task(give(2)));
    auto of_future = co_await as_result(future);
    auto slept = co_await as_result(sleep(0, 4));
    auto callable = co_await as_result([] { return sleep(0, 5); });
    auto gathered = co_await as_result(gather(give(6)));

    EXPECT_EQ(*coroutine, 1);
    EXPECT_EQ(*task, 2);
    EXPECT_EQ(*of_future, 3);
    EXPECT_EQ(*slept, 4);
    EXPECT_EQ(*callable, 5);
    EXPECT_EQ(std::get<0>(*gathered), 6);
}

ASYNC_TEST(AsResult, lets_cleanup_await_and_then_goes_on_with_the_cancellation) {
    Trace trace;
    auto body = [](Trace& trace) -> Coroutine<> {
        auto result = co_await as_result(sleep(9));
        co_await sleep(1);
        trace.push_back("cleaned up");
        result.get();
        trace.push_back("not reached");
    };
    auto task = create_task(body(trace));
    co_await settle();

    task.cancel();
    auto result = co_await as_result(task);

    EXPECT_TRUE(result.cancelled());
    EXPECT_TRUE(task.cancelled());
    EXPECT_EQ(trace, Trace{"cleaned up"});
}

ASYNC_TEST(AsResult, of_a_cancelled_future_tells_its_message) {
    auto future = get_running_loop().create_future<int>();
    future.cancel("reason");

    auto result = co_await as_result(future);

    EXPECT_TRUE(result.cancelled());
    EXPECT_EQ(describe(result.error()), "CancelledError('reason')");
}

}  // namespace

}  // namespace asyncio
