// SPDX-License-Identifier: MIT
#include "pair.hpp"

template <class Awaitable>
Coroutine<> waits(Awaitable awaitable, std::string name) {
    try {
        auto value = co_await std::move(awaitable);
        print(name, "got", value);
    } catch (const CancelledError&) {
        print(name, err());
        throw;
    }
}

Coroutine<> report(Task<> task) {
    try {
        co_await task;
    } catch (const CancelledError&) {
        print("main", err(), task.cancelled(), task.cancelling());
    }
}

Coroutine<int> value() {
    co_await sleep(0);
    co_return 7;
}

Coroutine<> does_not_notice(Future<int> done) {
    current_task().cancel("pending");
    int value = co_await done;
    print("a done future does not look", value);
    co_await sleep(0);
    print("not reached");
}

Coroutine<> main_() {
    auto future = loop().create_future<int>();
    auto task = create_task(waits(future, "future"));
    co_await sleep(0);
    future.set_result(1);
    bool requested = task.cancel("late");
    print(requested, future.cancelled());
    co_await report(task);
    print("the future keeps it:", future.result());

    auto child = create_task(value());
    task = create_task(waits(child, "task"));
    co_await sleep(0);
    co_await sleep(0);
    requested = task.cancel("late");
    print(child.done(), task.done(), requested);
    co_await report(task);
    print("the task keeps it:", child.result());

    future = loop().create_future<int>();
    future.set_result(2);
    co_await report(create_task(does_not_notice(future)));

    Event event;
    task = create_task(waits(event.wait(), "event"));
    co_await sleep(0);
    event.set();
    requested = task.cancel("late");
    print(requested, event.is_set());
    co_await report(task);

    Lock lock;
    co_await lock.acquire();
    task = create_task(waits(lock.acquire(), "lock"));
    co_await sleep(0);
    lock.release();
    task.cancel("late");
    co_await report(task);
    print("the lock is free:", !lock.locked());
}

int main() {
    run(main_());
}
