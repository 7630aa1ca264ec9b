// locks_test.cpp - Lock, Event, Condition, Semaphore, BoundedSemaphore, Barrier: who is let in, in
// which turn, and what becomes of it when a task is cancelled.
//
// SPDX-License-Identifier: MIT
#include <asyncio/locks.hpp>

#include <asyncio/taskgroups.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/with.hpp>

#include "support/async_test.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio {

namespace {

using Names = std::vector<std::string>;
using Numbers = std::vector<int>;

Coroutine<> turns(int count) {
    for (int i = 0; i < count; ++i) {
        co_await sleep(0);
    }
}

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

/// Runs `main` on `loop`; what it throws, as Python's repr().
std::string run_on(EventLoop& loop, Coroutine<> main) {
    return error_of(Result<>::of([&] { loop.run_until_complete(std::move(main)); }));
}

// --------------------------------------------------------------------------------------- Lock

Coroutine<> take(Lock& lock, std::string name, Names& entered) {
    co_await lock.acquire();
    entered.push_back(std::move(name));
}

Coroutine<> enter(Lock& lock, std::string name, Names& entered) {
    const auto held = co_await lock.scoped();
    entered.push_back(std::move(name));
}

ASYNC_TEST(Lock, is_taken_without_a_turn_when_it_is_free) {
    Lock lock;
    bool others_ran = false;
    get_running_loop().call_soon([&] { others_ran = true; });

    const bool taken = co_await lock.acquire();

    EXPECT_TRUE(taken);
    EXPECT_TRUE(lock.locked());
    EXPECT_FALSE(others_ran);
    lock.release();
    EXPECT_FALSE(lock.locked());
}

ASYNC_TEST(Lock, goes_from_one_to_the_next_in_order_of_arrival_a_turn_each) {
    Lock lock;
    Names entered;
    co_await lock.acquire();
    auto first = create_task(take(lock, "first", entered));
    auto second = create_task(take(lock, "second", entered));
    co_await sleep(0);
    EXPECT_EQ(entered, Names{});

    lock.release();
    EXPECT_FALSE(lock.locked());
    co_await sleep(0);
    EXPECT_EQ(entered, Names{"first"});
    co_await sleep(0);
    EXPECT_EQ(entered, Names{"first"});

    auto third = create_task(take(lock, "third", entered));
    lock.release();
    co_await sleep(0);
    EXPECT_EQ(entered, (Names{"first", "second"}));

    lock.release();
    co_await sleep(0);
    EXPECT_EQ(entered, (Names{"first", "second", "third"}));
    EXPECT_TRUE(first.done() && second.done() && third.done());
}

ASYNC_TEST(Lock, lets_nobody_overtake_the_one_that_was_woken) {
    Lock lock;
    Names entered;
    co_await lock.acquire();
    auto waiter = create_task(enter(lock, "waiter", entered));
    co_await sleep(0);

    lock.release();
    EXPECT_FALSE(lock.locked());  // open, but it is the waiter's turn
    co_await lock.acquire();
    entered.push_back("main");

    EXPECT_EQ(entered, (Names{"waiter", "main"}));
    EXPECT_TRUE(waiter.done());
}

ASYNC_TEST(Lock, cannot_be_released_when_it_is_not_held) {
    Lock lock;

    const auto result = Result<>::of([&] { lock.release(); });

    EXPECT_EQ(error_of(result), "RuntimeError('Lock is not acquired.')");
    co_return;
}

ASYNC_TEST(Lock, is_not_taken_by_a_task_that_is_cancelled_while_it_waits) {
    Lock lock;
    co_await lock.acquire();
    auto waiter = create_task(lock.acquire());
    co_await sleep(0);

    waiter.cancel("enough");
    const auto result = co_await as_result(waiter);

    EXPECT_EQ(error_of(result), "CancelledError('enough')");
    lock.release();
    EXPECT_FALSE(lock.locked());
    co_await lock.acquire();  // nobody is in the way
    EXPECT_TRUE(lock.locked());
}

ASYNC_TEST(Lock, goes_to_the_next_when_the_first_is_cancelled_before_the_release) {
    Lock lock;
    Names entered;
    auto blocker = get_running_loop().create_future();
    auto holder = create_task(
        [](Lock& lock, Future<> blocker) -> Coroutine<> {
            const auto held = co_await lock.scoped();
            co_await blocker;
        },
        std::ref(lock), blocker);
    co_await sleep(0);
    auto first = create_task(enter(lock, "first", entered));
    auto second = create_task(enter(lock, "second", entered));
    co_await sleep(0);

    blocker.set_result();
    first.cancel();
    co_await sleep(0);

    EXPECT_FALSE(lock.locked());
    EXPECT_TRUE(holder.done());
    EXPECT_TRUE(first.cancelled());
    co_await second;
    EXPECT_EQ(entered, Names{"second"});
}

ASYNC_TEST(Lock, goes_to_the_next_when_the_woken_one_is_cancelled) {
    Lock lock;
    Names entered;
    co_await lock.acquire();
    auto first = create_task(enter(lock, "first", entered));
    auto second = create_task(enter(lock, "second", entered));
    co_await testing::settle();  // both are parked

    lock.release();  // wakes `first` ...
    first.cancel();  // ... which is cancelled before it runs
    co_await testing::settle();

    EXPECT_TRUE(first.cancelled());
    EXPECT_EQ(entered, Names{"second"});
    EXPECT_FALSE(lock.locked());
}

ASYNC_TEST(Lock, wakes_one_task_for_one_release_though_one_was_cancelled) {
    Lock lock;
    Names entered;
    co_await lock.acquire();
    auto first = create_task(take(lock, "first", entered));
    auto second = create_task(take(lock, "second", entered));
    auto third = create_task(take(lock, "third", entered));
    co_await sleep(0);

    first.cancel();
    lock.release();
    co_await ended(first);
    co_await testing::settle();

    EXPECT_EQ(entered, Names{"second"});
    EXPECT_FALSE(third.done());
    third.cancel();
    co_await sleep(0);
    EXPECT_TRUE(third.cancelled());
}

// The head of the line is passed over only when it has run: so the next is woken a turn later.
ASYNC_TEST(Lock, wakes_the_next_when_a_cancelled_head_of_the_line_has_run) {
    Lock lock;
    Names entered;
    co_await lock.acquire();
    auto first = create_task(take(lock, "first", entered));
    auto second = create_task(take(lock, "second", entered));
    co_await sleep(0);

    first.cancel();
    lock.release();
    co_await sleep(0);
    EXPECT_TRUE(first.cancelled());
    EXPECT_EQ(entered, Names{});
    co_await sleep(0);
    EXPECT_EQ(entered, Names{"second"});
}

ASYNC_TEST(Lock, is_free_for_newcomers_when_all_who_wait_are_cancelled) {
    Lock lock;
    Names entered;
    co_await lock.acquire();
    auto first = create_task(take(lock, "first", entered));
    auto second = create_task(take(lock, "second", entered));
    co_await sleep(0);

    first.cancel();
    second.cancel();
    lock.release();
    const bool taken = co_await lock.acquire();  // before they have run

    EXPECT_TRUE(taken);
    EXPECT_FALSE(first.done());
    co_await testing::settle();
    EXPECT_TRUE(first.cancelled() && second.cancelled());
    EXPECT_TRUE(lock.locked());
}

// What is done to each of three waiters: everything before, at and after the release.
enum class Fate {
    waits,
    cancelled_before,
    cancelled_after,
    cancelled_before_and_after,
    cancelled_twice
};
constexpr Fate fates[] = {Fate::waits, Fate::cancelled_before, Fate::cancelled_after,
                          Fate::cancelled_before_and_after, Fate::cancelled_twice};

void apply(Fate fate, const Task<>& task, bool after) {
    const bool before = !after;
    if ((before && (fate == Fate::cancelled_before || fate == Fate::cancelled_before_and_after)) ||
        (after && (fate == Fate::cancelled_after || fate == Fate::cancelled_before_and_after))) {
        task.cancel();
    } else if (after && fate == Fate::cancelled_twice) {
        task.cancel();
        task.cancel();
    }
}

ASYNC_TEST(Lock, is_never_lost_however_waiters_are_cancelled) {
    for (const Fate a : fates) {
        for (const Fate b : fates) {
            for (const Fate c : fates) {
                const Fate each[] = {a, b, c};
                Lock lock;
                Names entered;
                Names expected;
                std::vector<Task<>> tasks;
                co_await lock.acquire();
                for (int i = 0; i < 3; ++i) {
                    tasks.push_back(create_task(enter(lock, std::to_string(i), entered)));
                    if (each[i] == Fate::waits) {
                        expected.push_back(std::to_string(i));
                    }
                }
                co_await testing::settle();

                for (int i = 0; i < 3; ++i) {
                    apply(each[i], tasks[i], false);
                }
                lock.release();
                for (int i = 0; i < 3; ++i) {
                    apply(each[i], tasks[i], true);
                }
                co_await testing::settle();

                EXPECT_EQ(entered, expected);
                EXPECT_FALSE(lock.locked());
                for (int i = 0; i < 3; ++i) {
                    EXPECT_EQ(tasks[i].cancelled(), each[i] != Fate::waits);
                }
            }
        }
    }
}

ASYNC_TEST(Lock, is_not_taken_when_the_time_is_up) {
    Lock lock;
    co_await lock.acquire();

    const auto result = co_await as_result(wait_for(lock.acquire(), 1));

    EXPECT_EQ(error_of(result), "TimeoutError()");
    lock.release();
    EXPECT_FALSE(lock.locked());
}

ASYNC_TEST(Lock, acquire_goes_wherever_an_awaitable_goes) {
    Lock a;
    Lock b;
    Lock c;

    auto [first, second] = co_await gather(a.acquire(), b.acquire());
    const auto third = co_await as_result(c.acquire());
    const auto refused = co_await as_result(wait_for(c.acquire(), 0.5));

    EXPECT_TRUE(first && second);
    EXPECT_TRUE(third.value());
    EXPECT_EQ(error_of(refused), "TimeoutError()");
}

ASYNC_TEST(Lock, a_guard_releases_at_the_end_of_its_scope) {
    Lock lock;
    {
        const auto held = co_await lock.scoped();
        EXPECT_TRUE(lock.locked());
    }
    EXPECT_FALSE(lock.locked());

    const auto failing = [](Lock& lock) -> Coroutine<> {
        const auto held = co_await lock.scoped();
        throw RuntimeError("bad");
    };
    const auto result = co_await as_result(failing(lock));
    EXPECT_EQ(error_of(result), "RuntimeError('bad')");
    EXPECT_FALSE(lock.locked());
}

ASYNC_TEST(Lock, a_guard_can_be_moved_and_released_early) {
    Lock lock;
    auto held = co_await lock.scoped();
    Lock::Guard elsewhere = std::move(held);
    EXPECT_FALSE(held);
    EXPECT_TRUE(elsewhere);
    EXPECT_TRUE(lock.locked());

    elsewhere.release();
    EXPECT_FALSE(lock.locked());
    elsewhere.release();  // nothing more to do
    EXPECT_FALSE(elsewhere);

    std::optional<Lock::Guard> kept(co_await lock.scoped());
    EXPECT_TRUE(lock.locked());
    kept.reset();
    EXPECT_FALSE(lock.locked());

    Lock other;
    auto one = co_await lock.scoped();
    auto two = co_await other.scoped();
    one = std::move(two);
    EXPECT_FALSE(lock.locked());
    EXPECT_TRUE(other.locked());
}

ASYNC_TEST(Lock, a_guard_whose_lock_was_released_by_hand_says_so_and_releases_nothing) {
    Lock lock;
    Names reports;
    set_logger([&](Level, std::string_view text) { reports.emplace_back(text); });
    {
        const auto held = co_await lock.scoped();
        lock.release();
    }
    set_logger(nullptr);

    EXPECT_EQ(reports, Names{"a guard has nothing to release: somebody else released the lock"});
    EXPECT_FALSE(lock.locked());
}

ASYNC_TEST(Lock, with_holds_it_while_the_body_runs) {
    Lock lock;

    const int answer = co_await with(lock, [&]() -> Coroutine<int> {
        EXPECT_TRUE(lock.locked());
        co_await sleep(0);
        co_return 42;
    });
    EXPECT_EQ(answer, 42);
    EXPECT_FALSE(lock.locked());

    const auto result = co_await as_result(with(lock, [] { throw RuntimeError("bad"); }));
    EXPECT_EQ(error_of(result), "RuntimeError('bad')");
    EXPECT_FALSE(lock.locked());
}

ASYNC_TEST(Lock, destroyed_leaves_those_who_wait_to_be_cancelled) {
    auto lock = std::make_unique<Lock>();
    Names entered;
    co_await lock->acquire();
    auto woken = create_task(take(*lock, "woken", entered));
    auto parked = create_task(take(*lock, "parked", entered));
    auto guarded = create_task(enter(*lock, "guarded", entered));
    auto cancelled = create_task(enter(*lock, "cancelled", entered));
    co_await testing::settle();

    lock->release();
    cancelled.cancel();
    lock.reset();
    co_await testing::settle();

    const auto result = co_await as_result(woken);
    EXPECT_EQ(error_of(result), "RuntimeError('destroyed while a task waited in it: lock')");
    EXPECT_TRUE(cancelled.cancelled());
    EXPECT_FALSE(parked.done());
    parked.cancel();
    guarded.cancel();
    co_await testing::settle();
    EXPECT_TRUE(parked.cancelled() && guarded.cancelled());
    EXPECT_EQ(entered, Names{});
}

ASYNC_TEST(Lock, destroyed_before_its_guard_is_not_released_by_it) {
    auto lock = std::make_unique<Lock>();
    auto held = co_await lock->scoped();

    lock.reset();

    EXPECT_FALSE(held);
}

// As a program that returns from main() while its tasks still use what was local to it.
TEST(Lock, local_to_main_may_be_gone_when_run_cancels_the_tasks_that_are_left) {
    const testing::VirtualClockScope clock;
    Names entered;
    run(
        [](Names& entered) -> Coroutine<> {
            Lock lock;
            Event event;
            Semaphore semaphore(0);
            Condition condition;
            Barrier barrier(2);
            create_task(
                [](Lock& lock) -> Coroutine<> {
                    const auto held = co_await lock.scoped();
                    co_await sleep(3600);
                },
                std::ref(lock));
            create_task(enter(lock, "never", entered));
            create_task(event.wait());
            create_task(semaphore.acquire());
            create_task(
                [](Condition& condition) -> Coroutine<> {
                    const auto held = co_await condition.scoped();
                    co_await condition.wait();
                },
                std::ref(condition));
            create_task(barrier.wait());
            co_await testing::settle();
        },
        std::ref(entered));
    EXPECT_EQ(entered, Names{});
}

// A loop that is closed destroys what is suspended; the locks may be gone before or stay.
TEST(Lock, outlives_the_loop_or_is_outlived_by_it) {
    for (const bool lock_goes_first : {true, false}) {
        auto lock = std::make_unique<Lock>();
        auto semaphore = std::make_unique<Semaphore>(0);
        auto condition = std::make_unique<Condition>();
        auto event = std::make_unique<Event>();
        Names entered;
        auto loop = new_event_loop();
        loop->set_exception_handler([](EventLoop&, const ExceptionContext&) {});
        run_on(*loop,
               [](Lock& lock, Semaphore& semaphore, Condition& condition, Event& event,
                  Names& entered) -> Coroutine<> {
                   co_await lock.acquire();
                   create_task(enter(lock, "woken", entered));
                   create_task(enter(lock, "parked", entered));
                   create_task(semaphore.acquire());
                   create_task(semaphore.acquire());
                   create_task(event.wait());
                   create_task(
                       [](Condition& condition) -> Coroutine<> {
                           const auto held = co_await condition.scoped();
                           co_await condition.wait();
                       },
                       std::ref(condition));
                   co_await turns(3);
                   lock.release();
                   semaphore.release();
               }(*lock, *semaphore, *condition, *event, entered));
        if (lock_goes_first) {
            lock.reset();
            semaphore.reset();
            condition.reset();
            event.reset();
        }
        loop.reset();
        if (!lock_goes_first) {
            EXPECT_FALSE(lock->locked());
        }
    }
}

TEST(Lock, belongs_to_the_loop_in_which_a_task_waited_first) {
    Lock lock;
    auto first = new_event_loop();
    auto second = new_event_loop();
    Names entered;
    run_on(*first, [](Lock& lock, Names& entered) -> Coroutine<> {
        co_await lock.acquire();
        auto waiter = create_task(take(lock, "waiter", entered));
        co_await sleep(0);
        lock.release();
        co_await waiter;
    }(lock, entered));

    const std::string error = run_on(*second, [](Lock& lock) -> Coroutine<> {
        co_await lock.acquire();  // somebody holds it
    }(lock));
    lock.release();
    const std::string no_error = run_on(*second, [](Lock& lock) -> Coroutine<> {
        co_await lock.acquire();  // need not wait, so it does not matter
    }(lock));

    EXPECT_EQ(no_error, "None");
    EXPECT_TRUE(error.starts_with("RuntimeError('<asyncio.locks.Lock object at 0x")) << error;
    EXPECT_TRUE(error.ends_with(" [locked]> is bound to a different event loop')")) << error;
}

// The loop that is remembered is not only an address, where another one may come to lie.
TEST(Lock, does_not_belong_to_a_loop_that_took_the_place_of_its_own) {
    Lock lock;
    Semaphore semaphore(0);
    Event event;
    const auto wait_a_little = [](Lock& held, Semaphore& empty, Event& unset) -> Coroutine<> {
        co_await held.acquire();
        co_await ended(wait_for(held.acquire(), 0.001));
        co_await ended(wait_for(empty.acquire(), 0.001));
        co_await ended(wait_for(unset.wait(), 0.001));
    };
    std::optional<EventLoop> loop(std::in_place);
    loop->run_until_complete(wait_a_little(lock, semaphore, event));
    loop.reset();

    loop.emplace();  // at the same address
    const auto wait = [](auto awaitable) -> Coroutine<> { co_await wait_for(awaitable, 0.001); };

    const std::string text = " is bound to a different event loop')";
    EXPECT_TRUE(run_on(*loop, wait(lock.acquire())).ends_with(text));
    EXPECT_TRUE(run_on(*loop, wait(semaphore.acquire())).ends_with(text));
    EXPECT_TRUE(run_on(*loop, wait(event.wait())).ends_with(text));
}

static_assert(!std::is_copy_constructible_v<Lock> && !std::is_move_constructible_v<Lock>);
static_assert(!std::is_copy_constructible_v<Lock::Guard>);
static_assert(std::is_nothrow_move_constructible_v<Lock::Guard>);

// -------------------------------------------------------------------------------------- Event

Coroutine<> wait_then_note(Event& event, int number, Numbers& woken) {
    const bool set = co_await event.wait();
    EXPECT_TRUE(set);
    woken.push_back(number);
}

ASYNC_TEST(Event, wakes_all_in_order_and_those_who_come_later_need_not_wait) {
    Event event;
    Numbers woken;
    auto first = create_task(wait_then_note(event, 1, woken));
    auto second = create_task(wait_then_note(event, 2, woken));
    co_await sleep(0);
    EXPECT_EQ(woken, Numbers{});
    EXPECT_FALSE(event.is_set());

    auto third = create_task(wait_then_note(event, 3, woken));
    event.set();
    EXPECT_TRUE(event.is_set());
    co_await sleep(0);

    EXPECT_EQ(woken, (Numbers{3, 1, 2}));
    EXPECT_TRUE(first.done() && second.done() && third.done());
}

ASYNC_TEST(Event, that_is_set_gives_true_without_a_turn) {
    Event event;
    event.set();
    bool others_ran = false;
    get_running_loop().call_soon([&] { others_ran = true; });

    const bool set = co_await event.wait();

    EXPECT_TRUE(set);
    EXPECT_FALSE(others_ran);
}

ASYNC_TEST(Event, wakes_those_who_wait_even_if_it_is_cleared_at_once) {
    Event event;
    Numbers woken;
    auto task = create_task(wait_then_note(event, 1, woken));
    co_await sleep(0);

    event.set();
    event.clear();
    EXPECT_FALSE(event.is_set());
    event.set();
    event.set();
    event.clear();
    co_await sleep(0);
    EXPECT_EQ(woken, Numbers{1});

    auto later = create_task(wait_then_note(event, 2, woken));
    co_await testing::settle();
    EXPECT_FALSE(later.done());
    event.set();
    co_await later;
    EXPECT_EQ(woken, (Numbers{1, 2}));
}

ASYNC_TEST(Event, forgets_a_task_that_is_cancelled_before_or_after_it_was_woken) {
    Event event;
    Numbers woken;
    auto before = create_task(wait_then_note(event, 1, woken));
    auto after = create_task(wait_then_note(event, 2, woken));
    auto neither = create_task(wait_then_note(event, 3, woken));
    co_await sleep(0);

    before.cancel();
    before.cancel();
    event.set();
    after.cancel();
    co_await testing::settle();

    EXPECT_TRUE(before.cancelled() && after.cancelled());
    EXPECT_EQ(before.cancelling(), 2U);
    EXPECT_EQ(woken, Numbers{3});
}

ASYNC_TEST(Event, wait_can_time_out) {
    Event event;

    const auto result = co_await as_result(wait_for(event.wait(), 1));
    event.set();
    const bool set = co_await wait_for(event.wait(), 1);

    EXPECT_EQ(error_of(result), "TimeoutError()");
    EXPECT_TRUE(set);
}

ASYNC_TEST(Event, destroyed_leaves_those_who_wait_to_be_cancelled) {
    auto event = std::make_unique<Event>();
    auto parked = create_task(event->wait());
    auto woken = create_task(
        [](Event& event) -> Coroutine<> {
            const bool set = co_await event.wait();
            EXPECT_TRUE(set);
        },
        std::ref(*event));
    co_await testing::settle();

    event->set();
    event.reset();  // who was woken does not need it any more
    co_await testing::settle();
    EXPECT_TRUE(woken.done() && parked.done());

    event = std::make_unique<Event>();
    auto left = create_task(event->wait());
    co_await testing::settle();
    event.reset();
    co_await testing::settle();
    EXPECT_FALSE(left.done());
    left.cancel();
    co_await testing::settle();
    EXPECT_TRUE(left.cancelled());
}

// A million tasks may wait for one event.
static_assert(sizeof(detail::EventAwaiter<bool>) <= 2 * sizeof(void*));

// ---------------------------------------------------------------------------------- Condition

Coroutine<> acquire_and_wait(Condition& condition, int number, Numbers& woken) {
    co_await condition.acquire();
    const bool notified = co_await condition.wait();
    EXPECT_TRUE(notified);
    woken.push_back(number);
}

Coroutine<> wait_once(Condition& condition, int number, Numbers& woken) {
    const auto held = co_await condition.scoped();
    co_await condition.wait();
    woken.push_back(number);
}

ASYNC_TEST(Condition, wakes_as_many_as_are_notified_when_the_lock_is_free) {
    Condition condition;
    Numbers woken;
    std::vector<Task<>> tasks;
    for (int i = 1; i <= 3; ++i) {
        tasks.push_back(create_task(acquire_and_wait(condition, i, woken)));
    }
    co_await sleep(0);
    EXPECT_FALSE(condition.locked());

    const bool taken = co_await condition.acquire();
    EXPECT_TRUE(taken);
    condition.notify();
    co_await sleep(0);
    EXPECT_EQ(woken, Numbers{});
    EXPECT_TRUE(condition.locked());

    condition.release();
    co_await sleep(0);
    EXPECT_EQ(woken, Numbers{1});
    EXPECT_TRUE(condition.locked());

    condition.notify(2);
    co_await sleep(0);
    EXPECT_EQ(woken, Numbers{1});

    condition.release();
    co_await sleep(0);
    EXPECT_EQ(woken, (Numbers{1, 2}));
    EXPECT_TRUE(condition.locked());

    condition.release();
    co_await sleep(0);
    EXPECT_EQ(woken, (Numbers{1, 2, 3}));
    EXPECT_TRUE(condition.locked());
}

ASYNC_TEST(Condition, notify_more_than_wait_or_all_wakes_all) {
    Condition condition;
    Numbers woken;
    for (int i = 1; i <= 4; ++i) {
        create_task(wait_once(condition, i, woken));
    }
    co_await sleep(0);

    co_await condition.acquire();
    condition.notify(1);
    condition.release();
    co_await sleep(0);
    EXPECT_EQ(woken, Numbers{1});

    co_await condition.acquire();
    condition.notify(0);
    condition.notify(1);
    condition.notify(2048);
    condition.release();
    co_await testing::settle();
    EXPECT_EQ(woken, (Numbers{1, 2, 3, 4}));

    create_task(wait_once(condition, 5, woken));
    create_task(wait_once(condition, 6, woken));
    co_await sleep(0);
    co_await condition.acquire();
    condition.notify_all();
    condition.release();
    co_await testing::settle();
    EXPECT_EQ(woken, (Numbers{1, 2, 3, 4, 5, 6}));
    EXPECT_FALSE(condition.locked());
}

ASYNC_TEST(Condition, needs_the_lock) {
    Condition condition;

    const auto wait = co_await as_result(condition.wait());
    const auto wait_for_false = co_await as_result(condition.wait_for([] { return false; }));
    const auto notify = Result<>::of([&] { condition.notify(); });
    const auto notify_all = Result<>::of([&] { condition.notify_all(); });
    const auto release = Result<>::of([&] { condition.release(); });
    const int three = co_await condition.wait_for([] { return 3; });  // it need not wait

    EXPECT_EQ(error_of(wait), "RuntimeError('cannot wait on un-acquired lock')");
    EXPECT_EQ(error_of(wait_for_false), "RuntimeError('cannot wait on un-acquired lock')");
    EXPECT_EQ(error_of(notify), "RuntimeError('cannot notify on un-acquired lock')");
    EXPECT_EQ(error_of(notify_all), "RuntimeError('cannot notify on un-acquired lock')");
    EXPECT_EQ(error_of(release), "RuntimeError('Lock is not acquired.')");
    EXPECT_EQ(three, 3);
}

ASYNC_TEST(Condition, wait_for_looks_again_whenever_it_is_notified) {
    Condition condition;
    bool ready = false;
    int asked = 0;
    auto task = create_task(
        [](Condition& condition, bool& ready, int& asked) -> Coroutine<bool> {
            const auto held = co_await condition.scoped();
            const bool result = co_await condition.wait_for([&] {
                ++asked;
                return ready;
            });
            EXPECT_TRUE(condition.locked());
            co_return result;
        },
        std::ref(condition), std::ref(ready), std::ref(asked));
    co_await sleep(0);

    co_await with(condition, [&] { condition.notify(); });
    co_await sleep(0);
    EXPECT_FALSE(task.done());
    EXPECT_EQ(asked, 2);

    ready = true;
    co_await with(condition, [&] { condition.notify(); });
    co_await sleep(0);
    EXPECT_TRUE(task.done());
    EXPECT_TRUE(task.result());
    EXPECT_EQ(asked, 3);
    EXPECT_FALSE(condition.locked());
}

ASYNC_TEST(Condition, holds_the_lock_again_when_its_wait_is_cancelled) {
    Condition condition;
    co_await condition.acquire();
    auto task = create_task(condition.wait());
    co_await sleep(0);
    EXPECT_FALSE(condition.locked());

    task.cancel("enough");
    const auto result = co_await as_result(task);

    EXPECT_EQ(error_of(result), "CancelledError('enough')");
    EXPECT_TRUE(condition.locked());
}

ASYNC_TEST(Condition, waits_for_the_lock_however_often_it_is_cancelled) {
    Condition condition;
    co_await condition.acquire();
    auto task = create_task(condition.wait());
    co_await sleep(0);
    co_await condition.acquire();

    for (const char* message : {"first", "second", "third"}) {
        task.cancel(message);
        co_await turns(2);
        EXPECT_FALSE(task.done());
    }
    condition.release();
    const auto result = co_await as_result(task);

    EXPECT_EQ(error_of(result), "CancelledError('third')");
    EXPECT_TRUE(condition.locked());
}

ASYNC_TEST(Condition, is_cancelled_where_it_takes_the_lock_again) {
    Condition condition;
    Numbers woken;
    auto waiter = create_task(wait_once(condition, 1, woken));
    co_await sleep(0);

    co_await condition.acquire();
    condition.notify();
    co_await sleep(0);  // notified, it waits for the lock
    waiter.cancel();
    co_await sleep(0);
    condition.release();
    co_await sleep(0);

    EXPECT_TRUE(waiter.cancelled());
    EXPECT_EQ(woken, Numbers{});
    EXPECT_FALSE(condition.locked());
}

ASYNC_TEST(Condition, passes_the_message_of_a_cancellation_on_wherever_it_comes) {
    for (const bool waits_for_the_lock : {false, true}) {
        Condition condition;
        bool ready = false;
        auto task = create_task(
            [](Condition& condition, bool& ready) -> Coroutine<> {
                const auto held = co_await condition.scoped();
                co_await condition.wait_for([&] { return ready; });
            },
            std::ref(condition), std::ref(ready));
        co_await sleep(0);

        if (waits_for_the_lock) {
            co_await condition.acquire();
            ready = true;
            condition.notify();
            co_await sleep(0);
        }
        task.cancel("foo");
        if (waits_for_the_lock) {
            condition.release();
        }
        const auto result = co_await as_result(task);

        EXPECT_EQ(error_of(result), "CancelledError('foo')");
        EXPECT_FALSE(condition.locked());
    }
}

ASYNC_TEST(Condition, is_woken_and_not_cancelled_when_it_got_the_lock_before) {
    Condition condition;
    co_await condition.acquire();
    auto task = create_task(condition.wait());
    co_await sleep(0);

    co_await condition.acquire();
    condition.notify();
    get_running_loop().call_soon([&] { task.cancel(); });
    get_running_loop().call_soon([&] { condition.release(); });
    co_await ended(task);

    EXPECT_TRUE(condition.locked());
}

// A consumer that is cancelled when it has just been notified must not take the notice with it.
Coroutine<> consume(Condition& condition, int& items) {
    const auto held = co_await condition.scoped();
    while (true) {
        co_await condition.wait_for([&] { return items != 0; });
        if (items < 0) {
            co_return;
        }
        --items;
    }
}

ASYNC_TEST(Condition, notifies_another_when_the_notified_one_is_cancelled) {
    for (const bool waits_for_the_lock : {false, true}) {
        Condition condition;
        int items = 0;
        auto first = create_task(consume(condition, items));
        auto second = create_task(consume(condition, items));
        co_await sleep(0);
        {
            const auto held = co_await condition.scoped();
            ++items;
            condition.notify(1);
            if (waits_for_the_lock) {
                co_await sleep(0);
            }
            first.cancel();

            co_await ended(wait_for(condition.wait_for([&] { return items == 0; }), 0.01));
            EXPECT_EQ(items, 0);

            items = -1;
            condition.notify_all();
        }
        co_await second;
        EXPECT_TRUE(first.cancelled());
    }
}

ASYNC_TEST(Condition, wait_can_time_out_inside_the_block) {
    Condition condition;
    const auto held = co_await condition.scoped();

    const auto result = co_await as_result(wait_for(condition.wait(), 0.5));

    EXPECT_EQ(error_of(result), "TimeoutError()");
    EXPECT_TRUE(condition.locked());
}

ASYNC_TEST(Condition, with_holds_the_lock_while_the_body_runs) {
    Condition condition;

    co_await with(condition, [&] { EXPECT_TRUE(condition.locked()); });

    EXPECT_FALSE(condition.locked());
}

ASYNC_TEST(Condition, can_share_a_lock) {
    Lock lock;
    Condition full(lock);
    Condition empty(lock);
    Numbers woken;
    auto task = create_task(wait_once(full, 1, woken));
    co_await sleep(0);

    {
        const auto held = co_await lock.scoped();
        EXPECT_TRUE(full.locked() && empty.locked());
        empty.notify_all();
        full.notify_all();
    }
    co_await task;

    EXPECT_EQ(woken, Numbers{1});
    EXPECT_FALSE(lock.locked());
}

ASYNC_TEST(Condition, is_locked_when_its_lock_is_and_the_other_way_round) {
    Lock lock;
    Condition condition(lock);

    EXPECT_FALSE(lock.locked() || condition.locked());
    co_await with(condition, [&] { EXPECT_TRUE(lock.locked() && condition.locked()); });
    EXPECT_FALSE(lock.locked() || condition.locked());
    co_await with(lock, [&] { EXPECT_TRUE(lock.locked() && condition.locked()); });
    EXPECT_FALSE(lock.locked() || condition.locked());
}

// The lock is bound when the condition wants it back: somebody of the other loop holds it then.
TEST(Condition, notifies_another_when_its_lock_belongs_to_another_loop) {
    Lock lock;
    Condition condition(lock);
    auto first = new_event_loop();
    auto second = new_event_loop();
    Numbers woken;
    run_on(*first, [](Lock& lock) -> Coroutine<> {
        co_await lock.acquire();
        co_await ended(wait_for(lock.acquire(), 0.001));
        lock.release();
    }(lock));

    const std::string error =
        run_on(*second, [](Condition& condition, Numbers& woken) -> Coroutine<> {
            auto waiter = create_task(acquire_and_wait(condition, 1, woken));
            co_await sleep(0);
            co_await condition.acquire();
            auto other = create_task(condition.wait());
            co_await sleep(0);
            co_await condition.acquire();
            condition.notify();
            co_await sleep(0);    // `waiter` cannot have the lock ...
            condition.release();  // ... but the one that is notified in its place can
            co_await other;
            const auto result = co_await as_result(waiter);
            EXPECT_TRUE(error_of(result).ends_with(" is bound to a different event loop')"));
        }(condition, woken));

    EXPECT_EQ(error, "None");
    EXPECT_TRUE(condition.locked());
    EXPECT_EQ(woken, Numbers{});
}

TEST(Condition, belongs_to_the_loop_in_which_a_task_waited_first) {
    Lock lock;
    Condition condition(lock);
    auto first = new_event_loop();
    auto second = new_event_loop();
    run_on(*first, [](Condition& condition) -> Coroutine<> {
        const auto held = co_await condition.scoped();
        co_await ended(wait_for(condition.wait(), 0.001));
    }(condition));

    const std::string error = run_on(*second, [](Condition& condition) -> Coroutine<> {
        const auto held = co_await condition.scoped();
        co_await condition.wait();
    }(condition));

    EXPECT_TRUE(error.starts_with("RuntimeError('<asyncio.locks.Condition object at 0x")) << error;
    EXPECT_TRUE(error.ends_with(" is bound to a different event loop')")) << error;
}

ASYNC_TEST(Condition, destroyed_leaves_those_who_wait_to_be_cancelled) {
    auto condition = std::make_unique<Condition>();
    Numbers woken;
    auto notified = create_task(wait_once(*condition, 1, woken));
    auto parked = create_task(wait_once(*condition, 2, woken));
    co_await testing::settle();
    co_await condition->acquire();
    condition->notify();

    condition.reset();
    co_await testing::settle();

    const auto result = co_await as_result(notified);
    EXPECT_EQ(error_of(result), "RuntimeError('destroyed while a task waited in it: condition')");
    EXPECT_FALSE(parked.done());
    parked.cancel();
    co_await testing::settle();
    EXPECT_TRUE(parked.cancelled());
    EXPECT_EQ(woken, Numbers{});
}

// ---------------------------------------------------------------------------------- Semaphore

Coroutine<> pass(Semaphore& semaphore, int number, Numbers& passed) {
    co_await semaphore.acquire();
    passed.push_back(number);
}

ASYNC_TEST(Semaphore, lets_as_many_in_as_it_has_permits_without_a_turn) {
    Semaphore semaphore(3);
    bool others_ran = false;
    get_running_loop().call_soon([&] { others_ran = true; });

    const bool taken = co_await semaphore.acquire();
    co_await semaphore.acquire();
    EXPECT_FALSE(semaphore.locked());
    co_await semaphore.acquire();

    EXPECT_TRUE(taken);
    EXPECT_TRUE(semaphore.locked());
    EXPECT_FALSE(others_ran);
    semaphore.release();
    EXPECT_FALSE(semaphore.locked());
}

ASYNC_TEST(Semaphore, gives_each_permit_to_the_one_that_waits_longest) {
    Semaphore semaphore(3);
    Numbers passed;
    co_await semaphore.acquire();
    co_await semaphore.acquire();
    std::vector<Task<>> tasks;
    for (int i = 1; i <= 3; ++i) {
        tasks.push_back(create_task(pass(semaphore, i, passed)));
    }
    co_await sleep(0);
    EXPECT_EQ(passed, Numbers{1});
    EXPECT_TRUE(semaphore.locked());

    tasks.push_back(create_task(pass(semaphore, 4, passed)));
    semaphore.release();
    semaphore.release();
    co_await sleep(0);
    EXPECT_EQ(passed, (Numbers{1, 2, 3}));
    EXPECT_TRUE(semaphore.locked());

    semaphore.release();
    co_await tasks.back();
    EXPECT_EQ(passed, (Numbers{1, 2, 3, 4}));
}

TEST(Semaphore, does_not_begin_below_zero) {
    const auto negative = Result<>::of([] { Semaphore semaphore(-1); });

    EXPECT_EQ(error_of(negative), "ValueError('Semaphore initial value must be >= 0')");
    EXPECT_TRUE(Semaphore(0).locked());
    EXPECT_FALSE(Semaphore().locked());
}

TEST(BoundedSemaphore, is_not_released_more_often_than_acquired) {
    BoundedSemaphore semaphore;

    const auto result = Result<>::of([&] { semaphore.release(); });

    EXPECT_EQ(error_of(result), "ValueError('BoundedSemaphore released too many times')");
    Semaphore unbounded;
    unbounded.release();
    EXPECT_FALSE(unbounded.locked());
}

ASYNC_TEST(BoundedSemaphore, keeps_its_bound_when_it_is_used_as_a_Semaphore) {
    BoundedSemaphore bounded(1);
    Semaphore& semaphore = bounded;

    co_await with(semaphore, [&] { EXPECT_TRUE(bounded.locked()); });
    const auto result = Result<>::of([&] { semaphore.release(); });

    EXPECT_EQ(error_of(result), "ValueError('BoundedSemaphore released too many times')");
}

ASYNC_TEST(Semaphore, lets_nobody_overtake_the_one_that_was_woken) {
    Semaphore semaphore(0);
    Numbers passed;
    auto waiter = create_task(pass(semaphore, 1, passed));
    co_await sleep(0);

    semaphore.release();
    semaphore.release();  // a permit is left, but it is not the newcomer's turn
    EXPECT_TRUE(semaphore.locked());
    auto newcomer = create_task(pass(semaphore, 2, passed));
    co_await testing::settle();

    EXPECT_EQ(passed, (Numbers{1, 2}));
    EXPECT_TRUE(waiter.done() && newcomer.done());
}

ASYNC_TEST(Semaphore, is_not_taken_by_a_task_that_is_cancelled_while_it_waits) {
    Semaphore semaphore;
    co_await semaphore.acquire();
    auto task = create_task(semaphore.acquire());
    co_await sleep(0);

    task.cancel();
    co_await ended(task);

    EXPECT_TRUE(task.cancelled());
    semaphore.release();
    EXPECT_FALSE(semaphore.locked());
}

ASYNC_TEST(Semaphore, passes_over_those_who_are_cancelled) {
    Semaphore semaphore(0);
    Numbers passed;
    std::vector<Task<>> tasks;
    for (int i = 0; i < 4; ++i) {
        tasks.push_back(create_task(pass(semaphore, i, passed)));
    }
    co_await sleep(0);

    tasks[0].cancel();
    tasks[1].cancel();
    semaphore.release();
    co_await sleep(0);
    EXPECT_EQ(passed, Numbers{2});
    co_await sleep(0);
    EXPECT_FALSE(tasks[3].done());
    tasks[3].cancel();
    co_await sleep(0);
    EXPECT_TRUE(tasks[3].cancelled());
}

ASYNC_TEST(Semaphore, gives_the_permit_of_a_woken_task_that_is_cancelled_to_the_next) {
    Semaphore semaphore(1);
    Task<> second;
    auto first = create_task(
        [](Semaphore& semaphore, Task<>& second) -> Coroutine<> {
            co_await with(semaphore, [] { return sleep(0); });  // its release wakes `second` ...
            second.cancel();                                    // ... which is cancelled
        },
        std::ref(semaphore), std::ref(second));
    second = create_task(
        [](Semaphore& semaphore) -> Coroutine<> {
            const auto permit = co_await semaphore.scoped();
            ADD_FAILURE() << "it was cancelled";
        },
        std::ref(semaphore));

    co_await ended(gather(return_exceptions, first, second));
    EXPECT_TRUE(second.cancelled());
    const bool taken = co_await wait_for(semaphore.acquire(), 1);
    EXPECT_TRUE(taken);
}

ASYNC_TEST(Semaphore, loses_no_permit_however_waiters_are_cancelled) {
    for (const Fate a : fates) {
        for (const Fate b : fates) {
            for (const Fate c : fates) {
                for (int permits = 1; permits <= 3; ++permits) {
                    const Fate each[] = {a, b, c};
                    BoundedSemaphore semaphore(permits);
                    Numbers passed;
                    Numbers expected;
                    std::vector<Task<>> tasks;
                    for (int i = 0; i < permits; ++i) {
                        co_await semaphore.acquire();
                    }
                    for (int i = 0; i < 3; ++i) {
                        tasks.push_back(create_task(pass(semaphore, i, passed)));
                        if (each[i] == Fate::waits &&
                            expected.size() < static_cast<std::size_t>(permits)) {
                            expected.push_back(i);
                        }
                    }
                    co_await testing::settle();

                    for (int i = 0; i < 3; ++i) {
                        apply(each[i], tasks[i], false);
                    }
                    for (int i = 0; i < permits; ++i) {
                        semaphore.release();
                    }
                    for (int i = 0; i < 3; ++i) {
                        apply(each[i], tasks[i], true);
                    }
                    co_await testing::settle();
                    EXPECT_EQ(passed, expected);

                    for (Task<>& task : tasks) {
                        task.cancel();
                    }
                    co_await testing::settle();
                    for (std::size_t i = 0; i < expected.size(); ++i) {
                        semaphore.release();
                    }
                    for (int i = 0; i < permits; ++i) {
                        EXPECT_FALSE(semaphore.locked());
                        co_await semaphore.acquire();
                    }
                    EXPECT_TRUE(semaphore.locked());
                }
            }
        }
    }
}

Coroutine<> pass_twice(Semaphore& semaphore, std::string name, Names& passed) {
    for (const char* time : {"_1", "_2"}) {
        co_await semaphore.acquire();
        passed.push_back(name + time);
        co_await sleep(0.01);
        semaphore.release();
    }
}

ASYNC_TEST(Semaphore, is_fair_to_those_who_come_again) {
    Semaphore semaphore(1);
    Names passed;

    co_await task_group([&](TaskGroup& group) {
        for (const char* name : {"a", "b", "c"}) {
            group.create_task(pass_twice(semaphore, name, passed));
        }
    });

    EXPECT_EQ(passed, (Names{"a_1", "b_1", "c_1", "a_2", "b_2", "c_2"}));
}

ASYNC_TEST(Semaphore, a_task_that_got_in_wakes_those_for_whom_there_are_permits_left) {
    Semaphore semaphore(0);
    Numbers passed;
    Task<> fourth;
    auto first = create_task(
        [](Semaphore& semaphore, Numbers& passed, Task<>& fourth) -> Coroutine<> {
            co_await semaphore.acquire();
            // By now those behind were woken too: who is made now runs after them.
            fourth = create_task(
                [](Numbers& passed) -> Coroutine<> {
                    passed.push_back(4);
                    co_return;
                },
                std::ref(passed));
            passed.push_back(1);
        },
        std::ref(semaphore), std::ref(passed), std::ref(fourth));
    auto second = create_task(
        [](Semaphore& semaphore, Numbers& passed) -> Coroutine<> {
            for (int i = 0; i < 3; ++i) {
                semaphore.release();
            }
            EXPECT_TRUE(semaphore.locked());  // there are permits, but the first has not run
            co_await semaphore.acquire();
            passed.push_back(2);
        },
        std::ref(semaphore), std::ref(passed));
    auto third = create_task(
        [](Semaphore& semaphore, Numbers& passed) -> Coroutine<> {
            co_await semaphore.acquire();
            EXPECT_TRUE(semaphore.locked());
            passed.push_back(3);
        },
        std::ref(semaphore), std::ref(passed));
    co_await turns(2);

    co_await gather(first, second, third, fourth);
    EXPECT_EQ(passed, (Numbers{1, 2, 3, 4}));
}

ASYNC_TEST(Semaphore, lets_one_that_comes_again_wait_behind_the_others) {
    Semaphore semaphore(1);
    Numbers passed;
    auto first = create_task(pass(semaphore, 1, passed));
    auto second = create_task(
        [](Semaphore& semaphore, Numbers& passed) -> Coroutine<> {
            co_await semaphore.acquire();
            passed.push_back(2);
            semaphore.release();
            co_await semaphore.acquire();
            passed.push_back(4);
        },
        std::ref(semaphore), std::ref(passed));
    auto third = create_task(pass(semaphore, 3, passed));
    co_await sleep(0);

    semaphore.release();
    semaphore.release();
    co_await gather(first, second, third);

    EXPECT_EQ(passed, (Numbers{1, 2, 3, 4}));
}

ASYNC_TEST(Semaphore, forgets_a_task_whose_cancellation_is_over) {
    Semaphore semaphore(0);
    Numbers passed;
    auto first = create_task(pass(semaphore, 1, passed));
    auto second = create_task(pass(semaphore, 2, passed));
    auto third = create_task(pass(semaphore, 3, passed));
    co_await sleep(0);

    first.cancel();
    co_await sleep(0);
    EXPECT_TRUE(first.cancelled());
    semaphore.release();
    semaphore.release();
    co_await gather(second, third);

    EXPECT_EQ(passed, (Numbers{2, 3}));
    EXPECT_TRUE(semaphore.locked());
}

ASYNC_TEST(Semaphore, a_guard_gives_one_permit_back) {
    Semaphore semaphore(2);
    {
        auto first = co_await semaphore.scoped();
        const auto second = co_await semaphore.scoped();
        EXPECT_TRUE(semaphore.locked());
        const Semaphore::Guard moved = std::move(first);
        EXPECT_TRUE(semaphore.locked());
    }
    EXPECT_FALSE(semaphore.locked());
    co_await semaphore.acquire();
    EXPECT_FALSE(semaphore.locked());
}

ASYNC_TEST(Semaphore, destroyed_leaves_those_who_wait_to_be_cancelled) {
    auto semaphore = std::make_unique<Semaphore>(1);
    Numbers passed;
    auto permit = co_await semaphore->scoped();
    auto woken = create_task(pass(*semaphore, 1, passed));
    auto cancelled = create_task(pass(*semaphore, 2, passed));
    auto parked = create_task(pass(*semaphore, 3, passed));
    co_await testing::settle();

    semaphore->release();
    cancelled.cancel();
    semaphore.reset();
    EXPECT_FALSE(permit);
    co_await testing::settle();

    const auto result = co_await as_result(woken);
    EXPECT_EQ(error_of(result), "RuntimeError('destroyed while a task waited in it: semaphore')");
    EXPECT_TRUE(cancelled.cancelled());
    EXPECT_FALSE(parked.done());
    parked.cancel();
    co_await testing::settle();
    EXPECT_TRUE(parked.cancelled());
    EXPECT_EQ(passed, Numbers{});
}

// ------------------------------------------------------------------------------------ Barrier

constexpr int parties = 5;

template <class Fn>
Coroutine<> run_many(int count, Fn fn) {
    std::vector<Task<>> tasks;
    for (int i = 0; i < count; ++i) {
        tasks.push_back(create_task(fn()));
    }
    co_await gather(tasks);
}

ASYNC_TEST(Barrier, lets_all_go_when_the_last_has_come_each_with_the_number_of_its_arrival) {
    Barrier barrier(3);
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(barrier.n_waiting(), i);
        tasks.push_back(create_task(barrier.wait()));
        co_await sleep(0);
    }

