// result_test.cpp - Result<T> and as_result().
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/result.hpp>
#include <asyncio/tasks.hpp>

#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

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

TEST(Result, without_a_value_needs_an_exception) {
    EXPECT_EQ(thrown_by([] { return Result<int>(std::exception_ptr()); }),
              "TypeError('a Result without a value needs an exception')");
    EXPECT_EQ(thrown_by([] { return Result<>(std::exception_ptr()); }),
              "TypeError('a Result without a value needs an exception')");
}

TEST(Result, that_was_moved_from_has_neither_and_says_so) {
    Result<int> from(std::make_exception_ptr(RuntimeError("x")));
    const Result<int> to = std::move(from);

    EXPECT_FALSE(from.has_value());  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(thrown_by([&] { return from.get(); }),
              "InvalidStateError('Result has been moved out already.')");
    EXPECT_EQ(describe(to.error()), "RuntimeError('x')");
}

TEST(Result, of_a_reference_is_the_object_itself) {
    std::string object = "a";
    const Result<std::string&> reference(std::in_place, object);
    auto constant = Result<const std::string&>::of([&]() -> std::string& { return object; });
    Result<std::string&> error(std::make_exception_ptr(RuntimeError("x")));

    reference.get() += "b";
    *reference += "c";
    reference->append("d");

    EXPECT_EQ(object, "abcd");
    EXPECT_EQ(&constant.get(), &object);
    EXPECT_EQ(thrown_by([&] { return error.get(); }), "RuntimeError('x')");
    error = reference;
    EXPECT_EQ(&error.value(), &object);
    static_assert(std::is_same_v<decltype(reference.value()), std::string&>);
    static_assert(!std::is_constructible_v<Result<const int&>, std::in_place_t, int>);
}

TEST(Result, can_be_assigned_although_its_value_cannot) {
    struct Fixed {
        const int number;
    };
    Result<Fixed> result(std::in_place, Fixed{1});
    Result<Fixed> other(std::in_place, Fixed{2});
    int one = 1;
    int two = 2;
    Result<std::tuple<int&>> first(std::in_place, std::tie(one));
    Result<std::tuple<int&>> second(std::in_place, std::tie(two));

    result = other;
    first = second;

    EXPECT_EQ(result->number, 2);
    EXPECT_EQ(&std::get<0>(*first), &two);
    EXPECT_EQ(one, 1);
    static_assert(!std::is_copy_constructible_v<Result<std::vector<std::unique_ptr<int>>>>);
}

ASYNC_TEST(AsResult, keeps_references) {
    int object = 1;
    auto give = [&object]() -> Coroutine<int&> { co_return object; };
    auto fail = [&object]() -> Coroutine<int&> {
        throw RuntimeError("x");
        co_return object;
    };
    auto future = get_running_loop().create_future<int&>();
    future.set_result(object);
    auto task = create_task(give);

    auto coroutine = co_await as_result(give());
    auto of_task = co_await as_result(task);
    auto of_future = co_await as_result(future);
    auto error = co_await as_result(fail());

    EXPECT_EQ(&coroutine.get(), &object);
    EXPECT_EQ(&of_task.get(), &object);
    EXPECT_EQ(&of_future.get(), &object);
    EXPECT_EQ(describe(error.error()), "RuntimeError('x')");
}

ASYNC_TEST(AsResult, keeps_what_making_the_awaiter_throws) {
    auto empty = co_await as_result(Future<int>());
    auto nested = co_await as_result(as_result(Task<>()));
    auto limited = co_await as_result(wait_for(Future<int>(), 1));

    EXPECT_EQ(describe(empty.error()), "RuntimeError('this handle of a future is empty')");
    EXPECT_EQ(describe(nested->error()), "RuntimeError('this handle of a future is empty')");
    EXPECT_EQ(describe(limited.error()), "RuntimeError('this handle of a future is empty')");
}

ASYNC_TEST(AsResult, of_a_future_of_another_loop_does_not_wait_for_it) {
    EventLoop other;
    auto future = other.create_future<int>();
    const TimePoint start = get_running_loop().time();

    auto direct = co_await as_result(future);
    auto limited = co_await wait_for(as_result(future), 1);
    auto of_task = co_await as_result(as_result(future));

    EXPECT_NE(describe(direct.error()).find("attached to a different loop"), std::string::npos);
    EXPECT_EQ(describe(limited.error()), describe(direct.error()));
    EXPECT_EQ(describe(of_task->error()), describe(direct.error()));
    EXPECT_EQ(get_running_loop().time(), start);
}

}  // namespace

}  // namespace asyncio
