// with.hpp - with(): Python's `async with` as a function.
//
// A destructor can neither wait nor change an exception, so what an `async with` does at its end
// cannot be a destructor's.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/result.hpp>

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace asyncio {

namespace detail {

/// What entering a resource gives: what aenter() returns, or what awaiting that gives.
template <class R>
struct Entered {
    using Returned = decltype(std::declval<R&>().aenter());
    template <class A>
    struct Await {
        using type = A;
    };
    template <Awaitable A>
    struct Await<A> {
        using type = AwaitResult<A>;
    };
    using type = typename Await<Returned>::type;
};
template <class R>
using EnteredValue = typename Entered<R>::type;

template <class T>
struct EnteredHolder {
    explicit EnteredHolder(T&& value) : value_(std::forward<T>(value)) {}
    T& get() noexcept { return value_; }
    T value_;
};
template <class T>
struct EnteredHolder<T&> {
    explicit EnteredHolder(T& value) : value_(value) {}
    T& get() noexcept { return value_; }
    T& value_;
};
struct EnteredNothing {};

/// A body is called with the entered value, or without.
template <class Body, class T>
decltype(auto) call_body(Body& body, EnteredHolder<T>& entered) {
    if constexpr (std::is_invocable_v<Body&, decltype(entered.get())>) {
        return body(entered.get());
    } else {
        return body();
    }
}
template <class Body>
decltype(auto) call_body(Body& body, EnteredNothing&) {
    static_assert(std::is_invocable_v<Body&>,
                  "entering this resource gives nothing: the body takes no argument");
    return body();
}

template <class R>
using EnteredOf = std::conditional_t<
    std::is_void_v<EnteredValue<R>>, EnteredNothing,
    EnteredHolder<std::conditional_t<std::is_void_v<EnteredValue<R>>, int, EnteredValue<R>>>>;

template <class R, class Body>
using BodyReturn = decltype(call_body(std::declval<Body&>(), std::declval<EnteredOf<R>&>()));

template <class T>
struct BodyResultOf {
    using type = std::conditional_t<std::is_lvalue_reference_v<T>, T, std::remove_cvref_t<T>>;
};
template <Awaitable T>
struct BodyResultOf<T> {
    using type = AwaitValue<T>;
};
template <class R, class Body>
using BodyResult = typename BodyResultOf<BodyReturn<R, Body>>::type;

/// The body as a coroutine's result or a call's.
template <class R, class Body>
Coroutine<BodyResult<R, Body>> run_body(Body& body, EnteredOf<R>& entered) {
    if constexpr (Awaitable<BodyReturn<R, Body>>) {
        co_return co_await call_body(body, entered);
    } else {
        co_return call_body(body, entered);
    }
}

/// `Held` is a reference to the resource, or the resource itself.
template <class Held, class Body>
auto with_resource(Held held, Body body)
    -> Coroutine<BodyResult<std::remove_reference_t<Held>, Body>> {
    using R = std::remove_reference_t<Held>;
    using T = BodyResult<R, Body>;
    R& resource = held;
    std::optional<EnteredOf<R>> entered;
    if constexpr (std::is_void_v<EnteredValue<R>>) {
        if constexpr (Awaitable<typename Entered<R>::Returned>) {
            co_await resource.aenter();
        } else {
            resource.aenter();
        }
        entered.emplace();
    } else if constexpr (Awaitable<typename Entered<R>::Returned>) {
        entered.emplace(co_await resource.aenter());
    } else {
        entered.emplace(resource.aenter());
    }
    Result<T> result{NoOutcome()};
    try {
        result = co_await as_result(run_body<R>(body, *entered));
    } catch (...) {
        result = Result<T>(std::current_exception());  // no memory for the frame of the body
    }
    std::exception_ptr error = result.error();
    bool swallow = false;
    if constexpr (Awaitable<decltype(resource.aexit(error))>) {
        auto&& leaving = resource.aexit(error);
        swallow = co_await std::forward<decltype(leaving)>(leaving);
    } else {
        swallow = resource.aexit(error);
    }
    if (result.error() != nullptr && swallow) {
        if constexpr (std::is_void_v<T>) {
            co_return;
        } else {
            raise_runtime_error(
                "the exit of with() swallowed the exception of a body that owes a value");
        }
    }
    co_return std::move(result).get();
}

}  // namespace detail

/// Enters `resource`, runs `body`, and awaits the exit, whatever happened. What `body` gives is
/// what the await gives; a reference must be to something that outlives the resource.
///
///     co_await with(lock, [&]() -> Coroutine<> { co_await work(); });
///
/// `resource` is referenced if it is an lvalue, otherwise kept. It has `aenter()`, which gives an
/// awaitable or a value, and `aexit(std::exception_ptr)`, which gives a bool or an awaitable one:
/// true swallows the exception (RuntimeError where the body owes a value). `body` may be a plain
/// function or give an awaitable, and may take what entering gave.
///
/// On g++ 12 let the body capture by reference, or name it first: see docs/tutorial/compilers.md.
template <class R, class Body>
[[nodiscard]] auto with(R&& resource, Body&& body) {
    using Held = std::conditional_t<std::is_lvalue_reference_v<R>, R, std::remove_cvref_t<R>>;
    return detail::with_resource<Held, std::decay_t<Body>>(std::forward<R>(resource),
                                                           std::forward<Body>(body));
}

}  // namespace asyncio
