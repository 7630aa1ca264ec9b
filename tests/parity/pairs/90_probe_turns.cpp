// SPDX-License-Identifier: MIT
#include "pair.hpp"

/// Counts the turns of the loop: a callback that is first in each of them.
struct Turns {
    int now = 0;
    bool counts = true;

    Turns() { tick(); }
    void tick() {
        if (counts) {
            ++now;
            loop().call_soon([this] { tick(); });
        }
    }
};

Coroutine<int> instant() {
    co_return 1;
}

template <class Make>
Coroutine<> hops(const char* name, Make make) {
    Turns turns;
    co_await sleep(0);
    const int start = turns.now;
    co_await make();
    print(name, turns.now - start);
    turns.counts = false;
    co_await sleep(0);
}

Coroutine<> empty_group() {
    co_await task_group([](TaskGroup&) {});
}

Coroutine<> group_of_one() {
    co_await task_group([](TaskGroup& group) { group.create_task(instant()); });
}

Coroutine<> queue_get() {
    Queue<int> queue;
    queue.put_nowait(1);
    co_await queue.get();
}

Coroutine<> lock_acquire() {
    Lock lock;
    co_await lock.acquire();
}

Coroutine<> await_done() {
    auto future = loop().create_future<int>();
    future.set_result(1);
    co_await future;
}

Coroutine<> await_wait_1() {
    std::vector<Task<int>> tasks{create_task(instant())};
    co_await wait(tasks);
}

Coroutine<> all_hops() {
    co_await hops("await_done_future", [] { return await_done(); });
    co_await hops("await_coroutine", [] { return instant(); });
    co_await hops("await_sleep0", [] { return sleep(0); });
    co_await hops("await_new_task", [] { return create_task(instant()); });
    co_await hops("await_gather_2", [] { return gather(instant(), instant()); });
    co_await hops("await_wait_1", [] { return await_wait_1(); });
    co_await hops("await_wait_for_coro", [] { return wait_for(instant(), 1); });
    co_await hops("await_wait_for_task", [] { return wait_for(create_task(instant()), 1); });
    co_await hops("await_shield_coro", [] { return shield(instant()); });
    co_await hops("empty_taskgroup", [] { return empty_group(); });
    co_await hops("taskgroup_1", [] { return group_of_one(); });
    co_await hops("queue_get_nonempty", [] { return queue_get(); });
    co_await hops("lock_uncontended", [] { return lock_acquire(); });
}

Coroutine<bool> same(AnyTask task) {
    co_return current_task() == task;
}

Coroutine<> wait_for_same_task() {
    bool is_same = co_await wait_for(same(current_task()), 1);
    print("wait_for_same_task", is_same);
}

Coroutine<> take(std::string name, Lock& lock, Turns& turns, int start) {
    auto held = co_await lock.scoped();
    print("lock_handoff", name, turns.now - start);
}

Coroutine<> lock_handoff() {
    Lock lock;
    co_await lock.acquire();
    Turns turns;
    co_await sleep(0);
    const int start = turns.now + 1;
    std::vector<Task<>> tasks;
    for (const char* name : {"0", "1", "2"}) {
        tasks.push_back(create_task(take(name, lock, turns, start)));
    }
    co_await sleep(0);
    lock.release();
    co_await lock.acquire();
    print("lock_handoff", "me", turns.now - start);
    lock.release();
    turns.counts = false;
    co_await gather(tasks);
    co_await sleep(0);
}

Coroutine<> done_cb_order() {
    auto future = loop().create_future<int>();
    for (int i = 0; i < 3; ++i) {
        future.add_done_callback([i](AnyFuture) { print("done_cb_order", i); });
    }
    loop().call_soon([] { print("done_cb_order", "soon-before"); });
    future.set_result(0);
    loop().call_soon([] { print("done_cb_order", "soon-after"); });
    print("done_cb_order", "sync");
    co_await sleep(0);
    co_await sleep(0);
}

Coroutine<> call_soon_nested() {
    Turns turns;
    co_await sleep(0);
    const int start = turns.now;
    auto b = [&] { print("call_soon_nested", "b", turns.now - start); };
    loop().call_soon([&] {
        print("call_soon_nested", "a", turns.now - start);
        loop().call_soon(b);
    });
    co_await sleep(0);
    co_await sleep(0);
    co_await sleep(0);
    turns.counts = false;
    co_await sleep(0);
}

Coroutine<> timer_vs_soon() {
    loop().call_later(0, [] { print("timer_vs_soon", "later0"); });
    loop().call_soon([] { print("timer_vs_soon", "soon"); });
    loop().call_later(-1, [] { print("timer_vs_soon", "later-1"); });
    co_await sleep(0.02);
}

Coroutine<> main_() {
    co_await all_hops();
    co_await wait_for_same_task();
    co_await lock_handoff();
    co_await done_cb_order();
    co_await call_soon_nested();
    co_await timer_vs_soon();
}

void stop_runs_whole_batch() {
    EventLoop own;
    own.call_soon([] { print("stop_runs_whole_batch", 1); });
    own.call_soon([&] { own.stop(); });
    own.call_soon([] { print("stop_runs_whole_batch", 2); });
    own.call_soon([&] { own.call_soon([] { print("stop_runs_whole_batch", "next"); }); });
    own.run_forever();
    print("stop_runs_whole_batch", "stopped");
    own.run_until_complete(sleep(0));
}

int main() {
    run(main_());
    stop_runs_whole_batch();
}
