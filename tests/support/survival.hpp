// survival.hpp - runs a scenario in which something fails, and judges how it ended.
//
// It has to end: with the error, with a report of it to the exception handler, or with the right
// result all the same. Nothing may leave the loop, the loop has to be of use afterwards, and no
// descriptor and no memory may be left.
// SPDX-License-Identifier: MIT
#pragma once

#include "support/live_allocations.hpp"
#include "support/network.hpp"

#include <asyncio/exceptions.hpp>
#include <asyncio/queues.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/tasks.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>

namespace asyncio::testing {

/// A coroutine that throws if its result is wrong. Each run makes it anew.
using Scenario = Coroutine<> (*)();

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

/// What is to fail, and whether it has.
class Adversity {
public:
    Adversity() = default;
    Adversity(const Adversity&) = delete;
    Adversity& operator=(const Adversity&) = delete;
    virtual ~Adversity() = default;

    [[nodiscard]] virtual bool failed() const = 0;
    /// The errno.
    [[nodiscard]] virtual int error() const = 0;
};

/// One run of a scenario, in adversity.
class SurvivalRun {
public:
    SurvivalRun(Scenario scenario, std::string_view proactor, const Adversity& adversity)
        : adversity_(adversity) {
        std::unique_ptr<EventLoop> loop;
        try {
            loop = std::make_unique<EventLoop>(lowlevel::make_proactor(proactor));
        } catch (...) {
            judge(std::current_exception());
        }
        if (loop != nullptr) {
            run(*loop, scenario);
        }
    }

    [[nodiscard]] const std::string& complaint() const noexcept { return complaint_; }

private:
    void complain(std::string_view what) {
        if (complaint_.empty()) {
            complaint_ = what;
        }
    }

    void run(EventLoop& loop, Scenario scenario) {
        loop.set_exception_handler([this](EventLoop&, const ExceptionContext& context) {
            reported_ = reported_ || tells_of(context.exception, adversity_.error());
        });
        TimerHandle watchdog = loop.call_later(std::chrono::hours(1000), [&] {
            complain("hangs");
            loop.stop();
        });
        perform(loop, scenario);
        end_tasks(loop);
        try_the_loop(loop);
        watchdog.cancel();
        loop.close();
    }

    void perform(EventLoop& loop, Scenario scenario) {
        const Task<> task = loop.create_task(scenario());
        try {
            loop.run_until_complete(task);
        } catch (...) {
            if (!task.done()) {
                complain("left the loop: " + describe(std::current_exception()));
            } else {
                judge(std::current_exception());
            }
        }
    }
    void judge(const std::exception_ptr& error) {
        if (!adversity_.failed() || (!tells_of(error, adversity_.error()) && !reported_)) {
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

    const Adversity& adversity_;
    std::string complaint_;
    bool reported_ = false;
};

/// Runs it and expects nothing to be left of it. `make` gives the Adversity, anew for each run.
/// Returns whether something failed.
template <class Make>
bool expect_survives(Scenario scenario, std::string_view proactor, const std::string& what,
                     Make make) {
    const std::size_t descriptors = open_descriptors();
    std::int64_t left = 0;
    bool failed = false;
    // What is allocated once and kept is no leak: what is left again and again is one.
    for (int time = 0; time < 4; ++time) {
        const std::int64_t before = live_allocations();
        std::string complaint;
        {
            const auto adversity = make();
            const SurvivalRun run(scenario, proactor, *adversity);
            failed = adversity->failed();
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

/// Lets it fail the first time, the second, ... until it is not asked for so often. Returns how
/// often it failed.
template <class Make>
std::int64_t expect_survives_each(Scenario scenario, std::string_view proactor,
                                  const std::string& what, Make make) {
    constexpr std::int64_t most = 2000;
    std::int64_t nth = 1;
    while (nth < most &&
           expect_survives(
               scenario, proactor, what + " " + std::to_string(nth), [&] { return make(nth); })) {
        ++nth;
    }
    EXPECT_LT(nth, most) << what << ": there is no end of it";
    return nth - 1;
}

}  // namespace asyncio::testing
