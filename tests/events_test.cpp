// events_test.cpp - the event loop: order, turns, timers, stopping, closing, other threads.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/events.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/tasks.hpp>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <future>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace asyncio {

using namespace std::chrono_literals;
using testing::Gone;
using testing::Logged;
using testing::Reports;
using testing::thrown_by;
using testing::Trace;
using testing::TurnCounter;
using testing::VirtualClockScope;

namespace {

/// A loop on a virtual clock that traces what it calls.
class EventLoopTest : public ::testing::Test {
protected:
    auto add(std::string what) {
        return [this, what] { trace.push_back(what); };
    }
    /// Runs what is ready, and what that made ready, for some turns.
    void run_turns(int turns) {
        for (int turn = 0; turn < turns; ++turn) {
            loop.stop();
            loop.run_forever();
        }
    }

    VirtualClockScope clock;
    EventLoop loop;
    Trace trace;
};

// --------------------------------------------------------------------------------------- order

TEST_F(EventLoopTest, calls_in_the_order_of_call_soon) {
    for (int number = 0; number < 5; ++number) {
        loop.call_soon(add(std::to_string(number)));
    }
    run_turns(1);
    EXPECT_EQ(trace, (Trace{"0", "1", "2", "3", "4"}));
}

TEST_F(EventLoopTest, keeps_arguments_by_value) {
    std::string text = "kept";
    loop.call_soon([this](const std::string& a, int b) { trace.push_back(a + std::to_string(b)); },
                   text, 7);
    text = "changed";
    loop.call_later(1, [this](const std::string& a) { trace.push_back(a); }, "later");
    loop.call_soon_threadsafe(
        [this](std::unique_ptr<int> a) { trace.push_back(std::to_string(*a)); },
        std::make_unique<int>(9));
    loop.run_until_complete(sleep(2));
    EXPECT_EQ(trace, (Trace{"kept7", "9", "later"}));
}

TEST_F(EventLoopTest, runs_what_a_turn_schedules_in_the_next_one) {
    TurnCounter turns(loop);
    Trace in_turn;
    const auto note = [&](const char* what) {
        in_turn.push_back(what + std::to_string(turns.now()));
    };
    loop.call_soon([&] {
        note("a");
        loop.call_soon([&] {
            note("b");
            loop.call_soon([&] { note("c"); });
        });
    });
    loop.call_soon([&] { note("d"); });
    run_turns(3);
    EXPECT_EQ(in_turn, (Trace{"a1", "d1", "b2", "c3"}));
}

TEST_F(EventLoopTest, calls_timers_after_what_was_ready_the_most_overdue_first) {
    loop.call_later(0, add("later 0"));
    loop.call_soon(add("soon"));
    loop.call_later(-1, add("later -1"));
    run_turns(2);
    EXPECT_EQ(trace, (Trace{"soon", "later -1", "later 0"}));
}

// -------------------------------------------------------------------------------------- timers

TEST_F(EventLoopTest, calls_timers_by_time_and_those_of_one_time_in_the_order_of_creation) {
    const TimePoint when = loop.time() + 1s;
    loop.call_at(when + 1ms, add("late"));
    for (int number = 0; number < 12; ++number) {
        loop.call_at(when, add(std::to_string(number)));
    }
    loop.call_at(when - 1ms, add("early"));
    loop.run_until_complete(sleep(2));
    EXPECT_EQ(trace, (Trace{"early", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11",
                            "late"}));
}

TEST_F(EventLoopTest, calls_a_timer_exactly_at_its_time) {
    const TimePoint start = loop.time();
    TimePoint called;
    const TimerHandle handle = loop.call_later(90min, [&] { called = loop.time(); });
    EXPECT_EQ(handle.when(), start + 90min);
    loop.run_until_complete(sleep(24h));
    EXPECT_EQ(called, start + 90min);
    EXPECT_EQ(handle.when(), start + 90min);
}

TEST_F(EventLoopTest, takes_delays_of_any_size) {
    EXPECT_EQ(thrown_by([&] { loop.call_later(std::nan(""), [] {}); }),
              "ValueError('Invalid delay: NaN (not a number)')");
    const double infinity = std::numeric_limits<double>::infinity();
    const TimerHandle never = loop.call_later(infinity, add("never"));
    const TimerHandle trillion = loop.call_later(1e12, add("in 30,000 years"));
    loop.call_later(-infinity, add("overdue"));
    EXPECT_EQ(never.when(), TimePoint::max());
    EXPECT_EQ(trillion.when(), TimePoint::max());
    loop.run_until_complete(sleep(24h * 365));
    EXPECT_EQ(trace, Trace{"overdue"});
}

TEST_F(EventLoopTest, calls_what_is_due_in_the_past_in_the_next_turn) {
    TurnCounter turns(loop);
    int made = 0;
    int called = 0;
    loop.call_soon([&] {
        made = turns.now();
        loop.call_at(loop.time() - 5s, [&] { called = turns.now(); });
        loop.call_soon(add("soon"));
    });
    run_turns(3);
    EXPECT_EQ(called, made + 1);
}

TEST_F(EventLoopTest, a_timer_that_makes_an_overdue_timer_again_and_again_starves_nobody) {
    int rounds = 0;
    struct Again {
        EventLoop& loop;
        int& rounds;
        void operator()() {
            ++rounds;
            loop.call_at(TimePoint::min(), *this);
        }
    };
    loop.call_soon(Again{loop, rounds});
    loop.call_soon([&] { loop.call_soon([&] { loop.call_soon([&] { loop.stop(); }); }); });
    loop.run_forever();
    EXPECT_EQ(rounds, 3);
}

TEST(EventLoop, calls_each_timer_once_after_a_callback_that_took_long) {
    for (const char* proactor : testing::proactors) {
        SCOPED_TRACE(proactor);
        const std::unique_ptr<EventLoop> loop = new_event_loop(proactor);
        Trace trace;
        for (int number = 0; number < 5; ++number) {
            loop->call_later(number * 1ms,
                             [&trace, number] { trace.push_back(std::to_string(number)); });
        }
        loop->call_soon([] { std::this_thread::sleep_for(10ms); });
        loop->run_until_complete(sleep(0.015));
        EXPECT_EQ(trace, (Trace{"0", "1", "2", "3", "4"}));
    }
}

TEST(EventLoop, never_calls_a_timer_early_on_the_real_clock) {
    for (const char* proactor : testing::proactors) {
        SCOPED_TRACE(proactor);
        const std::unique_ptr<EventLoop> loop = new_event_loop(proactor);
        const auto start = std::chrono::steady_clock::now();
        loop->run_until_complete(sleep(0.0025));
        EXPECT_GE(std::chrono::steady_clock::now() - start, 2500us);
    }
}

// ------------------------------------------------------------------------------------- handles

TEST_F(EventLoopTest, does_not_call_what_was_cancelled_and_destroys_it_at_once) {
    Handle soon =
        loop.call_soon([gone = Gone(trace, "soon gone"), this] { trace.push_back("called"); });
    Handle later =
        loop.call_later(1, [gone = Gone(trace, "later gone"), this] { trace.push_back("called"); });
    EXPECT_FALSE(soon.cancelled());
    soon.cancel();
    later.cancel();
    EXPECT_EQ(trace, (Trace{"soon gone", "later gone"}));
    EXPECT_TRUE(soon.cancelled());
    EXPECT_TRUE(later.cancelled());
    soon.cancel();  // again is nothing
    loop.run_until_complete(sleep(2));
    EXPECT_EQ(trace, (Trace{"soon gone", "later gone"}));
}

TEST_F(EventLoopTest, does_not_call_what_an_earlier_callback_of_the_turn_cancels) {
    Handle second;
    TimerHandle timer;
    loop.call_soon([&] {
        second.cancel();
        timer.cancel();
    });
    second = loop.call_soon(add("second"));
    timer = loop.call_at(TimePoint::min(), add("timer"));
    run_turns(2);
    EXPECT_EQ(trace, Trace{});
}

TEST_F(EventLoopTest, a_callback_may_cancel_itself) {
    Handle soon;
    TimerHandle timer;
    soon = loop.call_soon([&, gone = Gone(trace, "gone")] {
        soon.cancel();
        trace.push_back("soon");  // what it captured is still there
    });
    timer = loop.call_later(1, [&] {
        timer.cancel();
        trace.push_back("timer");
    });
    loop.run_until_complete(sleep(2));
    EXPECT_EQ(trace, (Trace{"soon", "gone", "timer"}));
    EXPECT_TRUE(soon.cancelled());
}

TEST_F(EventLoopTest, destroys_a_function_as_soon_as_it_has_run_although_handles_are_left) {
    const Handle handle =
        loop.call_soon([gone = Gone(trace, "gone"), this] { trace.push_back("run"); });
    loop.call_soon(add("next"));
    run_turns(1);
    EXPECT_EQ(trace, (Trace{"run", "gone", "next"}));
    EXPECT_FALSE(handle.cancelled());
    Handle copy = handle;
    copy.cancel();
    EXPECT_TRUE(handle.cancelled());
    EXPECT_TRUE(copy == handle);
}

TEST_F(EventLoopTest, handles_may_be_empty_and_outlive_the_loop) {
    Handle empty;
    empty.cancel();
    EXPECT_FALSE(empty.cancelled());
    EXPECT_FALSE(static_cast<bool>(empty));
    EXPECT_EQ(TimerHandle().when(), TimePoint{});
    Handle left;
    TimerHandle timer;
    Handle from_threads;
    {
        EventLoop other;
        left = other.call_soon([gone = Gone(trace, "soon")] {});
        timer = other.call_later(1, [gone = Gone(trace, "timer")] {});
        from_threads = other.call_soon_threadsafe([gone = Gone(trace, "threadsafe")] {});
        other.close();
        left.cancel();
        timer.cancel();
        from_threads.cancel();
    }
    EXPECT_TRUE(left.cancelled());
    left = {};
    timer = {};
    from_threads = {};
    EXPECT_EQ(trace.size(), 3U);
}

TEST_F(EventLoopTest, does_not_call_what_was_posted_and_cancelled) {
    Handle handle = loop.call_soon_threadsafe(add("posted"));
    handle.cancel();
    EXPECT_TRUE(handle.cancelled());
    run_turns(2);
    EXPECT_EQ(trace, Trace{});
}

// ------------------------------------------------------------------------------ running, stopping

TEST_F(EventLoopTest, stopped_before_it_runs_makes_one_turn) {
    loop.call_soon([this] {
        trace.push_back("first turn");
        loop.call_soon(add("second turn"));
    });
    loop.stop();
    loop.run_forever();
    EXPECT_EQ(trace, Trace{"first turn"});
    loop.stop();
    loop.run_forever();
    EXPECT_EQ(trace, (Trace{"first turn", "second turn"}));
}

TEST_F(EventLoopTest, stopped_with_nothing_to_do_does_not_wait) {
    loop.call_later(3600, add("later"));
    const TimePoint start = loop.time();
    loop.stop();
    loop.run_forever();
    EXPECT_EQ(loop.time(), start);
    EXPECT_EQ(trace, Trace{});
}

TEST_F(EventLoopTest, stopped_by_a_callback_still_runs_the_whole_turn_and_not_the_next) {
    loop.call_soon(add("1"));
    loop.call_soon([this] { loop.stop(); });
    loop.call_soon(add("2"));
    loop.call_soon([this] { loop.call_soon(add("next")); });
    loop.run_forever();
    EXPECT_EQ(trace, (Trace{"1", "2"}));
    loop.run_until_complete(sleep(0));
    EXPECT_EQ(trace, (Trace{"1", "2", "next"}));
}

TEST_F(EventLoopTest, is_running_while_it_runs) {
    bool inside = false;
    EventLoop* running = nullptr;
    loop.call_soon([&] {
        inside = loop.is_running();
        running = &get_running_loop();
        loop.stop();
    });
    EXPECT_FALSE(loop.is_running());
    loop.run_forever();
    EXPECT_TRUE(inside);
    EXPECT_EQ(running, &loop);
    EXPECT_FALSE(loop.is_running());
    EXPECT_EQ(thrown_by([] { static_cast<void>(get_running_loop()); }),
              "RuntimeError('no running event loop')");
}

TEST_F(EventLoopTest, refuses_to_run_inside_itself_or_another) {
    EventLoop other;
    bool begun = false;
    auto body = [](bool& begun) -> Coroutine<> {
        begun = true;
        co_return;
    };
    loop.call_soon([&] {
        trace.push_back(thrown_by([&] { loop.run_forever(); }));
        trace.push_back(thrown_by([&] { other.run_forever(); }));
        trace.push_back(thrown_by([&] { loop.run_until_complete(body(begun)); }));
        trace.push_back(thrown_by([&] { other.run_until_complete(body(begun)); }));
        trace.push_back(thrown_by([&] { loop.close(); }));
    });
    run_turns(3);
    other.stop();
    other.run_forever();
    EXPECT_EQ(trace,
              (Trace{"RuntimeError('This event loop is already running')",
                     "RuntimeError('Cannot run the event loop while another loop is running')",
                     "RuntimeError('This event loop is already running')",
                     "RuntimeError('Cannot run the event loop while another loop is running')",
                     "RuntimeError('Cannot close a running event loop')"}));
    EXPECT_FALSE(begun);
}

TEST_F(EventLoopTest, runs_until_an_awaitable_is_done_and_gives_its_result) {
    auto answer = []() -> Coroutine<int> {
        co_await sleep(1);
        co_return 42;
    };
    auto fail = []() -> Coroutine<> {
        co_await sleep(1);
        throw RuntimeError("failed");
    };
    auto future = loop.create_future<std::string>();
    loop.call_later(2, [&] { future.set_result("set"); });

    EXPECT_EQ(loop.run_until_complete(answer()), 42);
    EXPECT_EQ(loop.run_until_complete(future), "set");
    EXPECT_EQ(loop.run_until_complete(future), "set");  // done already
    EXPECT_EQ(thrown_by([&] { loop.run_until_complete(fail()); }), "RuntimeError('failed')");
    EXPECT_EQ(loop.run_until_complete(answer()), 42);
}

TEST_F(EventLoopTest, stopped_before_the_awaitable_is_done_says_so) {
    loop.call_later(1, [this] { loop.stop(); });
    EXPECT_EQ(thrown_by([&] { loop.run_until_complete(sleep(5)); }),
              "RuntimeError('Event loop stopped before Future completed.')");
}

TEST_F(EventLoopTest, goes_on_with_what_it_was_stopped_in) {
    int rounds = 0;
    auto body = [this](int& rounds) -> Coroutine<> {
        while (rounds < 10) {
            co_await sleep(1);
            if (++rounds == 2) {
                loop.stop();
            }
        }
    };
    auto task = loop.create_task(body(rounds));
    const TimePoint start = loop.time();

    EXPECT_EQ(thrown_by([&] { loop.run_until_complete(task); }),
              "RuntimeError('Event loop stopped before Future completed.')");
    EXPECT_EQ(rounds, 2);
    EXPECT_EQ(loop.time() - start, 2s);
    EXPECT_FALSE(task.done());
    loop.run_until_complete(sleep(1));
    EXPECT_EQ(rounds, 3);
    task.cancel();
    EXPECT_EQ(thrown_by([&] { loop.run_until_complete(task); }), "CancelledError()");
}

TEST_F(EventLoopTest, refuses_to_wait_for_a_future_of_another_loop) {
    EventLoop other;
    auto future = other.create_future<int>();
    future.set_result(1);

    EXPECT_EQ(thrown_by([&] { loop.run_until_complete(future); }),
              "ValueError('The future belongs to a different loop than the one specified as the "
              "loop argument')");
    EXPECT_EQ(other.run_until_complete(future), 1);
}

TEST_F(EventLoopTest, does_not_stop_for_what_an_earlier_run_was_left_in) {
    loop.call_soon([] { throw SystemExit(1); });
    EXPECT_EQ(thrown_by([&] { loop.run_until_complete(sleep(1)); }), "SystemExit(1)");
    const TimePoint start = loop.time();

    loop.run_until_complete(sleep(2));

    EXPECT_EQ(loop.time() - start, 2s);
}

TEST_F(EventLoopTest, does_not_stop_or_report_after_what_it_ran_threw_keyboard_interrupt) {
    const Reports reports(loop);
    auto interrupted = []() -> Coroutine<> {
        throw KeyboardInterrupt();
        co_return;
    };
    EXPECT_EQ(thrown_by([&] { loop.run_until_complete(interrupted()); }), "KeyboardInterrupt()");

    loop.call_soon([this] {
        loop.call_soon([this] {
            trace.push_back("second turn");
            loop.stop();
        });
    });
    loop.run_forever();
    loop.close();

    EXPECT_EQ(trace, Trace{"second turn"});
    EXPECT_EQ(reports.messages, Trace{});
}

TEST_F(EventLoopTest, is_left_in_the_middle_of_a_turn_by_keyboard_interrupt_and_keeps_the_rest) {
    loop.call_soon(add("before"));
    loop.call_soon([] { throw KeyboardInterrupt(); });
    loop.call_soon(add("after"));
    loop.call_soon([] { throw SystemExit(3); });
    loop.call_soon(add("last"));

    EXPECT_EQ(thrown_by([&] { loop.run_forever(); }), "KeyboardInterrupt()");
    EXPECT_EQ(trace, Trace{"before"});
    EXPECT_FALSE(loop.is_running());
    loop.call_soon(add("scheduled since"));
    EXPECT_EQ(thrown_by([&] { loop.run_forever(); }), "SystemExit(3)");
    EXPECT_EQ(trace, (Trace{"before", "after"}));
    run_turns(1);
    EXPECT_EQ(trace, (Trace{"before", "after", "last", "scheduled since"}));
}

// -------------------------------------------------------------------------------------- errors

TEST_F(EventLoopTest, reports_what_a_callback_throws_and_goes_on) {
    std::string message;
    std::string error;
    bool same_handle = false;
    Handle handle;
    loop.set_exception_handler([&](EventLoop& where, const ExceptionContext& context) {
        EXPECT_EQ(&where, &loop);
        message = context.message;
        error = describe(context.exception);
        same_handle = context.handle == handle;
    });
    EXPECT_TRUE(static_cast<bool>(loop.get_exception_handler()));
    handle = loop.call_soon([] { throw std::invalid_argument("bad"); });
    loop.call_soon(add("goes on"));
    run_turns(1);

    EXPECT_EQ(message, "Exception in callback");
    EXPECT_EQ(error, "ValueError('bad')");
    EXPECT_TRUE(same_handle);
    EXPECT_EQ(trace, Trace{"goes on"});
    loop.set_exception_handler(nullptr);
    EXPECT_FALSE(static_cast<bool>(loop.get_exception_handler()));
}

TEST_F(EventLoopTest, logs_what_is_reported_without_a_handler) {
    Logged logged;
    const auto fails = +[] { throw CancelledError("odd"); };
    loop.call_later(1, fails);
    loop.run_until_complete(sleep(2));
    EXPECT_EQ(logged.texts, Trace{"Exception in callback\nhandle: <Handle void (*)()>\n"
                                  "exception: CancelledError('odd')"});
    EXPECT_EQ(logged.levels, std::vector<Level>{Level::error});
}

TEST_F(EventLoopTest, logs_what_a_handler_throws_and_what_it_was_told) {
    Logged logged;
    loop.set_exception_handler(
        [](EventLoop&, const ExceptionContext&) { throw RuntimeError("in handler"); });
    const auto fails = +[] { throw RuntimeError("in callback"); };
    loop.call_soon(fails);
    run_turns(1);
    EXPECT_EQ(logged.texts,
              (Trace{"Unhandled error in exception handler\nexception: RuntimeError('in handler')",
                     "Exception in callback\nhandle: <Handle void (*)()>\n"
                     "exception: RuntimeError('in callback')"}));
}

TEST_F(EventLoopTest, is_left_by_keyboard_interrupt_from_the_handler) {
    loop.set_exception_handler(
        [](EventLoop&, const ExceptionContext&) { throw KeyboardInterrupt(); });
    loop.call_soon([] { throw RuntimeError("in callback"); });
    EXPECT_EQ(thrown_by([&] { loop.run_forever(); }), "KeyboardInterrupt()");
    loop.set_exception_handler(nullptr);
}

TEST_F(EventLoopTest, a_handler_may_replace_itself_while_it_is_called) {
    const std::string kept(100, 'x');
    std::string seen;
    loop.set_exception_handler([kept, &seen](EventLoop& where, const ExceptionContext&) {
        where.set_exception_handler(nullptr);
        seen = kept;
    });
    loop.call_soon([] { throw RuntimeError("in callback"); });
    run_turns(1);
    EXPECT_EQ(seen, kept);
    EXPECT_FALSE(static_cast<bool>(loop.get_exception_handler()));
}

TEST_F(EventLoopTest, remembers_whether_it_is_in_debug_mode) {
    EXPECT_FALSE(loop.get_debug());
    loop.set_debug(true);
    EXPECT_TRUE(loop.get_debug());
}

// ------------------------------------------------------------------------------------- closing

TEST_F(EventLoopTest, closed_drops_what_was_scheduled_and_refuses_everything) {
    loop.call_soon([gone = Gone(trace, "soon")] {});
    loop.call_later(1, [gone = Gone(trace, "later")] {});
    loop.call_soon_threadsafe([gone = Gone(trace, "threadsafe")] {});
    loop.close();
    loop.close();  // again is nothing
    EXPECT_TRUE(loop.is_closed());
    EXPECT_EQ(trace.size(), 3U);

    const std::string closed = "RuntimeError('Event loop is closed')";
    EXPECT_EQ(thrown_by([&] { loop.call_soon([] {}); }), closed);
    EXPECT_EQ(thrown_by([&] { loop.call_later(1, [] {}); }), closed);
    EXPECT_EQ(thrown_by([&] { loop.call_at(TimePoint{}, [] {}); }), closed);
    EXPECT_EQ(thrown_by([&] { loop.call_soon_threadsafe([gone = Gone(trace, "refused")] {}); }),
              closed);
    EXPECT_EQ(thrown_by([&] { loop.run_forever(); }), closed);
    EXPECT_EQ(thrown_by([&] { loop.run_until_complete(sleep(0)); }), closed);
    EXPECT_EQ(thrown_by([&] { loop.run_in_executor(nullptr, [] {}); }), closed);
    EXPECT_EQ(trace.back(), "refused");
    EXPECT_FALSE(loop.is_running());
}

TEST_F(EventLoopTest, closed_destroys_functions_that_own_their_handle) {
    struct Owner {
        TimerHandle timer;
        Handle soon;
        Handle posted;
        Gone gone;
    };
    auto owner = std::make_shared<Owner>(Owner{{}, {}, {}, Gone(trace, "owner")});
    owner->timer = loop.call_later(1, [owner] {});
    owner->soon = loop.call_soon([owner] {});
    owner->posted = loop.call_soon_threadsafe([owner] {});
    owner.reset();
    loop.close();
    EXPECT_EQ(trace, Trace{"owner"});
}

TEST_F(EventLoopTest, closed_destroys_functions_to_which_handles_are_left) {
    const Handle handle = loop.call_soon([gone = Gone(trace, "function")] {});
    loop.close();
    EXPECT_EQ(trace, Trace{"function"});
    EXPECT_FALSE(handle.cancelled());
}

TEST_F(EventLoopTest, calls_functions_of_any_alignment) {
    struct alignas(128) Wide {
        char bytes[128] = {};
    };
    const auto aligned = [](const Wide& wide) {
        return reinterpret_cast<std::uintptr_t>(&wide) % alignof(Wide) == 0;
    };
    const auto check = [this, aligned, wide = Wide()] {
        trace.push_back(aligned(wide) ? "aligned" : "misaligned");
    };
    loop.call_soon(check);
    loop.call_later(1, check);
    loop.call_soon_threadsafe(check);
    Future<> future = loop.create_future<void>();
    future.add_done_callback([this, aligned, wide = Wide()](const Future<>&) {
        trace.push_back(aligned(wide) ? "aligned" : "misaligned");
    });
    future.set_result();
    loop.run_until_complete(sleep(2));
    EXPECT_EQ(trace, Trace(4, "aligned"));
}

TEST(EventLoop, can_be_made_run_and_closed_many_times) {
    for (int round = 0; round < 2000; ++round) {
        const std::unique_ptr<EventLoop> loop = new_event_loop();
        bool ran = false;
        loop->call_soon([&] { ran = true; });
        loop->stop();
        loop->run_forever();
        EXPECT_TRUE(ran);
    }
}

TEST(EventLoop, may_be_run_in_a_thread_and_destroyed_in_another) {
    for (const char* proactor : testing::proactors) {
        SCOPED_TRACE(proactor);
        std::unique_ptr<EventLoop> loop = new_event_loop(proactor);
        Trace trace;
        std::thread([&] { loop->run_until_complete(sleep(0.001)); }).join();
        loop->call_soon([gone = Gone(trace, "gone")] {});
        std::thread([&] { loop.reset(); }).join();
        EXPECT_EQ(trace, Trace{"gone"});
    }
}

TEST(EventLoop, unknown_proactors_are_refused) {
    EXPECT_NE(thrown_by([] { static_cast<void>(new_event_loop("no such")); }), "nothing");
}

// ------------------------------------------------------------------------------- other threads

TEST(CallSoonThreadsafe, before_the_loop_waits_is_not_missed) {
    for (const char* proactor : testing::proactors) {
        const std::unique_ptr<EventLoop> loop = new_event_loop(proactor);
        std::thread([&] { loop->call_soon_threadsafe([&] { loop->stop(); }); }).join();
        loop->run_forever();  // would never end
    }
}

TEST(CallSoonThreadsafe, wakes_a_loop_that_waits) {
    for (const char* proactor : testing::proactors) {
        const std::unique_ptr<EventLoop> loop = new_event_loop(proactor);
        for (int round = 0; round < 200; ++round) {
            std::thread caller([&, round] {
                if (round % 2 == 0) {
                    std::this_thread::sleep_for(std::chrono::microseconds(round * 5));
                }
                loop->call_soon_threadsafe([&] { loop->stop(); });
            });
            loop->run_forever();
            caller.join();
        }
    }
}

TEST(CallSoonThreadsafe, in_its_own_thread_is_in_order_with_call_soon) {
    EventLoop loop;
    Trace trace;
    loop.call_soon([&] {
        loop.call_soon([&] { trace.push_back("1"); });
        loop.call_soon_threadsafe([&] { trace.push_back("2"); });
        loop.call_soon([&] { trace.push_back("3"); });
        loop.call_soon([&] { loop.stop(); });
    });
    loop.run_forever();
    EXPECT_EQ(trace, (Trace{"1", "2", "3"}));
}

TEST(CallSoonThreadsafe, before_the_loop_runs_is_in_order_with_call_soon) {
    EventLoop loop;
    Trace trace;
    loop.call_soon([&] { trace.push_back("1"); });
    loop.call_soon_threadsafe([&] { trace.push_back("2"); });
    loop.call_soon([&] { trace.push_back("3"); });
    loop.stop();
    loop.run_forever();
    EXPECT_EQ(trace, (Trace{"1", "2", "3"}));
}

TEST(CallSoonThreadsafe, handles_may_be_cancelled_and_dropped_in_any_thread) {
    EventLoop loop;
    std::atomic<int> called{0};
    std::thread caller([&] {
        for (int call = 0; call < 10'000; ++call) {
            Handle handle = loop.call_soon_threadsafe([&called] { ++called; });
            if (call % 2 == 0) {
                handle.cancel();
            }
        }
        loop.call_soon_threadsafe([&] { loop.stop(); });
    });
    loop.run_forever();
    caller.join();
    EXPECT_GE(called.load(), 5000);
}

TEST(CallSoonThreadsafe, cancelled_in_another_thread_is_not_called_afterwards) {
    EventLoop loop;
    std::thread caller([&loop] {
        for (int call = 0; call < 10'000; ++call) {
            auto used = std::make_unique<int>(0);
            Handle handle = loop.call_soon_threadsafe([value = used.get()] { ++*value; });
            if (call % 3 == 0) {
                std::this_thread::yield();
            }
            handle.cancel();  // and `used` is gone: a call that goes on would be found
        }
        loop.call_soon_threadsafe([&loop] { loop.stop(); });
    });
    loop.run_forever();
    caller.join();
}

TEST(CallSoonThreadsafe, cancel_in_other_threads_waits_for_the_call_under_way) {
    EventLoop loop;
    std::atomic<bool> ended{false};
    std::atomic<int> waited{0};
    std::promise<void> begun;
    const std::shared_future<void> has_begun = begun.get_future();
    const Handle handle = loop.call_soon_threadsafe([&] {
        begun.set_value();
        std::this_thread::sleep_for(20ms);  // in which whoever does not wait has gone on
        ended = true;
    });
    std::vector<std::thread> cancellers;
    for (int thread = 0; thread < 3; ++thread) {
        cancellers.emplace_back([&, mine = handle]() mutable {
            has_begun.wait();
            mine.cancel();
            waited += ended ? 1 : 0;
            mine.cancel();  // again is nothing
        });
    }
    loop.stop();
    loop.run_forever();
    for (std::thread& canceller : cancellers) {
        canceller.join();
    }
    EXPECT_EQ(waited, 3);
    EXPECT_TRUE(handle.cancelled());
}

TEST(CallSoonThreadsafe, cancelled_by_the_function_itself_does_not_wait) {
    EventLoop loop;
    Handle handle;
    bool called = false;
    handle = loop.call_soon_threadsafe([&] {
        called = true;
        handle.cancel();
    });
    loop.stop();
    loop.run_forever();
    EXPECT_TRUE(called);
    EXPECT_TRUE(handle.cancelled());
}

TEST(CallSoonThreadsafe, destroys_the_function_on_the_loop_though_it_is_cancelled_elsewhere) {
    EventLoop loop;
    Trace trace;
    Handle handle = loop.call_soon_threadsafe([gone = Gone(trace, "gone")] {});
    std::thread([&handle] { handle.cancel(); }).join();
    EXPECT_EQ(trace, Trace{});
    loop.stop();
    loop.run_forever();
    EXPECT_EQ(trace, Trace{"gone"});
}

struct Posted : lowlevel::Callback {
    Posted() : Callback([](Callback& callback) { static_cast<Posted&>(callback).ran = true; }) {}
    bool ran = false;
};

TEST(Post, answers_false_once_the_loop_is_closed) {
    EventLoop loop;
    Posted taken;
    Posted refused;
    EXPECT_TRUE(loop.post(taken));
    loop.stop();
    loop.run_forever();
    EXPECT_TRUE(taken.ran);
    loop.close();
    EXPECT_FALSE(loop.post(refused));
    EXPECT_FALSE(refused.linked());
}

TEST(Post, may_race_with_close) {
    for (int round = 0; round < 200; ++round) {
        auto loop = std::make_unique<EventLoop>();
        std::atomic<bool> begun{false};
        std::atomic<int> destroyed{0};
        struct Counted {
            explicit Counted(std::atomic<int>& destroyed) : destroyed(&destroyed) {}
            Counted(Counted&& other) noexcept
                : destroyed(std::exchange(other.destroyed, nullptr)) {}
            Counted& operator=(Counted&&) = delete;
            ~Counted() {
                if (destroyed != nullptr) {
                    ++*destroyed;
                }
            }
            std::atomic<int>* destroyed;
        };
        std::thread caller([&] {
            bool was_refused = false;
            for (int call = 0; call < 1000; ++call) {
                begun.store(true);
                try {
                    loop->call_soon_threadsafe([counted = Counted(destroyed)] {});
                    EXPECT_FALSE(was_refused) << "taken after one was refused";
                } catch (const RuntimeError&) {
                    was_refused = true;
                }
            }
        });
        while (!begun.load()) {
            std::this_thread::yield();
        }
        loop->close();
        caller.join();
        EXPECT_EQ(destroyed.load(), 1000);  // taken and dropped, or refused: none is left over
        EXPECT_EQ(thrown_by([&] { loop->call_soon_threadsafe([] {}); }),
                  "RuntimeError('Event loop is closed')");
    }
}

TEST(TimerHandles, are_ordered_by_when_they_are_due_and_hashed_by_identity) {
    EventLoop loop;
    const TimePoint now = loop.time();
    const TimerHandle a = loop.call_at(now + std::chrono::seconds(1), [] {});
    const TimerHandle b = loop.call_at(now + std::chrono::seconds(2), [] {});
    const TimerHandle c = loop.call_at(now + std::chrono::seconds(2), [] {});
    const TimerHandle same = b;

    EXPECT_TRUE(a < b && b > a && a <= b && b >= a);
    EXPECT_FALSE(b < a || b < c || c < b);
    EXPECT_TRUE(b <= same && b >= same && b == same);
    EXPECT_FALSE(b <= c || b == c) << "due at the same time, but another";
    EXPECT_EQ(std::hash<TimerHandle>()(b), std::hash<TimerHandle>()(same));
    EXPECT_NE(std::hash<TimerHandle>()(b), std::hash<TimerHandle>()(c));
    EXPECT_EQ(std::hash<Handle>()(b), std::hash<TimerHandle>()(b));
}

}  // namespace

