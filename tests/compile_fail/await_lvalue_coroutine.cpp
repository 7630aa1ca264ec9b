// expect: no matching (member )?function for call to .*await_transform
// await_lvalue_coroutine.cpp - a coroutine is awaited once: co_await std::move(coroutine).
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

asyncio::Coroutine<int> answer() {
    co_return 42;
}

asyncio::Coroutine<> amain() {
    auto coroutine = answer();
    int value = co_await coroutine;
    (void)value;
}
