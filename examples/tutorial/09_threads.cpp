// 09_threads.cpp - chapter 9 of docs/tutorial: threads.
//
// Its Python twin, 09_threads.py, prints the same.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <chrono>
#include <cstdio>
#include <functional>
#include <future>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace asyncio;
using namespace std::chrono_literals;

// [to_thread]
int count_words(std::string text) {
    std::this_thread::sleep_for(30ms);  // computes: nothing else would run meanwhile
    std::istringstream words(text);
    int count = 0;
    for (std::string word; words >> word;) {
        ++count;
    }
    return count;
}

Coroutine<> blocking() {
    auto words = create_task(to_thread(count_words, "to be or not to be"));
    for (int i = 0; i < 2; ++i) {
        co_await sleep(5ms);
        std::puts("the loop goes on");
    }
    int count = co_await words;
    std::printf("%d words\n", count);
}
// [/to_thread]

// [executor]
int square(int number) {
    return number * number;
}

Coroutine<> executor() {
    EventLoop& loop = get_running_loop();
    ThreadPoolExecutor pool({.max_workers = 2});
    std::vector<Future<int>> futures;
    for (int number : {2, 3, 4}) {
        futures.push_back(loop.run_in_executor(&pool, square, number));
    }
    std::vector<int> results = co_await gather(futures);
    for (int result : results) {
        std::printf("%d\n", result);
    }
}
// [/executor]

// [threadsafe]
void measure(EventLoop& loop, Queue<std::optional<int>>& values) {  // in a thread of its own
    for (int value : {20, 21, 22}) {
        std::this_thread::sleep_for(5ms);
        loop.call_soon_threadsafe([&values, value] { values.put_nowait(value); });
    }
    loop.call_soon_threadsafe([&values] { values.put_nowait(std::nullopt); });
}

Coroutine<> threadsafe() {
    Queue<std::optional<int>> values;
    std::jthread thread(measure, std::ref(get_running_loop()), std::ref(values));
    while (auto value = co_await values.get()) {
        std::printf("measured %d\n", *value);
    }
}  // the jthread is joined here, before the queue that it uses is gone
// [/threadsafe]

// [coroutine]
Coroutine<std::string> ask(std::string question) {
    co_await sleep(0);
    co_return question + "? yes";
}

void consult(EventLoop& loop) {  // in a thread of its own
    auto answer = run_coroutine_threadsafe(ask("ready"), loop);
    std::puts(answer.result(5s).c_str());  // the thread waits, and the loop does not
}

Coroutine<> coroutine() {
    co_await to_thread(consult, std::ref(get_running_loop()));
}
// [/coroutine]

// [cancelled]
Coroutine<> abandoned() {
    EventLoop& loop = get_running_loop();
    Event begun, ended;
    std::promise<void> go_on;
    auto call = [&] {
        loop.call_soon_threadsafe([&] { begun.set(); });
        go_on.get_future().wait();
        std::puts("the call goes on");
        loop.call_soon_threadsafe([&] { ended.set(); });
    };

    auto task = create_task(to_thread(call));
    co_await begun.wait();
    task.cancel();
    std::vector<Task<>> tasks{task};
    co_await wait(tasks);
    std::printf("cancelled: %s\n", task.cancelled() ? "True" : "False");
    go_on.set_value();
    co_await ended.wait();  // until then `call` uses what lies in this coroutine
}
// [/cancelled]

Coroutine<> amain() {
    std::puts("-- blocking");
    co_await blocking();
    std::puts("-- executor");
    co_await executor();
    std::puts("-- threadsafe");
    co_await threadsafe();
    std::puts("-- coroutine");
    co_await coroutine();
    std::puts("-- abandoned");
    co_await abandoned();
}

int main() {
    run(amain());
}
