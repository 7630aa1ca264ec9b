// fork.cpp - what is called when the process forks.
//
// SPDX-License-Identifier: MIT
#include "../fork.hpp"

#include <asyncio/detail/config.hpp>

#include <pthread.h>

namespace asyncio::detail {

void at_fork(void (*before)(), void (*in_parent)(), void (*in_child)()) noexcept {
    // It only fails for want of a little memory, when the first loop is made.
    [[maybe_unused]] const int error = ::pthread_atfork(before, in_parent, in_child);
    ASYNCIO_ASSERT(error == 0);
}

}  // namespace asyncio::detail
