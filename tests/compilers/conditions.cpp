// conditions.cpp - canaries: co_await in conditions, conditional expressions and switches.
//
// The bodies without a local variable are meant: declaring any hides what goes wrong.
// SPDX-License-Identifier: MIT
#include "canary.hpp"

static Coroutine<int> at_once(int value) {
    co_return value;
}

static int reached = 0;

/// Runs `body` and checks that it came by `expected` times.
static Coroutine<> counts(Coroutine<> (*body)(), int expected) {
    reached = 0;
    co_await body();
    check(reached == expected);
}

// ---- if

static Coroutine<> if_await_body() {
    if (co_await number(1) == 1) {
        ++reached;
    } else {
        check(false);
    }
}
CANARY(if_await) {
    co_await counts(if_await_body, 1);
}

static Coroutine<> if_not_await_body() {
    if (!(co_await number(1) == 0)) {
        ++reached;
    } else {
        check(false);
    }
}
CANARY(if_not_await) {
    co_await counts(if_not_await_body, 1);
}

static Coroutine<> if_two_awaits_body() {
    if (co_await number(1) == 1 && co_await number(2) == 2) {
        ++reached;
    } else {
        check(false);
    }
}
CANARY(if_two_awaits) {
    co_await counts(if_two_awaits_body, 1);
}

static Coroutine<> if_two_awaits_at_once_body() {
    if (co_await at_once(1) == 1 && co_await at_once(2) == 2) {
        ++reached;
    }
}
CANARY(if_two_awaits_at_once) {
    co_await counts(if_two_awaits_at_once_body, 1);
}

static Coroutine<> if_two_awaits_and_another_body() {
    if (co_await number(1) == 1 && co_await number(2) == 2) {
        ++reached;
    }
    co_await sleep(0);
    ++reached;
}
CANARY(if_two_awaits_and_another) {
    co_await counts(if_two_awaits_and_another_body, 2);
}

static Coroutine<> if_awaits_of_objects_body() {
    if (co_await value_of(Object(1)) == 1 && co_await value_of(Object(2)) == 2) {
        ++reached;
    }
}
CANARY(if_awaits_of_objects) {
    co_await counts(if_awaits_of_objects_body, 1);
}

CANARY(if_with_a_declaration) {
    if (auto result = co_await object(3); result.id == 3) {
        co_await sleep(0);
    } else {
        check(false);
    }
}

CANARY(if_named) {
    int value = co_await number(1);
    if (value == 1) {
        co_await sleep(0);
    } else {
        check(false);
    }
}

CANARY(if_await_beside_a_local) {
    int expected = 1;
    if (co_await number(1) == expected) {
        ++reached;
    }
    check(reached == 1);
}

CANARY(if_constexpr_around_an_await) {
    if constexpr (sizeof(int) == 4) {
        co_await sleep(0);
    }
}

// ---- loops

CANARY(while_await) {
    int left = 3;
    while (co_await value_of(Object(left)) > 0) {
        --left;
    }
    check(left == 0);
}

CANARY(while_two_conditions) {
    int left = 3;
    while (left > 0 && co_await number(left) > 0) {
        --left;
    }
    check(left == 0);
}

CANARY(do_while_await) {
    int left = 3;
    do {
        --left;
    } while (co_await number(left) > 0);
    check(left == 0);
}

CANARY(for_await) {
    for (int i = 0; i < co_await number(3); ++i) {
        ++reached;
    }
    check(reached == 3);
}

static Coroutine<> while_without_locals_body() {
    while (co_await number(reached) < 3) {
        ++reached;
    }
}
CANARY(while_without_locals) {
    co_await counts(while_without_locals_body, 3);
}

static Coroutine<> do_while_without_locals_body() {
    do {
        ++reached;
    } while (co_await number(reached) < 3);
}
CANARY(do_while_without_locals) {
    co_await counts(do_while_without_locals_body, 3);
}

static Coroutine<> for_without_locals_body() {
    for (; co_await number(reached) < 3;) {
        ++reached;
    }
}
CANARY(for_without_locals) {
    co_await counts(for_without_locals_body, 3);
}

// ---- switch

static Coroutine<> switch_await_body() {
    switch (co_await number(2)) {
        case 2:
            ++reached;
            break;
        default:
            check(false);
    }
}
CANARY(switch_await) {
    co_await counts(switch_await_body, 1);
}

static Coroutine<> switch_await_and_another_body() {
    switch (co_await number(2)) {
        case 2:
            ++reached;
    }
    co_await sleep(0);
    ++reached;
}
CANARY(switch_await_and_another) {
    co_await counts(switch_await_and_another_body, 2);
}

static Coroutine<> switch_await_of_an_object_body() {
    switch (co_await value_of(Object(2))) {
        case 2:
            ++reached;
            break;
        default:
            check(false);
    }
}
CANARY(switch_await_of_an_object) {
    co_await counts(switch_await_of_an_object_body, 1);
}

CANARY(switch_named) {
    int value = co_await number(2);
    switch (value) {
        case 2:
            ++reached;
            break;
        default:
            check(false);
    }
    check(reached == 1);
}

CANARY(switch_with_an_await_in_a_case) {
    int value = 2;
    switch (value) {
        case 2:
            co_await number(1);
            break;
        default:
            check(false);
    }
}

// ---- logical and conditional expressions

CANARY(and_in_an_initialiser) {
    bool both = co_await number(1) == 1 && co_await number(2) == 2;
    check(both);
}

CANARY(or_in_an_initialiser) {
    bool either = co_await number(1) == 0 || co_await number(2) == 2;
    check(either);
}

CANARY(conditional_of_scalars) {
    bool condition = Object::objects.empty();
    int result = condition ? co_await number(1) : co_await number(2);
    check(result == 1);
}

CANARY(conditional_with_one_await) {
    bool condition = Object::objects.empty();
    int result = condition ? co_await number(1) : 7;
    check(result == 1);
}

CANARY(conditional_of_scalars_from_objects) {
    bool condition = Object::objects.empty();
    int result = condition ? co_await value_of(Object(1)) : co_await value_of(Object(2));
    check(result == 1);
}

CANARY(conditional_of_objects) {
    bool condition = Object::objects.empty();
    Object result = condition ? co_await object(1) : co_await object(2);
    check(result.value() == 1);
}

CANARY(conditional_argument) {
    bool condition = Object::objects.empty();
    int result = co_await value_at(condition ? Object(1) : Object(2));
    check(result == 1);
}

CANARY(conditional_awaitable) {
    bool condition = Object::objects.empty();
    int result = co_await (condition ? value_of(Object(1)) : value_of(Object(2)));
    check(result == 1);
}

CANARY(conditional_returned) {
    auto call = [](bool condition) -> Coroutine<std::string> {
        co_return condition ? "yes" : "no";
    };
    auto result = co_await call(true);
    check(result == "yes");
}

CANARY(conditional_await_returned) {
    auto text = []() -> Coroutine<std::string> {
        co_await sleep(0);
        co_return "abc";
    };
    auto call = [&](bool condition) -> Coroutine<std::string> {
        co_return condition ? co_await text() : std::string("no");
    };
    auto result = co_await call(true);
    check(result == "abc");
}
