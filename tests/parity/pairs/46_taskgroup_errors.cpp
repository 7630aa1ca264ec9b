// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <algorithm>

Coroutine<> leaf(std::string name) {
    try {
        co_await sleep(10);
    } catch (const CancelledError&) {
        print(name, err());
        throw;
    }
}

Coroutine<> fail(std::string name, double delay) {
    co_await sleep(delay);
    throw RuntimeError(name);
}

Coroutine<std::string> value(std::string name, double delay) {
    co_await sleep(delay);
    co_return name;
}

Coroutine<> cancels_itself() {
    current_task().cancel("itself");
    co_await sleep(0);
}

Coroutine<> deep() {
    co_await task_group([](TaskGroup& group) {
        group.create_task(leaf("deep.leaf"));
        group.create_task(fail("deep", 0.02));
    });
}

Coroutine<> main_() {
    Task<std::string> first;
    Task<std::string> second;
    Task<> lost;
    co_await task_group([&](TaskGroup& group) {
        first = group.create_task(value("first", 0.04));
        lost = group.create_task(cancels_itself());
        second = group.create_task(value("second", 0.02));
    });
    print(first.result(), second.result(), lost.cancelled());

    try {
        co_await task_group([](TaskGroup& group) -> Coroutine<> {
            group.create_task(leaf("sibling"));
            co_await sleep(0);
            throw std::invalid_argument("body");
        });
    } catch (const ExceptionGroup&) {
        print(err(), current_task().cancelling());
    }

    try {
        co_await task_group([](TaskGroup& group) {
            group.create_task(leaf("outer.leaf"));
            group.create_task(deep());
        });
    } catch (const ExceptionGroup& error) {
        print(err());
        print(error.exceptions().size(), error.message());
    }

    try {
        co_await task_group([](TaskGroup& group) -> Coroutine<> {
            group.create_task(fail("child", 0.02));
            try {
                co_await sleep(10);
            } catch (const CancelledError&) {
                throw std::invalid_argument("body, while cancelled");
            }
        });
    } catch (const ExceptionGroup& error) {
        std::vector<std::string> errors;
        for (const auto& one : error.exceptions()) {
            errors.push_back("\"" + describe(one) + "\"");
        }
        std::sort(errors.begin(), errors.end());
        print("[" + errors[0] + ", " + errors[1] + "]");
    }

    loop().call_soon([] { print("an empty group does not yield"); });
    co_await task_group([](TaskGroup&) {});
    print("empty group left");
    co_await sleep(0);

    Task<std::string> done;
    co_await task_group([&](TaskGroup& group) -> Coroutine<> {
        done = group.create_task(value("done", 0));
        co_await done;
        co_await sleep(0);
        loop().call_soon([] { print("nor does one whose children are done"); });
    });
    print("finished group left", done.result());
    co_await sleep(0);

    try {
        co_await task_group([](TaskGroup&) { throw CancelledError("raised by the body"); });
    } catch (const CancelledError&) {
        print(err(), current_task().cancelling());
    }
}

int main() {
    run(main_());
}
