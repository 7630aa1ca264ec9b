// SPDX-License-Identifier: MIT
#include "pair.hpp"

Coroutine<> both() {
    auto now = loop().time();
    auto outer = timeout_at(now + 20ms);
    auto inner = timeout_at(now + 60ms);
    try {
        co_await with(outer, [&]() -> Coroutine<> {
            try {
                co_await with(inner, [&]() -> Coroutine<> {
                    auto slept = co_await as_result(sleep(10));
                    print("body", slept.error(), inner.expired(), outer.expired());
                    co_await sleep(0.1);
                    print("not reached: the inner one interrupts the cleanup");
                });
            } catch (const TimeoutError&) {
                print("inner raises");
            } catch (const CancelledError&) {
                print("inner lets pass", err(), inner.expired());
                throw;
            }
        });
    } catch (const TimeoutError&) {
        print("outer raises", err(), outer.expired(), current_task().cancelling());
    }
}

Coroutine<> outer_first() {
    auto outer = timeout(0.02);
    auto inner = timeout(10);
    try {
        co_await with(outer, [&] { return with(inner, [] { return sleep(10); }); });
    } catch (const TimeoutError&) {
        print("outer first", outer.expired(), inner.expired());
    }
}

Coroutine<> inner_first() {
    auto outer = timeout(10);
    co_await with(outer, [&]() -> Coroutine<> {
        auto inner = timeout(0.02);
        try {
            co_await with(inner, [] { return sleep(10); });
        } catch (const TimeoutError&) {
            print("inner first", outer.expired(), inner.expired());
        }
        co_await sleep(0);
    });
    print("outer is left in time", outer.expired());
}

Coroutine<> outside(double delay) {
    auto limit = timeout(0.02);
    try {
        co_await with(limit, [&]() -> Coroutine<> {
            auto slept = co_await as_result(sleep(10));
            print("body", slept.error(), limit.expired());
            co_await sleep(delay);
            slept.get();
        });
    } catch (const TimeoutError&) {
        print("TimeoutError", current_task().cancelling());
    } catch (const CancelledError&) {
        print("CancelledError", err(), limit.expired(), current_task().cancelling());
        throw;
    }
}

Coroutine<> no_checkpoint() {
    auto limit = timeout(0);
    co_await with(limit, [] { print("a block that does not wait is not interrupted"); });
    print(limit.expired());
}

Coroutine<> other_error() {
    auto limit = timeout(0.02);
    try {
        co_await with(limit, [&]() -> Coroutine<> {
            try {
                co_await sleep(10);
            } catch (const CancelledError&) {
                throw std::invalid_argument("instead");
            }
        });
    } catch (const std::invalid_argument&) {
        print(err(), limit.expired(), current_task().cancelling());
    }
}

Coroutine<> main_() {
    co_await both();
    co_await outer_first();
    co_await inner_first();
    auto task = create_task(outside(0.04));
    co_await sleep(0.04);
    task.cancel("outside");
    try {
        co_await task;
    } catch (const CancelledError&) {
        print("main", err(), task.cancelling());
    }
    co_await create_task(outside(0));
    co_await no_checkpoint();
    co_await other_error();
}

int main() {
    run(main_());
}
