// wait.hpp - wait() and wait_for().
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/config.hpp>
#include <asyncio/detail/error_or.hpp>
#include <asyncio/detail/owned.hpp>
#include <asyncio/detail/task.hpp>
#include <asyncio/timeouts.hpp>

#include <optional>
#include <span>
#include <vector>

namespace asyncio {

/// When wait() returns.
enum class ReturnWhen { first_completed, first_exception, all_completed };
inline constexpr ReturnWhen FIRST_COMPLETED = ReturnWhen::first_completed;
inline constexpr ReturnWhen FIRST_EXCEPTION = ReturnWhen::first_exception;
inline constexpr ReturnWhen ALL_COMPLETED = ReturnWhen::all_completed;

/// What wait() gives, each in the order of its argument.
struct DoneAndPending {
    std::vector<AnyFuture> done;
    std::vector<AnyFuture> pending;
};

/// Keyword arguments of wait().
struct WaitOptions {
    std::optional<Duration> timeout = std::nullopt;  ///< nullopt: as long as it takes
    ReturnWhen return_when = ALL_COMPLETED;
};
static_assert(detail::trivially_destructible<WaitOptions>);

namespace detail {

/// Waits until enough of some futures are done; cancelling the wait leaves them alone.
class [[nodiscard]] CompletionWaiter final : public lowlevel::Waiter {
    using Callback = lowlevel::Callback;

public:
    CompletionWaiter(std::span<const AnyFuture> futures, WaitOptions options);
    CompletionWaiter(const CompletionWaiter&) = delete;
    CompletionWaiter& operator=(const CompletionWaiter&) = delete;
    ~CompletionWaiter() { detach(); }

    bool await_ready() const noexcept { return false; }
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P>) {
        suspend();
    }
    void await_resume() {
        detach();
        task_.throw_if_interrupted();
    }
    Result<void> await_result() {
        detach();
        return error_or<void>(task_.take_interrupt());
    }

    bool abort(TaskBase& task, CancelMessage message) noexcept override;
    [[nodiscard]] const char* reason() const noexcept override { return "wait"; }

    /// Is `callback`, in the list of a future, of a CompletionWaiter? Then the task that waits.
    static TaskBase* waiting_task(const Callback& callback) noexcept;

private:
    struct Node : lowlevel::Callback {
        Node() noexcept : Callback(&future_done) {}
        CompletionWaiter* owner = nullptr;
        FutureBase* future = nullptr;
    };
    struct TimeUp : lowlevel::Callback {
        explicit TimeUp(CompletionWaiter& waiter) noexcept : Callback(&time_up), owner(waiter) {}
        CompletionWaiter& owner;
    };

    static void future_done(Callback& callback);
    static void time_up(Callback& callback);

    void suspend();
    void detach() noexcept;
    void wake() noexcept;

    TaskBase& task_;
    Owned<Node[]> nodes_;
    std::size_t size_;
    std::size_t left_;
    WaitOptions options_;
    bool woken_ = false;
    TimeUp time_up_{*this};
};

class [[nodiscard]] Completion {
public:
    Completion(std::span<const AnyFuture> futures, WaitOptions options) noexcept
        : futures_(futures), options_(options) {}
    CompletionWaiter operator co_await() const { return CompletionWaiter(futures_, options_); }

private:
    std::span<const AnyFuture> futures_;
    WaitOptions options_;
};

/// Cancels a future and waits for its end.
Coroutine<> cancel_and_wait(AnyFuture future);

/// wait() without duplicates; the arguments are checked.
Coroutine<DoneAndPending> wait_for_some(std::vector<AnyFuture> futures, WaitOptions options);

template <class A>
auto wait_for_coroutine(A awaitable, std::optional<Duration> delay) -> Coroutine<AwaitValue<A>> {
    if (delay.has_value() && *delay <= Duration{}) {
        auto future = ensure_future(std::move(awaitable));
        if (future.done()) {
            co_return future.result();
        }
        co_await cancel_and_wait(future);
        try {
            co_return future.result();
        } catch (const CancelledError&) {
            throw TimeoutError();
        }
    }
    Timeout timeout_now = timeout(delay);
    timeout_now.enter();
    auto result = co_await as_result(std::move(awaitable));
    timeout_now.exit(result.error());
    co_return std::move(result).get();
}

}  // namespace detail

/// Waits for futures and tasks until all are done, the first is, or the first fails, or the time is
/// up; which are done by then. It neither cancels them nor throws what they throw.
///
///     auto [done, pending] = co_await wait(tasks, {.timeout = 5s, .return_when =
///     FIRST_COMPLETED});
///
/// Cancellation: ends the wait; the tasks go on.
/// Errors: std::invalid_argument("Set of Tasks/Futures is empty."); RuntimeError for an empty
/// handle.
template <class F>
    requires std::is_base_of_v<AnyFuture, F>
Coroutine<DoneAndPending> wait(const std::vector<F>& futures, WaitOptions options = {}) {
    return detail::wait_for_some(std::vector<AnyFuture>(futures.begin(), futures.end()), options);
}
[[nodiscard]] inline Coroutine<DoneAndPending> wait(std::vector<AnyFuture> futures,
                                                    WaitOptions options = {}) {
    return detail::wait_for_some(std::move(futures), options);
}

/// `awaitable` with a time limit: cancels it when the time is up, waits until it has ended, and
/// throws TimeoutError, unless it ended with a result or another error after all. A coroutine runs
/// in the caller's task.
///
/// With a limit of zero or less a coroutine is not begun. Without one (std::nullopt) it waits as
/// long as it takes.
/// Cancellation: passed on to the awaitable.
template <class A>
auto wait_for(A&& awaitable, std::optional<Duration> delay) {
    if constexpr (detail::Awaitable<std::decay_t<A>>) {
        return detail::wait_for_coroutine<std::decay_t<A>>(std::forward<A>(awaitable), delay);
    } else {
        return detail::wait_for_coroutine(detail::as_coroutine(std::forward<A>(awaitable)), delay);
    }
}

}  // namespace asyncio
