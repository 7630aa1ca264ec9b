// each_system_call.hpp - lets every system call of a scenario fail, one after another, in each way
// in which it may.
//
// For each call of system_calls.inc, each of its errors, and n = 1, 2, ... the scenario is run with
// the n-th call of that name failing so, until it makes fewer than that. The making and the end of
// the loop belong to it. What it has to stand: survival.hpp.
//
//     TEST(EachSystemCall, of_an_echo) { testing::expect_survives_each_system_call(&echo); }
//
// What fails in the kernel, as on io_uring, is the business of each_operation.hpp.
// SPDX-License-Identifier: MIT
#pragma once

#include "support/async_test.hpp"
#include "support/hostile_system.hpp"
#include "support/survival.hpp"

#include <asyncio/log.hpp>
#include <asyncio/testing/virtual_clock.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace asyncio::testing {

/// A system of which one call fails.
class FailingSystem final : public Adversity {
public:
    explicit FailingSystem(const Hostility& hostility)
        : error_(hostility.error), system_(hostility) {}
    [[nodiscard]] bool failed() const override { return system_.failed(); }
    [[nodiscard]] int error() const override { return error_; }

private:
    int error_;
    HostileSystem system_;
};

inline void expect_survives_each_system_call(Scenario scenario) {
    static_cast<void>(live_allocations());
    set_logger([](Level, std::string_view) {});
    for (const char* proactor : proactors) {
        SCOPED_TRACE(std::string("on ") + proactor);
        const VirtualClockScope clock;
        std::int64_t faults = 0;
        for (const SystemCall& call : system_calls()) {
            if (call.name == "io_uring_register") {
                continue;  // without it no loop can begin; io_uring_test has that
            }
            for (const int error : call.errors) {
                if (error == EAGAIN && std::string_view(proactor) != "epoll") {
                    continue;  // nobody would say later that it may be tried again
                }
                const std::string what =
                    std::string(call.name) + ": " + std::strerror(error) + ", number";
                faults += expect_survives_each(scenario, proactor, what, [&](std::int64_t nth) {
                    Hostility hostility;
                    hostility.call = call.name;
                    hostility.nth = nth;
                    hostility.error = error;
                    return std::make_unique<FailingSystem>(hostility);
                });
            }
        }
        // Otherwise nothing was tried, for want of --wrap for example.
        EXPECT_GT(faults, 0);
    }
    set_logger(nullptr);
}

}  // namespace asyncio::testing
