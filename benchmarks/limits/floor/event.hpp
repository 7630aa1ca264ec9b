// event.hpp - an event with many waiters, each of which can be cancelled.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>

#include "loop.hpp"

namespace limits {

struct Cancelled {};

class Event {
public:
    /// Lies in the frame of the waiting coroutine, linked both ways so that a cancellation takes it
    /// out without a search.
    class Waiter {
    public:
        explicit Waiter(Event& event) noexcept : event_(event) {}

        bool await_ready() const noexcept { return event_.set_; }

        template <class Promise>
        void await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
            ready_.coroutine = coroutine;
            next_ = event_.first_;
            link_ = &event_.first_;
            if (next_ != nullptr) {
                next_->link_ = &next_;
            }
            event_.first_ = this;
            if constexpr (requires { coroutine.promise().waiting_for; }) {
                coroutine.promise().waiting_for = this;
            }
        }

        void await_resume() const {
            if (cancelled_) [[unlikely]] {
                throw Cancelled{};
            }
        }

    private:
        friend Event;

        Event& event_;
        Waiter* next_ = nullptr;
        Waiter** link_ = nullptr;
        Ready ready_;
        bool cancelled_ = false;
    };

    Waiter operator co_await() noexcept { return Waiter(*this); }

    void set() noexcept {
        set_ = true;
        while (Waiter* waiter = first_) {
            first_ = waiter->next_;
            loop.push(waiter->ready_);
        }
    }

    /// Cancels whatever the waiters are part of, one by one. It starts at the waiter, where
    /// cancelling a task arrives: finding the waiter of a task is one pointer, and is left out.
    void cancel_all() noexcept {
        while (Waiter* waiter = first_) {
            *waiter->link_ = waiter->next_;
            if (waiter->next_ != nullptr) {
                waiter->next_->link_ = waiter->link_;
            }
            waiter->cancelled_ = true;
            loop.push(waiter->ready_);
        }
    }

private:
    Waiter* first_ = nullptr;
    bool set_ = false;
};

}  // namespace limits
