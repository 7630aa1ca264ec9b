// portal_test.cpp - async code for threads that block: BlockingPortal, start_blocking_portal.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/cancel_scope.hpp>
#include <asyncio/contextvars.hpp>
#include <asyncio/portal.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/threads.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace asyncio {

using testing::Logged;
using testing::settle;
using testing::thrown_by;
using testing::Trace;

namespace {

ContextVar<int> variable("variable", 0);

Coroutine<int> add(int a, int b) {
    co_await sleep(0);
    co_return a + b;
}
Coroutine<> fail() {
    co_await sleep(0);
    throw RuntimeError("bad");
}
Coroutine<std::unique_ptr<int>> twice(std::unique_ptr<int> value) {
    co_await sleep(0);
    co_return std::make_unique<int>(*value * 2);
}
Coroutine<> sleep_for_ever(std::promise<void>& begun, std::string& ended) {
    begun.set_value();
    const Result<void> slept = co_await as_result(sleep(3600));
    ended = describe(slept.error());
    slept.get();
}

const std::string not_running = "RuntimeError('This portal is not running')";
const std::string in_the_loop =
    "RuntimeError('This method cannot be called from the event loop thread')";

// --------------------------------------------------------------------- start_blocking_portal()

/// Each test of this kind runs on each proactor.
void on_each_proactor(void (*test)(RunOptions options)) {
    for (const char* proactor : testing::proactors) {
        SCOPED_TRACE(std::string("on ") + proactor);
        test({.proactor = proactor});
    }
}

TEST(PortalThread, calls_functions_and_coroutine_functions) {
    on_each_proactor([](RunOptions options) {
        const auto portal = start_blocking_portal(options);
        const std::thread::id here = std::this_thread::get_id();

        EXPECT_EQ(portal.call(add, 1, 2), 3);
        EXPECT_EQ(portal.call([](int value) { return value + 1; }, 4), 5);
        EXPECT_EQ(*portal.call(twice, std::make_unique<int>(4)), 8);
        EXPECT_EQ(portal.call([kept = std::make_unique<int>(6)] { return *kept; }), 6);
        EXPECT_NE(portal.call([] { return std::this_thread::get_id(); }), here);
        EXPECT_TRUE(portal.call([] { return get_running_loop().is_running(); }));
        portal.call([] {});
        portal.call([] { return sleep(0); });
    });
}

TEST(PortalThread, throws_what_the_function_throws) {
    on_each_proactor([](RunOptions options) {
        auto portal = start_blocking_portal(options);
        const auto failed = portal.start_task_soon(fail);
        const auto thrown = portal.start_task_soon([]() -> int { throw RuntimeError("worse"); });
        while (!failed.done() || !thrown.done()) {
            std::this_thread::yield();
        }
        portal.stop();  // the thread sanitizer does not see how exceptions are counted

        EXPECT_EQ(describe(failed.exception()), "RuntimeError('bad')");
        EXPECT_EQ(describe(thrown.exception()), "RuntimeError('worse')");
    });
}

TEST(PortalThread, takes_the_callers_context_along) {
    const auto portal = start_blocking_portal();
    const auto token = variable.set(6);
    EXPECT_EQ(portal.call([] { return variable.get(); }), 6);
    EXPECT_EQ(portal.call([]() -> Coroutine<int> { co_return variable.get(); }), 6);
}

TEST(PortalThread, cancels_a_task_that_was_started) {
    on_each_proactor([](RunOptions options) {
        auto portal = start_blocking_portal(options);
        std::promise<void> begun;
        std::string ended;
        const auto task = portal.start_task_soon(sleep_for_ever, std::ref(begun), std::ref(ended));
        begun.get_future().wait();

        EXPECT_TRUE(task.cancel());
        EXPECT_THROW(task.result(), CancelledError);
        portal.stop();

        EXPECT_EQ(ended, "CancelledError()");
    });
}

TEST(PortalThread, waits_at_its_end_for_what_is_under_way) {
    on_each_proactor([](RunOptions options) {
        ConcurrentFuture<int> five;
        {
            const auto portal = start_blocking_portal(options);
            five = portal.start_task_soon([]() -> Coroutine<int> {
                for (int turn = 0; turn < 10; ++turn) {
                    co_await sleep(0.001);
                }
                co_return 5;
            });
        }
        EXPECT_TRUE(five.done());
        EXPECT_EQ(five.result(), 5);
    });
}

TEST(PortalThread, cancels_at_its_end_what_is_under_way_if_it_is_told_to) {
    on_each_proactor([](RunOptions options) {
        auto portal = start_blocking_portal(options);
        std::promise<void> begun;
        std::string ended;
        const auto task = portal.start_task_soon(sleep_for_ever, std::ref(begun), std::ref(ended));
        const auto not_begun = portal.start_task_soon([] { return sleep(3600); });

        portal.stop(true);

        EXPECT_TRUE(task.cancelled());
        EXPECT_TRUE(not_begun.cancelled());
        EXPECT_EQ(ended, "CancelledError()");
        portal.stop();  // again is nothing
    });
}

TEST(PortalThread, cancels_what_is_under_way_if_an_exception_ends_it) {
    on_each_proactor([](RunOptions options) {
        ConcurrentFuture<> task;
        std::promise<void> begun;
        std::string ended;
        try {
            const auto portal = start_blocking_portal(options);
            task = portal.start_task_soon(sleep_for_ever, std::ref(begun), std::ref(ended));
            throw RuntimeError("of the program");
        } catch (const RuntimeError&) {}
        EXPECT_TRUE(task.cancelled());
    });
}

TEST(PortalThread, refuses_calls_once_it_was_stopped) {
    on_each_proactor([](RunOptions options) {
        auto portal = start_blocking_portal(options);
        const BlockingPortal kept = portal.portal();
        portal.stop();

        EXPECT_EQ(thrown_by([&] { return portal.call(add, 1, 2); }), not_running);
        EXPECT_EQ(thrown_by([&] { return kept.start_task_soon(add, 1, 2).done(); }), not_running);
        kept.stop(true);
    });
}

TEST(PortalThread, cannot_be_waited_for_in_the_thread_of_its_loop) {
    on_each_proactor([](RunOptions options) {
        auto portal = start_blocking_portal(options);
        const auto call_from_within = [&portal] {
            return thrown_by([&] { return portal.call(add, 1, 2); });
        };
        const auto stop_from_within = [&portal] {
            return thrown_by([&] {
                portal.stop();
                return 0;
            });
        };
        EXPECT_EQ(portal.call(call_from_within), in_the_loop);
        EXPECT_EQ(portal.call(stop_from_within), in_the_loop);
        EXPECT_EQ(portal.call(add, 1, 2), 3);
    });
}

TEST(PortalThread, may_be_stopped_by_what_it_calls) {
    on_each_proactor([](RunOptions options) {
        const auto portal = start_blocking_portal(options);
        portal.call([portal = portal.portal()] { portal.stop(); });
        EXPECT_EQ(thrown_by([&] { return portal.call(add, 1, 2); }), not_running);
    });
}

TEST(PortalThread, throws_what_keeps_the_loop_from_running) {
    const auto start = [] { start_blocking_portal({.proactor = "no such proactor"}).call([] {}); };
    EXPECT_NE(thrown_by([&] {
                  start();
                  return 0;
              }),
              "nothing");
}

TEST(PortalThread, throws_at_its_end_what_has_left_its_loop) {
    on_each_proactor([](RunOptions options) {
        auto portal = start_blocking_portal(options);
        const auto call = portal.start_task_soon([] { throw KeyboardInterrupt(); });
        while (!call.done()) {
            std::this_thread::yield();
        }
        EXPECT_THROW(portal.stop(), KeyboardInterrupt);
        EXPECT_EQ(thrown_by([&] { return portal.call(add, 1, 2); }), not_running);
    });
}

TEST(PortalThread, serves_many_threads_at_once) {
    on_each_proactor([](RunOptions options) {
        const auto portal = start_blocking_portal(options);
        std::atomic<int> sum{0};
        std::vector<std::thread> threads;
        for (int thread = 0; thread < 4; ++thread) {
            threads.emplace_back([&sum, portal = portal.portal()] {
                for (int call = 0; call < 50; ++call) {
                    sum += portal.call(add, call, 1);
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        EXPECT_EQ(sum, 4 * (49 * 50 / 2 + 50));
    });
}

// ------------------------------------------------------------------- a portal on a running loop

ASYNC_TEST(Portal, lets_threads_call_async_code) {
    BlockingPortal portal;
    auto work = [](BlockingPortal to_loop) { return to_loop.call(add, 2, 3); };
    auto body = [&]() -> Coroutine<int> { co_return co_await to_thread(work, portal); };

    const int five = co_await with(portal, body);

    EXPECT_EQ(five, 5);
    auto after = co_await as_result(to_thread(work, portal));
    EXPECT_EQ(describe(after.error()), not_running);
}

ASYNC_TEST(Portal, is_not_for_the_thread_of_its_loop) {
    const BlockingPortal portal;
    EXPECT_EQ(thrown_by([&] { return portal.call(add, 1, 2); }), in_the_loop);
    EXPECT_EQ(thrown_by([&] { return portal.start_task_soon(add, 1, 2).done(); }), in_the_loop);
    co_return;
}

ASYNC_TEST(Portal, sleeps_until_it_is_stopped) {
    const BlockingPortal portal;
    auto stop = [](BlockingPortal to_stop) { to_stop.stop(); };
    auto stopping = create_task(to_thread(stop, portal));
    co_await portal.sleep_until_stopped();
    co_await stopping;
    auto work = [](BlockingPortal to_loop) { return to_loop.call(add, 2, 3); };
    auto after = co_await as_result(to_thread(work, portal));
    EXPECT_EQ(describe(after.error()), not_running);
}

/// A task that a thread has started through a portal, and how it ended.
struct Started {
    ConcurrentFuture<> future;
    std::promise<void> begun;
    std::string ended;
    bool done = false;

    static Coroutine<> start_in_thread(Started& self, BlockingPortal portal) {
        auto start = [&self, portal] {
            self.future =
                portal.start_task_soon(sleep_for_ever, std::ref(self.begun), std::ref(self.ended));
        };
        co_await to_thread(start);
        self.done = true;
    }
};

ASYNC_TEST(Portal, cancels_its_calls_when_the_body_throws) {
    BlockingPortal portal;
    Started started;
    auto body = [&]() -> Coroutine<> {
        co_await Started::start_in_thread(started, portal);
        throw RuntimeError("body");
    };

    auto result = co_await as_result(with(portal, body));

    EXPECT_EQ(describe(result.error()), "RuntimeError('body')");
    EXPECT_TRUE(started.future.done());
}

ASYNC_TEST(Portal, cancelled_while_it_waits_for_its_calls_cancels_them) {
    BlockingPortal portal;
    Started started;
    auto whole = [&]() -> Coroutine<> {
        auto body = [&]() -> Coroutine<> { co_await Started::start_in_thread(started, portal); };
        co_await with(portal, body);
    };
    auto task = create_task(whole);
    while (!started.done) {
        co_await to_thread([] {});
    }
    co_await settle();
    EXPECT_FALSE(task.done());

    task.cancel();
    auto result = co_await as_result(task);

    EXPECT_TRUE(result.cancelled());
    EXPECT_EQ(started.ended, "CancelledError()");
}

ASYNC_TEST(Portal, in_a_cancelled_scope_waits_for_calls_that_clean_up) {
    BlockingPortal portal;
    Trace trace;
    auto clean_up = [](Trace& seen) -> Coroutine<> {
        const Result<void> slept = co_await as_result(sleep(3600));
        for (int turn = 0; turn < 5; ++turn) {
            co_await sleep(0);
        }
        seen.push_back("cleaned up after " + describe(slept.error()));
    };
    CancelScope scope;
    auto whole = [&]() -> Coroutine<> {
        auto body = [&]() -> Coroutine<> {
            auto start = [&] { portal.start_task_soon(clean_up, std::ref(trace)); };
            co_await to_thread(start);
            scope.cancel();
        };
        co_await with(portal, body);
    };

    co_await with(scope, whole);

    EXPECT_EQ(trace, Trace{"cleaned up after CancelledError()"});
}

TEST(Portal, whose_loop_was_closed_under_it_refuses_calls) {
    std::promise<void> begun;
    std::string ended;
    EventLoop loop;
    loop.set_exception_handler([](EventLoop&, const ExceptionContext&) {});
    const BlockingPortal portal(loop);
    std::thread caller([&] {
        const auto task = portal.start_task_soon(sleep_for_ever, std::ref(begun), std::ref(ended));
        EXPECT_EQ(thrown_by([&] {
                      task.result();
                      return 0;
                  }),
                  "RuntimeError('Event loop is closed')");
    });
    auto until_begun = [](std::promise<void>& promise) -> Coroutine<> {
        auto future = promise.get_future();
        while (future.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
            co_await sleep(0.001);
        }
    };
    loop.run_until_complete(until_begun(begun));
    loop.close();
    caller.join();

    EXPECT_EQ(thrown_by([&] { return portal.call(add, 1, 2); }), not_running);
    portal.stop();
}

}  // namespace

}  // namespace asyncio
