// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<std::string> work(std::string name, std::string on_cancel = "raise") {
    auto slept = co_await as_result(sleep(10));
    print(name, slept.error());
    if (on_cancel == "linger") {
        co_await sleep(0.03);
        print(name, "cleaned up");
    }
    if (on_cancel == "swallow") {
        co_return name;
    }
    if (on_cancel == "fail") {
        throw RuntimeError(name);
    }
    slept.get();
    co_return name;
}

template <class T>
Coroutine<> report(Future<T> future) {
    auto result = co_await as_result(future);
    print(result.has_value() ? "value" : "main", result.error());
}

Coroutine<int> inside() {
    co_await gather(return_exceptions, work("i", "swallow"), work("j", "linger"));
    co_return 0;
}

Coroutine<> main_() {
    auto group = gather(return_exceptions, work("a"), work("b", "linger"));
    co_await sleep(0.02);
    bool requested = group.cancel("everything");
    print(requested, group.done());
    co_await report(group);
    requested = group.cancel("again");
    print(group.cancelled(), requested);

    auto plain = gather(work("c", "swallow"), work("d", "linger"));
    co_await sleep(0.02);
    plain.cancel("swallowed by one");
    co_await report(plain);

    plain = gather(work("e", "fail"), work("f"));
    co_await sleep(0.02);
    plain.cancel("one fails");
    co_await report(plain);

    group = gather(return_exceptions, work("g", "fail"), work("h", "linger"));
    co_await sleep(0.02);
    group.cancel("return_exceptions");
    co_await report(group);

    auto first = create_task(sleep(0, 0));
    auto second = create_task(sleep(0, 1));
    auto numbers = gather(first, second);
    co_await sleep(0);
    co_await sleep(0);
    requested = numbers.cancel();
    print("all children done:", first.done(), second.done(), numbers.done(), requested);
    auto [zero, one] = co_await numbers;
    print(zero, one);

    auto task = create_task(inside());
    co_await sleep(0.02);
    task.cancel("the task that waits");
    co_await report<int>(task);
    print(task.cancelled(), task.cancelling());
}

int main() {
    run(main_());
}
