// coroutines.cpp - memory of coroutine frames; what is thrown for misuse of coroutines and results.
//
// SPDX-License-Identifier: MIT
#include <asyncio/coroutines.hpp>

#include <asyncio/detail/blocks.hpp>
#include <asyncio/result.hpp>

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

void raise_no_outcome() {
    throw TypeError("a Result without a value needs an exception");
}

void ResultBase::raise() const {
    if (error_ == nullptr) {
        raise_invalid_state("Result has been moved out already.");
    }
    std::rethrow_exception(error_);
}

}  // namespace asyncio::detail
