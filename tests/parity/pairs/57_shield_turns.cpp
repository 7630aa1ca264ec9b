// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<int> work(std::string name, int value) {
    try {
        co_await sleep(0);
        co_await sleep(0);
    } catch (const CancelledError&) {
        print(name, "cancelled", err());
        throw;
    }
    print(name, "finished");
    co_return value;
}

Coroutine<> waits(std::string name, Future<int> future) {
    try {
        int value = co_await shield(future);
        print(name, "got", value);
    } catch (const CancelledError&) {
        print(name, err());
    } catch (const RuntimeError&) {
        print(name, err());
    }
}

Coroutine<> turns(int count) {
    for (int turn = 0; turn < count; ++turn) {
        print("- turn", turn);
        co_await sleep(0);
    }
}

auto done(std::string name) {
    return [name](AnyFuture future) { print(name, "is done", future.cancelled()); };
}

Coroutine<> main_() {
    print("== a result passes");
    auto inner = create_task(work("inner", 1));
    auto first = create_task(waits("first", inner));
    inner.add_done_callback(done("inner"));
    co_await turns(1);
    auto second = create_task(waits("second", inner));
    co_await turns(5);

    print("== an awaiter is cancelled");
    inner = create_task(work("inner", 2));
    first = create_task(waits("first", inner));
    second = create_task(waits("second", inner));
    co_await turns(1);
    print(first.cancel("why"), inner.cancelling());
    co_await turns(5);

    print("== the inner is cancelled");
    inner = create_task(work("inner", 3));
    first = create_task(waits("first", inner));
    co_await turns(1);
    print(inner.cancel("inner's"));
    co_await turns(5);

    print("== both in one turn, the outer first");
    auto future = loop().create_future<int>();
    auto outer = shield(future);
    future.add_done_callback(done("inner"));
    outer.add_done_callback(done("outer"));
    bool outer_first = outer.cancel("o");
    bool then_inner = future.cancel("i");
    print(outer_first, then_inner, outer.cancel("again"));
    co_await turns(3);

    print("== both in one turn, the inner first");
    future = loop().create_future<int>();
    outer = shield(future);
    future.add_done_callback(done("inner"));
    outer.add_done_callback(done("outer"));
    future.set_result(4);
    bool before = outer.done();
    print(before, outer.cancel());
    co_await turns(3);
    print(outer.cancelled(), future.result());

    print("== a shield of a shield");
    future = loop().create_future<int>();
    outer = shield(shield(future));
    outer.add_done_callback(done("outer"));
    future.set_exception(RuntimeError("inner"));
    co_await waits("main", outer);
    print(shield(outer) == outer);

    print("== of a coroutine");
    outer = shield(work("coroutine", 5));
    print(false, outer.done());
    co_await turns(5);
    print(outer.result());
}

int main() {
    run(main_());
}
