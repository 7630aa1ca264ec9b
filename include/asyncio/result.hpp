// result.hpp - Result<T>, and as_result(): the outcome of an await as a value.
//
// Python needs neither: it can await in `except` and `finally`. C++ cannot await in a catch
// handler. SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace asyncio {

/// A value or an exception. Copyable where T is.
template <class T = void>
class [[nodiscard]] Result {
public:
    using value_type = T;

    explicit Result(std::exception_ptr error) noexcept : error_(std::move(error)) {}
    template <class U>
        requires(!std::is_void_v<T> && std::is_constructible_v<T, U> &&
                 !std::is_same_v<std::remove_cvref_t<U>, Result>)
    explicit Result(std::in_place_t, U&& value) : value_(std::in_place, std::forward<U>(value)) {}
    explicit Result(std::in_place_t)
        requires std::is_void_v<T>
        : value_(std::in_place) {}

    /// What `fn` returns, or throws.
    template <class Fn>
    static Result of(Fn&& fn) noexcept {
        try {
            if constexpr (std::is_void_v<T>) {
                fn();
                return Result(std::in_place);
            } else {
                return Result(std::in_place, fn());
            }
        } catch (...) {
            return Result(std::current_exception());
        }
    }

    [[nodiscard]] bool has_value() const noexcept { return error_ == nullptr; }
    explicit operator bool() const noexcept { return has_value(); }
    /// Null on success.
    [[nodiscard]] const std::exception_ptr& error() const noexcept { return error_; }
    /// Did it end with CancelledError?
    [[nodiscard]] bool cancelled() const noexcept { return detail::is_cancelled_error(error_); }

    /// The value; throws the error if there is none.
    T get() const&
        requires(std::is_void_v<T> || std::is_copy_constructible_v<T>)
    {
        if (error_ != nullptr) {
            std::rethrow_exception(error_);
        }
        if constexpr (!std::is_void_v<T>) {
            return *value_;
        }
    }
    T get() && requires(!std::is_void_v<T>) { return std::move(value()); } T get() &
                   requires(!std::is_void_v<T> && !std::is_copy_constructible_v<T>) {
                       return std::move(value());
                   } auto& value()
                       requires(!std::is_void_v<T>)
    {
        throw_error();
        return *value_;
    }
    const auto& value() const
        requires(!std::is_void_v<T>)
    {
        throw_error();
        return *value_;
    }
    auto& operator*()
        requires(!std::is_void_v<T>)
    {
        return value();
    }
    const auto& operator*() const
        requires(!std::is_void_v<T>)
    {
        return value();
    }
    auto* operator->()
        requires(!std::is_void_v<T>)
    {
        return &value();
    }

private:
    void throw_error() const {
        if (error_ != nullptr) {
            std::rethrow_exception(error_);
        }
    }

    std::exception_ptr error_;
    std::optional<detail::NotVoid<T>> value_;
};

namespace detail {

template <class A>
concept ResultAwaiter = requires(A& awaiter) { awaiter.await_result(); };

/// Awaits what `A` awaits, and gives its outcome. Awaiters that can tell it without throwing do.
template <class A>
class [[nodiscard]] AsResult {
    using InnerAwaiter = decltype(get_awaiter(std::declval<A>()));
    using Value = std::remove_cvref_t<AwaitResult<A>>;

public:
    explicit AsResult(A&& awaitable) : inner_(get_awaiter(static_cast<A&&>(awaitable))) {}
    AsResult(const AsResult&) = delete;
    AsResult& operator=(const AsResult&) = delete;

    bool await_ready() noexcept {
        try {
            return inner_.await_ready();
        } catch (...) {
            refused_ = std::current_exception();
            return true;
        }
    }
    template <class P>
        requires std::derived_from<P, PromiseBase>
    bool await_suspend(std::coroutine_handle<P> coroutine) noexcept {
        try {
            inner_.await_suspend(coroutine);
            return true;
        } catch (...) {
            refused_ = std::current_exception();
            return false;
        }
    }
    Result<Value> await_resume() {
        if (refused_ != nullptr) {
            return Result<Value>(std::move(refused_));
        }
        if constexpr (ResultAwaiter<std::remove_reference_t<InnerAwaiter>>) {
            return inner_.await_result();
        } else {
            return Result<Value>::of([this]() -> Value { return inner_.await_resume(); });
        }
    }

private:
    InnerAwaiter inner_;
    std::exception_ptr refused_;  // what it threw instead of waiting
};

template <class A>
class [[nodiscard]] AsResultOf {
public:
    explicit AsResultOf(A awaitable) : awaitable_(std::move(awaitable)) {}
    AsResult<A> operator co_await() && { return AsResult<A>(std::move(awaitable_)); }

private:
    A awaitable_;
};

}  // namespace detail

/// Awaits `awaitable` and gives a Result: never throws. What Python writes as try/finally with an
/// await in the cleanup:
///
///     auto result = co_await as_result(work());
///     co_await connection.close();         // on success, error and cancellation
///     co_return result.get();              // the value, or throws
///
/// Cancellation: a CancelledError becomes part of the Result like any other error; rethrow it, or
/// the task is not cancelled.
template <class A>
auto as_result(A&& awaitable) {
    if constexpr (detail::Awaitable<std::decay_t<A>>) {
        return detail::AsResultOf<std::decay_t<A>>(std::forward<A>(awaitable));
    } else {
        using C = decltype(detail::as_coroutine(std::forward<A>(awaitable)));
        return detail::AsResultOf<C>(detail::as_coroutine(std::forward<A>(awaitable)));
    }
}

}  // namespace asyncio
