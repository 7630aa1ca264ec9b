// timeouts_and_cancellation.cpp - how to end what takes too long, and how to clean up then.
//
// Its Python twin, timeouts_and_cancellation.py, prints the same.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <cstdio>
#include <string>

using namespace asyncio;
using namespace std::chrono_literals;

Coroutine<std::string> ask(std::string whom, Duration answers_after) {
    co_await sleep(answers_after);
    co_return whom + " has answered";
}

/// A block of code with a deadline.
Coroutine<> deadline_of_a_block() {
    try {
        co_await timeout(50ms, []() -> Coroutine<> {
            std::string first = co_await ask("Ann", 10ms);
            std::puts(first.c_str());
            std::string second = co_await ask("Ben", 1min);  // is cancelled here
            std::puts(second.c_str());
        });
    } catch (const TimeoutError&) {
        std::puts("Ben is too slow");
    }
}

/// One await with a deadline.
Coroutine<> deadline_of_an_await() {
    try {
        std::string answer = co_await wait_for(ask("Cleo", 1min), 10ms);
        std::puts(answer.c_str());
    } catch (const TimeoutError&) {
        std::puts("Cleo is too slow");
    }
}

/// Cleans up by an await, however it ends: what `try: ... finally: await ...` is in Python. The
/// CancelledError is passed on by get(), as it has to be.
Coroutine<std::string> careful() {
    auto answer = co_await as_result(ask("Dora", 1min));
    std::puts(answer.cancelled() ? "cancelled: saying goodbye" : "saying goodbye");
    co_await sleep(10ms);
    std::puts("goodbye has been said");
    co_return std::move(answer).get();
}

Coroutine<> cancel_a_task() {
    auto task = create_task(careful());
    co_await sleep(10ms);
    task.cancel();
    try {
        co_await task;
    } catch (const CancelledError&) {
        std::puts("the task was cancelled");
    }
}

Coroutine<> fail_after(Duration delay) {
    co_await sleep(delay);
    throw RuntimeError("no such person");
}

/// In a group the failure of one task ends the others.
Coroutine<> cancel_a_group() {
    try {
        co_await task_group([](TaskGroup& group) {
            group.create_task(careful());
            group.create_task(fail_after(10ms));
        });
    } catch (const ExceptionGroup& group) {
        for (const std::exception_ptr& error : group.exceptions()) {
            std::printf("the group failed: %s\n", describe(error).c_str());
        }
    }
}

Coroutine<> amain() {
    co_await deadline_of_a_block();
    co_await deadline_of_an_await();
    co_await cancel_a_task();
    co_await cancel_a_group();
}

int main() {
    run(amain());
}
