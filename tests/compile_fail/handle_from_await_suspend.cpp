// expect: await_suspend.* must return void or bool
// handle_from_await_suspend.cpp - a Coroutine cannot hand over to the coroutine of a handle.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <coroutine>

struct HandsOver {
    bool await_ready() { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) { return caller; }
    void await_resume() {}
};

asyncio::Coroutine<> amain() {
    co_await HandsOver();
}
