// ring.hpp - an io_uring as the kernel gives it: Ring.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <liburing.h>

namespace asyncio::lowlevel {

/// What a ring is made with; tests make small ones, and such as older kernels would give.
struct RingOptions {
    unsigned submissions = 256;
    unsigned completions = 4096;
    unsigned refused_flags = 0;     ///< IORING_SETUP_*: as if the kernel did not know these
    unsigned refused_features = 0;  ///< IORING_FEAT_*
    bool restricted = false;        ///< nothing but what waiting needs is permitted to it
};

/// What has come out of the ring.
struct Completion {
    std::uint64_t tag;  // io_uring's user_data
    std::int32_t result;
    std::uint32_t flags;
};

/// The two queues between a thread and the kernel. The thread that calls enable() is the only one
/// that may use them.
class Ring {
public:
    /// Throws OSError where the kernel refuses, or has not got what is needed.
    explicit Ring(const RingOptions& options);
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;
    ~Ring();

    /// 0 or -errno.
    int enable() noexcept;
    [[nodiscard]] bool enabled() const noexcept { return enabled_; }

    [[nodiscard]] int descriptor() const noexcept { return ring_.ring_fd; }
    [[nodiscard]] unsigned setup_flags() const noexcept { return ring_.flags; }
    [[nodiscard]] bool supports(unsigned opcode) const noexcept {
        return opcode < 64 && (opcodes_ >> opcode & 1) != 0;
    }

    /// From now on the kernel counts up `eventfd` when there is a completion, or work that will
    /// make one. 0 or -errno.
    int notify(int eventfd) noexcept;
    /// Is there a completion to take()?
    [[nodiscard]] bool has_completions() const noexcept { return io_uring_cq_ready(&ring_) > 0; }

    /// An empty entry; null if the queue is full and the kernel takes nothing off it.
    [[nodiscard]] io_uring_sqe* next() noexcept;

    /// Hands over what is queued and takes in what has happened, without waiting. 0 or -errno.
    int enter() noexcept;
    /// Is there a reason to enter() besides waiting?
    [[nodiscard]] bool has_work() const noexcept;
    /// The same, and waits for a completion: for ever, or so long. 0 or -errno: -EINTR; -ETIME, or
    /// 0 if something was handed over besides.
    int wait() noexcept;
    int wait(std::int64_t nanoseconds) noexcept;

    /// The oldest completion that was not taken yet.
    [[nodiscard]] std::optional<Completion> take() noexcept;

private:
    int set_up(const RingOptions& options, unsigned flags) noexcept;
    [[nodiscard]] unsigned kernel_flags() const noexcept;

    io_uring ring_{};
    std::uint64_t opcodes_ = 0;
    int process_;
    bool enabled_ = false;
};

/// Can this process use io_uring as the proactor does? 0, or the errno that says why not. Found out
/// by doing it.
[[nodiscard]] int try_io_uring() noexcept;
/// The same, but asks once only, unless the answer may be another one the next time.
[[nodiscard]] int io_uring_refusal() noexcept;

}  // namespace asyncio::lowlevel
