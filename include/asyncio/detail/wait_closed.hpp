// wait_closed.hpp - what wait_closed() of a server or of a connection is awaited with.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/lowlevel/waiter.hpp>
#include <asyncio/result.hpp>

#include <concepts>
#include <coroutine>
#include <exception>
#include <utility>

namespace asyncio::detail {

/// Waits for an end that comes once: in the list of those who are woken then, unless it has come
/// already.
class [[nodiscard]] WaitClosedAwaiter final : public lowlevel::ListWaiter {
public:
    /// `error` is what awaiting throws at the end, if it is not null by then; the pointer may be.
    WaitClosedAwaiter(bool closed, lowlevel::WaitList& waiters, const std::exception_ptr* error,
                      const char* reason) noexcept
        : waiters_(waiters), error_(error), reason_(reason), closed_(closed) {}
    WaitClosedAwaiter(const WaitClosedAwaiter&) = delete;
    WaitClosedAwaiter& operator=(const WaitClosedAwaiter&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return closed_; }
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P>) noexcept {
        suspended_ = true;
        waiters_.park(lowlevel::running_task(), *this);
    }
    void await_resume() const {
        if (const std::exception_ptr error = outcome()) {
            std::rethrow_exception(error);
        }
    }
    [[nodiscard]] Result<void> await_result() const {
        std::exception_ptr error = outcome();
        return error != nullptr ? Result<void>(std::move(error)) : Result<void>(std::in_place);
    }
    [[nodiscard]] const char* reason() const noexcept override { return reason_; }

private:
    [[nodiscard]] std::exception_ptr outcome() const {
        if (suspended_) {
            if (std::exception_ptr cancelled = lowlevel::running_task().take_interrupt()) {
                return cancelled;
            }
        }
        return error_ != nullptr ? *error_ : nullptr;
    }

    lowlevel::WaitList& waiters_;
    const std::exception_ptr* error_;
    const char* reason_;
    bool closed_;  // already when it was awaited
    bool suspended_ = false;
};

}  // namespace asyncio::detail
