// turns.hpp - whose turn it is of two, for threads and processes: one word and the kernel's futex.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace compare {

/// Waits while `*word` is `value`; may return for nothing. For all who share the memory.
inline void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t value) noexcept {
    ::syscall(SYS_futex, &word, FUTEX_WAIT, value, nullptr, nullptr, 0);
}
/// Wakes as many as there are, up to `count`.
inline void futex_wake(std::atomic<std::uint32_t>& word, int count) noexcept {
    ::syscall(SYS_futex, &word, FUTEX_WAKE, count, nullptr, nullptr, 0);
}

/// 0 is first.
class Turns {
public:
    /// Waits until it is the turn of `me`.
    void await_turn(std::uint32_t me) noexcept {
        for (std::uint32_t now = whose_.load(); now != me; now = whose_.load()) {
            futex_wait(whose_, now);
        }
    }
    void give_turn(std::uint32_t other) noexcept {
        whose_.store(other);
        futex_wake(whose_, 1);
    }

private:
    std::atomic<std::uint32_t> whose_{0};
};

/// Where units wait until all of them may begin.
class Gate {
public:
    void pass() noexcept {
        while (open_.load() == 0) {
            futex_wait(open_, 0);
        }
    }
    void open() noexcept {
        open_.store(1);
        futex_wake(open_, 1 << 30);
    }

private:
    std::atomic<std::uint32_t> open_{0};
};

}  // namespace compare
