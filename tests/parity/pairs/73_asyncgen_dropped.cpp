// SPDX-License-Identifier: MIT
#include "pair.hpp"

void handler(EventLoop&, const ExceptionContext& context) {
    print("handler:", context.message, context.exception, bool(context.future));
}

AsyncGenerator<int> tidy(std::string name) {
    std::exception_ptr error;
    try {
        co_yield 1;
        co_yield 2;
    } catch (...) {
        error = std::current_exception();
    }
    print(name, "gets", error);
    co_await sleep(0);
    print(name, "is tidy");
    if (error != nullptr) {
        std::rethrow_exception(error);
    }
}

AsyncGenerator<int> fails() {
    try {
        co_yield 1;
    } catch (const GeneratorExit&) {
        throw std::invalid_argument("in the cleanup");
    }
}

AsyncGenerator<int> ignores() {
    try {
        co_yield 1;
    } catch (const GeneratorExit&) {
        print("ignored");
    }
    co_yield 2;
}

Coroutine<> turns(int n) {
    for (int i = 0; i < n; ++i) {
        print("turn", i, "tasks", all_tasks().size());
        co_await sleep(0);
    }
}

Coroutine<> leaves_early() {
    {
        auto generator = tidy("left");
        while (auto item = co_await generator.next()) {
            print("item", *item);
            break;
        }
    }
    print("left the loop");
}

Coroutine<> main_() {
    loop().set_exception_handler(handler);
    std::optional<AsyncGenerator<int>> a = tidy("a");
    co_await a->next();
    loop().call_soon([] { print("before"); });
    a.reset();
    loop().call_soon([] { print("after"); });
    print("dropped");
    co_await turns(4);

    print("not begun");
    a = tidy("not begun");
    a.reset();
    print("at its end");
    a = tidy("at its end");
    while (auto item = co_await a->next()) {
    }
    a.reset();
    co_await turns(1);

    a = fails();
    co_await a->next();
    a.reset();
    co_await turns(3);

    a = ignores();
    co_await a->next();
    a.reset();
    co_await turns(3);

    co_await leaves_early();
    co_await turns(4);
}

int main() {
    run(main_());
}
