// SPDX-License-Identifier: MIT
#include "pair.hpp"

void attempt(const char* what, Timeout& limit, std::optional<TimePoint> when) {
    try {
        limit.reschedule(when);
        print(what, "accepted");
    } catch (const RuntimeError&) {
        print(what, err());
    }
}

Coroutine<> main_() {
    auto none = timeout(std::nullopt);
    print(none.when() ? "set" : "None", none.expired());
    attempt("before:", none, std::nullopt);
    co_await with(none, [&]() -> Coroutine<> {
        co_await sleep(0.02);
        attempt("inside:", none, loop().time() + 60s);
    });
    print("never set off", none.expired());
    attempt("after:", none, std::nullopt);

    auto began = loop().time();
    auto earlier = timeout(10);
    try {
        co_await with(earlier, [&]() -> Coroutine<> {
            earlier.reschedule(began + 20ms);
            print("earlier", earlier.when() == began + 20ms);
            co_await sleep(5);
        });
    } catch (const TimeoutError&) {
        print(err(), earlier.expired());
    }
    attempt("expired:", earlier, std::nullopt);

    auto later = timeout(0.02);
    co_await with(later, [&]() -> Coroutine<> {
        later.reschedule(loop().time() + 10s);
        co_await sleep(0.06);
    });
    print("later", later.expired());

    auto past = timeout(0.02);
    try {
        co_await with(past, [&]() -> Coroutine<> {
            past.reschedule(std::nullopt);
            co_await sleep(0.04);
            past.reschedule(loop().time() - 1s);
            print("the past is now", past.expired());
            co_await sleep(0);
            print("not reached");
        });
    } catch (const TimeoutError&) {
        print(err(), past.expired());
    }

    auto expiring = timeout_at(loop().time() + 20ms);
    try {
        co_await with(expiring, [&]() -> Coroutine<> {
            try {
                co_await sleep(10);
            } catch (const CancelledError&) {
                attempt("expiring:", expiring, loop().time() + 10s);
                throw;
            }
        });
    } catch (const TimeoutError&) {
        print(err(), current_task().cancelling());
    }

    try {
        co_await with(expiring, [] { print("not reached"); });
    } catch (const RuntimeError&) {
        print(err());
    }
}

int main() {
    run(main_());
}
