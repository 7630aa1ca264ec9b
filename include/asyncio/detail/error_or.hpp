// error_or.hpp - the Result of a wait that was made without a throw.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/result.hpp>

#include <exception>
#include <utility>

namespace asyncio::detail {

/// `error` if there is one; otherwise `value...`, which is none if T is void.
template <class T, class... Value>
[[nodiscard]] Result<T> error_or(std::exception_ptr error, Value&&... value) {
    if (error != nullptr) {
        return Result<T>(std::move(error));
    }
    return Result<T>(std::in_place, std::forward<Value>(value)...);
}

}  // namespace asyncio::detail
