// file_status.hpp - what the kernel says of a file, as a program sees it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/files.hpp>
#include <asyncio/lowlevel/operation.hpp>

namespace asyncio::detail {

[[nodiscard]] files::Stat to_stat(const lowlevel::FileStatus& status) noexcept;

}  // namespace asyncio::detail
