// frame_pool.hpp - memory for coroutine frames: free lists by size, refilled from large chunks.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace limits {

/// Gives out and takes back blocks of a few sizes without asking malloc: a coroutine frame that was
/// just destroyed is the warmest memory there is for the next one.
///
/// Chunks are never returned. The destructor is trivial on purpose: reaching a thread_local object
/// that needs one costs a check at every use.
class FramePool {
public:
    void* allocate(std::size_t size) {
        const std::size_t index = class_of(size);
        if (index >= classes) [[unlikely]] {
            return check(std::malloc(size));
        }
        if (Block* block = free_[index]) [[likely]] {
            free_[index] = block->next;
            return block;
        }
        return carve(index * granularity);
    }

    void deallocate(void* memory, std::size_t size) noexcept {
        const std::size_t index = class_of(size);
        if (index >= classes) [[unlikely]] {
            std::free(memory);
            return;
        }
        free_[index] = new (memory) Block{free_[index]};
    }

private:
    struct Block {
        Block* next;
    };

    static constexpr std::size_t granularity = 32;
    static constexpr std::size_t classes = 32;
    static constexpr std::size_t chunk_size = 256 * 1024;

    static constexpr std::size_t class_of(std::size_t size) {
        return (size + granularity - 1) / granularity;
    }

    static void* check(void* memory) {
        if (memory == nullptr) {
            throw std::bad_alloc();
        }
        return memory;
    }

    void* carve(std::size_t size) {
        if (static_cast<std::size_t>(end_ - next_) < size) {
            next_ = static_cast<char*>(check(std::malloc(chunk_size)));
            end_ = next_ + chunk_size;
        }
        void* block = next_;
        next_ += size;
        return block;
    }

    Block* free_[classes] = {};
    char* next_ = nullptr;
    char* end_ = nullptr;
};

inline constinit thread_local FramePool frame_pool;

/// Base of the promises whose frames come from the pool.
struct PooledFrame {
    static void* operator new(std::size_t size) { return frame_pool.allocate(size); }
    static void operator delete(void* memory, std::size_t size) noexcept {
        frame_pool.deallocate(memory, size);
    }
};

}  // namespace limits
