// queues_test.cpp - Queue, PriorityQueue, LifoQueue: order, waiting, cancellation, shutdown.
//
// SPDX-License-Identifier: MIT
#include <asyncio/queues.hpp>

#include <asyncio/taskgroups.hpp>
#include <asyncio/tasks.hpp>

#include "support/async_test.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <numeric>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

// At 1 the next one fails, at 2 the one after it; 0: none.
thread_local int allocations_until_failure = 0;

}  // namespace

// For the whole program, so that a test can make an allocation fail. Where g++ inlines only one of
// a pair it takes them for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
    if (allocations_until_failure > 0 && --allocations_until_failure == 0) {
        throw std::bad_alloc();
    }
    if (void* const block = std::malloc(size != 0 ? size : 1)) {
        return block;
    }
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* block) noexcept {
    std::free(block);
}
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept {
    std::free(block);
}

namespace asyncio {

namespace {

using Names = std::vector<std::string>;
using Numbers = std::vector<int>;

template <class T>
std::string error_of(const Result<T>& result) {
    return describe(result.error());
}

/// Awaits the end, whatever it is.
template <class A>
Coroutine<> ended(A awaitable) {
    const auto result = co_await as_result(std::move(awaitable));
    static_cast<void>(result);
}
template <class Fn>
std::string error_of_call(Fn fn) {
    return error_of(Result<>::of([&] { static_cast<void>(fn()); }));
}

template <class T>
Names fates_of(const std::vector<Task<T>>& tasks) {
    Names fates;
    for (const Task<T>& task : tasks) {
        if (!task.done()) {
            fates.push_back("waits");
        } else if (task.cancelled()) {
            fates.push_back("cancelled");
        } else {
            fates.push_back("done");
        }
    }
    return fates;
}

// -------------------------------------------------------------------------------------- basics

ASYNC_TEST(Queue, gives_the_oldest_item_first) {
    Queue<int> queue;
    EXPECT_TRUE(queue.empty());
    for (const int item : {1, 3, 2}) {
        co_await queue.put(item);
    }
    EXPECT_EQ(queue.qsize(), 3U);
    EXPECT_FALSE(queue.empty());

    Numbers items;
    for (int i = 0; i < 3; ++i) {
        const int item = co_await queue.get();
        items.push_back(item);
    }

    EXPECT_EQ(items, (Numbers{1, 3, 2}));
    EXPECT_TRUE(queue.empty());
}

ASYNC_TEST(LifoQueue, gives_the_youngest_item_first) {
    LifoQueue<int> queue;
    for (const int item : {1, 3, 2}) {
        co_await queue.put(item);
    }

    Numbers items;
    for (int i = 0; i < 3; ++i) {
        const int item = co_await queue.get();
        items.push_back(item);
    }

    EXPECT_EQ(items, (Numbers{2, 3, 1}));
}

ASYNC_TEST(PriorityQueue, gives_the_smallest_item_first) {
    PriorityQueue<int> queue;
    for (const int item : {1, 3, 2}) {
        co_await queue.put(item);
    }

    Numbers items;
    for (int i = 0; i < 3; ++i) {
        const int item = co_await queue.get();
        items.push_back(item);
    }

    EXPECT_EQ(items, (Numbers{1, 2, 3}));
}

struct Job {
    int priority;
    int number;
    bool operator<(const Job& other) const { return priority < other.priority; }
};

// Of jobs of one priority none is smaller: their order is that of Python's heapq. What is expected
// here was printed by asyncio.PriorityQueue.
TEST(PriorityQueue, gives_equal_items_in_the_order_in_which_Python_does) {
    PriorityQueue<Job> queue;
    Numbers got;
    for (int number = 0; number < 20; ++number) {
        queue.put_nowait(Job{number * 7 % 4, number});
        if (number % 5 == 4) {
            got.push_back(queue.get_nowait().number);
        }
    }
    while (!queue.empty()) {
        got.push_back(queue.get_nowait().number);
    }

    EXPECT_EQ(got, (Numbers{0, 4, 8, 12, 16, 7, 15, 3, 11, 19, 2, 18, 6, 14, 10, 13, 5, 1, 17, 9}));
}

TEST(PriorityQueue, sorts_any_number_of_items) {
    PriorityQueue<unsigned> queue;
    std::vector<unsigned> items;
    unsigned random = 1;
    for (int i = 0; i < 1000; ++i) {
        random = random * 1103515245U + 12345U;
        items.push_back(random >> 16U);
        queue.put_nowait(items.back());
    }

    std::vector<unsigned> got;
    while (!queue.empty()) {
        got.push_back(queue.get_nowait());
    }

    std::sort(items.begin(), items.end());
    EXPECT_EQ(got, items);
}

TEST(Queue, keeps_the_order_while_it_grows_and_goes_round) {
    Queue<std::string> queue;
    int put = 0;
    int got = 0;
    for (int round = 0; round < 50; ++round) {
        for (int i = 0; i < round % 13; ++i) {
            queue.put_nowait(std::string(40, 'x') + std::to_string(put++));
        }
        for (int i = 0; i < round % 7 && !queue.empty(); ++i) {
            EXPECT_EQ(queue.get_nowait(), std::string(40, 'x') + std::to_string(got++));
        }
    }
    while (!queue.empty()) {
        EXPECT_EQ(queue.get_nowait(), std::string(40, 'x') + std::to_string(got++));
    }
    EXPECT_EQ(got, put);
}

TEST(Queue, destroys_what_is_left_in_it) {
    auto item = std::make_shared<int>(1);
    {
        Queue<std::shared_ptr<int>> queue;
        PriorityQueue<std::shared_ptr<int>> sorted;
        LifoQueue<std::shared_ptr<int>> stack;
        for (int i = 0; i < 5; ++i) {
            queue.put_nowait(item);
            sorted.put_nowait(item);
            stack.put_nowait(item);
        }
        static_cast<void>(queue.get_nowait());
        EXPECT_EQ(item.use_count(), 15);
    }
    EXPECT_EQ(item.use_count(), 1);
}

ASYNC_TEST(Queue, takes_what_can_only_be_moved) {
    Queue<std::unique_ptr<int>> queue(1);
    co_await queue.put(std::make_unique<int>(1));
    auto second = create_task(queue.put(std::make_unique<int>(2)));
    co_await testing::settle();

    const auto one = co_await queue.get();
    co_await second;
    auto two = create_task(queue.get());
    const auto got = co_await two;

    EXPECT_EQ(*one, 1);
    EXPECT_EQ(*got, 2);
    PriorityQueue<std::unique_ptr<int>> sorted;
    sorted.put_nowait(nullptr);
    LifoQueue<std::unique_ptr<int>> stack;
    stack.put_nowait(nullptr);
    EXPECT_EQ(sorted.get_nowait(), stack.get_nowait());
}

struct alignas(64) Wide {
    explicit Wide(int number) : value(number) {}
    Wide(Wide&& other) noexcept : value(other.value) {}
    int value;
};

TEST(Queue, takes_over_aligned_items) {
    Queue<Wide> queue;
    for (int i = 0; i < 9; ++i) {
        queue.put_nowait(Wide(i));
    }
    for (int i = 0; i < 9; ++i) {
        const Wide wide = queue.get_nowait();
        EXPECT_EQ(wide.value, i);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&wide) % 64, 0U);
    }
}

