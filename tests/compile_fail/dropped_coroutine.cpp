// expect: ignoring return(ed)? value of .*nodiscard
// dropped_coroutine.cpp - a coroutine that is called and never awaited does nothing.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

asyncio::Coroutine<int> answer() {
    co_return 42;
}

asyncio::Coroutine<> amain() {
    answer();
    co_return;
}
