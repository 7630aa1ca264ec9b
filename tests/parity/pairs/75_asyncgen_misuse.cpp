// SPDX-License-Identifier: MIT
#include "pair.hpp"

using Generator = AsyncGenerator<int, int>;

Generator slow() {
    co_await sleep(0.01);
    auto sent = co_yield 1;
    print("sent", *sent);
    co_await sleep(0.01);
    co_yield 2;
}

Coroutine<> ask(Generator& generator, std::string name) {
    try {
        auto item = co_await generator.next();
        print(name, "got", item ? std::to_string(*item) : "nothing");
    } catch (const RuntimeError&) {
        print(name, err());
    }
}

template <class Awaitable>
Coroutine<> attempt(std::string what, Awaitable awaitable) {
    auto result = co_await as_result(std::move(awaitable));
    if (result.error() == nullptr) {
        print(what, "no error");
    } else {
        print(what, result.error());
    }
}

Generator asks_itself(Generator*& me) {
    co_await attempt("itself:", me->next());
    co_yield 1;
}

Coroutine<> main_() {
    auto a = slow();
    co_await attempt("asend:", a.asend(5));
    auto first = create_task(ask(a, "first"));
    auto second = create_task(ask(a, "second"));
    co_await sleep(0);
    co_await attempt("asend:", a.asend(5));
    co_await attempt("athrow:", a.athrow(std::invalid_argument("")));
    co_await attempt("aclose:", a.aclose());
    co_await gather(first, second);
    co_await attempt("asend:", a.asend(5));
    co_await ask(a, "third");
    co_await attempt("asend at its end:", a.asend(5));

    Generator* pointer = nullptr;
    auto me = asks_itself(pointer);
    pointer = &me;
    co_await ask(me, "outside");

    auto b = slow();
    auto item = b.next();
    co_await std::move(item);
    try {
        co_await std::move(item);
    } catch (const RuntimeError&) {
        print(err());
    }
    auto close = b.aclose();
    co_await std::move(close);
    try {
        co_await std::move(close);
    } catch (const RuntimeError&) {
        print(err());
    }
}

int main() {
    run(main_());
}
