// 04_groups.cpp - chapter 4 of docs/tutorial: groups and timeouts.
//
// Its Python twin, 04_groups.py, prints the same.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

using namespace asyncio;
using namespace std::chrono_literals;

// [group]
Coroutine<std::string> fetch(std::string name, Duration delay) {
    co_await sleep(delay);
    co_return name + "'s page";
}

Coroutine<> group() {
    Task<std::string> a, b;
    co_await task_group([&](TaskGroup& tasks) {
        a = tasks.create_task(fetch("a", 20ms));
        b = tasks.create_task(fetch("b", 10ms));
    });
    std::printf("%s and %s\n", a.result().c_str(), b.result().c_str());
}
// [/group]

// [failure]
Coroutine<> fail(Duration delay, std::exception_ptr error) {
    co_await sleep(delay);
    std::rethrow_exception(error);
}

struct Slow {
    ~Slow() { std::puts("slow is cancelled"); }
};

Coroutine<> slow() {
    Slow finally;
    co_await sleep(1h);
}

Coroutine<> failure() {
    try {
        co_await task_group([](TaskGroup& tasks) {
            tasks.create_task(slow());
            tasks.create_task(fail(10ms, std::make_exception_ptr(std::invalid_argument("first"))));
            tasks.create_task(fail(10ms, std::make_exception_ptr(OSError(ENOENT, "second"))));
        });
    } catch (const ExceptionGroup& group) {
        auto [values, others] = group.split<std::invalid_argument>();
        auto system = others->subgroup<OSError>();
        for (const std::exception_ptr& error : values->exceptions()) {
            std::printf("values: %s\n", describe(error).c_str());
        }
        std::printf("system: %zu\n", system->exceptions().size());
    }
}
// [/failure]

// [timeout]
Coroutine<> two_pages() {
    std::string quick = co_await fetch("quick", 10ms);
    std::puts(quick.c_str());
    std::string slow = co_await fetch("slow", 1h);
    std::puts(slow.c_str());
}

Coroutine<> limits() {
    try {
        co_await timeout(50ms, two_pages);
    } catch (const TimeoutError&) {
        std::puts("too slow");
    }
    try {
        std::string page = co_await wait_for(fetch("another", 1h), 10ms);
        std::puts(page.c_str());
    } catch (const TimeoutError&) {
        std::puts("too slow as well");
    }
}
// [/timeout]

// [reschedule]
Coroutine<> patience() {
    EventLoop& loop = get_running_loop();
    Timeout limit = timeout(50ms);
    co_await with(limit, [&]() -> Coroutine<> {
        for (const char* name : {"one", "two", "three"}) {
            std::string page = co_await fetch(name, 30ms);
            std::puts(page.c_str());
            limit.reschedule(loop.time() + 50ms);  // 50 ms for each page, not for all
        }
    });
    std::printf("expired: %s\n", limit.expired() ? "True" : "False");
}
// [/reschedule]

Coroutine<> amain() {
    std::puts("-- group");
    co_await group();
    std::puts("-- failure");
    co_await failure();
    std::puts("-- limits");
    co_await limits();
    std::puts("-- patience");
    co_await patience();
}

int main() {
    run(amain());
}
