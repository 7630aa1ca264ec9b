// locks.cpp - who is woken, and what becomes of a turn when its task is cancelled.
//
// SPDX-License-Identifier: MIT
#include <asyncio/locks.hpp>

#include <asyncio/detail/scope.hpp>
#include <asyncio/log.hpp>

#include <charconv>
#include <iterator>

namespace asyncio {

namespace detail {

static std::string object_repr(const char* type, const void* object, const std::string& state,
                               std::size_t waiters) {
    std::string text =
        std::string("<asyncio.locks.") + type + " object at " + address_text(object) + " [" + state;
    if (waiters > 0) {
        text += ", waiters:" + std::to_string(waiters);
    }
    return text + "]>";
}

std::string address_text(const void* object) {
    char digits[2 * sizeof(void*)];
    const auto end = std::to_chars(std::begin(digits), std::end(digits),
                                   reinterpret_cast<std::uintptr_t>(object), 16);
    return "0x" + std::string(std::begin(digits), end.ptr);
}

void raise_other_loop(const std::string& primitive) {
    throw RuntimeError(primitive + " is bound to a different event loop");
}

// A frame that is destroyed with its loop may have given the lock up for the time of a wait().
static void report_second_release(const char* primitive) noexcept {
    if (thread_state.loop == nullptr) {
        return;
    }
    log(Level::error,
        std::string("a guard has nothing to release: somebody else released the ") + primitive);
}

// -------------------------------------------------------------------------------------- Place

std::exception_ptr make_gone_error(const char* reason) {
    return std::make_exception_ptr(
        RuntimeError(std::string("destroyed while a task waited in it: ") + reason));
}

void Place::throw_outcome() {
    task_->throw_if_interrupted();
    if (state_ == State::gone) {
        std::rethrow_exception(make_gone_error(reason()));
    }
}

std::exception_ptr Place::take_outcome() {
    if (std::exception_ptr error = task_->take_interrupt()) {
        return error;
    }
    return state_ == State::gone ? make_gone_error(reason()) : nullptr;
}

// --------------------------------------------------------------------------------------- Lock

void LockWaiter::enter() {
    if (!lock_.binding_.matches()) {
        raise_other_loop(lock_.repr());
    }
    suspend();
    lock_.waiters_.push_back(*this);
    ++lock_.live_;
}

// It keeps its place until it runs: while it is the first, release() wakes nobody, and it will wake
// the next itself. That is the order in which CPython's waiters get the lock.
bool LockWaiter::abort(TaskBase&, CancelMessage message) noexcept {
    if (linked()) {
        --lock_.live_;
    }
    interrupt(message);
    return true;
}

void LockWaiter::settle() noexcept {
    if (!linked()) {
        state_ = State::gone;
        return;
    }
    drop();
    if (!task_->interrupted()) {
        lock_.locked_ = true;
    } else if (!lock_.locked_) {
        lock_.wake_first();
    }
}

void LockWaiter::drop() noexcept {
    unlink();
    if (state_ != State::cancelled) {
        --lock_.live_;
    }
}

void LockBase::wake_first() noexcept {
    if (waiters_.empty()) {
        return;
    }
    Place& first = waiters_.front();
    if (first.state_ == Place::State::waiting) {
        first.state_ = Place::State::woken;
        first.task_->wake();
    }
}

void LockBase::release_guarded() noexcept {
    if (locked_) {
        open();
    } else {
        report_second_release("lock");
    }
}

std::string LockBase::repr() const {
    return object_repr("Lock", this, locked_ ? "locked" : "unlocked", waiters_.size());
}

// ----------------------------------------------------------------------------------- Semaphore

void SemaphoreWaiter::enter() {
    if (!semaphore_.binding_.matches()) {
        raise_other_loop(semaphore_.repr());
    }
    suspend();
    semaphore_.line_.join(*this);
}

bool SemaphoreWaiter::abort(TaskBase&, CancelMessage message) noexcept {
    if (linked()) {
        semaphore_.line_.cancel(*this);
    }
    interrupt(message);
    return true;
}

// Whoever wakes a task takes the permit for it, so that it cannot be taken away before it runs.
void SemaphoreWaiter::settle() noexcept {
    if (!linked()) {
        state_ = State::gone;
        return;
    }
    semaphore_.line_.leave(*this);
    if (task_->interrupted() && state_ == State::woken) {
        ++semaphore_.value_;
    }
    // Others may have had to wait behind this one although there were permits.
    while (semaphore_.value_ > 0 && semaphore_.wake_next()) {}
}

bool SemaphoreBase::wake_next() noexcept {
    Place* const place = line_.wake_first();
    if (place == nullptr) {
        return false;
    }
    --value_;
    static_cast<SemaphoreWaiter*>(place)->wake();
    return true;
}

void SemaphoreBase::release_guarded() noexcept {
    if (at_bound()) {
        report_second_release("semaphore");
    } else {
        give();
    }
}

std::string SemaphoreBase::repr() const {
    return object_repr(
        bound_ == std::numeric_limits<std::int64_t>::max() ? "Semaphore" : "BoundedSemaphore", this,
        must_wait() ? "locked" : "unlocked, value:" + std::to_string(value_), line_.size());
}

// --------------------------------------------------------------------------------------- Event

void EventWaiter::enter() {
    if (!event_.binding_.matches()) {
        raise_other_loop(event_.repr());
    }
    event_.waiters_.park(lowlevel::running_task(), *this);
}

std::string EventBase::repr() const {
    return object_repr("Event", this, set_ ? "set" : "unset", waiters_.size());
}

}  // namespace detail

// ----------------------------------------------------------------------------------- Condition

/// A call of wait(), which can ask by it whether the condition still exists.
class Condition::Wait : public lowlevel::ListHook<> {
public:
    explicit Wait(lowlevel::List<Wait>& waits) noexcept { waits.push_back(*this); }
    ~Wait() {
        if (linked()) {
            unlink();
        }
    }
    [[nodiscard]] bool exists() const noexcept { return linked(); }
};

/// Waits to be notified, and gives the CancelledError if it is cancelled instead.
class Condition::NoticeAwaiter final : public lowlevel::ListWaiter {
public:
    explicit NoticeAwaiter(Condition& condition) noexcept : condition_(condition) {}

