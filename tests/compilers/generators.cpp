// generators.cpp - canaries: co_yield, and awaits of what an async generator gives.
//
// The bodies without a local variable are meant: declaring any hides what goes wrong.
// SPDX-License-Identifier: MIT
#include "canary.hpp"

#include <functional>
#include <optional>
#include <string>
#include <utility>

static bool truth = true;  // not known to the compiler

/// Reads `generator` to its end; the sum of the numbers of its items.
static Coroutine<int> sum(AsyncGenerator<Object> generator) {
    int result = 0;
    while (auto item = co_await generator.next()) {
        result += item->value();
    }
    co_return result;
}

/// The same, sending each item's number back.
static Coroutine<int> converse(AsyncGenerator<Object, Object> generator) {
    int result = 0;
    auto item = co_await generator.next();
    while (item) {
        result += item->value();
        item = co_await generator.asend(Object(item->id + 10));
    }
    co_return result;
}

// ---- what is yielded

static AsyncGenerator<Object> yields_a_temporary() {
    co_yield Object(1);
    co_yield Object(2);
}
CANARY(yield_a_temporary) {
    int result = co_await sum(yields_a_temporary());
    check(result == 3);
}

static AsyncGenerator<Object> yields_names() {
    Object copied(1);
    Object moved(2);
    co_yield copied;
    co_yield std::move(moved);
}
CANARY(yield_a_name) {
    int result = co_await sum(yields_names());
    check(result == 3);
}

static AsyncGenerator<Object> yields_braces() {
    co_yield {1};
    co_yield {2};
}
CANARY(yield_braces) {
    int result = co_await sum(yields_braces());
    check(result == 3);
}

static AsyncGenerator<Object> yields_a_conversion() {
    co_yield 1;
    co_yield 2;
}
CANARY(yield_a_conversion) {
    int result = co_await sum(yields_a_conversion());
    check(result == 3);
}

static AsyncGenerator<Object> yields_an_await() {
    co_yield co_await object(1);
    co_yield co_await value_of(Object(2));
}
CANARY(yield_an_await) {
    int result = co_await sum(yields_an_await());
    check(result == 3);
}

static AsyncGenerator<Object> yields_a_call() {
    auto made = [](const Object& a, Object b) { return Object(a.value() + b.value()); };
    co_yield made(Object(1), Object(2));
}
CANARY(yield_a_call) {
    int result = co_await sum(yields_a_call());
    check(result == 3);
}

static AsyncGenerator<Object> yields_a_conditional() {
    co_yield truth ? Object(1) : Object(2);
}
CANARY(yield_a_conditional) {
    int result = co_await sum(yields_a_conditional());
    check(result == 1);
}

static AsyncGenerator<Object> yields_a_conditional_of_awaits() {
    co_yield truth ? co_await object(1) : co_await object(2);
}
CANARY(yield_a_conditional_of_awaits) {
    int result = co_await sum(yields_a_conditional_of_awaits());
    check(result == 1);
}

struct TwoObjects {
    Object a;
    Object b;
};

static AsyncGenerator<TwoObjects> yields_an_aggregate() {
    co_yield TwoObjects{Object(1), Object(2)};
}
CANARY(yield_an_aggregate) {
    auto generator = yields_an_aggregate();
    auto item = co_await generator.next();
    check(item->a.value() + item->b.value() == 3);
    item = co_await generator.next();
    check(!item);
}

static AsyncGenerator<TwoObjects> yields_an_aggregate_in_braces() {
    co_yield {Object(1), Object(2)};
}
CANARY(yield_an_aggregate_in_braces) {
    auto generator = yields_an_aggregate_in_braces();
    auto item = co_await generator.next();
    check(item->a.value() + item->b.value() == 3);
    item = co_await generator.next();
    check(!item);
}

static AsyncGenerator<TwoObjects> yields_a_named_aggregate() {
    TwoObjects two{Object(1), Object(2)};
    co_yield two;
}
CANARY(yield_a_named_aggregate) {
    auto generator = yields_a_named_aggregate();
    auto item = co_await generator.next();
    check(item->a.value() + item->b.value() == 3);
    item = co_await generator.next();
    check(!item);
}

static AsyncGenerator<std::pair<Object, std::string>> yields_a_pair() {
    co_yield {Object(1), "text"};
    co_yield std::pair(Object(2), std::string("text"));
}
CANARY(yield_a_pair) {
    auto generator = yields_a_pair();
    int result = 0;
    while (auto item = co_await generator.next()) {
        result += item->first.value();
        check(item->second == "text");
    }
    check(result == 3);
}

static AsyncGenerator<const Object&> yields_a_reference() {
    co_yield Object(1);
    Object named(2);
    co_yield named;
}
CANARY(yield_a_reference) {
    auto generator = yields_a_reference();
    int result = 0;
    while (auto item = co_await generator.next()) {
        result += item->value();
    }
    check(result == 3);
}

using Function = std::function<int()>;

static AsyncGenerator<Function> yields_a_lambda() {
    Object object(3);
    co_yield [object] { return object.value(); };
}
CANARY(yield_a_lambda) {
    auto generator = yields_a_lambda();
    auto item = co_await generator.next();
    check((*item)() == 3);
    item.reset();
    item = co_await generator.next();
    check(!item);
}

// ---- what is sent back

static AsyncGenerator<Object, Object> names_what_is_sent() {
    auto first = co_yield Object(1);
    check(first->value() == 11);
    std::optional<Object> second = co_yield Object(2);
    check(second->value() == 12);
}
CANARY(sent_named) {
    int result = co_await converse(names_what_is_sent());
    check(result == 3);
}

