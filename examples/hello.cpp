// hello.cpp - the first program: two coroutines that wait at the same time.
//
// Its Python twin, hello.py, prints the same.
// SPDX-License-Identifier: MIT
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

Coroutine<> amain() {
    std::puts("hello");
    auto [later, sooner] = co_await gather(say_after(100ms, "world"), say_after(50ms, "async"));
    std::printf("%zu and %zu characters\n", later, sooner);
}

int main() {
    run(amain());
}
