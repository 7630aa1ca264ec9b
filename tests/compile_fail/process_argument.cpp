// expect: an argument of this type cannot be sent to another process
// process_argument.cpp - a pointer means nothing in another process.
//
// SPDX-License-Identifier: MIT
#include <asyncio/processes.hpp>

int call(asyncio::ProcessPoolExecutor& pool, int* pointer) {
    return pool.submit([](int* x) { return *x; }, pointer).result();
}