static AsyncGenerator<Object, Object> drops_what_is_sent() {
    co_yield Object(1);
    co_yield Object(2);
}
CANARY(sent_dropped) {
    int result = co_await converse(drops_what_is_sent());
    check(result == 3);
}

static AsyncGenerator<Object, Object> sent_in_an_if() {
    if (co_yield Object(1)) {
        co_yield Object(2);
    }
}
CANARY(sent_in_a_condition) {
    int result = co_await converse(sent_in_an_if());
    check(result == 3);
}

static AsyncGenerator<Object, Object> sent_in_an_if_named() {
    if (auto sent = co_yield Object(1)) {
        check(sent->value() == 11);
        co_yield Object(2);
    }
}
CANARY(sent_in_a_condition_named) {
    int result = co_await converse(sent_in_an_if_named());
    check(result == 3);
}

static AsyncGenerator<Object, Object> sent_in_a_while() {
    while (auto sent = co_yield Object(1)) {
        if (sent->value() != 11 || !truth) {
            co_return;
        }
        truth = false;
    }
}
CANARY(sent_in_a_loop_named) {
    int result = co_await converse(sent_in_a_while());
    check(result == 2);
}

static AsyncGenerator<Object, Object> sent_and_yielded() {
    auto sent = co_yield *(co_yield Object(1));
    check(sent->value() == 21);
}
CANARY(sent_and_yielded_again) {
    int result = co_await converse(sent_and_yielded());
    check(result == 12);
}

static AsyncGenerator<Object, Object> sent_to_a_call() {
    auto value = [](const Object& object, const std::optional<Object>& sent) {
        return object.value() + sent->value();
    };
    int result = value(Object(5), co_yield Object(1));
    check(result == 16);
}
CANARY(sent_to_a_call_with_others) {
    int result = co_await converse(sent_to_a_call());
    check(result == 1);
}

// ---- how it ends

static AsyncGenerator<Object> catches() {
    Object local(7);
    try {
        Object inner(8);
        co_yield Object(1);
    } catch (const GeneratorExit&) {
        check(local.value() == 7);
        throw;
    }
}
CANARY(closed_inside_try) {
    auto generator = catches();
    auto item = co_await generator.next();
    check(item->value() == 1);
    co_await generator.aclose();
}

static AsyncGenerator<Object> keeps_the_error() {
    std::exception_ptr error;
    try {
        co_yield Object(1);
    } catch (...) {
        error = std::current_exception();
    }
    int cleanup = co_await value_of(Object(9));
    check(cleanup == 9 && error != nullptr);
    std::rethrow_exception(error);
}
CANARY(closed_with_an_awaiting_cleanup) {
    auto generator = keeps_the_error();
    co_await generator.next();
    co_await generator.aclose();
}

CANARY(never_read) {
    auto generator = yields_names();
    co_await sleep(0);
}

CANARY(dropped) {
    {
        auto generator = yields_names();
        co_await generator.next();
    }
    co_await sleep(0);
    co_await sleep(0);
    co_await sleep(0);
}

static AsyncGenerator<Object> takes_parameters(Object a, const Object& b, Object c) {
    co_yield Object(a.value());
    co_yield Object(b.value() + c.value());
}
CANARY(parameters) {
    Object b(2);
    Object c(3);
    int result = co_await sum(takes_parameters(Object(1), b, std::move(c)));
    check(result == 6);
}

// ---- how it is asked

CANARY(next_of_a_temporary) {
    auto item = co_await yields_names().next();
    check(item->value() == 1);
    co_await sleep(0);
    co_await sleep(0);
    co_await sleep(0);
}

static Coroutine<> asks_in_a_while_body() {
    // With a declaration, as in every loop over a generator.
    while (auto item = co_await yields_braces().next()) {
        check(item->value() == 1);
        co_return;
    }
}
CANARY(next_in_a_while_without_locals) {
    co_await asks_in_a_while_body();
    co_await sleep(0);
    co_await sleep(0);
    co_await sleep(0);
}

static Coroutine<> asks_in_an_if_body(AsyncGenerator<Object>& generator) {
    if (co_await generator.next()) {
        truth = false;
    } else {
        check(false);
    }
}
CANARY(next_in_an_if_without_locals) {
    auto generator = yields_names();
    co_await asks_in_an_if_body(generator);
    check(!truth);
    co_await generator.aclose();
}

CANARY(next_dereferenced) {
    auto generator = yields_names();
    int first = (co_await generator.next())->value();
    Object second = *co_await generator.next();
    check(first == 1 && second.value() == 2);
    co_await generator.aclose();
}

CANARY(next_twice_in_a_call) {
    auto generator = yields_names();
    auto add = [](int a, int b) { return a + b; };
    int result = add((co_await generator.next())->value(), (co_await generator.next())->value());
    check(result == 3);
    co_await generator.aclose();
}

CANARY(asend_of_a_temporary) {
    auto generator = names_what_is_sent();
    co_await generator.next();
    auto item = co_await generator.asend(Object(11));
    check(item->value() == 2);
    auto end = co_await generator.asend(12);
    check(!end);
}

CANARY(athrow_of_a_temporary) {
    auto generator = yields_names();
    co_await generator.next();
    auto thrown = co_await as_result(generator.athrow(RuntimeError("x")));
    check(thrown.error() != nullptr);
}

CANARY(aclosing_of_a_temporary) {
    int result = 0;
    co_await with(aclosing(yields_names()), [&](AsyncGenerator<Object>& generator) -> Coroutine<> {
        while (auto item = co_await generator.next()) {
            result += item->value();
            break;
        }
    });
    check(result == 1);
}
