// threads_test.cpp - work in other threads: to_thread, run_in_executor, ThreadPoolExecutor.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/tasks.hpp>
#include <asyncio/threads.hpp>
#include <asyncio/timeouts.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>

namespace asyncio {

using namespace std::chrono_literals;
using testing::Gone;
using testing::Logged;
using testing::Reports;
using testing::settle;
using testing::thrown_by;
using testing::Trace;

namespace {

/// A door between threads, opened once.
class Door {
public:
    void open() { opened_.set_value(); }
    void pass() { future_.wait(); }
    /// False if it does not open for a long time.
    bool pass_soon() { return future_.wait_for(20s) == std::future_status::ready; }

private:
    std::promise<void> opened_;
    std::shared_future<void> future_{opened_.get_future()};
};

// ----------------------------------------------------------------------------------- to_thread

ASYNC_TEST(ToThread, gives_what_the_function_returns_in_another_thread) {
    const std::thread::id here = std::this_thread::get_id();
    auto where = [] { return std::this_thread::get_id(); };
    auto add = [](int a, const std::string& b) { return a + static_cast<int>(b.size()); };

    const std::thread::id there = co_await to_thread(where);
    const int sum = co_await to_thread(add, 1, "three");

    EXPECT_NE(there, here);
    EXPECT_EQ(sum, 6);
}

ASYNC_TEST(ToThread, gives_nothing_what_only_moves_and_takes_it) {
    bool called = false;
    auto call = [&called] { called = true; };
    auto twice = [](std::unique_ptr<int> value) { return std::make_unique<int>(*value * 2); };

    co_await to_thread(call);
    std::unique_ptr<int> four = co_await to_thread(twice, std::make_unique<int>(2));

    EXPECT_TRUE(called);
    EXPECT_EQ(*four, 4);
}

ASYNC_TEST(ToThread, throws_what_the_function_throws) {
    auto fail = [] { throw std::out_of_range("in thread"); };

    auto failed = co_await as_result(to_thread(fail));

    EXPECT_EQ(describe(failed.error()), "KeyError('in thread')");
}

ASYNC_TEST(ToThread, runs_calls_at_the_same_time_while_the_loop_goes_on) {
    Door first;
    Door second;
    auto a = [&] {
        first.open();
        return second.pass_soon();
    };
    auto b = [&] {
        second.open();
        return first.pass_soon();
    };

    auto both = co_await gather(to_thread(a), to_thread(b));

    EXPECT_TRUE(std::get<0>(both));
    EXPECT_TRUE(std::get<1>(both));
}

ASYNC_TEST(ToThread, cancelled_before_the_call_began_never_makes_it) {
    auto& loop = get_running_loop();
    loop.set_default_executor(
        std::make_shared<ThreadPoolExecutor>(ThreadPoolOptions{.max_workers = 1}));
    Door door;
    std::atomic<bool> called{false};
    auto occupied = create_task(to_thread([&door] { door.pass(); }));
    auto queued = create_task(to_thread([&called] { called = true; }));
    co_await sleep(0);
    co_await sleep(0);

    queued.cancel("not now");
    auto result = co_await as_result(queued);
    door.open();
    co_await occupied;
    co_await to_thread([] {});  // the queue was worked off

    EXPECT_EQ(describe(result.error()), "CancelledError('not now')");
    EXPECT_FALSE(called);
}

ASYNC_TEST(ToThread, cancelled_while_the_call_runs_ends_the_wait_and_drops_the_result) {
    Door begun;
    Door door;
    auto result = std::make_shared<int>(1);
    std::weak_ptr<int> dropped = result;
    auto call = [&, result = std::move(result)]() mutable {
        begun.open();
        door.pass();
        return std::move(result);
    };
    auto task = create_task(to_thread(std::move(call)));
    co_await sleep(0);
    begun.pass();

    task.cancel();
    auto awaited = co_await as_result(task);
    EXPECT_TRUE(awaited.cancelled());
    door.open();
    while (!dropped.expired()) {
        co_await to_thread([] {});
    }
}

ASYNC_TEST(ToThread, cancelled_while_the_call_runs_logs_what_it_throws) {
    Logged logged;
    Door begun;
    Door door;
    auto task = create_task(to_thread([&] {
        begun.open();
        door.pass();
        throw RuntimeError("too late");
    }));
    co_await sleep(0);
    begun.pass();

    task.cancel();
    auto awaited = co_await as_result(task);
    EXPECT_TRUE(awaited.cancelled());
    door.open();
    while (logged.texts.empty()) {
        co_await to_thread([] {});
    }

    EXPECT_NE(logged.texts[0].find("RuntimeError('too late')"), std::string::npos);
}

ASYNC_TEST(ToThread, can_be_given_a_time_limit) {
    Door door;
    const TimePoint start = get_running_loop().time();
    // Virtual time stands still while threads work: the limit is one that has passed.
    auto limited = co_await as_result(wait_for(to_thread([&door] { door.pass(); }), 0));

    EXPECT_EQ(describe(limited.error()), "TimeoutError()");
    EXPECT_EQ(get_running_loop().time(), start);
    door.open();
}

ASYNC_TEST(RunInExecutor, gives_a_future_and_takes_any_executor) {
    ThreadPoolExecutor pool({.max_workers = 1, .thread_name_prefix = "mine"});
    auto& loop = get_running_loop();
    auto thread_name = [] {
        char name[32] = {};
        pthread_getname_np(pthread_self(), name, sizeof name);
        return std::string(name);
    };

    Future<std::string> in_pool = loop.run_in_executor(&pool, thread_name);
    Future<std::string> in_default = loop.run_in_executor(nullptr, thread_name);
    const std::string pool_name = co_await in_pool;
    const std::string default_name = co_await in_default;

    EXPECT_EQ(pool_name, "mine_0");
    EXPECT_EQ(default_name, "asyncio_0");
}

ASYNC_TEST(RunInExecutor, an_executor_that_was_shut_down_refuses) {
    ThreadPoolExecutor pool;
    pool.shutdown();
    Trace trace;

    EXPECT_EQ(thrown_by([&] {
                  get_running_loop().run_in_executor(&pool, [gone = Gone(trace, "gone")] {});
              }),
              "RuntimeError('cannot schedule new futures after shutdown')");
    EXPECT_EQ(trace, Trace{"gone"});
    co_return;
}

// -------------------------------------------------------------------------- ThreadPoolExecutor

ASYNC_TEST(ThreadPool, has_no_more_threads_than_it_may_and_starts_them_when_needed) {
    ThreadPoolExecutor pool({.max_workers = 2});
    EXPECT_EQ(pool.threads(), 0U);
    std::mutex mutex;
    std::set<std::thread::id> seen;
    auto& loop = get_running_loop();
    std::vector<Future<>> calls;
    for (int call = 0; call < 50; ++call) {
        calls.push_back(loop.run_in_executor(&pool, [&] {
            const std::lock_guard lock(mutex);
            seen.insert(std::this_thread::get_id());
        }));
    }

    co_await gather(calls);

    EXPECT_LE(seen.size(), 2U);
    EXPECT_LE(pool.threads(), 2U);
    EXPECT_GE(pool.threads(), 1U);
}

// One idle thread is no reason to let two jobs wait for it.
ASYNC_TEST(ThreadPool, starts_a_thread_for_each_job_that_finds_none_idle) {
    ThreadPoolExecutor pool({.max_workers = 2});
    auto& loop = get_running_loop();
    co_await loop.run_in_executor(&pool, [] {});
    std::this_thread::sleep_for(20ms);  // its thread is idle now
    Door door;

    Future<bool> waits = loop.run_in_executor(&pool, [&] { return door.pass_soon(); });
    Future<> opens = loop.run_in_executor(&pool, [&] { door.open(); });
    const bool passed = co_await waits;
    co_await opens;

    EXPECT_TRUE(passed);
}

ASYNC_TEST(ThreadPool, shut_down_finishes_what_was_submitted) {
    ThreadPoolExecutor pool({.max_workers = 1});
    std::atomic<int> done{0};
    auto& loop = get_running_loop();
    std::vector<Future<>> calls;
    for (int call = 0; call < 20; ++call) {
        calls.push_back(loop.run_in_executor(&pool, [&done] { ++done; }));
    }

    pool.shutdown();
    pool.shutdown();  // again is nothing

    EXPECT_EQ(done, 20);
    co_await gather(calls);
    EXPECT_EQ(pool.threads(), 0U);
}

ASYNC_TEST(ThreadPool, shut_down_with_cancel_futures_cancels_what_has_not_begun) {
    ThreadPoolExecutor pool({.max_workers = 1});
    auto& loop = get_running_loop();
    Door begun;
    Door door;
    Future<int> running = loop.run_in_executor(&pool, [&] {
        begun.open();
        door.pass();
        return 1;
    });
    Future<int> queued = loop.run_in_executor(&pool, [] { return 2; });
    begun.pass();

    pool.shutdown(false, true);
    door.open();
    auto first = co_await as_result(running);
    auto second = co_await as_result(queued);

    EXPECT_TRUE(first.has_value());
    EXPECT_TRUE(second.cancelled());
    EXPECT_TRUE(queued.cancelled());
}

ASYNC_TEST(DefaultExecutor, can_be_replaced_and_shut_down) {
    auto& loop = get_running_loop();
    EXPECT_EQ(loop.default_executor(), nullptr);
    auto pool =
        std::make_shared<ThreadPoolExecutor>(ThreadPoolOptions{.thread_name_prefix = "own"});
    loop.set_default_executor(pool);
    std::atomic<int> done{0};
    for (int call = 0; call < 5; ++call) {
        loop.run_in_executor(nullptr, [&done] {
            std::this_thread::sleep_for(1ms);
            ++done;
        });
    }

    co_await loop.shutdown_default_executor();
    auto after = co_await as_result(to_thread([] {}));

    EXPECT_EQ(done, 5);
    EXPECT_EQ(describe(after.error()), "RuntimeError('Executor shutdown has been called')");
    EXPECT_EQ(pool->threads(), 0U);
}

TEST(DefaultExecutor, whose_threads_do_not_end_in_time_is_left_with_a_warning) {
    Logged logged;
    auto door = std::make_shared<Door>();
    {
        EventLoop loop;
        auto call = loop.run_in_executor(nullptr, [door] { door->pass(); });
        loop.run_until_complete(loop.shutdown_default_executor(Duration(0.01)));
        door->open();
        loop.run_until_complete(call);
    }
    EXPECT_EQ(logged.texts.size(), 1U);
    EXPECT_EQ(logged.levels, std::vector<Level>{Level::warning});
}

// ------------------------------------------------------------------------- the end of the loop

TEST(Work, under_way_when_the_loop_is_closed_goes_on_and_its_result_is_dropped) {
    for (int round = 0; round < 50; ++round) {
        auto result = std::make_shared<int>(round);
        const std::weak_ptr<int> dropped = result;
        Door begun;
        Door door;
        ThreadPoolExecutor pool({.max_workers = 1});
        Future<std::shared_ptr<int>> future;
        {
            EventLoop loop;
            future = loop.run_in_executor(&pool, [&, result = std::move(result)] {
                begun.open();
                door.pass();
                return result;
            });
            begun.pass();
            if (round % 2 == 0) {
                door.open();  // it may end at any time while the loop is closed
            }
        }
        if (round % 2 != 0) {
            door.open();
        }
        pool.shutdown();
        EXPECT_FALSE(future.done());
        EXPECT_TRUE(dropped.expired());
    }
}

TEST(Work, queued_when_the_loop_is_closed_is_not_begun) {
    Door begun;
    Door door;
    std::atomic<bool> called{false};
    ThreadPoolExecutor pool({.max_workers = 1});
    {
        EventLoop loop;
        loop.run_in_executor(&pool, [&] {
            begun.open();
            door.pass();
        });
        loop.run_in_executor(&pool, [&called] { called = true; });
        begun.pass();
    }
    door.open();
    pool.shutdown();
    EXPECT_FALSE(called);
}

TEST(Work, in_the_default_executor_does_not_hold_up_close) {
    auto door = std::make_shared<Door>();
    auto ended = std::make_shared<Door>();
    {
        auto begun = std::make_shared<Door>();
        EventLoop loop;
        loop.run_in_executor(nullptr, [begun, door, ended] {
            begun->open();
            door->pass();
            ended->open();
        });
        begun->pass();
    }
    door->open();
    ended->pass();
}

TEST(Work, that_ends_while_the_loop_waits_wakes_it) {
    EventLoop loop;
    auto slow = [] {
        std::this_thread::sleep_for(5ms);
        return 3;
    };
    EXPECT_EQ(loop.run_until_complete(to_thread(slow)), 3);
}

TEST(Work, many_calls_from_many_loops_in_threads) {
    auto pool = std::make_shared<ThreadPoolExecutor>(ThreadPoolOptions{.max_workers = 4});
    std::atomic<int> total{0};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 3; ++thread) {
        threads.emplace_back([&] {
            EventLoop loop;
            auto body = [](Executor& pool, std::atomic<int>& total) -> Coroutine<> {
                for (int round = 0; round < 300; ++round) {
                    auto one = [] { return 1; };
                    Future<int> future = get_running_loop().run_in_executor(&pool, one);
                    total += co_await future;
                }
            };
            loop.run_until_complete(body(*pool, total));
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(total, 900);
}

}  // namespace

}  // namespace asyncio
