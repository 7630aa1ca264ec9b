// children.hpp - what tests that start processes look at.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>

#include <sys/wait.h>

namespace asyncio::testing {

/// Has this process a child, dead or alive, that nobody has reaped?
inline bool has_children() {
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/// Waits until a child has ended, without reaping it.
inline void wait_for_end(int pid) {
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) != 0 &&
           errno == EINTR) {}
}

}  // namespace asyncio::testing
