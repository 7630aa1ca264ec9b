// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<> leaves() {
    print("raises");
    throw KeyboardInterrupt();
    co_return;
}

int main() {
    EventLoop own;
    own.call_soon([] { print("before"); });
    own.call_soon([] { throw SystemExit(); });
    own.call_soon([] { print("rest of the batch"); });
    try {
        own.run_forever();
    } catch (const SystemExit&) {
        print("SystemExit left run_forever");
    }
    own.call_soon([&] { own.stop(); });
    own.run_forever();

    Task<> task;
    own.call_soon([&] {
        task = create_task(leaves());
        own.call_soon([] { print("after the task"); });
    });
    try {
        own.run_forever();
    } catch (const KeyboardInterrupt&) {
        print("KeyboardInterrupt left run_forever", task.done(), task.cancelled());
    }
    try {
        task.result();
    } catch (const KeyboardInterrupt&) {
        print("and the task has it");
    }
    own.call_soon([&] { own.stop(); });
    own.run_forever();
    task = {};
    own.close();
}
