// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <algorithm>

Coroutine<> turns(int count) {
    for (int turn = 0; turn < count; ++turn) {
        print("- turn", turn);
        co_await sleep(0);
    }
}

Coroutine<std::string> after(std::string name, int count, bool fails) {
    for (int turn = 0; turn < count; ++turn) {
        co_await sleep(0);
    }
    print(name, "ends");
    if (fails) {
        throw RuntimeError(name);
    }
    co_return name;
}

Task<std::string> make(const std::string& name, int count, bool fails = false) {
    return create_task(after(name, count, fails), {.name = name});
}

std::string names(const std::vector<AnyFuture>& tasks) {
    std::vector<std::string> sorted;
    for (const AnyFuture& task : tasks) {
        sorted.push_back(task.get_name());
    }
    std::sort(sorted.begin(), sorted.end());
    std::string text;
    for (const std::string& name : sorted) {
        text += (text.empty() ? "" : ",") + name;
    }
    return text;
}

Coroutine<> waits(std::string what, std::vector<Task<std::string>> tasks,
                  WaitOptions options = {}) {
    try {
        DoneAndPending result = co_await wait(tasks, options);
        print(what, "done:", names(result.done), "pending:", names(result.pending));
    } catch (const CancelledError&) {
        print(what, err());
        throw;
    }
}

Coroutine<> main_() {
    loop().set_exception_handler([](EventLoop&, const ExceptionContext& context) {
        print("handler:", context.message, context.exception);
    });
    constexpr WaitOptions first{.return_when = FIRST_COMPLETED};
    constexpr WaitOptions exception{.return_when = FIRST_EXCEPTION};

    print("== what ends one turn later counts as well");
    std::vector<Task<std::string>> tasks{make("a", 1), make("b", 2), make("c", 3)};
    auto waiting = create_task(waits("first", tasks, first));
    co_await turns(6);

    print("== all are done before");
    waiting = create_task(waits("all", tasks));
    co_await turns(3);

    print("== one has failed before");
    tasks = {make("good", 0), make("bad", 0, true)};
    co_await turns(2);
    auto slow = make("slow", 5);
    tasks.insert(tasks.begin(), slow);
    co_await waits("exception", tasks, exception);
    tasks.clear();
    print("it was looked at");

    print("== one was cancelled before");
    tasks = {make("cancelled", 0), make("good", 0)};
    tasks[0].cancel();
    co_await turns(2);
    tasks.insert(tasks.begin(), slow);
    co_await waits("exception", tasks, exception);

    print("== a failure that nobody looks at");
    tasks = {make("bad", 0, true)};
    co_await waits("all", tasks);
    tasks.clear();
    tasks = {make("worse", 0, true), make("other", 3)};
    co_await waits("first", tasks, first);
    co_await tasks[1];
    tasks.clear();

    print("== no time at all");
    tasks = {make("now", 0), make("next", 1), make("late", 6)};
    waiting = create_task(waits("no time", tasks, {.timeout = 0}));
    co_await turns(5);
    co_await waits("rest", tasks);

    print("== two wait for the same");
    tasks = {make("x", 2), make("y", 4)};
    auto one = create_task(waits("one", tasks, first));
    auto two = create_task(waits("two", tasks));
    co_await turns(1);
    one.cancel("not any more");
    co_await turns(1);
    print(one.cancelled(), tasks[0].cancelling() == 0 && tasks[1].cancelling() == 0);
    co_await two;

    print("== cancelled in the turn in which it is over");
    tasks = {make("last", 1)};
    one = create_task(waits("one", tasks));
    tasks[0].add_done_callback(
        [&one](const AnyFuture&) { print("cancel", one.cancel("too late?")); });
    co_await turns(5);
    print(one.cancelled(), tasks[0].result());
}

int main() {
    run(main_());
}
