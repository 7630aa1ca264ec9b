// arguments.cpp - canaries: lambdas, options and containers as arguments of what is awaited.
//
// SPDX-License-Identifier: MIT
#include "canary.hpp"

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <tuple>

using namespace std::chrono_literals;

// ---- lambdas

CANARY(lambda_named) {
    Object captured(5);
    auto call = [captured]() -> Coroutine<int> {
        co_await sleep(0);
        co_return captured.value();
    };
    int result = co_await call();
    check(result == 5);
}

CANARY(lambda_called_where_it_is_written) {
    Object captured(5);
    int result = co_await [captured]() -> Coroutine<int> {
        co_await sleep(0);
        co_return captured.value();
    }();
    check(result == 5);
}

CANARY(lambda_given_to_with) {
    Object captured(5);
    int result = co_await with(timeout(1), [captured]() -> Coroutine<int> {
        co_await sleep(0);
        co_return captured.value();
    });
    check(result == 5);
}

CANARY(lambda_with_a_long_string) {
    std::string captured = "a string that is long enough";
    std::size_t result = co_await with(timeout(1), [captured]() -> Coroutine<std::size_t> {
        co_await sleep(0);
        co_return captured.size();
    });
    check(result == 28);
}

CANARY(lambda_with_a_short_string) {
    std::string captured = "abc";
    std::size_t result = co_await with(timeout(1), [captured]() -> Coroutine<std::size_t> {
        co_await sleep(0);
        co_return captured.size();
    });
    check(result == 3);
}

CANARY(lambda_with_a_shared_pointer) {
    auto captured = std::make_shared<int>(1);
    int result = co_await with(timeout(1), [captured]() -> Coroutine<int> {
        co_await sleep(0);
        co_return *captured;
    });
    check(result == 1 && captured.use_count() == 1);
}

CANARY(lambda_with_a_number) {
    int captured = 3;
    int result = co_await with(timeout(1), [captured]() -> Coroutine<int> {
        co_await sleep(0);
        co_return captured;
    });
    check(result == 3);
}

CANARY(lambda_by_reference_given_to_with) {
    std::string captured = "abc";
    std::size_t result = co_await with(timeout(1), [&]() -> Coroutine<std::size_t> {
        co_await sleep(0);
        co_return captured.size();
    });
    check(result == 3);
}

CANARY(lambda_named_and_given_to_with) {
    std::string captured = "abc";
    auto body = [captured]() -> Coroutine<std::size_t> {
        co_await sleep(0);
        co_return captured.size();
    };
    std::size_t result = co_await with(timeout(1), body);
    check(result == 3);
}

CANARY(lambda_made_a_task_and_awaited_later) {
    Object captured(5);
    auto task = create_task([captured]() -> Coroutine<int> {
        co_await sleep(0);
        co_return captured.value();
    });
    int result = co_await task;
    check(result == 5);
}

CANARY(lambda_made_a_task_and_awaited_at_once) {
    std::string captured = "abc";
    std::size_t result = co_await create_task([captured]() -> Coroutine<std::size_t> {
        co_await sleep(0);
        co_return captured.size();
    });
    check(result == 3);
}

CANARY(function_object_named) {
    std::string captured = "abc";
    std::function<Coroutine<std::size_t>()> body = [captured]() -> Coroutine<std::size_t> {
        co_await sleep(0);
        co_return captured.size();
    };
    std::size_t result = co_await with(timeout(1), body);
    check(result == 3);
}

CANARY(lambda_without_captures_in_gather) {
    auto call = [](int value) -> Coroutine<int> {
        co_await sleep(0);
        co_return value;
    };
    auto [first, second] = co_await gather(call(1), call(2));
    check(first + second == 3);
}

// ---- options

CANARY(options_of_the_library) {
    int result = co_await create_task(number(3), {.name = "a name of more than sixteen letters"});
    check(result == 3);
}

CANARY(options_of_the_library_in_a_statement) {
    auto task = create_task(number(3), {.name = "name"});
    int result = co_await task;
    check(result == 3 && task.get_name() == "name");
}

class Fluent {
public:
    Fluent() {}
    Fluent& name(std::string name) {
        name_ = std::move(name);
        return *this;
    }
    const std::optional<std::string>& get_name() const { return name_; }

private:
    std::optional<std::string> name_;
};

