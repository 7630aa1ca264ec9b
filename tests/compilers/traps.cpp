// traps.cpp - canaries: what no compiler rejects and the address sanitizer must report, beside what
// looks alike and is safe.
//
// One case at a time, `traps NAME`, built with -fsanitize=address.
// SPDX-License-Identifier: MIT
#include "canary.hpp"

#include <memory>

// Long enough to be allocated: what dangles has been freed.
static std::string text() {
    return std::string(100, 'x');
}

static Coroutine<int> by_reference(const std::string& parameter) {
    co_await sleep(0);
    co_return parameter.back();
}

CANARY(lambda_called_for_a_task) {
    std::string captured = text();
    // The closure is gone at the semicolon; the task begins later.
    auto task = create_task([captured]() -> Coroutine<int> {
        co_await sleep(0);
        co_return captured.back();
    }());
    int result = co_await task;
    check(result == 'x');
}

CANARY(lambda_passed_to_create_task) {
    std::string captured = text();
    auto task = create_task([captured]() -> Coroutine<int> {
        co_await sleep(0);
        co_return captured.back();
    });
    int result = co_await task;
    check(result == 'x');
}

CANARY(temporary_by_reference_in_a_task) {
    auto task = create_task(by_reference(text()));
    int result = co_await task;
    check(result == 'x');
}

CANARY(temporary_by_reference_in_a_stored_coroutine) {
    auto coroutine = by_reference(text());
    int result = co_await std::move(coroutine);
    check(result == 'x');
}

CANARY(temporary_by_reference_awaited_at_once) {
    int result = co_await by_reference(text());
    check(result == 'x');
}

CANARY(reference_to_a_scope_that_ended) {
    Task<int> task;
    {
        std::string captured = text();
        task = create_task([&captured]() -> Coroutine<int> {
            co_await sleep(0);
            co_return captured.back();
        });
    }
    int result = co_await task;
    check(result == 'x');
}

CANARY(references_in_a_group_of_the_same_scope) {
    std::vector<Task<int>> tasks;
    std::string captured = text();
    co_await task_group([&](TaskGroup& group) {
        for (int i = 0; i < 3; ++i) {
            tasks.push_back(group.create_task([&captured, i]() -> Coroutine<int> {
                co_await sleep(0);
                co_return captured.back() + i;
            }));
        }
    });
    check(tasks[2].result() == 'x' + 2);
}

static AsyncGenerator<int> letters(const std::string& referred) {
    try {
        for (char letter : referred) {
            co_yield letter;
        }
    } catch (const GeneratorExit&) {
        check(referred.back() == 'x');
        throw;
    }
}

CANARY(generator_dropped_with_what_it_refers_to) {
    {
        auto referred = std::make_unique<std::string>(text());
        auto generator = letters(*referred);
        co_await generator.next();
    }
    co_await sleep(0);
    co_await sleep(0);
}

CANARY(generator_closed_before_what_it_refers_to) {
    {
        std::string referred = text();
        co_await with(
            aclosing(letters(referred)),
            [](AsyncGenerator<int>& generator) -> Coroutine<> { co_await generator.next(); });
    }
    co_await sleep(0);
    co_await sleep(0);
}
