// blocks.cpp - recycled memory for frames: a free list for each size class and thread.
//
// Each block comes from malloc by itself, so that a block may be freed by any thread, a thread that
// ends gives everything back, and tools that watch malloc see what is there.
// SPDX-License-Identifier: MIT
#include <asyncio/detail/blocks.hpp>

#include <asyncio/detail/config.hpp>

#include <cstdint>
#include <cstdlib>
#include <new>

namespace asyncio::detail {

namespace {

// A class holds blocks of 16 n + 8 bytes: what malloc gives for that fills its chunk exactly.
constexpr std::size_t class_step = 16;
constexpr std::size_t largest_recycled = 2048;
constexpr std::size_t classes = largest_recycled / class_step + 1;
constexpr std::uint32_t most_kept = 4096;  // blocks of a class; what is beyond goes back to malloc

struct FreeBlock {
    FreeBlock* next;
};

struct FreeList {
    FreeBlock* first;
    std::uint32_t kept;
    std::uint32_t limit;  // 0 until the first block is allocated, and after the thread's end
};

constinit thread_local FreeList free_lists[classes] = {};
constinit thread_local bool ended = false;

constexpr std::size_t class_of(std::size_t size) noexcept {
    return (size + class_step - 9) / class_step;
}

/// Gives this thread's blocks back when it ends.
struct Reaper {
    ~Reaper() {
        ended = true;
        for (FreeList& list : free_lists) {
            list.limit = 0;
            while (list.first != nullptr) {
                FreeBlock* const block = list.first;
                list.first = block->next;
                std::free(block);
            }
        }
    }
};

[[gnu::noinline]] void* allocate_fresh(FreeList& list, std::size_t size) {
    if (list.limit == 0 && !ended) {
        static thread_local Reaper reaper;
        static_cast<void>(reaper);
        list.limit = most_kept;
    }
    void* const block = std::malloc(size);
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    return block;
}

}  // namespace

void* allocate_block(std::size_t size) {
    const std::size_t index = class_of(size);
    if (!recycle_blocks || index >= classes) {
        void* const block = std::malloc(size);
        if (block == nullptr) {
            throw std::bad_alloc();
        }
        return block;
    }
    FreeList& list = free_lists[index];
    if (FreeBlock* const block = list.first; block != nullptr) {
        list.first = block->next;
        --list.kept;
        return block;
    }
    return allocate_fresh(list, index * class_step + 8);
}

void free_block(void* memory, std::size_t size) noexcept {
    const std::size_t index = class_of(size);
    if (!recycle_blocks || index >= classes || free_lists[index].kept >= free_lists[index].limit) {
        std::free(memory);
        return;
    }
    FreeList& list = free_lists[index];
    auto* const block = static_cast<FreeBlock*>(memory);
    block->next = list.first;
    list.first = block;
    ++list.kept;
}

}  // namespace asyncio::detail