TEST(Queue, is_full_with_maxsize_items_and_never_without) {
    Queue<int> bounded(2);
    EXPECT_EQ(bounded.maxsize(), 2);
    bounded.put_nowait(1);
    EXPECT_FALSE(bounded.full());
    bounded.put_nowait(2);
    EXPECT_TRUE(bounded.full());
    EXPECT_EQ(error_of(Result<>::of([&] { bounded.put_nowait(3); })), "QueueFull()");
    EXPECT_EQ(bounded.qsize(), 2U);

    for (const int maxsize : {0, -1}) {
        Queue<int> unbounded(maxsize);
        EXPECT_EQ(unbounded.maxsize(), maxsize);
        for (int i = 0; i < 100; ++i) {
            unbounded.put_nowait(i);
        }
        EXPECT_FALSE(unbounded.full());
    }
}

TEST(Queue, get_nowait_of_an_empty_one_throws) {
    Queue<int> queue;
    queue.put_nowait(1);
    EXPECT_EQ(queue.get_nowait(), 1);

    EXPECT_EQ(error_of_call([&] { return queue.get_nowait(); }), "QueueEmpty()");
}

ASYNC_TEST(Queue, takes_no_turn_when_nobody_has_to_wait) {
    Queue<int> queue(1);
    bool others_ran = false;
    get_running_loop().call_soon([&] { others_ran = true; });

    co_await queue.put(1);
    const int item = co_await queue.get();
    queue.task_done();
    co_await queue.join();

    EXPECT_EQ(item, 1);
    EXPECT_FALSE(others_ran);
}

// ------------------------------------------------------------------------------------- waiting

ASYNC_TEST(Queue, put_waits_while_it_is_full) {
    Queue<int> queue(2);
    Numbers put;
    auto putter = create_task(
        [](Queue<int>& queue, Numbers& put) -> Coroutine<> {
            for (int i = 0; i < 3; ++i) {
                co_await queue.put(i);
                put.push_back(i);
            }
        },
        std::ref(queue), std::ref(put));
    co_await sleep(0);
    co_await sleep(0);
    EXPECT_EQ(put, (Numbers{0, 1}));

    const int first = co_await queue.get();
    EXPECT_EQ(first, 0);
    co_await sleep(0);
    EXPECT_EQ(put, (Numbers{0, 1, 2}));
    EXPECT_EQ(queue.get_nowait(), 1);
    EXPECT_EQ(queue.get_nowait(), 2);
    EXPECT_TRUE(putter.done());
}

