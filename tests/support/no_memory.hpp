// no_memory.hpp - NoMemory: operator new fails. For one source file of a program: it replaces the
// global one, for the library under test as well.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <new>

namespace asyncio::testing {

inline constinit thread_local std::size_t largest_allocation =
    std::numeric_limits<std::size_t>::max();

/// While it lives, this thread gets no memory for more than `largest` bytes at once.
class NoMemory {
public:
    explicit NoMemory(std::size_t largest) noexcept { largest_allocation = largest; }
    NoMemory(const NoMemory&) = delete;
    NoMemory& operator=(const NoMemory&) = delete;
    ~NoMemory() { largest_allocation = std::numeric_limits<std::size_t>::max(); }
};

}  // namespace asyncio::testing

// Not inlined, or g++ compares what is left of the pairs.
[[gnu::noinline]] void* operator new(std::size_t size) {
    void* const block = size > asyncio::testing::largest_allocation ? nullptr : std::malloc(size);
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    return block;
}
[[gnu::noinline]] void operator delete(void* block) noexcept {
    std::free(block);
}
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept {
    std::free(block);
}
