// instrument_test.cpp - what instruments of a loop are told, and when.
//
// SPDX-License-Identifier: MIT
#include <asyncio/lowlevel/instrument.hpp>

#include <asyncio/locks.hpp>
#include <asyncio/queues.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/tasks.hpp>

#include "support/async_test.hpp"
#include "support/no_memory.hpp"
#include "support/observe.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace asyncio {

namespace {

using lowlevel::add_instrument;
using lowlevel::Instrument;
using lowlevel::remove_instrument;
using testing::thrown_by;
using testing::Trace;

class Recorder : public Instrument {
public:
    explicit Recorder(Trace& trace, bool io = false) : trace_(trace), io_(io) {}

    void before_run() override { trace_.push_back("before_run"); }
    void after_run() override { trace_.push_back("after_run"); }
    void task_spawned(const AnyTask& task) override { note("spawned", task); }
    void task_scheduled(const AnyTask& task) override { note("scheduled", task); }
    void before_task_step(const AnyTask& task) override { note("before", task); }
    void after_task_step(const AnyTask& task) override { note("after", task); }
    void task_exited(const AnyTask& task) override { note("exited", task); }
    void before_io_wait(std::optional<Duration> timeout) override { note_io("before", timeout); }
    void after_io_wait(std::optional<Duration> timeout) override { note_io("after", timeout); }

protected:
    void note(const char* what, const AnyTask& task) {
        trace_.push_back(what + (" " + task.get_name()));
    }
    void note_io(const char* what, std::optional<Duration> timeout) {
        if (io_) {
            trace_.push_back(std::string(what) + " wait " +
                             (timeout == std::nullopt      ? "for ever"
                              : *timeout <= Duration(0)    ? "not at all"
                              : *timeout <= Duration(3600) ? "a while"
                                                           : "long"));
        }
    }

