// generators_test.cpp - AsyncGenerator<T>: items, values sent back, cleanup, and who runs it.
//
// SPDX-License-Identifier: MIT
#include "support/allocations.hpp"
#include "support/async_test.hpp"
#include "support/observe.hpp"
#include "support/small_stack.hpp"

#include <asyncio/generators.hpp>
#include <asyncio/graph.hpp>
#include <asyncio/locks.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/timeouts.hpp>
#include <asyncio/with.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio {

using testing::allocations;
using testing::counts_allocations;
using testing::Gone;
using testing::Logged;
using testing::Reports;
using testing::run_on_small_stack;
using testing::settle;
using testing::thrown_by;
using testing::Trace;
using testing::TurnCounter;

namespace generators_test {

unsigned next_line = 0;
unsigned sleep_line = 0;

AsyncGenerator<int> sleepy() {
    sleep_line = __LINE__ + 1;
    co_await sleep(1);
    co_yield 1;
}
Coroutine<> reader(AsyncGenerator<int> generator) {
    next_line = __LINE__ + 1;
    co_await generator.next();
}

}  // namespace generators_test

namespace {

static_assert(!std::is_copy_constructible_v<AsyncGenerator<int>>);
static_assert(std::is_nothrow_move_constructible_v<AsyncGenerator<int>>);
static_assert(std::is_nothrow_move_assignable_v<AsyncGenerator<int>>);
static_assert(detail::Awaitable<decltype(std::declval<AsyncGenerator<int>&>().next())>);

AsyncGenerator<int> count(int limit) {
    for (int i = 0; i < limit; ++i) {
        co_yield i;
    }
}

AsyncGenerator<int> noted(Trace& trace, Gone) {
    const Gone local(trace, "local");
    trace.push_back("began");
    co_yield 1;
    trace.push_back("went on");
}

/// Awaits in its cleanup.
AsyncGenerator<int> tidy(Trace& trace) {
    std::exception_ptr error;
    try {
        co_yield 1;
        co_yield 2;
    } catch (...) {
        error = std::current_exception();
    }
    trace.push_back("cleanup after " + describe(error));
    co_await sleep(1);
    trace.push_back("tidy");
    if (error != nullptr) {
        std::rethrow_exception(error);
    }
}

// ----------------------------------------------------------------------------------- iteration

ASYNC_TEST(AsyncGenerator, gives_one_item_after_another_and_then_nothing) {
    std::vector<int> items;
    auto numbers = count(3);

    while (auto item = co_await numbers.next()) {
        items.push_back(*item);
    }
    auto after = co_await numbers.next();

    EXPECT_EQ(items, (std::vector<int>{0, 1, 2}));
    EXPECT_FALSE(after.has_value());
}

ASYNC_TEST(AsyncGenerator, runs_only_while_it_is_asked) {
    Trace trace;
    auto generator = noted(trace, Gone(trace, "argument"));
    trace.push_back("made");

    co_await generator.next();
    trace.push_back("between");
    co_await generator.next();
    trace.push_back("after");

    EXPECT_EQ(trace, (Trace{"made", "began", "between", "went on", "local", "argument", "after"}));
}

TEST(AsyncGenerator, that_is_never_asked_just_destroys_its_arguments) {
    Trace trace;
    { const auto generator = noted(trace, Gone(trace, "argument")); }
    EXPECT_EQ(trace, Trace{"argument"});
}

TEST(AsyncGenerator, whose_argument_throws_when_it_is_copied_is_not_made) {
    struct Throws {
        Throws() = default;
        Throws(const Throws&) { throw RuntimeError("copied"); }
    };
    auto make = [](Throws) -> AsyncGenerator<int> { co_yield 1; };
    const Throws argument;
    EXPECT_EQ(thrown_by([&] { static_cast<void>(make(argument)); }), "RuntimeError('copied')");
}

ASYNC_TEST(AsyncGenerator, can_be_moved_at_any_time) {
    auto first = count(3);
    auto second = std::move(first);
    const auto zero = co_await second.next();
    auto third = count(1);
    third = std::move(second);
    auto asked = third.next();
    auto fourth = std::move(third);
    const auto one = co_await std::move(asked);
    const auto two = co_await fourth.next();

    EXPECT_EQ(zero, 0);
    EXPECT_EQ(one, 1);
    EXPECT_EQ(two, 2);
    EXPECT_EQ(thrown_by([&] { static_cast<void>(first.next()); }),
              "RuntimeError('this AsyncGenerator was moved away')");
}

ASYNC_TEST(AsyncGenerator, gives_items_of_any_kind) {
    auto move_only = []() -> AsyncGenerator<std::unique_ptr<int>> {
        auto named = std::make_unique<int>(2);
        co_yield std::make_unique<int>(1);
        co_yield std::move(named);
    };
    auto converted = []() -> AsyncGenerator<std::string> {
        const std::string constant = "constant";
        co_yield "literal";
        co_yield constant;
    };
    auto braced = []() -> AsyncGenerator<std::pair<std::string, int>> {
        co_yield {"a", 1};  // awaits-ok: a pair has constructors
    };
    int object = 3;
    auto reference = [](int& object) -> AsyncGenerator<int&> { co_yield object; };
    auto constant = []() -> AsyncGenerator<const std::string&> { co_yield "temporary"; };

    auto pointers = move_only();
    auto first = co_await pointers.next();
    auto second = co_await pointers.next();
    auto strings = converted();
    auto literal = co_await strings.next();
    auto copied = co_await strings.next();
    auto pairs = braced();
    auto pair = co_await pairs.next();
    auto references = reference(object);
    int* const same = co_await references.next();
    int* const none = co_await references.next();
    auto constants = constant();
    const std::string* const temporary = co_await constants.next();
    const std::string seen = *temporary;

    EXPECT_EQ(**first + **second, 3);
    EXPECT_EQ(literal, "literal");
    EXPECT_EQ(copied, "constant");
    EXPECT_EQ(pair, (std::pair<std::string, int>("a", 1)));
    EXPECT_EQ(same, &object);
    EXPECT_EQ(none, nullptr);
    EXPECT_EQ(seen, "temporary");
}

struct ThrowsWhenMoved {
    ThrowsWhenMoved() = default;
    ThrowsWhenMoved(ThrowsWhenMoved&& other) : moved(other.moved) {
        if (++moved == 1) {
            throw RuntimeError("moved");
        }
    }
    int moved = 0;
};

ASYNC_TEST(AsyncGenerator, sees_what_an_item_throws_when_it_is_moved) {
    Trace trace;
    auto make = [](Trace& trace) -> AsyncGenerator<ThrowsWhenMoved> {
        try {
            co_yield ThrowsWhenMoved();
        } catch (const RuntimeError& error) {
            trace.emplace_back(error.what());
        }
    };
    auto generator = make(trace);

    auto item = co_await generator.next();

    EXPECT_FALSE(item.has_value());
    EXPECT_EQ(trace, Trace{"moved"});
}

ASYNC_TEST(AsyncGenerator, takes_no_turn_of_the_loop_of_its_own) {
    const TurnCounter turns(get_running_loop());
    co_await sleep(0);
    const int before = turns.now();
    auto numbers = count(1000);
    int sum = 0;
    while (auto item = co_await numbers.next()) {
        sum += *item;
    }
    EXPECT_EQ(sum, 499'500);
    EXPECT_EQ(turns.now(), before);
}

ASYNC_TEST(AsyncGenerator, runs_in_the_task_that_asks) {
    auto names = []() -> AsyncGenerator<std::string> {
        while (true) {
            co_yield current_task().get_name();
        }
    }();
    auto ask = [](AsyncGenerator<std::string>& names) -> Coroutine<std::string> {
        auto name = co_await names.next();
        co_return *name;
    };

    auto a = create_task(ask(names), {.name = "a"});
    auto b = create_task(ask(names), {.name = "b"});
    const std::string first = co_await a;
    const std::string second = co_await b;
    co_await names.aclose();

    EXPECT_EQ(first, "a");
    EXPECT_EQ(second, "b");
}

ASYNC_TEST(AsyncGenerator, what_it_throws_comes_out_and_is_its_end) {
    Trace trace;
    auto make = [](Trace& trace, Gone) -> AsyncGenerator<int> {
        const Gone local(trace, "local");
        co_yield 1;
        throw RuntimeError("body");
    };
    auto generator = make(trace, Gone(trace, "argument"));
    co_await generator.next();

    try {
        co_await generator.next();
    } catch (const RuntimeError& error) {
        trace.emplace_back(error.what());
    }
    auto after = co_await generator.next();

    EXPECT_EQ(trace, (Trace{"local", "argument", "body"}));
    EXPECT_FALSE(after.has_value());
}

ASYNC_TEST(AsyncGenerator, may_ask_others) {
    struct Tree {
        static AsyncGenerator<int> leaves(int low, int high) {
            if (high - low == 1) {
                co_yield low;
                co_return;
            }
            const int middle = (low + high) / 2;
            for (auto [from, to] : {std::pair(low, middle), std::pair(middle, high)}) {
                auto half = leaves(from, to);
                while (auto leaf = co_await half.next()) {
                    co_await sleep(0);
                    co_yield *leaf;
                }
            }
        }
    };
    std::vector<int> items;
    auto tree = Tree::leaves(0, 8);
    while (auto leaf = co_await tree.next()) {
        items.push_back(*leaf);
    }
    EXPECT_EQ(items, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
}

ASYNC_TEST(AsyncGenerator, goes_wherever_an_awaitable_goes) {
    auto numbers = count(10);
    auto failing = []() -> AsyncGenerator<int> {
        co_await sleep(0);
        throw RuntimeError("body");
        co_yield 1;
    }();

    auto result = co_await as_result(numbers.next());
    auto error = co_await as_result(failing.next());
    auto end = co_await as_result(failing.next());
    auto task = create_task(numbers.next());
    const auto of_task = co_await task;
    const auto limited = co_await wait_for(numbers.next(), 1);
    const auto gathered = co_await gather(numbers.next());
    const auto in_timeout = co_await timeout(1, [&] { return numbers.next(); });
    auto closed = create_task(numbers.aclose());
    co_await closed;
    const auto after = co_await numbers.next();

    EXPECT_EQ(**result, 0);
    EXPECT_EQ(describe(error.error()), "RuntimeError('body')");
    EXPECT_TRUE(end.has_value() && !end.value().has_value());
    EXPECT_EQ(of_task, 1);
    EXPECT_EQ(limited, 2);
    EXPECT_EQ(std::get<0>(gathered), 3);
    EXPECT_EQ(in_timeout, 4);
    EXPECT_FALSE(after.has_value());
}

ASYNC_TEST(AsyncGenerator, is_there_until_what_it_was_asked_is_awaited) {
    auto task = create_task(count(3).next());
    auto asked = count(3).next();

    const auto of_task = co_await task;
    const auto item = co_await std::move(asked);

    EXPECT_EQ(of_task, 0);
    EXPECT_EQ(item, 0);
}

// ------------------------------------------------------------------------------ asend and athrow

AsyncGenerator<std::string, std::string> echo() {
    std::string item = "first";
    while (true) {
        std::optional<std::string> sent = co_yield item;
        item = sent.value_or("nothing");
    }
}

ASYNC_TEST(Asend, gives_its_value_to_the_co_yield) {
    auto generator = echo();

    auto first = co_await generator.next();
    auto a = co_await generator.asend("a");
    auto nothing = co_await generator.next();
    auto also_nothing = co_await generator.asend(std::nullopt);
    auto b = co_await generator.asend("b");
    co_await generator.aclose();
    auto after = co_await generator.asend("c");

    EXPECT_EQ(first, "first");
    EXPECT_EQ(a, "a");
    EXPECT_EQ(nothing, "nothing");
    EXPECT_EQ(also_nothing, "nothing");
    EXPECT_EQ(b, "b");
    EXPECT_FALSE(after.has_value());
}

ASYNC_TEST(Asend, moves_what_only_moves) {
    auto make = []() -> AsyncGenerator<int, std::unique_ptr<int>> {
        int item = 0;
        while (true) {
            auto sent = co_yield item;
            item = sent ? **sent : 0;
        }
    };
    auto generator = make();
    co_await generator.next();
    const auto item = co_await generator.asend(std::make_unique<int>(5));
    co_await generator.aclose();
    EXPECT_EQ(item, 5);
}

ASYNC_TEST(Asend, needs_a_generator_that_was_begun) {
    auto generator = echo();

    auto refused = co_await as_result(generator.asend("early"));
    auto begun = co_await generator.asend(std::nullopt);
    co_await generator.aclose();

    EXPECT_EQ(describe(refused.error()),
              "TypeError(\"can't send non-None value to a just-started async generator\")");
    EXPECT_EQ(begun, "first");
}

ASYNC_TEST(Athrow, throws_at_the_co_yield_and_gives_the_next_item) {
    Trace trace;
    auto make = [](Trace& trace) -> AsyncGenerator<int> {
        for (int i = 0;; ++i) {
            try {
                co_yield i;
            } catch (const std::invalid_argument& error) {
                trace.emplace_back(error.what());
            }
        }
    };
    auto generator = make(trace);
    co_await generator.next();

    const auto item = co_await generator.athrow(std::invalid_argument("object"));
    const auto error = std::make_exception_ptr(std::invalid_argument("pointer"));
    const auto another = co_await generator.athrow(error);
    auto uncaught = co_await as_result(generator.athrow(RuntimeError("not caught")));
    const auto after = co_await generator.athrow(RuntimeError("at the end"));

    EXPECT_EQ(trace, (Trace{"object", "pointer"}));
    EXPECT_EQ(item, 1);
    EXPECT_EQ(another, 2);
    EXPECT_EQ(describe(uncaught.error()), "RuntimeError('not caught')");
    EXPECT_FALSE(after.has_value());
}

ASYNC_TEST(Athrow, before_the_beginning_is_the_end) {
    Trace trace;
    auto generator = noted(trace, Gone(trace, "argument"));

    auto thrown = co_await as_result(generator.athrow(RuntimeError("early")));
    auto after = co_await generator.next();

    EXPECT_EQ(describe(thrown.error()), "RuntimeError('early')");
    EXPECT_FALSE(after.has_value());
    EXPECT_EQ(trace, Trace{"argument"});
}

ASYNC_TEST(Athrow, refuses_to_throw_nothing) {
    auto generator = count(1);
    const std::string thrown =
        thrown_by([&] { static_cast<void>(generator.athrow(std::exception_ptr())); });
    EXPECT_EQ(thrown,
              "TypeError('exceptions must be classes or instances deriving from BaseException, not "
              "NoneType')");
    co_return;
}

ASYNC_TEST(AsyncGenerator, cannot_be_asked_while_it_runs) {
    Event event;
    auto slow = [](Event& event) -> AsyncGenerator<int, int> {
        co_await event.wait();
        co_yield 1;
    }(event);
    auto first = create_task(slow.next());
    co_await settle();

    auto next = co_await as_result(slow.next());
    auto asend = co_await as_result(slow.asend(1));
    auto athrow = co_await as_result(slow.athrow(RuntimeError("x")));
    auto aclose = co_await as_result(slow.aclose());
    event.set();
    const auto item = co_await first;

    EXPECT_EQ(describe(next.error()),
              "RuntimeError('anext(): asynchronous generator is already running')");
    EXPECT_EQ(describe(asend.error()),
              "RuntimeError('anext(): asynchronous generator is already running')");
    EXPECT_EQ(describe(athrow.error()),
              "RuntimeError('athrow(): asynchronous generator is already running')");
    EXPECT_EQ(describe(aclose.error()),
              "RuntimeError('aclose(): asynchronous generator is already running')");
    EXPECT_EQ(item, 1);
}

/// Asks a generator for an item as it is destroyed.
struct AsksAtItsEnd {
    std::shared_ptr<AsyncGenerator<int>> generator;
    Trace* trace = nullptr;

    AsksAtItsEnd(std::shared_ptr<AsyncGenerator<int>> asked, Trace& told)
        : generator(std::move(asked)), trace(&told) {}
    AsksAtItsEnd(AsksAtItsEnd&&) = default;
    ~AsksAtItsEnd() {
        if (generator != nullptr) {
            const auto task = create_task(ask(std::move(generator)), {.eager_start = true});
            trace->push_back(task.done() ? describe(task.exception()) : "waits");
        }
    }

    static Coroutine<> ask(std::shared_ptr<AsyncGenerator<int>> asked) { co_await asked->next(); }
};

AsyncGenerator<int> with_guest(std::shared_ptr<std::optional<AsksAtItsEnd>>) {
    co_yield 1;
}

ASYNC_TEST(AsyncGenerator, cannot_be_asked_while_its_frame_is_destroyed) {
    Trace trace;
    auto guest = std::make_shared<std::optional<AsksAtItsEnd>>();
    auto& place = *guest;
    auto generator = std::make_shared<AsyncGenerator<int>>(with_guest(std::move(guest)));
    place.emplace(generator, trace);

    co_await generator->aclose();

    EXPECT_EQ(trace, Trace{"RuntimeError('anext(): asynchronous generator is already running')"});
}

ASYNC_TEST(AsyncGenerator, what_it_was_asked_is_awaited_once) {
    auto generator = count(3);
    auto asked = generator.next();
    co_await std::move(asked);
    auto again = co_await as_result(std::move(asked));
    auto closing = generator.aclose();
    co_await std::move(closing);
    auto closing_again = co_await as_result(std::move(closing));
    auto thrown = generator.athrow(RuntimeError("x"));
    co_await std::move(thrown);

    EXPECT_EQ(describe(again.error()),
              "RuntimeError('cannot reuse already awaited __anext__()/asend()')");
    EXPECT_EQ(describe(closing_again.error()),
              "RuntimeError('cannot reuse already awaited aclose()/athrow()')");
}

// -------------------------------------------------------------------------------------- aclose

ASYNC_TEST(Aclose, throws_GeneratorExit_and_awaits_the_cleanup) {
    Trace trace;
    auto generator = tidy(trace);
    co_await generator.next();
    const TimePoint before = get_running_loop().time();

    co_await generator.aclose();
    trace.push_back("closed");
    const auto after = co_await generator.next();
    co_await generator.aclose();

    EXPECT_EQ(trace, (Trace{"cleanup after GeneratorExit()", "tidy", "closed"}));
    EXPECT_EQ(get_running_loop().time() - before, std::chrono::seconds(1));
    EXPECT_FALSE(after.has_value());
}

ASYNC_TEST(Aclose, before_the_beginning_is_the_end) {
    Trace trace;
    auto generator = noted(trace, Gone(trace, "argument"));

    co_await generator.aclose();
    const auto after = co_await generator.next();

    EXPECT_FALSE(after.has_value());
    EXPECT_EQ(trace, Trace{"argument"});
}

ASYNC_TEST(Aclose, that_is_ignored_is_an_error_and_the_item_is_lost) {
    Trace trace;
    auto make = [](Trace& trace, Gone) -> AsyncGenerator<std::unique_ptr<int>> {
        try {
            co_yield std::make_unique<int>(1);
        } catch (const GeneratorExit&) {
            trace.push_back("ignored");
        }
        co_yield std::make_unique<int>(2);
        co_yield std::make_unique<int>(3);
    };
    {
        auto generator = make(trace, Gone(trace, "argument"));
        co_await generator.next();

        auto closed = co_await as_result(generator.aclose());
        const auto item = co_await generator.next();
        auto again = co_await as_result(generator.aclose());

        EXPECT_EQ(describe(closed.error()),
                  "RuntimeError('async generator ignored GeneratorExit')");
        EXPECT_EQ(**item, 3);
        EXPECT_TRUE(again.has_value());
    }
    EXPECT_EQ(trace, (Trace{"ignored", "argument"}));  // at once: it has been closed before
}

ASYNC_TEST(Aclose, lets_errors_of_the_cleanup_out) {
    auto make = []() -> AsyncGenerator<int> {
        try {
            co_yield 1;
        } catch (const GeneratorExit&) {
            throw RuntimeError("cleanup");
        }
    };
    auto generator = make();
    co_await generator.next();
    auto closed = co_await as_result(generator.aclose());
    EXPECT_EQ(describe(closed.error()), "RuntimeError('cleanup')");
}

// ------------------------------------------------------------------------------------ aclosing

ASYNC_TEST(Aclosing, closes_at_the_end_of_the_block) {
    Trace trace;
    auto generator = tidy(trace);

    const int first =
        co_await with(aclosing(generator), [&](AsyncGenerator<int>& numbers) -> Coroutine<int> {
            auto item = co_await numbers.next();
            co_return *item;
        });
    trace.push_back("after");
    co_await with(aclosing(tidy(trace)),
                  [&](AsyncGenerator<int>& numbers) -> Coroutine<> { co_await numbers.next(); });

    EXPECT_EQ(first, 1);
    EXPECT_EQ(trace, (Trace{"cleanup after GeneratorExit()", "tidy", "after",
                            "cleanup after GeneratorExit()", "tidy"}));
}

// -------------------------------------------------------------------------------- cancellation

ASYNC_TEST(AsyncGenerator, a_cancellation_goes_through_it_to_the_task_that_asks) {
    Trace trace;
    auto make = [](Trace& trace) -> AsyncGenerator<int> {
        const Gone local(trace, "local");
        co_await sleep(10);
        co_yield 1;
    };
    auto generator = make(trace);
    auto task = create_task(generator.next());
    co_await settle();

    task.cancel("why");
    auto result = co_await as_result(task);
    const auto after = co_await generator.next();

    EXPECT_EQ(describe(result.error()), "CancelledError('why')");
    EXPECT_EQ(trace, Trace{"local"});
    EXPECT_FALSE(after.has_value());
}

ASYNC_TEST(AsyncGenerator, a_task_that_is_cancelled_before_it_asks_leaves_it_alone) {
    auto generator = count(2);
    co_await generator.next();
    auto task = create_task(generator.next());
    task.cancel();
    auto result = co_await as_result(task);
    const auto item = co_await generator.next();

    EXPECT_TRUE(result.cancelled());
    EXPECT_EQ(item, 1);
}

// ----------------------------------------------------------------------------- dropped generators

// Its body may refer to what is gone when a task could close it.
ASYNC_TEST(DroppedGenerator, is_destroyed_at_once) {
    Trace trace;
    auto make = [](Trace& trace) -> AsyncGenerator<int> {
        const Gone local(trace, "local");
        try {
            co_yield 1;
        } catch (const GeneratorExit&) {
            trace.push_back("handler");
        }
        co_yield 2;
    };
    auto generator = std::make_optional(make(trace));
    co_await generator->next();

    generator.reset();

    EXPECT_EQ(trace, Trace{"local"});
    EXPECT_EQ(all_tasks().size(), 1U);
}

ASYNC_TEST(DroppedGenerator, in_the_middle_of_its_cleanup_is_destroyed_at_the_end_of_the_await) {
    Trace trace;
    auto generator = std::make_optional(tidy(trace));
    co_await generator->next();
    auto task = create_task(generator->aclose());
    co_await sleep(0);

    generator.reset();
    co_await task;

    EXPECT_EQ(trace, (Trace{"cleanup after GeneratorExit()", "tidy"}));
}

ASYNC_TEST(DroppedGenerator, while_it_is_asked_still_gives_the_item) {
    Trace trace;
    auto make = [](Trace& trace) -> AsyncGenerator<int> {
        const Gone local(trace, "local");
        co_await sleep(1);
        co_yield 7;
    };
    std::optional<AsyncGenerator<int>> generator = make(trace);
    auto task = create_task(generator->next());
    co_await sleep(0);

    generator.reset();
    const auto item = co_await task;

    EXPECT_EQ(item, 7);
    EXPECT_EQ(trace, Trace{"local"});
}

TEST(DroppedGenerator, of_a_closed_loop_is_destroyed_at_once) {
    for (const bool loop_is_gone : {false, true}) {
        Trace trace;
        auto loop = std::make_unique<EventLoop>();
        auto generator = std::make_optional(noted(trace, Gone(trace, "argument")));
        loop->run_until_complete(generator->next());
        loop->close();
        if (loop_is_gone) {
            loop.reset();
        }
        EXPECT_EQ(trace, Trace{"began"});

        generator.reset();

        EXPECT_EQ(trace, (Trace{"began", "local", "argument"}));
    }
}

TEST(AsyncGenerator, of_a_closed_loop_goes_on_in_another) {
    auto generator = count(3);
    {
        EventLoop loop;
        EXPECT_EQ(loop.run_until_complete(generator.next()), 0);
    }
    EventLoop loop;
    EXPECT_EQ(loop.run_until_complete(generator.next()), 1);
}

AsyncGenerator<int> waits_inside(Trace& trace, std::string name, Gone) {
    const Gone local(trace, name);
    auto waiting = [](Trace& trace, std::string name) -> Coroutine<> {
        const Gone local(trace, name);
        co_await sleep(10);
    };
    co_await waiting(trace, "inside " + name);
    co_yield 1;
}

Coroutine<> asks(Trace& trace, AsyncGenerator<int>& generator) {
    const Gone local(trace, "asker");
    co_await generator.next();
}

TEST(AsyncGenerator, that_waits_when_its_loop_closes_is_destroyed_innermost_first) {
    Trace trace;
    {
        EventLoop loop;
        const Reports reports(loop);
        auto outside = waits_inside(trace, "a", Gone(trace, "argument of a"));
        auto body = [](Trace& trace) -> Coroutine<> {
            auto generator = waits_inside(trace, "b", Gone(trace, "argument of b"));
            const Gone local(trace, "owner");
            co_await asks(trace, generator);
        };
        loop.create_task(asks(trace, outside));
        loop.create_task(body(trace));
        loop.run_until_complete(sleep(0));

        loop.close();

        trace.push_back("closed");
    }
    EXPECT_EQ(trace, (Trace{"inside a", "a", "argument of a", "asker", "inside b", "b",
                            "argument of b", "asker", "owner", "closed"}));
}

TEST(AsyncGenerator, that_is_suspended_when_its_task_is_destroyed_goes_with_it) {
    Trace trace;
    EventLoop loop;
    const Reports reports(loop);
    auto body = [](Trace& trace) -> Coroutine<> {
        auto generator = noted(trace, Gone(trace, "argument"));
        co_await generator.next();
        co_await sleep(10);
    };
    loop.create_task(body(trace));
    loop.run_until_complete(sleep(0));

    loop.close();

    EXPECT_EQ(trace, (Trace{"began", "local", "argument"}));
}

// --------------------------------------------------------------------------- shutdown_asyncgens

TEST(ShutdownAsyncgens, closes_what_was_begun_all_at_once) {
    const testing::VirtualClockScope clock;
    Trace trace;
    EventLoop loop;
    auto first = tidy(trace);
    auto second = tidy(trace);
    auto never_begun = tidy(trace);
    auto closed = tidy(trace);
    loop.run_until_complete(first.next());
    loop.run_until_complete(second.next());
    loop.run_until_complete(closed.next());
    loop.run_until_complete(closed.aclose());
    trace.clear();
    const TimePoint before = loop.time();

    loop.run_until_complete(loop.shutdown_asyncgens());

    EXPECT_EQ(trace, (Trace{"cleanup after GeneratorExit()", "cleanup after GeneratorExit()",
                            "tidy", "tidy"}));
    EXPECT_EQ(loop.time() - before, std::chrono::seconds(1));
    EXPECT_FALSE(loop.run_until_complete(first.next()).has_value());
}

TEST(ShutdownAsyncgens, reports_errors_and_where_the_generator_was) {
    EventLoop loop;
    const Reports reports(loop);
    const unsigned line = __LINE__ + 3;
    auto make = [](std::exception_ptr error) -> AsyncGenerator<int> {
        try {
            co_yield 1;
        } catch (const GeneratorExit&) {
            std::rethrow_exception(error);
        }
    };
    auto failing = make(std::make_exception_ptr(RuntimeError("cleanup")));
    auto cancelling = make(std::make_exception_ptr(CancelledError()));
    loop.run_until_complete(failing.next());
    loop.run_until_complete(cancelling.next());

    loop.run_until_complete(loop.shutdown_asyncgens());

    EXPECT_EQ(reports.errors, Trace{"RuntimeError('cleanup')"});
    EXPECT_EQ(reports.messages,
              Trace{"an error occurred during closing of asynchronous generator <async_generator "
                    "object at " +
                    std::string(__FILE__) + ":" + std::to_string(line) + ">"});
}

ASYNC_TEST(ShutdownAsyncgens, keeps_what_is_dropped_meanwhile) {
    Trace trace;
    auto generator = std::make_optional(tidy(trace));
    co_await generator->next();
    get_running_loop().call_soon([&] { generator.reset(); });  // before the first step of aclose()

    co_await get_running_loop().shutdown_asyncgens();

    EXPECT_FALSE(generator.has_value());
    EXPECT_EQ(trace, (Trace{"cleanup after GeneratorExit()", "tidy"}));
}

ASYNC_TEST(ShutdownAsyncgens, is_told_of_by_debug_mode_when_a_generator_is_begun_afterwards) {
    EventLoop& loop = get_running_loop();
    co_await loop.shutdown_asyncgens();
    const Logged logged;
    auto quiet = count(1);
    co_await quiet.next();
    const std::size_t without_debug = logged.texts.size();
    loop.set_debug(true);
    auto late = count(1);
    co_await late.next();
    loop.set_debug(false);

    EXPECT_EQ(without_debug, 0U);
    EXPECT_EQ(logged.texts.size(), 1U);
    EXPECT_TRUE(logged.texts.at(0).starts_with("asynchronous generator <async_generator object"));
    EXPECT_TRUE(logged.texts.at(0).ends_with("was scheduled after loop.shutdown_asyncgens() call"));
}

// ---------------------------------------------------------------------------------- the call graph

ASYNC_TEST(AsyncGenerator, is_in_the_call_graph_of_the_task_that_asks) {
    auto task = create_task(generators_test::reader(generators_test::sleepy()));
    co_await settle();

    const auto graph = capture_call_graph(task);
    task.cancel();
    auto ended = co_await as_result(task);
    EXPECT_TRUE(ended.cancelled());

    EXPECT_STREQ(graph->waits_in, "sleep");
    EXPECT_EQ(graph->call_stack.size(), 2U);
    const FrameCallGraphEntry& first = graph->call_stack.at(0);
    const FrameCallGraphEntry& second = graph->call_stack.at(1);
    EXPECT_TRUE(first.function.starts_with("asyncio::generators_test::sleepy(")) << first.function;
    EXPECT_EQ(first.line, generators_test::sleep_line);
    EXPECT_TRUE(second.function.starts_with("asyncio::generators_test::reader("))
        << second.function;
    EXPECT_EQ(second.line, generators_test::next_line);
}

// ---------------------------------------------------------------------------- memory and stack

TEST(AsyncGenerator, allocates_nothing_for_an_item) {
    if (!counts_allocations) {
        GTEST_SKIP() << "the sanitizers have a malloc of their own";
    }
    auto body = []() -> Coroutine<std::size_t> {
        auto numbers = count(2000);
        std::size_t before = 0;
        while (auto item = co_await numbers.next()) {
            if (*item == 10) {
                before = allocations;
            }
        }
        co_return allocations - before;
    };
    EXPECT_EQ(run(body), 0U);
}

TEST(AsyncGenerator, does_not_grow_the_stack_with_its_items) {
    run_on_small_stack([] {
        auto body = []() -> Coroutine<int> {
            auto numbers = count(500'000);
            int items = 0;
            while (auto item = co_await numbers.next()) {
                ++items;
            }
            co_return items;
        };
        EXPECT_EQ(run(body), 500'000);
    });
}

AsyncGenerator<int> nested(int levels, bool waits) {
    if (levels > 0) {
        auto inner = nested(levels - 1, waits);
        while (auto item = co_await inner.next()) {
            co_yield *item + 1;
        }
    } else if (waits) {
        co_await sleep(3600);
    } else {
        co_yield 0;
    }
}

constexpr int deep = 20'000;

TEST(AsyncGenerator, does_not_grow_the_stack_with_the_depth_of_those_that_ask_each_other) {
    run_on_small_stack([] {
        auto body = []() -> Coroutine<int> {
            auto generator = nested(deep, false);
            int sum = 0;
            while (auto item = co_await generator.next()) {
                sum += *item;
            }
            co_return sum;
        };
        EXPECT_EQ(run(body), deep);
    });
}

TEST(AsyncGenerator, does_not_grow_the_stack_when_the_loop_destroys_those_that_ask_each_other) {
    run_on_small_stack([] {
        EventLoop loop;
        const Reports reports(loop);
        auto body = []() -> Coroutine<> {
            auto generator = nested(deep, true);
            co_await generator.next();
        };
        loop.create_task(body());
        loop.run_until_complete(sleep(0));

        loop.close();

        EXPECT_EQ(reports.messages, Trace{"Task was destroyed but it is pending!"});
    });
}

}  // namespace

}  // namespace asyncio
