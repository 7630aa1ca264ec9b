// receive_text.cpp - compiled as C++23, whose strings can be written to before they are cleared.
//
// SPDX-License-Identifier: MIT
#include "receive_text.hpp"

#include <asyncio/events.hpp>

namespace asyncio::detail {

bool receive_text(EventLoop& loop, lowlevel::Operation& operation, std::size_t size,
                  std::string& text) {
    bool attempted = false;
    const auto receive = [&](char* memory, std::size_t) noexcept {
        operation.data = memory;
        operation.size = size;
        attempted = loop.attempt(operation);
        return attempted && operation.result > 0 ? static_cast<std::size_t>(operation.result) : 0;
    };
    text.resize_and_overwrite(size, receive);
    return attempted;
}

}  // namespace asyncio::detail
