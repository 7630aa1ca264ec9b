// small_stack.hpp - runs a function in a thread with 256 KiB of stack: what recurses crashes there.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <cstddef>

#include <pthread.h>

namespace asyncio::testing {

inline void run_on_small_stack(void (*fn)()) {
    constexpr std::size_t size = std::size_t{256} * 1024;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, size);
    pthread_t thread{};
    const int error = pthread_create(
        &thread, &attributes,
        [](void* argument) -> void* {
            reinterpret_cast<void (*)()>(argument)();
            return nullptr;
        },
        reinterpret_cast<void*>(fn));
    pthread_attr_destroy(&attributes);
    ASSERT_EQ(error, 0);
    pthread_join(thread, nullptr);
}

}  // namespace asyncio::testing
