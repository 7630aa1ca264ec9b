// expect: cannot convert (initializer list|.<brace-enclosed|.\{).*TaskOptions
// wrong_option_type.cpp - an option of another type.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

asyncio::Coroutine<int> answer() {
    co_return 42;
}

asyncio::Coroutine<> amain() {
    auto task = asyncio::create_task(answer(), {.name = 42.0});
    co_await task;
}