// -------------------------------------------------------------------------- the current loop

static std::string why_no_event_loop() {
    try {
        static_cast<void>(get_event_loop());
    } catch (...) {
        return describe(std::current_exception());
    }
    return "";
}

TEST(GetEventLoop, gives_the_loop_that_runs_or_the_one_that_was_set) {
    EXPECT_EQ(why_no_event_loop(),
              "RuntimeError('There is no current event loop in this thread.')");
    EventLoop running;
    EventLoop other;
    set_event_loop(&other);
    EXPECT_EQ(&get_event_loop(), &other);
    EventLoop* seen = nullptr;
    running.call_soon([&] {
        seen = &get_event_loop();
        running.stop();
    });
    running.run_forever();
    EXPECT_EQ(seen, &running);
    EXPECT_EQ(&get_event_loop(), &other);
    set_event_loop(nullptr);
    EXPECT_NE(why_no_event_loop(), "");
}

TEST(GetEventLoop, knows_nothing_of_a_loop_that_is_gone) {
    {
        EventLoop loop;
        set_event_loop(&loop);
    }
    EXPECT_NE(why_no_event_loop(), "");
    set_event_loop(nullptr);
}

TEST(GetEventLoop, gives_that_of_a_runner_until_it_is_closed) {
    Runner runner;
    EventLoop& loop = runner.get_loop();
    EXPECT_EQ(&get_event_loop(), &loop);
    runner.close();
    EXPECT_NE(why_no_event_loop(), "");

    Runner with_factory({.loop_factory = [] { return new_event_loop(); }});
    static_cast<void>(with_factory.get_loop());
    EXPECT_NE(why_no_event_loop(), "");
}

}  // namespace asyncio