    const auto indices = co_await gather(tasks);

    EXPECT_EQ(indices, (std::vector<int>{0, 1, 2}));
    EXPECT_EQ(barrier.parties(), 3);
    EXPECT_EQ(barrier.n_waiting(), 0);
    EXPECT_FALSE(barrier.broken());
}

TEST(Barrier, needs_a_party) {
    for (const int count : {0, -4}) {
        const auto result = Result<>::of([&] { Barrier barrier(count); });
        EXPECT_EQ(error_of(result), "ValueError('parties must be > 0')");
    }
}

ASYNC_TEST(Barrier, of_one_holds_nobody_up) {
    Barrier barrier(1);

    const int first = co_await barrier.wait();
    const int second = co_await barrier.wait();

    EXPECT_EQ(first, 0);
    EXPECT_EQ(second, 0);
    EXPECT_EQ(barrier.n_waiting(), 0);
}

ASYNC_TEST(Barrier, with_gives_the_index_to_the_body) {
    Barrier barrier(3);
    Numbers entered;

    co_await run_many(3,
                      [&] { return with(barrier, [&](int index) { entered.push_back(index); }); });

    EXPECT_EQ(entered, (Numbers{2, 0, 1}));
    EXPECT_EQ(barrier.n_waiting(), 0);
}

