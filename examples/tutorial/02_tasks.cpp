// 02_tasks.cpp - chapter 2 of docs/tutorial: coroutines and tasks.
//
// Its Python twin, 02_tasks.py, prints the same.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace asyncio;
using namespace std::chrono_literals;

// [lazy]
Coroutine<std::string> work(std::string name) {
    std::printf("%s begins\n", name.c_str());
    co_await sleep(10ms);
    std::printf("%s ends\n", name.c_str());
    co_return name + "'s result";
}

Coroutine<> lazy() {
    Coroutine<std::string> coroutine = work("a");  // nothing has run yet
    std::puts("called");
    std::string result = co_await std::move(coroutine);  // runs here, in this task
    std::puts(result.c_str());
}
// [/lazy]

// [task]
Coroutine<> concurrent() {
    Task<std::string> a = create_task(work("a"), {.name = "worker a"});
    Task<std::string> b = create_task(work("b"));
    std::printf("made %s\n", a.get_name().c_str());  // neither has begun
    std::string second = co_await b;
    std::puts(second.c_str());
    std::string first = co_await a;  // is done already
    std::puts(first.c_str());
}
// [/task]

// [arguments]
Coroutine<> greet(std::string name, int times) {  // by value: it may outlive the caller's string
    for (int i = 0; i < times; ++i) {
        co_await sleep(0);
        std::printf("hello, %s\n", name.c_str());
    }
}

Coroutine<> arguments() {
    std::string name = "Ann";
    auto later = [&]() -> Coroutine<> {
        co_await sleep(0);
        std::printf("goodbye, %s\n", name.c_str());
    };
    // Two functions with what they are to be called with: the tasks keep both.
    co_await gather(create_task(greet, name, 2), create_task(later));
}
// [/arguments]

// [errors]
Coroutine<> fail() {
    co_await sleep(0);
    throw std::invalid_argument("no such thing");  // Python's ValueError
}

Coroutine<> errors() {
    auto task = create_task(fail());
    try {
        co_await task;
    } catch (const std::invalid_argument& error) {
        std::printf("caught: %s\n", error.what());
    }
    auto [good, bad] = co_await gather(return_exceptions, work("c"), fail());
    std::printf("%s and %s\n", good.get().c_str(), describe(bad.error()).c_str());
}
// [/errors]

// [wait]
Coroutine<std::string> nap(std::string name, Duration delay) {
    co_await sleep(delay);
    co_return name;
}

Coroutine<> first_and_rest() {
    std::vector<Task<std::string>> tasks{create_task(nap("long", 60ms)),
                                         create_task(nap("short", 20ms)),
                                         create_task(nap("middle", 40ms))};
    auto [done, pending] = co_await wait(tasks, {.return_when = FIRST_COMPLETED});
    std::printf("%zu done, %zu pending\n", done.size(), pending.size());
    for (auto next_result : as_completed(tasks)) {
        std::string name = co_await next_result;
        std::puts(name.c_str());
    }
}
// [/wait]

// [future]
Coroutine<> futures() {
    EventLoop& loop = get_running_loop();
    auto answer = loop.create_future<int>();
    answer.add_done_callback([](Future<int> f) { std::printf("callback: %d\n", f.result()); });
    loop.call_later(10ms, [answer] { answer.set_result(42); });
    int value = co_await answer;
    std::printf("awaited: %d\n", value);
}
// [/future]

Coroutine<> amain() {
    std::puts("-- lazy");
    co_await lazy();
    std::puts("-- concurrent");
    co_await concurrent();
    std::puts("-- arguments");
    co_await arguments();
    std::puts("-- errors");
    co_await errors();
    std::puts("-- first_and_rest");
    co_await first_and_rest();
    std::puts("-- futures");
    co_await futures();
}

int main() {
    run(amain());
}
