// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <optional>
#include <string_view>

void show(Level, std::string_view text) {
    const std::size_t begin = text.find('\'') + 1;
    print("warning:", std::string(text.substr(begin, text.find('(') - begin)));
}

Coroutine<int> inner() {
    co_return 1;
}

Coroutine<int> outer(Coroutine<int> inner_coroutine) {
    co_return co_await std::move(inner_coroutine);
}

Coroutine<> main_() {
    std::optional<Coroutine<int>> forgotten(inner());
    print("made");
    forgotten.reset();
    print("dropped");

    std::optional<Coroutine<int>> awaited(inner());
    const int value = co_await *std::move(awaited);
    print(value);
    awaited.reset();
    print("awaited");

    std::optional<Coroutine<int>> closed(inner());
    closed->close();
    closed.reset();
    print("closed");

    std::optional<Coroutine<int>> nested(outer(inner()));
    print("nested");
    nested.reset();
    print("both dropped");

    auto task = create_task(inner());
    task.cancel();
    try {
        co_await task;
    } catch (const CancelledError&) {
        print("cancelled before its first step");
    }

    try {
        co_await wait_for(inner(), 0);
    } catch (const TimeoutError&) {
        print("no time for it");
    }

    TaskGroup group;
    try {
        group.create_task(inner());
    } catch (const RuntimeError&) {
        print("refused by a group");
    }

    try {
        run(inner());
    } catch (const RuntimeError&) {}
    print("refused by run");
}

int main() {
    set_logger(show);
    run(main_());
}
