// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <csignal>

void show(const char* name) {
    print("signal:", name);
}

Coroutine<> main_() {
    add_signal_handler(SIGUSR1, show, "first");
    loop().call_soon([] { print("ready before"); });
    std::raise(SIGUSR1);
    loop().call_soon([] { print("ready after"); });
    print("raised");
    co_await sleep(0.01);

    print("twice");
    std::raise(SIGUSR1);
    std::raise(SIGUSR1);
    co_await sleep(0.01);

    print("replaced");
    add_signal_handler(SIGUSR1, show, "second");
    std::raise(SIGUSR1);
    co_await sleep(0.01);

    print("two signals");
    add_signal_handler(SIGUSR2, show, "other");
    std::raise(SIGUSR2);
    std::raise(SIGUSR1);
    co_await sleep(0.01);

    print("cancels a task");
    auto task = create_task(sleep(10));
    add_signal_handler(SIGUSR1, [task] { task.cancel(); });
    co_await sleep(0);
    std::raise(SIGUSR1);
    try {
        co_await task;
    } catch (const CancelledError&) {
        print("cancelled");
    }

    print("removed while it is on its way");
    add_signal_handler(SIGUSR1, show, "never");
    std::raise(SIGUSR1);
    print(remove_signal_handler(SIGUSR1));
    print(remove_signal_handler(SIGUSR1));
    co_await sleep(0.01);

    print("removes itself");
    add_signal_handler(SIGUSR2, [] { print("once", remove_signal_handler(SIGUSR2)); });
    std::raise(SIGUSR2);
    co_await sleep(0.01);
    print(remove_signal_handler(SIGUSR2));
}

int main() {
    run(main_());
}