ASYNC_TEST(Queue, get_waits_while_it_is_empty) {
    Queue<int> queue;
    auto getter = create_task(queue.get());
    co_await testing::settle();
    EXPECT_FALSE(getter.done());

    get_running_loop().call_later(0.01, [&] { queue.put_nowait(1); });
    const int item = co_await getter;

    EXPECT_EQ(item, 1);
}

ASYNC_TEST(Queue, wakes_getters_in_order_of_arrival) {
    Queue<int> queue;
    std::vector<Task<int>> getters;
    for (int i = 0; i < 3; ++i) {
        getters.push_back(create_task(queue.get()));
    }
    co_await sleep(0);

    for (int i = 0; i < 3; ++i) {
        queue.put_nowait(i);
    }
    const auto items = co_await gather(getters);

    EXPECT_EQ(items, (Numbers{0, 1, 2}));
}

ASYNC_TEST(Queue, wakes_putters_in_order_of_arrival) {
    Queue<std::string> queue(1);
    auto a = create_task(queue.put("a"));
    auto b = create_task(queue.put("b"));
    auto c = create_task(queue.put("c"));

    Names items;
    for (int i = 0; i < 3; ++i) {
        const std::string item = co_await queue.get();
        items.push_back(item);
    }

    EXPECT_EQ(items, (Names{"a", "b", "c"}));
    EXPECT_TRUE(a.done() && b.done() && c.done());
}

ASYNC_TEST(Queue, of_one_passes_any_number_of_items) {
    Queue<int> queue(1);
    Numbers got;

    co_await task_group([&](TaskGroup& group) {
        group.create_task(
            [](Queue<int>& queue) -> Coroutine<> {
                for (int i = 0; i < 100; ++i) {
                    co_await queue.put(i);
                }
            },
            std::ref(queue));
        group.create_task(
            [](Queue<int>& queue, Numbers& got) -> Coroutine<> {
                for (int i = 0; i < 100; ++i) {
                    const int item = co_await queue.get();
                    got.push_back(item);
                }
            },
            std::ref(queue), std::ref(got));
    });

    Numbers expected(100);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(got, expected);
}

ASYNC_TEST(Queue, emptied_at_once_wakes_a_putter_for_each_item) {
    Queue<int> queue(2);
    std::vector<Task<>> putters;
    for (int i = 0; i < 4; ++i) {
        putters.push_back(create_task(queue.put(i)));
    }
    co_await testing::settle();
    EXPECT_EQ(fates_of(putters), (Names{"done", "done", "waits", "waits"}));

    EXPECT_EQ(queue.get_nowait(), 0);
    EXPECT_EQ(queue.get_nowait(), 1);
    co_await testing::settle();

    EXPECT_EQ(fates_of(putters), (Names{"done", "done", "done", "done"}));
    EXPECT_TRUE(queue.full());
}

ASYNC_TEST(Queue, gives_an_item_to_whoever_runs_first_and_the_other_waits_again) {
    Queue<std::string> queue;
    auto first = create_task(queue.get());
    auto second = create_task(queue.get());
    co_await testing::settle();

    queue.put_nowait("stolen");  // wakes `first` ...
    EXPECT_EQ(queue.get_nowait(), "stolen");
    co_await testing::settle();
    EXPECT_FALSE(first.done());  // ... which waits again, now behind `second`

    queue.put_nowait("x");
    co_await testing::settle();
    EXPECT_EQ(second.result(), "x");
    EXPECT_FALSE(first.done());
    queue.put_nowait("y");
    co_await testing::settle();
    EXPECT_EQ(first.result(), "y");
}

ASYNC_TEST(Queue, gives_room_to_whoever_runs_first_and_the_other_waits_again) {
    Queue<int> queue(1);
    queue.put_nowait(0);
    auto first = create_task(queue.put(1));
    auto second = create_task(queue.put(2));
    co_await testing::settle();

    EXPECT_EQ(queue.get_nowait(), 0);  // wakes `first` ...
    queue.put_nowait(9);
    co_await testing::settle();
    EXPECT_FALSE(first.done());  // ... which waits again, now behind `second`

    EXPECT_EQ(queue.get_nowait(), 9);
    co_await testing::settle();
    EXPECT_TRUE(second.done());
    EXPECT_EQ(queue.get_nowait(), 2);
    co_await testing::settle();
    EXPECT_EQ(queue.get_nowait(), 1);
}

// -------------------------------------------------------------------------------- cancellation

ASYNC_TEST(Queue, forgets_a_getter_that_is_cancelled) {
    Queue<std::string> queue;
    auto first = create_task(queue.get());
    auto second = create_task(queue.get());
    co_await sleep(0);

    first.cancel("enough");
    co_await sleep(0);
    EXPECT_TRUE(first.done());
    co_await queue.put("a");
    const std::string item = co_await second;

    EXPECT_EQ(item, "a");
    const auto result = co_await as_result(first);
    EXPECT_EQ(error_of(result), "CancelledError('enough')");
}