    Trace& trace_;
    bool io_;
};

TEST(Instrument, is_told_of_a_task_from_its_beginning_to_its_end) {
    Trace trace;
    Recorder recorder(trace);
    EventLoop loop;
    add_instrument(loop, recorder);
    add_instrument(loop, recorder);  // once is enough
    auto task = loop.create_task(
        []() -> Coroutine<> {
            co_await sleep(0);
            co_await sleep(0.001);
        },
        {.name = "main"});
    loop.run_until_complete(task);

    EXPECT_EQ(trace,
              (Trace{"before_run", "spawned main", "scheduled main", "before main", "after main",
                     "scheduled main", "before main", "after main", "scheduled main", "before main",
                     "after main", "exited main", "after_run"}));
    remove_instrument(loop, recorder);
    EXPECT_EQ(thrown_by([&] { remove_instrument(loop, recorder); }),
              "LookupError('the loop does not have this instrument')");
    trace.clear();
    auto again = loop.create_task([]() -> Coroutine<> { co_await sleep(0); });
    loop.run_until_complete(again);
    EXPECT_EQ(trace, Trace{});
}

TEST(Instrument, is_told_of_waiting_for_the_system) {
    Trace trace;
    Recorder recorder(trace, true);
    EventLoop loop;
    add_instrument(loop, recorder);
    loop.call_later(0.002, [&] { loop.stop(); });
    loop.run_forever();
    EXPECT_EQ(trace.front(), "before_run");
    EXPECT_EQ(trace.back(), "after_run");
    EXPECT_NE(std::find(trace.begin(), trace.end(), "before wait a while"), trace.end());
    EXPECT_EQ(std::count(trace.begin(), trace.end(), "before wait a while"),
              std::count(trace.begin(), trace.end(), "after wait a while"));
}

ASYNC_TEST(Instrument, may_come_and_go_while_the_loop_runs) {
    Trace trace;
    Recorder recorder(trace);
    EventLoop& loop = get_running_loop();
    current_task().set_name("main");
    auto before = create_task([]() -> Coroutine<> { co_await sleep(0); }, {.name = "before"});

    add_instrument(loop, recorder);
    auto other = create_task([]() -> Coroutine<> { co_await sleep(0); }, {.name = "other"});
    co_await sleep(0);
    co_await sleep(0);
    remove_instrument(loop, recorder);
    co_await sleep(0);
    co_await other;
    co_await before;

    const Trace expected{"spawned other", "scheduled other"};
    EXPECT_EQ(std::count(trace.begin(), trace.end(), "spawned other"), 1);
    EXPECT_EQ(std::count(trace.begin(), trace.end(), "spawned before"), 0);
    EXPECT_EQ(std::count(trace.begin(), trace.end(), "before other"),
              std::count(trace.begin(), trace.end(), "after other"));
    EXPECT_GE(std::count(trace.begin(), trace.end(), "before main"), 1);
}

ASYNC_TEST(Instrument, does_not_stop_the_loop_nor_keep_it_from_stopping) {
    Trace trace;
    Recorder recorder(trace);
    EventLoop& loop = get_running_loop();
    for (int i = 0; i < 3; ++i) {
        add_instrument(loop, recorder);
        co_await sleep(0);
        remove_instrument(loop, recorder);
        co_await sleep(0);
    }
    add_instrument(loop, recorder);
    remove_instrument(loop, recorder);
    co_await sleep(1);
    EventLoop* const running = &loop;
    EXPECT_EQ(&get_running_loop(), running);
}

TEST(Instrument, that_comes_when_the_loop_is_stopped_does_not_keep_it_running) {
    Trace trace;
    Recorder recorder(trace);
    EventLoop loop;
    int turns = 0;
    loop.call_soon([&] {
        loop.stop();
        add_instrument(loop, recorder);
    });
    loop.call_soon([&] { loop.call_soon([&] { ++turns; }); });
    loop.run_forever();
    EXPECT_EQ(turns, 0);
    remove_instrument(loop, recorder);
    loop.call_soon([&] {
        add_instrument(loop, recorder);
        loop.stop();
        loop.call_soon([&] { ++turns; });
    });
    loop.run_forever();
    EXPECT_EQ(turns, 1);
}

ASYNC_TEST(Instrument, is_told_of_tasks_that_wait_for_the_first_of_several) {
    Trace trace;
    Recorder recorder(trace);
    EventLoop& loop = get_running_loop();
    auto future = loop.create_future<>();
    auto next = [](AsCompleted<> completed) -> Coroutine<> { co_await completed.next(); };
    auto waiter = create_task(next(as_completed(future)), {.name = "waiter"});
    co_await sleep(0);
    add_instrument(loop, recorder);
    co_await sleep(0);
    trace.clear();
    future.set_result();
    co_await waiter;
    remove_instrument(loop, recorder);
    EXPECT_EQ(std::count(trace.begin(), trace.end(), "scheduled waiter"), 1);
    EXPECT_EQ(std::count(trace.begin(), trace.end(), "before waiter"), 1);
    EXPECT_EQ(std::count(trace.begin(), trace.end(), "after waiter"), 1);
    EXPECT_EQ(std::count(trace.begin(), trace.end(), "exited waiter"), 1);
}

ASYNC_TEST(Instrument, is_told_of_tasks_that_wait_at_a_queue_and_of_eager_ones) {
    Trace trace;
    Recorder recorder(trace);
    EventLoop& loop = get_running_loop();
    current_task().set_name("main");
    Queue<int> queue;
    auto getter = create_task(queue.get(), {.name = "getter"});
    co_await sleep(0);
    add_instrument(loop, recorder);
    co_await sleep(0);
    trace.clear();
    queue.put_nowait(1);
    co_await sleep(0);
    co_await sleep(0);
    remove_instrument(loop, recorder);
    EXPECT_EQ(std::count(trace.begin(), trace.end(), "scheduled getter"), 1);
    EXPECT_EQ(std::count(trace.begin(), trace.end(), "before getter"), 1);
    EXPECT_EQ(std::count(trace.begin(), trace.end(), "after getter"), 1);
    EXPECT_EQ(std::count(trace.begin(), trace.end(), "exited getter"), 1);

    add_instrument(loop, recorder);
    co_await sleep(0);
    trace.clear();
    auto eager =
        create_task([]() -> Coroutine<> { co_return; }, {.name = "eager", .eager_start = true});
    EXPECT_EQ(trace, (Trace{"spawned eager", "before eager", "after eager", "exited eager"}));
    remove_instrument(loop, recorder);
    co_await getter;
    co_await eager;
}

class Faulty : public Recorder {
public:
    using Recorder::Recorder;
    void before_task_step(const AnyTask&) override { throw RuntimeError("faulty"); }
};

ASYNC_TEST(Instrument, that_throws_is_removed_and_reported) {
    Trace trace;
    Trace other_trace;
    testing::Reports reports;
    Faulty faulty(trace);
    Recorder other(other_trace);
    EventLoop& loop = get_running_loop();
    add_instrument(loop, faulty);
    add_instrument(loop, other);
    co_await sleep(0);
    co_await sleep(0);
    EXPECT_EQ(reports.messages, Trace{"An instrument threw, and has been removed"});
    EXPECT_EQ(reports.errors, Trace{"RuntimeError('faulty')"});
    EXPECT_FALSE(other_trace.empty());
    EXPECT_TRUE(thrown_by([&] { remove_instrument(loop, faulty); }).starts_with("LookupError"));
    remove_instrument(loop, other);
}

TEST(Instrument, is_told_to_the_end_when_something_leaves_the_loop) {
    Trace trace;
    Recorder recorder(trace);
    EventLoop loop;
    add_instrument(loop, recorder);
    auto task = loop.create_task(
        []() -> Coroutine<> {
            throw KeyboardInterrupt();
            co_return;
        },
        {.name = "main"});
    EXPECT_EQ(thrown_by([&] { loop.run_forever(); }), "KeyboardInterrupt()");
    EXPECT_EQ(trace, (Trace{"before_run", "spawned main", "scheduled main", "before main",
                            "after main", "exited main", "after_run"}));
    remove_instrument(loop, recorder);
    static_cast<void>(thrown_by([&] { task.result(); }));
}

/// Does something in its first hook of a step.
class Meddler : public Instrument {
public:
    explicit Meddler(std::function<void()> meddle) : meddle_(std::move(meddle)) {}
    void before_task_step(const AnyTask&) override {
        if (meddle_) {
            std::exchange(meddle_, nullptr)();
        }
    }

private:
    std::function<void()> meddle_;
};

ASYNC_TEST(Instrument, may_remove_and_add_others_while_they_are_told) {
    EventLoop& loop = get_running_loop();
    for (const bool adds_again : {false, true}) {
        Trace first_trace;
        Trace last_trace;
        Recorder first(first_trace);
        Recorder last(last_trace);
        Meddler meddler([&] {
            remove_instrument(loop, first);
            remove_instrument(loop, meddler);
            if (adds_again) {
                add_instrument(loop, first);
            }
        });
        add_instrument(loop, first);
        add_instrument(loop, meddler);
        add_instrument(loop, last);
        co_await sleep(0);
        remove_instrument(loop, last);
        const auto steps = [](const Trace& trace) {
            return std::count_if(trace.begin(), trace.end(), [](const std::string& line) {
                return line.starts_with("before ");
            });
        };
        EXPECT_EQ(steps(last_trace), 1);  // as many as of whom nobody was removed
        EXPECT_EQ(steps(first_trace), 1);
        if (adds_again) {
            remove_instrument(loop, first);
        }
    }
}

/// Leaves no memory from a step on, until a task has ended.
class Famine : public Instrument {
public:
    void before_task_step(const AnyTask&) override { no_memory_.emplace(0); }
    void task_exited(const AnyTask&) override {
        no_memory_.reset();
        ++exited;
    }
    int exited = 0;

private:
    std::optional<testing::NoMemory> no_memory_;
};

ASYNC_TEST(Instrument, needs_no_memory_to_let_the_loop_go_on) {
    Event event;
    Event last;
    const auto wake_other = [&]() -> Coroutine<> {
        co_await event.wait();
        last.set();
    };
    const auto wait_last = [&]() -> Coroutine<> { co_await last.wait(); };
    auto waker = create_task(wake_other());
    auto waits = create_task(wait_last());
    co_await testing::settle();
    Famine famine;
    add_instrument(get_running_loop(), famine);
    event.set();
    co_await waits;
    EXPECT_EQ(famine.exited, 2);
    remove_instrument(get_running_loop(), famine);
}

}  // namespace

}  // namespace asyncio
