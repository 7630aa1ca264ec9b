// locks.hpp - what tasks wait for each other with: Lock, Event, Condition, Semaphore,
// BoundedSemaphore, Barrier.
//
// Mirrors asyncio.locks; differences: docs/parity.md#locks.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/lowlevel/waiter.hpp>
#include <asyncio/result.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

namespace asyncio {

class Condition;
class Event;
class Lock;
class Semaphore;

namespace detail {

class EventWaiter;
class LockWaiter;
class SemaphoreWaiter;
template <class Waiter>
class AcquireAwaiter;
template <class Waiter>
class EnterAwaiter;
template <class Waiter>
class ScopedAwaiter;
template <class Value>
class EventAwaiter;

/// What can be awaited: a pointer to the primitive, of which `Awaiter` is made where it is awaited.
template <class Awaiter, class Primitive>
class [[nodiscard]] WaitFor {
public:
    explicit WaitFor(Primitive& primitive) noexcept : primitive_(&primitive) {}
    Awaiter operator co_await() const noexcept { return Awaiter(*primitive_); }

private:
    Primitive* primitive_;
};

/// The loop of the first task that had to wait. Tasks of another one must not: nothing here is made
/// for two threads.
class LoopBinding {
public:
    /// Is it the running loop? Binds to that the first time.
    [[nodiscard]] bool matches() noexcept {
        EventLoop* const running = thread_state.loop;
        if (loop_ == nullptr) {
            loop_ = running;
        }
        return loop_ == running;
    }

private:
    EventLoop* loop_ = nullptr;
};

[[noreturn]] void raise_other_loop(const std::string& primitive);

/// A task's place at a primitive, from the await at which it is suspended until it runs again,
/// woken or cancelled. It is in a list of the primitive all that time, so that a primitive that is
/// destroyed takes it out: then the task touches it no more.
class Place : public lowlevel::Waiter, public lowlevel::ListHook<Place> {
public:
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

protected:
    friend class Line;
    friend class asyncio::Lock;

    enum class State : std::uint8_t { waiting, woken, cancelled, gone };

    Place() = default;
    ~Place() = default;

    /// Has the task been suspended?
    [[nodiscard]] bool taken() const noexcept { return task_ != nullptr; }
    void suspend() noexcept {
        task_ = &lowlevel::running_task();
        task_->park(*this);
    }
    /// Makes the task run and throw CancelledError.
    void interrupt(CancelMessage message) noexcept {
        state_ = State::cancelled;
        task_->interrupt(message);
        task_->wake();
    }
    /// How it ended, once the place has been given up: throws unless the task was just woken.
    void throw_outcome();
    [[nodiscard]] std::exception_ptr take_outcome();

    TaskBase* task_ = nullptr;
    State state_ = State::waiting;
};

using PlaceList = lowlevel::List<Place, Place>;

/// Takes out whatever is in a list that is about to be destroyed.
template <class T, class Tag>
void empty_out(lowlevel::List<T, Tag>& list) noexcept {
    while (!list.empty()) {
        list.pop_front();
    }
}

/// Places in the order in which they were taken, the first of which is woken first.
class Line {
public:
    Line() = default;
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;
    ~Line() {
        empty_out(waiting_);
        empty_out(leaving_);
    }