ASYNC_TEST(Barrier, gives_every_index_once_in_the_second_round_as_well) {
    Barrier barrier(parties);
    Numbers indices;

    co_await run_many(parties, [&]() -> Coroutine<> {
        co_await barrier.wait();
        const int index = co_await with(barrier, [](int place) { return place; });
        indices.push_back(index);
    });

    std::sort(indices.begin(), indices.end());
    EXPECT_EQ(indices, (Numbers{0, 1, 2, 3, 4}));
    EXPECT_EQ(barrier.n_waiting(), 0);
    EXPECT_FALSE(barrier.broken());
}

ASYNC_TEST(Barrier, can_be_passed_again_and_again) {
    Barrier barrier(parties);
    Numbers passed(3);

    co_await run_many(parties, [&]() -> Coroutine<> {
        for (int& round : passed) {
            co_await barrier.wait();
            ++round;
        }
    });

    EXPECT_EQ(passed, (Numbers{parties, parties, parties}));
    EXPECT_EQ(barrier.n_waiting(), 0);
}

ASYNC_TEST(Barrier, holds_newcomers_back_until_the_last_round_has_left) {
    constexpr int again = 2;
    Barrier barrier(parties);
    Barrier others(parties - again);
    int left = again;
    int done = 0;

    co_await run_many(parties, [&]() -> Coroutine<> {
        co_await barrier.wait();
        if (left > 0) {
            --left;
            co_await barrier.wait();
        } else {
            co_await others.wait();
            co_await barrier.wait();
        }
        ++done;
    });

    EXPECT_EQ(done, parties);
}

