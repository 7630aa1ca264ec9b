// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <cstdint>
#include <utility>

using Note = std::pair<std::string, int>;

struct Program {
    std::uint32_t state = 0;
    std::vector<Task<int>> tasks;
    std::vector<Future<int>> futures;
};
Program program;

int pick(int count) {
    program.state = (program.state * 1103515245U + 12345U) & 0x7fffffffU;
    return static_cast<int>((program.state >> 12) % static_cast<std::uint32_t>(count));
}

Task<int>& task_at(int number) {
    return program.tasks.at(static_cast<std::size_t>(number));
}
Task<int> some_task() {
    return task_at(pick(static_cast<int>(program.tasks.size())));
}
Future<int> some_future() {
    return program.futures.at(static_cast<std::size_t>(pick(3)));
}

int requests() {
    return current_task().cancelling();
}

std::string look(const AnyFuture& task) {
    if (!task.done()) {
        return "pending";
    }
    if (task.cancelled()) {
        return "cancelled";
    }
    return task.exception() != nullptr ? describe(task.exception()) : "ended";
}

Coroutine<> steps(int me, int before, int depth);
Coroutine<int> life(int me, int before, int depth);

// Only those before may be awaited: no circles.
Coroutine<Note> waits_for_a_task(int what, int before) {
    Task<int> task = task_at(pick(before));
    if (what == 0) {
        int value = co_await task;
        co_return Note("await", value);
    }
    if (what == 1) {
        int value = co_await shield(task);
        co_return Note("shield", value);
    }
    if (what == 2) {
        int value = co_await wait_for(task, 1000);
        co_return Note("wait_for", value);
    }
    if (what == 3) {
        int value = co_await wait_for(task, 0);
        co_return Note("wait_for no time", value);
    }
    auto completed = as_completed(task);
    auto future = co_await completed.next();
    co_return Note("as_completed", future->result());
}

Coroutine<Note> gathers(int what, Task<int> first, Task<int> second) {
    if (what == 0) {
        auto [one, two] = co_await gather(first, second);
        co_return Note("gather", one + two);
    }
    if (what == 1) {
        auto [one, two] = co_await gather(return_exceptions, first, second);
        co_return Note("return_exceptions", int(one.has_value()) + int(two.has_value()));
    }
    if (what == 2) {
        auto [one, two] = co_await gather(shield(first), second);
        co_return Note("gather of a shield", one + two);
    }
    if (what == 3) {
        auto [one, two] = co_await shield(gather(first, second));
        co_return Note("shield of a gather", one + two);
    }
    auto [both, two] = co_await gather(gather(first, second), second);
    co_return Note("gather of a gather", std::get<0>(both) + std::get<1>(both) + two);
}

Coroutine<Note> waits_for_two(int what, int before) {
    Task<int> first = task_at(pick(before));
    Task<int> second = task_at(pick(before));
    auto result = co_await as_result(gathers(what, first, second));
    if (result.cancelled()) {
        throw CancelledError("gather");
    }
    co_return result.get();
}

Coroutine<Note> waits_for_some(int before) {
    Task<int> first = task_at(pick(before));
    Task<int> second = task_at(pick(before));
    std::vector<Task<int>> tasks{first, second};
    WaitOptions options;
    int when = pick(3);
    options.return_when = when == 0 ? ALL_COMPLETED : when == 1 ? FIRST_COMPLETED : FIRST_EXCEPTION;
    if (pick(3) == 0) {
        options.timeout = 0;
    }
    DoneAndPending result = co_await wait(tasks, options);
    co_return Note("wait", int(result.done.size()) * 10 + int(result.pending.size()));
}

Coroutine<Note> has_a_block(int what, int me, int before, int depth) {
    if (what == 0) {
        Timeout limit = timeout(pick(2) == 0 ? 0 : 1000);
        auto body = [&]() -> Coroutine<> { co_await steps(me, before, depth + 1); };
        co_await with(limit, body);
        co_return Note("timeout", int(limit.expired()));
    }
    if (what == 1) {
        int number = static_cast<int>(program.tasks.size());
        auto body = [&](TaskGroup& group) -> Coroutine<> {
            program.tasks.push_back(group.create_task(life(number, before, depth + 1)));
            co_await steps(me, before, depth + 1);
        };
        co_await task_group(body);
        co_return Note("group", number);
    }
    co_await wait_for(steps(me, before, depth + 1), 1000);
    co_return Note("wait_for steps", 0);
}

