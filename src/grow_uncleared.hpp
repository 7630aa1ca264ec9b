// grow_uncleared.hpp - a longer string for somebody to fill.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

namespace asyncio::detail {

/// Makes `text` that long. What is added to it has any value.
void grow_uncleared(std::string& text, std::size_t size);

}  // namespace asyncio::detail
