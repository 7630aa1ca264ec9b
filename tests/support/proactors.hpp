// proactors.hpp - which proactors there are to test on.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/exceptions.hpp>
#include <asyncio/lowlevel/proactor.hpp>

#include <cstdio>
#include <memory>
#include <vector>

namespace asyncio::testing {

/// Has this system an io_uring that a program may use? Says so where it has none.
inline bool has_io_uring() {
    static const bool there = [] {
        try {
            static_cast<void>(lowlevel::make_system_proactor("io_uring"));
            return true;
        } catch (const OSError& error) {
            std::fprintf(stderr, "not tested: io_uring (%s)\n", error.what());
            return false;
        }
    }();
    return there;
}

/// Every proactor of this system, for tests that run on each.
inline const std::vector<const char*> proactors =
    has_io_uring() ? std::vector{"epoll", "io_uring"} : std::vector{"epoll"};

}  // namespace asyncio::testing
