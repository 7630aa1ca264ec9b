// SPDX-License-Identifier: MIT
#include "pair.hpp"

#include <algorithm>

using Futures = std::vector<Future<>>;

Coroutine<> turns(int count) {
    for (int turn = 0; turn < count; ++turn) {
        print("- turn", turn);
        co_await sleep(0);
    }
}

int number(const Futures& futures, const Future<>& future) {
    return static_cast<int>(std::find(futures.begin(), futures.end(), future) - futures.begin());
}

Coroutine<> take(std::string name, AsCompleted<> completed, Futures futures) {
    try {
        while (auto future = co_await completed.next()) {
            print(name, "got", number(futures, *future));
        }
    } catch (const CancelledError&) {
        print(name, "cancelled");
        throw;
    } catch (const TimeoutError&) {
        print(name, err());
    }
    print(name, "ends");
}

Coroutine<int> instant(int value) {
    co_return value;
}

Coroutine<> result_of_one() {
    for (auto item : as_completed(instant(1))) {
        int value = co_await item;
        print("result", value);
    }
}

Coroutine<> future_of_one() {
    auto completed = as_completed(instant(1));
    while (auto future = co_await completed.next()) {
        print("future", future->result(), true);
    }
}

Futures some(int count) {
    Futures futures;
    for (int index = 0; index < count; ++index) {
        futures.push_back(loop().create_future());
    }
    return futures;
}

Coroutine<> late(AsCompleted<> completed, Futures futures) {
    co_await sleep(0);
    co_await sleep(0);
    co_await take("quick", completed, futures);
}

Coroutine<> main_() {
    print("== one coroutine");
    auto task = create_task(future_of_one());
    co_await turns(5);
    task = create_task(result_of_one());
    co_await turns(5);

    print("== two take turns");
    auto futures = some(4);
    auto completed = as_completed(futures);
    auto a = create_task(take("a", completed, futures));
    auto b = create_task(take("b", completed, futures));
    co_await turns(1);
    futures[2].set_result();
    co_await turns(3);
    futures[0].set_result();
    futures[3].cancel();
    co_await turns(3);
    futures[1].set_exception(RuntimeError("not looked at"));
    co_await turns(3);
    print(a.done(), b.done(), futures[1].exception());

    print("== one is cancelled while it waits");
    futures = some(2);
    completed = as_completed(futures);
    a = create_task(take("a", completed, futures));
    b = create_task(take("b", completed, futures));
    co_await turns(1);
    a.cancel();
    futures[1].set_result();
    co_await turns(3);
    futures[0].set_result();
    co_await turns(3);
    print(a.cancelled(), b.done());

    print("== one is cancelled when it has been woken");
    futures = some(2);
    completed = as_completed(futures);
    a = create_task(take("a", completed, futures));
    b = create_task(take("b", completed, futures));
    co_await turns(1);
    futures[0].set_result();
    loop().call_soon([a] { print("cancel", a.cancel()); });
    co_await turns(4);
    futures[1].set_result();
    co_await turns(3);
    print(a.cancelled(), b.done());

    print("== one that need not wait is quicker");
    futures = some(2);
    completed = as_completed(futures);
    a = create_task(take("a", completed, futures));
    co_await turns(1);
    auto quick = create_task(late(completed, futures));
    co_await turns(1);
    futures[0].set_result();
    co_await turns(3);
    futures[1].set_result();
    co_await turns(3);
    print(a.done(), quick.done());

    print("== the time is up in the turn in which one is done");
    futures = some(3);
    completed = as_completed(futures, 0.01);
    a = create_task(take("a", completed, futures));
    co_await turns(1);
    futures[0].set_result();
    co_await sleep(0.02);
    co_await turns(1);
    b = create_task(take("b", completed, futures));
    co_await turns(2);
    bool done = futures[1].done();
    auto more = co_await completed.next();
    print(done, more ? "more" : "nothing more");
}

int main() {
    run(main_());
}
