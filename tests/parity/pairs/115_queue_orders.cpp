// SPDX-License-Identifier: MIT
#include "pair.hpp"

template <class Q>
Coroutine<> drain(Q& queue) {
    std::string items;
    while (!queue.empty()) {
        const int item = co_await queue.get();
        items += (items.empty() ? "" : ", ") + str(item);
    }
    print("[" + items + "]");
}

template <class Q>
Coroutine<> order() {
    Q queue;
    for (int item : {3, 1, 2, 3, 0}) {
        co_await queue.put(item);
    }
    const int first = queue.get_nowait();
    print(first, queue.qsize());
    queue.put_nowait(2);
    co_await drain(queue);
}

template <class Q>
Coroutine<> producer(Q& queue, std::vector<int> items) {
    for (int item : items) {
        co_await queue.put(item);
        print("put", item, "size", queue.qsize());
    }
}

template <class Q>
Coroutine<> bounded_order() {
    Q queue(2);
    auto task = create_task(producer(queue, {2, 3, 1}));
    co_await sleep(0);
    print(queue.full(), queue.maxsize());
    const int item = co_await queue.get();
    print("get", item);
    co_await task;
    co_await drain(queue);
}

Coroutine<> joins(Queue<int>& queue, std::string name) {
    co_await queue.join();
    print(name, "joined");
}

Coroutine<> join() {
    Queue<int> queue;
    co_await joins(queue, "empty");
    for (int i = 0; i < 3; ++i) {
        queue.put_nowait(i);
    }
    std::vector<Task<>> tasks;
    tasks.push_back(create_task(joins(queue, "a")));
    tasks.push_back(create_task(joins(queue, "b")));
    for (int i = 0; i < 3; ++i) {
        co_await sleep(0);
        queue.get_nowait();
        print("done", i);
        queue.task_done();
    }
    queue.put_nowait(3);
    tasks.push_back(create_task(joins(queue, "c")));
    co_await sleep(0.01);
    std::string states;
    for (const auto& task : tasks) {
        states += (states.empty() ? "[" : ", ") + str(task.done());
    }
    print(states + "]");
    tasks.push_back(create_task(joins(queue, "cancelled")));
    co_await sleep(0);
    tasks[3].cancel();
    queue.task_done();
    co_await gather(return_exceptions, tasks);
    states.clear();
    for (const auto& task : tasks) {
        states += (states.empty() ? "[" : ", ") + str(task.cancelled());
    }
    print(states + "]");
}

Coroutine<> fails() {
    Queue<int> queue(1);
    try {
        queue.get_nowait();
    } catch (const QueueEmpty& error) {
        print("QueueEmpty", error.what());
    }
    try {
        queue.task_done();
    } catch (const std::invalid_argument& error) {
        print("ValueError", error.what());
    }
    queue.put_nowait(1);
    try {
        queue.put_nowait(2);
    } catch (const QueueFull& error) {
        print("QueueFull", error.what());
    }
    try {
        co_await wait_for(queue.put(3), 0.01);
    } catch (const TimeoutError&) {
        const auto before = queue.qsize();
        const int item = queue.get_nowait();
        print("full", before, item, queue.qsize());
    }
}

Coroutine<> main_() {
    print("-- orders");
    co_await order<Queue<int>>();
    co_await order<PriorityQueue<int>>();
    co_await order<LifoQueue<int>>();
    print("-- bounded_orders");
    co_await bounded_order<Queue<int>>();
    co_await bounded_order<PriorityQueue<int>>();
    co_await bounded_order<LifoQueue<int>>();
    print("-- join");
    co_await join();
    print("-- fails");
    co_await fails();
}

int main() {
    run(main_());
}
