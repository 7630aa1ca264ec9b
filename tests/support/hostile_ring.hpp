// hostile_ring.hpp - HostileRing: an io_uring that is interrupted while it works on files, and does
// little at a time.
//
// What the kernel does by itself no wrapper of a system call reaches. So the linker puts this
// between the proactor and its queue of completions (--wrap of Ring::take(); tests/CMakeLists.txt),
// where a completion of an operation on a file is told as another one that the kernel might give:
// EINTR, or fewer bytes than there were. Both are only told where it does no harm to do it again,
// which is all that the library will do: what is done at a place of a file.
//
// For one source file of a program.
// SPDX-License-Identifier: MIT
#pragma once

#include "proactors/ring.hpp"

#include <asyncio/lowlevel/operation.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>

namespace asyncio::testing {

/// All rings are hostile while it lives. One at a time; of one thread.
class HostileRing {
public:
    /// `interrupted`: of how many completions, one says EINTR (0: none); `most`: bytes at once.
    explicit HostileRing(int interrupted, std::int32_t most = 0)
        : interrupted_(interrupted), most_(most) {
        current = this;
    }
    HostileRing(const HostileRing&) = delete;
    HostileRing& operator=(const HostileRing&) = delete;
    ~HostileRing() { current = nullptr; }

    [[nodiscard]] int lies() const noexcept { return lies_; }

    static void tamper(lowlevel::Completion& completion) noexcept {
        constexpr std::uint64_t is_poll = std::uint64_t{1} << 63;
        if (current != nullptr && (completion.tag & is_poll) == 0 && completion.tag > 1 &&
            completion.result >= 0) {
            current->lie(completion);
        }
    }

private:
    void lie(lowlevel::Completion& completion) noexcept {
        const auto& operation = *reinterpret_cast<const lowlevel::Operation*>(completion.tag);
        const auto& request = *static_cast<const lowlevel::FileRequest*>(operation.data);
        const bool transfers = (operation.opcode == lowlevel::Opcode::read_at ||
                                operation.opcode == lowlevel::Opcode::write_at) &&
                               request.offset >= 0;
        const bool repeatable = transfers || operation.opcode == lowlevel::Opcode::sync ||
                                operation.opcode == lowlevel::Opcode::status ||
                                operation.opcode == lowlevel::Opcode::close_file;
        if (repeatable && interrupted_ > 0 && ++count_ % interrupted_ == 0) {
            ++lies_;
            completion.result = -EINTR;
        } else if (transfers && most_ > 0 && completion.result > most_) {
            ++lies_;
            completion.result = most_;
        }
    }

    static inline HostileRing* current = nullptr;

    int interrupted_;
    std::int32_t most_;
    int count_ = 0;
    int lies_ = 0;
};

}  // namespace asyncio::testing

// Ring::take(), and what the linker puts in its place.
std::optional<asyncio::lowlevel::Completion> real_take(asyncio::lowlevel::Ring& ring) noexcept
    asm("__real__ZN7asyncio8lowlevel4Ring4takeEv");
std::optional<asyncio::lowlevel::Completion> wrapped_take(asyncio::lowlevel::Ring& ring) noexcept
    asm("__wrap__ZN7asyncio8lowlevel4Ring4takeEv");

std::optional<asyncio::lowlevel::Completion> wrapped_take(asyncio::lowlevel::Ring& ring) noexcept {
    std::optional<asyncio::lowlevel::Completion> completion = real_take(ring);
    if (completion.has_value()) {
        asyncio::testing::HostileRing::tamper(*completion);
    }
    return completion;
}
