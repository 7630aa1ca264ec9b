// shared.hpp - an object in memory that a process has in common with its children.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <cstddef>
#include <new>
#include <span>
#include <system_error>
#include <type_traits>

#include <sys/mman.h>

namespace compare {

/// `count` objects, value-initialised. The memory goes with the last process that has it.
///
/// Errors: std::system_error.
template <class T>
class Shared {
    static_assert(std::is_trivially_destructible_v<T>);

public:
    explicit Shared(std::size_t count = 1) : count_(count) {
        void* const memory =
            ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            throw std::system_error(errno, std::generic_category(), "mmap");
        }
        objects_ = new (memory) T[count]();
    }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    ~Shared() { ::munmap(objects_, bytes()); }

    T& operator*() const noexcept { return *objects_; }
    T* operator->() const noexcept { return objects_; }
    T& operator[](std::size_t index) const noexcept { return objects_[index]; }
    [[nodiscard]] std::span<T> all() const noexcept { return {objects_, count_}; }

private:
    [[nodiscard]] std::size_t bytes() const noexcept { return count_ * sizeof(T); }

    std::size_t count_;
    T* objects_ = nullptr;
};

}  // namespace compare
