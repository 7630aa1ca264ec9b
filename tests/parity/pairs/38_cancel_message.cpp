// SPDX-License-Identifier: MIT
#include "pair.hpp"

std::string cancelled(const std::vector<Task<>>& tasks) {
    std::string text;
    for (const auto& task : tasks) {
        text += (text.empty() ? "[" : ", ") + str(task.cancelled());
    }
    return text + "]";
}

Coroutine<> leaf(std::string name) {
    try {
        co_await sleep(10);
    } catch (const CancelledError&) {
        print(name, err(), current_task().cancelling());
        throw;
    }
}

Coroutine<> through_task(Task<> task) {
    try {
        co_await task;
    } catch (const CancelledError&) {
        print("through task", err(), task.cancelled());
        throw;
    }
}

Coroutine<> through_gather(std::vector<Task<>> children) {
    try {
        co_await gather(children);
    } catch (const CancelledError&) {
        print("through gather", err(), cancelled(children));
        throw;
    }
}

Coroutine<> replaces(Task<> task) {
    try {
        co_await task;
    } catch (const CancelledError&) {
        throw CancelledError("another message");
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
    auto inner = create_task(leaf("leaf"));
    auto outer = create_task(through_task(create_task(through_task(inner))));
    co_await sleep(0.02);
    outer.cancel("deep");
    print("requested", outer.cancelling(), inner.cancelling(), inner.done());
    co_await report(outer);
    print(inner.cancelled(), inner.cancelling());

    std::vector<Task<>> children;
    children.push_back(create_task(leaf("a")));
    children.push_back(create_task(leaf("b")));
    outer = create_task(through_gather(children));
    co_await sleep(0.02);
    outer.cancel("wide");
    co_await report(outer);
    print("[" + str(children[0].cancelling()) + ", " + str(children[1].cancelling()) + "]");

    inner = create_task(leaf("inner"));
    outer = create_task(through_task(inner));
    co_await sleep(0.02);
    inner.cancel("only the inner one");
    co_await report(outer);

    inner = create_task(leaf("quiet"));
    outer = create_task(replaces(inner));
    co_await sleep(0.02);
    outer.cancel("first message");
    co_await report(outer);

    outer = create_task(leaf("no message"));
    co_await sleep(0);
    outer.cancel();
    co_await report(outer);
}

int main() {
    run(main_());
}
