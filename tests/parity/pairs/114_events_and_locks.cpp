// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<> waits(Event& event, std::string name) {
    try {
        const bool result = co_await event.wait();
        print(name, result, event.is_set());
    } catch (const CancelledError&) {
        print(name, "cancelled");
        throw;
    }
}

Coroutine<> settle(std::vector<Task<>>& tasks) {
    auto results = co_await gather(return_exceptions, tasks);
    std::string text;
    for (const auto& result : results) {
        const std::string name = describe(result.error());
        text += (text.empty() ? "['" : ", '") + (result ? "NoneType" : name.substr(0, name.find('('))) + "'";
    }
    print(text + "]");
}

std::string done(const std::vector<Task<>>& tasks) {
    std::string text;
    for (const auto& task : tasks) {
        text += (text.empty() ? "[" : ", ") + str(task.done());
    }
    return text + "]";
}

Coroutine<> set_and_cleared() {
    Event event;
    std::vector<Task<>> tasks;
    for (const char* name : {"a", "b", "c"}) {
        tasks.push_back(create_task(waits(event, name)));
    }
    co_await sleep(0);
    event.set();
    event.clear();
    tasks[1].cancel();
    tasks.push_back(create_task(waits(event, "late")));
    co_await sleep(0.01);
    print(done(tasks));
    event.set();
    event.set();
    co_await settle(tasks);
    co_await waits(event, "at once");
}

Coroutine<> locks(Lock& lock, std::string name) {
    co_await with(lock, [&]() -> Coroutine<> {
        print(name, "has it");
        co_await sleep(0);
    });
}

Coroutine<> heirs() {
    Lock lock;
    co_await lock.acquire();
    std::vector<Task<>> tasks;
    tasks.push_back(create_task(locks(lock, "a")));
    tasks.push_back(create_task(locks(lock, "b")));
    co_await sleep(0);
    lock.release();
    print("free until the heir runs:", lock.locked());
    tasks.push_back(create_task(locks(lock, "new")));
    co_await lock.acquire();
    print("queued behind", done(tasks));
    lock.release();
    co_await settle(tasks);
}

Coroutine<> heir_cancelled() {
    Lock lock;
    co_await lock.acquire();
    std::vector<Task<>> tasks;
    for (const char* name : {"a", "b", "c"}) {
        tasks.push_back(create_task(locks(lock, name)));
    }
    co_await sleep(0);
    tasks[1].cancel();
    lock.release();
    tasks[0].cancel();
    co_await settle(tasks);
    print(lock.locked());
}

Coroutine<> misuse() {
    Lock lock;
    try {
        lock.release();
    } catch (const RuntimeError& error) {
        print(error.what());
    }
    co_await with(lock, [&]() -> Coroutine<> {
        try {
            co_await wait_for(lock.acquire(), 0.01);
        } catch (const TimeoutError&) {
            print("does not nest");
        }
    });
    print(lock.locked());
}

Coroutine<> main_() {
    print("-- set_and_cleared");
    co_await set_and_cleared();
    print("-- heirs");
    co_await heirs();
    print("-- heir_cancelled");
    co_await heir_cancelled();
    print("-- misuse");
    co_await misuse();
}

int main() {
    run(main_());
}
