// embedding_test.cpp - GuestLoop: an EventLoop that another loop drives.
//
// In real time, because another loop knows of no other.
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/embedding.hpp>
#include <asyncio/locks.hpp>
#include <asyncio/queues.hpp>
#include <asyncio/signals.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/threads.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <pthread.h>

namespace asyncio {

using namespace std::chrono_literals;

namespace {

bool readable(const GuestLoop& guest, int timeout_ms = 0) {
    pollfd entry{guest.fileno(), POLLIN, 0};
    int count = -1;
    do {
        count = ::poll(&entry, 1, timeout_ms);
    } while (count < 0 && errno == EINTR);
    return count == 1;
}

/// The other loop, until `done` says so. It waits for nothing but the descriptor: what that does
/// not tell never happens, and the test fails.
template <class Done>
void drive(GuestLoop& guest, Done done) {
    while (!done()) {
        if (!readable(guest, 10000)) {
            ADD_FAILURE() << "the descriptor says nothing";
            return;
        }
        guest.run_ready();
    }
}

template <class Test>
void on_each_guest(Test test) {
    for (const char* proactor : testing::proactors) {
        for (const bool debug : {false, true}) {
            SCOPED_TRACE(std::string(proactor) + (debug ? ", debug" : ""));
            const std::unique_ptr<EventLoop> loop = new_event_loop(proactor);
            loop->set_debug(debug);
            GuestLoop guest(*loop);
            test(*loop, guest);
        }
    }
}

template <class Fn>
std::string thrown_by(Fn fn) {
    try {
        fn();
    } catch (...) {
        return describe(std::current_exception());
    }
    return "nothing";
}

Coroutine<int> slept(Duration time, int value) {
    co_await sleep(time);
    co_return value;
}

}  // namespace

TEST(GuestLoop, has_nothing_to_do_at_first_and_afterwards) {
    on_each_guest([](EventLoop&, GuestLoop& guest) {
        EXPECT_FALSE(readable(guest));
        EXPECT_FALSE(guest.run_ready());
        EXPECT_FALSE(readable(guest));
        EXPECT_EQ(guest.next_due(), std::nullopt);
    });
}

TEST(GuestLoop, tells_of_callbacks_that_are_ready) {
    on_each_guest([](EventLoop& loop, GuestLoop& guest) {
        int calls = 0;
        loop.call_soon([&calls] { ++calls; });
        EXPECT_TRUE(readable(guest));

        EXPECT_FALSE(guest.run_ready());

        EXPECT_EQ(calls, 1);
        EXPECT_FALSE(readable(guest));
    });
}

TEST(GuestLoop, runs_what_callbacks_make_ready_before_it_returns) {
    on_each_guest([](EventLoop& loop, GuestLoop& guest) {
        std::string calls;
        loop.call_soon([&] {
            calls += "a";
            loop.call_soon([&] { calls += "b"; });
        });
        guest.run_ready();
        EXPECT_EQ(calls, "ab");
    });
}

TEST(GuestLoop, returns_though_there_always_is_more) {
    on_each_guest([](EventLoop& loop, GuestLoop& guest) {
        auto forever = [](bool& stop) -> Coroutine<> {
            while (!stop) {
                co_await sleep(0);
            }
        };
        bool stop = false;
        auto task = loop.create_task(forever(stop));
        EXPECT_TRUE(guest.run_ready());
        EXPECT_TRUE(readable(guest));
        EXPECT_TRUE(guest.run_ready());

        stop = true;
        drive(guest, [&] { return task.done(); });
        EXPECT_FALSE(readable(guest));
    });
}

TEST(GuestLoop, tells_of_timers) {
    on_each_guest([](EventLoop& loop, GuestLoop& guest) {
        auto later = loop.create_task(slept(0.002, 2));
        auto sooner = loop.create_task(slept(0.001, 1));
        drive(guest, [&] { return sooner.done(); });
        EXPECT_TRUE(sooner.done());
        drive(guest, [&] { return later.done(); });

        EXPECT_EQ(later.result(), 2);
        EXPECT_EQ(guest.next_due(), std::nullopt);
        EXPECT_FALSE(readable(guest));
    });
}

TEST(GuestLoop, tells_of_a_timer_that_was_set_from_outside_and_of_none_that_was_cancelled) {
    on_each_guest([](EventLoop& loop, GuestLoop& guest) {
        bool called = false;
        TimerHandle long_one = loop.call_later(3600, [] {});
        loop.call_later(0.001, [&called] { called = true; });
        drive(guest, [&] { return called; });
        EXPECT_EQ(guest.next_due(), long_one.when());
        long_one.cancel();
        guest.run_ready();
        EXPECT_EQ(guest.next_due(), std::nullopt);
        EXPECT_FALSE(readable(guest));
    });
}

TEST(GuestLoop, tells_of_what_other_threads_post) {
    on_each_guest([](EventLoop& loop, GuestLoop& guest) {
        constexpr int posts = 1000;
        int calls = 0;
        std::thread other([&] {
            for (int i = 0; i < posts; ++i) {
                loop.call_soon_threadsafe([&calls] { ++calls; });
            }
        });
        drive(guest, [&] { return calls == posts; });
        other.join();
        guest.run_ready();
        EXPECT_FALSE(readable(guest));
    });
}

TEST(GuestLoop, tells_of_calls_in_threads_and_of_signals) {
    on_each_guest([](EventLoop& loop, GuestLoop& guest) {
        auto work = loop.create_task(to_thread([] { return 42; }));
        drive(guest, [&] { return work.done(); });
        EXPECT_EQ(work.result(), 42);

        bool caught = false;
        add_signal_handler(loop, SIGUSR1, [&caught] { caught = true; });
        guest.run_ready();
        EXPECT_FALSE(readable(guest));
        ::raise(SIGUSR1);
        drive(guest, [&] { return caught; });
    });
}

// A signal may come at any moment, also while the loop tells that it has nothing to do any more.
TEST(GuestLoop, tells_of_signals_whenever_they_come) {
    on_each_guest([](EventLoop& loop, GuestLoop& guest) {
        constexpr int rounds = 200;
        int caught = 0;
        add_signal_handler(loop, SIGUSR1, [&caught] { ++caught; });
        std::binary_semaphore wanted(0);
        std::thread other([&wanted, self = ::pthread_self()] {
            for (int round = 0; round < rounds; ++round) {
                wanted.acquire();
                for (int delay = round * 10; delay > 0; --delay) {
                    std::atomic_signal_fence(std::memory_order_seq_cst);
                }
                ::pthread_kill(self, SIGUSR1);
            }
        });
        for (int round = 1; round <= rounds; ++round) {
            wanted.release();
            guest.run_ready();
            drive(guest, [&] { return caught == round; });
        }
        other.join();
    });
}

TEST(GuestLoop, tells_of_input_and_output) {
    on_each_guest([](EventLoop& loop, GuestLoop& guest) {
        const auto serve = []() -> Coroutine<std::string> {
            auto echo = [](StreamReader reader, StreamWriter writer) -> Coroutine<> {
                while (auto line = co_await reader.next()) {
                    writer.write(*line);
                    co_await writer.drain();
                }
                writer.close();
            };
            Server server = co_await start_server(echo, "127.0.0.1", 0);
            const int port = server.sockets().front().getsockname().port();
            auto [reader, writer] = co_await open_connection("127.0.0.1", port);
            std::string all;
            for (int i = 0; i < 100; ++i) {
                writer.write(std::to_string(i) + "\n");
                all += co_await reader.readline();
            }
            writer.close();
            co_await writer.wait_closed();
            server.close();
            co_await server.wait_closed();
            co_return all;
        };
        auto task = loop.create_task(serve());
        drive(guest, [&] { return task.done(); });

        std::string expected;
        for (int i = 0; i < 100; ++i) {
            expected += std::to_string(i) + "\n";
        }
        EXPECT_EQ(task.result(), expected);
        guest.run_ready();
        EXPECT_FALSE(readable(guest));
    });
}

TEST(GuestLoop, is_entered_by_call_so_that_what_becomes_ready_is_run) {
    on_each_guest([](EventLoop& loop, GuestLoop& guest) {
        Queue<int> queue;
        auto task = loop.create_task(queue.get());
        guest.run_ready();
        EXPECT_FALSE(readable(guest));

        const bool inside = guest.call([&] {
            queue.put_nowait(7);
            return &get_running_loop() == &loop && loop.is_running();
        });

        EXPECT_TRUE(inside);
        EXPECT_FALSE(loop.is_running());
        drive(guest, [&] { return task.done(); });
        EXPECT_EQ(task.result(), 7);
        EXPECT_EQ(thrown_by([&] { guest.call([] { throw RuntimeError("x"); }); }),
                  "RuntimeError('x')");
        EXPECT_EQ(guest.call([](int a, int b) { return a + b; }, 1, 2), 3);
    });
}

TEST(GuestLoop, in_debug_mode_says_what_was_made_ready_behind_its_back) {
    std::vector<std::string> log;
    set_logger([&log](Level, std::string_view text) { log.emplace_back(text); });
    on_each_guest([&log](EventLoop& loop, GuestLoop& guest) {
        log.clear();
        Queue<int> queue;
        auto task = loop.create_task(queue.get());
        guest.run_ready();
        queue.put_nowait(7);
        guest.run_ready();
        EXPECT_TRUE(task.done());
        EXPECT_EQ(log.size(), loop.get_debug() ? 1U : 0U);
    });
    set_logger(nullptr);
}

TEST(GuestLoop, is_stopped_and_goes_on) {
    on_each_guest([](EventLoop& loop, GuestLoop& guest) {
        std::string calls;
        loop.call_soon([&] {
            calls += "a";
            loop.stop();
            loop.call_soon([&] { calls += "c"; });
        });
        loop.call_soon([&] { calls += "b"; });

        EXPECT_TRUE(guest.run_ready());
        EXPECT_TRUE(guest.stopped());
        EXPECT_EQ(calls, "ab");
        EXPECT_TRUE(readable(guest));

        EXPECT_FALSE(guest.run_ready());
        EXPECT_FALSE(guest.stopped());
        EXPECT_EQ(calls, "abc");
    });
}

TEST(GuestLoop, is_left_by_keyboard_interrupts_and_goes_on_with_the_rest) {
    on_each_guest([](EventLoop& loop, GuestLoop& guest) {
        std::string calls;
        loop.call_soon([&] {
            calls += "a";
            throw KeyboardInterrupt();
        });
        loop.call_soon([&] {
            calls += "b";
            throw SystemExit(3);
        });
        loop.call_soon([&] { calls += "c"; });

        EXPECT_EQ(thrown_by([&] { guest.run_ready(); }), "KeyboardInterrupt()");
        EXPECT_FALSE(loop.is_running());
        EXPECT_TRUE(readable(guest));
        EXPECT_EQ(thrown_by([&] { guest.run_ready(); }), "SystemExit(3)");
        EXPECT_FALSE(guest.run_ready());
        EXPECT_EQ(calls, "abc");
    });
}

TEST(GuestLoop, refuses_to_run_inside_of_itself) {
    on_each_guest([](EventLoop& loop, GuestLoop& guest) {
        std::string thrown;
        loop.call_soon([&] { thrown = thrown_by([&] { guest.run_ready(); }); });
        guest.run_ready();
        EXPECT_EQ(thrown, "RuntimeError('This event loop is already running')");

        const std::unique_ptr<EventLoop> other = new_event_loop();
        other->call_soon([&] {
            thrown = thrown_by([&] { guest.run_ready(); });
            other->stop();
        });
        other->run_forever();
        EXPECT_EQ(thrown,
                  "RuntimeError('Cannot run the event loop while another loop is running')");
        EXPECT_EQ(thrown_by([&] { GuestLoop second(loop); }),
                  "RuntimeError('This event loop is driven by another loop already')");
    });
}

TEST(GuestLoop, may_be_run_until_something_is_complete) {
    on_each_guest([](EventLoop& loop, GuestLoop& guest) {
        auto other = loop.create_task(slept(0.002, 1));
        EXPECT_EQ(loop.run_until_complete(slept(0.001, 5)), 5);
        drive(guest, [&] { return other.done(); });
        EXPECT_EQ(other.result(), 1);
    });
}

TEST(GuestLoop, ends_with_its_loop) {
    on_each_guest([](EventLoop& loop, GuestLoop& guest) {
        loop.call_soon([] {});
        loop.close();
        EXPECT_EQ(guest.fileno(), -1);
        EXPECT_EQ(thrown_by([&] { guest.run_ready(); }), "RuntimeError('Event loop is closed')");
        EXPECT_EQ(thrown_by([&] { guest.call([] {}); }), "RuntimeError('Event loop is closed')");
        EXPECT_EQ(thrown_by([&] { GuestLoop second(loop); }),
                  "RuntimeError('Event loop is closed')");
    });
}

TEST(GuestLoop, leaves_a_loop_that_runs_by_itself) {
    for (const char* proactor : testing::proactors) {
        const std::unique_ptr<EventLoop> loop = new_event_loop(proactor);
        {
            GuestLoop guest(*loop);
            GuestLoop moved = std::move(guest);
            loop->create_task(slept(0.001, 1));
            moved.run_ready();
        }
        std::thread other([&loop] { loop->call_soon_threadsafe([] {}); });
        EXPECT_EQ(loop->run_until_complete(slept(0.001, 5)), 5);
        other.join();
        EXPECT_EQ(loop->run_until_complete(slept(0.001, 6)), 6);  // what came late
        GuestLoop again(*loop);
        EXPECT_FALSE(readable(again));
    }
}

}  // namespace asyncio
