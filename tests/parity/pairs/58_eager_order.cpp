// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <algorithm>

std::string me() {
    AnyTask task = current_task();
    return task ? task.get_name() : "no task";
}

template <class T>
Task<T> eager(Coroutine<T> coroutine, std::string name) {
    return create_task(std::move(coroutine), {.name = name, .eager_start = true});
}

std::string names() {
    std::vector<std::string> sorted;
    for (const AnyTask& task : all_tasks()) {
        sorted.push_back(task.get_name());
    }
    std::sort(sorted.begin(), sorted.end());
    std::string text;
    for (const std::string& name : sorted) {
        text += (text.empty() ? "" : " ") + name;
    }
    return text;
}

void done(AnyFuture task) {
    print(task.get_name(), "is done, in", me());
}

Coroutine<int> instant(int value) {
    print("instant in", me(), "| all:", names());
    co_return value;
}

Coroutine<int> two_steps(int value) {
    print("first step in", me(), "| all:", names());
    co_await sleep(0);
    print("second step in", me(), "| all:", names());
    co_return value;
}

Coroutine<> nested(int depth) {
    print("down", depth, me());
    if (depth > 0) {
        auto below = eager(nested(depth - 1), "nested " + std::to_string(depth - 1));
        below.add_done_callback(done);
        print("made", depth, me(), below.done());
        co_await below;
    } else {
        co_await sleep(0);
    }
    print("up", depth, me());
}

Coroutine<> awaits_its_maker(Task<std::string> task) {
    print("awaits its maker in", me());
    auto given = co_await task;
    print("its maker gave", given);
}

Coroutine<std::string> maker() {
    co_await sleep(0);
    eager(awaits_its_maker(Task<std::string>(*current_task().raw())), "child");
    print("the maker goes on in", me());
    co_return "all it had";
}

void from_callback() {
    print("callback:", me());
    auto task = eager(two_steps(3), "from a callback");
    print("callback:", me(), task.done());
}

Coroutine<> main_() {
    current_task().set_name("main");

    print("== ends at once");
    loop().call_soon([] { print("scheduled before"); });
    auto task = eager(instant(1), "one");
    task.add_done_callback(done);
    print(me(), task.done(), task.result(), "| all:", names());
    int value = co_await task;
    print(value);
    co_await sleep(0);

    print("== waits");
    auto lazy = create_task(two_steps(1), {.name = "lazy"});
    task = eager(two_steps(2), "two");
    task.add_done_callback(done);
    print(me(), task.done(), "| all:", names());
    int two = co_await task;
    int one = co_await lazy;
    print(two, one);

    print("== nested");
    auto outer = eager(nested(3), "nested 3");
    print(me(), outer.done());
    co_await outer;
    co_await sleep(0);

    print("== awaits who made it");
    auto made = create_task(maker(), {.name = "maker"});
    auto text = co_await made;
    print(text);
    co_await sleep(0);

    print("== from a callback");
    loop().call_soon(from_callback);
    co_await sleep(0);
    co_await sleep(0);

    print("== the loop does not run");
}

int main() {
    auto loop = new_event_loop();
    loop->run_until_complete(main_());
    loop->set_task_factory(eager_task_factory);
    auto task = loop->create_task(nested(0), {.name = "idle"});
    print(task.done());
    loop->run_until_complete(task);
    loop->close();
}
