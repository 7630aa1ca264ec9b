// live_allocations.hpp - how many blocks of memory are in use, where a sanitizer counts them.
//
// Without one, frames are recycled: what is in use and what is kept cannot be told apart.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#define ASYNCIO_TEST_ALLOCATION_HOOKS
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASYNCIO_TEST_ALLOCATION_HOOKS
#endif
#endif

#ifdef ASYNCIO_TEST_ALLOCATION_HOOKS
// As <sanitizer/allocator_interface.h> has it, which g++ does not install.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void*,
                                                                             std::size_t),
                                                         void (*free_hook)(const volatile void*));
#endif

namespace asyncio::testing {

#ifdef ASYNCIO_TEST_ALLOCATION_HOOKS

inline constinit std::atomic<std::int64_t> live_blocks{0};

/// Blocks that have been allocated since the first call, less those that have been freed.
inline std::int64_t live_allocations() {
    static const int installed = __sanitizer_install_malloc_and_free_hooks(
        [](const volatile void*, std::size_t) {
            live_blocks.fetch_add(1, std::memory_order_relaxed);
        },
        [](const volatile void* block) {
            live_blocks.fetch_sub(block != nullptr ? 1 : 0, std::memory_order_relaxed);
        });
    static_cast<void>(installed);
    return live_blocks;
}

#else

/// Nothing is counted in this build.
inline std::int64_t live_allocations() {
    return 0;
}

#endif

}  // namespace asyncio::testing
