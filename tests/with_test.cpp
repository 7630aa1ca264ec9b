// with_test.cpp - with(): the exit is awaited, whatever happened.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/tasks.hpp>
#include <asyncio/with.hpp>

#include <memory>
#include <string>
#include <utility>

namespace asyncio {

using testing::settle;
using testing::Trace;

namespace {

/// Enters and exits with an await each.
class Resource {
public:
    explicit Resource(Trace& trace, bool swallows = false) : trace_(&trace), swallows_(swallows) {}
    Resource(Resource&&) = default;

    Coroutine<int> aenter() {
        co_await sleep(1);
        trace_->push_back("enter");
        co_return 7;
    }
    Coroutine<bool> aexit(std::exception_ptr error) {
        co_await sleep(1);
        trace_->push_back("exit " + describe(error));
        co_return swallows_;
    }

private:
    Trace* trace_;
    bool swallows_;
};

ASYNC_TEST(With, enters_runs_the_body_with_what_entering_gave_and_exits) {
    Trace trace;

    const std::string result =
        co_await with(Resource(trace), [&](int entered) -> Coroutine<std::string> {
            co_await sleep(1);
            trace.push_back("body " + std::to_string(entered));
            co_return "result";
        });

    EXPECT_EQ(result, "result");
    EXPECT_EQ(trace, (Trace{"enter", "body 7", "exit None"}));
}

ASYNC_TEST(With, takes_plain_bodies_with_and_without_argument) {
    Trace trace;
    Resource resource(trace);

    const int with_argument = co_await with(resource, [](int entered) { return entered + 1; });
    const int without = co_await with(resource, [] { return 2; });
    co_await with(resource, [&] { trace.push_back("void"); });

    EXPECT_EQ(with_argument, 8);
    EXPECT_EQ(without, 2);
    EXPECT_EQ(trace.size(), 7U);
}

ASYNC_TEST(With, exits_and_throws_what_the_body_threw) {
    Trace trace;
    auto result = co_await as_result(with(Resource(trace), [&]() -> Coroutine<int> {
        throw RuntimeError("body");
        co_return 1;
    }));

    EXPECT_EQ(describe(result.error()), "RuntimeError('body')");
    EXPECT_EQ(trace, (Trace{"enter", "exit RuntimeError('body')"}));
}

ASYNC_TEST(With, exits_with_an_await_when_the_body_is_cancelled) {
    Trace trace;
    auto task = create_task(with(Resource(trace), [&] { return sleep(100); }));
    co_await sleep(2);

    task.cancel("stop");
    auto result = co_await as_result(task);

    EXPECT_TRUE(task.cancelled());
    EXPECT_EQ(describe(result.error()), "CancelledError('stop')");
    EXPECT_EQ(trace, (Trace{"enter", "exit CancelledError('stop')"}));
}

ASYNC_TEST(With, an_exit_that_answers_true_swallows_the_error) {
    Trace trace;
    co_await with(Resource(trace, true), [&] { throw RuntimeError("swallowed"); });

    EXPECT_EQ(trace, (Trace{"enter", "exit RuntimeError('swallowed')"}));
}

ASYNC_TEST(With, swallowing_where_the_body_owes_a_value_is_an_error) {
    Trace trace;
    auto owes = [&]() -> int { throw RuntimeError("swallowed"); };
    auto result = co_await as_result(with(Resource(trace, true), owes));
    auto pays = co_await as_result(with(Resource(trace, true), [] { return 1; }));

    EXPECT_TRUE(describe(result.error()).starts_with("RuntimeError('the exit of with() swallowed"));
    EXPECT_TRUE(pays.has_value());
}

struct Synchronous {
    struct Value {
        Trace& trace;
    };
    Trace& trace;
    Value aenter() { return {trace}; }
    bool aexit(const std::exception_ptr& error) {
        trace.push_back("exit " + describe(error));
        return false;
    }
};

ASYNC_TEST(With, takes_resources_that_do_not_wait) {
    Trace trace;
    Synchronous resource{trace};

    co_await with(resource, [](Synchronous::Value& value) { value.trace.push_back("body"); });

    EXPECT_EQ(trace, (Trace{"body", "exit None"}));
}

ASYNC_TEST(With, a_throwing_enter_does_not_run_the_body_or_the_exit) {
    struct Refuses {
        int aenter() { throw RuntimeError("refused"); }
        bool aexit(const std::exception_ptr&) {
            ADD_FAILURE() << "exited";
            return false;
        }
    };
    Refuses resource;
    auto result = co_await as_result(with(resource, [] { ADD_FAILURE() << "ran"; }));

    EXPECT_EQ(describe(result.error()), "RuntimeError('refused')");
}

ASYNC_TEST(With, a_throwing_exit_replaces_the_error_of_the_body) {
    struct Fails {
        int aenter() { return 0; }
        Coroutine<bool> aexit(std::exception_ptr) {
            co_await sleep(0);
            throw RuntimeError("exit");
        }
    };
    Fails resource;
    auto result = co_await as_result(with(resource, [] { throw RuntimeError("body"); }));

    EXPECT_EQ(describe(result.error()), "RuntimeError('exit')");
}

ASYNC_TEST(With, gives_what_only_moves) {
    Trace trace;
    std::unique_ptr<int> result =
        co_await with(Resource(trace), [] { return std::make_unique<int>(3); });

    EXPECT_EQ(*result, 3);
}

ASYNC_TEST(With, keeps_references) {
    Trace trace;
    int object = 3;
    auto body = [&object]() -> Coroutine<int&> { co_return object; };
    auto plain = [&object]() -> int& { return object; };

    int& of_coroutine = co_await with(Resource(trace), body);
    int& of_function = co_await with(Resource(trace), plain);

    EXPECT_EQ(&of_coroutine, &object);
    EXPECT_EQ(&of_function, &object);
}

ASYNC_TEST(With, exits_when_the_body_throws_instead_of_giving_an_awaitable) {
    Trace trace;
    auto body = []() -> Coroutine<int> { throw RuntimeError("no coroutine"); };

    const auto result = co_await as_result(with(Resource(trace), body));

    EXPECT_EQ(describe(result.error()), "RuntimeError('no coroutine')");
    EXPECT_EQ(trace.back(), "exit RuntimeError('no coroutine')");
}

ASYNC_TEST(With, awaits_what_cannot_be_moved_and_what_lies_elsewhere) {
    struct Fixed {
        Fixed() = default;
        Fixed(const Fixed&) = delete;
        Fixed& operator=(const Fixed&) = delete;
        bool await_ready() noexcept { return true; }
        void await_suspend(std::coroutine_handle<>) noexcept {}
        int await_resume() noexcept { return 7; }
    };
    Trace trace;
    Fixed elsewhere;
    auto make = [] { return Fixed(); };
    auto refer = [&]() -> Fixed& { return elsewhere; };
    auto task = create_task(sleep(1, 8));
    auto join = [&]() -> Task<int>& { return task; };

    const int made = co_await with(Resource(trace), make);
    const int referred = co_await with(Resource(trace), refer);
    const int joined = co_await with(Resource(trace), join);

    EXPECT_EQ(made, 7);
    EXPECT_EQ(referred, 7);
    EXPECT_EQ(joined, 8);
}

ASYNC_TEST(With, gives_what_cannot_be_assigned) {
    struct Fixed {
        const std::string text;
    };
    Trace trace;
    auto body = [] { return Fixed{"fixed"}; };

    const Fixed result = co_await with(Resource(trace), body);

    EXPECT_EQ(result.text, "fixed");
}

ASYNC_TEST(With, calls_no_body_with_what_was_not_entered) {
    struct Plain {
        void aenter() {}
        bool aexit(const std::exception_ptr&) { return false; }
    };
    Plain resource;
    auto body = [](auto&&... entered) { return sizeof...(entered); };

    const std::size_t arguments = co_await with(resource, body);

    EXPECT_EQ(arguments, 0U);
}

}  // namespace

}  // namespace asyncio
