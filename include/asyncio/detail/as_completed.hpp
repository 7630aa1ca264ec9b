// as_completed.hpp - as_completed(): several awaitables concurrently, each as soon as it is done.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/config.hpp>
#include <asyncio/detail/gather.hpp>
#include <asyncio/detail/owned.hpp>
#include <asyncio/lowlevel/waiter.hpp>
#include <asyncio/result.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio {

/// Keyword arguments of as_completed().
struct AsCompletedOptions {
    std::optional<Duration> timeout = std::nullopt;  ///< nullopt: as long as it takes
};
static_assert(detail::trivially_destructible<AsCompletedOptions>);

namespace detail {

class CompletionsWaiter;

/// What an AsCompleted and all that it gave share: the futures, which of them are done, in order,
/// and the tasks that wait for the next one.
class Completions {
public:
    Completions(EventLoop& loop, const std::vector<AnyFuture>& futures,
                std::optional<Duration> timeout);
    Completions(const Completions&) = delete;
    Completions& operator=(const Completions&) = delete;
    ~Completions();

    /// Promises the next future to who asks; false if all are promised.
    bool claim() noexcept { return unclaimed_ > 0 && unclaimed_-- > 0; }

private:
    friend CompletionsWaiter;

    struct Node : lowlevel::Callback {
        Node() noexcept : Callback(&future_done) {}
        Completions* owner = nullptr;
        AnyFuture future;
    };
    struct TimeUp : lowlevel::Callback {
        explicit TimeUp(Completions& completions) noexcept
            : Callback(&time_up), owner(completions) {}
        Completions& owner;
    };

    static void future_done(lowlevel::Callback& callback);
    static void time_up(lowlevel::Callback& callback);
    void give(FutureBase* future) noexcept;
    void wake_next() noexcept;
    [[nodiscard]] bool has_some() const noexcept { return taken_ < done_.size(); }

    EventLoop& loop_;
    std::uint64_t loop_serial_;
    Owned<Node[]> nodes_;
    std::size_t size_ = 0;
    std::size_t pending_ = 0;
    std::size_t unclaimed_ = 0;
    std::vector<FutureBase*> done_;  // null: the time was up
    std::size_t taken_ = 0;          // of these
    lowlevel::CallbackList waiting_;
    TimeUp time_up_{*this};
};

/// A task that waits for the next future that is done. To be woken is a hint, as in a queue: who
/// did not have to wait may have been quicker. So it is this callback that is scheduled; it looks
/// again and goes back to wait, or runs the task in its place, in the same turn.
class CompletionsWaiter : public lowlevel::Waiter, public lowlevel::Callback {
public:
    CompletionsWaiter(std::shared_ptr<Completions> completions, bool claimed) noexcept
        : Callback(&run_woken), completions_(std::move(completions)), claimed_(claimed) {}
    CompletionsWaiter(const CompletionsWaiter&) = delete;
    CompletionsWaiter& operator=(const CompletionsWaiter&) = delete;

    [[nodiscard]] bool await_ready() noexcept {
        claimed_ = claimed_ || completions_->claim();
        return !claimed_ || completions_->has_some();
    }
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P>) {
        suspend();
    }

    bool abort(TaskBase& task, CancelMessage message) noexcept override;
    [[nodiscard]] const char* reason() const noexcept override { return "as_completed"; }
    /// As a QueueWaiter's.
    [[nodiscard]] static TaskBase* woken_task(const Callback& callback) noexcept;
    [[nodiscard]] static TaskBase* task_to_run(const Callback& callback) noexcept;

protected:
    ~CompletionsWaiter() {
        if (linked()) {
            unlink();
        }
    }

    /// Is there nothing to wait for any more?
    [[nodiscard]] bool at_end() const noexcept { return !claimed_; }
    /// The future; CancelledError or TimeoutError.
    FutureBase& take();
    /// The same without a throw: null and the error.
    FutureBase* take(std::exception_ptr& error);

private:
    friend Completions;

