// expect: await_suspend.* must return void or bool
// handle_in_as_result.cpp - nor in as_result(): a Coroutine cannot hand over to the coroutine of a
// handle.
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
    auto result = co_await asyncio::as_result(HandsOver());
    result.get();
}
