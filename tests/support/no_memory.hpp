// no_memory.hpp - NoMemory and FailingAllocation: what is asked for is refused. For one source file
// of a program that is linked with --wrap=malloc: it replaces the global operator new and the
// malloc() that frames and tasks come from, for the library under test as well.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <new>

namespace asyncio::testing {

inline constinit thread_local std::size_t largest_allocation =
    std::numeric_limits<std::size_t>::max();
inline constinit thread_local std::int64_t allocations_until_failure = 0;

/// While it lives, this thread gets no memory for more than `largest` bytes at once.
class NoMemory {
public:
    explicit NoMemory(std::size_t largest) noexcept { largest_allocation = largest; }
    NoMemory(const NoMemory&) = delete;
    NoMemory& operator=(const NoMemory&) = delete;
    ~NoMemory() { largest_allocation = std::numeric_limits<std::size_t>::max(); }
};

/// While it lives, the allocation with the number `which`, from 1, of this thread fails.
class FailingAllocation {
public:
    explicit FailingAllocation(std::int64_t which) noexcept { allocations_until_failure = which; }
    FailingAllocation(const FailingAllocation&) = delete;
    FailingAllocation& operator=(const FailingAllocation&) = delete;
    ~FailingAllocation() { allocations_until_failure = 0; }

    /// Were there so many?
    [[nodiscard]] bool failed() const noexcept { return allocations_until_failure == 0; }
};

inline bool refuses(std::size_t size) noexcept {
    const bool is_the_one = allocations_until_failure > 0 && --allocations_until_failure == 0;
    return is_the_one || size > largest_allocation;
}

}  // namespace asyncio::testing

extern "C" {

void* __real_malloc(std::size_t size) noexcept;
void* __wrap_malloc(std::size_t size) noexcept;

void* __wrap_malloc(std::size_t size) noexcept {
    return asyncio::testing::refuses(size) ? nullptr : __real_malloc(size);
}

}  // extern "C"

// Not inlined, or g++ compares what is left of the pairs.
[[gnu::noinline]] void* operator new(std::size_t size) {
    void* const block = __wrap_malloc(size);
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
