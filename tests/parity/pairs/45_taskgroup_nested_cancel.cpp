// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<> leaf(std::string name, double clean = 0) {
    auto slept = co_await as_result(sleep(10));
    print(name, slept.error());
    if (clean > 0) {
        co_await sleep(clean);
        print(name, "cleaned up");
    }
    slept.get();
}

Coroutine<> inner(std::string name) {
    try {
        co_await task_group(
            [&](TaskGroup& group) { group.create_task(leaf(name + ".child", 0.02)); });
    } catch (const CancelledError&) {
        print(name, "group", err(), current_task().cancelling());
        throw;
    }
}

Coroutine<> outer() {
    co_await task_group([](TaskGroup& group) -> Coroutine<> {
        group.create_task(inner("one"));
        group.create_task(leaf("two"));
        try {
            co_await inner("body");
        } catch (const CancelledError&) {
            print("body", err());
            throw;
        }
    });
    print("not reached");
}

Coroutine<> bad_cleanup() {
    auto slept = co_await as_result(sleep(10));
    co_await sleep(0.02);
    throw std::invalid_argument("cleanup");
}

Coroutine<> fails_meanwhile() {
    try {
        co_await task_group([](TaskGroup& group) {
            group.create_task(leaf("a"));
            group.create_task(bad_cleanup());
        });
    } catch (const ExceptionGroup&) {
        print(err(), current_task().cancelling());
    }
    print("goes on until the next await");
    try {
        co_await sleep(0);
        print("not reached");
    } catch (const CancelledError&) {
        print("then", err(), current_task().cancelling());
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

Coroutine<> main_() {
    auto task = create_task(outer());
    co_await sleep(0.02);
    task.cancel("outside");
    co_await report(task);

    task = create_task(outer());
    co_await sleep(0.02);
    task.cancel("first");
    co_await sleep(0.01);
    task.cancel("second");
    co_await report(task);

    task = create_task(fails_meanwhile());
    co_await sleep(0.02);
    task.cancel("outside");
    co_await report(task);
}

int main() {
    run(main_());
}
