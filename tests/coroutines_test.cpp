// coroutines_test.cpp - Coroutine<T>: lazy, awaited once, gone when it has ended.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/coroutines.hpp>
#include <asyncio/tasks.hpp>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio {

using testing::Gone;
using testing::thrown_by;
using testing::Trace;

namespace {

static_assert(!std::is_copy_constructible_v<Coroutine<>>);
static_assert(std::is_nothrow_move_constructible_v<Coroutine<int>>);

Coroutine<int> noted(Trace& trace, Gone) {
    trace.push_back("ran");
    co_return 1;
}

ASYNC_TEST(Coroutine, does_nothing_until_it_is_awaited) {
    Trace trace;
    auto coroutine = noted(trace, Gone(trace, "argument"));
    trace.push_back("called");

    const int result = co_await std::move(coroutine);
    trace.push_back("after");

    EXPECT_EQ(result, 1);
    EXPECT_EQ(trace, (Trace{"called", "ran", "argument", "after"}));
}

TEST(Coroutine, that_is_never_awaited_destroys_its_arguments) {
    Trace trace;
    { const auto coroutine = noted(trace, Gone(trace, "argument")); }
    EXPECT_EQ(trace, Trace{"argument"});
}

ASYNC_TEST(Coroutine, can_be_moved_and_awaited_only_once) {
    Trace trace;
    auto first = noted(trace, Gone(trace, "a"));
    auto second = std::move(first);
    auto third = noted(trace, Gone(trace, "b"));
    third = std::move(second);

    const int result = co_await std::move(third);
    std::string again;
    std::string moved_from;
    try {
        co_await std::move(third);
    } catch (const RuntimeError& error) {
        again = error.what();
    }
    try {
        co_await std::move(first);
    } catch (const RuntimeError& error) {
        moved_from = error.what();
    }

    EXPECT_EQ(result, 1);
    EXPECT_EQ(again, "cannot reuse already awaited coroutine");
    EXPECT_EQ(moved_from, again);
}

ASYNC_TEST(Coroutine, destroys_its_frame_before_the_result_is_used) {
    Trace trace;
    auto make = [](Trace& trace, Gone) -> Coroutine<std::string> {
        const Gone local(trace, "local");
        co_return "value";
    };

    const std::string result = co_await make(trace, Gone(trace, "argument"));
    trace.push_back(result);

    EXPECT_EQ(trace, (Trace{"local", "argument", "value"}));
}

ASYNC_TEST(Coroutine, throws_into_the_one_that_awaits_it) {
    auto fail = []() -> Coroutine<int> {
        throw std::invalid_argument("inner");
        co_return 1;
    };
    std::string caught;
    try {
        co_await fail();
    } catch (const std::invalid_argument& error) {
        caught = error.what();
    }
    EXPECT_EQ(caught, "inner");
}

struct Immovable {
    explicit Immovable(int value) : value(value) {}
    Immovable(Immovable&&) noexcept = default;
    int value;
};

ASYNC_TEST(Coroutine, gives_values_of_any_kind) {
    auto move_only = []() -> Coroutine<std::unique_ptr<int>> {
        co_return std::make_unique<int>(1);
    };
    auto converted = []() -> Coroutine<std::string> { co_return "literal"; };
    auto braced = []() -> Coroutine<std::pair<std::string, int>> { co_return {"a", 1}; };
    auto no_default = []() -> Coroutine<Immovable> { co_return Immovable(2); };
    int object = 3;
    auto reference = [&object]() -> Coroutine<int&> { co_return object; };
    auto constant = [&object]() -> Coroutine<const int&> { co_return object; };

    std::unique_ptr<int> pointer = co_await move_only();
    const std::string text = co_await converted();
    auto pair = co_await braced();
    Immovable value = co_await no_default();
    int& same = co_await reference();
    const int& same_constant = co_await constant();

    EXPECT_EQ(*pointer, 1);
    EXPECT_EQ(text, "literal");
    EXPECT_EQ(pair, (std::pair<std::string, int>("a", 1)));
    EXPECT_EQ(value.value, 2);
    EXPECT_EQ(&same, &object);
    EXPECT_EQ(&same_constant, &object);
}

struct alignas(128) Aligned {
    explicit Aligned(int value) : value(value) {}
    int value;
};

ASYNC_TEST(Coroutine, gives_overaligned_values) {
    auto make = [](int value) -> Coroutine<Aligned> { co_return Aligned(value); };
    auto direct = std::make_unique<Aligned>(co_await make(7));
    EXPECT_EQ(direct->value, 7);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(direct.get()) % 128, 0U);
}

ASYNC_TEST(Coroutine, whose_result_throws_when_it_is_moved_throws_that) {
    struct Throws {
        explicit Throws(int limit) : limit(limit) {}
        Throws(Throws&& other) : limit(other.limit - 1) {
            if (limit < 0) {
                throw RuntimeError("moved");
            }
        }
        int limit;
    };
    for (int limit = 0; limit < 2; ++limit) {
        auto make = [](int limit) -> Coroutine<Throws> { co_return Throws(limit); };
        std::string error;
        try {
            const Throws result = co_await make(limit);
            error = "nothing thrown, limit " + std::to_string(result.limit);
        } catch (const RuntimeError& caught) {
            error = caught.what();
        }
        EXPECT_EQ(error, "moved");
    }
}

ASYNC_TEST(Coroutine, what_the_destructor_of_a_local_throws_replaces_the_result) {
    struct ThrowsAtEnd {
        ~ThrowsAtEnd() noexcept(false) { throw RuntimeError("at the end"); }
    };
    auto body = []() -> Coroutine<std::string> {
        const ThrowsAtEnd at_end;
        co_return std::string(100, 'x');
    };

    auto result = co_await as_result(body());

    EXPECT_EQ(describe(result.error()), "RuntimeError('at the end')");
}

ASYNC_TEST(Coroutine, may_be_kept_in_containers) {
    Trace trace;
    auto note = [](Trace& trace, std::string what) -> Coroutine<> {
        trace.push_back(what);
        co_return;
    };
    std::vector<Coroutine<>> several;
    for (const char* name : {"a", "b", "c"}) {
        several.push_back(note(trace, name));
    }
    for (Coroutine<>& each : several) {
        co_await std::move(each);
    }
    EXPECT_EQ(trace, (Trace{"a", "b", "c"}));
}

}  // namespace

}  // namespace asyncio
