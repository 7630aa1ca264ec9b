// SPDX-License-Identifier: MIT
#include "pair.hpp"

std::string shown(const std::optional<int>& item) {
    return item ? std::to_string(*item) : "at its end";
}

AsyncGenerator<int> slow_cleanup() {
    std::exception_ptr error;
    try {
        co_yield 1;
        print("never");
    } catch (...) {
        error = std::current_exception();
    }
    print("cleanup after", error);
    co_await sleep(0.02);
    print("cleanup is over");
    if (error != nullptr) {
        std::rethrow_exception(error);
    }
}

AsyncGenerator<int> returns() {
    try {
        co_yield 1;
    } catch (const GeneratorExit&) {}
    co_await sleep(0);
    print("returns");
}

AsyncGenerator<int> fails() {
    try {
        co_yield 1;
    } catch (const GeneratorExit&) {
        throw RuntimeError("in the cleanup");
    }
}

AsyncGenerator<int> ignores() {
    try {
        co_yield 1;
    } catch (const GeneratorExit&) {
        print("ignored");
    }
    co_yield 2;
    co_yield 3;
}

Coroutine<> closes(AsyncGenerator<int>& generator) {
    co_await generator.aclose();
}

Coroutine<> refused(AsyncGenerator<int>& generator) {
    try {
        co_await generator.next();
    } catch (const RuntimeError&) {
        print(err());
    }
    try {
        co_await generator.athrow(std::invalid_argument(""));
    } catch (const RuntimeError&) {
        print(err());
    }
    try {
        co_await generator.aclose();
    } catch (const RuntimeError&) {
        print(err());
    }
}

Coroutine<> main_() {
    auto a = slow_cleanup();
    co_await a.next();
    auto closing = create_task(closes(a));
    co_await sleep(0);
    co_await refused(a);
    co_await closing;
    print(shown(co_await a.next()));
    co_await a.aclose();

    auto b = returns();
    co_await b.next();
    co_await b.aclose();
    print(shown(co_await b.next()));

    auto c = fails();
    co_await c.next();
    try {
        co_await c.aclose();
    } catch (const RuntimeError&) {
        print(err());
    }
    print(shown(co_await c.next()));

    auto d = ignores();
    co_await d.next();
    try {
        co_await d.aclose();
    } catch (const RuntimeError&) {
        print(err());
    }
    print(shown(co_await d.next()));
    print(shown(co_await d.next()));

    auto e = slow_cleanup();
    co_await e.aclose();
    print("never begun:", shown(co_await e.next()));

    auto f = slow_cleanup();
    co_await f.next();
    closing = create_task(closes(f));
    co_await sleep(0);
    closing.cancel();
    try {
        co_await closing;
    } catch (const CancelledError&) {
        print("the cleanup was cancelled");
    }
    print(shown(co_await f.next()));

    auto g = ignores();
    co_await g.next();
    print("athrow(GeneratorExit) is no close:", shown(co_await g.athrow(GeneratorExit())));
}

int main() {
    run(main_());
}
