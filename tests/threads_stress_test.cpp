// threads_stress_test.cpp - what threads and a loop do to each other at the same moment, many
// times.
//
// Made for the thread sanitizer; counts are small, because a race shows in few rounds there.
// SPDX-License-Identifier: MIT
#include <asyncio/log.hpp>
#include <asyncio/portal.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/thread_queue.hpp>
#include <asyncio/threads.hpp>
#include <asyncio/timeouts.hpp>

#include "support/proactors.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace asyncio {

namespace {

constexpr int rounds = 100;

/// Nothing is printed: what threads throw for nobody, and what is not begun, is logged.
class Quiet {
public:
    Quiet() {
        set_logger([](Level, std::string_view) {});
    }
    Quiet(const Quiet&) = delete;
    Quiet& operator=(const Quiet&) = delete;
    ~Quiet() { set_logger(nullptr); }
};

/// A value that counts how many of it there are, in all threads.
class Live {
public:
    explicit Live(std::atomic<int>& count) : count_(&count) { ++count; }
    Live(const Live& other) : count_(other.count_) { ++*count_; }
    Live& operator=(const Live&) = delete;
    ~Live() { --*count_; }

private:
    std::atomic<int>* count_;
};

/// What threads have said to a loop, and what of it was heard.
struct Conversation {
    static constexpr std::size_t threads = 64;
    static constexpr int calls = detail::recycle_blocks ? 100'000 : 2'000;  // fewer when sanitized
    static constexpr int ahead = 1'000;  // then it waits for the loop; which waits for it meanwhile

    void say(EventLoop& loop, std::size_t thread) {
        for (int call = 1; call <= calls; ++call) {
            loop.call_soon_threadsafe([this, &loop, thread, call] { hear(loop, thread, call); });
            for (int last = heard[thread]; call % ahead == 0 && last < call; last = heard[thread]) {
                heard[thread].wait(last);
            }
        }
    }
    void hear(EventLoop& loop, std::size_t thread, int call) {
        out_of_order += heard[thread] == call - 1 ? 0 : 1;
        heard[thread] = call;
        if (call % ahead == 0) {
            heard[thread].notify_one();
        }
        if (call == calls && ++finished == threads) {
            loop.stop();
        }
    }

