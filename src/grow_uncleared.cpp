// grow_uncleared.cpp - compiled as C++23, whose strings can be written to before they are cleared.
//
// SPDX-License-Identifier: MIT
#include "grow_uncleared.hpp"

namespace asyncio::detail {

void grow_uncleared(std::string& text, std::size_t size) {
    text.resize_and_overwrite(size, [](char*, std::size_t all) noexcept { return all; });
}

}  // namespace asyncio::detail
