// each_allocation.hpp - lets every allocation of a scenario fail, one after another.
//
// The scenario is a coroutine. For n = 1, 2, ... it is run with its n-th allocation refused, until
// it makes fewer than that. Each time it has to end: with std::bad_alloc, with a report of it to
// the exception handler, or with the right result all the same. Nothing may leave the loop, the
// loop has to be of use afterwards, and nothing may be left when it has closed.
//
//     TEST(EachAllocation, of_gather) { testing::expect_survives_each_failure(&gather_some); }
// SPDX-License-Identifier: MIT
#pragma once

#include "support/live_allocations.hpp"
#include "support/no_memory.hpp"

#include <asyncio/exceptions.hpp>
#include <asyncio/locks.hpp>
#include <asyncio/log.hpp>
#include <asyncio/queues.hpp>
#include <asyncio/result.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/testing/virtual_clock.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>

namespace asyncio::testing {

/// Is it a std::bad_alloc, or a group with one in it?
inline bool has_bad_alloc(const std::exception_ptr& error) {
    try {
        if (error != nullptr) {
            std::rethrow_exception(error);
        }
    } catch (const std::bad_alloc&) {
        return true;
    } catch (const ExceptionGroup& group) {
        for (const std::exception_ptr& each : group.exceptions()) {
            if (has_bad_alloc(each)) {
                return true;
            }
        }
    } catch (...) {}
    return false;
}

/// What a program needs of a loop.
inline Coroutine<int> small_program() {
    Queue<int> queue;
    Lock lock;
    const Task<int> getter = create_task(queue.get());
    co_await sleep(1);
    {
        const auto held = co_await lock.scoped();
        queue.put_nowait(42);
    }
    co_return co_await getter;
}

/// One run of a scenario, of which one allocation fails.
class FailingRun {
public:
    using Scenario = Coroutine<> (*)();

    FailingRun(Scenario scenario, std::int64_t which) : loop_(lowlevel::make_proactor()) {
        loop_.set_exception_handler([this](EventLoop&, const ExceptionContext& context) {
            reported_ = reported_ || has_bad_alloc(context.exception) ||
                        context.message.empty();  // for want of memory
        });
        TimerHandle watchdog = loop_.call_later(std::chrono::hours(1000), [this] {
            complain("hangs");
            loop_.stop();
        });
        perform(scenario, which);
        end_tasks();
        try_the_loop();
        watchdog.cancel();
    }
    ~FailingRun() { loop_.close(); }

    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] const std::string& complaint() const noexcept { return complaint_; }

private:
    static Coroutine<> refuse_one(Scenario scenario, std::int64_t which, bool& failed) {
        struct Refusing {
            FailingAllocation allocation;
            bool& failed;
            ~Refusing() { failed = allocation.failed(); }
        } const refusing{FailingAllocation(which), failed};
        co_await scenario();
    }

    void complain(std::string_view what) {
        if (complaint_.empty()) {
            complaint_ = what;
        }
    }

    void perform(Scenario scenario, std::int64_t which) {
        const Task<> task = loop_.create_task(refuse_one(scenario, which, failed_));
        try {
            loop_.run_until_complete(task);
        } catch (...) {
            const std::exception_ptr error = std::current_exception();
            if (!task.done()) {
                complain("left the loop: " + describe(error));
            } else if (!failed_ || (!has_bad_alloc(error) && !reported_)) {
                complain("ended with " + describe(error));
            }
        }
    }

    // As Runner does.
    void end_tasks() {
        for (const AnyTask& task : all_tasks(loop_)) {
            task.cancel();
        }
        loop_.run_until_complete(sleep(1));
        loop_.run_until_complete(loop_.shutdown_asyncgens());
        loop_.run_until_complete(loop_.shutdown_default_executor());
        if (!all_tasks(loop_).empty()) {
            complain("a task cannot be cancelled");
        }
    }

    void try_the_loop() {
        try {
            if (loop_.run_until_complete(small_program()) != 42) {
                complain("the loop is of no use: wrong result");
            }
        } catch (...) {
            complain("the loop is of no use: " + describe(std::current_exception()));
        }
    }

    EventLoop loop_;
    std::string complaint_;
    bool failed_ = false;
    bool reported_ = false;
};

/// `perform(which, complaint)` does once what is tried, and says whether an allocation failed.
template <class Perform>
void expect_each_failure_survived(Perform perform) {
    constexpr std::int64_t most = 5000;
    const VirtualClockScope clock;
    set_logger([](Level, std::string_view) {});
    static_cast<void>(live_allocations());
    char complaint[200];
    bool more = true;
    for (std::int64_t which = 1; more && which < most; ++which) {
        std::int64_t left = 0;
        // What is allocated once and kept is no leak: what is left again and again is one.
        for (int time = 0; time < 4; ++time) {
            complaint[0] = '\0';
            const std::int64_t before = live_allocations();
            more = perform(which, complaint);
            left = live_allocations() - before;
            if (left <= 0 || complaint[0] != '\0') {
                break;
            }
        }
        EXPECT_STREQ(complaint, "") << "when allocation " << which << " fails";
        EXPECT_TRUE(left <= 0 || complaint[0] != '\0')
            << "blocks are left when allocation " << which << " fails: " << left;
    }
    EXPECT_FALSE(more) << "there is no end of allocations";
    set_logger(nullptr);
}

inline void expect_survives_each_failure(FailingRun::Scenario scenario) {
    expect_each_failure_survived([scenario](std::int64_t which, char(&complaint)[200]) {
        const FailingRun run(scenario, which);
        complaint[run.complaint().copy(complaint, sizeof complaint - 1)] = '\0';
        return run.failed();
    });
}

}  // namespace asyncio::testing
