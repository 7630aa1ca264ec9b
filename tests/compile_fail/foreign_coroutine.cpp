// expect: no matching (member )?function for call to .*await_suspend
// foreign_coroutine.cpp - only a Coroutine can wait for what this library gives.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <coroutine>
#include <exception>

struct Foreign {
    struct promise_type {
        Foreign get_return_object() { return {}; }
        std::suspend_never initial_suspend() { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
};

Foreign amain() {
    co_await asyncio::sleep(1);
}
