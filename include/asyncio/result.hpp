// result.hpp - Result<T>, and as_result(): the outcome of an await as a value.
//
// Python needs neither: it can await in `except` and `finally`. C++ cannot await in a catch
// handler.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>

#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

namespace asyncio {

namespace detail {

/// A Result that is still to be assigned.
struct NoOutcome {
    explicit NoOutcome() = default;
};

[[noreturn]] void raise_no_outcome();

/// The part of a Result that does not depend on its type.
class ResultBase {
public:
    /// Null on success.
    [[nodiscard]] const std::exception_ptr& error() const noexcept { return error_; }
    /// Did it end with CancelledError?
    [[nodiscard]] bool cancelled() const noexcept { return is_cancelled_error(error_); }

protected:
    ResultBase() = default;
    explicit ResultBase(std::exception_ptr&& error) : error_(std::move(error)) {
        if (error_ == nullptr) {
            raise_no_outcome();
        }
    }

    [[noreturn]] void raise() const;

    std::exception_ptr error_;
};

}  // namespace detail

/// A value, which may be a reference, or an exception. Copyable where T is.
template <class T = void>
class [[nodiscard]] Result : public detail::ResultBase {
    static constexpr bool is_reference = std::is_lvalue_reference_v<T>;
    static constexpr bool is_copyable = detail::is_copyable<T>;

public:
    using value_type = T;

    /// `error` must not be null: TypeError.
    explicit Result(std::exception_ptr error) : ResultBase(std::move(error)) {}
    template <class U>
        requires(!is_reference && std::is_constructible_v<T, U>)
    explicit Result(std::in_place_t, U&& value) : value_(std::in_place, std::forward<U>(value)) {}
    template <class U>
        requires(is_reference && std::is_convertible_v<U*, std::remove_reference_t<T>*>)
    explicit Result(std::in_place_t, U& object) noexcept : value_(std::addressof(object)) {}
    explicit Result(detail::NoOutcome) noexcept {}

    Result(const Result&)
        requires(is_copyable)
    = default;
    Result(Result&&) = default;
    Result& operator=(Result other) {  // also of a T that cannot be assigned
        value_.reset();
        error_ = std::move(other.error_);
        if (other.value_.has_value()) {
            value_.emplace(std::move(*other.value_));
        }
        return *this;
    }
    ~Result() = default;

    /// What `fn` returns, or throws.
    template <class Fn>
    static Result of(Fn&& fn) noexcept {
        try {
            return Result(std::in_place, fn());
        } catch (...) {
            return Result(std::current_exception());
        }
    }

    [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }

    /// The value, moved out if it cannot be copied; throws the error if there is none.
    T get() const&
        requires(is_copyable)
    {
        return value();
    }
    T get() & {
        if constexpr (is_copyable) {
            return value();
        } else {
            return std::move(value());
        }
    }
    T get() && { return static_cast<T&&>(value()); }

    /// The value itself; throws the error if there is none.
    std::add_lvalue_reference_t<T> value() {
        check();
        return object(value_);
    }
    std::add_lvalue_reference_t<const T> value() const {
        check();
        return object(value_);
    }
    std::add_lvalue_reference_t<T> operator*() { return value(); }
    std::add_lvalue_reference_t<const T> operator*() const { return value(); }
    auto* operator->() { return std::addressof(value()); }
    auto* operator->() const { return std::addressof(value()); }

private:
    using Stored = std::conditional_t<is_reference, std::remove_reference_t<T>*, T>;

    void check() const {
        if (!value_.has_value()) {
            raise();
        }
    }
    static auto& object(auto& stored) noexcept {
        if constexpr (is_reference) {
            return **stored;
        } else {
            return *stored;
        }
    }

    std::optional<Stored> value_;
};

template <>
class [[nodiscard]] Result<void> : public detail::ResultBase {
public:
    using value_type = void;

    /// `error` must not be null: TypeError.
    explicit Result(std::exception_ptr error) : ResultBase(std::move(error)) {}
    explicit Result(std::in_place_t) noexcept : has_value_(true) {}
    explicit Result(detail::NoOutcome) noexcept {}

