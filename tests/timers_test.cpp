// timers_test.cpp - timers as a whole, against a model of them; and the clock that they go by.
//
// SPDX-License-Identifier: MIT
#include "support/allocations.hpp"
#include "support/async_test.hpp"

#include <asyncio/runners.hpp>
#include <asyncio/timeouts.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include <time.h>

namespace asyncio {
namespace {

using namespace std::chrono_literals;

/// What timers should do: a map by time, in which those of one time stay in order.
class Model {
public:
    void add(TimePoint when, int number) { pending_.emplace(when, number); }
    void remove(TimePoint when, int number) {
        const auto [first, last] = pending_.equal_range(when);
        for (auto it = first; it != last; ++it) {
            if (it->second == number) {
                pending_.erase(it);
                return;
            }
        }
    }
    [[nodiscard]] std::vector<int> take_due(TimePoint now) {
        std::vector<int> due;
        while (!pending_.empty() && pending_.begin()->first <= now) {
            due.push_back(pending_.begin()->second);
            pending_.erase(pending_.begin());
        }
        return due;
    }
    [[nodiscard]] std::size_t size() const { return pending_.size(); }

private:
    std::multimap<TimePoint, int> pending_;
};

/// Makes and cancels timers at random, lets time pass, and compares.
Coroutine<> compare(std::uint32_t seed) {
    EventLoop& loop = get_running_loop();
    std::mt19937 random(seed);
    Model model;
    std::vector<std::pair<TimerHandle, int>> handles;
    std::vector<int> called;
    for (int step = 0; step < 2'000; ++step) {
        const std::uint32_t choice = random() % 10;
        if (choice < 6) {
            // Few different times, so that many are equal; some of them past.
            const TimePoint when = loop.time() + std::chrono::milliseconds(random() % 50) - 5ms;
            handles.emplace_back(loop.call_at(when, [&called, step] { called.push_back(step); }),
                                 step);
            model.add(when, step);
        } else if (choice < 9 && !handles.empty()) {
            const std::size_t index = random() % handles.size();
            auto [handle, number] = handles[index];
            if (!handle.cancelled()) {
                model.remove(handle.when(), number);
            }
            handle.cancel();  // also where it has been called, or cancelled, before
        } else {
            co_await sleep(std::chrono::milliseconds(random() % 20));
            co_await testing::settle();
            const std::vector<int> due = model.take_due(loop.time());
            EXPECT_EQ(called, due) << "seed " << seed << ", step " << step;
            called.clear();
        }
    }
    co_await sleep(1);
    co_await testing::settle();
    EXPECT_EQ(called, model.take_due(loop.time()));
    EXPECT_EQ(model.size(), 0U);
}

ASYNC_TEST(Timers, agree_with_a_model_of_them) {
    for (std::uint32_t seed = 1; seed <= 20; ++seed) {
        co_await compare(seed);
    }
}

Coroutine<> rescheduled(Timeout& limit, int times) {
    EventLoop& loop = get_running_loop();
    for (int i = 0; i < times; ++i) {
        limit.reschedule(loop.time() + std::chrono::nanoseconds(1'000'000'000 + (i * 7919) % 1000));
    }
    limit.reschedule(loop.time() + 2s);
    const std::size_t before = testing::allocations;
    for (int i = 0; i < times; ++i) {
        limit.reschedule(loop.time() + std::chrono::nanoseconds(1'000'000'000 + (i * 7919) % 1000));
    }
    limit.reschedule(loop.time() + 2s);
    if (testing::counts_allocations) {
        EXPECT_EQ(testing::allocations, before);
    }
    co_await sleep(1h);
}

ASYNC_TEST(Timers, rescheduled_again_and_again_fire_once_at_the_last_time_and_take_no_memory) {
    const TimePoint begin = get_running_loop().time();
    Timeout limit = timeout(10);
    auto body = [&] { return rescheduled(limit, 100'000); };

    auto ended = co_await as_result(with(limit, body));

    EXPECT_EQ(describe(ended.error()), "TimeoutError()");
    EXPECT_EQ(get_running_loop().time() - begin, 2s);
}

std::int64_t monotonic() {
    timespec now{};
    EXPECT_EQ(::clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// So a jump of the wall clock has no effect on it.
TEST(Clock, is_the_monotonic_one_of_the_kernel) {
    for (const char* proactor : testing::proactors) {
        Runner runner({.proactor = proactor});
        EventLoop& loop = runner.get_loop();
        for (int i = 0; i < 100; ++i) {
            const std::int64_t before = monotonic();
            const std::int64_t now = loop.time().time_since_epoch().count();
            const std::int64_t after = monotonic();
            EXPECT_LE(before, now);
            EXPECT_LE(now, after);
        }
    }
}

}  // namespace
}  // namespace asyncio