    /// Does nobody wait to be woken?
    [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
    /// Does nobody wait, and has everybody run who was woken?
    [[nodiscard]] bool quiet() const noexcept { return waiting_.empty() && woken_ == 0; }

    void join(Place& place) noexcept {
        place.state_ = Place::State::waiting;
        waiting_.push_back(place);
    }
    /// The first that waits, which the caller has to make run; null if there is none.
    Place* wake_first() noexcept {
        if (waiting_.empty()) {
            return nullptr;
        }
        Place& place = waiting_.pop_front();
        place.state_ = Place::State::woken;
        ++woken_;
        leaving_.push_back(place);
        return &place;
    }
    /// `place` is not to be woken any more.
    void cancel(Place& place) noexcept {
        place.unlink();
        leaving_.push_back(place);
    }
    void leave(Place& place) noexcept {
        place.unlink();
        if (place.state_ == Place::State::woken) {
            --woken_;
        }
    }
    [[nodiscard]] std::size_t size() const noexcept;

private:
    PlaceList waiting_;
    PlaceList leaving_;  // woken or cancelled, have not run since
    std::size_t woken_ = 0;
};

/// Gives what it stands for back at the end of its scope. Movable, to be returned or kept. It knows
/// when the primitive has been destroyed before it.
template <class Primitive>
class [[nodiscard]] Guard : private lowlevel::ListHook<> {
public:
    explicit Guard(Primitive& primitive) noexcept : primitive_(&primitive) {
        primitive.guards_.push_back(*this);
    }
    Guard(Guard&& other) noexcept : primitive_(other.primitive_) { take_over(other); }
    Guard& operator=(Guard&& other) noexcept {
        if (this != &other) {
            give_back();
            primitive_ = other.primitive_;
            take_over(other);
        }
        return *this;
    }
    ~Guard() { give_back(); }

    /// Has it still something to give back?
    explicit operator bool() const noexcept { return linked(); }
    /// Gives it back before the end of the scope.
    void release() {
        if (linked()) {
            unlink();
            primitive_->release();
        }
    }

private:
    friend lowlevel::List<Guard>;

    void take_over(Guard& other) noexcept {
        if (other.linked()) {
            other.unlink();
            primitive_->guards_.push_back(*this);
        }
    }
    void give_back() noexcept {
        if (linked()) {
            unlink();
            primitive_->release_guarded();
        }
    }

    Primitive* primitive_;
};

}  // namespace detail

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
class Lock {
    using Waiter = detail::LockWaiter;

public:
    using Guard = detail::Guard<Lock>;

    Lock() = default;
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock() {
        detail::empty_out(waiters_);
        detail::empty_out(guards_);
    }

    /// Does somebody hold it?
    [[nodiscard]] bool locked() const noexcept { return locked_; }

    /// Waits until it is this task's turn and takes the lock; gives true.
    [[nodiscard]] auto acquire() noexcept {
        return detail::WaitFor<detail::AcquireAwaiter<Waiter>, Lock>(*this);
    }
    /// The same, giving a Guard that releases it.
    [[nodiscard]] auto scoped() noexcept {
        return detail::WaitFor<detail::ScopedAwaiter<Waiter>, Lock>(*this);
    }
    /// Opens the lock and wakes the first that waits.
    void release() {
        if (!locked_) {
            detail::raise_runtime_error("Lock is not acquired.");
        }
        open();
    }

    [[nodiscard]] auto aenter() noexcept {
        return detail::WaitFor<detail::EnterAwaiter<Waiter>, Lock>(*this);
    }
    bool aexit(const std::exception_ptr&) {
        release();
        return false;
    }

private:
    friend detail::LockWaiter;
    friend Guard;

    /// Opened, not handed over: the first waiter takes it when it runs; until then a newcomer sees
    /// a live waiter and queues behind it.
    void open() noexcept {
        locked_ = false;
        if (!waiters_.empty()) {
            wake_first();
        }
    }
    void release_guarded() noexcept;
    void wake_first() noexcept;
    [[nodiscard]] std::string repr() const;

    detail::PlaceList waiters_;  // until they run: also those that were woken or cancelled
    lowlevel::List<Guard> guards_;
    detail::LoopBinding binding_;
    std::uint32_t live_ = 0;  // of the waiters, those that were not cancelled
    bool locked_ = false;
};

/// Something that happens once, or again after clear(), and everybody who waits for it.
///
///     co_await event.wait();            // in any number of tasks
///     event.set();                      // wakes them all, even if it is cleared right away
class Event {
public:
    Event() = default;
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    ~Event() { detail::empty_out(waiters_); }