    template <class Fn>
    static Result of(Fn&& fn) noexcept {
        try {
            fn();
            return Result(std::in_place);
        } catch (...) {
            return Result(std::current_exception());
        }
    }

    [[nodiscard]] bool has_value() const noexcept { return has_value_; }
    explicit operator bool() const noexcept { return has_value_; }
    /// Throws the error if there is one.
    void get() const {
        if (!has_value_) {
            raise();
        }
    }

private:
    bool has_value_ = false;
};

namespace detail {

template <class A>
concept ResultAwaiter = requires(A& awaiter) { awaiter.await_result(); };

/// Awaits what `A` awaits, and gives its outcome. Awaiters that can tell it without throwing do.
template <class A>
class [[nodiscard]] AsResult {
    using InnerAwaiter = decltype(get_awaiter(std::declval<A>()));
    using Inner = std::remove_reference_t<InnerAwaiter>;
    using Value = AwaitValue<A>;
    static constexpr bool is_elsewhere = std::is_reference_v<InnerAwaiter>;
    // Then an awaiter that refused is not there: most of them need not be asked for that.
    static constexpr bool may_be_missing = !noexcept(get_awaiter(std::declval<A>()));

public:
    explicit AsResult(A&& awaitable) noexcept {
        try {
            if constexpr (is_elsewhere) {
                InnerAwaiter awaiter = get_awaiter(static_cast<A&&>(awaitable));
                inner_ = std::addressof(awaiter);
            } else {
                ::new (static_cast<void*>(&inner_)) Inner(get_awaiter(static_cast<A&&>(awaitable)));
            }
        } catch (...) {
            refused_ = std::current_exception();
        }
    }
    AsResult(const AsResult&) = delete;
    AsResult& operator=(const AsResult&) = delete;
    ~AsResult() {
        if (!may_be_missing || refused_ == nullptr) {
            destroy_inner();
        }
    }

    bool await_ready() noexcept {
        try {
            return (may_be_missing && refused_ != nullptr) || inner().await_ready();
        } catch (...) {
            refuse();
            return true;
        }
    }
    template <class P>
        requires std::derived_from<P, PromiseBase>
    bool await_suspend(std::coroutine_handle<P> coroutine) noexcept {
        check_await_suspend<Inner, P>();
        try {
            if constexpr (std::is_void_v<decltype(inner().await_suspend(coroutine))>) {
                inner().await_suspend(coroutine);
                return true;
            } else {
                return inner().await_suspend(coroutine);
            }
        } catch (...) {
            refuse();
            return false;
        }
    }
    Result<Value> await_resume() {
        if (refused_ != nullptr) {
            return refusal();
        }
        if constexpr (ResultAwaiter<Inner>) {
            return inner().await_result();
        } else {
            return Result<Value>::of([this]() -> Value { return inner().await_resume(); });
        }
    }

private:
    Inner& inner() noexcept {
        if constexpr (is_elsewhere) {
            return *inner_;
        } else {
            return inner_;
        }
    }
    void destroy_inner() noexcept {
        if constexpr (!is_elsewhere) {
            inner_.Inner::~Inner();  // qualified: it is an Inner, virtual or not
        }
    }
    [[gnu::noinline]] Result<Value> refusal() const { return Result<Value>(refused_); }
    void refuse() noexcept {
        refused_ = std::current_exception();
        if constexpr (may_be_missing) {
            destroy_inner();
        }
    }

    union {
        std::conditional_t<is_elsewhere, Inner*, Inner> inner_;
    };
    std::exception_ptr refused_;  // what it threw instead of waiting
};

/// As the awaitable, it is passed by value or by reference. `A` may be a reference.
template <class A>
class [[nodiscard]] AsResultOf {
public:
    static constexpr bool awaited_by_value = Descriptor<A>;

    explicit AsResultOf(A awaitable) : awaitable_(static_cast<A&&>(awaitable)) {}
    AsResult<A> operator co_await() && { return AsResult<A>(static_cast<A&&>(awaitable_)); }

private:
    A awaitable_;
};

}  // namespace detail

/// Awaits `awaitable` and gives a Result; the await never throws. A result that is an lvalue
/// reference stays one. What Python writes as try/finally with an
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
