// blocks.hpp - memory for coroutine frames, tasks and handles, recycled by size class: a free list
// for each class and thread.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace asyncio::detail {

/// Blocks of one size class, for this thread. It keeps none while `limit` is 0: before its first
/// block was allocated, after the thread's end, and always in a build that is to see every free.
struct FreeList {
    struct Block {
        Block* next;
    };
    Block* first;
    std::uint32_t kept;
    std::uint32_t limit;
};

// A class holds blocks of 16 n + 8 bytes: what malloc gives for that fills its chunk exactly.
inline constexpr std::size_t block_step = 16;
inline constexpr std::size_t largest_recycled = 2040;
inline constexpr std::size_t block_classes = (largest_recycled - 8) / block_step + 1;

extern constinit thread_local FreeList free_lists[block_classes];

constexpr std::size_t block_class(std::size_t size) noexcept {
    return (size + block_step - 9) / block_step;
}

[[nodiscard]] void* allocate_fresh_block(std::size_t size);
void free_unkept_block(void* block) noexcept;

/// At least `size` bytes, aligned for any ordinary type. Throws std::bad_alloc.
[[nodiscard]] inline void* allocate_block(std::size_t size) {
    if (size <= largest_recycled) {
        FreeList& list = free_lists[block_class(size)];
        if (FreeList::Block* const block = list.first; block != nullptr) {
            list.first = block->next;
            --list.kept;
            return block;
        }
    }
    return allocate_fresh_block(size);
}

/// Gives back what allocate_block(size) gave; from any thread.
inline void free_block(void* memory, std::size_t size) noexcept {
    if (size <= largest_recycled) {
        FreeList& list = free_lists[block_class(size)];
        if (list.kept < list.limit) {
            auto* const block = static_cast<FreeList::Block*>(memory);
            block->next = list.first;
            list.first = block;
            ++list.kept;
            return;
        }
    }
    free_unkept_block(memory);
}

}  // namespace asyncio::detail
