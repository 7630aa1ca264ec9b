// futures.hpp - Future<T>: a result that arrives later, and everybody who waits for it.
//
// Mirrors asyncio.futures; differences: docs/parity.md#futures.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/future_base.hpp>
#include <asyncio/lowlevel/waiter.hpp>
#include <asyncio/result.hpp>

#include <cstddef>
#include <exception>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio {

class BaseProtocol;
class BaseTransport;
class Socket;

namespace detail {

[[noreturn]] void raise_empty_future();

class FutureEndAwaiter;

}  // namespace detail

/// Any future or task, without the type of its result. Cheap to copy, empty by default (false);
/// compares and hashes by identity, with Future, Task and AnyTask too. Dropping a handle drops
/// nothing else: a pending task belongs to its loop.
///
/// It can be awaited and gathered as if it were a Future<>: that gives nothing, or throws what the
/// future threw. Its value stays where it is.
///
/// Errors: RuntimeError wherever the handle is empty.
/// Threads: belongs to its loop's thread, as every future and task does.
class AnyFuture {
public:
    using value_type = void;

    AnyFuture() = default;
    AnyFuture(const AnyFuture& other) noexcept : base_(other.base_) {
        if (base_ != nullptr) {
            base_->retain();
        }
    }
    AnyFuture(AnyFuture&& other) noexcept : base_(std::exchange(other.base_, nullptr)) {}
    AnyFuture& operator=(AnyFuture other) noexcept {
        std::swap(base_, other.base_);
        return *this;
    }
    ~AnyFuture() {
        if (base_ != nullptr) {
            base_->release();
        }
    }

    explicit operator bool() const noexcept { return base_ != nullptr; }
    friend bool operator==(const AnyFuture& a, const AnyFuture& b) noexcept {
        return a.base_ == b.base_;
    }

    /// Has it a result or an exception, or was it cancelled?
    [[nodiscard]] bool done() const { return base().done(); }
    [[nodiscard]] bool cancelled() const { return base().cancelled(); }

    /// The exception, null if there is none; the CancelledError is thrown if it was cancelled,
    /// InvalidStateError("Exception is not set.") if it is not done.
    std::exception_ptr exception() const { return base().exception(); }

    /// Throws what it ended with, if that is no value; InvalidStateError if it is not done.
    void result() const {
        base().retrieve();
        if (base().outcome().error != nullptr) {
            std::rethrow_exception(base().outcome().error);
        }
    }
    detail::FutureEndAwaiter operator co_await() const;

    /// Asks for the end; false if it is done already. A plain future is cancelled at once; a task
    /// gets a CancelledError with this message at its await, and may refuse it.
    bool cancel(detail::CancelMessage message = {}) const { return base().cancel(message); }

    /// The task's name; empty for a plain future.
    [[nodiscard]] std::string get_name() const;

    /// Calls `fn(future)` in a turn of the loop after it is done, in the order of registration.
    template <class Fn>
    DoneCallbackToken add_done_callback(Fn&& fn, CallOptions options = {}) const {
        return add_callback<AnyFuture>(std::forward<Fn>(fn), options);
    }
    /// How many callbacks were removed: 1, or 0 if it was not there any more.
    std::size_t remove_done_callback(DoneCallbackToken token) const {
        return base().remove_done_node(token);
    }

    [[nodiscard]] EventLoop& get_loop() const { return base().loop(); }

    /// The object behind the handle, for authors of awaitables; null for an empty one.
    [[nodiscard]] detail::FutureBase* raw() const noexcept { return base_; }
    /// A handle of its own to `base`.
    explicit AnyFuture(detail::FutureBase& base) noexcept : base_(&base) { base.retain(); }

protected:
    struct TakeOver {};
    AnyFuture(TakeOver, detail::FutureBase* base) noexcept : base_(base) {}

    detail::FutureBase& base() const {
        if (base_ == nullptr) {
            detail::raise_empty_future();
        }
        return *base_;
    }

