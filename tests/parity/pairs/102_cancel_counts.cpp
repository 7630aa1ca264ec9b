// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<> leaf(std::string name) {
    try {
        co_await sleep(10);
    } catch (const CancelledError&) {
        print(name, "leaf:", err(), current_task().cancelling());
        throw;
    }
}

Coroutine<> through(std::string how, Task<> inner) {
    if (how == "await") {
        co_await inner;
    } else if (how == "gather") {
        co_await gather(inner);
    } else if (how == "gather twice") {
        co_await gather(inner, inner);
    } else if (how == "gather of a gather") {
        co_await gather(gather(inner), inner);
    } else if (how == "return_exceptions") {
        co_await gather(return_exceptions, inner);
    } else if (how == "shield") {
        co_await shield(inner);
    } else if (how == "gather of a shield") {
        co_await gather(shield(inner), inner);
    } else if (how == "wait") {
        std::vector<Task<>> tasks{inner};
        co_await wait(tasks);
    } else if (how == "wait_for") {
        co_await wait_for(inner, 10);
    } else if (how == "timeout") {
        auto body = [&inner]() -> Coroutine<> { co_await inner; };
        co_await timeout(10, body);
    } else if (how == "as_completed") {
        for (auto item : as_completed(inner)) {
            co_await item;
        }
    } else if (how == "body of a group") {
        auto body = [&inner](TaskGroup&) -> Coroutine<> { co_await inner; };
        co_await task_group(body);
    }
}

Coroutine<> in_group() {
    co_await task_group([](TaskGroup& group) { group.create_task(leaf("group")); });
}

Coroutine<> report(std::string what, Task<> outer) {
    try {
        co_await outer;
        print(what, "no error");
    } catch (const CancelledError&) {
        print(what, "outer:", err());
    }
    print(what, "outer:", outer.cancelled(), outer.cancelling());
}

Coroutine<> main_() {
    for (std::string how :
         {"await", "gather", "gather twice", "gather of a gather", "return_exceptions", "shield",
          "gather of a shield", "wait", "wait_for", "timeout", "as_completed", "body of a group"}) {
        for (int times : {1, 2}) {
            auto inner = create_task(leaf(how));
            auto outer = create_task(through(how, inner));
            co_await sleep(0.01);
            for (int time = 0; time < times; ++time) {
                print(how, outer.cancel("request " + str(time)));
            }
            print(how, "requests:", outer.cancelling(), inner.cancelling());
            co_await report(how, outer);
            int requests = inner.cancelling();
            print(how, "inner:", requests, inner.cancel("by its owner"));
            std::vector<Task<>> tasks{inner};
            co_await wait(tasks);
            print(how, "inner:", inner.cancelled(), inner.cancelling());
        }
    }

    print("== a child of a group");
    auto outer = create_task(in_group());
    co_await sleep(0.01);
    bool one = outer.cancel("one");
    bool two = outer.cancel("two");
    print(one, two, outer.cancelling());
    co_await report("group", outer);

    print("== a chain of three, and each is asked");
    auto inner = create_task(leaf("chain"));
    auto middle = create_task(through("await", inner));
    outer = create_task(through("await", middle));
    co_await sleep(0.01);
    bool of_middle = middle.cancel("middle");
    bool of_inner = inner.cancel("inner");
    print(of_middle, of_inner, outer.cancel("outer"));
    print(outer.cancelling(), middle.cancelling(), inner.cancelling());
    co_await report("chain", outer);
    print(middle.cancelled(), inner.cancelled());
}

int main() {
    run(main_());
}
