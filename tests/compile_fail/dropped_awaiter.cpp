// expect: ignoring return(ed)? value of .*nodiscard
// dropped_awaiter.cpp - sleep() without co_await does not wait.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

asyncio::Coroutine<> amain() {
    asyncio::sleep(1);
    co_return;
}
