// SPDX-License-Identifier: MIT
#include "pair.hpp"

int calls = 0;

AnyTask factory(EventLoop& on, AnyCoroutine& coroutine, TaskOptions options) {
    ++calls;
    print("factory:", calls, &on == &loop());
    return make_task(on, coroutine, options);
}

Coroutine<int> work(int value) {
    print("work", value);
    co_await sleep(0);
    co_return value;
}

Coroutine<> main_() {
    print(!loop().get_task_factory());
    loop().set_task_factory(factory);
    print(!loop().get_task_factory());

    auto task = create_task(work(1), {.name = "mine"});
    int value = co_await task;
    print(task.get_name(), value);
    task = create_task(work(2));
    value = co_await task;
    print(value);
    task = loop().create_task(work(3));
    value = co_await task;
    print(value);
    task = ensure_future(work(4));
    value = co_await task;
    print(ensure_future(task) == task, value);
    auto [five, four, six] = co_await gather(work(5), task, work(6));
    print(five, four, six);
    co_await task_group([](TaskGroup& group) {
        group.create_task(work(7));
        group.create_task(work(8), {.name = "in a group"});
    });
    value = co_await shield(work(9));
    print(value);
    value = co_await wait_for(work(10), 1);
    print(value);
    value = co_await work(11);
    print(value);
    for (auto next_one : as_completed(work(12))) {
        value = co_await next_one;
        print(value);
    }

    loop().set_task_factory(create_eager_task_factory(factory));
    task = create_task(work(13));
    bool done = task.done();
    value = co_await task;
    print(done, value);
    loop().set_task_factory(nullptr);
    task = create_task(work(14), {.name = "last"});
    value = co_await task;
    print(!loop().get_task_factory(), value);
}

int main() {
    run(main_());
}
