// concurrent_future_test.cpp - results of a loop for other threads: run_coroutine_threadsafe,
// wrap_future.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/contextvars.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/threads.hpp>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace asyncio {

using namespace std::chrono_literals;
using testing::Logged;
using testing::Reports;
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
Coroutine<std::unique_ptr<int>> make_unique_number() {
    co_return std::make_unique<int>(4);
}
Coroutine<int> look() {
    co_return variable.get();
}

/// A loop in a thread of its own.
class LoopThread {
public:
    LoopThread()
        : thread_([this] {
              EventLoop loop;
              loop.call_soon([&] { running_.set_value(&loop); });
              loop.run_forever();
              told_.get_future().wait();  // whoever stops the loop may be in a call of it still
              if (cancels_) {
                  for (const AnyTask& task : all_tasks(loop)) {
                      task.cancel();
                  }
                  loop.run_until_complete(sleep(0));
                  loop.run_until_complete(sleep(0));
              }
              loop.set_exception_handler([](EventLoop&, const ExceptionContext&) {});
          }) {
        loop_ = running_.get_future().get();
    }
    ~LoopThread() { end(); }

    [[nodiscard]] EventLoop& loop() const { return *loop_; }
    /// Stops and closes the loop.
    void end() {
        if (thread_.joinable()) {
            loop_->call_soon_threadsafe([this] { loop_->stop(); });
            told_.set_value();
            thread_.join();
        }
    }
    void end_with_cancellation() {
        cancels_ = true;
        end();
    }

private:
    std::promise<EventLoop*> running_;
    std::promise<void> told_;
    std::atomic<bool> cancels_{false};
    EventLoop* loop_ = nullptr;
    std::thread thread_;
};

/// A task that tells when it waits, and how its wait ended.
struct Waiting {
    std::promise<void> begun;
    std::promise<std::string> ended;

    Coroutine<> wait() {
        begun.set_value();
        const Result<void> slept = co_await as_result(sleep(3600));
        ended.set_value(describe(slept.error()));
        slept.get();
    }
};

TEST(RunCoroutineThreadsafe, gives_the_result_to_another_thread) {
    const LoopThread thread;

    auto future = run_coroutine_threadsafe(add(1, 2), thread.loop());

    EXPECT_EQ(future.result(), 3);
    EXPECT_EQ(future.result(), 3);
    EXPECT_TRUE(future.done());
    EXPECT_FALSE(future.cancelled());
    EXPECT_EQ(future.exception(), nullptr);
    EXPECT_FALSE(future.cancel());
}

TEST(RunCoroutineThreadsafe, takes_a_function_and_any_awaitable) {
    const LoopThread thread;
    EXPECT_EQ(run_coroutine_threadsafe([] { return add(2, 3); }, thread.loop()).result(), 5);
    run_coroutine_threadsafe(sleep(0), thread.loop()).result();
}

TEST(RunCoroutineThreadsafe, gives_what_only_moves_once) {
    const LoopThread thread;

    auto future = run_coroutine_threadsafe(make_unique_number(), thread.loop());

    EXPECT_EQ(*future.result(), 4);
    EXPECT_THROW(static_cast<void>(future.result()), InvalidStateError);
}

TEST(RunCoroutineThreadsafe, passes_an_exception_on) {
    LoopThread thread;

    auto future = run_coroutine_threadsafe(fail(), thread.loop());
    while (!future.done()) {
        std::this_thread::yield();
    }
    thread.end();  // the thread sanitizer does not see how exceptions are counted

    EXPECT_EQ(thrown_by([&] {
                  future.result();
                  return 0;
              }),
              "RuntimeError('bad')");
    EXPECT_EQ(describe(future.exception()), "RuntimeError('bad')");
}

TEST(RunCoroutineThreadsafe, passes_on_what_the_task_factory_throws) {
    const Logged logged;  // the coroutine was never awaited
    LoopThread thread;
    EventLoop& loop = thread.loop();
    std::promise<std::string> reported;
    loop.call_soon_threadsafe([&] {
        loop.set_exception_handler([&](EventLoop&, const ExceptionContext& context) {
            reported.set_value(describe(context.exception));
        });
        loop.set_task_factory([](EventLoop&, AnyCoroutine&, TaskOptions) -> AnyTask {
            throw RuntimeError("no task");
        });
    });

    const auto future = run_coroutine_threadsafe(add(1, 2), loop);
    EXPECT_EQ(reported.get_future().get(), "RuntimeError('no task')");
    thread.end();  // as above

    EXPECT_EQ(thrown_by([&] { return future.result(); }), "RuntimeError('no task')");
}

