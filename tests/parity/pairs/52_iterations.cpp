// SPDX-License-Identifier: MIT
#include "pair.hpp"

struct Ticker {
    int ticks = 0;
    bool running = true;

    void tick() {
        if (running) {
            ++ticks;
            loop().call_soon([this] { tick(); });
        }
    }
};

Coroutine<int> instant() {
    co_return 1;
}

template <class Make>
Coroutine<> count(const char* name, Make make) {
    Ticker ticker;
    loop().call_soon([&] { ticker.tick(); });
    co_await sleep(0);
    ticker.ticks = 0;
    co_await make();
    ticker.running = false;
    print(name, ticker.ticks);
    co_await sleep(0);
}

Coroutine<> empty_group() {
    co_await task_group([](TaskGroup&) {});
}

Coroutine<> group_of_one() {
    co_await task_group([](TaskGroup& group) { group.create_task(instant()); });
}

Coroutine<> handed_over() {
    Lock lock;
    co_await lock.acquire();
    loop().call_soon([&] { lock.release(); });
    co_await lock.acquire();
}

Coroutine<> uncontended() {
    Lock lock;
    auto held = co_await lock.scoped();
}

Coroutine<> from_queue(bool ready) {
    Queue<int> queue;
    if (ready) {
        queue.put_nowait(1);
    } else {
        loop().call_soon([&] { queue.put_nowait(1); });
    }
    co_await queue.get();
}

Coroutine<> event(bool ready) {
    Event flag;
    if (ready) {
        flag.set();
    } else {
        loop().call_soon([&] { flag.set(); });
    }
    co_await flag.wait();
}

Coroutine<> future_from_callback() {
    auto future = loop().create_future<int>();
    loop().call_soon([&] { future.set_result(1); });
    co_await future;
}

Coroutine<> await_done(Future<int> done) {
    co_await done;
}

Coroutine<> main_() {
    auto done = loop().create_future<int>();
    done.set_result(1);
    co_await count("done future", [&] { return await_done(done); });
    co_await count("coroutine", [] { return instant(); });
    co_await count("sleep(0)", [] { return sleep(0); });
    co_await count("task", [] { return create_task(instant()); });
    co_await count("gather of two", [] { return gather(instant(), instant()); });
    co_await count("gather of nothing", [] { return gather(std::vector<Task<int>>()); });
    co_await count("wait_for coroutine", [] { return wait_for(instant(), 1); });
    co_await count("wait_for task", [] { return wait_for(create_task(instant()), 1); });
    co_await count("empty group", [] { return empty_group(); });
    co_await count("group of one", [] { return group_of_one(); });
    co_await count("uncontended lock", [] { return uncontended(); });
    co_await count("lock handed over", [] { return handed_over(); });
    co_await count("item in the queue", [] { return from_queue(true); });
    co_await count("item comes", [] { return from_queue(false); });
    co_await count("event set", [] { return event(true); });
    co_await count("event comes", [] { return event(false); });
    co_await count("future set by a callback", [] { return future_from_callback(); });
}

int main() {
    run(main_());
}
