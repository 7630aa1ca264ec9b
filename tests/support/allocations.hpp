// allocations.hpp - counts what this thread takes from malloc. For one source file of a program: it
// puts functions of its own before those of the C library, for the library under test as well.
//
// The sanitizers have a malloc of their own, and no frame is recycled under them: nothing is
// counted there (counts_allocations is false).
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/config.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace asyncio::testing {

inline constexpr bool counts_allocations = detail::recycle_blocks;

inline constinit thread_local std::uint64_t allocations = 0;

}  // namespace asyncio::testing

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ASYNCIO_TEST_FOREIGN_MALLOC
#endif
#endif
#else
#define ASYNCIO_TEST_FOREIGN_MALLOC
#endif

#ifndef ASYNCIO_TEST_FOREIGN_MALLOC
extern "C" {

void* __libc_malloc(std::size_t size) noexcept;
void* __libc_calloc(std::size_t count, std::size_t size) noexcept;
void* __libc_realloc(void* block, std::size_t size) noexcept;
void* __libc_memalign(std::size_t alignment, std::size_t size) noexcept;

void* malloc(std::size_t size) noexcept {
    ++asyncio::testing::allocations;
    return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
    ++asyncio::testing::allocations;
    return __libc_calloc(count, size);
}
void* realloc(void* block, std::size_t size) noexcept {
    ++asyncio::testing::allocations;
    return __libc_realloc(block, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    ++asyncio::testing::allocations;
    return __libc_memalign(alignment, size);
}
int posix_memalign(void** block, std::size_t alignment, std::size_t size) noexcept {
    ++asyncio::testing::allocations;
    *block = __libc_memalign(alignment, size);
    return *block != nullptr ? 0 : ENOMEM;
}

}  // extern "C"
#endif