    static void run_woken(Callback& callback);
    [[nodiscard]] bool waits_on() const noexcept;
    void suspend();
    void pass_on() noexcept;

    std::shared_ptr<Completions> completions_;
    TaskBase* task_ = nullptr;
    bool claimed_;
    bool woken_ = false;
    bool cancelled_late_ = false;  // after it was woken
};

template <class F>
class [[nodiscard]] NextFutureAwaiter final : public CompletionsWaiter {
public:
    explicit NextFutureAwaiter(std::shared_ptr<Completions> completions) noexcept
        : CompletionsWaiter(std::move(completions), false) {}

    std::optional<F> await_resume() {
        return at_end() ? std::nullopt : std::optional<F>(F(take()));
    }
    Result<std::optional<F>> await_result() {
        if (at_end()) {
            return Result<std::optional<F>>(std::in_place, std::nullopt);
        }
        std::exception_ptr error;
        FutureBase* const future = take(error);
        return future == nullptr ? Result<std::optional<F>>(std::move(error))
                                 : Result<std::optional<F>>(std::in_place, F(*future));
    }
};

/// What next() gives.
template <class F>
class [[nodiscard]] NextFuture {
public:
    explicit NextFuture(std::shared_ptr<Completions> completions) noexcept
        : completions_(std::move(completions)) {}
    NextFutureAwaiter<F> operator co_await() const noexcept {
        return NextFutureAwaiter<F>(completions_);
    }

private:
    std::shared_ptr<Completions> completions_;
};

template <class F>
class [[nodiscard]] NextResultAwaiter final : public CompletionsWaiter {
    using Value = typename F::value_type;

public:
    explicit NextResultAwaiter(std::shared_ptr<Completions> completions) noexcept
        : CompletionsWaiter(std::move(completions), true) {}

    Value await_resume() { return F(take()).result(); }
    Result<Value> await_result() {
        std::exception_ptr error;
        FutureBase* const future = take(error);
        if (future == nullptr) {
            return Result<Value>(std::move(error));
        }
        return Result<Value>::of([future]() -> Value { return F(*future).result(); });
    }
};

/// What an AsCompleted gives in a `for`: awaited once.
template <class F>
class [[nodiscard]] NextResult {
public:
    explicit NextResult(std::shared_ptr<Completions> completions) noexcept
        : completions_(std::move(completions)) {}
    NextResult(NextResult&&) noexcept = default;
    NextResult& operator=(NextResult&&) noexcept = default;
    ~NextResult() = default;

    NextResultAwaiter<F> operator co_await() {
        if (completions_ == nullptr) {
            raise_awaited_again();
        }
        return NextResultAwaiter<F>(std::move(completions_));
    }

private:
    std::shared_ptr<Completions> completions_;
};

}  // namespace detail

/// What as_completed() gives: its futures, each when it is done. Cheap to copy; copies share what
/// is left. Dropping it changes nothing for the futures.
///
/// `F` is the kind of handle that it gives: AnyFuture where the results are of different types.
///
/// Cancellation: ends the wait, and loses the place of one future: there is one less to come.
template <class T = void, class F = Future<T>>
class AsCompleted {
public:
    /// What a range-for gives: awaited, once, for the result of the next future.
    using Next = detail::NextResult<F>;

    class Iterator {
    public:
        using value_type = Next;
        using difference_type = std::ptrdiff_t;

        explicit Iterator(std::shared_ptr<detail::Completions> completions) noexcept
            : completions_(std::move(completions)), claimed_(completions_->claim()) {}
        [[nodiscard]] Next operator*() const noexcept { return Next(completions_); }
        Iterator& operator++() noexcept {
            claimed_ = completions_->claim();
            return *this;
        }
        void operator++(int) noexcept { ++*this; }
        bool operator==(std::default_sentinel_t) const noexcept { return !claimed_; }

    private:
        std::shared_ptr<detail::Completions> completions_;
        bool claimed_;
    };

