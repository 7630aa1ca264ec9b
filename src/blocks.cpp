// blocks.cpp - where recycled blocks come from and go to.
//
// Each block comes from malloc by itself, so that a block may be freed by any thread, a thread that
// ends gives everything back, and tools that watch malloc see what is there.
// SPDX-License-Identifier: MIT
#include <asyncio/detail/blocks.hpp>

#include <asyncio/detail/config.hpp>

#include <cstdlib>
#include <new>

namespace asyncio::detail {

constinit thread_local FreeList free_lists[block_classes] = {};

namespace {

constexpr std::uint32_t most_kept = 4096;  // blocks of a class; what is beyond goes back to malloc

constinit thread_local bool ended = false;

/// Gives this thread's blocks back when it ends.
struct Reaper {
    ~Reaper() {
        ended = true;
        for (FreeList& list : free_lists) {
            list.limit = 0;
            while (list.first != nullptr) {
                FreeList::Block* const block = list.first;
                list.first = block->next;
                std::free(block);
            }
        }
    }
};

/// Lets this thread keep blocks of the class, unless it is about to end.
void begin_keeping(FreeList& list) {
    if (!ended) {
        static thread_local Reaper reaper;
        static_cast<void>(reaper);
        list.limit = most_kept;
    }
}

}  // namespace

void* allocate_fresh_block(std::size_t size) {
    if (recycle_blocks && size <= largest_recycled) {
        const std::size_t index = block_class(size);
        if (free_lists[index].limit == 0) {
            begin_keeping(free_lists[index]);
        }
        size = index * block_step + 8;
    }
    void* const block = std::malloc(size);
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    return block;
}

void free_unkept_block(void* block) noexcept {
    std::free(block);
}

}  // namespace asyncio::detail
