// threads.cpp - a program without a loop that uses async code through a portal, a pool of threads,
// and a queue between threads and tasks.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/portal.hpp>
#include <asyncio/thread_queue.hpp>

#include <cstdio>
#include <string>
#include <vector>

using namespace asyncio;

static Coroutine<std::string> greet(std::string name) {
    co_await sleep(0.01);
    co_return "hello, " + name;
}

static int letters(const std::string& word) {
    return static_cast<int>(word.size());
}

// A task that reads what threads write, until they are done.
static Coroutine<int> sum_up(AsyncQueue<int> numbers) {
    int sum = 0;
    for (;;) {
        const Result<int> number = co_await as_result(numbers.get());
        if (!number.has_value()) {
            co_return sum;  // QueueShutDown
        }
        sum += number.value();
    }
}

int main() {
    // A loop in a thread of its own, and this thread, which blocks.
    auto portal = start_blocking_portal();
    std::printf("%s\n", portal.call(greet, "world").c_str());

    // A call that takes too long is cancelled.
    const auto slow = portal.start_task_soon([] { return sleep(3600); });
    slow.cancel();
    std::printf("cancelled: %s\n", slow.cancelled() ? "yes" : "no");

    // A pool, without a loop.
    ThreadPoolExecutor pool({.max_workers = 2, .thread_name_prefix = "letters"});
    const std::vector<std::string> words{"to", "be", "or", "not"};
    for (const int count : pool.map(letters, words)) {
        std::printf("%d ", count);
    }
    std::printf("letters\n");

    // Two threads write, a task reads; the queue holds four numbers.
    const ThreadQueue<int> numbers(4);
    const auto sum = portal.start_task_soon(sum_up, numbers.async_q());
    const auto write = [side = numbers.sync_q()](int first, int last) {
        for (int number = first; number <= last; ++number) {
            side.put(number);
        }
    };
    const auto low = pool.submit(write, 1, 50);
    const auto high = pool.submit(write, 51, 100);
    low.result();
    high.result();
    numbers.shutdown();
    std::printf("sum: %d\n", sum.result());
}