    template <class Self, class Fn>
    DoneCallbackToken add_callback(Fn&& fn, CallOptions options) const {
        using Decayed = std::decay_t<Fn>;
        static_assert(std::is_invocable_v<Decayed&, Self>,
                      "a done callback takes the future: this handle's type, or AnyFuture");
        detail::FutureBase& future = base();
        auto call = [fn = Decayed(std::forward<Fn>(fn)), &future]() mutable {
            static_cast<void>(fn(Self(future)));
        };
        auto* node = detail::HandleNodeOf<detail::DoneNode, decltype(call)>::make(
            future.loop(), false, options.context, std::move(call));
        node->release();  // there is no Handle to it
        return future.add_done_node(*node);
    }

private:
    detail::FutureBase* base_ = nullptr;
};

namespace detail {

/// Awaits the end of a future: the part that does not depend on its type.
class FutureWaiter : public lowlevel::Waiter {
public:
    explicit FutureWaiter(FutureBase& future) noexcept : future_(&future) { future.retain(); }
    FutureWaiter(const FutureWaiter&) = delete;
    FutureWaiter& operator=(const FutureWaiter&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return future_->done(); }
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P>) {
        suspend();
    }

    bool abort(TaskBase& task, CancelMessage message) noexcept override;
    [[nodiscard]] FutureBase* awaited() const noexcept override { return future_; }
    [[nodiscard]] const char* reason() const noexcept override { return "future"; }

protected:
    ~FutureWaiter() { future_->release(); }

    /// Throws if the task was interrupted, or the future has no result to take.
    void check() {
        TaskBase& task = *thread_state.task;
        if (task.interrupted()) {
            settle_interrupt(task);
        }
        future_->retrieve();
    }
    /// The error of both, or null.
    [[nodiscard]] std::exception_ptr check_without_throw();
    [[nodiscard]] FutureBase& future() const noexcept { return *future_; }

private:
    void suspend();
    void settle_interrupt(TaskBase& task);

    FutureBase* future_;
};

/// Of a future whose type is not known: gives nothing.
class [[nodiscard]] FutureEndAwaiter final : public FutureWaiter {
public:
    using FutureWaiter::FutureWaiter;

    void await_resume() {
        check();
        if (future().outcome().error != nullptr) {
            std::rethrow_exception(future().outcome().error);
        }
    }
    Result<void> await_result() {
        std::exception_ptr error = check_without_throw();
        return error != nullptr ? Result<void>(std::move(error)) : Result<void>(std::in_place);
    }
};

template <class T>
class [[nodiscard]] FutureAwaiter final : public FutureWaiter {
public:
    using FutureWaiter::FutureWaiter;

    T await_resume() {
        check();
        return static_cast<Outcome<T>&>(future().outcome()).get();
    }
    Result<T> await_result() {
        if (std::exception_ptr error = check_without_throw()) {
            return Result<T>(std::move(error));
        }
        return Result<T>::of(
            [this]() -> T { return static_cast<Outcome<T>&>(future().outcome()).get(); });
    }
};

}  // namespace detail

inline detail::FutureEndAwaiter AnyFuture::operator co_await() const {
    return detail::FutureEndAwaiter(base());
}

/// A result that somebody will set; a shared handle.
///
///     Future<int> answer = get_running_loop().create_future<int>();
///     ...
///     answer.set_result(42);            // every task that waits in `co_await answer` goes on
///
/// Awaiting it gives a copy of a copyable result, to any number of tasks; what can only be moved
/// goes to the first. Setting a result or exception runs nothing at once: callbacks and waiting
/// tasks are scheduled, in the order in which they came.
///
/// Cancellation: cancelling a task that waits cancels the future; shield() it where that is wrong.
/// Errors: InvalidStateError where there is no result yet, or one already. An exception that nobody
///         ever looked at goes to the loop's exception handler when the last handle is gone.
/// Threads: its loop's thread only.
template <class T>
class Future : public AnyFuture {
public:
    using value_type = T;

    Future() = default;

    T result() const {
        base().retrieve();
        return outcome().get();
    }

