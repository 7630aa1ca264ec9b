// fields.hpp - the fields of an aggregate: how many, of which types, and each of them.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

namespace asyncio::detail {

/// Whatever a field may be made of, in braces.
struct AnyField {
    template <class T>
    operator T() const;
};

template <class T, std::size_t... index>
constexpr bool takes(std::index_sequence<index...>) {
    return requires { T{(static_cast<void>(index), AnyField())...}; };
}

inline constexpr std::size_t most_fields = 24;

template <class T, std::size_t count = most_fields>
constexpr std::size_t count_fields() {
    if constexpr (count == 0 || takes<T>(std::make_index_sequence<count>())) {
        return count;
    } else {
        return count_fields<T, count - 1>();
    }
}

/// How many fields an aggregate without base classes has that holds no arrays of C: there is no
/// way to ask for them in C++20 but to try. One with more than most_fields has too many.
template <class T>
inline constexpr std::size_t field_count = count_fields<T>();

/// Calls `fn(field...)` with all fields of `value`.
template <class T, class Fn>
constexpr decltype(auto) visit_fields(T& value, Fn&& fn) {
    constexpr std::size_t count = field_count<std::remove_const_t<T>>;
    if constexpr (count == 1) {
        auto& [a1] = value;
        return fn(a1);
    } else if constexpr (count == 2) {
        auto& [a1, a2] = value;
        return fn(a1, a2);
    } else if constexpr (count == 3) {
        auto& [a1, a2, a3] = value;
        return fn(a1, a2, a3);
    } else if constexpr (count == 4) {
        auto& [a1, a2, a3, a4] = value;
        return fn(a1, a2, a3, a4);
    } else if constexpr (count == 5) {
        auto& [a1, a2, a3, a4, a5] = value;
        return fn(a1, a2, a3, a4, a5);
    } else if constexpr (count == 6) {
        auto& [a1, a2, a3, a4, a5, a6] = value;
        return fn(a1, a2, a3, a4, a5, a6);
    } else if constexpr (count == 7) {
        auto& [a1, a2, a3, a4, a5, a6, a7] = value;
        return fn(a1, a2, a3, a4, a5, a6, a7);
    } else if constexpr (count == 8) {
        auto& [a1, a2, a3, a4, a5, a6, a7, a8] = value;
        return fn(a1, a2, a3, a4, a5, a6, a7, a8);
    } else if constexpr (count == 9) {
        auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9] = value;
        return fn(a1, a2, a3, a4, a5, a6, a7, a8, a9);
    } else if constexpr (count == 10) {
        auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10] = value;
        return fn(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10);
    } else if constexpr (count == 11) {
        auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11] = value;
        return fn(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11);
    } else if constexpr (count == 12) {
        auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12] = value;
        return fn(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12);
    } else if constexpr (count == 13) {
        auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13] = value;
        return fn(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13);
    } else if constexpr (count == 14) {
        auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14] = value;
        return fn(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14);
    } else if constexpr (count == 15) {
        auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15] = value;
        return fn(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15);
    } else if constexpr (count == 16) {
        auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16] = value;
        return fn(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16);
    } else if constexpr (count == 17) {
        auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17] = value;
        return fn(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17);
    } else if constexpr (count == 18) {
        auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18] =
            value;
        return fn(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18);
    } else if constexpr (count == 19) {
        auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18,
               a19] = value;
        return fn(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18,
                  a19);
    } else if constexpr (count == 20) {
        auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19,
               a20] = value;
        return fn(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18,
                  a19, a20);
    } else if constexpr (count == 21) {
        auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19,
               a20, a21] = value;
        return fn(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18,
                  a19, a20, a21);
    } else if constexpr (count == 22) {
        auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19,
               a20, a21, a22] = value;
        return fn(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18,
                  a19, a20, a21, a22);
    } else if constexpr (count == 23) {
        auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19,
               a20, a21, a22, a23] = value;
        return fn(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18,
                  a19, a20, a21, a22, a23);
    } else if constexpr (count == 24) {
        auto& [a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19,
               a20, a21, a22, a23, a24] = value;
        return fn(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18,
                  a19, a20, a21, a22, a23, a24);
    }
}

template <class... F>
struct FieldList {};

template <class T>
using FieldsOf = decltype(visit_fields(
    std::declval<T&>(), []<class... F>(F&...) { return FieldList<std::remove_cv_t<F>...>(); }));

}  // namespace asyncio::detail
