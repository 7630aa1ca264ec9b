// threads_test.cpp - work in other threads: to_thread, run_in_executor, ThreadPoolExecutor.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/tasks.hpp>
#include <asyncio/threads.hpp>
#include <asyncio/timeouts.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <pthread.h>
#include <signal.h>

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

/// A job that is no call of a loop, and frees itself.
class PlainJob final : public lowlevel::Job {
public:
    explicit PlainJob(std::function<void()> fn) : fn_(std::move(fn)) {}
    void run() noexcept override {
        fn_();
        delete this;
    }
    void abandon() noexcept override { delete this; }

private:
    ~PlainJob() = default;
    std::function<void()> fn_;
};

void submit(Executor& executor, std::function<void()> fn) {
    executor.submit(*new PlainJob(std::move(fn)));
}

/// A job that has begun, and ends some time after it was told to.
class SlowJob {
public:
    explicit SlowJob(Executor& executor) {
        submit(executor, [state = state_] {
            state->begun.open();
            state->door.pass();
            std::this_thread::sleep_for(20ms);  // in which whoever does not wait has gone on
            state->ended = true;
        });
        state_->begun.pass();
    }
    void end() { state_->door.open(); }
    [[nodiscard]] bool ended() const { return state_->ended; }

private:
    struct State {
        Door begun;
        Door door;
        std::atomic<bool> ended{false};
    };
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// A pool that breaks when it is shut down.
class BrokenPool final : public Executor {
public:
    explicit BrokenPool(bool when_waiting) : when_waiting_(when_waiting) {}
    void submit(lowlevel::Job& job) override { pool_.submit(job); }
    void shutdown(bool wait, bool cancel_futures) override {
        pool_.shutdown(wait, cancel_futures);
        if (wait == when_waiting_) {
            throw RuntimeError("executor broke");
        }
    }

private:
    bool when_waiting_;
    ThreadPoolExecutor pool_;
};

/// Copied in the thread where it is not wanted, it throws.
class Clinging {
public:
    explicit Clinging(std::thread::id unwanted) : unwanted_(unwanted) {}
    Clinging(const Clinging& other) : unwanted_(other.unwanted_) {
        if (std::this_thread::get_id() == unwanted_) {
            throw RuntimeError("cannot be copied");
        }
    }
    Clinging& operator=(const Clinging&) = delete;
    ~Clinging() = default;

private:
    std::thread::id unwanted_;
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

ASYNC_TEST(ToThread, makes_each_call_once) {
    std::atomic<int> calls{0};
    auto call = [&calls] { ++calls; };

    co_await to_thread(call);
    EXPECT_EQ(calls, 1);

    std::vector<Task<>> many;
    for (int i = 0; i < 10; ++i) {
        many.push_back(create_task(to_thread(call)));
    }
    co_await gather(many);
    EXPECT_EQ(calls, 11);
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

ASYNC_TEST(ToThread, cancelled_while_the_call_runs_reports_what_it_throws) {
    const Reports reports;
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
    while (reports.messages.empty()) {
        co_await to_thread([] {});
    }

    EXPECT_EQ(reports.messages,
              Trace{"a call in an executor threw what nobody waits for any more"});
    EXPECT_EQ(reports.errors, Trace{"RuntimeError('too late')"});
}

ASYNC_TEST(ToThread, a_result_whose_copy_throws_is_an_exception) {
    const Reports reports;
    auto call = [here = std::this_thread::get_id()] { return Clinging(here); };

    auto result = co_await as_result(to_thread(call));

    EXPECT_EQ(describe(result.error()), "RuntimeError('cannot be copied')");
    EXPECT_TRUE(reports.messages.empty());
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

TEST(ThreadPool, shutdown_that_waits_does_so_after_one_that_did_not) {
    ThreadPoolExecutor pool;
    SlowJob job(pool);

    pool.shutdown(false);
    EXPECT_FALSE(job.ended());
    job.end();
    pool.shutdown(true);

    EXPECT_TRUE(job.ended());
    EXPECT_EQ(pool.threads(), 0U);
}

TEST(ThreadPool, destroyed_after_a_shutdown_that_did_not_wait_waits) {
    auto pool = std::make_unique<ThreadPoolExecutor>();
    SlowJob job(*pool);

    pool->shutdown(false);
    job.end();
    pool.reset();

    EXPECT_TRUE(job.ended());
}

TEST(ThreadPool, shut_down_by_several_threads_makes_each_of_them_wait) {
    for (int round = 0; round < 5; ++round) {
        ThreadPoolExecutor pool;
        SlowJob job(pool);
        std::atomic<int> waited{0};
        std::vector<std::thread> threads;
        for (int thread = 0; thread < 3; ++thread) {
            threads.emplace_back([&] {
                pool.shutdown(true);
                waited += job.ended() ? 1 : 0;
            });
        }

        job.end();
        for (std::thread& thread : threads) {
            thread.join();
        }

        EXPECT_EQ(waited, 3);
    }
}

TEST(ThreadPool, destroyed_after_detach_does_not_wait) {
    auto pool = std::make_unique<ThreadPoolExecutor>(ThreadPoolOptions{.max_workers = 1});
    SlowJob job(*pool);
    auto last = std::make_shared<Door>();
    submit(*pool, [last] { last->open(); });

    pool->detach();
    pool.reset();

    EXPECT_FALSE(job.ended());
    job.end();
    EXPECT_TRUE(last->pass_soon());  // what was submitted is done nevertheless
}

TEST(ThreadPool, shutdown_that_waits_does_so_after_detach) {
    ThreadPoolExecutor pool;
    SlowJob job(pool);

    pool.detach();
    job.end();
    pool.shutdown(true);

    EXPECT_TRUE(job.ended());
}

// A thread cannot wait for itself, nor two for each other; for the others it does.
TEST(ThreadPool, shut_down_by_its_own_threads_waits_for_the_others) {
    ThreadPoolExecutor pool({.max_workers = 3});
    SlowJob job(pool);
    std::atomic<int> waited{0};
    Door submitted;
    auto shut_down = [&] {
        submitted.pass();
        pool.shutdown(true);
        waited += job.ended() ? 1 : 0;
    };
    submit(pool, shut_down);
    submit(pool, shut_down);
    submitted.open();

    job.end();
    pool.shutdown(true);

    EXPECT_EQ(waited, 2);
}

TEST(ThreadPool, can_be_destroyed_by_its_own_thread) {
    auto pool = std::make_unique<ThreadPoolExecutor>(ThreadPoolOptions{.max_workers = 2});
    SlowJob slow(*pool);
    auto destroyed = std::make_shared<Door>();
    std::atomic<bool> waited{false};
    ThreadPoolExecutor& executor = *pool;
    submit(executor,
           [&waited, slow, destroyed, pool = std::make_shared<decltype(pool)>(std::move(pool))] {
               pool->reset();
               waited = slow.ended();
               destroyed->open();
           });

    slow.end();

    EXPECT_TRUE(destroyed->pass_soon());
    EXPECT_TRUE(waited);
}

TEST(ThreadPool, can_be_destroyed_by_what_is_local_to_its_thread) {
    struct Last {
        std::shared_ptr<ThreadPoolExecutor> pool;
        std::shared_ptr<Door> destroyed;
        ~Last() {
            if (pool != nullptr) {
                pool.reset();
                destroyed->open();
            }
        }
    };
    auto destroyed = std::make_shared<Door>();
    auto last = std::make_shared<ThreadPoolExecutor>(ThreadPoolOptions{.max_workers = 1});
    submit(*last, [last, destroyed] {
        static thread_local Last local;
        local.pool = last;
        local.destroyed = destroyed;
    });
    last->shutdown(false);
    last.reset();

    EXPECT_TRUE(destroyed->pass_soon());
}

// So that a handler runs in a thread that the program knows of; but what a thread does wrong
// itself reaches it, for whoever reports crashes.
TEST(ThreadPool, leaves_signals_to_other_threads) {
    sigset_t before;
    sigset_t in_pool;
    sigset_t after;
    sigemptyset(&in_pool);
    ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
    ThreadPoolExecutor pool;

    submit(pool, [&] { ::pthread_sigmask(SIG_SETMASK, nullptr, &in_pool); });
    ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
    pool.shutdown();

    for (const int signal : {SIGINT, SIGTERM, SIGCHLD, SIGUSR1, SIGALRM}) {
        EXPECT_EQ(sigismember(&in_pool, signal), 1) << signal;
    }
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
        EXPECT_EQ(sigismember(&in_pool, signal), 0) << signal;
    }
    for (int signal = 1; signal < SIGRTMAX; ++signal) {
        EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal)) << signal;
    }
}

// ---------------------------------------------------------------------- ThreadPoolExecutor::submit

TEST(ThreadPoolSubmit, gives_what_the_function_returns_or_throws) {
    ThreadPoolExecutor pool(2);
    auto take = [](std::unique_ptr<int> value) { return std::make_unique<int>(*value + 1); };
    auto only_moves = [value = std::make_unique<int>(7)] { return *value; };

    const auto sum = pool.submit([](int a, int b) { return a + b; }, 1, 2);
    const auto moved = pool.submit(take, std::make_unique<int>(4));
    const auto seven = pool.submit(std::move(only_moves));
    const auto nothing = pool.submit([] {});
    const auto failed = pool.submit([] { throw RuntimeError("bad"); });

    EXPECT_EQ(sum.result(), 3);
    EXPECT_EQ(*moved.result(), 5);
    EXPECT_EQ(seven.result(), 7);
    nothing.result();
    pool.shutdown();
    EXPECT_EQ(thrown_by([&] {
                  failed.result();
                  return 0;
              }),
              "RuntimeError('bad')");
    EXPECT_EQ(thrown_by([&] { return pool.submit([] {}); }),
              "RuntimeError('cannot schedule new futures after shutdown')");
}

TEST(ThreadPoolSubmit, cancelled_before_it_began_is_never_called) {
    ThreadPoolExecutor pool(1);
    SlowJob job(pool);
    std::atomic<bool> called{false};
    Trace trace;

    const auto queued = pool.submit([&called] { called = true; });
    queued.add_done_callback(
        [&trace](const auto& done) { trace.push_back(done.cancelled() ? "cancelled" : "done"); });
    EXPECT_FALSE(queued.running());
    EXPECT_TRUE(queued.cancel());
    EXPECT_TRUE(queued.cancel()) << "it is";
    job.end();
    pool.shutdown();

    EXPECT_FALSE(called);
    EXPECT_TRUE(queued.cancelled());
    EXPECT_EQ(trace, Trace{"cancelled"});
    EXPECT_THROW(queued.result(), CancelledError);
}

TEST(ThreadPoolSubmit, cannot_be_cancelled_while_it_runs_or_afterwards) {
    ThreadPoolExecutor pool(1);
    Door begun;
    Door door;
    const auto call = pool.submit([&] {
        begun.open();
        door.pass();
        return 1;
    });
    begun.pass();

    EXPECT_TRUE(call.running());
    EXPECT_FALSE(call.cancel());
    door.open();
    EXPECT_EQ(call.result(), 1);
    EXPECT_FALSE(call.cancel());
    EXPECT_FALSE(call.running());
}

TEST(ThreadPoolSubmit, that_waits_longer_than_it_may_throws_and_goes_on) {
    ThreadPoolExecutor pool(1);
    Door door;
    const auto call = pool.submit([&door] {
        door.pass();
        return 1;
    });
    EXPECT_THROW(static_cast<void>(call.result(0)), TimeoutError);
    EXPECT_THROW(static_cast<void>(call.exception(1ms)), TimeoutError);
    door.open();
    EXPECT_EQ(call.result(), 1);
}

TEST(ThreadPoolSubmit, shut_down_cancels_what_has_not_begun_if_it_is_told_to) {
    ThreadPoolExecutor pool(1);
    SlowJob job(pool);
    std::vector<ConcurrentFuture<int>> calls;
    for (int call = 0; call < 10; ++call) {
        calls.push_back(pool.submit([call] { return call; }));
    }

    pool.shutdown(false, true);
    job.end();
    pool.shutdown();

    EXPECT_TRUE(job.ended());
    for (const auto& call : calls) {
        EXPECT_TRUE(call.cancelled());
    }
}

// What it has captured may be waited for with the future.
TEST(ThreadPoolSubmit, destroys_the_function_before_its_result_is_there) {
    ThreadPoolExecutor pool(1);
    for (int round = 0; round < 100; ++round) {
        auto captured = std::make_shared<int>(round);
        const std::weak_ptr<int> observed = captured;
        const auto call = pool.submit([captured = std::move(captured)] { return *captured; });
        EXPECT_EQ(call.result(), round);
        EXPECT_TRUE(observed.expired());
    }
}

TEST(ThreadPoolSubmit, may_come_from_a_thread_of_the_pool) {
    ThreadPoolExecutor pool(2);
    const auto outer = pool.submit([&pool] { return pool.submit([] { return 1; }).result(); });
    EXPECT_EQ(outer.result(), 1);
}

ASYNC_TEST(ThreadPoolSubmit, may_be_awaited_by_a_loop) {
    ThreadPoolExecutor pool(1);
    const int three = co_await wrap_future(pool.submit([] { return 3; }));
    EXPECT_EQ(three, 3);
}

TEST(ThreadPoolSubmit, uses_an_idle_thread_again) {
    constexpr std::size_t most = 50;
    ThreadPoolExecutor pool(most);
    std::size_t before = 0;
    do {
        before = pool.threads();
        pool.submit([] {}).result();
    } while (pool.threads() != before);
    EXPECT_LT(before, most);
}

TEST(ThreadPoolMap, gives_the_results_in_order) {
    ThreadPoolExecutor pool(3);
    const std::vector<int> bases{2, 3, 4};
    const std::vector<int> exponents{3, 2, 1, 9};
    auto power = [kept = std::make_unique<int>(1)](int base, int exponent) {
        int result = *kept;
        for (; exponent > 0; --exponent) {
            result *= base;
        }
        return result;
    };

    std::vector<int> results;
    for (const int each : pool.map(std::move(power), bases, exponents)) {
        results.push_back(each);
    }

    EXPECT_EQ(results, (std::vector<int>{8, 9, 4}));
}

TEST(ThreadPoolMap, makes_all_calls_though_nobody_reads) {
    std::atomic<int> sum{0};
    const std::vector<int> items{1, 2, 3, 4};
    ThreadPoolExecutor pool(2);
    auto results = pool.map([&sum](int item) { sum += item; }, items);
    pool.shutdown();
    EXPECT_EQ(sum, 10);
}

TEST(ThreadPoolMap, throws_what_a_call_throws_in_its_place) {
    ThreadPoolExecutor pool(2);
    const std::vector<int> items{1, 2, 0};
    auto results = pool.map(
        [](int item) {
            if (item == 0) {
                throw RuntimeError("divided by zero");
            }
            return 2 / item;
        },
        items);
    pool.shutdown();
    auto at = results.begin();
    EXPECT_EQ(*at, 2);
    EXPECT_EQ(*++at, 1);
    EXPECT_EQ(thrown_by([&] { return *++at; }), "RuntimeError('divided by zero')");
}

TEST(ThreadPoolMap, that_takes_too_long_is_cancelled_as_far_as_it_has_not_begun) {
    ThreadPoolExecutor pool(1);
    SlowJob job(pool);
    std::atomic<int> called{0};
    {
        const std::vector<int> items{1, 2};
        auto results = pool.map({.timeout = 0}, [&called](int) { ++called; }, items);
        EXPECT_THROW(static_cast<void>(results.begin()), TimeoutError);
    }
    job.end();
    pool.shutdown();
    EXPECT_EQ(called, 0);
}

// ------------------------------------------------------------- names and initialisers of threads

std::string thread_name() {
    char name[32] = {};
    ::pthread_getname_np(::pthread_self(), name, sizeof name);
    return name;
}

thread_local int prepared = 0;

TEST(ThreadPool, has_as_many_threads_as_python_by_default) {
    const std::size_t most = std::min(32U, std::thread::hardware_concurrency() + 4);
    ThreadPoolExecutor pool;
    Door door;
    std::vector<ConcurrentFuture<>> calls;
    for (std::size_t call = 0; call < most + 3; ++call) {
        calls.push_back(pool.submit([&door] { door.pass(); }));
    }
    EXPECT_EQ(pool.threads(), most);
    door.open();
    pool.shutdown();
}

TEST(ThreadPool, numbers_its_threads_though_the_prefix_is_long) {
    ThreadPoolExecutor pool({.max_workers = 1, .thread_name_prefix = "a-prefix-that-is-long"});
    ThreadPoolExecutor other({.max_workers = 1});
    EXPECT_EQ(pool.submit(thread_name).result(), "a-prefix-that_0");
    EXPECT_EQ(other.submit(thread_name).result(), "asyncio_0");
}

TEST(ThreadPoolInitializer, is_called_first_in_each_thread_which_has_its_name) {
    std::mutex mutex;
    std::set<std::string> names;
    std::atomic<int> initialized{0};
    ThreadPoolExecutor pool(
        {.max_workers = 2, .thread_name_prefix = "init"},
        [&, kept = std::make_unique<int>(5)](const std::string& suffix) {
            const std::lock_guard lock(mutex);
            prepared = *kept;
            ++initialized;
            names.insert(thread_name() + suffix);
        },
        "!");
    Door door;
    const auto first = pool.submit([&door] {
        door.pass();
        return prepared;
    });
    const auto second = pool.submit([&door] {
        door.open();
        return prepared;
    });

    EXPECT_EQ(first.result(), 5);
    EXPECT_EQ(second.result(), 5);
    EXPECT_EQ(initialized, 2);
    EXPECT_EQ(names, (std::set<std::string>{"init_0!", "init_1!"}));
}

TEST(ThreadPoolInitializer, may_be_an_option) {
    ThreadPoolExecutor pool({.max_workers = 1, .initializer = [] { prepared = 8; }});
    EXPECT_EQ(pool.submit([] { return prepared; }).result(), 8);
}

TEST(ThreadPoolInitializer, that_throws_breaks_the_pool) {
    const Logged logged;
    Door submitted;
    ThreadPoolExecutor pool({.max_workers = 2}, [&submitted] {
        submitted.pass();
        throw std::invalid_argument("error in initializer");
    });
    const auto first = pool.submit([] { return 1; });
    const auto second = pool.submit([] { return 2; });
    EventLoop loop;
    const Future<int> third = loop.run_in_executor(&pool, [] { return 3; });

    submitted.open();
    while (!first.done() || !second.done()) {
        std::this_thread::yield();
    }
    pool.shutdown();

    const std::string broken =
        "BrokenThreadPool('A thread initializer failed, the thread pool is not usable anymore')";
    EXPECT_EQ(thrown_by([&] { return first.result(); }), broken);
    EXPECT_EQ(thrown_by([&] { return second.result(); }), broken);
    EXPECT_EQ(thrown_by([&] { return loop.run_until_complete(third); }), broken);
    EXPECT_EQ(thrown_by([&] { return pool.submit([] { return 4; }); }), broken);
    EXPECT_THROW(pool.submit([] {}), BrokenExecutor);
    EXPECT_FALSE(logged.texts.empty());
    EXPECT_EQ(logged.texts.at(0), "Exception in initializer: ValueError('error in initializer')");
    EXPECT_EQ(logged.levels.at(0), Level::error);
}

// ---------------------------------------------------------------------------- default executor

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

ASYNC_TEST(DefaultExecutor, that_is_shut_down_twice_is_waited_for_twice) {
    auto& loop = get_running_loop();
    auto pool = std::make_shared<ThreadPoolExecutor>();
    loop.set_default_executor(pool);
    SlowJob job(*pool);

    auto first = create_task(loop.shutdown_default_executor());
    auto second = create_task(loop.shutdown_default_executor());
    co_await sleep(0);
    job.end();
    co_await second;

    EXPECT_TRUE(job.ended());
    co_await first;
}

ASYNC_TEST(DefaultExecutor, that_throws_when_it_is_shut_down_is_heard_of) {
    const Logged logged;
    auto& loop = get_running_loop();
    loop.set_default_executor(std::make_shared<BrokenPool>(true));

    auto result = co_await as_result(loop.shutdown_default_executor(Duration(300)));

    EXPECT_EQ(describe(result.error()), "RuntimeError('executor broke')");
    EXPECT_EQ(logged.texts, Trace{});
    loop.set_default_executor(nullptr);
}

TEST(DefaultExecutor, that_throws_at_the_end_of_run_makes_run_throw) {
    auto main = []() -> Coroutine<> {
        get_running_loop().set_default_executor(std::make_shared<BrokenPool>(true));
        co_await to_thread([] {});
    };
    EXPECT_EQ(thrown_by([&] { run(main()); }), "RuntimeError('executor broke')");
}

TEST(DefaultExecutor, that_throws_when_the_loop_is_closed_is_logged) {
    const Logged logged;
    EventLoop loop;
    loop.set_default_executor(std::make_shared<BrokenPool>(false));

    loop.close();

    EXPECT_EQ(logged.texts.size(), 1U);
    EXPECT_NE(logged.texts.at(0).find("RuntimeError('executor broke')"), std::string::npos);
    EXPECT_EQ(logged.levels.at(0), Level::error);
}

TEST(DefaultExecutor, that_is_being_shut_down_does_not_hold_up_close) {
    auto door = std::make_shared<Door>();
    auto ended = std::make_shared<Door>();
    auto held = std::make_shared<std::atomic<bool>>(false);
    {
        const Logged logged;
        EventLoop loop;
        auto begun = std::make_shared<Door>();
        auto call = loop.run_in_executor(nullptr, [begun, door, ended, held] {
            begun->open();
            *held = !door->pass_soon();
            ended->open();
        });
        auto closing = loop.create_task(loop.shutdown_default_executor());
        loop.call_soon([&] { loop.stop(); });
        loop.run_forever();
        begun->pass();
    }
    door->open();
    ended->pass();
    EXPECT_FALSE(*held);
}

TEST(DefaultExecutor, that_is_replaced_is_not_waited_for) {
    auto door = std::make_shared<Door>();
    auto held = std::make_shared<std::atomic<bool>>(false);
    EventLoop loop;
    auto pass = [door, held] { *held = *held || !door->pass_soon(); };
    auto in_implicit = loop.run_in_executor(nullptr, pass);
    loop.set_default_executor(std::make_shared<ThreadPoolExecutor>());
    auto in_ours = loop.run_in_executor(nullptr, pass);
    loop.set_default_executor(std::make_shared<ThreadPoolExecutor>());

    door->open();
    loop.run_until_complete(in_implicit);
    loop.run_until_complete(in_ours);

    EXPECT_FALSE(*held);
}

TEST(DefaultExecutor, whose_owner_still_has_it_is_waited_for_by_the_owner) {
    auto pool = std::make_shared<ThreadPoolExecutor>();
    {
        EventLoop loop;
        loop.set_default_executor(pool);
        EXPECT_EQ(loop.default_executor().get(), pool.get());
    }
    EXPECT_EQ(pool.use_count(), 1);
    EXPECT_EQ(thrown_by([&] { EventLoop().run_in_executor(pool.get(), [] {}); }),
              "RuntimeError('cannot schedule new futures after shutdown')");

    auto other = std::make_shared<ThreadPoolExecutor>();
    SlowJob job(*other);
    {
        EventLoop loop;
        loop.set_default_executor(other);
    }
    job.end();
    other.reset();
    EXPECT_TRUE(job.ended());
}

TEST(DefaultExecutor, that_another_loop_shares_goes_on_for_it) {
    auto pool = std::make_shared<ThreadPoolExecutor>(ThreadPoolOptions{.max_workers = 1});
    EventLoop other;
    SlowJob job(*pool);
    Future<int> queued = other.run_in_executor(pool.get(), [] { return 3; });
    {
        EventLoop loop;
        loop.set_default_executor(pool);
    }
    job.end();
    EXPECT_EQ(other.run_until_complete(queued), 3);
}

// ---------------------------------------------------------------------------- resolver executor

ASYNC_TEST(ResolverExecutor, is_not_held_up_by_calls_in_the_default_one) {
    auto& loop = get_running_loop();
    loop.set_default_executor(
        std::make_shared<ThreadPoolExecutor>(ThreadPoolOptions{.max_workers = 1}));
    Door door;
    auto hangs = loop.run_in_executor(nullptr, [&] { door.pass(); });

    const int answer = co_await loop.run_in_executor(&loop.resolver_executor(), [] { return 42; });

    EXPECT_EQ(answer, 42);
    EXPECT_FALSE(hangs.done());
    EXPECT_EQ(&loop.resolver_executor(), &loop.resolver_executor());
    door.open();
    co_await hangs;
}

TEST(ResolverExecutor, does_not_hold_up_close_and_is_gone_then) {
    auto door = std::make_shared<Door>();
    auto ended = std::make_shared<Door>();
    auto held = std::make_shared<std::atomic<bool>>(false);
    auto begun = std::make_shared<Door>();
    EventLoop loop;
    loop.run_in_executor(&loop.resolver_executor(), [=] {
        begun->open();
        *held = !door->pass_soon();
        ended->open();
    });
    begun->pass();
    loop.close();
    door->open();
    ended->pass();

    EXPECT_FALSE(*held);
    EXPECT_EQ(thrown_by([&] { return &loop.resolver_executor(); }),
              "RuntimeError('Event loop is closed')");
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

TEST(Work, queued_when_the_loop_is_closed_is_not_begun_and_a_warning_says_so) {
    Logged logged;
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
        loop.run_in_executor(&pool, [&called] { called = true; });
        // This one nobody wants any more.
        loop.run_in_executor(&pool, [&called] { called = true; }).cancel();
        begun.pass();
    }
    door.open();
    pool.shutdown();
    EXPECT_FALSE(called);
    EXPECT_EQ(logged.texts, Trace{"calls in threads that had not begun when the event loop was "
                                  "closed, and are never made: 2"});
    EXPECT_EQ(logged.levels, std::vector<Level>{Level::warning});
}

TEST(Work, that_throws_after_the_loop_was_closed_is_logged) {
    Logged logged;
    Door begun;
    Door door;
    ThreadPoolExecutor pool({.max_workers = 1});
    {
        EventLoop loop;
        loop.run_in_executor(&pool, [&] {
            begun.open();
            door.pass();
            throw RuntimeError("too late");
        });
        begun.pass();
    }
    door.open();
    pool.shutdown();
    EXPECT_EQ(logged.texts.size(), 1U);
    EXPECT_NE(logged.texts.at(0).find("RuntimeError('too late')"), std::string::npos);
}

// What a call has captured is destroyed on the loop's thread as well, and may wait for other calls.
TEST(Work, destroyed_when_the_loop_is_closed_may_wait_for_other_work) {
    struct Captured {
        std::shared_ptr<ThreadPoolExecutor> pool;  // the last one: waits for the other call ...
        std::shared_ptr<Door> door;
        Captured(std::shared_ptr<ThreadPoolExecutor> executor, std::shared_ptr<Door> opened)
            : pool(std::move(executor)), door(std::move(opened)) {}
        Captured(Captured&&) noexcept = default;
        Captured& operator=(Captured&&) = delete;
        ~Captured() {
            if (door != nullptr) {
                door->open();  // ... which ends now
            }
        }
    };
    auto pool = std::make_shared<ThreadPoolExecutor>(ThreadPoolOptions{.max_workers = 2});
    const std::weak_ptr<ThreadPoolExecutor> observed = pool;
    auto door = std::make_shared<Door>();
    EventLoop loop;
    Door begun;
    ThreadPoolExecutor& executor = *pool;
    loop.run_in_executor(&executor, [captured = Captured(std::move(pool), door)] {});
    loop.run_in_executor(&executor, [&begun, door] {
        begun.open();
        door->pass();
    });
    begun.pass();
    // The first call is over when a third has been made by its thread.
    Door third;
    loop.run_in_executor(&executor, [&third] { third.open(); });
    third.pass();

    loop.close();

    EXPECT_TRUE(observed.expired());
}

// The future of a call that is under way may be the last to hold anything, the pool too.
TEST(Work, whose_future_goes_with_the_loop_may_wait_for_it) {
    auto pool = std::make_shared<ThreadPoolExecutor>();
    ThreadPoolExecutor& executor = *pool;
    struct Opens {
        std::shared_ptr<ThreadPoolExecutor> pool;
        std::shared_ptr<Door> door;
        Opens(std::shared_ptr<ThreadPoolExecutor> last, std::shared_ptr<Door> opened)
            : pool(std::move(last)), door(std::move(opened)) {}
        Opens(Opens&&) noexcept = default;
        Opens& operator=(Opens&&) = delete;
        ~Opens() {
            if (door != nullptr) {
                door->open();
            }
        }
    };
    auto door = std::make_shared<Door>();
    Door begun;
    auto ended = std::make_shared<std::atomic<bool>>(false);
    EventLoop loop;
    loop.run_in_executor(&executor,
                         [&begun, door, ended] {
                             begun.open();
                             door->pass();
                             *ended = true;
                         })
        .add_done_callback([opens = Opens(std::move(pool), door)](const AnyFuture&) {});
    begun.pass();

    loop.close();

    EXPECT_TRUE(*ended);
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
