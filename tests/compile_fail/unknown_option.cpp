// expect: cannot convert (initializer list|.<brace-enclosed|.\{).*TaskOptions
// unknown_option.cpp - an option that does not exist.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

asyncio::Coroutine<int> answer() {
    co_return 42;
}

asyncio::Coroutine<> amain() {
    auto task = asyncio::create_task(answer(), {.nam = "answer"});
    co_await task;
}
