// consumer.cpp - a program from outside: a little of everything that must survive when the library
// was built by another compiler, with another optimisation, or lies in a shared library.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/detail/config.hpp>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

using namespace asyncio;
using namespace std::chrono_literals;

static void check(bool condition, const char* what) {
    if (!condition) {
        std::printf("consumer: %s\n", what);
        std::exit(1);
    }
}

static Coroutine<std::string> hello(std::string name) {
    co_await sleep(1ms);
    co_return "hello " + name;
}

static Coroutine<> fail() {
    co_await sleep(0);
    throw std::invalid_argument("mine");
}

static Coroutine<> misuse() {
    Lock lock;
    lock.release();
    co_return;
}

static Coroutine<> produce(Queue<std::string>& queue) {
    for (int i = 0; i < 3; i++) {
        co_await queue.put(std::to_string(i));
    }
}

static Coroutine<> amain() {
    auto greeting = create_task(hello("world"), {.name = "greeting"});
    check(co_await greeting == "hello world", "the result of a task");

    // The program's own exception, through the library and back; and one made by the library.
    auto failing = co_await as_result(create_task(fail()));
    try {
        failing.get();
        check(false, "an exception of the program is lost");
    } catch (const std::invalid_argument& error) {
        check(error.what() == std::string("mine"), "the text of the program's exception");
    }
    auto misusing = co_await as_result(create_task(misuse()));
    try {
        misusing.get();
        check(false, "an exception of the library is lost");
    } catch (const RuntimeError& error) {
        check(error.what() == std::string("Lock is not acquired."), "the text of RuntimeError");
    }

    auto sleeper = create_task(hello("nobody"));
    co_await sleep(0);
    check(sleeper.cancel("enough"), "cancel()");
    auto cancelled = co_await as_result(sleeper);
    try {
        cancelled.get();
        check(false, "CancelledError is lost");
    } catch (const std::exception&) {
        check(false, "CancelledError must not be a std::exception");
    } catch (const CancelledError& error) {
        check(error.message() == "enough", "the message of CancelledError");
    }
    check(sleeper.cancelled(), "cancelled()");

    auto late = co_await as_result(wait_for(hello("late"), 0));
    try {
        late.get();
        check(false, "TimeoutError is lost");
    } catch (const OSError&) {  // as in Python, TimeoutError is one
    }

    Queue<std::string> queue(1);
    auto producer = create_task(produce(queue));
    std::vector<std::string> items;
    for (int i = 0; i < 3; i++) {
        std::string item = co_await queue.get();
        items.push_back(std::move(item));
    }
    co_await producer;
    check(items == std::vector<std::string>{"0", "1", "2"}, "what went through the queue");

    auto [left, right] = co_await gather(hello("a"), hello("b"));
    check(left + right == "hello ahello b", "gather()");
}

int main() {
    run(amain());
    std::printf("consumer %d.%d.%d ok\n", ASYNCIO_VERSION_MAJOR, ASYNCIO_VERSION_MINOR,
                ASYNCIO_VERSION_PATCH);
}
