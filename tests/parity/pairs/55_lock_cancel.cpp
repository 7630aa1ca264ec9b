// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<> holder(Lock& lock, std::string name, int hold = 0) {
    try {
        auto held = co_await lock.scoped();
        print(name, "has it");
        for (int i = 0; i < hold; ++i) {
            co_await sleep(0);
        }
    } catch (const CancelledError&) {
        print(name, "cancelled");
        throw;
    }
    print(name, "gave it back");
}

Coroutine<> waits(Event& event, std::string name) {
    try {
        bool set = co_await event.wait();
        print(name, set);
    } catch (const CancelledError&) {
        print(name, "cancelled");
        throw;
    }
}

Coroutine<> main_() {
    Lock lock;
    co_await lock.acquire();
    std::vector<Task<>> tasks;
    for (const char* name : {"a", "b", "c", "d"}) {
        tasks.push_back(create_task(holder(lock, name, 2)));
    }
    co_await sleep(0);
    tasks[1].cancel();
    co_await sleep(0);
    print("released", lock.locked());
    lock.release();
    print(lock.locked());
    co_await sleep(0);
    tasks[2].cancel();
    co_await gather(return_exceptions, tasks);
    print(lock.locked());

    co_await lock.acquire();
    auto woken = create_task(holder(lock, "woken"));
    auto after = create_task(holder(lock, "after"));
    co_await sleep(0);
    lock.release();
    woken.cancel();
    auto late = create_task(holder(lock, "newcomer"));
    co_await gather(return_exceptions, woken, after, late);
    print(lock.locked());

    Event event;
    tasks.clear();
    for (const char* name : {"x", "y", "z"}) {
        tasks.push_back(create_task(waits(event, name)));
    }
    co_await sleep(0);
    tasks[1].cancel();
    event.set();
    event.clear();
    co_await gather(return_exceptions, tasks);
    print(event.is_set());
}

int main() {
    run(main_());
}
