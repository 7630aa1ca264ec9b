// expect: what is called in another process is a function or a lambda that captures nothing
// process_capture.cpp - a lambda that has something of this process.
//
// SPDX-License-Identifier: MIT
#include <asyncio/processes.hpp>

int call(asyncio::ProcessPoolExecutor& pool, int factor) {
    return pool.submit([factor](int x) { return factor * x; }, 2).result();
}