static Coroutine<bool> is_named(Fluent options) {
    co_await sleep(0);
    co_return options.get_name() == "name";
}

CANARY(options_by_fluent_methods) {
    bool result = co_await is_named(Fluent().name("name"));
    check(result);
}

class Constructed {
public:
    Constructed(std::string name) : name_(std::move(name)) {}
    const std::string& name() const { return name_; }

private:
    std::string name_;
};

static Coroutine<bool> is_name(Constructed options) {
    co_await sleep(0);
    co_return options.name() == "name";
}

CANARY(options_with_a_constructor) {
    bool result = co_await is_name(Constructed("name"));
    check(result);
}

CANARY(options_converted) {
    bool result = co_await is_name(std::string("name"));
    check(result);
}

CANARY(optional_from_a_literal) {
    auto call = [](std::optional<std::string> name) -> Coroutine<bool> {
        co_await sleep(0);
        co_return name == "name";
    };
    bool result = co_await call("name");
    check(result);
}

CANARY(durations) {
    co_await sleep(1ms);
    int result = co_await wait_for(number(2), 1s);
    check(result == 2);
}

// ---- containers

CANARY(tuple_argument) {
    auto call = [](std::tuple<Object, std::string> tuple) -> Coroutine<std::size_t> {
        co_await sleep(0);
        co_return std::get<0>(tuple).alive() ? std::get<1>(tuple).size() : 0;
    };
    std::size_t result = co_await call(std::make_tuple(Object(1), std::string("abc")));
    check(result == 3);
}

CANARY(array_argument) {
    auto call = [](std::array<std::string, 2> array) -> Coroutine<std::size_t> {
        co_await sleep(0);
        co_return array[0].size() + array[1].size();
    };
    std::size_t result = co_await call(std::array<std::string, 2>{"a", "bc"});
    check(result == 3);
}

CANARY(vector_named_and_waited_for) {
    std::vector<AnyFuture> tasks{create_task(number(1)), create_task(number(2))};
    auto [done, pending] = co_await wait(tasks, {.timeout = 1.0, .return_when = ALL_COMPLETED});
    check(done.size() == 2 && pending.empty());
}

CANARY(push_back_of_an_await) {
    std::vector<Object> objects;
    objects.push_back(co_await object(3));
    check(objects[0].value() == 3);
}

CANARY(subscript_of_an_await) {
    std::map<int, std::string> texts;
    texts.emplace(co_await number(1), "x");
    texts[co_await number(2)] = "y";
    check(texts.size() == 2);
}

// ---- strings and returns

CANARY(method_of_an_awaited_string) {
    auto call = [](int) -> Coroutine<std::string> { co_return "abc"; };
    std::string result = (co_await call(1)).substr(1);
    check(result == "bc");
}

CANARY(string_around_an_await) {
    std::string result = "x" + std::to_string(co_await number(12)) + "y";
    check(result == "x12y");
}

CANARY(braces_returned) {
    auto call = []() -> Coroutine<std::pair<std::string, int>> { co_return {"abc", 3}; };
    auto [text, value] = co_await call();
    check(text == "abc" && value == 3);
}

CANARY(await_in_a_try_block) {
    int result = 0;
    try {
        result = co_await number(3);
    } catch (const RuntimeError&) {
        result = -1;
    }
    check(result == 3);
}

CANARY(loop_over_braces) {
    std::vector<std::string> texts;
    for (int value : {1, 2, 3}) {
        texts.push_back(std::to_string(co_await number(value)));
    }
    check(texts.size() == 3);
}

// ---- the stack

CANARY(awaits_do_not_grow_the_stack) {
    auto at_once = [](int value) -> Coroutine<int> { co_return value; };
    char* base = static_cast<char*>(__builtin_frame_address(0));
    std::ptrdiff_t deepest = 0;
    for (int i = 0; i < 100'000; ++i) {
        co_await at_once(i);
        std::ptrdiff_t depth = base - static_cast<char*>(__builtin_frame_address(0));
        deepest = depth > deepest ? depth : deepest;
    }
    check(deepest < 4096);
}
