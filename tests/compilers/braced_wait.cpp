// braced_wait.cpp - canary: a vector of tasks in braces as the argument of wait().
//
// SPDX-License-Identifier: MIT
#include "canary.hpp"

CANARY(braced_list_of_tasks) {
    auto first = create_task(number(1));
    auto second = create_task(number(2));
    auto [done, pending] = co_await wait(std::vector<AnyFuture>{first, second});
    check(done.size() == 2 && pending.empty());
}
