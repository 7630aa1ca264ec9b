// virtual_clock_main.cpp - linked into a program with a main() of its own: virtual time on demand.
//
// With ASYNCIO_TEST_CLOCK=virtual in the environment every loop of the program jumps to its next
// deadline instead of waiting for it, so that one program is tested both ways.
// SPDX-License-Identifier: MIT
#include <asyncio/testing/virtual_clock.hpp>

#include <cstdlib>
#include <string_view>

namespace {

const bool virtual_clock = [] {
    const char* clock = std::getenv("ASYNCIO_TEST_CLOCK");
    if (clock == nullptr || std::string_view(clock) != "virtual") {
        return false;
    }
    asyncio::testing::use_virtual_clock();
    return true;
}();

}  // namespace
