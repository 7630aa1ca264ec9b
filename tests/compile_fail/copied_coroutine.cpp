// expect: (deleted function|implicitly-deleted copy constructor)
// copied_coroutine.cpp - there is one owner of a coroutine.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

asyncio::Coroutine<int> answer() {
    co_return 42;
}

int main() {
    auto coroutine = answer();
    auto copy = coroutine;
}
