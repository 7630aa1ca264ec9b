// expect: no matching (member )?function for call to .*await_transform
// await_number.cpp - what is no awaitable cannot be awaited.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

asyncio::Coroutine<> amain() {
    co_await 42;
}
