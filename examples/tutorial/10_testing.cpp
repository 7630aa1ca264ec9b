// 10_testing.cpp - chapter 10 of docs/tutorial: tests.
//
// Its Python twin, 10_testing.py, prints the same.
// SPDX-License-Identifier: MIT
// [include]
#include <asyncio/asyncio.hpp>
#include <asyncio/testing/settle.hpp>
#include <asyncio/testing/virtual_clock.hpp>
// [/include]

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

using namespace asyncio;
using namespace std::chrono_literals;

// [subject]
/// What operation() gives; asked again, after a pause, when it fails.
template <class Operation>
auto retry(Operation operation, int attempts, Duration pause) -> decltype(operation()) {
    for (int attempt = 1;; ++attempt) {
        try {
            co_return co_await operation();
        } catch (const ConnectionError&) {
            if (attempt == attempts) {
                throw;
            }
        }
        co_await sleep(pause.seconds() * (1 << (attempt - 1)));
    }
}
// [/subject]

// [clock]
void run_on_virtual_clock(Coroutine<> test) {
    testing::VirtualClockScope clock;  // loops that are made in this scope have a virtual clock
    run(std::move(test));
}
// [/clock]

// [test]
int failures = 0;

void expect(bool truth, const char* what) {
    failures += truth ? 0 : 1;
    std::printf("%s %s\n", truth ? "ok" : "FAILED", what);
}

Coroutine<> retry_waits_longer_each_time() {
    EventLoop& loop = get_running_loop();
    TimePoint start = loop.time();
    std::vector<std::chrono::nanoseconds> times;
    auto operation = [&]() -> Coroutine<std::string> {
        times.push_back(loop.time() - start);
        if (times.size() < 4) {
            throw ConnectionError(ECONNRESET, "not yet");
        }
        co_return "data";
    };

    std::string data = co_await retry(operation, 5, 600s);
    expect(data == "data", "gives what came in the end");
    std::vector<std::chrono::nanoseconds> expected{0s, 600s, 1800s, 4200s};
    expect(times == expected, "pauses: 600 s, 1200 s, 2400 s");
}
// [/test]

// [settle]
Coroutine<> a_worker_waits_for_the_lock() {
    Lock lock;
    co_await lock.acquire();
    auto worker = create_task(lock.acquire());
    co_await testing::settle();  // until nothing else is left to do
    expect(!worker.done(), "waits while the lock is held");
    lock.release();
    co_await testing::settle();
    expect(worker.done(), "has it afterwards");
}
// [/settle]

int main() {
    std::puts("-- retry");
    run_on_virtual_clock(retry_waits_longer_each_time());
    std::puts("-- settle");
    run_on_virtual_clock(a_worker_waits_for_the_lock());
    return failures;
}
