// readiness.hpp - completion made out of readiness: what epoll and io_uring have in common.
//
// An operation is tried where it stands; only what would have to wait is queued at its descriptor
// and tried again when the kernel reports the descriptor ready. So an operation that was cancelled
// has consumed nothing, whatever comes in between, and none waits with a buffer.
//
// Whether a descriptor is ready is remembered here (Side::ready), so that nobody asks in vain. The
// one rule all of this rests on:
//
//     A side that is watched may only be marked not ready by what shows that the kernel's buffer
//     was exhausted, and from then on the kernel reports the next change.
//
// How it is made to report is what the backends differ in.
//
// A child process of fork() shares the backend's descriptor with its parent. It may close
// descriptors and destroy the proactor without disturbing the parent's; it must not poll.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/proactor.hpp>

#include "descriptors.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <sys/types.h>

namespace asyncio::lowlevel {

class Readiness : public Proactor {
public:
    ~Readiness() override;

    void cancel(Operation& operation, CallbackList& ready) noexcept override;
    void abort_all(CallbackList& ready) noexcept override;
    std::int64_t call(Operation& operation) noexcept override;
    [[nodiscard]] TimePoint now() const noexcept override;
    void wake() noexcept override;
    [[nodiscard]] std::uint64_t random() noexcept override;

protected:
    Readiness();

    // ---- what a backend does

    /// Has the kernel report changes in these directions, and what is the case already. 0 or errno.
    virtual int watch(Descriptor& descriptor, int fd, std::uint8_t sides) noexcept = 0;
    /// Has the kernel report no more, and keep the file open no longer. Not in a child process.
    virtual void unwatch(Descriptor& descriptor, int fd) noexcept = 0;
    /// There was nothing to receive from a watched descriptor that was thought to be ready.
    virtual void found_nothing(Descriptor& descriptor, int fd) noexcept {
        static_cast<void>(descriptor), static_cast<void>(fd);
    }
    /// Where Proactor::performs().
    virtual void start_on_file(Operation& operation, CallbackList& ready) noexcept;

    // ---- what it does it with

    /// The beginning of a poll(): starts everything.
    void start_all(CallbackList& pending, CallbackList& ready) noexcept;
    /// What the bits of an event say: what is the case, or what was when it happened.
    enum class Level : std::uint8_t { exact, perhaps };
    /// The kernel has reported these POLL* bits of a descriptor.
    void report(Descriptor& descriptor, std::uint32_t events, Level level,
                CallbackList& ready) noexcept;
    /// wake() is over: from here on it has to wake again.
    void woken() noexcept { woken_.exchange(false, std::memory_order_acq_rel); }
    [[nodiscard]] bool is_woken() const noexcept { return woken_.load(std::memory_order_acquire); }
    [[nodiscard]] int wake_descriptor() const noexcept { return wake_.get(); }
    /// Is there a descriptor that the kernel could report?
    [[nodiscard]] bool watches() const noexcept { return watched_ > 0; }
    [[nodiscard]] bool in_child_process() const noexcept;

    /// Completes what waits at the descriptor.
    void abort(Descriptor& descriptor, std::int64_t result, CallbackList& ready) noexcept;
    static void finish(Operation& operation, std::int64_t result, CallbackList& ready) noexcept;

    DescriptorTable descriptors_;
    CallbackList finished_;    // completed where there was no ready list
    std::size_t watched_ = 0;  // descriptors

private:
    static bool attempt_in_place(Proactor& self, Operation& operation) noexcept;

    bool attempt_on_new(Operation& operation) noexcept;
    bool attempt_on_ready(Descriptor& descriptor, Side& side, Operation& operation) noexcept;
    void start(Operation& operation, CallbackList& ready) noexcept;
    std::int64_t perform(Descriptor& descriptor, Side& side, Operation& operation) noexcept;
    void know_accepted(Descriptor& listener, const Operation& operation, int fd) noexcept;
    bool exhausts(Descriptor& descriptor, const Operation& operation, std::int64_t result) noexcept;
    bool is_tcp(Descriptor& descriptor, int fd) noexcept;
    void run_waiting(Descriptor& descriptor, Side& side, std::uint32_t events, Level level,
                     CallbackList& ready) noexcept;
    void reset(Descriptor& descriptor, int fd, std::int64_t result) noexcept;
    void forget(int fd) noexcept;

    // How many attempts may succeed in place between two polls: as many on one descriptor, so that
    // a task that never has to wait for it lets the others run after about a tenth of a
    // millisecond; as many on all of them, so that one that walks over many does so after a few.
    // The latter allows for four on each of the descriptors that one poll can report.
    static constexpr std::uint8_t attempts_per_descriptor = 32;
    static constexpr std::uint32_t attempts_per_poll = 1024;

    std::uint32_t turn_ = 1;
    std::uint32_t attempts_ = 0;  // in place, since the last poll()
    std::size_t waiting_ = 0;     // Operations queued at descriptors
    OwnDescriptor wake_;
    std::atomic<bool> woken_{false};  // wake_ was written to and not yet seen
    pid_t process_;
    std::uint64_t random_state_ = 0;
};

}  // namespace asyncio::lowlevel
