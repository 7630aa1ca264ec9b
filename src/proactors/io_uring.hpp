// io_uring.hpp - the Proactor on io_uring.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "readiness.hpp"
#include "ring.hpp"

#include <cstdint>
#include <memory>

namespace asyncio::lowlevel {

/// Waits for descriptors by multishot polls, which stay armed, and performs operations on files in
/// the kernel. What of this is why so: docs/internals/proactors.md.
class IoUring final : public Readiness {
public:
    explicit IoUring(const RingOptions& options = {});
    ~IoUring() override;

    void poll(CallbackList& pending, CallbackList& ready, TimePoint deadline) override;
    void cancel(Operation& operation, CallbackList& ready) noexcept override;
    void abort_all(CallbackList& ready) noexcept override;
    [[nodiscard]] bool performs(Opcode on_file) const noexcept override;
    [[nodiscard]] int descriptor() const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override { return "io_uring"; }

    [[nodiscard]] const Ring& ring() const noexcept { return *ring_; }

private:
    int watch(Descriptor& descriptor, int fd, std::uint8_t sides) noexcept override;
    void unwatch(Descriptor& descriptor, int fd) noexcept override;
    void found_nothing(Descriptor& descriptor, int fd) noexcept override;
    void start_on_file(Operation& operation, CallbackList& ready) noexcept override;

    static std::uint64_t this_thread() noexcept;
    int use() noexcept;
    int renew() noexcept;
    bool arm(int fd, const Descriptor& descriptor, std::uint8_t sides) noexcept;
    bool arm_wake() noexcept;
    bool disarm(std::uint64_t tag) noexcept;
    void lose_poll(Descriptor& descriptor, std::int64_t error, CallbackList& ready) noexcept;
    void wait(TimePoint deadline);
    void take_completions(CallbackList& ready) noexcept;
    void dispatch(const Completion& completion, CallbackList& ready) noexcept;
    void dispatch_poll(const Completion& completion, CallbackList& ready) noexcept;
    bool cancel_on_file(Operation& operation) noexcept;
    void tell_to_end(Operation& operation) noexcept;
    void tell_the_rest() noexcept;
    void complete_on_file(const Completion& completion, CallbackList& ready) noexcept;

    void settle_descriptor() const noexcept;

    RingOptions options_;
    std::unique_ptr<Ring> ring_;
    std::uint64_t thread_ = 0;   // which uses the ring
    bool wake_armed_ = false;    // the poll of wake_descriptor()
    bool untold_ = false;        // some of on_files_ are to end, and the kernel does not know yet
    CallbackList on_files_;      // Operations that the kernel performs
    mutable int notified_ = -1;  // what descriptor() gives, once somebody has asked
};

}  // namespace asyncio::lowlevel