    [[nodiscard]] bool is_set() const noexcept { return set_; }
    void set() noexcept {
        set_ = true;
        if (!waiters_.empty()) {
            wake_all();
        }
    }
    void clear() noexcept { set_ = false; }

    /// Waits until it is set, if it is not; gives true.
    [[nodiscard]] auto wait() noexcept {
        return detail::WaitFor<detail::EventAwaiter<bool>, Event>(*this);
    }

private:
    friend detail::EventWaiter;

    void wake_all() noexcept;
    [[nodiscard]] std::string repr() const;

    lowlevel::CallbackList waiters_;  // the tasks themselves
    detail::LoopBinding binding_;
    bool set_ = false;
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
    lowlevel::CallbackList waiters_;  // the tasks themselves
    lowlevel::List<Wait> waits_;      // calls of wait() that have not returned
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
class Semaphore {
    using Waiter = detail::SemaphoreWaiter;

public:
    using Guard = detail::Guard<Semaphore>;

    explicit Semaphore(int value = 1)
        : Semaphore(value, std::numeric_limits<std::int64_t>::max()) {}
    Semaphore(const Semaphore&) = delete;
    Semaphore& operator=(const Semaphore&) = delete;
    ~Semaphore() { detail::empty_out(guards_); }

    /// Would acquire() have to wait?
    [[nodiscard]] bool locked() const noexcept { return value_ == 0 || !line_.quiet(); }

    /// Waits for a permit and takes it; gives true.
    [[nodiscard]] auto acquire() noexcept {
        return detail::WaitFor<detail::AcquireAwaiter<Waiter>, Semaphore>(*this);
    }
    /// The same, giving a Guard that releases it.
    [[nodiscard]] auto scoped() noexcept {
        return detail::WaitFor<detail::ScopedAwaiter<Waiter>, Semaphore>(*this);
    }
    /// One permit more; whoever waits first gets it at once.
    void release() {
        if (value_ >= bound_) {
            detail::raise_value_error("BoundedSemaphore released too many times");
        }
        ++value_;
        if (!line_.empty()) {
            wake_next();
        }
    }

    [[nodiscard]] auto aenter() noexcept {
        return detail::WaitFor<detail::EnterAwaiter<Waiter>, Semaphore>(*this);
    }
    bool aexit(const std::exception_ptr&) {
        release();
        return false;
    }

protected:
    /// There are never to be more than `bound` permits.
    Semaphore(int value, std::int64_t bound) : value_(value), bound_(bound) {
        if (value < 0) {
            detail::raise_value_error("Semaphore initial value must be >= 0");
        }
    }

private:
    friend detail::SemaphoreWaiter;
    friend Guard;

    void release_guarded() noexcept;
    bool wake_next() noexcept;
    [[nodiscard]] std::string repr() const;

    std::int64_t value_;
    std::int64_t bound_;
    detail::Line line_;
    lowlevel::List<Guard> guards_;
    detail::LoopBinding binding_;
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

namespace detail {

class LockWaiter : public Place {
public:
    using Primitive = Lock;

    explicit LockWaiter(Lock& lock) noexcept : lock_(lock) {}

    [[nodiscard]] bool await_ready() const noexcept {
        if (lock_.locked_ || lock_.live_ != 0) {
            return false;
        }
        lock_.locked_ = true;
        return true;
    }
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P>) {
        enter();
    }
    bool abort(TaskBase& task, CancelMessage message) noexcept override;
    [[nodiscard]] const char* reason() const noexcept override { return "lock"; }

protected:
    ~LockWaiter() {
        if (linked()) {
            drop();
        }
    }
    [[nodiscard]] Lock& primitive() const noexcept { return lock_; }
    /// Takes the lock, or sees to it that somebody else does.
    void settle() noexcept;

private:
    void enter();
    void drop() noexcept;