ASYNC_TEST(Queue, keeps_the_item_for_which_a_cancelled_getter_had_been_woken) {
    Queue<int> queue;
    auto reader = create_task(queue.get());
    co_await sleep(0);

    queue.put_nowait(1);
    queue.put_nowait(2);
    reader.cancel();
    co_await ended(reader);

    EXPECT_TRUE(reader.cancelled());
    EXPECT_EQ(queue.qsize(), 2U);
    EXPECT_EQ(queue.get_nowait(), 1);
}

ASYNC_TEST(Queue, wakes_the_next_getter_when_the_woken_one_is_cancelled) {
    Queue<int> queue;
    std::vector<Task<int>> getters;
    for (int i = 0; i < 3; ++i) {
        getters.push_back(create_task(queue.get()));
    }
    co_await sleep(0);

    queue.put_nowait(1);
    queue.put_nowait(2);
    getters[0].cancel();
    co_await testing::settle();

    EXPECT_EQ(fates_of(getters), (Names{"cancelled", "done", "done"}));
    EXPECT_EQ(getters[1].result(), 1);
    EXPECT_EQ(getters[2].result(), 2);
}

ASYNC_TEST(Queue, takes_a_woken_getter_back_whose_cancellation_was_taken_back) {
    Queue<int> queue;
    auto getter = create_task(queue.get());
    co_await testing::settle();

    queue.put_nowait(1);
    getter.cancel();
    getter.uncancel();
    EXPECT_EQ(queue.get_nowait(), 1);
    co_await testing::settle();
    EXPECT_FALSE(getter.done());  // as if nothing had been: it waits again

    queue.put_nowait(2);
    const int item = co_await getter;
    EXPECT_EQ(item, 2);
}

ASYNC_TEST(Queue, cancels_a_woken_getter_that_would_have_to_wait_again) {
    Queue<int> queue;
    auto getter = create_task(queue.get());
    co_await testing::settle();

    queue.put_nowait(1);
    getter.cancel("enough");
    EXPECT_EQ(queue.get_nowait(), 1);
    const auto result = co_await as_result(getter);

    EXPECT_EQ(error_of(result), "CancelledError('enough')");
}

ASYNC_TEST(Queue, puts_nothing_in_for_a_putter_that_is_cancelled) {
    Queue<std::string> queue(1);
    auto a = create_task(queue.put("a"));
    auto b = create_task(queue.put("b"));
    auto c = create_task(queue.put("c"));
    co_await sleep(0);
    EXPECT_TRUE(a.done());

    c.cancel();
    co_await sleep(0);
    EXPECT_TRUE(c.cancelled());
    EXPECT_EQ(queue.get_nowait(), "a");
    co_await sleep(0);
    EXPECT_EQ(queue.get_nowait(), "b");
    EXPECT_TRUE(b.done());
    EXPECT_TRUE(queue.empty());
}

ASYNC_TEST(Queue, wakes_the_next_putter_when_the_woken_one_is_cancelled) {
    Queue<int> queue(1);
    queue.put_nowait(0);
    auto first = create_task(queue.put(1));
    auto second = create_task(queue.put(2));
    co_await sleep(0);

    EXPECT_EQ(queue.get_nowait(), 0);
    first.cancel();
    co_await testing::settle();

    EXPECT_TRUE(first.cancelled());
    EXPECT_TRUE(second.done());
    EXPECT_EQ(queue.get_nowait(), 2);
    EXPECT_TRUE(queue.empty());
}

// Each of three getters may be cancelled before or after the items come, or twice.
ASYNC_TEST(Queue, loses_no_item_and_no_getter_however_they_are_cancelled) {
    constexpr int ways = 5;  // not at all, before, after, both, twice after
    for (int code = 0; code < ways * ways * ways; ++code) {
        const int way[] = {code % ways, code / ways % ways, code / ways / ways};
        for (int items = 1; items <= 3; ++items) {
            Queue<int> queue;
            std::vector<Task<int>> getters;
            for (int i = 0; i < 3; ++i) {
                getters.push_back(create_task(queue.get()));
            }
            co_await testing::settle();

            for (int i = 0; i < 3; ++i) {
                if (way[i] == 1 || way[i] == 3) {
                    getters[i].cancel();
                }
            }
            for (int i = 0; i < items; ++i) {
                queue.put_nowait(i);
            }
            for (int i = 0; i < 3; ++i) {
                if (way[i] >= 2) {
                    getters[i].cancel();
                }
                if (way[i] == 4) {
                    getters[i].cancel();
                }
            }
            co_await testing::settle();

            int next = 0;  // the item that is due
            for (int i = 0; i < 3; ++i) {
                EXPECT_EQ(getters[i].cancelled(), way[i] != 0);
                if (way[i] == 0 && next < items) {
                    EXPECT_TRUE(getters[i].done());
                    EXPECT_EQ(getters[i].result(), next++);
                }
            }
            EXPECT_EQ(queue.qsize(), static_cast<std::size_t>(items - next));
            queue.shutdown(true);
            co_await ended(gather(return_exceptions, getters));
        }
    }
}

