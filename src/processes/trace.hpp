// trace.hpp - where an exception was thrown.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <exception>
#include <string>

namespace asyncio::detail {

/// Is never thrown. Its destructor is defined nowhere, so that its typeinfo is ours to define.
class Tracer {
public:
    virtual ~Tracer();
};

/// The functions that were called when the last exception passed a handler of Tracer: a line for
/// each, the innermost first. Empty if none did.
[[nodiscard]] std::string take_trace();

/// Calls `fn`. What it throws, or null; and where that was.
///
/// An exception looks for its handler before anything is unwound, and asks each on the way whether
/// it handles it. The one of Tracer never does, but notes the stack that it is asked from.
template <class Fn>
std::exception_ptr catch_with_trace(std::string& trace, Fn&& fn) {
    try {
        try {
            fn();
            return nullptr;
        } catch (const Tracer&) {
            throw;
        }
    } catch (...) {
        trace = take_trace();
        return std::current_exception();
    }
}

}  // namespace asyncio::detail
