// async_test.hpp - ASYNC_TEST: a test whose body is a coroutine, on a virtual clock.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/runners.hpp>
#include <asyncio/testing/settle.hpp>
#include <asyncio/testing/virtual_clock.hpp>

#include "proactors.hpp"

#include <gtest/gtest.h>

#include <string>

namespace asyncio::testing {

/// Runs `body` on each proactor, on a virtual clock. What it throws is a failure.
inline void run_async_test(Coroutine<> (*body)()) {
    for (const char* proactor : proactors) {
        SCOPED_TRACE(std::string("on ") + proactor);
        const VirtualClockScope clock;
        try {
            run(body(), {.proactor = proactor});
        } catch (...) {
            ADD_FAILURE() << "the test threw " << describe(std::current_exception());
        }
    }
}

}  // namespace asyncio::testing

/// A GoogleTest test whose body is a Coroutine<>. Use EXPECT_*, not ASSERT_* (which returns).
#define ASYNC_TEST(suite, name)                                     \
    static ::asyncio::Coroutine<> suite##_##name##_body();          \
    TEST(suite, name) {                                             \
        ::asyncio::testing::run_async_test(&suite##_##name##_body); \
    }                                                               \
    static ::asyncio::Coroutine<> suite##_##name##_body()
