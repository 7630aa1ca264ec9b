// values.cpp - canaries: parameters, temporaries and results in expressions with co_await.
//
// SPDX-License-Identifier: MIT
#include "canary.hpp"

#include <memory>
#include <optional>
#include <stdexcept>

static Coroutine<int> sum_of(Object first, Object second) {
    co_await sleep(0);
    co_return first.value() + second.value();
}

static Coroutine<int> throws(Object parameter) {
    co_await sleep(0);
    throw RuntimeError(std::to_string(parameter.id));
}

// ---- parameters

CANARY(parameter_from_a_temporary) {
    int result = co_await value_of(Object(1));
    check(result == 1);
}

CANARY(parameter_from_a_name) {
    Object named(2);
    int result = co_await value_of(named);
    check(result == 2);
}

CANARY(parameter_moved) {
    Object named(2);
    int result = co_await value_of(std::move(named));
    check(result == 2);
}

CANARY(two_parameters) {
    int result = co_await sum_of(Object(1), Object(2));
    check(result == 3);
}

CANARY(parameter_of_one_that_throws) {
    bool caught = false;
    try {
        co_await throws(Object(1));
    } catch (const RuntimeError&) {
        caught = true;
    }
    check(caught);
}

CANARY(parameter_by_default) {
    struct Local {
        static Coroutine<int> call(
            Object parameter = Object(9),
            const std::string& text = "long enough to be allocated, surely") {
            co_await sleep(0);
            co_return parameter.value() + static_cast<int>(text.size());
        }
    };
    int result = co_await Local::call();
    check(result == 9 + 35);
}

CANARY(parameter_returned) {
    auto identity = [](Object parameter) -> Coroutine<Object> {
        co_await sleep(0);
        co_return parameter;
    };
    Object result = co_await identity(Object(3));
    check(result.value() == 3);
}

CANARY(parameter_converted_to_optional) {
    auto call = [](std::optional<Object> parameter) -> Coroutine<int> {
        co_await sleep(0);
        co_return parameter ? parameter->value() : 0;
    };
    int result = co_await call(Object(3));
    check(result == 3);
}

CANARY(parameter_of_strings) {
    auto call = [](std::string first, const std::string& second) -> Coroutine<std::size_t> {
        co_await sleep(0);
        co_return first.size() + second.size();
    };
    std::size_t result = co_await call(std::string("a string that is long enough") + "x",
                                       "another string that is long enough");
    check(result == 29 + 34);
}

// ---- temporaries

CANARY(temporary_by_reference) {
    int result = co_await value_at(Object(3));
    check(result == 3);
}

CANARY(temporaries_of_two_awaits) {
    int result = co_await value_at(Object(3)) + co_await value_at(Object(4));
    check(result == 7);
}

CANARY(awaits_as_arguments) {
    auto add = [](const Object& first, const Object& second) {
        return first.value() + second.value();
    };
    int result = add(co_await object(1), co_await object(2));
    check(result == 3);
}

CANARY(await_as_an_argument_of_an_await) {
    int result = co_await value_of(co_await object(5));
    check(result == 5);
}

CANARY(aggregate_argument) {
    struct Pair {
        Object first;
        Object second;
    };
    auto call = [](Pair pair) -> Coroutine<int> {
        co_await sleep(0);
        co_return pair.first.value() + pair.second.value();
    };
    int result = co_await call(Pair{Object(1), Object(2)});
    check(result == 3);
}

CANARY(aggregate_argument_with_designators) {
    struct Options {
        std::optional<std::string> name = {};
        Object object = 1;
    };
    auto call = [](Options options) -> Coroutine<int> {
        co_await sleep(0);
        co_return options.object.value();
    };
    int result = co_await call({.name = "a name that is long enough to be allocated", .object = 7});
    check(result == 7);
}

CANARY(aggregate_whose_method_is_awaited) {
    struct Aggregate {
        Object object;
        Coroutine<int> call(Object other) {
            co_await sleep(0);
            co_return object.value() + other.value();
        }
    };
    int result = co_await Aggregate{Object(1)}.call(Object(2));
    check(result == 3);
}

CANARY(aggregate_of_awaits) {
    struct Pair {
        Object first;
        int second;
    };
    Pair pair{co_await object(1), co_await value_of(Object(2))};
    check(pair.first.value() == 1 && pair.second == 2);
}

CANARY(await_in_a_new_expression) {
    std::unique_ptr<Object> made(new Object(co_await object(2)));
    check(made->value() == 2);
}

CANARY(await_behind_a_comma) {
    int result = (co_await sleep(0), co_await value_of(Object(2)));
    check(result == 2);
}

// ---- results

CANARY(result_of_gather) {
    auto [first, second] = co_await gather(value_of(Object(1)), object(2));
    check(first == 1 && second.value() == 2);
}

CANARY(result_bound_to_a_reference) {
    const Object& result = co_await object(2);
    co_await sleep(0);
    check(result.alive());
}

CANARY(result_assigned_to_a_member) {
    struct Holder {
        Object object;
    } holder;
    holder.object = co_await object(2);
    check(holder.object.value() == 2);
}

CANARY(result_in_a_structured_binding) {
    auto call = [](int) -> Coroutine<std::pair<Object, Object>> {
        co_await sleep(0);
        co_return std::pair<Object, Object>(Object(1), Object(2));
    };
    auto [first, second] = co_await call(1);
    check(first.alive() && second.alive());
}

CANARY(result_dropped) {
    co_await object(3);
    (void)co_await value_of(Object(1));
}

CANARY(result_returned) {
    auto call = []() -> Coroutine<Object> { co_return co_await object(4); };
    Object result = co_await call();
    check(result.value() == 4);
}

CANARY(result_kept_after_a_catch) {
    std::exception_ptr error;
    try {
        co_await throws(Object(1));
    } catch (...) {
        error = std::current_exception();
    }
    check(error != nullptr);
    co_await sleep(0);
}

// ---- loops

static Coroutine<std::vector<Object>> objects() {
    std::vector<Object> result;
    result.emplace_back(1);
    result.emplace_back(2);
    co_await sleep(0);
    co_return result;
}

CANARY(range_of_a_loop) {
    for (auto& one : co_await objects()) {
        co_await sleep(0);
        check(one.alive());
    }
}

CANARY(beginning_of_a_loop) {
    for (int i = co_await value_of(Object(0)); i < 2; ++i) {
        co_await sleep(0);
    }
}

// ---- coroutines that do not run to their end

CANARY(coroutine_never_started) {
    auto coroutine = value_of(Object(1));
    (void)coroutine;
    co_return;
}

CANARY(task_cancelled_before_it_starts) {
    auto task = create_task(value_of(Object(1)));
    task.cancel();
    bool cancelled = false;
    try {
        co_await task;
    } catch (const CancelledError&) {
        cancelled = true;
    }
    check(cancelled);
}

CANARY(task_cancelled_while_suspended) {
    auto task = create_task(value_of(Object(1)));
    co_await sleep(0);
    task.cancel();
    bool cancelled = false;
    try {
        co_await task;
    } catch (const CancelledError&) {
        cancelled = true;
    }
    check(cancelled);
}