TEST(RunCoroutineThreadsafe, times_out_and_goes_on) {
    const LoopThread thread;
    auto gate = std::make_shared<Future<int>>();
    auto wait = [](std::shared_ptr<Future<int>> inner) -> Coroutine<int> {
        *inner = get_running_loop().create_future<int>();
        auto future = *inner;
        const int value = co_await future;
        *inner = {};
        co_return value;
    };
    auto future = run_coroutine_threadsafe(wait(gate), thread.loop());

    EXPECT_THROW(static_cast<void>(future.result(0.01)), TimeoutError);
    EXPECT_THROW(static_cast<void>(future.exception(10ms)), TimeoutError);
    thread.loop().call_soon_threadsafe([gate = std::move(gate)] { gate->set_result(9); });

    EXPECT_EQ(future.result(20s), 9);
}

TEST(RunCoroutineThreadsafe, cancels_the_task) {
    const LoopThread thread;
    Waiting waiting;
    auto future = run_coroutine_threadsafe(waiting.wait(), thread.loop());
    waiting.begun.get_future().wait();

    EXPECT_TRUE(future.cancel());

    EXPECT_TRUE(future.cancelled());
    EXPECT_THROW(future.result(), CancelledError);
    EXPECT_THROW(static_cast<void>(future.exception()), CancelledError);
    EXPECT_EQ(waiting.ended.get_future().get(), "CancelledError()");
    EXPECT_TRUE(future.cancel()) << "it is";
}

ASYNC_TEST(RunCoroutineThreadsafe, cancelled_before_the_task_is_made_cancels_it_at_its_first_wait) {
    Trace trace;
    auto wait = [](Trace& seen) -> Coroutine<> {
        seen.push_back("began");
        const Result<void> slept = co_await as_result(sleep(10));
        seen.push_back(describe(slept.error()));
    };
    const auto future = run_coroutine_threadsafe(wait(trace), get_running_loop());

    EXPECT_TRUE(future.cancel());
    co_await settle();

    EXPECT_EQ(trace, (Trace{"began", "CancelledError()"}));
}

ASYNC_TEST(RunCoroutineThreadsafe, that_is_cancelled_does_not_hide_what_the_task_throws_then) {
    const Reports reports;
    auto fail_in_cleanup = []() -> Coroutine<> {
        const Result<void> slept = co_await as_result(sleep(10));
        throw RuntimeError("in cleanup after " + describe(slept.error()));
    };
    const auto future = run_coroutine_threadsafe(fail_in_cleanup(), get_running_loop());
    co_await settle();

    EXPECT_TRUE(future.cancel());
    co_await settle();

    EXPECT_EQ(reports.messages, Trace{"Task exception was never retrieved"});
    EXPECT_EQ(reports.errors, Trace{"RuntimeError('in cleanup after CancelledError()')"});
}

TEST(RunCoroutineThreadsafe, is_cancelled_when_the_task_is) {
    LoopThread thread;
    Waiting waiting;
    auto future = run_coroutine_threadsafe(waiting.wait(), thread.loop());
    waiting.begun.get_future().wait();

    thread.end_with_cancellation();

    EXPECT_TRUE(future.cancelled());
    EXPECT_THROW(future.result(), CancelledError);
}

TEST(RunCoroutineThreadsafe, does_not_wait_for_a_loop_that_was_closed) {
    LoopThread thread;
    Waiting waiting;
    auto future = run_coroutine_threadsafe(waiting.wait(), thread.loop());
    waiting.begun.get_future().wait();
    std::thread closer([&thread] {
        std::this_thread::sleep_for(5ms);
        thread.end();
    });

    EXPECT_EQ(thrown_by([&] {
                  future.result(20s);
                  return 0;
              }),
              "RuntimeError('Event loop is closed')");

    closer.join();
    EXPECT_FALSE(future.cancel());
}