ASYNC_TEST(Barrier, waits_for_one_more_when_one_is_cancelled) {
    Barrier barrier(3);
    auto first = create_task(barrier.wait());
    auto second = create_task(barrier.wait());
    co_await sleep(0);
    EXPECT_EQ(barrier.n_waiting(), 2);

    first.cancel();
    co_await sleep(0);
    EXPECT_EQ(barrier.n_waiting(), 1);
    EXPECT_TRUE(first.cancelled());

    auto third = create_task(barrier.wait());
    co_await sleep(0);
    EXPECT_EQ(barrier.n_waiting(), 2);
    auto fourth = create_task(barrier.wait());
    co_await gather(second, third, fourth);
    EXPECT_EQ(barrier.n_waiting(), 0);
    EXPECT_FALSE(barrier.broken());
}

ASYNC_TEST(Barrier, a_cancelled_task_that_could_go_counts_as_gone) {
    Barrier barrier(2);
    auto first = create_task(barrier.wait());
    co_await sleep(0);
    auto second = create_task(barrier.wait());
    co_await sleep(0);  // opened: `first` is notified

    first.cancel();
    co_await testing::settle();

    EXPECT_TRUE(first.cancelled());
    EXPECT_EQ(second.result(), 1);
    auto third = create_task(barrier.wait());
    const int last = co_await barrier.wait();
    EXPECT_EQ(last, 0);
    EXPECT_EQ(third.result(), 1);
}

