// coroutines_test.cpp - Coroutine<T>: lazy, awaited once, gone when it has ended.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/coroutines.hpp>
#include <asyncio/locks.hpp>
#include <asyncio/queues.hpp>
#include <asyncio/tasks.hpp>

#include <array>
#include <coroutine>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
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

// Not in the test: g++ 12 -O0 fails on a class of one coroutine that is the result of another.
struct ThrowsIfMoved {
    explicit ThrowsIfMoved(int limit) : limit(limit) {}
    ThrowsIfMoved(ThrowsIfMoved&& other) : limit(other.limit - 1) {
        if (limit < 0) {
            throw RuntimeError("moved");
        }
    }
    int limit;
};

ASYNC_TEST(Coroutine, whose_result_throws_when_it_is_moved_throws_that) {
    for (int limit = 0; limit < 2; ++limit) {
        auto make = [](int limit) -> Coroutine<ThrowsIfMoved> { co_return ThrowsIfMoved(limit); };
        std::string error;
        try {
            const ThrowsIfMoved result = co_await make(limit);
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

// ------------------------------------------------------------------------ awaitables of one's own

/// Answers its task in await_suspend: with bool, as the language allows.
struct Answers {
    bool waits;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    [[nodiscard]] bool await_suspend(std::coroutine_handle<>) const noexcept {
        if (waits) {
            lowlevel::running_task().wake();
        }
        return waits;
    }
    [[nodiscard]] int await_resume() const noexcept { return 7; }
};

ASYNC_TEST(OwnAwaiter, may_answer_that_it_does_not_wait_after_all) {
    Answers at_once{false};
    Answers later{true};

    const int direct = co_await at_once;
    auto result = co_await as_result(at_once);
    auto waited = co_await as_result(later);
    const int limited = co_await wait_for(at_once, 1);
    auto task = create_task(at_once);
    const int of_task = co_await task;

    EXPECT_EQ(direct, 7);
    EXPECT_EQ(*result, 7);
    EXPECT_EQ(*waited, 7);
    EXPECT_EQ(limited, 7);
    EXPECT_EQ(of_task, 7);
}

/// Small, trivially copyable, and its awaiter refers to it.
class Pointing {
public:
    explicit Pointing(const int& number) : number_(&number) {}

    struct Awaiter {
        const Pointing& pointing;
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        template <class P>
        void await_suspend(std::coroutine_handle<P>) const noexcept {
            lowlevel::running_task().wake();
        }
        [[nodiscard]] int await_resume() const noexcept {
            return *pointing.number_ + pointing.addend_;
        }
    };
    Awaiter operator co_await() const noexcept { return Awaiter{*this}; }

private:
    const int* number_;
    int addend_ = 1;
};

ASYNC_TEST(OwnAwaitable, is_there_until_the_await_is_over) {
    static_assert(!detail::Descriptor<Pointing>);
    static_assert(!detail::Descriptor<detail::AsResultOf<Pointing>>);
    const int number = 4;

    const int direct = co_await Pointing(number);
    auto result = co_await as_result(Pointing(number));
    auto gathered = co_await gather(Pointing(number));

    EXPECT_EQ(direct, 5);
    EXPECT_EQ(*result, 5);
    EXPECT_EQ(std::get<0>(gathered), 5);
}

struct NoSuspend {
    [[nodiscard]] bool await_ready() const noexcept { return true; }
    void await_resume() const noexcept {}
};
static_assert(!detail::Awaitable<NoSuspend>);
static_assert(detail::Awaitable<std::suspend_never>);

// What the library waits with takes no room in the frame beside its awaiter.
static_assert(detail::Descriptor<decltype(sleep(1))>);
static_assert(detail::Descriptor<decltype(sleep(1, 2))>);
static_assert(detail::Descriptor<decltype(as_result(sleep(1)))>);
static_assert(detail::Descriptor<decltype(std::declval<Event&>().wait())>);
static_assert(detail::Descriptor<decltype(std::declval<Lock&>().acquire())>);
static_assert(detail::Descriptor<decltype(std::declval<Semaphore&>().acquire())>);
static_assert(detail::Descriptor<decltype(std::declval<Queue<int>&>().get())>);
static_assert(detail::Descriptor<decltype(std::declval<Queue<int>&>().put(1))>);

// ---------------------------------------------------------------- containers of what only moves

Coroutine<std::vector<std::unique_ptr<int>>> pointers() {
    std::vector<std::unique_ptr<int>> result;
    result.push_back(std::make_unique<int>(3));
    co_return result;
}

ASYNC_TEST(Coroutine, gives_containers_of_what_only_moves) {
    auto direct = co_await pointers();
    auto task = create_task(pointers());
    auto of_task = co_await task;
    auto again = co_await as_result(task);
    auto result = co_await as_result(pointers());
    auto values = co_await gather(pointers(), create_task(pointers()));
    auto results = co_await gather(return_exceptions, pointers());
    auto limited = co_await wait_for(create_task(pointers()), 1);

    EXPECT_EQ(*direct[0] + *of_task[0] + *result.get()[0] + *limited[0], 12);
    EXPECT_EQ(*std::get<0>(values)[0] + *std::get<1>(values)[0], 6);
    EXPECT_EQ(*std::get<0>(results).get()[0], 3);
    EXPECT_EQ(describe(again.error()), "InvalidStateError('Result has been moved out already.')");
}

TEST(Copyable, looks_into_what_holds_others) {
    using Pointer = std::unique_ptr<int>;
    struct HoldsItself : std::vector<HoldsItself> {};
    struct Tree : std::map<std::string, Tree> {};

    EXPECT_TRUE(detail::is_copyable<std::string>);
    EXPECT_TRUE(detail::is_copyable<const std::vector<std::string>>);
    EXPECT_TRUE((detail::is_copyable<std::map<int, std::vector<std::optional<int>>>>));
    EXPECT_TRUE((detail::is_copyable<std::tuple<int&, std::shared_ptr<Pointer>>>));
    EXPECT_TRUE(detail::is_copyable<std::vector<Future<Pointer>>>);
    EXPECT_TRUE(detail::is_copyable<std::vector<HoldsItself>>);
    EXPECT_TRUE(detail::is_copyable<std::optional<Tree>>);
    EXPECT_FALSE(detail::is_copyable<Pointer>);
    EXPECT_FALSE(detail::is_copyable<std::vector<Pointer>>);
    EXPECT_FALSE((detail::is_copyable<std::map<int, std::vector<Pointer>>>));
    EXPECT_FALSE((detail::is_copyable<std::pair<int, std::list<Pointer>>>));
    EXPECT_FALSE((detail::is_copyable<std::tuple<std::deque<Pointer>>>));
    EXPECT_FALSE((detail::is_copyable<std::variant<int, std::optional<std::vector<Pointer>>>>));
    EXPECT_FALSE((detail::is_copyable<std::array<std::vector<Pointer>, 2>>));
    EXPECT_FALSE(detail::is_copyable<std::queue<Pointer>>);
    EXPECT_FALSE(detail::is_copyable<std::vector<Result<std::vector<Pointer>>>>);
}

}  // namespace

}  // namespace asyncio
