// expect: a Coroutine is awaited once: pass it with std::move
// task_of_lvalue_coroutine.cpp - create_task() takes the coroutine over.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

asyncio::Coroutine<int> answer() {
    co_return 42;
}

asyncio::Coroutine<> amain() {
    auto coroutine = answer();
    auto task = asyncio::create_task(coroutine);
    co_await task;
}
