// SPDX-License-Identifier: MIT
#include "pair.hpp"

std::vector<AsyncGenerator<int>> kept;

void handler(EventLoop&, const ExceptionContext& context) {
    print("handler:", context.message.substr(0, context.message.find(" <")), context.exception);
}

AsyncGenerator<int> tidy(std::string name, std::exception_ptr error_of_cleanup = nullptr) {
    std::exception_ptr error;
    try {
        co_yield 1;
    } catch (...) {
        error = std::current_exception();
    }
    print(name, "gets", error);
    co_await sleep(0.01);
    print(name, "is tidy");
    std::rethrow_exception(error_of_cleanup != nullptr ? error_of_cleanup : error);
}

AsyncGenerator<int> ignores() {
    try {
        co_yield 1;
    } catch (const GeneratorExit&) {}
    co_yield 2;
}

Coroutine<> keep(AsyncGenerator<int> generator) {
    kept.push_back(std::move(generator));
    co_await kept.back().next();
}

Coroutine<> one_is_kept() {
    co_await keep(tidy("kept"));
    print("main ends");
}

Coroutine<> one_fails() {
    loop().set_exception_handler(handler);
    auto error = std::make_exception_ptr(std::invalid_argument("in the cleanup"));
    co_await keep(tidy("failing", error));
    print("main ends");
}

Coroutine<> one_ignores() {
    loop().set_exception_handler(handler);
    co_await keep(ignores());
    print("main ends");
}

Coroutine<> one_is_cancelled() {
    loop().set_exception_handler(handler);
    auto error = std::make_exception_ptr(CancelledError());
    co_await keep(tidy("cancelling", error));
    print("main ends");
}

Coroutine<> none_was_begun() {
    kept.push_back(tidy("never begun"));
    print("main ends");
    co_return;
}

Coroutine<> called_by_hand() {
    co_await keep(tidy("by hand"));
    co_await loop().shutdown_asyncgens();
    print("shut down");
    co_await keep(tidy("late"));
    co_await loop().shutdown_asyncgens();
    print("shut down again");
}

int main() {
    for (auto main : {one_is_kept, one_fails, one_ignores, one_is_cancelled, none_was_begun,
                      called_by_hand}) {
        run(main());
        kept.clear();
        print("--");
    }
}
