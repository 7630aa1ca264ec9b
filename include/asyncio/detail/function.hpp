// function.hpp - UniqueFunction: std::move_only_function for C++20, without the weight of
// <functional>.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include <asyncio/detail/owned.hpp>

namespace asyncio::detail {

template <class Signature>
class UniqueFunction;

/// A callable of any type, owned; empty by default, and false then.
template <class Result, class... Args>
class UniqueFunction<Result(Args...)> {
public:
    UniqueFunction() = default;
    UniqueFunction(std::nullptr_t) noexcept {}

    template <class Fn>
        requires(!std::is_same_v<std::remove_cvref_t<Fn>, UniqueFunction> &&
                 std::is_invocable_r_v<Result, std::decay_t<Fn>&, Args...>)
    UniqueFunction(Fn&& fn) : held_(new Holder<std::decay_t<Fn>>(std::forward<Fn>(fn))) {}

    explicit operator bool() const noexcept { return held_ != nullptr; }

    Result operator()(Args... args) const { return held_->call(std::forward<Args>(args)...); }

private:
    struct Base {
        virtual ~Base() = default;
        virtual Result call(Args... args) = 0;
    };
    template <class Fn>
    struct Holder final : Base {
        template <class F>
        explicit Holder(F&& callable) : fn(std::forward<F>(callable)) {}
        Result call(Args... args) override {
            if constexpr (std::is_void_v<Result>) {
                fn(std::forward<Args>(args)...);
            } else {
                return fn(std::forward<Args>(args)...);
            }
        }
        Fn fn;
    };

    Owned<Base> held_;
};

}  // namespace asyncio::detail