ASYNC_TEST(Queue, get_and_put_can_time_out) {
    Queue<int> queue(1);

    const auto get = co_await as_result(wait_for(queue.get(), 0.1));
    queue.put_nowait(1);
    const auto put = co_await as_result(wait_for(queue.put(2), 0.1));

    EXPECT_EQ(error_of(get), "TimeoutError()");
    EXPECT_EQ(error_of(put), "TimeoutError()");
    EXPECT_EQ(queue.get_nowait(), 1);
    EXPECT_TRUE(queue.empty());
}

ASYNC_TEST(Queue, get_and_put_go_wherever_an_awaitable_goes) {
    Queue<int> queue(1);

    auto [nothing, item] = co_await gather(queue.put(1), queue.get());
    static_cast<void>(nothing);
    const auto put = co_await as_result(queue.put(2));
    const auto got = co_await as_result(queue.get());
    queue.task_done();
    queue.task_done();
    const auto joined = co_await as_result(queue.join());

    EXPECT_EQ(item, 1);
    EXPECT_TRUE(put.has_value() && joined.has_value());
    EXPECT_EQ(got.value(), 2);
}

// --------------------------------------------------------------------- task_done() and join()

template <class Q>
Coroutine<> check_join() {
    Q queue;
    co_await queue.join();  // nothing to wait for
    co_await queue.join();
    for (int i = 0; i < 100; ++i) {
        queue.put_nowait(i);
    }
    int sum = 0;
    bool more = true;

    std::vector<Task<>> workers;
    for (int i = 0; i < 2; ++i) {
        workers.push_back(create_task(
            [](Q& queue, int& sum, bool& more) -> Coroutine<> {
                while (more) {
                    const int item = co_await queue.get();
                    sum += item;
                    co_await sleep(0.001);
                    queue.task_done();
                }
            },
            std::ref(queue), std::ref(sum), std::ref(more)));
    }
    co_await queue.join();

    EXPECT_EQ(sum, 99 * 100 / 2);
    more = false;
    queue.put_nowait(0);
    queue.put_nowait(0);
    co_await gather(workers);
    EXPECT_EQ(error_of(Result<>::of([&] { queue.task_done(); })),
              "ValueError('task_done() called too many times')");
}

ASYNC_TEST(Queue, join_waits_until_every_item_is_done) {
    co_await check_join<Queue<int>>();
}
ASYNC_TEST(PriorityQueue, join_waits_until_every_item_is_done) {
    co_await check_join<PriorityQueue<int>>();
}
ASYNC_TEST(LifoQueue, join_waits_until_every_item_is_done) {
    co_await check_join<LifoQueue<int>>();
}

ASYNC_TEST(Queue, join_can_be_cancelled) {
    Queue<int> queue;
    queue.put_nowait(1);

    const auto result = co_await as_result(wait_for(queue.join(), 1));

    EXPECT_EQ(error_of(result), "TimeoutError()");
    EXPECT_EQ(queue.qsize(), 1U);
}

// ----------------------------------------------------------------------------------- shutdown()

template <class Q>
Coroutine<> expect_shut_down(Q& queue) {
    const auto put = co_await as_result(queue.put("x"));
    const auto get = co_await as_result(queue.get());

    EXPECT_EQ(error_of(put), "QueueShutDown()");
    EXPECT_EQ(error_of(get), "QueueShutDown()");
    EXPECT_EQ(error_of(Result<>::of([&] { queue.put_nowait("x"); })), "QueueShutDown()");
    EXPECT_EQ(error_of_call([&] { return queue.get_nowait(); }), "QueueShutDown()");
}

template <class Q>
Coroutine<> check_shutdown_empty() {
    Q queue;
    auto get = create_task(queue.get());
    co_await sleep(0);

    queue.shutdown();
    EXPECT_EQ(queue.qsize(), 0U);
    co_await queue.join();
    co_await sleep(0);

    EXPECT_TRUE(get.done());
    const auto result = co_await as_result(get);
    EXPECT_EQ(error_of(result), "QueueShutDown()");
    co_await expect_shut_down(queue);
}

template <class Q>
Coroutine<> check_shutdown_nonempty() {
    Q queue(1);
    queue.put_nowait("data");
    auto join = create_task(queue.join());
    auto put = create_task(queue.put("data2"));
    co_await sleep(0);
    EXPECT_FALSE(put.done());

    queue.shutdown();
    EXPECT_EQ(queue.qsize(), 1U);
    co_await sleep(0);
    EXPECT_TRUE(put.done());
    const auto result = co_await as_result(put);
    EXPECT_EQ(error_of(result), "QueueShutDown()");

    const std::string item = co_await queue.get();
    EXPECT_EQ(item, "data");
    co_await sleep(0);
    EXPECT_FALSE(join.done());
    co_await expect_shut_down(queue);

    queue.task_done();
    co_await sleep(0);
    EXPECT_TRUE(join.done());
    EXPECT_EQ(error_of(Result<>::of([&] { queue.task_done(); })),
              "ValueError('task_done() called too many times')");
}

