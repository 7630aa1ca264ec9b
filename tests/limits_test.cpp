// limits_test.cpp - what the core promises about memory: constant stack, however deep and long, and
// no allocation but one for each task.
//
// SPDX-License-Identifier: MIT
#include "support/allocations.hpp"
#include "support/observe.hpp"
#include "support/small_stack.hpp"

#include <asyncio/cancel_scope.hpp>
#include <asyncio/channels.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/timeouts.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

namespace asyncio {

using testing::allocations;
using testing::counts_allocations;
using testing::Reports;
using testing::run_on_small_stack;
using testing::Trace;

namespace {

constexpr int deep = 100'000;

Coroutine<int> one() {
    co_return 1;
}

Coroutine<int> nested(int levels) {
    if (levels == 0) {
        co_return 0;
    }
    const int below = co_await nested(levels - 1);
    co_return below + 1;
}

// ----------------------------------------------------------------------------------- the stack

TEST(Stack, does_not_grow_with_the_awaits_of_a_loop_that_complete_at_once) {
    run_on_small_stack([] {
        auto body = []() -> Coroutine<int> {
            int sum = 0;
            for (int round = 0; round < 2'000'000; ++round) {
                sum += co_await one();
            }
            co_return sum;
        };
        EXPECT_EQ(run(body), 2'000'000);
    });
}

TEST(Stack, does_not_grow_with_the_depth_of_awaits) {
    run_on_small_stack([] { EXPECT_EQ(run(nested(deep)), deep); });
}

Coroutine<> nested_throw(int levels) {
    if (levels == 0) {
        throw RuntimeError("deep");
    }
    co_await nested_throw(levels - 1);
}

TEST(Stack, does_not_grow_with_the_depth_through_which_an_exception_passes) {
    run_on_small_stack([] {
        EXPECT_EQ(testing::thrown_by([] { run(nested_throw(deep)); }), "RuntimeError('deep')");
    });
}

Coroutine<> nested_wait(int levels, std::vector<int>& destroyed) {
    struct AtEnd {
        std::vector<int>& destroyed;
        int level;
        ~AtEnd() { destroyed.push_back(level); }
    } at_end{destroyed, levels};
    if (levels == 0) {
        co_await sleep(3600);
    } else {
        co_await nested_wait(levels - 1, destroyed);
    }
}

TEST(Stack, does_not_grow_when_the_loop_destroys_frames_that_await_each_other_innermost_first) {
    run_on_small_stack([] {
        std::vector<int> destroyed;
        EventLoop loop;
        const Reports reports(loop);
        loop.create_task(nested_wait(deep, destroyed));
        loop.run_until_complete(sleep(0));
        EXPECT_TRUE(destroyed.empty());

        loop.close();

        EXPECT_EQ(destroyed.size(), std::size_t{deep} + 1);
        bool in_order = true;
        for (std::size_t index = 0; index < destroyed.size(); ++index) {
            in_order = in_order && destroyed[index] == static_cast<int>(index);
        }
        EXPECT_TRUE(in_order);
        EXPECT_EQ(reports.messages.size(), 1U);
    });
}

// Each task awaits the one before it.
Coroutine<std::vector<Task<>>> chain_of_tasks(int length) {
    auto innermost = []() -> Coroutine<> { co_await sleep(3600); };
    auto await_it = [](Task<> other) -> Coroutine<> { co_await other; };
    std::vector<Task<>> tasks{create_task(innermost())};
    for (int index = 1; index < length; ++index) {
        tasks.push_back(create_task(await_it(tasks.back())));
    }
    co_await sleep(0);
    co_return tasks;
}

TEST(Stack, does_not_grow_with_the_number_of_tasks_that_a_cancellation_passes) {
    run_on_small_stack([] {
        auto body = []() -> Coroutine<> {
            std::vector<Task<>> tasks = co_await chain_of_tasks(deep);
            tasks.back().cancel("through");
            auto last = co_await as_result(tasks.back());

            EXPECT_EQ(describe(last.error()), "CancelledError('through')");
            EXPECT_TRUE(tasks.front().cancelled());
        };
        run(body);
    });
}

TEST(Stack, does_not_grow_when_a_chain_of_tasks_is_dropped_with_its_loop) {
    run_on_small_stack([] {
        EventLoop loop;
        loop.set_exception_handler([](EventLoop&, const ExceptionContext&) {});
        auto body = []() -> Coroutine<> {
            std::vector<Task<>> tasks = co_await chain_of_tasks(deep);
            tasks.clear();
        };
        loop.run_until_complete(body());
        loop.close();
    });
}

// --------------------------------------------------------------------------------- allocations

// How many allocations `rounds` more rounds of `body` make once everything is warm.
template <class Body>
Coroutine<std::size_t> allocations_of(Body body, int rounds) {
    for (int round = 0; round < rounds; ++round) {
        co_await body();
    }
    const std::size_t before = allocations;
    for (int round = 0; round < rounds; ++round) {
        co_await body();
    }
    co_return allocations - before;
}

template <class Body>
void expect_allocations(Body body, std::size_t expected) {
    if (!counts_allocations) {
        GTEST_SKIP() << "the sanitizers have a malloc of their own";
    }
    EXPECT_EQ(run(allocations_of(body, 1000)), expected);
}

TEST(Allocations, are_counted) {
    if (!counts_allocations) {
        GTEST_SKIP() << "the sanitizers have a malloc of their own";
    }
    const std::size_t before = allocations;
    int* volatile allocated = new int(1);  // volatile: clang leaves out what nobody can see
    EXPECT_EQ(allocations - before, 1U);
    delete allocated;
}

TEST(Allocations, a_task_that_is_made_and_awaited_takes_none_when_warm) {
    expect_allocations(
        []() -> Coroutine<> {
            auto task = create_task(one());
            co_await task;
        },
        0);
}

TEST(Allocations, a_new_task_takes_one) {
    if (!counts_allocations) {
        GTEST_SKIP() << "the sanitizers have a malloc of their own";
    }
    auto body = []() -> Coroutine<std::size_t> {
        // More than are kept for reuse, so that each is new.
        constexpr std::size_t count = 100'000;
        std::vector<Task<int>> tasks;
        tasks.reserve(count);
        const std::size_t before = allocations;
        for (std::size_t index = 0; index < count; ++index) {
            tasks.push_back(create_task(one()));
        }
        const std::size_t made = allocations - before;
        for (const Task<int>& task : tasks) {
            co_await task;
        }
        co_return made;
    };
    const std::size_t made = run(body);
    EXPECT_LE(made, 100'000U);
    EXPECT_GE(made, 90'000U);
}

TEST(Allocations, awaiting_a_coroutine_takes_none_when_warm) {
    expect_allocations(
        []() -> Coroutine<> {
            const int depth = co_await nested(10);
            EXPECT_EQ(depth, 10);
        },
        0);
}

TEST(Allocations, sleeping_takes_none) {
    expect_allocations(
        []() -> Coroutine<> {
            co_await sleep(0);
            co_await sleep(0.000001);
        },
        0);
}

TEST(Allocations, waiting_for_a_future_takes_none_when_warm) {
    expect_allocations(
        []() -> Coroutine<> {
            auto future = get_running_loop().create_future<int>();
            auto set = [](Future<int> future) -> Coroutine<> {
                future.set_result(1);
                co_return;
            };
            create_task(set(future));
            const int value = co_await future;
            EXPECT_EQ(value, 1);
        },
        0);
}

TEST(Allocations, waiting_at_a_channel_takes_none_when_warm) {
    auto ends = memory_channel<int>(0);
    expect_allocations(
        [&ends]() -> Coroutine<> {
            auto receiver = create_task(ends.receive.receive());
            co_await sleep(0);
            co_await ends.send.send(1);
            const int first = co_await receiver;
            auto sender = create_task(ends.send.send(first + 1));
            co_await sleep(0);
            const int second = co_await ends.receive.receive();
            EXPECT_EQ(second, 2);
            co_await sender;
        },
        0);
}

TEST(Allocations, scopes_take_none_but_the_first_of_a_task) {
    expect_allocations(
        []() -> Coroutine<> {
            const auto body = []() -> Coroutine<> { co_await sleep(0); };
            co_await with(move_on_after(3600), body);
            co_await with(CancelScope({.shield = true}), body);
        },
        0);
}

TEST(Allocations, callbacks_and_timers_take_none_when_warm) {
    expect_allocations(
        []() -> Coroutine<> {
            auto& loop = get_running_loop();
            int calls = 0;
            loop.call_soon([&calls] { ++calls; });
            loop.call_later(0, [&calls] { ++calls; });
            loop.call_later(3600, [&calls] { ++calls; }).cancel();
            co_await sleep(0.000001);
            EXPECT_EQ(calls, 2);
        },
        0);
}

TEST(Allocations, timeouts_and_groups_take_none_when_warm) {
    expect_allocations(
        []() -> Coroutine<> {
            auto quick = [] { return 1; };
            co_await timeout(1, quick);
            auto fill = [](TaskGroup& group) {
                group.create_task(one());
                group.create_task(one());
            };
            co_await task_group(fill);
        },
        0);
}

// ------------------------------------------------------------------------------- what is cancelled

/// The resident memory of this process in KiB.
long resident() {
    std::ifstream status("/proc/self/statm");
    long total = 0;
    long pages = 0;
    status >> total >> pages;
    return pages * (::sysconf(_SC_PAGESIZE) / 1024);
}

TEST(Timers, that_are_cancelled_take_no_memory) {
    EventLoop loop;
    auto churn = [&loop](int count) {
        for (int index = 0; index < count; ++index) {
            loop.call_later(3600 + index, [] { ADD_FAILURE() << "called"; }).cancel();
        }
    };
    churn(1000);
    const long before = resident();
    churn(1'000'000);
    const long grown = resident() - before;

    // The sanitizers keep what is freed for a while.
    if (counts_allocations) {
        EXPECT_LT(grown, 1024);
    }
}

TEST(Timers, a_million_can_be_pending_and_cancelled_in_any_order) {
    constexpr std::size_t count = 1'000'000;
    EventLoop loop;
    std::vector<TimerHandle> handles;
    handles.reserve(count);
    std::size_t next = 12345;
    for (std::size_t index = 0; index < count; ++index) {
        next = next * 6364136223846793005U + 1442695040888963407U;
        handles.push_back(loop.call_later(3600.0 + static_cast<double>(next >> 44),
                                          [] { ADD_FAILURE() << "called"; }));
    }
    for (std::size_t index = 0; index < count; ++index) {
        handles[(index * 7919) % count].cancel();
    }
    bool ran = false;
    loop.call_later(0.001, [&] {
        ran = true;
        loop.stop();
    });
    loop.run_forever();

    EXPECT_TRUE(ran);
}

}  // namespace

}  // namespace asyncio
