// 01_first_program.cpp - chapter 1 of docs/tutorial: a first program.
//
// Its Python twin, 01_first_program.py, prints the same.
// SPDX-License-Identifier: MIT
// [program]
#include <asyncio/asyncio.hpp>

#include <cstdio>
#include <string>

using namespace asyncio;
using namespace std::chrono_literals;

Coroutine<std::size_t> say_after(Duration delay, std::string what) {
    co_await sleep(delay);
    std::puts(what.c_str());
    co_return what.size();
}

Coroutine<std::size_t> amain() {
    std::puts("hello");
    auto first = co_await say_after(30ms, "one");
    auto [second, third] = co_await gather(say_after(60ms, "three"), say_after(30ms, "two"));
    co_return first + second + third;
}

int main() {
    std::printf("%zu characters\n", run(amain()));
}
// [/program]