    Lock& lock_;
};

class SemaphoreWaiter : public Place {
public:
    using Primitive = Semaphore;

    explicit SemaphoreWaiter(Semaphore& semaphore) noexcept : semaphore_(semaphore) {}

    [[nodiscard]] bool await_ready() const noexcept {
        if (semaphore_.locked()) {
            return false;
        }
        --semaphore_.value_;
        return true;
    }
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P>) {
        enter();
    }
    bool abort(TaskBase& task, CancelMessage message) noexcept override;
    [[nodiscard]] const char* reason() const noexcept override { return "semaphore"; }
    void wake() noexcept { task_->wake(); }

protected:
    ~SemaphoreWaiter() {
        if (linked()) {
            semaphore_.line_.leave(*this);
        }
    }
    [[nodiscard]] Semaphore& primitive() const noexcept { return semaphore_; }
    /// Keeps the permit, or passes it on.
    void settle() noexcept;

private:
    void enter();

    Semaphore& semaphore_;
};

/// What all that await a Waiter have in common: nothing is left to do if it need not wait.
template <class Waiter>
class Settling : public Waiter {
public:
    using Waiter::Waiter;

protected:
    ~Settling() = default;
    void finish() {
        if (this->taken()) {
            this->settle();
            this->throw_outcome();
        }
    }
    std::exception_ptr finish_without_throw() {
        if (!this->taken()) {
            return nullptr;
        }
        this->settle();
        return this->take_outcome();
    }
};

template <class Waiter>
class [[nodiscard]] AcquireAwaiter final : public Settling<Waiter> {
public:
    using Settling<Waiter>::Settling;

    bool await_resume() {
        this->finish();
        return true;
    }
    Result<bool> await_result() {
        std::exception_ptr error = this->finish_without_throw();
        return error != nullptr ? Result<bool>(std::move(error))
                                : Result<bool>(std::in_place, true);
    }
};

template <class Waiter>
class [[nodiscard]] EnterAwaiter final : public Settling<Waiter> {
public:
    using Settling<Waiter>::Settling;

    void await_resume() { this->finish(); }
};

template <class Waiter>
class [[nodiscard]] ScopedAwaiter final : public Settling<Waiter> {
public:
    using Settling<Waiter>::Settling;

    Guard<typename Waiter::Primitive> await_resume() {
        this->finish();
        return Guard<typename Waiter::Primitive>(this->primitive());
    }
};

/// A Waiter for a task that is itself in the primitive's list, and looks at nothing there when it
/// has been woken: the smallest there can be, for there may be a million.
class ParkedWaiter : public lowlevel::Waiter {
public:
    bool abort(TaskBase& task, CancelMessage message) noexcept override;

protected:
    ~ParkedWaiter() = default;
};

class EventWaiter : public ParkedWaiter {
public:
    explicit EventWaiter(Event& event) noexcept : event_(event) {}

    [[nodiscard]] bool await_ready() const noexcept { return event_.set_; }
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P>) {
        enter();
    }
    [[nodiscard]] const char* reason() const noexcept override { return "event"; }

protected:
    ~EventWaiter() = default;

private:
    void enter();

    Event& event_;
};

/// `Value` is bool, for true, or void.
template <class Value>
class [[nodiscard]] EventAwaiter final : public EventWaiter {
public:
    using EventWaiter::EventWaiter;

    Value await_resume() const {
        lowlevel::running_task().throw_if_interrupted();
        if constexpr (!std::is_void_v<Value>) {
            return true;
        }
    }
    Result<Value> await_result() const {
        if (std::exception_ptr error = lowlevel::running_task().take_interrupt()) {
            return Result<Value>(std::move(error));
        }
        if constexpr (std::is_void_v<Value>) {
            return Result<void>(std::in_place);
        } else {
            return Result<Value>(std::in_place, true);
        }
    }
};

}  // namespace detail

}  // namespace asyncio