ASYNC_TEST(Barrier, reset_sends_those_who_wait_away_and_begins_anew) {
    Barrier barrier(parties);
    std::vector<Task<int>> tasks;
    for (int i = 0; i < parties - 1; ++i) {
        tasks.push_back(create_task(barrier.wait()));
    }
    co_await sleep(0);

    co_await barrier.reset();
    const auto results = co_await gather(return_exceptions, tasks);

    for (const auto& result : results) {
        EXPECT_EQ(error_of(result), "BrokenBarrierError('Abort or reset of barrier')");
    }
    EXPECT_FALSE(barrier.broken());
    EXPECT_EQ(barrier.n_waiting(), 0);
    int passed = 0;
    co_await run_many(parties, [&]() -> Coroutine<> {
        co_await barrier.wait();
        ++passed;
    });
    EXPECT_EQ(passed, parties);
}

ASYNC_TEST(Barrier, reset_of_one_where_nobody_waits_changes_nothing) {
    Barrier barrier(1);

    co_await barrier.reset();

    EXPECT_EQ(barrier.n_waiting(), 0);
    EXPECT_FALSE(barrier.broken());
    co_await barrier.abort();
    EXPECT_TRUE(barrier.broken());
    co_await barrier.reset();
    EXPECT_FALSE(barrier.broken());
}

