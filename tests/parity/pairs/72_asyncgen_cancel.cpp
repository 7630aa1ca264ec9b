// SPDX-License-Identifier: MIT
#include "pair.hpp"

std::string shown(const std::optional<int>& item) {
    return item ? std::to_string(*item) : "at its end";
}

AsyncGenerator<int> numbers(std::string name) {
    int n = 0;
    while (true) {
        try {
            co_await sleep(1);
        } catch (const CancelledError&) {
            print(name, "sees", err());
            throw;
        }
        co_yield n;
        n += 1;
    }
}

AsyncGenerator<std::string> stubborn() {
    try {
        co_await sleep(1);
    } catch (const CancelledError&) {
        print("caught");
    }
    co_yield "an item after all";
    co_await sleep(0);
    co_yield "and one more";
}

template <class T>
Coroutine<> consumer(AsyncGenerator<T>& generator) {
    try {
        while (auto item = co_await generator.next()) {
            print("got", *item);
        }
    } catch (const CancelledError&) {
        print("consumer sees", err());
        throw;
    }
}

AsyncGenerator<int> nested(std::string name) {
    auto inner = numbers(name);
    while (auto item = co_await inner.next()) {
        co_yield *item;
    }
}

Coroutine<> cancel(Task<> task, std::optional<std::string> message = {}) {
    co_await sleep(0);
    task.cancel(message);
    try {
        co_await task;
        print("ended well,", task.cancelling());
    } catch (const CancelledError&) {
        print("cancelled", err());
    }
}

AsyncGenerator<int> plain() {
    co_yield 1;
    co_yield 2;
}

Coroutine<> between(AsyncGenerator<int>& generator) {
    co_await generator.next();
    co_await sleep(1);
}

Coroutine<> cancels_itself() {
    current_task().cancel();
    auto f = plain();
    auto first = co_await f.next();
    auto second = co_await f.next();
    print("no await, no cancellation:", *first, *second);
    co_await sleep(0);
}

Coroutine<> main_() {
    auto a = numbers("a");
    co_await cancel(create_task(consumer(a)), "why");
    print(shown(co_await a.next()));

    auto b = stubborn();
    co_await cancel(create_task(consumer(b)));
    auto after = co_await b.next();
    print(after.value_or("at its end"));

    auto c = nested("innermost");
    co_await cancel(create_task(consumer(c)));
    print(shown(co_await c.next()));

    auto d = numbers("d");
    try {
        co_await timeout(0.01, [&] { return d.next(); });
    } catch (const TimeoutError&) {
        print(err());
    }
    print(shown(co_await d.next()));

    auto e = plain();
    co_await cancel(create_task(between(e)));
    print(shown(co_await e.next()));

    co_await cancel(create_task(cancels_itself()));
}

int main() {
    run(main_());
}
