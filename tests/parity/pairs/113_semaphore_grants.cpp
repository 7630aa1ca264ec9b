// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<> holder(Semaphore& semaphore, std::string name, int turns) {
    try {
        co_await with(semaphore, [&]() -> Coroutine<> {
            print(name, "in");
            for (int i = 0; i < turns; ++i) {
                co_await sleep(0);
            }
            print(name, "leaves");
        });
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

void add(std::vector<Task<>>& tasks, Semaphore& semaphore, std::string name, int turns) {
    tasks.push_back(create_task(holder(semaphore, name, turns)));
}

Coroutine<> in_order() {
    Semaphore semaphore(2);
    std::vector<Task<>> tasks;
    add(tasks, semaphore, "a", 3);
    add(tasks, semaphore, "b", 1);
    add(tasks, semaphore, "c", 2);
    add(tasks, semaphore, "d", 0);
    add(tasks, semaphore, "e", 1);
    co_await settle(tasks);
    print(semaphore.locked());
}

Coroutine<> no_overtaking() {
    Semaphore semaphore(1);
    co_await semaphore.acquire();
    std::vector<Task<>> tasks;
    add(tasks, semaphore, "a", 1);
    add(tasks, semaphore, "b", 1);
    co_await sleep(0);
    semaphore.release();
    print("granted, so locked:", semaphore.locked());
    add(tasks, semaphore, "me", 0);
    co_await settle(tasks);
}

Coroutine<> cancelled_when_granted() {
    Semaphore semaphore(1);
    co_await semaphore.acquire();
    std::vector<Task<>> tasks;
    for (const char* name : {"a", "b", "c"}) {
        add(tasks, semaphore, name, 0);
    }
    co_await sleep(0);
    semaphore.release();
    tasks[0].cancel();
    co_await sleep(0);
    co_await settle(tasks);
    print(semaphore.locked());
}

Coroutine<> several_releases() {
    Semaphore semaphore(0);
    std::vector<Task<>> tasks;
    for (const char* name : {"a", "b", "c", "d"}) {
        add(tasks, semaphore, name, 0);
    }
    co_await sleep(0);
    for (int i = 0; i < 3; ++i) {
        semaphore.release();
    }
    tasks[1].cancel();
    tasks[3].cancel();
    co_await settle(tasks);
    print(semaphore.locked());
}

Coroutine<> bounds() {
    try {
        Semaphore semaphore(-1);
    } catch (const std::invalid_argument& error) {
        print(error.what());
    }
    BoundedSemaphore bounded(1);
    try {
        bounded.release();
    } catch (const std::invalid_argument& error) {
        print(error.what());
    }
    co_await with(bounded, [&] { print(bounded.locked()); });
    print(bounded.locked());
}

Coroutine<> main_() {
    print("-- in_order");
    co_await in_order();
    print("-- no_overtaking");
    co_await no_overtaking();
    print("-- cancelled_when_granted");
    co_await cancelled_when_granted();
    print("-- several_releases");
    co_await several_releases();
    print("-- bounds");
    co_await bounds();
}

int main() {
    run(main_());
}
