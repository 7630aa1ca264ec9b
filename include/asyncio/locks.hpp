// locks.hpp - what tasks wait for each other with: Lock, Event, Condition, Semaphore,
// BoundedSemaphore, Barrier.
//
// Mirrors asyncio.locks; differences: docs/parity.md#locks.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/acquire.hpp>
#include <asyncio/detail/event.hpp>
#include <asyncio/detail/lock.hpp>
#include <asyncio/detail/semaphore.hpp>
#include <asyncio/lowlevel/waiter.hpp>

#include <cstdint>
#include <exception>
#include <limits>
#include <string>
#include <type_traits>

namespace asyncio {

// What is true of all of them:
//
// An await that need not wait does not suspend, and so is no chance to be cancelled. Whoever has to
// wait is woken in the order of arrival, by a callback of its own: it runs in the next turn.
//
// They are meant to outlive the tasks that use them. If one is destroyed while tasks wait in it,
// these wait on until they are cancelled; a task that had been woken and has not run yet gets a
// RuntimeError, and guards that are left do nothing.
//
// Each belongs to one loop, from the first time that a task has to wait in it; RuntimeError if one
// of another loop would have to.

/// Held by one task at a time.
///
///     auto held = co_await lock.scoped();                       // until the end of the scope
///     co_await with(lock, [&]() -> Coroutine<> { ... });        // the same, as `async with`
///     co_await lock.acquire();  ...  lock.release();            // by hand
///
/// Fair: whoever comes while others wait, or while one that was woken has not run yet, waits
/// behind them, even if the lock is open at that moment.
///
/// Cancellation: the lock is not taken; if it had been this task's turn, the next one is woken.
/// Errors:       release() of a lock that is not held: RuntimeError("Lock is not acquired.").
class Lock : public detail::LockBase, public detail::Acquirable<Lock> {
public:
    using Guard = detail::Guard<Lock>;

    Lock() = default;

    /// Does somebody hold it?
    [[nodiscard]] bool locked() const noexcept { return locked_; }

    /// Waits until it is this task's turn and takes the lock; gives true.
    [[nodiscard]] detail::Acquire<Lock> acquire() noexcept { return detail::Acquire<Lock>(*this); }
    /// Opens the lock and wakes the first that waits.
    void release() {
        if (!locked_) {
            detail::raise_runtime_error("Lock is not acquired.");
        }
        open();
    }

private:
    friend Guard;
};

/// Something that happens once, or again after clear(), and everybody who waits for it.
///
///     co_await event.wait();            // in any number of tasks
///     event.set();                      // wakes them all, even if it is cleared right away
class Event : public detail::EventBase {
public:
    Event() = default;

    [[nodiscard]] bool is_set() const noexcept { return set_; }
    void set() noexcept {
        set_ = true;
        waiters_.wake_all();
    }
    void clear() noexcept { set_ = false; }

    /// Waits until it is set, if it is not; gives true.
    [[nodiscard]] auto wait() noexcept {
        return detail::WaitFor<detail::EventAwaiter<bool>, Event>(*this);
    }
};

/// A lock, and a way to wait for what is changed under it.
///
///     auto held = co_await condition.scoped();
///     co_await condition.wait_for([&] { return !items.empty(); });
///     ...
///     items.push_back(x);               // elsewhere, holding the lock
///     condition.notify();
///
/// Cancellation: wait() takes the lock again in any case, however often it is cancelled meanwhile,
///         and then throws the last CancelledError; another waiter is notified in its place, so
///         wait() may return for nothing and the state has to be looked at again: wait_for() does.
/// Errors: RuntimeError("cannot wait on un-acquired lock"), and the like of notify().
class Condition {
public:
    using Guard = Lock::Guard;

    Condition() noexcept : lock_(own_lock_) {}
    /// Several conditions may share a lock, which must outlive them.
    explicit Condition(Lock& lock) noexcept : lock_(lock) {}
    Condition(const Condition&) = delete;
    Condition& operator=(const Condition&) = delete;
    ~Condition();

    [[nodiscard]] bool locked() const noexcept { return lock_.locked(); }
    [[nodiscard]] auto acquire() noexcept { return lock_.acquire(); }
    [[nodiscard]] auto scoped() noexcept { return lock_.scoped(); }
    void release() { lock_.release(); }
    [[nodiscard]] auto aenter() noexcept { return lock_.aenter(); }
    bool aexit(const std::exception_ptr& error) { return lock_.aexit(error); }

