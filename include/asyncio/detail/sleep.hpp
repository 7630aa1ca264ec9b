// sleep.hpp - sleep().
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/error_or.hpp>
#include <asyncio/lowlevel/waiter.hpp>

#include <type_traits>
#include <utility>

namespace asyncio {

namespace detail {

class SleepWaiter : public lowlevel::Waiter {
public:
    explicit SleepWaiter(Duration delay) noexcept : delay_(delay) {}
    SleepWaiter(const SleepWaiter&) = delete;
    SleepWaiter& operator=(const SleepWaiter&) = delete;

    bool await_ready() const noexcept { return false; }
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P>) {
        TaskBase& task = *thread_state.task;
        if (delay_ <= Duration{}) {
            task.wake();  // a bare turn: there is no wait to abort
        } else {
            suspend(task);
        }
    }

    bool abort(TaskBase& task, CancelMessage message) noexcept override;
    [[nodiscard]] const char* reason() const noexcept override { return "sleep"; }

protected:
    ~SleepWaiter() = default;

private:
    void suspend(TaskBase& task);

    Duration delay_;
};

class [[nodiscard]] SleepAwaiter final : public SleepWaiter {
public:
    using SleepWaiter::SleepWaiter;
    void await_resume() const { thread_state.task->throw_if_interrupted(); }
    Result<void> await_result() const {
        return error_or<void>(thread_state.task->take_interrupt());
    }
};

template <class T>
class [[nodiscard]] SleepAwaiterWith final : public SleepWaiter {
public:
    SleepAwaiterWith(Duration delay, T result) : SleepWaiter(delay), result_(std::move(result)) {}
    T await_resume() {
        thread_state.task->throw_if_interrupted();
        return std::move(result_);
    }

private:
    T result_;
};

class [[nodiscard]] Sleep {
public:
    static constexpr bool awaited_by_value = true;

    explicit Sleep(Duration delay) noexcept : delay_(delay) {}
    SleepAwaiter operator co_await() const noexcept { return SleepAwaiter(delay_); }

private:
    Duration delay_;
};

template <class T>
class [[nodiscard]] SleepWith {
public:
    static constexpr bool awaited_by_value = true;

    SleepWith(Duration delay, T result) : delay_(delay), result_(std::move(result)) {}
    SleepAwaiterWith<T> operator co_await() && {
        return SleepAwaiterWith<T>(delay_, std::move(result_));
    }

private:
    Duration delay_;
    T result_;
};

}  // namespace detail

/// Waits for `delay` on the loop's clock; zero or less lets the other ready callbacks run once.
/// An awaiter, not a coroutine: it allocates nothing. A template, because otherwise the sleep() of
/// <unistd.h> would be preferred for an integer.
///
/// Cancellation: ends the sleep at once.
template <class D>
    requires std::is_convertible_v<D, Duration>
[[nodiscard]] detail::Sleep sleep(D delay) {
    return detail::Sleep(Duration(delay));
}

/// The same, giving `result`.
template <class D, class T>
    requires std::is_convertible_v<D, Duration>
[[nodiscard]] detail::SleepWith<std::decay_t<T>> sleep(D delay, T&& result) {
    return detail::SleepWith<std::decay_t<T>>(Duration(delay), std::forward<T>(result));
}

}  // namespace asyncio
