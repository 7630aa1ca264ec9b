// SPDX-License-Identifier: MIT
#include "pair.hpp"

int lazy_tasks = 0;
int eager_tasks = 0;

AnyTask counting(EventLoop& on, AnyCoroutine& coroutine, TaskOptions options) {
    ++(options.eager_start.value_or(false) ? eager_tasks : lazy_tasks);
    return make_task(on, coroutine, options);
}

Coroutine<int> chain(int depth) {
    if (depth == 0) {
        co_return 0;
    }
    int below = co_await chain(depth - 1);
    co_return 1 + below;
}

Coroutine<int> tree(std::string name, int depth) {
    print(name, "down");
    if (depth > 0) {
        auto [left, right] =
            co_await gather(tree(name + "l", depth - 1), tree(name + "r", depth - 1));
        print(name, "up", left + right);
        co_return left + right;
    }
    co_return 1;
}

Coroutine<int> waiting_tree(std::string name, int depth) {
    print(name, "down");
    if (depth > 0) {
        auto left_task = create_task(waiting_tree(name + "l", depth - 1));
        auto right_task = create_task(waiting_tree(name + "r", depth - 1));
        print(name, "made", left_task.done(), right_task.done());
        int left = co_await left_task;
        int right = co_await right_task;
        print(name, "up", left + right);
        co_return left + right;
    }
    co_await sleep(0);
    print(name, "up");
    co_return 1;
}

Coroutine<> give(Future<std::string> future, std::string value) {
    future.set_result(value);
    co_return;
}

Coroutine<> same_task(std::vector<AnyTask>& seen) {
    seen.push_back(current_task());
    co_await sleep(0);
    seen.push_back(current_task());
    co_await sleep(0.01);
    seen.push_back(current_task());
}

Coroutine<> run_all(EventLoop::TaskFactory factory) {
    lazy_tasks = eager_tasks = 0;
    loop().set_task_factory(std::move(factory));
    int depth = co_await chain(100);
    print(depth, lazy_tasks, eager_tasks);
    int leaves = co_await tree("t", 2);
    print("leaves:", leaves, lazy_tasks, eager_tasks);
    leaves = co_await waiting_tree("w", 2);
    print("leaves:", leaves, lazy_tasks, eager_tasks);

    auto future = loop().create_future<std::string>();
    auto giver = create_task(give(future, "given"));
    bool task_done = giver.done();
    bool future_done = future.done();
    std::string given = co_await future;
    print(task_done, future_done, given);
    bool asked = giver.cancel("too late for an eager one");
    print(asked, giver.cancelled());
    std::vector<Task<>> tasks{giver};
    co_await wait(tasks);
    print(giver.cancelled(), giver.cancelling());

    auto task = create_task(sleep(10));
    asked = task.cancel("at once");
    print(asked, task.done());
    try {
        co_await task;
    } catch (const CancelledError&) {
        print(err());
    }

    std::vector<AnyTask> seen;
    task = create_task(same_task(seen));
    co_await task;
    bool all_the_same = true;
    for (const AnyTask& each : seen) {
        all_the_same = all_the_same && each == task;
    }
    print(seen.size(), all_the_same, current_task() == task);
    print("tasks:", lazy_tasks, eager_tasks);
}

Coroutine<> main_() {
    print("== lazy");
    co_await run_all(counting);
    print("== eager");
    co_await run_all(create_eager_task_factory(counting));
}

int main() {
    run(main_());
}
