// expect: no matching function for call to .create_task|neither an awaitable
// task_of_number.cpp - create_task() takes awaitables, and functions that give one.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

asyncio::Coroutine<> amain() {
    auto task = asyncio::create_task(42);
    co_await task;
}
