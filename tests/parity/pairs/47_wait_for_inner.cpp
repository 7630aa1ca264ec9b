// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<std::string> inner(std::string name, std::string on_cancel, double clean = 0) {
    auto slept = co_await as_result(sleep(10));
    print(name, slept.error());
    if (clean > 0) {
        co_await sleep(clean);
    }
    if (on_cancel == "return") {
        co_return name;
    }
    if (on_cancel == "raise") {
        throw std::invalid_argument(name);
    }
    slept.get();
    co_return name;
}

template <class Awaitable>
Coroutine<> report(std::string what, Awaitable awaitable) {
    try {
        auto value = co_await std::move(awaitable);
        print(what, value);
    } catch (const CancelledError&) {
        print(what, err(), current_task().cancelling());
    } catch (const std::exception&) {
        print(what, err(), current_task().cancelling());
    }
}

Coroutine<bool> is_task(AnyTask expected) {
    co_return current_task() == expected;
}

Coroutine<> main_() {
    co_await report("coroutine returns:", wait_for(inner("a", "return"), 0.02));
    co_await report("coroutine raises:", wait_for(inner("b", "raise"), 0.02));
    co_await report("coroutine ends:", wait_for(inner("c", "end", 0.03), 0.02));
    auto task = create_task(inner("d", "return", 0.03));
    co_await report("task returns:", wait_for(task, 0.02));
    task = create_task(inner("e", "raise"));
    co_await report("task raises:", wait_for(task, 0.02));
    task = create_task(inner("f", "end", 0.03));
    co_await report("task ends:", wait_for(task, 0.02));
    print(task.cancelled());

    task = create_task(inner("g", "return"));
    co_await sleep(0);
    co_await report("no time at all:", wait_for(task, 0));
    print(task.result());
    task = create_task(inner("h", "end"));
    co_await sleep(0);
    co_await report("negative time:", wait_for(task, -1));
    print(task.cancelled());

    auto outer = create_task(wait_for(inner("i", "return"), 5));
    co_await sleep(0.02);
    outer.cancel("outside");
    co_await report("cancelled, inner returns:", outer);
    outer = create_task(wait_for(inner("j", "end"), 5));
    co_await sleep(0.02);
    outer.cancel("outside");
    co_await report("cancelled, inner ends:", outer);
    outer = create_task(wait_for(inner("k", "end", 0.04), 0.02));
    co_await sleep(0.04);
    outer.cancel("outside, after the timeout");
    co_await report("timed out, then cancelled:", outer);

    auto future = loop().create_future<std::string>();
    co_await report("future:", wait_for(future, 0.02));
    print(future.cancelled());
    future = loop().create_future<std::string>();
    loop().call_later(0.02, [&] { future.set_result("result"); });
    co_await report("in time:", wait_for(future, 1));
    co_await report("None:", wait_for(sleep(0.02, std::string("slept")), std::nullopt));
    bool same = co_await wait_for(is_task(current_task()), 1);
    print(same);
}

int main() {
    run(main_());
}
