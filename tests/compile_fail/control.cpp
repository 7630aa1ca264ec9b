// control.cpp - must compile: what the other files do wrong, done right.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

asyncio::Coroutine<int> answer() {
    co_return 42;
}

asyncio::Coroutine<> amain() {
    auto task = asyncio::create_task(answer());
    co_await asyncio::sleep(0);
    int sum = co_await answer() + co_await task;
    (void)sum;
}

int main() {
    asyncio::run(amain());
}