    bool await_ready() const noexcept { return false; }
    template <class P>
    void await_suspend(std::coroutine_handle<P>) noexcept {
        condition_.waiters_.park(lowlevel::running_task(), *this);
    }
    std::exception_ptr await_resume() const { return lowlevel::running_task().take_interrupt(); }
    [[nodiscard]] const char* reason() const noexcept override { return "condition"; }

private:
    Condition& condition_;
};

Condition::~Condition() {
    waits_.clear();
}

Coroutine<bool> Condition::wait() {
    if (!locked()) {
        throw RuntimeError("cannot wait on un-acquired lock");
    }
    if (!binding_.matches()) {
        detail::raise_other_loop(repr());
    }
    const Wait call(waits_);
    lock_.release();
    std::exception_ptr error = co_await detail::WaitFor<NoticeAwaiter, Condition>(*this);
    const detail::ScopeShield undisturbed;  // it would be tried again and again
    try {
        for (bool held = false; !held && call.exists();) {
            const Result<bool> acquired = co_await as_result(lock_.acquire());
            held = acquired.has_value();
            if (!held) {
                error = acquired.error();
                if (!acquired.cancelled()) {
                    break;
                }
            }
        }
    } catch (...) {
        error = std::current_exception();  // the lock belongs to another loop
    }
    if (!call.exists() && error == nullptr) {
        std::rethrow_exception(detail::make_gone_error("condition"));
    }
    if (error != nullptr) {
        if (call.exists()) {
            // It may have been the one that was notified: somebody else is, in its place.
            wake(1);
        }
        std::rethrow_exception(error);
    }
    co_return true;
}

void Condition::wake(int n) noexcept {
    while (n > 0 && waiters_.wake_first() != nullptr) {
        --n;
    }
}

std::string Condition::repr() const {
    return detail::object_repr("Condition", this, locked() ? "locked" : "unlocked",
                               waiters_.size());
}

// ------------------------------------------------------------------------------------- Barrier

Barrier::Barrier(int parties) : parties_(parties) {
    if (parties < 1) {
        detail::raise_value_error("parties must be > 0");
    }
}

Coroutine<int> Barrier::wait() {
    const auto held = co_await condition_.scoped();
    const auto may_enter = [this] {
        return state_ != State::draining && state_ != State::resetting;
    };
    co_await condition_.wait_for(may_enter);
    if (state_ == State::broken) {
        throw BrokenBarrierError("Barrier aborted");
    }
    const int index = count_++;
    std::exception_ptr error;
    if (index + 1 == parties_) {
        state_ = State::draining;
        condition_.notify_all();
    } else {
        try {
            const auto filled = [this] { return state_ != State::filling; };
            const Result<bool> waited = co_await as_result(condition_.wait_for(filled));
            error = waited.error();
            if (error == nullptr && state_ != State::draining) {
                throw BrokenBarrierError("Abort or reset of barrier");
            }
        } catch (...) {
            error = std::current_exception();  // that, or there is no memory to wait with
        }
        if (!held) {
            std::rethrow_exception(error);  // the barrier was destroyed
        }
    }
    --count_;
    leave();
    if (error != nullptr) {
        std::rethrow_exception(error);
    }
    co_return index;
}

// The last one out opens the barrier for those who wait outside.
void Barrier::leave() {
    if (count_ == 0) {
        if (state_ == State::resetting || state_ == State::draining) {
            state_ = State::filling;
        }
        condition_.notify_all();
    }
}

Coroutine<> Barrier::reset() {
    const auto held = co_await condition_.scoped();
    state_ = count_ > 0 ? State::resetting : State::filling;
    condition_.notify_all();
}

Coroutine<> Barrier::abort() {
    const auto held = co_await condition_.scoped();
    state_ = State::broken;
    condition_.notify_all();
}

}  // namespace asyncio
