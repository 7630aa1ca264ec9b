// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <semaphore>
#include <thread>

void fail() {
    throw std::invalid_argument("in a thread");
}

std::string list(const std::vector<int>& numbers) {
    std::string text;
    for (int number : numbers) {
        text += (text.empty() ? "[" : ", ") + str(number);
    }
    return text + "]";
}

Coroutine<> main_() {
    auto here = std::this_thread::get_id();
    bool same = co_await to_thread([&] { return std::this_thread::get_id() == here; });
    print(same);
    try {
        co_await to_thread(fail);
    } catch (const std::invalid_argument&) {
        print(err());
    }
    std::vector<Coroutine<int>> squares;
    for (int n = 0; n < 4; ++n) {
        squares.push_back(to_thread([](int number) { return number * number; }, n));
    }
    auto squared = co_await gather(std::move(squares));
    print(list(squared));

    auto& own = loop();
    std::vector<int> arrived;
    Event done;
    std::thread thread([&] {
        for (int n = 0; n < 5; ++n) {
            own.call_soon_threadsafe([&arrived, n] { arrived.push_back(n); });
        }
        own.call_soon_threadsafe([&] { done.set(); });
    });
    co_await done.wait();
    thread.join();
    print(list(arrived));

    std::vector<std::string> order;
    own.call_soon_threadsafe([&] { order.push_back("threadsafe from the loop's own thread"); });
    own.call_soon([&] { order.push_back("soon"); });
    co_await sleep(0);
    print("[\"" + order.at(0) + "\", '" + order.at(1) + "']");

    std::binary_semaphore gate(0);
    ThreadPoolExecutor pool({.max_workers = 1});
    auto blocked = own.run_in_executor(&pool, [&] {
        gate.acquire();
        return true;
    });
    auto queued = own.run_in_executor(&pool, fail);
    co_await sleep(0);
    print("queued can be cancelled", queued.cancel());
    gate.release();
    bool value = co_await blocked;
    print(value);
    try {
        co_await queued;
    } catch (const CancelledError&) {
        print("cancelled");
    }
}

int main() {
    run(main_());
}
