// trace.hpp - where an exception was thrown.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <string>
#include <utility>

namespace asyncio::detail {

/// The functions that this thread is in, the innermost first: a line for each.
[[nodiscard]] std::string stack_trace();

template <class Fn>
std::exception_ptr catch_with_trace(std::string& trace, Fn&& fn) {
    try {
        fn();
        return nullptr;
    } catch (...) {
        trace = "";
        return std::current_exception();
    }
}

}  // namespace asyncio::detail
