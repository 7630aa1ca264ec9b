// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<int> limited(std::string name, double delay, Coroutine<int> awaitable) {
    AnyTask task = current_task();
    int before = task.cancelling();
    bool is_up = false;
    TimerHandle handle = loop().call_later(delay, [&] {
        is_up = true;
        task.cancel(name);
    });
    auto result = co_await as_result(std::move(awaitable));
    handle.cancel();
    if (is_up) {
        int left = task.uncancel();
        std::string error = result.has_value() ? "None" : describe(result.error());
        print(name, "is up,", left, "left,", error);
        if (!result.has_value() && left <= before) {
            throw TimeoutError();
        }
    }
    co_return result.get();
}

Coroutine<int> work(std::string name, double delay) {
    co_await sleep(delay);
    print(name, "ends");
    co_return 1;
}

Coroutine<int> cleans_up(std::string name, double delay, double cleanup) {
    auto slept = co_await as_result(sleep(delay));
    if (!slept.has_value()) {
        print(name, slept.error());
        co_await sleep(cleanup);
        print(name, "is clean");
        slept.get();
    }
    co_return 2;
}

Coroutine<int> refuses(std::string name) {
    try {
        co_await sleep(10);
    } catch (const CancelledError&) {
        print(name, err());
    }
    co_return 3;
}

template <class A>
Coroutine<> report(std::string what, A awaitable) {
    try {
        int value = co_await std::move(awaitable);
        print(what, "gave", value);
    } catch (const TimeoutError&) {
        print(what, err());
    } catch (const CancelledError&) {
        print(what, err());
    }
    print("requests:", current_task().cancelling());
    co_await sleep(0);
}

Coroutine<> cancelled_from_outside(double delay, Coroutine<int> awaitable) {
    auto task = create_task(std::move(awaitable));
    co_await sleep(delay);
    task.cancel("outside");
    co_await report("outside", task);
    print(task.cancelled(), task.cancelling());
}

Coroutine<> main_() {
    print("== in time");
    co_await report("quick", limited("long", 10, work("quick", .01)));
    print("== out of time");
    co_await report("slow", limited("short", .01, work("slow", 10)));
    print("== the inner one first");
    co_await report("nested", limited("outer", .03, limited("inner", .01, work("slow", 10))));
    print("== the outer one first");
    co_await report("nested", limited("outer", .01, limited("inner", .03, work("slow", 10))));
    print("== both, one after the other");
    co_await report("nested",
                    limited("outer", .03, limited("inner", .01, cleans_up("slow", 10, 5))));
    print("== around a library's limit");
    co_await report("library", limited("own", .03, wait_for(cleans_up("slow", 10, 5), .01)));
    print("== inside a library's limit");
    co_await report("library", wait_for(limited("own", .01, cleans_up("slow", 10, 5)), .03));
    print("== a result all the same");
    co_await report("refused", limited("short", .01, refuses("stubborn")));
    print("== cancelled before");
    co_await cancelled_from_outside(.01, limited("long", 10, cleans_up("work", 10, .01)));
    print("== cancelled while it cleans up");
    co_await cancelled_from_outside(.02, limited("short", .01, cleans_up("work", 10, 5)));
    print("== out of time while it cleans up");
    co_await cancelled_from_outside(.01, limited("short", .02, cleans_up("work", 10, 5)));
}

int main() {
    run(main_());
}
