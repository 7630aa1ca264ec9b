// event.hpp - how tasks wait for an Event.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/error_or.hpp>
#include <asyncio/detail/primitive.hpp>
#include <asyncio/lowlevel/waiter.hpp>

#include <concepts>
#include <coroutine>
#include <exception>
#include <string>
#include <type_traits>
#include <utility>

namespace asyncio::detail {

class EventWaiter;

/// What an Event is made of.
class EventBase {
public:
    EventBase(const EventBase&) = delete;
    EventBase& operator=(const EventBase&) = delete;

protected:
    EventBase() = default;
    ~EventBase() = default;

    lowlevel::WaitList waiters_;
    bool set_ = false;

private:
    friend EventWaiter;

    [[nodiscard]] std::string repr() const;

    LoopBinding binding_;
};

/// The task itself is in the event's list, and looks at nothing there when it has been woken: no
/// Place, for there may be a million.
class EventWaiter : public lowlevel::ListWaiter {
public:
    explicit EventWaiter(EventBase& event) noexcept : event_(event) {}

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

    EventBase& event_;
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
        std::exception_ptr error = lowlevel::running_task().take_interrupt();
        if constexpr (std::is_void_v<Value>) {
            return error_or<void>(std::move(error));
        } else {
            return error_or<Value>(std::move(error), true);
        }
    }
};

}  // namespace asyncio::detail
