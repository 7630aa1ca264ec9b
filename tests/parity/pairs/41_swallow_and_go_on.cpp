// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<std::string> stubborn() {
    auto me = current_task();
    for (int i = 0; i < 3; ++i) {
        try {
            co_await sleep(10);
        } catch (const CancelledError&) {
            print("swallowed", i, err(), me.cancelling());
        }
    }
    co_return "stubborn";
}

Coroutine<> turns_into_error() {
    try {
        co_await sleep(10);
    } catch (const CancelledError&) {
        throw RuntimeError("instead");
    }
}

Coroutine<std::string> waits_again(Task<std::string> task) {
    for (int i = 0; i < 2; ++i) {
        try {
            auto value = co_await task;
            print("value", value);
            co_return "patient";
        } catch (const CancelledError&) {
            print("waits again", err(), task.done());
        }
    }
    co_return "gave up";
}

Coroutine<> raises_by_itself() {
    co_await sleep(0);
    throw CancelledError("nobody asked");
}

Coroutine<> main_() {
    auto task = create_task(stubborn());
    co_await sleep(0);
    for (const char* message : {"one", "two", "three"}) {
        task.cancel(message);
        co_await sleep(0.02);
    }
    auto value = co_await task;
    int before = task.cancelling();
    bool late = task.cancel("too late");
    print(value, task.cancelled(), before, late, task.cancelling());

    auto failing = create_task(turns_into_error());
    co_await sleep(0);
    failing.cancel();
    try {
        co_await failing;
    } catch (const RuntimeError&) {
        print(err(), failing.cancelled(), failing.cancelling());
    }

    auto inner = create_task(stubborn());
    auto outer = create_task(waits_again(inner));
    co_await sleep(0.02);
    for (const char* message : {"first", "second", "third"}) {
        outer.cancel(message);
        co_await sleep(0.02);
    }
    value = co_await outer;
    print(value, outer.cancelling(), inner.cancelling());

    failing = create_task(raises_by_itself());
    try {
        co_await failing;
    } catch (const CancelledError&) {
        print(err(), failing.cancelled(), failing.cancelling());
    }
}

int main() {
    run(main_());
}