    template <class U = T>
        requires(!std::is_void_v<T> && std::is_constructible_v<T, U>)
    void set_result(U&& value) const {
        check_settable("Task does not support set_result operation");
        outcome().emplace(std::forward<U>(value));
        base().finish();
    }
    void set_result() const
        requires std::is_void_v<T>
    {
        check_settable("Task does not support set_result operation");
        outcome().emplace();
        base().finish();
    }
    void set_exception(std::exception_ptr error) const {
        check_settable("Task does not support set_exception operation");
        base().fail(std::move(error));
    }
    template <class E>
        requires(!std::is_same_v<std::decay_t<E>, std::exception_ptr>)
    void set_exception(E&& error) const {
        set_exception(std::make_exception_ptr(std::forward<E>(error)));
    }

    template <class Fn>
    DoneCallbackToken add_done_callback(Fn&& fn, CallOptions options = {}) const {
        return this->template add_callback<Future>(std::forward<Fn>(fn), options);
    }

    detail::FutureAwaiter<T> operator co_await() const { return detail::FutureAwaiter<T>(base()); }

    /// A handle to `base`, which must have a result of type T.
    explicit Future(detail::FutureBase& base) noexcept : AnyFuture(base) {}
    /// Takes over a reference.
    static Future take_over(detail::FutureBase* base) noexcept { return Future(TakeOver{}, base); }

protected:
    using AnyFuture::AnyFuture;

    detail::Outcome<T>& outcome() const {
        return static_cast<detail::Outcome<T>&>(base().outcome());
    }

private:
    void check_settable(const char* refusal) const;
};

/// What the exception handler is told. Only `message` is always there.
struct ExceptionContext {
    std::string message;
    std::exception_ptr exception;
    AnyFuture future;  ///< whose exception nobody retrieved
    AnyFuture task;    ///< that was destroyed while it was pending
    Handle handle;     ///< of the callback that threw
    /// In debug mode, where `future`, `task` or `handle` was made: the awaits that the task that
    /// made it was in, the innermost last.
    std::vector<std::source_location> source_traceback = {};
    /// The async generator that could not be closed: "<async_generator object at app.cpp:12>".
    std::string asyncgen = {};
    /// The listening socket that could not accept. It exists while the handler is called.
    const Socket* socket = nullptr;
    /// The connection that failed, and its protocol. They exist while the handler is called.
    BaseTransport* transport = nullptr;
    BaseProtocol* protocol = nullptr;
};

/// Tells the call graph that `waiter` waits for `future`, where it cannot see that itself: for
/// authors of something like gather(). Every await, and whatever the library has, is seen without.
/// `future` keeps `waiter` until that is taken back, or it goes itself. Nothing if either is empty.
/// (Python 3.14)
void future_add_to_awaited_by(const AnyFuture& future, const AnyFuture& waiter);
/// Takes that back.
void future_discard_from_awaited_by(const AnyFuture& future, const AnyFuture& waiter);

/// Is it a future or a task?
template <class T>
[[nodiscard]] constexpr bool isfuture(const T&) noexcept {
    return std::is_base_of_v<AnyFuture, T>;
}

template <class T>
void Future<T>::check_settable(const char* refusal) const {
    if (base().kind() == detail::FutureBase::Kind::task) {
        detail::raise_runtime_error(refusal);
    }
    base().check_pending();
}

// Inlined, for the test of debug mode makes it a little too large for that: a call costs more.
template <class T>
[[gnu::always_inline]] inline Future<T> EventLoop::create_future(std::source_location site) {
    auto* const future = detail::FutureImpl<T>::make(*this);
    if (debug_) [[unlikely]] {
        future->note_source(site);
    }
    return Future<T>::take_over(future);
}

}  // namespace asyncio

template <>
struct std::hash<asyncio::AnyFuture> {
    std::size_t operator()(const asyncio::AnyFuture& future) const noexcept {
        return std::hash<const void*>{}(future.raw());
    }
};
template <class T>
struct std::hash<asyncio::Future<T>> : std::hash<asyncio::AnyFuture> {};
