// log_test.cpp - set_logger(): where reports go.
//
// SPDX-License-Identifier: MIT
#include "support/observe.hpp"

#include <asyncio/log.hpp>

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace asyncio {

using testing::Logged;
using testing::Trace;

namespace {

TEST(Logger, gets_every_level) {
    const Logged logged;
    detail::log(Level::debug, "a");
    detail::log(Level::error, "two\nlines");
    EXPECT_EQ(logged.texts, (Trace{"a", "two\nlines"}));
    EXPECT_EQ(logged.levels, (std::vector<Level>{Level::debug, Level::error}));
}

TEST(Logger, by_default_is_standard_error_for_warnings_and_errors) {
    ::testing::internal::CaptureStderr();
    { const Logged logged; }
    detail::log(Level::info, "not written");
    detail::log(Level::warning, "warning");
    detail::log(Level::error, "error");
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "warning\nerror\n");
}

TEST(Logger, is_called_one_at_a_time_from_any_thread) {
    Logged logged;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([] {
            for (int line = 0; line < 1000; ++line) {
                detail::log(Level::info, "line");
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(logged.texts.size(), 4000U);
}

TEST(Logger, may_replace_itself) {
    static Trace texts;
    set_logger([kept = std::string(100, 'x')](Level, std::string_view) {
        set_logger([](Level, std::string_view text) { texts.emplace_back(text); });
        texts.push_back(kept);
    });
    detail::log(Level::info, "first");
    detail::log(Level::info, "second");
    set_logger(nullptr);
    EXPECT_EQ(texts, (Trace{std::string(100, 'x'), "second"}));
}

TEST(Logger, may_make_the_library_report_again) {
    static Trace texts;
    set_logger([](Level, std::string_view text) {
        texts.emplace_back(text);
        if (text == "first") {
            detail::log(Level::info, "second");
        }
    });
    detail::log(Level::info, "first");
    set_logger(nullptr);
    EXPECT_EQ(texts, (Trace{"first", "second"}));
}

}  // namespace

}  // namespace asyncio
