// expect: cannot convert|no viable conversion
// wrong_result_type.cpp - what a coroutine gives has its type.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

asyncio::Coroutine<std::string> answer() {
    co_return "42";
}

asyncio::Coroutine<> amain() {
    int value = co_await answer();
    (void)value;
}