TEST(RunCoroutineThreadsafe, that_never_begins_is_done_when_the_loop_is_closed) {
    ConcurrentFuture<int> future;
    Trace trace;
    {
        EventLoop loop;
        future = run_coroutine_threadsafe(add(1, 2), loop);
        future.add_done_callback([&trace](const ConcurrentFuture<int>& done) {
            trace.push_back(describe(done.exception()));
        });
        EXPECT_FALSE(future.done());
    }
    EXPECT_EQ(thrown_by([&] { return future.result(); }), "RuntimeError('Event loop is closed')");
    EXPECT_EQ(trace, Trace{"RuntimeError('Event loop is closed')"});
}

TEST(RunCoroutineThreadsafe,
     that_was_begun_is_done_when_the_loop_is_closed_although_its_task_is_held) {
    ConcurrentFuture<> future;
    AnyTask held;
    {
        EventLoop loop;
        loop.set_exception_handler([](EventLoop&, const ExceptionContext&) {});
        auto wait = [](AnyTask& me) -> Coroutine<> {
            me = current_task();
            co_await sleep(3600);
        };
        future = run_coroutine_threadsafe(wait(held), loop);
        loop.run_until_complete(sleep(0));
        loop.run_until_complete(sleep(0));
        EXPECT_TRUE(held);
    }
    EXPECT_EQ(thrown_by([&] {
                  future.result();
                  return 0;
              }),
              "RuntimeError('Event loop is closed')");
}

TEST(RunCoroutineThreadsafe, is_refused_by_a_loop_that_is_closed) {
    EventLoop loop;
    loop.close();
    EXPECT_EQ(thrown_by([&] { return run_coroutine_threadsafe(add(1, 2), loop).done(); }),
              "RuntimeError('Event loop is closed')");
}

TEST(RunCoroutineThreadsafe, takes_the_callers_context_along) {
    const LoopThread thread;
    auto token = variable.set(6);
    auto future = run_coroutine_threadsafe(look(), thread.loop());
    variable.reset(token);

    EXPECT_EQ(future.result(), 6);
}

TEST(RunCoroutineThreadsafe, refuses_to_wait_in_the_thread_of_its_loop) {
    auto body = []() -> Coroutine<std::string> {
        auto future = run_coroutine_threadsafe(add(1, 2), get_running_loop());
        std::string refused = thrown_by([&] { return future.result(); });
        while (!future.done()) {
            co_await sleep(0);
        }
        EXPECT_EQ(future.result(), 3);
        co_return refused;
    };
    EXPECT_EQ(run(body),
              "RuntimeError('the result would be waited for by the loop that has to compute it')");
}

TEST(ConcurrentFuture, calls_callbacks_when_it_is_done_and_at_once_when_it_was) {
    const LoopThread thread;
    Waiting waiting;
    const Logged logged;
    auto future = run_coroutine_threadsafe(waiting.wait(), thread.loop());
    waiting.begun.get_future().wait();
    Trace trace;
    future.add_done_callback([&trace](const auto& done) {
        trace.push_back(done.cancelled() ? "first: cancelled" : "first: not");
    });
    future.add_done_callback([](const auto&) { throw RuntimeError("callback"); });
    future.add_done_callback([&trace](const auto&) { trace.push_back("third"); });
    EXPECT_EQ(trace, Trace{});

    future.cancel();  // called here, then
    future.add_done_callback([&trace](const auto&) { trace.push_back("late"); });

    EXPECT_EQ(trace, (Trace{"first: cancelled", "third", "late"}));
    EXPECT_EQ(logged.texts,
              Trace{"a done callback of a ConcurrentFuture threw: RuntimeError('callback')"});
    waiting.ended.get_future().wait();
}

TEST(ConcurrentFuture, that_is_empty_says_so) {
    const ConcurrentFuture<int> future;
    EXPECT_FALSE(future);
    EXPECT_THROW(static_cast<void>(future.done()), RuntimeError);
    EXPECT_THROW(future.cancel(), RuntimeError);
}