ASYNC_TEST(Barrier, reset_while_some_leave_sends_away_those_who_have_not_left) {
    constexpr int half = parties / 2;
    Barrier barrier(parties);
    int broken = 0;
    int count = 0;
    Numbers blocked;

    co_await run_many(parties, [&]() -> Coroutine<> {
        const auto first = co_await as_result(barrier.wait());
        if (first.error() != nullptr) {
            ++broken;
            co_await barrier.wait();
            co_return;
        }
        ++count;
        if (count > half) {
            co_await barrier.reset();
            co_await barrier.wait();
        } else {
            const auto second = co_await as_result(barrier.wait());
            if (second.error() != nullptr) {
                blocked.push_back(count);
            }
        }
    });

    EXPECT_EQ(broken, half);
    EXPECT_EQ(blocked, Numbers{});
    EXPECT_EQ(barrier.n_waiting(), 0);
    EXPECT_FALSE(barrier.broken());
}

ASYNC_TEST(Barrier, reset_by_one_that_has_left_sends_away_those_who_have_not) {
    constexpr int rest = parties / 2;
    Barrier barrier(parties);
    int left = 0;
    int broken = 0;

    co_await run_many(parties, [&]() -> Coroutine<> {
        const auto waited = co_await as_result(barrier.wait());
        if (waited.error() != nullptr) {
            EXPECT_EQ(error_of(waited), "BrokenBarrierError('Abort or reset of barrier')");
            ++broken;
            co_return;
        }
        ++left;
        if (left == parties - rest) {
            co_await barrier.reset();
        }
    });

    EXPECT_EQ(left, parties - rest);
    EXPECT_EQ(broken, rest);
    EXPECT_EQ(barrier.n_waiting(), 0);
    EXPECT_FALSE(barrier.broken());
}

