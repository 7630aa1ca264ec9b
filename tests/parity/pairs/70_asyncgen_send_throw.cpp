// SPDX-License-Identifier: MIT
#include "pair.hpp"

std::string shown(const std::optional<int>& item, const char* none) {
    return item ? std::to_string(*item) : none;
}

AsyncGenerator<int, std::string> echo() {
    print("begins");
    int item = 0;
    while (true) {
        try {
            std::optional<std::string> sent = co_yield item;
            print("sent", sent.value_or("nothing"));
            co_await sleep(0);
            item += 1;
        } catch (const std::invalid_argument&) {
            print("thrown in", err());
            item = -1;
        }
        if (item == 3) {
            co_return;
        }
    }
}

Coroutine<> main_() {
    auto a = echo();
    print("made");
    print(shown(co_await a.next(), "?"));
    print(shown(co_await a.asend("one"), "?"));
    print(shown(co_await a.athrow(std::invalid_argument("bad")), "?"));
    print(shown(co_await a.next(), "?"));
    loop().call_soon([] { print("in the turn that it awaits"); });
    print(shown(co_await a.asend("two"), "?"));
    try {
        print(shown(co_await a.athrow(RuntimeError("not caught")), "?"));
    } catch (const RuntimeError&) {
        print(err());
    }
    print(shown(co_await a.next(), "at its end"));
    print(shown(co_await a.athrow(std::invalid_argument("at its end")), "None"));

    auto b = echo();
    co_await b.next();
    while (auto item = co_await b.next()) {
        print("item", *item);
    }
    print(shown(co_await b.next(), "at its end"));
    co_await b.aclose();

    auto c = echo();
    try {
        co_await c.athrow(std::invalid_argument("before it began"));
    } catch (const std::invalid_argument&) {
        print(err());
    }
    print(shown(co_await c.next(), "at its end"));
}

int main() {
    run(main_());
}
