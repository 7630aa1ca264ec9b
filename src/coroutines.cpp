// coroutines.cpp - memory of coroutine frames.
//
// SPDX-License-Identifier: MIT
#include <asyncio/coroutines.hpp>

#include <asyncio/detail/blocks.hpp>

namespace asyncio::detail {

// Out of line, both of them: inlined, g++ 12 pairs the one with malloc and warns of the other.
void* allocate_frame(std::size_t size, std::size_t prefix) {
    return static_cast<char*>(allocate_block(size + prefix)) + prefix;
}

void free_frame(void* frame, std::size_t size, std::size_t prefix) noexcept {
    if (KeptFrame* const kept = kept_frame; kept != nullptr && kept->frame == frame) {
        kept->block_size = size + prefix;
        return;
    }
    free_block(static_cast<char*>(frame) - prefix, size + prefix);
}

constinit thread_local KeptFrame* kept_frame = nullptr;

void raise_awaited_again() {
    raise_runtime_error("cannot reuse already awaited coroutine");
}

}  // namespace asyncio::detail
