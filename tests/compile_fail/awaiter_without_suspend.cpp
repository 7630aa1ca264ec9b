// expect: no matching (member )?function for call to .*await_transform
// awaiter_without_suspend.cpp - an awaiter has three functions.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

struct NeverWaits {
    bool await_ready() { return true; }
    void await_resume() {}
};

asyncio::Coroutine<> amain() {
    co_await NeverWaits();
}
