// report.hpp - the text of what is reported, where there is memory for it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/futures.hpp>

#include <new>

namespace asyncio::detail {

/// `make()` as the message of `context`, which is reported without one if there is no memory: what
/// is reported is the more important.
template <class Make>
void set_message(ExceptionContext& context, Make make) {
    try {
        context.message = make();
    } catch (const std::bad_alloc&) {}
}

}  // namespace asyncio::detail
