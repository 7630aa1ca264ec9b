// descriptors.hpp - what a proactor knows of the descriptors it has seen.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/exceptions.hpp>
#include <asyncio/lowlevel/operation.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace asyncio::lowlevel {

/// One direction of a descriptor.
struct Side {
    CallbackList waiting;  // Operations, in the order in which they are to be tried
    bool ready = true;     // worth trying, as a new descriptor is; then nothing waits
};

/// A set of directions.
namespace directions {
inline constexpr std::uint8_t input = 1;
inline constexpr std::uint8_t output = 2;
}  // namespace directions

enum class Kind : std::uint8_t { unknown, tcp, other };

/// What is known of one descriptor: a cache line.
struct Descriptor {
    Side input;
    Side output;
    std::uint32_t generation = 1;  // of the descriptor: tells it from earlier ones of that number
    std::uint32_t turn = 0;        // when `attempts` was counted
    std::uint8_t attempts = 0;     // in place, since that poll()
    std::uint8_t watched = 0;      // directions that the kernel is asked about
    bool ended = false;            // hang-up or error seen: there is an end to be read
    Kind kind = Kind::unknown;
};
static_assert(sizeof(Descriptor) <= 64);

/// The descriptors by number. They never move, and a large number costs one block, not all below.
class DescriptorTable {
public:
    /// Null if `fd` was never seen.
    [[nodiscard]] Descriptor* find(int fd) const noexcept {
        const std::size_t block = static_cast<unsigned>(fd) / block_size;
        if (block >= blocks_.size() || blocks_[block] == nullptr) {
            return nullptr;
        }
        return &(*blocks_[block])[static_cast<unsigned>(fd) % block_size];
    }

    /// Makes room for `fd`; null, and errno, if it is not open or there is no memory.
    [[nodiscard]] Descriptor* add(int fd) noexcept {
        if (::fcntl(fd, F_GETFD) < 0) {  // before gigabytes are spent on a number that is garbage
            return nullptr;
        }
        const std::size_t block = static_cast<unsigned>(fd) / block_size;
        try {
            if (block >= blocks_.size()) {
                blocks_.resize(block + 1);
            }
            blocks_[block] = std::make_unique<Block>();
        } catch (const std::bad_alloc&) {
            errno = ENOMEM;
            return nullptr;
        }
        return find(fd);
    }

    template <class Visit>
    void for_each_number(Visit visit) noexcept {
        for (std::size_t i = 0; i < blocks_.size(); ++i) {
            for (std::size_t k = 0; blocks_[i] != nullptr && k < block_size; ++k) {
                visit(static_cast<int>(i * block_size + k), (*blocks_[i])[k]);
            }
        }
    }

    template <class Visit>
    void for_each(Visit visit) noexcept {
        for (const std::unique_ptr<Block>& block : blocks_) {
            if (block != nullptr) {
                std::for_each(block->begin(), block->end(), visit);
            }
        }
    }

private:
    static constexpr std::size_t block_size = 256;
    using Block = std::array<Descriptor, block_size>;

    std::vector<std::unique_ptr<Block>> blocks_;
};

/// A descriptor of the proactor's own.
class OwnDescriptor {
public:
    OwnDescriptor(int fd, const char* what) : fd_(fd) {
        if (fd < 0) {
            detail::raise_os_error(errno, what);
        }
    }
    OwnDescriptor(const OwnDescriptor&) = delete;
    OwnDescriptor& operator=(const OwnDescriptor&) = delete;
    ~OwnDescriptor() { ::close(fd_); }
    [[nodiscard]] int get() const noexcept { return fd_; }

private:
    int fd_;
};

}  // namespace asyncio::lowlevel
