// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<std::string> work(std::string name) {
    print(name, "runs");
    try {
        co_await sleep(0);
        print(name, "ends", current_task().cancelling());
    } catch (const CancelledError&) {
        print(name, err(), current_task().cancelling());
        throw;
    }
    co_return name;
}

Coroutine<> report(Task<std::string> task) {
    try {
        auto value = co_await task;
        print("value", value);
    } catch (const CancelledError&) {
        print("main", err(), task.cancelled());
    }
}

Coroutine<std::string> twice() {
    auto me = current_task();
    me.cancel("one");
    me.cancel("two");
    print(me.uncancel());
    try {
        co_await sleep(0);
    } catch (const CancelledError&) {
        print("one of two left", err());
    }
    int left = me.uncancel();
    int still = me.uncancel();
    print(left, still);
    co_await sleep(0);
    co_return "goes on";
}

Coroutine<std::string> returns_at_once() {
    current_task().cancel("self");
    co_return "thrown away";
}

Coroutine<std::string> returns_uncancelled() {
    auto me = current_task();
    me.cancel("self");
    me.uncancel();
    co_return "kept";
}

Coroutine<> main_() {
    auto task = create_task(work("a"));
    task.cancel("before it starts");
    print(task.uncancel());
    co_await report(task);

    task = create_task(work("b"));
    task.cancel("once");
    task.cancel("twice");
    print(task.uncancel());
    co_await report(task);

    task = create_task(sleep(10, std::string("slept")));
    co_await sleep(0);
    task.cancel("too late to withdraw: the sleep is cancelled");
    print(task.uncancel());
    co_await report(task);

    co_await report(create_task(twice()));
    co_await report(create_task(returns_at_once()));
    co_await report(create_task(returns_uncancelled()));
}

int main() {
    run(main_());
}
