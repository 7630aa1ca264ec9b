// expect: coroutines cannot be used with add_signal_handler\(\)
// coroutine_for_signal.cpp - nobody would own the coroutine that a signal began.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

asyncio::Coroutine<> handler() {
    co_return;
}

void install() {
    asyncio::add_signal_handler(15, handler);
}
