// braced_list.cpp - canary: a list of objects in braces as the argument of what is awaited.
//
// SPDX-License-Identifier: MIT
#include "canary.hpp"

CANARY(braced_list_of_objects) {
    auto call = [](std::vector<Object> objects) -> Coroutine<int> {
        co_await sleep(0);
        int sum = 0;
        for (const Object& one : objects) {
            sum += one.value();
        }
        co_return sum;
    };
    int result = co_await call({Object(1), Object(2)});
    check(result == 3);
}