template <class Q>
Coroutine<> check_shutdown_immediate() {
    Q queue;
    queue.put_nowait("data");
    auto join = create_task(queue.join());

    queue.shutdown(true);
    EXPECT_EQ(queue.qsize(), 0U);
    co_await sleep(0);
    EXPECT_TRUE(join.done());
    co_await expect_shut_down(queue);
    EXPECT_EQ(error_of(Result<>::of([&] { queue.task_done(); })),
              "ValueError('task_done() called too many times')");
}

template <class Q>
Coroutine<> check_shutdown_immediate_with_unfinished() {
    Q queue;
    queue.put_nowait("data");
    queue.put_nowait("data");
    auto join = create_task(queue.join());
    const std::string item = co_await queue.get();
    EXPECT_EQ(item, "data");

    queue.shutdown(true);
    EXPECT_EQ(queue.qsize(), 0U);
    co_await sleep(0);
    EXPECT_FALSE(join.done());
    co_await expect_shut_down(queue);

    queue.task_done();
    EXPECT_EQ(error_of(Result<>::of([&] { queue.task_done(); })),
              "ValueError('task_done() called too many times')");
    co_await sleep(0);
    EXPECT_TRUE(join.done());
}

template <class Q>
Coroutine<> check_shutdown() {
    co_await check_shutdown_empty<Q>();
    co_await check_shutdown_nonempty<Q>();
    co_await check_shutdown_immediate<Q>();
    co_await check_shutdown_immediate_with_unfinished<Q>();
}

ASYNC_TEST(Queue, shutdown_ends_put_at_once_and_get_when_it_is_empty) {
    co_await check_shutdown<Queue<std::string>>();
}
ASYNC_TEST(PriorityQueue, shutdown_ends_put_at_once_and_get_when_it_is_empty) {
    co_await check_shutdown<PriorityQueue<std::string>>();
}
ASYNC_TEST(LifoQueue, shutdown_ends_put_at_once_and_get_when_it_is_empty) {
    co_await check_shutdown<LifoQueue<std::string>>();
}

ASYNC_TEST(Queue, shutdown_wakes_all_who_wait) {
    Queue<int> full(1);
    Queue<int> empty;
    full.put_nowait(0);
    std::vector<Task<>> putters;
    std::vector<Task<int>> getters;
    for (int i = 0; i < 3; ++i) {
        putters.push_back(create_task(full.put(i)));
        getters.push_back(create_task(empty.get()));
    }
    co_await testing::settle();

    full.shutdown();
    empty.shutdown();
    const auto put = co_await gather(return_exceptions, putters);
    const auto got = co_await gather(return_exceptions, getters);

    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(error_of(put[i]), "QueueShutDown()");
        EXPECT_EQ(error_of(got[i]), "QueueShutDown()");
    }
    EXPECT_EQ(full.get_nowait(), 0);
}

// ------------------------------------------------------------------------------ what may throw

/// Throws when it is moved, copied or compared, once, after as many steps as `fuse` says.
struct Fragile {
    explicit Fragile(int number) : value(number) {}
    Fragile(Fragile&& other) noexcept(false) : value(other.value) { step(); }
    Fragile& operator=(Fragile&& other) noexcept(false) {
        step();
        value = other.value;
        return *this;
    }
    ~Fragile() = default;
    bool operator<(const Fragile& other) const {
        step();
        return value < other.value;
    }

    static void step() {
        if (fuse > 0 && --fuse == 0) {
            throw RuntimeError("fragile");
        }
    }
    static inline int fuse = 0;

    int value;
};

/// The same, but copyable, so that a container might prefer to copy it.
struct FragileCopy : Fragile {
    using Fragile::Fragile;
    FragileCopy(FragileCopy&&) = default;
    FragileCopy(const FragileCopy& other) : Fragile(other.value) { step(); }
    FragileCopy& operator=(FragileCopy&&) = default;
    FragileCopy& operator=(const FragileCopy& other) {
        step();
        value = other.value;
        return *this;
    }
    ~FragileCopy() = default;
};

/// Moved without fail, but not compared.
struct FragileOrder {
    explicit FragileOrder(int number) : value(number) {}
    bool operator<(const FragileOrder& other) const {
        Fragile::step();
        return value < other.value;
    }
    int value;
};