    /// Awaited, gives the next future that is done, an argument of as_completed() or the task made
    /// of it; nullopt after the last. Throws TimeoutError for each that is missing when the time is
    /// up.
    [[nodiscard]] detail::NextFuture<F> next() const noexcept {
        return detail::NextFuture<F>(completions_);
    }

    [[nodiscard]] Iterator begin() const noexcept { return Iterator(completions_); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    explicit AsCompleted(std::shared_ptr<detail::Completions> completions) noexcept
        : completions_(std::move(completions)) {}

private:
    std::shared_ptr<detail::Completions> completions_;
};

namespace detail {

template <class A>
using EnsuredFuture =
    std::remove_cvref_t<decltype(ensure_future_on(std::declval<EventLoop&>(), std::declval<A>()))>;
template <class F>
inline constexpr bool is_untyped = std::is_same_v<F, AnyFuture> || std::is_same_v<F, AnyTask>;

/// The AsCompleted of futures of these types.
template <class First, class... Others>
struct AsCompletedTraits {
    static constexpr bool alike =
        !is_untyped<First> && (!is_untyped<Others> && ...) &&
        (std::is_same_v<typename First::value_type, typename Others::value_type> && ...);
    using type = std::conditional_t<alike, AsCompleted<typename First::value_type>,
                                    AsCompleted<void, AnyFuture>>;
};
template <class... F>
using AsCompletedOf = typename AsCompletedTraits<F...>::type;

template <class A>
auto as_completed_vector(std::vector<A> awaitables, std::optional<Duration> timeout) {
    EventLoop& loop = get_running_loop();
    std::vector<AnyFuture> futures;
    futures.reserve(awaitables.size());
    for (A& awaitable : awaitables) {
        futures.push_back(ensure_future_on(loop, std::move(awaitable)));
    }
    return AsCompletedOf<EnsuredFuture<A>>(std::make_shared<Completions>(loop, futures, timeout));
}

}  // namespace detail

/// Runs the awaitables concurrently (coroutines become tasks at once, in order) and gives them in
/// the order in which they are done. Either the futures, so that one can tell which it is:
///
///     auto completed = as_completed(tasks, {.timeout = 5s});
///     while (auto task = co_await completed.next()) {
///         use(co_await *task);
///     }
///
/// or their results:
///
///     for (auto next : as_completed(tasks)) {
///         use(co_await next);
///     }
///
/// What is given twice counts once. The futures go on when the time is up, or when nobody waits any
/// more.
///
/// Errors: RuntimeError if no loop runs; std::invalid_argument for a future of another loop;
///         TimeoutError at the await, for each future that is not done in time.
template <detail::Gatherable A>
[[nodiscard]] auto as_completed(std::vector<A> awaitables, AsCompletedOptions options = {}) {
    return detail::as_completed_vector(std::move(awaitables), options.timeout);
}
template <detail::Gatherable A>
[[nodiscard]] auto as_completed(std::vector<A> awaitables, std::optional<Duration> timeout) {
    return detail::as_completed_vector(std::move(awaitables), timeout);
}

/// The same of these awaitables; AnyFutures if their results are of different types.
template <detail::Gatherable... A>
    requires(sizeof...(A) > 0)
[[nodiscard]] auto as_completed(AsCompletedOptions options, A&&... awaitables) {
    EventLoop& loop = get_running_loop();
    std::vector<AnyFuture> futures;
    futures.reserve(sizeof...(A));
    (futures.push_back(detail::ensure_future_on(loop, std::forward<A>(awaitables))), ...);
    return detail::AsCompletedOf<detail::EnsuredFuture<A>...>(
        std::make_shared<detail::Completions>(loop, futures, options.timeout));
}
template <detail::Gatherable... A>
    requires(sizeof...(A) > 0)
[[nodiscard]] auto as_completed(A&&... awaitables) {
    return as_completed(AsCompletedOptions(), std::forward<A>(awaitables)...);
}

}  // namespace asyncio
