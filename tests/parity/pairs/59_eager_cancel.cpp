// SPDX-License-Identifier: MIT
#include "pair.hpp"

template <class A>
auto eager(A awaitable) {
    return create_task(std::move(awaitable), {.eager_start = true});
}

void print_got(const std::string& name, Result<> result) {
    if (result.has_value()) {
        print(name, "got None");
    } else {
        print(name, result.error());
    }
}

void print_got(const std::string& name, Result<int> result) {
    if (result.has_value()) {
        print(name, "got", *result);
    } else {
        print(name, result.error());
    }
}

template <class T>
Coroutine<> report(std::string name, Task<T> task) {
    print_got(name, co_await as_result(task));
}

Coroutine<> cancels_itself_and_waits() {
    print(current_task().cancel("own"));
    try {
        co_await sleep(0);
    } catch (const CancelledError&) {
        print("at the first wait", err());
        throw;
    }
}

Coroutine<int> cancels_itself_and_ends() {
    current_task().cancel("own");
    co_return 1;
}

Coroutine<int> cancels_itself_and_takes_it_back() {
    current_task().cancel("own");
    print(current_task().uncancel());
    co_await sleep(0);
    co_return 2;
}

Coroutine<int> cancels(AnyTask other) {
    bool accepted = other.cancel("by the child");
    print("cancels the other:", accepted, other.cancelling());
    co_await sleep(0);
    co_return 3;
}

Coroutine<> is_cancelled_by_its_child() {
    auto child = eager(cancels(current_task()));
    print("after the child's first step", current_task().cancelling());
    try {
        co_await child;
    } catch (const CancelledError&) {
        print("the maker", err(), child.cancelled(), child.done());
    }
    co_await report("child", child);
}

Coroutine<> waits(std::string name) {
    try {
        co_await sleep(10);
    } catch (const CancelledError&) {
        print(name, err());
        throw;
    }
}

Coroutine<> with_timeout() {
    co_await timeout(0.01, [] { return sleep(10); });
}

Coroutine<> in_the_block() {
    print("in the block");
    co_await sleep(0);
    print("not reached");
}

Coroutine<> with_timeout_passed() {
    co_await timeout(-1, in_the_block);
}

Coroutine<> with_group() {
    co_await task_group([](TaskGroup& group) {
        group.create_task(waits("child of a group"));
        group.create_task(cancels(current_task()));
        print("body");
    });
}

Coroutine<> main_() {
    auto task = eager(cancels_itself_and_waits());
    print(task.done(), task.cancelling());
    co_await report("waits", task);
    auto ended = eager(cancels_itself_and_ends());
    print(ended.done(), ended.cancelled());
    co_await report("ends", ended);
    co_await report("took back", eager(cancels_itself_and_takes_it_back()));
    co_await report("parent", eager(is_cancelled_by_its_child()));

    task = eager(waits("cancelled at once"));
    bool accepted = task.cancel("outside");
    print(accepted, task.done());
    co_await report("outside", task);
    ended = eager(sleep(0, 4));
    accepted = ended.cancel("before the second step");
    print(accepted, ended.done());
    co_await report("second step", ended);

    co_await report("timeout", eager(with_timeout()));
    co_await report("timeout passed", eager(with_timeout_passed()));
    task = eager(with_group());
    print("group", task.done());
    co_await report("group", task);
}

int main() {
    run(main_());
}
