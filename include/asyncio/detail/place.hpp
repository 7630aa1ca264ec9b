// place.hpp - a task's place at a lock, a semaphore or a queue, which it keeps until it runs.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/waiter.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>

namespace asyncio::detail {

class LockBase;

/// A task's place at a primitive, from the await at which it is suspended until it runs again,
/// woken or cancelled. It is in a list of the primitive all that time, so that a primitive that is
/// destroyed takes it out: then the task touches it no more.
class Place : public lowlevel::Waiter, public lowlevel::ListHook<Place> {
public:
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

protected:
    friend class Line;
    friend LockBase;

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

/// For a wait in a primitive that has been destroyed meanwhile.
[[nodiscard]] std::exception_ptr make_gone_error(const char* reason);

/// Places in the order in which they were taken, the first of which is woken first.
class Line {
public:
    Line() = default;
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;
    ~Line() {
        waiting_.clear();
        leaving_.clear();
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
    [[nodiscard]] std::size_t size() const noexcept { return waiting_.size() + leaving_.size(); }

private:
    PlaceList waiting_;
    PlaceList leaving_;  // woken or cancelled, have not run since
    std::size_t woken_ = 0;
};

/// What all awaiters that take a place have in common. `Waiter` is a Place with enter(), which
/// suspends, and settle(), which gives the place up; nothing is left to do if it need not wait.
template <class Waiter>
class Settling : public Waiter {
public:
    using Waiter::Waiter;

    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P>) {
        this->enter();
    }

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

}  // namespace asyncio::detail
