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

/// `Held` is a reference to the resource, or the resource itself.
template <class Held, class Body>
auto with_resource(Held held, Body body)
    -> Coroutine<BodyResult<std::remove_reference_t<Held>, Body>> {
    using R = std::remove_reference_t<Held>;
    using T = BodyResult<R, Body>;
    using Given = BodyReturn<R, Body>;
    R& resource = held;

    std::optional<EnteredOf<R>> entered;
    if constexpr (!Awaitable<typename Entered<R>::Returned>) {
        if constexpr (std::is_void_v<EnteredValue<R>>) {
            resource.aenter();
            entered.emplace();
        } else {
            entered.emplace(resource.aenter());
        }
    } else if constexpr (std::is_void_v<EnteredValue<R>>) {
        co_await resource.aenter();
        entered.emplace();
    } else {
        entered.emplace(co_await resource.aenter());
    }

    Result<T> result{NoOutcome()};
    if constexpr (Awaitable<Given>) {
        try {
            Given&& work = call_body(body, *entered);
            result = co_await AsResultOf<Given&&>(static_cast<Given&&>(work));
        } catch (...) {
            result = Result<T>(std::current_exception());
        }
    } else {
        result = Result<T>::of([&]() -> Given { return call_body(body, *entered); });
    }

    bool swallow = false;
    if constexpr (Awaitable<decltype(resource.aexit(result.error()))>) {
        swallow = co_await resource.aexit(result.error());
    } else {
        swallow = resource.aexit(result.error());
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
