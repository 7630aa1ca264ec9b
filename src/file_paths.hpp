// file_paths.hpp - paths that can be handed to the system.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace asyncio::detail {

/// A copy, with its end. std::invalid_argument if there is one in the middle.
[[nodiscard]] std::string checked_path(std::string_view path);

}  // namespace asyncio::detail
