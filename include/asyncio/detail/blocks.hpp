// blocks.hpp - memory for coroutine frames, tasks and handles, recycled by size class.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace asyncio::detail {

/// At least `size` bytes, aligned for any ordinary type. Throws std::bad_alloc.
[[nodiscard]] void* allocate_block(std::size_t size);

/// Gives back what allocate_block(size) gave; from any thread.
void free_block(void* block, std::size_t size) noexcept;

}  // namespace asyncio::detail
