// expect: no matching (member )?function for call to .*call_soon
// call_soon_of_number.cpp - the loop calls what can be called.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

void schedule(asyncio::EventLoop& loop) {
    loop.call_soon(42);
}
