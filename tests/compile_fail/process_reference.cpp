// expect: a function in another process cannot change an object of the caller
// process_reference.cpp - a function that would change a copy.
//
// SPDX-License-Identifier: MIT
#include <asyncio/processes.hpp>

void call(asyncio::ProcessPoolExecutor& pool, int& counter) {
    pool.submit([](int& x) { ++x; }, counter).result();
}
