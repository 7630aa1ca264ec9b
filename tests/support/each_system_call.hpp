// each_system_call.hpp - lets every system call of a scenario fail, one after another, in each way
// in which it may.
//
// The scenario is a coroutine. For each call of system_calls.inc, each of its errors, and n = 1, 2,
// ... it is run with the n-th call of that name failing so, until it makes fewer than that. The
// making and the end of the loop belong to it. Each time it has to end: with that error, with a
// report of it to the exception handler, or with the right result all the same. Nothing may leave
// the loop, the loop has to be of use afterwards, and no descriptor and no memory may be left.
//
//     TEST(EachSystemCall, of_an_echo) { testing::expect_survives_each_system_call(&echo); }
//
// What fails below the library's system calls (on io_uring the kernel makes them) is the business
// of each_operation.hpp.
// SPDX-License-Identifier: MIT
#pragma once

#include "support/async_test.hpp"
#include "support/hostile_system.hpp"
#include "support/live_allocations.hpp"
#include "support/network.hpp"

#include <asyncio/exceptions.hpp>
#include <asyncio/log.hpp>
#include <asyncio/queues.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/testing/virtual_clock.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>

namespace asyncio::testing {

/// Is it `error` of the system, or a group with one in it, or a text that tells of it? A connection
/// that was lost by it is said to be lost; what was tried in several ways tells what was tried.
inline bool tells_of(const std::exception_ptr& exception, int error) {
    try {
        if (exception != nullptr) {
            std::rethrow_exception(exception);
        }
    } catch (const AddressInfoError& failure) {
        return failure.eai() == error;
    } catch (const ConnectionError&) {
        return true;
    } catch (const OSError& failure) {
        return failure.error_number() == error || failure.error_number() == 0 ||
               std::string_view(failure.what()).find(std::strerror(error)) != std::string::npos;
    } catch (const std::system_error& failure) {
        return failure.code().value() == error;
    } catch (const std::bad_alloc&) {
        return error == ENOMEM;
    } catch (const ExceptionGroup& group) {
        for (const std::exception_ptr& each : group.exceptions()) {
            if (tells_of(each, error)) {
                return true;
            }
        }
    } catch (...) {}
    return false;
}

/// One run of a scenario in a hostile system.
class HostileRun {
public:
    using Scenario = Coroutine<> (*)();

    HostileRun(Scenario scenario, std::string_view proactor, const Hostility& hostility)
        : error_(hostility.error) {
        const HostileSystem system(hostility);
        std::unique_ptr<EventLoop> loop;
        try {
            loop = std::make_unique<EventLoop>(lowlevel::make_proactor(proactor));
        } catch (...) {
            judge(std::current_exception(), system.failed());
        }
        if (loop != nullptr) {
            run(*loop, scenario, system);
        }
        failed_ = system.failed();
    }

    /// Has something failed?
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] const std::string& complaint() const noexcept { return complaint_; }

private:
    void complain(std::string_view what) {
        if (complaint_.empty()) {
            complaint_ = what;
        }
    }

    void run(EventLoop& loop, Scenario scenario, const HostileSystem& system) {
        loop.set_exception_handler([this](EventLoop&, const ExceptionContext& context) {
            reported_ = reported_ || tells_of(context.exception, error_);
        });
        TimerHandle watchdog = loop.call_later(std::chrono::hours(1000), [&] {
            complain("hangs");
            loop.stop();
        });
        perform(loop, scenario, system);
        end_tasks(loop);
        try_the_loop(loop);
        watchdog.cancel();
        loop.close();
    }

    void perform(EventLoop& loop, Scenario scenario, const HostileSystem& system) {
        const Task<> task = loop.create_task(scenario());
        try {
            loop.run_until_complete(task);
        } catch (...) {
            if (!task.done()) {
                complain("left the loop: " + describe(std::current_exception()));
            } else {
                judge(std::current_exception(), system.failed());
            }
        }
    }
    void judge(const std::exception_ptr& error, bool failed) {
        if (!failed || (!tells_of(error, error_) && !reported_)) {
            complain("ended with " + describe(error));
        }
    }

    // As Runner does.
    void end_tasks(EventLoop& loop) {
        for (const AnyTask& task : all_tasks(loop)) {
            task.cancel();
        }
        try {
            loop.run_until_complete(sleep(1));
            loop.run_until_complete(loop.shutdown_asyncgens());
            loop.run_until_complete(loop.shutdown_default_executor());
        } catch (...) {
            complain("left the loop at its end: " + describe(std::current_exception()));
        }
        if (!all_tasks(loop).empty()) {
            complain("a task cannot be cancelled");
        }
    }

    static Coroutine<int> small_program() {
        Queue<int> queue;
        const Task<int> getter = create_task(queue.get());
        co_await sleep(1);
        queue.put_nowait(42);
        co_return co_await getter;
    }
    void try_the_loop(EventLoop& loop) {
        try {
            if (loop.run_until_complete(small_program()) != 42) {
                complain("the loop is of no use: wrong result");
            }
        } catch (...) {
            complain("the loop is of no use: " + describe(std::current_exception()));
        }
    }

    int error_;
    std::string complaint_;
    bool failed_ = false;
    bool reported_ = false;
};

/// Runs it once and expects nothing to be left of it. Returns whether something failed.
inline bool expect_survives(HostileRun::Scenario scenario, std::string_view proactor,
                            const Hostility& hostility) {
    const std::string what = std::string(hostility.call) + " " + std::to_string(hostility.nth) +
                             ": " + std::strerror(hostility.error);
    const std::size_t descriptors = open_descriptors();
    std::int64_t left = 0;
    bool failed = false;
    // What is allocated once and kept is no leak: what is left again and again is one.
    for (int time = 0; time < 4; ++time) {
        const std::int64_t before = live_allocations();
        std::string complaint;
        {
            const HostileRun run(scenario, proactor, hostility);
            failed = run.failed();
            complaint = run.complaint();
        }
        EXPECT_EQ(complaint, "") << what;
        left = complaint.empty() ? live_allocations() - before : 0;
        if (left <= 0) {
            break;
        }
    }
    EXPECT_LE(left, 0) << what << ": blocks are left";
    EXPECT_EQ(open_descriptors(), descriptors) << what << ": descriptors are left";
    return failed;
}

inline void expect_survives_each_system_call(HostileRun::Scenario scenario) {
    constexpr std::int64_t most = 2000;
    static_cast<void>(live_allocations());
    set_logger([](Level, std::string_view) {});
    for (const char* proactor : proactors) {
        SCOPED_TRACE(std::string("on ") + proactor);
        const VirtualClockScope clock;
        int faults = 0;
        for (const SystemCall& call : system_calls()) {
            for (const int error : call.errors) {
                Hostility hostility;
                hostility.call = call.name;
                hostility.error = error;
                do {
                    ++hostility.nth;
                    faults += 1;
                } while (expect_survives(scenario, proactor, hostility) && hostility.nth < most &&
                         !::testing::Test::HasFatalFailure());
                EXPECT_LT(hostility.nth, most) << call.name << ": there is no end of it";
                faults -= 1;
            }
        }
        // Otherwise nothing was tried, for want of --wrap for example.
        EXPECT_GT(faults, 0);
    }
    set_logger(nullptr);
}

}  // namespace asyncio::testing
