// block_function.cpp - canary: a function declared inside a coroutine.
//
// SPDX-License-Identifier: MIT
#include "canary.hpp"

CANARY(function_declared_in_a_coroutine) {
    Coroutine<int> declared_here();
    int result = co_await declared_here();
    check(result == 4);
}

Coroutine<int> declared_here() {
    co_return 4;
}
