// SPDX-License-Identifier: MIT
#include "pair.hpp"

/// What it raises, as text.
template <class A>
Coroutine<std::string> ended(A awaitable) {
    auto result = co_await as_result(std::move(awaitable));
    co_return describe(result.error());
}

Coroutine<> enter(Semaphore& semaphore, int number) {
    auto permit = co_await semaphore.scoped();
    print("semaphore_fifo", number);
    co_await sleep(0);
}

Coroutine<> semaphore_fifo() {
    Semaphore semaphore(1);
    std::vector<Task<>> tasks;
    for (int number = 0; number < 5; ++number) {
        tasks.push_back(create_task(enter(semaphore, number)));
    }
    co_await gather(tasks);
}

Coroutine<> condition_cancel_reacquires() {
    Condition condition;
    auto waits = [&]() -> Coroutine<> {
        co_await condition.acquire();
        auto waited = co_await as_result(condition.wait());
        print("condition_cancel_reacquires", condition.locked());
        condition.release();
        waited.get();
    };
    auto task = create_task(waits);
    co_await sleep(0);
    task.cancel();
    std::string end = co_await ended(task);
    print("condition_cancel_reacquires", end);
}

Coroutine<> queue_cancelled_getter_keeps_item() {
    Queue<std::string> queue;
    auto task = create_task(queue.get());
    co_await sleep(0);
    queue.put_nowait("x");
    task.cancel();
    std::string end = co_await ended(task);
    print("queue_cancelled_getter_keeps_item", end, task.cancelled(), queue.qsize());
}

Coroutine<std::string> slept(std::string name, double delay) {
    co_await sleep(delay);
    co_return name;
}

Coroutine<> as_completed_order() {
    for (auto next_one : as_completed(slept("c", 0.06), slept("a", 0.02), slept("b", 0.04))) {
        std::string name = co_await next_one;
        print("as_completed_order", name);
    }
}

Coroutine<> event_set_then_clear() {
    Event event;
    auto waits = [&]() -> Coroutine<> {
        bool woken = co_await event.wait();
        print("event_set_then_clear", "woken", woken);
    };
    auto task = create_task(waits);
    co_await sleep(0);
    event.set();
    event.clear();
    co_await task;
    print("event_set_then_clear", event.is_set());
}

Coroutine<> two_steps() {
    print("eager", "c1");
    co_await sleep(0);
    print("eager", "c2");
}

Coroutine<int> one_step() {
    print("eager", "d");
    co_return 9;
}

Coroutine<> eager() {
    loop().set_task_factory(eager_task_factory);
    auto first = create_task(two_steps());
    print("eager", "after c");
    auto second = create_task(one_step());
    print("eager", "after d", second.done());
    co_await first;
    loop().set_task_factory(nullptr);
}

Coroutine<> main_() {
    co_await semaphore_fifo();
    co_await condition_cancel_reacquires();
    co_await queue_cancelled_getter_keeps_item();
    co_await as_completed_order();
    co_await event_set_then_clear();
    co_await eager();
}

int main() {
    run(main_());
}
