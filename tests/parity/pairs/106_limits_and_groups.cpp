// SPDX-License-Identifier: MIT
#include "pair.hpp"

int count() {
    return current_task().cancelling();
}

Coroutine<> child(std::string name, double delay, bool fails = false, double cleanup = 0) {
    auto slept = co_await as_result(sleep(delay));
    if (!slept.has_value()) {
        print(name, slept.error(), count());
        if (cleanup > 0) {
            co_await sleep(cleanup);
            print(name, "is clean");
        }
        slept.get();
    }
    print(name, "ends");
    if (fails) {
        throw RuntimeError(name);
    }
}

template <class A>
Coroutine<> report(std::string what, A awaitable) {
    auto result = co_await as_result(std::move(awaitable));
    if (result.has_value()) {
        print(what, "ends", count());
    } else {
        print(what, result.error(), count());
    }
    co_await sleep(0);
}

Coroutine<> group_in_limit(double limit, double fails_after, double cleanup = 0,
                           bool fails = true) {
    auto in_group = [&](TaskGroup& group) -> Coroutine<> {
        group.create_task(child("slow", 10, false, cleanup));
        co_await child("body", fails_after);
        if (fails) {
            throw RuntimeError("body");
        }
    };
    auto in_limit = [&](Timeout& timeout) -> Coroutine<> {
        auto result = co_await as_result(task_group(in_group));
        print("group is over", timeout.expired(), count());
        result.get();
    };
    co_await timeout(limit, in_limit);
}

Coroutine<> limit_in_group(double limit, double fails_after) {
    auto in_group = [&](TaskGroup& group) -> Coroutine<> {
        group.create_task(child("fails", fails_after, true));
        auto in_limit = []() -> Coroutine<> { co_await child("body", 10); };
        bool is_up = false;
        try {
            co_await timeout(limit, in_limit);
        } catch (const TimeoutError&) {
            print("limit", err(), count());
            is_up = true;
        }
        if (is_up) {
            co_await child("after the limit", 10);
        }
    };
    co_await task_group(in_group);
}

Coroutine<> limited(std::string name, double limit, double delay) {
    auto body = [&]() -> Coroutine<> { co_await child(name, delay); };
    co_await timeout(limit, body);
}

Coroutine<> children_with_limits() {
    auto body = [](TaskGroup& group) -> Coroutine<> {
        group.create_task(limited("in time", 10, .01));
        group.create_task(limited("late", .03, 10));
        group.create_task(limited("other", 10, 10));
        co_await child("body", .02);
    };
    co_await task_group(body);
}

Coroutine<> swallows_the_limit() {
    Timeout limit = timeout(.01);
    auto body = [&]() -> Coroutine<> {
        try {
            co_await sleep(10);
        } catch (const CancelledError&) {
            print("swallowed", err(), count());
        }
        print("goes on", limit.expired(), count());
        co_await sleep(.01);
    };
    co_await with(limit, body);
    print("after", limit.expired(), count());
}

Coroutine<> fails_in_cleanup() {
    auto in_group = [](TaskGroup& group) -> Coroutine<> {
        group.create_task(child("slow", 10));
        try {
            co_await sleep(10);
        } catch (const CancelledError&) {
            throw RuntimeError("cleanup");
        }
    };
    auto in_limit = [&]() -> Coroutine<> { co_await task_group(in_group); };
    try {
        co_await timeout(.01, in_limit);
    } catch (const ExceptionGroup&) {
        print("fails", err(), count());
        throw;
    }
}

Coroutine<> twice(double limit) {
    auto in_inner = [](TaskGroup& inner) {
        inner.create_task(child("inner child", .02, true));
    };
    auto in_outer = [&](TaskGroup& outer) -> Coroutine<> {
        outer.create_task(child("outer child", 10));
        co_await task_group(in_inner);
    };
    auto in_limit = [&]() -> Coroutine<> { co_await task_group(in_outer); };
    co_await timeout(limit, in_limit);
}

Coroutine<> main_() {
    print("== a group in a limit that expires");
    co_await report("limit", group_in_limit(.02, 10));
    print("== in one that expires while the group waits");
    co_await report("limit", group_in_limit(.02, .01, 0, false));
    print("== in one that expires while a child cleans up after an error");
    co_await report("limit", group_in_limit(.02, .01, .03));
    print("== and while it cleans up after the limit");
    co_await report("limit", group_in_limit(.01, 10, .03));
    print("== a group that fails in time");
    co_await report("limit", group_in_limit(10, .01));
    print("== a limit in a group, the limit first");
    co_await report("group", limit_in_group(.01, .03));
    print("== the group first");
    co_await report("group", limit_in_group(.03, .01));
    print("== children with limits of their own");
    co_await report("group", children_with_limits());
    print("== swallowed");
    co_await report("limit", swallows_the_limit());
    print("== an error instead");
    co_await report("limit", fails_in_cleanup());
    print("== groups in a limit, a child fails first");
    co_await report("limit", twice(.05));
    print("== the limit first");
    co_await report("limit", twice(.01));
    print("== cancelled from outside while it cleans up after the limit");
    auto task = create_task(group_in_limit(.01, 10, .03));
    co_await sleep(.02);
    task.cancel("outside");
    co_await report("main", task);
    print(task.cancelled(), task.cancelling());
}

int main() {
    run(main_());
}
