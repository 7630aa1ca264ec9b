// SPDX-License-Identifier: MIT
#include "pair.hpp"

std::string name_of(const std::exception_ptr& error) {
    const std::string text = describe(error);
    return text.substr(0, text.find('('));
}

Coroutine<> noting(std::string name, Coroutine<std::string> work) {
    auto result = co_await as_result(std::move(work));
    if (result) {
        print(name, "gives", *result);
    } else {
        print(name, "raises", name_of(result.error()));
    }
}

template <class T>
Coroutine<std::string> put(Queue<T>& queue, T item) {
    co_await queue.put(item);
    co_return "None";
}

template <class T>
Coroutine<std::string> get(Queue<T>& queue) {
    T item = co_await queue.get();
    co_return str(item);
}

template <class T>
Coroutine<std::string> join(Queue<T>& queue) {
    co_await queue.join();
    co_return "None";
}

Task<> start(std::string name, Coroutine<std::string> work) {
    return create_task(noting(name, std::move(work)));
}

template <class Fn>
void now(const char* name, Fn call) {
    try {
        print(name, "gives", call());
    } catch (const std::exception&) {
        print(name, "raises", name_of(std::current_exception()));
    }
}

Coroutine<> drained() {
    Queue<int> queue(2);
    queue.put_nowait(1);
    queue.put_nowait(2);
    std::vector<Task<>> tasks;
    tasks.push_back(start("put 3", put(queue, 3)));
    tasks.push_back(start("put 4", put(queue, 4)));
    tasks.push_back(start("join", join(queue)));
    co_await sleep(0);
    print("shut down");
    queue.shutdown();
    queue.shutdown();
    now("put_nowait", [&] {
        queue.put_nowait(5);
        return "None";
    });
    co_await sleep(0.01);
    co_await noting("put", put(queue, 6));
    co_await noting("get", get(queue));
    now("get_nowait", [&] { return queue.get_nowait(); });
    now("get_nowait", [&] { return queue.get_nowait(); });
    co_await noting("get", get(queue));
    queue.task_done();
    co_await sleep(0.01);
    print("one left");
    queue.task_done();
    co_await gather(tasks);
    now("task_done", [&] {
        queue.task_done();
        return "None";
    });
}

Coroutine<> immediate() {
    Queue<int> queue;
    for (int i = 0; i < 3; ++i) {
        queue.put_nowait(i);
    }
    int got = co_await queue.get();
    print("got", got);
    auto task = start("join", join(queue));
    co_await sleep(0);
    queue.shutdown(true);
    print("left", queue.qsize());
    co_await sleep(0.01);
    co_await noting("get", get(queue));
    queue.task_done();
    co_await task;
    now("task_done", [&] {
        queue.task_done();
        return "None";
    });
}

Coroutine<> waiting_getters() {
    Queue<std::string> queue;
    std::vector<Task<>> tasks;
    for (int i = 0; i < 3; ++i) {
        tasks.push_back(start("get " + str(i), get(queue)));
    }
    co_await sleep(0);
    queue.put_nowait("last");
    tasks[1].cancel();
    queue.shutdown();
    print("nobody ran yet", queue.qsize());
    co_await gather(return_exceptions, tasks);
    print("empty", queue.empty());
}

Coroutine<> later_immediate() {
    Queue<std::string> queue(1);
    queue.put_nowait("a");
    auto task = start("put b", put<std::string>(queue, "b"));
    co_await sleep(0);
    queue.shutdown();
    queue.shutdown(true);
    co_await task;
    co_await noting("join", join(queue));
    co_await noting("get", get(queue));
}

Coroutine<> main_() {
    print("-- drained");
    co_await drained();
    print("-- immediate");
    co_await immediate();
    print("-- waiting_getters");
    co_await waiting_getters();
    print("-- later_immediate");
    co_await later_immediate();
}

int main() {
    run(main_());
}