ASYNC_TEST(Barrier, lets_those_who_come_back_after_a_reset_pass) {
    Barrier barrier(parties);
    int broken = 0;
    int passed = 0;
    auto all_but_one = create_task([&]() -> Coroutine<> {
        co_await run_many(parties - 1, [&]() -> Coroutine<> {
            const auto waited = co_await as_result(barrier.wait());
            broken += waited.error() != nullptr ? 1 : 0;
            co_await barrier.wait();
            ++passed;
        });
    });
    co_await testing::settle();

    auto reset = create_task(barrier.reset());
    co_await sleep(0);
    auto last = create_task([&]() -> Coroutine<> {
        co_await barrier.wait();
        ++passed;
    });
    co_await gather(all_but_one, reset, last);

    EXPECT_EQ(broken, parties - 1);
    EXPECT_EQ(passed, parties);
    EXPECT_EQ(barrier.n_waiting(), 0);
    EXPECT_FALSE(barrier.broken());
}

ASYNC_TEST(Barrier, reset_after_the_last_has_left_disturbs_nobody) {
    Barrier barrier(parties);
    int count = 0;
    int disturbed = 0;
    int finished = 0;

    co_await run_many(parties, [&]() -> Coroutine<> {
        co_await barrier.wait();
        ++count;
        if (count == parties) {
            co_await barrier.reset();
            co_await barrier.wait();
        } else {
            const auto second = co_await as_result(barrier.wait());
            if (second.error() != nullptr) {
                ++disturbed;
            }
        }
        co_await barrier.wait();
        ++finished;
    });

    EXPECT_EQ(disturbed, 0);
    EXPECT_EQ(finished, parties);
    EXPECT_EQ(barrier.n_waiting(), 0);
}

