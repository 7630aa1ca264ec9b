// fuzz.hpp - what fuzz targets are made of. Each defines LLVMFuzzerTestOneInput(); libFuzzer drives
// it, or replay.cpp, which reruns what was found before.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/events.hpp>
#include <asyncio/log.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/testing/settle.hpp>
#include <asyncio/testing/virtual_clock.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/// The input as a row of decisions; zeros when it has ended.
class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) noexcept : data_(data), size_(size) {}
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    std::uint8_t byte() noexcept {
        if (size_ == 0) {
            return 0;
        }
        --size_;
        return *data_++;
    }
    /// Less than `bound`.
    std::size_t below(std::size_t bound) noexcept { return byte() % bound; }
    [[nodiscard]] std::string_view rest() noexcept {
        return {reinterpret_cast<const char*>(data_), std::exchange(size_, 0)};
    }

private:
    const std::uint8_t* data_;
    std::size_t size_;
};

/// What must be the case; not an assertion, which a release build leaves out.
inline void require(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "violated: %s\n", what);
        std::abort();
    }
}

/// Runs a coroutine on a virtual clock, on a loop that all inputs share.
inline void run(asyncio::Coroutine<> main) {
    static const bool quiet = [] {
        asyncio::set_logger([](asyncio::Level, std::string_view) {});
        return true;
    }();
    static_cast<void>(quiet);
    static asyncio::EventLoop loop(std::make_unique<asyncio::testing::VirtualClock>(
        asyncio::lowlevel::make_system_proactor("epoll")));
    loop.run_until_complete(std::move(main));
    require(asyncio::all_tasks(loop).empty(), "a task is left");
}

}  // namespace fuzz
