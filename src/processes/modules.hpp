// modules.hpp - modules of the program and their build ids.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace asyncio::detail {

/// Which program this is, of which build.
[[nodiscard]] const std::string& program_id();

}  // namespace asyncio::detail