/// What is in `queue` in the order in which it gives it, and is as unfinished as it is long.
template <class Q>
Numbers drained(Q& queue) {
    Numbers items;
    EXPECT_LE(queue.qsize(), 100U);
    while (!queue.empty() && items.size() < 100) {
        items.push_back(queue.get_nowait().value);
        queue.task_done();
    }
    EXPECT_EQ(error_of_call([&] { queue.task_done(); }),
              "ValueError('task_done() called too many times')");
    return items;
}

template <class Q>
void fill(Q& queue, int count) {
    for (int i = 0; i < count; ++i) {
        queue.put_nowait(typename Q::value_type(i * 7 % 10));
    }
}

/// Lets each step of a put and of a get fail in turn, in queues of all lengths up to 10: what fails
/// must have changed nothing.
template <class Q>
void check_what_fails_changes_nothing(int& steps_until_failure) {
    int failures = 0;
    for (int count = 0; count <= 10; ++count) {
        Q before;
        fill(before, count);
        const Numbers items = drained(before);
        bool failed = true;
        for (int step = 1; failed; ++step) {
            Q queue;
            fill(queue, count);
            steps_until_failure = step;
            try {
                queue.put_nowait(typename Q::value_type(100));
                failed = false;
            } catch (...) {
                ++failures;
            }
            steps_until_failure = 0;
            EXPECT_EQ(queue.qsize(), items.size() + (failed ? 0 : 1));
            if (failed) {
                EXPECT_EQ(drained(queue), items);
            }
        }
        failed = count > 0;
        for (int step = 1; failed; ++step) {
            Q queue;
            fill(queue, count);
            steps_until_failure = step;
            try {
                static_cast<void>(queue.get_nowait());
                failed = false;
            } catch (...) {
                ++failures;
            }
            steps_until_failure = 0;
            EXPECT_EQ(queue.qsize(), items.size() - (failed ? 0 : 1));
            if (failed) {
                EXPECT_EQ(drained(queue), items);
            }
        }
    }
    EXPECT_GT(failures, 0);
}

TEST(Queue, loses_nothing_when_an_item_cannot_be_moved) {
    check_what_fails_changes_nothing<Queue<Fragile>>(Fragile::fuse);
    check_what_fails_changes_nothing<Queue<FragileCopy>>(Fragile::fuse);
    check_what_fails_changes_nothing<LifoQueue<Fragile>>(Fragile::fuse);
    check_what_fails_changes_nothing<LifoQueue<FragileCopy>>(Fragile::fuse);
}

TEST(PriorityQueue, loses_nothing_when_items_cannot_be_moved_or_compared) {
    check_what_fails_changes_nothing<PriorityQueue<Fragile>>(Fragile::fuse);
    check_what_fails_changes_nothing<PriorityQueue<FragileCopy>>(Fragile::fuse);
    check_what_fails_changes_nothing<PriorityQueue<FragileOrder>>(Fragile::fuse);
}

TEST(Queue, loses_nothing_when_there_is_no_memory) {
    const auto check = []<class Q>(std::type_identity<Q>) {
        Q queue;
        Numbers expected;
        int failures = 0;
        for (int i = 0; i < 40; ++i) {
            allocations_until_failure = 1;
            const auto result = Result<>::of([&] { queue.put_nowait(FragileOrder(i)); });
            allocations_until_failure = 0;
            if (result.has_value()) {
                expected.push_back(i);
            } else {
                ++failures;
                EXPECT_EQ(queue.qsize(), expected.size());
                queue.put_nowait(FragileOrder(i));
                expected.push_back(i);
            }
        }
        Numbers items = drained(queue);
        std::sort(items.begin(), items.end());
        EXPECT_EQ(items, expected);
        EXPECT_GT(failures, 2);
    };
    check(std::type_identity<Queue<FragileOrder>>());
    check(std::type_identity<PriorityQueue<FragileOrder>>());
    check(std::type_identity<LifoQueue<FragileOrder>>());
}

ASYNC_TEST(Queue, wakes_the_next_getter_when_the_item_cannot_be_moved_to_the_first) {
    Queue<Fragile> queue;
    auto first = create_task(queue.get());
    auto second = create_task(queue.get());
    co_await testing::settle();

    queue.put_nowait(Fragile(1));
    Fragile::fuse = 1;
    co_await testing::settle();

    const auto failed = co_await as_result(first);
    EXPECT_EQ(error_of(failed), "RuntimeError('fragile')");
    EXPECT_TRUE(second.done());
    EXPECT_TRUE(queue.empty());
}

ASYNC_TEST(Queue, wakes_the_next_putter_when_the_item_of_the_first_cannot_be_moved) {
    Queue<Fragile> queue(1);
    queue.put_nowait(Fragile(0));
    auto first = create_task(queue.put(Fragile(1)));
    auto second = create_task(queue.put(Fragile(2)));
    co_await testing::settle();

    static_cast<void>(queue.get_nowait());
    Fragile::fuse = 1;
    co_await testing::settle();

    const auto failed = co_await as_result(first);
    EXPECT_EQ(error_of(failed), "RuntimeError('fragile')");
    EXPECT_TRUE(second.done());
    EXPECT_EQ(queue.get_nowait().value, 2);
}

