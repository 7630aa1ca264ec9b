// SPDX-License-Identifier: MIT
#include "pair.hpp"

std::string done(const std::vector<Task<>>& tasks) {
    std::string text;
    for (const auto& task : tasks) {
        text += (text.empty() ? "[" : ", ") + str(task.done());
    }
    return text + "]";
}

Coroutine<> getter(Queue<std::string>& queue, std::string name) {
    try {
        auto item = co_await queue.get();
        print(name, "got", item);
    } catch (const CancelledError&) {
        print(name, "cancelled");
        throw;
    }
}

Coroutine<> putter(Queue<std::string>& queue, std::string name) {
    try {
        co_await queue.put(name);
        print(name, "is in");
    } catch (const CancelledError&) {
        print(name, "cancelled");
        throw;
    }
}

Coroutine<> main_() {
    Queue<std::string> queue;
    std::vector<Task<>> tasks;
    for (const char* name : {"g1", "g2", "g3"}) {
        tasks.push_back(create_task(getter(queue, name)));
    }
    co_await sleep(0);
    queue.put_nowait("x");
    tasks[0].cancel();
    co_await sleep(0.02);
    print(queue.qsize(), done(tasks));
    tasks[1].cancel();
    queue.put_nowait("y");
    co_await sleep(0.02);
    print(queue.qsize(), done(tasks));

    auto only = create_task(getter(queue, "only"));
    co_await sleep(0);
    queue.put_nowait("kept");
    only.cancel();
    co_await sleep(0.02);
    auto size = queue.qsize();
    print("the item stays", size, queue.get_nowait());

    Queue<std::string> narrow(1);
    narrow.put_nowait("first");
    tasks.clear();
    for (const char* name : {"p1", "p2", "p3"}) {
        tasks.push_back(create_task(putter(narrow, name)));
    }
    co_await sleep(0);
    print(narrow.get_nowait());
    tasks[0].cancel();
    co_await sleep(0.02);
    print(narrow.full(), done(tasks));
    print(narrow.get_nowait());
    co_await sleep(0.02);
    auto last = narrow.get_nowait();
    print(last, narrow.empty());

    Queue<std::string> single(1);
    auto waiting = create_task(getter(single, "waits"));
    co_await sleep(0);
    single.put_nowait("stolen");
    auto item = co_await single.get();
    print("whoever runs first takes it:", item);
    co_await sleep(0);
    print(waiting.done());
    co_await single.put("second");
    co_await waiting;
    print(single.qsize(), single.full());
}

int main() {
    run(main_());
}
