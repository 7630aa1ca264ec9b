// no_memory_runners_test.cpp - what becomes of run() and of calls in threads when there is no
// memory.
//
// SPDX-License-Identifier: MIT
#include "support/each_allocation.hpp"

#include <asyncio/runners.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/threads.hpp>

#include <exception>
#include <string>

namespace asyncio {

using testing::expect_survives_each_failure;

namespace {

void check(bool holds) {
    if (!holds) {
        throw InvalidStateError("the result is wrong");
    }
}

Coroutine<int> give_after(int seconds, int value) {
    co_await sleep(seconds);
    co_return value;
}

Coroutine<> call_in_thread() {
    const auto size = co_await to_thread([](const std::string& text) { return text.size(); },
                                         std::string(100, 'x'));
    check(size == 100);
    const auto failed = co_await as_result(to_thread([]() -> int { throw RuntimeError("no"); }));
    check(!failed.has_value());
}

TEST(NoMemory, for_threads) {
    expect_survives_each_failure(&call_in_thread);
}

Coroutine<int> main_program() {
    const Task<int> left = create_task(give_after(100, 1));  // for the runner to cancel
    const int value = co_await create_task(give_after(1, 2));
    const int answer = co_await to_thread([] { return 40; });
    co_return value + answer;
}

TEST(NoMemory, for_run) {
    testing::expect_each_failure_survived([](std::int64_t which, char(&complaint)[200]) {
        const testing::FailingAllocation failing(which);
        std::exception_ptr error;
        int answer = 42;
        try {
            answer = run(main_program());
        } catch (...) {
            error = std::current_exception();
        }
        const bool failed = failing.failed();
        if (answer != 42 || (error != nullptr && !testing::has_bad_alloc(error))) {
            describe(error).copy(complaint, sizeof complaint - 1);
        }
        return failed;
    });
}

}  // namespace

}  // namespace asyncio
