// SPDX-License-Identifier: MIT
#include "pair.hpp"

AsyncGenerator<int> numbers(std::string name) {
    std::exception_ptr error;
    int n = 0;
    try {
        while (n < 4) {
            co_yield n;
            n += 1;
        }
    } catch (...) {
        error = std::current_exception();
    }
    co_await sleep(0);
    print(name, "closed after", error);
    if (error != nullptr) {
        std::rethrow_exception(error);
    }
}

AsyncGenerator<int> fails_in_cleanup() {
    try {
        co_yield 1;
    } catch (const GeneratorExit&) {
        throw std::invalid_argument("in the cleanup");
    }
}

Coroutine<> cancelled() {
    co_await with(aclosing(numbers("cancelled")), [](AsyncGenerator<int>& generator) -> Coroutine<> {
        co_await generator.next();
        co_await sleep(10);
    });
}

Coroutine<> main_() {
    co_await with(aclosing(numbers("broken off")), [](AsyncGenerator<int>& generator) -> Coroutine<> {
        while (auto n = co_await generator.next()) {
            print(*n);
            if (*n == 1) {
                break;
            }
        }
    });
    print("after the block");

    co_await with(aclosing(numbers("read to the end")), [](auto& generator) -> Coroutine<> {
        while (auto n = co_await generator.next()) {
            print(*n);
        }
    });

    auto mine = numbers("an error");
    try {
        co_await with(aclosing(mine), [](AsyncGenerator<int>& generator) -> Coroutine<> {
            auto first = co_await generator.next();
            print(*first);
            throw RuntimeError("in the block");
        });
    } catch (const RuntimeError&) {
        print(err());
    }
    auto after = co_await mine.next();
    print(after ? std::to_string(*after) : "at its end");

    try {
        co_await with(aclosing(fails_in_cleanup()), [](AsyncGenerator<int>& generator) -> Coroutine<> {
            co_await generator.next();
            throw RuntimeError("in the block");
        });
    } catch (const std::invalid_argument&) {
        print(err());
    }

    auto task = create_task(cancelled());
    co_await sleep(0);
    task.cancel();
    try {
        co_await task;
    } catch (const CancelledError&) {
        print(err());
    }
}

int main() {
    run(main_());
}