// ------------------------------------------------------------------------------------ lifetimes

ASYNC_TEST(Queue, destroyed_leaves_those_who_wait_to_be_cancelled) {
    auto queue = std::make_unique<Queue<int>>();
    auto woken = create_task(queue->get());
    auto cancelled = create_task(queue->get());
    auto woken_and_cancelled = create_task(queue->get());
    auto parked = create_task(queue->get());
    co_await testing::settle();

    queue->put_nowait(1);
    cancelled.cancel();
    queue->put_nowait(2);
    woken_and_cancelled.cancel();
    queue.reset();
    co_await testing::settle();

    const auto result = co_await as_result(woken);
    EXPECT_EQ(error_of(result), "RuntimeError('destroyed while a task waited in it: queue get')");
    EXPECT_TRUE(cancelled.cancelled() && woken_and_cancelled.cancelled());
    EXPECT_FALSE(parked.done());
    parked.cancel();
    co_await testing::settle();
    EXPECT_TRUE(parked.cancelled());
}

// As a program whose workers wait for more when its main() returns, with the queue.
TEST(Queue, local_to_main_may_be_gone_when_run_cancels_the_workers) {
    const testing::VirtualClockScope clock;
    int done = 0;
    int cancelled = 0;
    run(
        [](int& done, int& cancelled) -> Coroutine<> {
            Queue<int> queue;
            Queue<int> full(1);
            full.put_nowait(0);
            for (int i = 0; i < 3; ++i) {
                create_task(
                    [](Queue<int>& queue, int& done, int& cancelled) -> Coroutine<> {
                        try {
                            while (true) {
                                co_await queue.get();
                                ++done;
                                queue.task_done();
                            }
                        } catch (const CancelledError&) {
                            ++cancelled;
                            throw;
                        }
                    },
                    std::ref(queue), std::ref(done), std::ref(cancelled));
            }
            create_task(full.put(1));
            create_task(full.join());
            for (int i = 0; i < 10; ++i) {
                co_await queue.put(i);
            }
            co_await queue.join();
        },
        std::ref(done), std::ref(cancelled));

    EXPECT_EQ(done, 10);
    EXPECT_EQ(cancelled, 3);
}

// An item whose destructor puts something into the same queue, while the loop destroys everything.
TEST(Queue, outlives_the_loop_or_is_outlived_by_it) {
    struct PutsBack {
        Queue<int>& queue;
        ~PutsBack() { queue.put_nowait(7); }
    };
    for (const bool queue_goes_first : {true, false}) {
        auto queue = std::make_unique<Queue<int>>();
        auto loop = new_event_loop();
        loop->set_exception_handler([](EventLoop&, const ExceptionContext&) {});
        loop->run_until_complete([](Queue<int>& queue, bool puts_back) -> Coroutine<> {
            create_task(queue.get());
            if (puts_back) {
                create_task(
                    [](Queue<int>& queue) -> Coroutine<> {
                        const PutsBack back{queue};
                        co_await queue.get();
                    },
                    std::ref(queue));
            }
            create_task(queue.get());
            create_task(queue.get());
            co_await testing::settle();
        }(*queue, !queue_goes_first));
        queue->put_nowait(1);  // the first is ready when the loop ends
        if (queue_goes_first) {
            queue.reset();
        }
        loop.reset();
        if (!queue_goes_first) {
            EXPECT_EQ(queue->qsize(), 2U);
        }
    }
}

TEST(Queue, belongs_to_the_loop_in_which_a_task_waited_first) {
    Queue<int> queue(1);
    auto first = new_event_loop();
    auto second = new_event_loop();
    const auto wait_a_little = [](Queue<int>& queue) -> Coroutine<> {
        co_await ended(wait_for(queue.get(), 0.001));
    };
    first->run_until_complete(wait_a_little(queue));

    const auto result = Result<>::of([&] { second->run_until_complete(queue.get()); });
    const std::string error = error_of(result);

    EXPECT_TRUE(error.starts_with("RuntimeError('<Queue at 0x")) << error;
    EXPECT_TRUE(error.ends_with(" maxsize=1> is bound to a different event loop')")) << error;
}

TEST(Queue, does_not_belong_to_a_loop_that_took_the_place_of_its_own) {
    Queue<int> queue;
    std::optional<EventLoop> loop(std::in_place);
    loop->run_until_complete(ended(wait_for(queue.get(), 0.001)));
    loop.reset();

    loop.emplace();  // at the same address
    const std::string error =
        error_of_call([&] { return loop->run_until_complete(wait_for(queue.get(), 0.001)); });

    EXPECT_TRUE(error.ends_with(" is bound to a different event loop')")) << error;
}

static_assert(!std::is_copy_constructible_v<Queue<int>> &&
              !std::is_move_constructible_v<Queue<int>>);

}  // namespace

}  // namespace asyncio
