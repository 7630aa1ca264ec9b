// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<std::string> step(std::string name) {
    print(name, "starts", current_task().get_name());
    co_await sleep(0);
    co_return name;
}

Coroutine<std::string> fail() {
    co_await sleep(0);
    throw std::invalid_argument("shared");
}

Coroutine<> waits(Task<std::string> task, std::string name) {
    try {
        auto value = co_await task;
        print(name, value);
    } catch (const std::invalid_argument&) {
        print(name, err());
    }
}

Task<> itself;

Coroutine<> awaits_itself() {
    try {
        co_await itself;
    } catch (const RuntimeError&) {
        print("a task cannot await itself");
    }
}

Coroutine<> main_() {
    print(current_task().get_name());
    auto a = create_task(step("a"));
    auto b = create_task(step("b"), {.name = "named"});
    print(a.get_name(), b.get_name(), a.done());
    b.set_name("renamed");
    std::vector<Task<>> waiters;
    for (const char* name : {"first", "second", "third"}) {
        waiters.push_back(create_task(waits(a, name)));
    }
    print(all_tasks().size());
    co_await gather(waiters);
    print(b.done(), b.result(), b.get_name(), all_tasks().size());

    auto failing = create_task(fail());
    waiters.clear();
    for (const char* name : {"first", "second"}) {
        waiters.push_back(create_task(waits(failing, name)));
    }
    co_await gather(waiters);
    itself = create_task(awaits_itself());
    co_await itself;
    itself = {};

    auto task = create_task(step("c"));
    try {
        task.set_result("x");
    } catch (const RuntimeError&) {
        print(err());
    }
    try {
        task.set_exception(std::invalid_argument("x"));
    } catch (const RuntimeError&) {
        print(err());
    }
    try {
        (void)task.result();
    } catch (const InvalidStateError&) {
        print(err());
    }
    auto once = co_await task;
    auto twice = co_await task;
    print(once, twice, task.exception());
}

int main() {
    run(main_());
}
