// progress.hpp - how far the work is, while it is under way: Progress.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/events.hpp>
#include <asyncio/tasks.hpp>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>

#include <unistd.h>

namespace tour {

/// On a terminal one line that is written over and over; otherwise a plain line each second. All of
/// it on standard error, so that standard output has the results alone.
class Progress {
public:
    void begin(std::string what, std::size_t total) {
        what_ = std::move(what);
        total_ = total;
        done_ = 0;
        started_ = asyncio::get_running_loop().time();
    }
    void step() { ++done_; }

    /// A task beside the work. That the seconds go on says that nothing blocks the loop.
    asyncio::Coroutine<> show() {
        using namespace std::chrono_literals;
        const std::chrono::milliseconds pause = terminal_ ? 100ms : 1000ms;
        while (true) {
            co_await asyncio::sleep(pause);
            draw(terminal_ ? "" : "\n");
        }
    }
    /// The state of the end remains to be read.
    void end() const { draw("\n"); }

    /// A line about something else.
    void print(const std::string& line) const {
        std::fprintf(stderr, "%s%s\n", clear(), line.c_str());
    }

private:
    [[nodiscard]] const char* clear() const { return terminal_ ? "\r\x1b[K" : ""; }

    void draw(const char* end) const {
        const auto elapsed = asyncio::get_running_loop().time() - started_;
        std::fprintf(stderr, "%s%s: %zu of %zu, %.1f s%s", clear(), what_.c_str(), done_, total_,
                     asyncio::Duration(elapsed).seconds(), end);
    }

    const bool terminal_ = ::isatty(STDERR_FILENO) != 0;
    std::string what_;
    std::size_t total_ = 0;
    std::size_t done_ = 0;
    asyncio::TimePoint started_;
};

}  // namespace tour
