// time_test.cpp - Duration: what counts as a number of seconds, and what is out of range.
//
// SPDX-License-Identifier: MIT
#include "support/observe.hpp"

#include <asyncio/time.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>

namespace asyncio {

using namespace std::chrono_literals;
using testing::thrown_by;

namespace {

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
constexpr double infinity = std::numeric_limits<double>::infinity();

static_assert(Duration(2).nanoseconds() == 2'000'000'000);
static_assert(Duration(2ms).nanoseconds() == 2'000'000);
static_assert(Duration(1min) == Duration(60));
static_assert(Duration(1) < Duration(1001ms));
static_assert(Duration() == Duration(0));

TEST(Duration, is_a_number_of_seconds_or_a_chrono_duration) {
    EXPECT_EQ(Duration(0.1).nanoseconds(), 100'000'000);
    EXPECT_EQ(Duration(0.1F).nanoseconds(), 100'000'001);
    EXPECT_EQ(Duration(-1.5).nanoseconds(), -1'500'000'000);
    EXPECT_EQ(Duration(1e-9).nanoseconds(), 1);
    EXPECT_EQ(Duration(3U).nanoseconds(), 3'000'000'000);
    EXPECT_EQ(Duration(std::chrono::duration<double>(0.25)).nanoseconds(), 250'000'000);
    EXPECT_EQ(Duration(std::chrono::duration<float, std::milli>(2.5F)).nanoseconds(), 2'500'000);
    EXPECT_EQ(Duration(1h).seconds(), 3600.0);
    EXPECT_EQ(std::chrono::nanoseconds(Duration(1)), 1s);
    EXPECT_EQ(Duration(std::chrono::duration<int, std::pico>(5000)).nanoseconds(), 5);
}

TEST(Duration, saturates) {
    EXPECT_EQ(Duration(1e12).nanoseconds(), most);
    EXPECT_EQ(Duration(-1e12).nanoseconds(), least);
    EXPECT_EQ(Duration(infinity).nanoseconds(), most);
    EXPECT_EQ(Duration(-infinity).nanoseconds(), least);
    EXPECT_EQ(Duration(most).nanoseconds(), most);
    EXPECT_EQ(Duration(least).nanoseconds(), least);
    EXPECT_EQ(Duration(std::numeric_limits<std::uint64_t>::max()).nanoseconds(), most);
    EXPECT_EQ(Duration(std::chrono::hours::max()).nanoseconds(), most);
    EXPECT_EQ(Duration(std::chrono::hours::min()).nanoseconds(), least);
    EXPECT_EQ(Duration(std::chrono::nanoseconds::max()).nanoseconds(), most);
}

TEST(Duration, that_is_not_a_number_is_a_value_error) {
    EXPECT_EQ(thrown_by([] { return Duration(std::nan("")); }),
              "ValueError('Invalid delay: NaN (not a number)')");
    EXPECT_NE(thrown_by([] { return Duration(std::chrono::duration<double>(std::nan(""))); }),
              "nothing");
}

TEST(After, saturates) {
    const TimePoint start(5s);
    EXPECT_EQ(detail::after(start, 2), TimePoint(7s));
    EXPECT_EQ(detail::after(start, -7), TimePoint(-2s));
    EXPECT_EQ(detail::after(start, infinity), TimePoint::max());
    EXPECT_EQ(detail::after(TimePoint(-5s), -infinity), TimePoint::min());
}

}  // namespace

}  // namespace asyncio