    std::array<std::atomic<int>, threads> heard{};
    std::size_t finished = 0;
    int out_of_order = 0;
};

TEST(ThreadsStress, sixty_four_threads_wake_a_loop_and_nothing_is_lost_or_out_of_order) {
    for (const char* proactor : testing::proactors) {
        SCOPED_TRACE(proactor);
        const std::unique_ptr<EventLoop> loop = new_event_loop(proactor);
        Conversation conversation;
        std::vector<std::thread> threads;
        for (std::size_t thread = 0; thread < Conversation::threads; ++thread) {
            threads.emplace_back([&, thread] { conversation.say(*loop, thread); });
        }

        loop->run_forever();

        for (std::thread& thread : threads) {
            thread.join();
        }
        EXPECT_EQ(conversation.finished, Conversation::threads);
        EXPECT_EQ(conversation.out_of_order, 0);
    }
}

// Every call is cancelled, some before it has begun, some while it runs, some as it ends.
Coroutine<> cancel_calls(std::atomic<int>& live, std::atomic<int>& called, int& ended) {
    std::vector<Task<std::string>> tasks;
    for (int round = 0; round < rounds; ++round) {
        tasks.push_back(create_task(to_thread([value = Live(live), &called] {
            ++called;
            return std::string(100, 'x');
        })));
        if (round % 3 == 0) {
            co_await sleep(0);
        }
        if (round % 7 == 0) {
            std::this_thread::yield();
        }
        tasks[static_cast<std::size_t>(round / 2)].cancel();
    }
    for (const Task<std::string>& task : tasks) {
        const auto result = co_await as_result(task);
        ended += result.has_value() || result.cancelled() ? 1 : 0;
    }
}

TEST(ThreadsStress, calls_are_cancelled_while_they_begin_run_and_end) {
    const Quiet quiet;
    std::atomic<int> live{0};
    std::atomic<int> called{0};
    int ended = 0;

    run(cancel_calls(live, called, ended));

    EXPECT_EQ(ended, rounds);
    EXPECT_LE(called, rounds);
    EXPECT_EQ(live, 0);
}

Coroutine<> leave_calls(std::atomic<int>& live, std::shared_ptr<ThreadPoolExecutor> pool) {
    for (int call = 0; call < 8; ++call) {
        static_cast<void>(
            get_running_loop().run_in_executor(pool.get(), [value = Live(live)] { return value; }));
    }
    co_return;
}

TEST(ThreadsStress, a_loop_is_closed_while_calls_end) {
    const Quiet quiet;
    std::atomic<int> live{0};
    const auto pool = std::make_shared<ThreadPoolExecutor>(ThreadPoolOptions{.max_workers = 3});

    for (int round = 0; round < rounds; ++round) {
        EventLoop loop;
        loop.run_until_complete(leave_calls(live, pool));
        if (round % 2 == 0) {
            std::this_thread::yield();
        }
        loop.close();
    }
    pool->shutdown();

    EXPECT_EQ(live, 0);
}

// Whoever posts keeps the loop, not what runs it.
TEST(ThreadsStress, a_loop_is_stopped_and_closed_while_threads_call) {
    std::atomic<int> live{0};
    for (int round = 0; round < rounds; ++round) {
        EventLoop loop;
        std::atomic<int> refused{0};
        std::vector<std::thread> callers;
        for (int caller = 0; caller < 3; ++caller) {
            callers.emplace_back([&] {
                for (;;) {
                    try {
                        Handle handle =
                            loop.call_soon_threadsafe([value = Live(live), &loop] { loop.stop(); });
                        handle.cancelled() ? void() : handle.cancel();
                        loop.call_soon_threadsafe([value = Live(live), &loop] { loop.stop(); });
                    } catch (const RuntimeError&) {
                        ++refused;
                        return;
                    }
                }
            });
        }
        loop.run_forever();
        loop.close();
        for (std::thread& caller : callers) {
            caller.join();
        }
        EXPECT_EQ(refused, 3);
    }
    EXPECT_EQ(live, 0);
}

/// Counts what becomes of it.
class Counting final : public lowlevel::Job {
public:
    Counting(std::atomic<int>& ran, std::atomic<int>& abandoned)
        : ran_(ran), abandoned_(abandoned) {}
    void run() noexcept override {
        ++ran_;
        delete this;
    }
    void abandon() noexcept override {
        ++abandoned_;
        delete this;
    }

private:
    ~Counting() = default;
    std::atomic<int>& ran_;
    std::atomic<int>& abandoned_;
};

TEST(ThreadsStress, a_pool_is_shut_down_while_threads_submit) {
    for (int round = 0; round < rounds; ++round) {
        ThreadPoolExecutor pool({.max_workers = 2});
        std::atomic<int> submitted{0};
        std::atomic<int> ran{0};
        std::atomic<int> abandoned{0};
        std::vector<std::thread> submitters;
        for (int thread = 0; thread < 3; ++thread) {
            submitters.emplace_back([&] {
                for (int job = 0; job < 20; ++job) {
                    auto* const counting = new Counting(ran, abandoned);
                    try {
                        pool.submit(*counting);
                        ++submitted;
                    } catch (const RuntimeError&) {
                        counting->abandon();
                        --abandoned;
                        return;
                    }
                }
            });
        }
        if (round % 3 != 0) {
            std::this_thread::yield();
        }
        pool.shutdown(true, round % 2 == 0);
        for (std::thread& submitter : submitters) {
            submitter.join();
        }
        EXPECT_EQ(ran + abandoned, submitted);
    }
}

TEST(ThreadsStress, calls_of_a_pool_are_cancelled_while_they_begin) {
    std::atomic<int> live{0};
    int cancelled = 0;
    std::atomic<int> called{0};
    for (int round = 0; round < rounds; ++round) {
        ThreadPoolExecutor pool(2);
        std::vector<ConcurrentFuture<>> calls;
        for (int call = 0; call < 10; ++call) {
            calls.push_back(pool.submit([value = Live(live), &called] { ++called; }));
            cancelled += calls[static_cast<std::size_t>(call / 2)].cancel() && call % 2 == 0;
        }
        pool.shutdown(true, round % 2 == 0);
        for (const ConcurrentFuture<>& call : calls) {
            EXPECT_TRUE(call.done());
            EXPECT_FALSE(call.running());
        }
    }
    EXPECT_LE(called + cancelled, 10 * rounds);
    EXPECT_EQ(live, 0);
}

Coroutine<int> answer_later() {
    co_await sleep(0);
    co_return 1;
}

// Whatever was taken is answered, and nobody waits for ever.
TEST(ThreadsStress, a_portal_is_stopped_while_threads_call) {
    for (int round = 0; round < rounds / 2; ++round) {
        std::atomic<int> ended{0};
        auto portal = start_blocking_portal();
        std::vector<std::thread> callers;
        for (int caller = 0; caller < 3; ++caller) {
            callers.emplace_back([&ended, round, to_loop = portal.portal()] {
                try {
                    for (;;) {
                        const auto future = to_loop.start_task_soon(answer_later);
                        if (round % 3 == 0) {
                            future.cancel();
                        }
                        to_loop.call(answer_later);
                    }
                } catch (const RuntimeError&) {
                    ++ended;
                } catch (const CancelledError&) {
                    ++ended;
                }
            });
        }
        portal.call(answer_later);
        portal.stop(round % 2 == 0);
        for (std::thread& caller : callers) {
            caller.join();
        }
        EXPECT_EQ(ended, 3);
    }
}

Coroutine<> get_and_give_up(AsyncQueue<int> queue, std::atomic<int>& got, std::atomic<int>& sum) {
    while (got < 1000) {
        const auto item = co_await as_result(wait_for(queue.get(), 0.0001));
        if (item.has_value()) {
            sum += item.value();
            ++got;
        }
    }
}

// Threads and tasks of two loops wait at one queue, and give up again and again: each item arrives
// once.
TEST(ThreadsStress, nothing_is_lost_in_a_queue_whose_waits_are_given_up) {
    const ThreadQueue<int> queue(4);
    std::atomic<int> got{0};
    std::atomic<int> sum{0};
    std::vector<std::thread> threads;
    for (int loop = 0; loop < 2; ++loop) {
        threads.emplace_back([&] { run(get_and_give_up(queue.async_q(), got, sum)); });
    }
    threads.emplace_back([&, side = queue.sync_q()] {
        while (got < 1000) {
            try {
                sum += side.get(0.0001);
                ++got;
            } catch (const QueueEmpty&) {}
        }
    });
    for (int half = 0; half < 2; ++half) {
        threads.emplace_back([half, side = queue.sync_q()] {
            for (int item = half; item < 1000; item += 2) {
                for (bool done = false; !done;) {
                    try {
                        side.put(item, 0.0001);
                        done = true;
                    } catch (const QueueFull&) {}
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(got, 1000);
    EXPECT_EQ(sum, 999 * 1000 / 2);
    EXPECT_TRUE(queue.sync_q().empty());
}

TEST(ThreadsStress, loops_are_made_run_and_closed_in_many_threads) {
    const Quiet quiet;
    std::atomic<int> sum{0};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&sum] {
            for (int round = 0; round < 10; ++round) {
                sum += run([]() -> Coroutine<int> {
                    const Task<int> one = create_task(to_thread([] { return 1; }));
                    co_await sleep(0);
                    co_return co_await one;
                });
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(sum, 40);
}

}  // namespace

}  // namespace asyncio