ASYNC_TEST(Barrier, abort_breaks_it_for_those_who_wait_and_those_who_come) {
    Barrier barrier(3);
    auto first = create_task(barrier.wait());
    auto second = create_task(barrier.wait());
    co_await sleep(0);

    co_await barrier.abort();
    const auto [a, b] = co_await gather(return_exceptions, first, second);
    const auto late = co_await as_result(barrier.wait());

    EXPECT_EQ(error_of(a), "BrokenBarrierError('Abort or reset of barrier')");
    EXPECT_EQ(error_of(b), "BrokenBarrierError('Abort or reset of barrier')");
    EXPECT_EQ(error_of(late), "BrokenBarrierError('Barrier aborted')");
    EXPECT_TRUE(barrier.broken());
    EXPECT_EQ(barrier.n_waiting(), 0);
}

ASYNC_TEST(Barrier, abort_while_some_leave_sends_the_rest_and_those_who_are_back_away) {
    constexpr int half = parties / 2;
    Barrier barrier(parties);
    int inside = 0;
    int back = 0;
    int count = 0;

    co_await run_many(parties, [&]() -> Coroutine<> {
        const auto first = co_await as_result(barrier.wait());
        if (first.error() != nullptr) {
            ++inside;
            co_return;
        }
        ++count;
        if (count > half) {
            co_await barrier.abort();
        } else {
            const auto second = co_await as_result(barrier.wait());
            if (second.error() != nullptr) {
                ++back;
            }
        }
    });

    EXPECT_TRUE(barrier.broken());
    EXPECT_EQ(inside, half);
    EXPECT_EQ(back, parties - half - 1);
    EXPECT_EQ(barrier.n_waiting(), 0);
}

ASYNC_TEST(Barrier, abort_by_one_whose_body_failed_reaches_all_others) {
    Barrier barrier(parties);
    int passed_twice = 0;
    int broken = 0;
    auto twice = [&]() -> Coroutine<> {
        co_await with(barrier, [](int index) {
            if (index == parties / 2) {
                throw RuntimeError("body");
            }
        });
        co_await with(barrier, [](int) {});
        ++passed_twice;
    };

    co_await run_many(parties, [&]() -> Coroutine<> {
        const auto result = co_await as_result(twice());
        if (error_of(result) == "RuntimeError('body')") {
            co_await barrier.abort();
        } else if (result.error() != nullptr) {
            ++broken;
        }
    });

    EXPECT_TRUE(barrier.broken());
    EXPECT_EQ(passed_twice, 0);
    EXPECT_EQ(broken, parties - 1);
    EXPECT_EQ(barrier.n_waiting(), 0);
}

ASYNC_TEST(Barrier, can_be_reset_after_an_abort_when_another_barrier_keeps_all_away) {
    Barrier barrier(parties);
    Barrier other(parties);
    int broken = 0;
    int passed = 0;

    co_await run_many(parties, [&]() -> Coroutine<> {
        const auto first = co_await as_result(barrier.wait());
        if (first.error() != nullptr) {
            ++broken;
        } else if (first.value() == parties / 2) {
            co_await barrier.abort();
        } else {
            const auto second = co_await as_result(barrier.wait());
            broken += second.error() != nullptr ? 1 : 0;
        }
        const int place = co_await other.wait();
        if (place == parties / 2) {
            co_await barrier.reset();
        }
        co_await other.wait();
        co_await barrier.wait();
        ++passed;
    });

    EXPECT_EQ(broken, parties - 1);
    EXPECT_EQ(passed, parties);
    EXPECT_FALSE(barrier.broken());
    EXPECT_EQ(barrier.n_waiting(), 0);
}

ASYNC_TEST(Barrier, destroyed_leaves_those_who_wait_to_be_cancelled) {
    auto barrier = std::make_unique<Barrier>(3);
    auto first = create_task(barrier->wait());
    auto second = create_task(barrier->wait());
    co_await testing::settle();

    barrier.reset();
    first.cancel();
    co_await testing::settle();

    EXPECT_TRUE(first.cancelled());
    EXPECT_FALSE(second.done());
    second.cancel();
    co_await testing::settle();
    EXPECT_TRUE(second.cancelled());
}

}  // namespace

}  // namespace asyncio
