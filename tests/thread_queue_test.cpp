// thread_queue_test.cpp - a queue with a side for threads and one for tasks: ThreadQueue.
//
// SPDX-License-Identifier: MIT
#include "support/async_test.hpp"
#include "support/observe.hpp"

#include <asyncio/tasks.hpp>
#include <asyncio/thread_queue.hpp>
#include <asyncio/threads.hpp>
#include <asyncio/timeouts.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace asyncio {

using namespace std::chrono_literals;
using testing::settle;
using testing::thrown_by;
using testing::Trace;

namespace {

/// What only moves, and throws when it is moved for the n-th time.
class Brittle {
public:
    Brittle(int value, int moves) : value_(value), moves_(moves) {}
    Brittle(Brittle&& other) : value_(other.value_), moves_(other.moves_ - 1) {
        if (moves_ == 0) {
            throw RuntimeError("broken by a move");
        }
    }
    Brittle& operator=(Brittle&&) = delete;
    ~Brittle() = default;
    [[nodiscard]] int value() const { return value_; }

private:
    int value_;
    int moves_;
};

template <class Fn>
std::string result_of(Fn fn) {
    return thrown_by([&] {
        fn();
        return 0;
    });
}

// ------------------------------------------------------------------------------ threads alone

TEST(SyncQueue, gives_first_what_came_first) {
    const ThreadQueue<int> queue;
    const auto side = queue.sync_q();
    for (int item = 0; item < 5; ++item) {
        side.put(item);
    }
    EXPECT_EQ(side.qsize(), 5U);
    EXPECT_FALSE(side.empty());
    EXPECT_FALSE(side.full());
    for (int item = 0; item < 5; ++item) {
        EXPECT_EQ(side.get(), item);
    }
    EXPECT_TRUE(side.empty());
}

TEST(SyncQueue, takes_what_only_moves) {
    const ThreadQueue<std::unique_ptr<int>> queue(1);
    queue.sync_q().put(std::make_unique<int>(3));
    EXPECT_EQ(*queue.sync_q().get(), 3);
}

TEST(SyncQueue, throws_what_it_cannot_do_at_once) {
    const ThreadQueue<int> queue(1);
    const auto side = queue.sync_q();
    EXPECT_EQ(queue.maxsize(), 1);
    EXPECT_THROW(static_cast<void>(side.get_nowait()), QueueEmpty);
    side.put_nowait(1);
    EXPECT_TRUE(side.full());
    EXPECT_THROW(side.put_nowait(2), QueueFull);
    EXPECT_EQ(side.get_nowait(), 1);
}

TEST(SyncQueue, waits_no_longer_than_it_may) {
    const ThreadQueue<int> queue(1);
    const auto side = queue.sync_q();
    EXPECT_THROW(static_cast<void>(side.get(0)), QueueEmpty);
    EXPECT_THROW(static_cast<void>(side.get(1ms)), QueueEmpty);
    side.put(1);
    EXPECT_THROW(side.put(2, 0), QueueFull);
    EXPECT_THROW(side.put(2, 1ms), QueueFull);
    EXPECT_THROW(side.join(1ms), TimeoutError);
    EXPECT_EQ(side.get(1e300), 1);
    EXPECT_TRUE(side.empty()) << "what was not put in time is not in it";
    EXPECT_EQ(result_of([&] { side.get(-1); }),
              "ValueError(\"'timeout' must be a non-negative number\")");
}

TEST(SyncQueue, a_wait_that_was_given_up_gets_nothing) {
    const ThreadQueue<int> queue;
    EXPECT_THROW(static_cast<void>(queue.sync_q().get(1ms)), QueueEmpty);
    queue.sync_q().put(5);
    EXPECT_EQ(queue.sync_q().get(), 5);
}

TEST(SyncQueue, lets_a_thread_wait_for_an_item_and_for_room) {
    const ThreadQueue<int> queue(1);
    int sum = 0;
    std::thread consumer([&sum, side = queue.sync_q()] {
        for (int item = 0; item < 100; ++item) {
            sum += side.get();
            side.task_done();
        }
    });
    for (int item = 0; item < 100; ++item) {
        queue.sync_q().put(item);
    }
    queue.sync_q().join();
    consumer.join();
    EXPECT_EQ(sum, 4950);
}

TEST(SyncQueue, join_waits_for_every_item) {
    const ThreadQueue<int> queue;
    const auto side = queue.sync_q();
    side.join();
    side.put(1);
    EXPECT_THROW(side.join(0), TimeoutError);
    static_cast<void>(side.get());
    side.task_done();
    side.join();
    EXPECT_EQ(result_of([&] { side.task_done(); }),
              "ValueError('task_done() called too many times')");
}

TEST(SyncQueue, shut_down_gives_what_is_left_and_then_throws) {
    const ThreadQueue<int> queue;
    const auto side = queue.sync_q();
    side.put(1);
    queue.shutdown();
    EXPECT_EQ(result_of([&] { side.put(2); }), "QueueShutDown()");
    EXPECT_EQ(result_of([&] { side.put_nowait(2); }), "QueueShutDown()");
    EXPECT_EQ(side.get(), 1);
    EXPECT_EQ(result_of([&] { side.get(); }), "QueueShutDown()");
    EXPECT_EQ(result_of([&] { side.get_nowait(); }), "QueueShutDown()");
}

TEST(SyncQueue, closed_drops_what_is_left_and_ends_every_wait) {
    const ThreadQueue<std::shared_ptr<int>> queue(1);
    const auto side = queue.sync_q();
    auto item = std::make_shared<int>(1);
    side.put(item);
    std::string joined = "not yet";
    std::string put = "not yet";
    std::thread joiner([&] { joined = result_of([&] { side.join(); }); });
    std::thread putter([&] { put = result_of([&] { side.put(nullptr); }); });

    queue.close();
    joiner.join();
    putter.join();

    EXPECT_EQ(joined, "nothing");
    EXPECT_EQ(put, "QueueShutDown()");
    EXPECT_EQ(item.use_count(), 1);
    EXPECT_TRUE(side.empty());
}

TEST(SyncQueue, loses_nothing_when_an_item_throws_as_it_is_moved) {
    for (int moves = 1; moves < 12; ++moves) {
        const ThreadQueue<Brittle> queue(1);
        const std::string put = result_of([&] { queue.sync_q().put(Brittle(moves, moves)); });
        EXPECT_EQ(queue.sync_q().empty(), put != "nothing");
        if (put == "nothing") {
            const std::string got = result_of([&] { queue.sync_q().get_nowait(); });
            EXPECT_EQ(queue.sync_q().empty(), got == "nothing") << moves;
        }
    }
}

TEST(ThreadPriorityQueue, gives_the_smallest_item_first) {
    const ThreadPriorityQueue<int> queue;
    for (const int item : {3, 1, 2}) {
        queue.sync_q().put(item);
    }
    EXPECT_EQ(queue.sync_q().get(), 1);
    EXPECT_EQ(queue.sync_q().get(), 2);
    EXPECT_EQ(queue.sync_q().get(), 3);
}

TEST(ThreadLifoQueue, gives_the_youngest_item_first) {
    const ThreadLifoQueue<int> queue;
    queue.sync_q().put(1);
    queue.sync_q().put(2);
    EXPECT_EQ(queue.sync_q().get(), 2);
}

// --------------------------------------------------------------------------------- tasks alone

Coroutine<> get_one(AsyncQueue<int> side, Trace& trace, std::string name) {
    const auto item = co_await as_result(side.get());
    trace.push_back(name + ": " +
                    (item.has_value() ? std::to_string(item.value()) : describe(item.error())));
}
Coroutine<> put_one(AsyncQueue<int> side, int item, Trace& trace) {
    const auto put = co_await as_result(side.put(item));
    trace.push_back("put " + std::to_string(item) + ": " +
                    (put.has_value() ? "done" : describe(put.error())));
}

ASYNC_TEST(AsyncQueue, gives_first_what_came_first) {
    const ThreadQueue<int> queue;
    const auto side = queue.async_q();
    co_await side.put(1);
    side.put_nowait(2);
    int first = co_await side.get();
    EXPECT_EQ(first, 1);
    EXPECT_EQ(side.get_nowait(), 2);
    EXPECT_THROW(static_cast<void>(side.get_nowait()), QueueEmpty);
}

ASYNC_TEST(AsyncQueue, serves_those_who_wait_in_the_order_of_coming) {
    const ThreadQueue<int> queue;
    Trace trace;
    std::vector<Task<>> tasks;
    for (const char* name : {"a", "b", "c"}) {
        tasks.push_back(create_task(get_one(queue.async_q(), trace, name)));
    }
    co_await settle();
    queue.async_q().put_nowait(1);
    queue.async_q().put_nowait(2);
    queue.async_q().put_nowait(3);
    EXPECT_TRUE(queue.async_q().empty()) << "they are handed over";
    co_await gather(tasks);
    EXPECT_EQ(trace, (Trace{"a: 1", "b: 2", "c: 3"}));
}

ASYNC_TEST(AsyncQueue, lets_nobody_overtake_who_waits_for_room) {
    const ThreadQueue<int> queue(1);
    Trace trace;
    queue.async_q().put_nowait(1);
    auto second = create_task(put_one(queue.async_q(), 2, trace));
    auto third = create_task(put_one(queue.async_q(), 3, trace));
    co_await settle();

    EXPECT_EQ(queue.async_q().get_nowait(), 1);
    EXPECT_THROW(queue.async_q().put_nowait(9), QueueFull);
    EXPECT_EQ(queue.async_q().get_nowait(), 2);
    EXPECT_EQ(queue.async_q().get_nowait(), 3);
    co_await second;
    co_await third;

    EXPECT_EQ(trace, (Trace{"put 2: done", "put 3: done"}));
}

ASYNC_TEST(AsyncQueue, cancelled_takes_nothing_and_puts_nothing_in) {
    const ThreadQueue<int> queue(1);
    Trace trace;
    auto getter = create_task(get_one(queue.async_q(), trace, "getter"));
    co_await settle();
    getter.cancel();
    co_await getter;
    queue.async_q().put_nowait(1);
    auto putter = create_task(put_one(queue.async_q(), 2, trace));
    co_await settle();
    putter.cancel();
    co_await putter;

    EXPECT_EQ(trace, (Trace{"getter: CancelledError()", "put 2: CancelledError()"}));
    EXPECT_EQ(queue.async_q().get_nowait(), 1);
    EXPECT_TRUE(queue.async_q().empty());
}

ASYNC_TEST(AsyncQueue, cancelled_when_it_was_served_keeps_its_item) {
    const ThreadQueue<int> queue;
    Trace trace;
    auto twice = [](AsyncQueue<int> side, Trace& seen) -> Coroutine<> {
        int item = co_await side.get();
        seen.push_back("got " + std::to_string(item));
        co_await sleep(0);
        seen.push_back("not reached");
    };
    auto task = create_task(twice(queue.async_q(), trace));
    co_await settle();

    queue.async_q().put_nowait(7);
    task.cancel();
    auto result = co_await as_result(task);

    EXPECT_TRUE(result.cancelled());
    EXPECT_EQ(trace, Trace{"got 7"});
}

ASYNC_TEST(AsyncQueue, the_next_is_served_when_one_is_cancelled) {
    const ThreadQueue<int> queue;
    Trace trace;
    auto first = create_task(get_one(queue.async_q(), trace, "first"));
    auto second = create_task(get_one(queue.async_q(), trace, "second"));
    co_await settle();
    first.cancel();
    queue.async_q().put_nowait(1);
    co_await first;
    co_await second;
    EXPECT_EQ(trace, (Trace{"first: CancelledError()", "second: 1"}));
}

ASYNC_TEST(AsyncQueue, can_be_given_a_time_limit) {
    const ThreadQueue<int> queue;
    auto late = co_await as_result(wait_for(queue.async_q().get(), 1));
    EXPECT_EQ(describe(late.error()), "TimeoutError()");
    queue.async_q().put_nowait(1);
    int item = co_await wait_for(queue.async_q().get(), 1);
    EXPECT_EQ(item, 1);
}

ASYNC_TEST(AsyncQueue, shut_down_ends_every_wait) {
    const ThreadQueue<int> queue(1);
    const ThreadQueue<int> other;
    Trace trace;
    queue.async_q().put_nowait(1);
    auto putter = create_task(put_one(queue.async_q(), 2, trace));
    auto getter = create_task(get_one(other.async_q(), trace, "getter"));
    co_await settle();

    queue.shutdown();
    other.shutdown();
    co_await putter;
    co_await getter;

    EXPECT_EQ(trace, (Trace{"put 2: QueueShutDown()", "getter: QueueShutDown()"}));
    int left = co_await queue.async_q().get();
    EXPECT_EQ(left, 1);
    auto after = co_await as_result(queue.async_q().get());
    EXPECT_EQ(describe(after.error()), "QueueShutDown()");
}

ASYNC_TEST(AsyncQueue, join_waits_for_every_item) {
    const ThreadQueue<int> queue;
    const auto side = queue.async_q();
    co_await side.join();
    side.put_nowait(1);
    auto joined = [](AsyncQueue<int> joining) -> Coroutine<> { co_await joining.join(); };
    auto task = create_task(joined(side));
    auto cancelled = create_task(joined(side));
    co_await settle();
    EXPECT_FALSE(task.done());
    cancelled.cancel();
    static_cast<void>(side.get_nowait());
    side.task_done();
    co_await task;
    auto result = co_await as_result(cancelled);
    EXPECT_TRUE(result.cancelled());
}

ASYNC_TEST(AsyncQueue, the_other_side_does_not_block_a_loop) {
    const ThreadQueue<int> queue(1);
    EXPECT_EQ(result_of([&] { queue.sync_q().get(); }),
              "RuntimeError('the synchronous side of a queue would block the event loop')");
    queue.sync_q().put(1);
    EXPECT_EQ(result_of([&] { queue.sync_q().put(2); }),
              "RuntimeError('the synchronous side of a queue would block the event loop')");
    EXPECT_EQ(queue.sync_q().get(), 1);
    co_return;
}

// What was handed to a task that will never run goes to whoever asks next.
TEST(AsyncQueue, gets_back_what_a_task_got_whose_loop_is_closed) {
    for (const char* proactor : testing::proactors) {
        SCOPED_TRACE(proactor);
        const ThreadQueue<int> queue;
        Trace trace;
        {
            const std::unique_ptr<EventLoop> loop = new_event_loop(proactor);
            loop->set_exception_handler([](EventLoop&, const ExceptionContext&) {});
            const auto first = loop->create_task(get_one(queue.async_q(), trace, "first"));
            const auto second = loop->create_task(get_one(queue.async_q(), trace, "second"));
            loop->run_until_complete(sleep(0));
            loop->run_until_complete(sleep(0));
            queue.sync_q().put(1);
            queue.sync_q().put(2);
            EXPECT_TRUE(queue.sync_q().empty());
        }
        EXPECT_EQ(trace, Trace{});
        EXPECT_EQ(queue.sync_q().qsize(), 2U);
        EXPECT_EQ(queue.sync_q().get() + queue.sync_q().get(), 3);
    }
}

// ------------------------------------------------------------------------- threads and tasks

ASYNC_TEST(ThreadQueue, brings_items_from_a_thread_to_tasks) {
    const ThreadQueue<int> queue(3);
    auto produce = [side = queue.sync_q()] {
        for (int item = 0; item < 100; ++item) {
            side.put(item);
        }
        side.shutdown();
    };
    auto producing = create_task(to_thread(produce));
    std::vector<int> items;
    for (;;) {
        auto item = co_await as_result(queue.async_q().get());
        if (!item.has_value()) {
            EXPECT_EQ(describe(item.error()), "QueueShutDown()");
            break;
        }
        items.push_back(item.value());
    }
    co_await producing;
    EXPECT_EQ(items.size(), 100U);
    EXPECT_TRUE(std::is_sorted(items.begin(), items.end()));
}

ASYNC_TEST(ThreadQueue, brings_items_from_tasks_to_a_thread) {
    const ThreadQueue<std::unique_ptr<int>> queue(3);
    auto consume = [side = queue.sync_q()] {
        int sum = 0;
        for (int item = 0; item < 100; ++item) {
            sum += *side.get();
            side.task_done();
        }
        return sum;
    };
    auto consuming = create_task(to_thread(consume));
    for (int item = 0; item < 100; ++item) {
        co_await queue.async_q().put(std::make_unique<int>(item));
    }
    co_await queue.async_q().join();
    const int sum = co_await consuming;
    EXPECT_EQ(sum, 4950);
}

ASYNC_TEST(ThreadQueue, its_sides_outlive_it) {
    std::unique_ptr<ThreadQueue<int>> queue = std::make_unique<ThreadQueue<int>>();
    const auto sync = queue->sync_q();
    const auto async = queue->async_q();
    EXPECT_TRUE(sync == queue->sync_q());
    queue.reset();
    sync.put(4);
    int item = co_await async.get();
    EXPECT_EQ(item, 4);
}

}  // namespace

}  // namespace asyncio
