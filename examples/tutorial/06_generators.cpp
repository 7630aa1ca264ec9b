// 06_generators.cpp - chapter 6 of docs/tutorial: async generators.
//
// Its Python twin, 06_generators.py, prints the same.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <cstdio>
#include <exception>
#include <string>
#include <utility>

using namespace asyncio;
using namespace std::chrono_literals;

// [generator]
AsyncGenerator<int> ticks(int count) {
    for (int tick = 0; tick < count; ++tick) {
        co_await sleep(10ms);
        co_yield tick;
    }
}

Coroutine<> generator() {
    auto numbers = ticks(3);
    while (auto tick = co_await numbers.next()) {
        std::printf("tick %d\n", *tick);
    }
}
// [/generator]

// [close]
AsyncGenerator<int> rows(std::string name) {
    std::printf("open %s\n", name.c_str());
    std::exception_ptr error;
    try {
        for (int row = 0; row < 1000; ++row) {
            co_yield row;
        }
    } catch (...) {  // GeneratorExit, when it is closed
        error = std::current_exception();
    }
    co_await sleep(10ms);
    std::printf("close %s\n", name.c_str());
    if (error != nullptr) {
        std::rethrow_exception(error);
    }
}

Coroutine<> close() {
    co_await with(aclosing(rows("table")), [](AsyncGenerator<int>& table) -> Coroutine<> {
        while (auto row = co_await table.next()) {
            if (*row == 2) {
                std::printf("found %d\n", *row);
                break;
            }
        }
    });
    std::puts("after the block");
}
// [/close]

// [pipeline]
AsyncGenerator<int> only_even(AsyncGenerator<int> numbers) {
    while (auto number = co_await numbers.next()) {
        if (*number % 2 == 0) {
            co_yield *number;
        }
    }
}

Coroutine<> pipeline() {
    auto numbers = only_even(ticks(5));
    while (auto number = co_await numbers.next()) {
        std::printf("even %d\n", *number);
    }
}
// [/pipeline]

// [send]
AsyncGenerator<double, double> average() {
    double total = 0, mean = 0;
    int count = 0;
    while (true) {
        auto value = co_yield mean;  // a std::optional: empty after next()
        total += value.value();
        ++count;
        mean = total / count;
    }
}

Coroutine<> send() {
    auto mean = average();
    co_await mean.next();  // to the first co_yield
    for (double value : {10.0, 20.0, 60.0}) {
        auto result = co_await mean.asend(value);
        std::printf("%.1f\n", *result);
    }
    co_await mean.aclose();
}
// [/send]

Coroutine<> amain() {
    std::puts("-- generator");
    co_await generator();
    std::puts("-- close");
    co_await close();
    std::puts("-- pipeline");
    co_await pipeline();
    std::puts("-- send");
    co_await send();
}

int main() {
    run(amain());
}