TEST(ConcurrentFuture, is_used_by_many_threads_at_once) {
    const LoopThread thread;
    std::atomic<int> sum{0};
    std::atomic<int> cancelled{0};
    std::vector<std::thread> threads;
    for (int number = 0; number < 4; ++number) {
        threads.emplace_back([&, number] {
            for (int i = 0; i < 100; ++i) {
                auto future = run_coroutine_threadsafe(add(1, 0), thread.loop());
                std::thread other;
                if (i % 10 == number) {
                    other = std::thread([future] { future.cancel(); });
                }
                try {
                    sum += future.result();
                } catch (const CancelledError&) {
                    ++cancelled;
                }
                if (other.joinable()) {
                    other.join();
                }
            }
        });
    }
    for (std::thread& each : threads) {
        each.join();
    }
    EXPECT_EQ(sum + cancelled, 400);
}

TEST(ConcurrentFuture, is_cancelled_if_cancel_says_so) {
    const LoopThread thread;
    auto nothing = []() -> Coroutine<> { co_return; };
    int cancelled = 0;
    for (int i = 0; i < 3000; ++i) {
        auto future = run_coroutine_threadsafe(nothing(), thread.loop());
        for (int turn = 0; turn < i % 64 && !future.done(); ++turn) {
            std::this_thread::yield();
        }
        const bool said = future.cancel();
        ASSERT_EQ(said, future.cancelled()) << i;
        cancelled += said ? 1 : 0;
    }
    EXPECT_GT(cancelled, 0);
}

// -------------------------------------------------------------------------------- wrap_future

TEST(WrapFuture, is_awaited_in_another_loop) {
    LoopThread thread;
    auto body = [](LoopThread& other) -> Coroutine<int> {
        auto future = wrap_future(run_coroutine_threadsafe(add(3, 4), other.loop()));
        const int sum = co_await future;
        auto failing = wrap_future(run_coroutine_threadsafe(fail(), other.loop()));
        const Result<void> failed = co_await as_result(failing);
        other.end();  // as above
        EXPECT_EQ(describe(failed.error()), "RuntimeError('bad')");
        co_return sum;
    };
    EXPECT_EQ(run(body(thread)), 7);
}

TEST(WrapFuture, that_is_cancelled_cancels_the_other_and_the_other_way_round) {
    const LoopThread thread;
    Waiting waiting;
    Waiting second;
    auto body = [](Waiting& first_wait, Waiting& second_wait, EventLoop& other) -> Coroutine<> {
        auto concurrent = run_coroutine_threadsafe(first_wait.wait(), other);
        auto future = wrap_future(concurrent);
        first_wait.begun.get_future().wait();
        future.cancel();
        const Result<void> waited = co_await as_result(future);
        EXPECT_TRUE(waited.cancelled());
        co_await settle();
        EXPECT_TRUE(concurrent.cancelled());
        EXPECT_EQ(first_wait.ended.get_future().get(), "CancelledError()");

        concurrent = run_coroutine_threadsafe(second_wait.wait(), other);
        future = wrap_future(concurrent);
        second_wait.begun.get_future().wait();
        concurrent.cancel();
        const Result<void> again = co_await as_result(future);
        EXPECT_TRUE(again.cancelled());
        EXPECT_TRUE(future.cancelled());
        second_wait.ended.get_future().wait();
    };
    run(body(waiting, second, thread.loop()));
}

TEST(WrapFuture, needs_a_loop) {
    const LoopThread thread;
    const auto future = run_coroutine_threadsafe(add(1, 2), thread.loop());

    EXPECT_EQ(thrown_by([&] { return wrap_future(future); }),
              "RuntimeError('no running event loop')");
    EXPECT_EQ(future.result(), 3);
}

TEST(WrapFuture, may_outlive_its_loop) {
    const LoopThread thread;
    Waiting waiting;
    auto concurrent = run_coroutine_threadsafe(waiting.wait(), thread.loop());
    waiting.begun.get_future().wait();
    Future<> wrapped;
    const Logged logged;
    {
        EventLoop loop;
        wrapped = wrap_future(concurrent, loop);
    }
    concurrent.cancel();
    waiting.ended.get_future().wait();
    EXPECT_FALSE(wrapped.done());
    EXPECT_EQ(logged.texts, Trace{});
    EXPECT_TRUE(concurrent.cancelled());
}

ASYNC_TEST(WrapFuture, gives_a_future_back_as_it_is) {
    auto future = get_running_loop().create_future<int>();
    EXPECT_EQ(wrap_future(future), future);
    future.set_result(1);
    co_await settle();
}

}  // namespace

}  // namespace asyncio