Note makes_a_task(bool eager, int before, int depth) {
    int number = static_cast<int>(program.tasks.size());
    program.tasks.emplace_back();
    auto task = create_task(life(number, before, depth + 1), {.eager_start = eager});
    task_at(number) = task;
    return Note("task", number + 100 * int(task.done()));
}

Note does_something_to_a_task(int what, int me) {
    Task<int> task = some_task();
    if (!task) {
        return Note("not made yet", 0);
    }
    if (what == 0) {
        return Note("cancel", int(task.cancel("by " + str(me))));
    }
    if (what == 1) {
        return Note("looks: " + look(task), task.cancelling());
    }
    if (what == 2) {
        task.add_done_callback(
            [me](const AnyFuture& done) { print("callback of", me, look(done)); });
        return Note("add_done_callback", 0);
    }
    loop().call_soon([me, task] { print("soon of", me, task.cancel("soon")); });
    return Note("call_soon", 0);
}

Note does_something_to_a_future(int what) {
    Future<int> future = some_future();
    if (what == 0) {
        future.set_result(7);
    } else if (what == 1) {
        future.set_exception(RuntimeError("of a future"));
    } else {
        return Note("cancel a future", int(future.cancel("of a future")));
    }
    return Note("set a future", 0);
}

Coroutine<Note> act(int me, int before, int depth) {
    int what = pick(20);
    if (what < 5 && before > 0) {
        Note note = co_await waits_for_a_task(what, before);
        co_return note;
    }
    if (what < 8 && before > 0) {
        Note note = co_await waits_for_two(pick(5), before);
        co_return note;
    }
    if (what < 9 && before > 0) {
        Note note = co_await waits_for_some(before);
        co_return note;
    }
    if (what < 11 && depth < 3) {
        Note note = co_await has_a_block(pick(3), me, before, depth);
        co_return note;
    }
    if (what < 12 && depth < 3) {
        co_return makes_a_task(pick(2) == 0, before, depth);
    }
    if (what < 15) {
        co_return does_something_to_a_task(pick(4), me);
    }
    if (what < 16) {
        co_return does_something_to_a_future(pick(3));
    }
    if (what < 17) {
        Future<int> future = some_future();
        int value = co_await future;
        co_return Note("future", value);
    }
    if (what < 18) {
        co_return Note("uncancel", current_task().uncancel());
    }
    if (what < 19 && pick(3) == 0) {
        if (pick(2) == 0) {
            throw RuntimeError("of " + str(me));
        }
        co_return Note("cancel itself", int(current_task().cancel("itself")));
    }
    for (int turns = pick(3) + 1; turns > 0; --turns) {
        co_await sleep(0);
    }
    co_return Note("sleep", 0);
}

Coroutine<> steps(int me, int before, int depth) {
    for (int left = pick(4) + 1; left > 0; --left) {
        bool goes_on = pick(2) == 0;
        auto result = co_await as_result(act(me, before, depth));
        if (result.has_value()) {
            print(me, result->first, result->second, "requests:", requests());
        } else {
            print(me, result.error(), "requests:", requests());
            if (!goes_on) {
                result.get();
            }
        }
    }
}

Coroutine<int> life(int me, int before, int depth) {
    co_await steps(me, before, depth);
    co_return me;
}

Coroutine<> turns(int count) {
    for (int turn = 0; turn < count; ++turn) {
        co_await sleep(0);
    }
}

Coroutine<> main_(int seed) {
    program = {};
    program.state = static_cast<std::uint32_t>(seed);
    loop().set_exception_handler([](EventLoop&, const ExceptionContext&) {});
    for (int number = 0; number < 3; ++number) {
        program.futures.push_back(loop().create_future<int>());
    }
    print("==", seed);
    int count = pick(4) + 2;
    for (int number = 0; number < count; ++number) {
        program.tasks.push_back(create_task(life(number, number, 0)));
    }
    co_await turns(40);
    for (int round = 0; round < 20; ++round) {
        std::vector<Task<int>> left;
        for (const Task<int>& task : program.tasks) {
            if (!task.done()) {
                left.push_back(task);
            }
        }
        if (!left.empty()) {
            print("left:", left.size());
        }
        for (const Task<int>& task : left) {
            task.cancel("the end");
        }
        const int count_of_turns = left.empty() ? 1 : 15;
        co_await turns(count_of_turns);
    }
    int number = 0;
    for (const Task<int>& task : program.tasks) {
        print(number++, look(task), task.cancelling());
    }
    program = {};  // what nobody looked at goes to the handler
}

int main() {
    for (int seed = 0; seed < 60; ++seed) {
        run(main_(seed));
    }
}
