// shared_memory.hpp - memory that several processes have: SharedMemory.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/descriptors.hpp>
#include <asyncio/detail/processes/codec.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace asyncio {

/// Keyword arguments of SharedMemory.
struct SharedMemoryOptions {
    std::string_view name = {};  ///< empty: it has none, and goes by being sent
    bool create = false;
    std::size_t size = 0;  ///< bytes; of what exists: as much as there is
};
static_assert(std::is_trivially_destructible_v<SharedMemoryOptions>);

/// Memory that is sent to another process without being copied.
///
///     SharedMemory memory({.create = true, .size = 1 << 30});
///     std::span<double> numbers = memory.span<double>();
///     double sum = co_await loop.run_in_executor(&pool, sum_of, memory);  // sees the same memory
///
/// Without a name nobody else finds it, and it is gone with the last object and mapping of it,
/// however processes end. With one it stays until unlink(), as in Python.
///
/// An object is sent to workers by const&, and may be destroyed here once the call is made. It is
/// movable; empty after that.
///
/// Errors: FileExistsError, FileNotFoundError, OSError; std::invalid_argument for a size of 0.
/// Threads: who writes what, and when, is for the program to say: by calls, or atomics.
class SharedMemory {
public:
    explicit SharedMemory(SharedMemoryOptions options);
    SharedMemory(SharedMemory&& other) noexcept
        : fd_(std::move(other.fd_)),
          name_(std::move(other.name_)),
          data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)) {}
    SharedMemory& operator=(SharedMemory other) noexcept {
        swap(other);
        return *this;
    }
    ~SharedMemory() { close(); }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    [[nodiscard]] std::span<std::byte> buf() const noexcept {
        return {static_cast<std::byte*>(data_), size_};
    }
    /// As many T as there is room for. They are zero at first.
    template <class T>
    [[nodiscard]] std::span<T> span() const noexcept {
        static_assert(std::is_trivially_copyable_v<T>,
                      "what has constructors or pointers means nothing in another process");
        return {static_cast<T*>(data_), size_ / sizeof(T)};
    }

    /// This process is done with it; spans over it are not to be used any more.
    void close() noexcept;
    /// Its name is free again; those who have it keep it. FileNotFoundError if that was done.
    void unlink() const;

    /// For who sends it by other means.
    [[nodiscard]] int fileno() const noexcept { return fd_.fileno(); }
    /// Of what fileno() gave, perhaps in another process.
    static SharedMemory from_descriptor(FileDescriptor fd, std::string name = {});

private:
    SharedMemory(FileDescriptor fd, std::string name);
    void swap(SharedMemory& other) noexcept;
    void map();

    FileDescriptor fd_;
    std::string name_;
    void* data_ = nullptr;
    std::size_t size_ = 0;
};

namespace detail {

template <>
struct Wire<SharedMemory> {
    static void write(WireWriter& writer, const SharedMemory& memory) {
        writer.array(2);
        writer.descriptor(memory.fileno());
        writer.text(memory.name());
    }
    static SharedMemory read(const WireValue& value) {
        value.expect_size(2);
        return SharedMemory::from_descriptor(value[0].descriptor(), std::string(value[1].text()));
    }
};

}  // namespace detail

}  // namespace asyncio