    /// Releases the lock, waits until it is notified, and takes the lock again; gives true.
    Coroutine<bool> wait();

    /// Waits until `predicate()` is true, which is asked now and whenever the task is notified;
    /// gives what it returned last.
    template <class Predicate>
    auto wait_for(Predicate predicate)
        -> Coroutine<std::decay_t<std::invoke_result_t<Predicate&>>> {
        auto result = predicate();
        while (!result) {
            co_await wait();
            result = predicate();
        }
        co_return result;
    }

    /// Wakes the first `n` that wait. They go on when they get the lock.
    void notify(int n = 1) {
        check_may_notify();
        wake(n);
    }
    void notify_all() {
        check_may_notify();
        wake(std::numeric_limits<int>::max());
    }

private:
    class Wait;
    class NoticeAwaiter;

    void check_may_notify() const {
        if (!locked()) {
            detail::raise_runtime_error("cannot notify on un-acquired lock");
        }
    }
    void wake(int n) noexcept;
    [[nodiscard]] std::string repr() const;

    Lock own_lock_;
    Lock& lock_;
    lowlevel::WaitList waiters_;
    lowlevel::List<Wait> waits_;  // calls of wait() that have not returned
    detail::LoopBinding binding_;
};

/// A number of permits, one for each task that is let in.
///
///     Semaphore connections(10);
///     auto permit = co_await connections.scoped();      // or acquire() and release(), or with()
///
/// Fair as Lock: while one that was woken has not run yet, a newcomer waits behind it.
///
/// Cancellation: takes no permit; one that release() had given to this task goes to the next.
/// Errors:       std::invalid_argument("Semaphore initial value must be >= 0").
class Semaphore : public detail::SemaphoreBase, public detail::Acquirable<Semaphore> {
public:
    using Guard = detail::Guard<Semaphore>;

    explicit Semaphore(int value = 1)
        : Semaphore(value, std::numeric_limits<std::int64_t>::max()) {}

    /// Would acquire() have to wait?
    [[nodiscard]] bool locked() const noexcept { return must_wait(); }

    /// Waits for a permit and takes it; gives true.
    [[nodiscard]] detail::Acquire<Semaphore> acquire() noexcept {
        return detail::Acquire<Semaphore>(*this);
    }
    /// One permit more; whoever waits first gets it at once.
    void release() {
        if (at_bound()) {
            detail::raise_value_error("BoundedSemaphore released too many times");
        }
        give();
    }

protected:
    /// There are never to be more than `bound` permits.
    Semaphore(int value, std::int64_t bound) : SemaphoreBase(value, bound) {
        if (value < 0) {
            detail::raise_value_error("Semaphore initial value must be >= 0");
        }
    }

private:
    friend Guard;
};

/// A Semaphore that is never released more often than acquired:
/// std::invalid_argument("BoundedSemaphore released too many times").
class BoundedSemaphore : public Semaphore {
public:
    explicit BoundedSemaphore(int value = 1) : Semaphore(value, value) {}
};

/// Where `parties` tasks wait for each other, again and again.
///
///     int index = co_await barrier.wait();              // 0 for the first that came
///
/// Whoever comes while those of the round before are still leaving waits until they have left.
///
/// Cancellation: the task leaves; the others wait for one more to come.
/// Errors: BrokenBarrierError after abort(), and for those who wait when reset() is called;
///         std::invalid_argument("parties must be > 0").
class Barrier {
public:
    explicit Barrier(int parties);

    /// Waits until all have come; the number of those who came before.
    Coroutine<int> wait();
    /// Sends all who wait away with BrokenBarrierError; then it is as new.
    Coroutine<> reset();
    /// Breaks it for good, or until reset(): who waits or comes gets BrokenBarrierError.
    Coroutine<> abort();

    [[nodiscard]] int parties() const noexcept { return parties_; }
    /// How many wait for the others to come.
    [[nodiscard]] int n_waiting() const noexcept { return state_ == State::filling ? count_ : 0; }
    [[nodiscard]] bool broken() const noexcept { return state_ == State::broken; }

    Coroutine<int> aenter() { return wait(); }
    bool aexit(const std::exception_ptr&) noexcept { return false; }

private:
    enum class State : std::uint8_t {
        filling,    // waits for all to come
        draining,   // all have come, and leave
        resetting,  // those who waited leave with an error
        broken,
    };

    void leave();

    Condition condition_;
    State state_ = State::filling;
    int parties_;
    int count_ = 0;  // of tasks inside
};

}  // namespace asyncio
