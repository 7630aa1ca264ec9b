// virtual_clock.hpp - time that passes only while nothing else happens: VirtualClock, for tests.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/proactor.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>

namespace asyncio::testing {

/// A proactor whose clock jumps to the next deadline when there is nothing to do, so that a test
/// that sleeps for hours takes no time, and timeouts fire exactly when they are due.
///
///     testing::use_virtual_clock();
///     asyncio::run(main());    // sleep(3600) returns at once, and 3600 s have passed on time()
///
/// The clock begins at one second and stands still while callbacks run, but for advance().
/// Everything else is the business of the proactor inside it: sockets, pipes and child processes
/// are real and take real time, in which the clock stands still. So:
///
/// - While work is with other threads (to_thread(), the resolver), while the kernel or they work on
///   files, or between any two calls of outside_work(), it does not jump at all but waits.
/// - While only operations are under way it gives them real time before each jump: a thousandth of
///   what it is about to jump over, but no less than `least_patience` and no more than
///   `most_patience`. On the loopback interface what was sent has arrived by then, and a time limit
///   of minutes around it holds on a busy machine, too. A child process is slower: whoever waits
///   for one under a timeout should say so by outside_work().
///
/// Threads:  as Proactor: one loop's thread, but for wake().
class VirtualClock final : public lowlevel::Proactor {
public:
    /// Real time in which something that is under way may still happen before a jump.
    static constexpr Duration least_patience = std::chrono::milliseconds(5);
    static constexpr Duration most_patience = std::chrono::milliseconds(500);

    explicit VirtualClock(std::unique_ptr<lowlevel::Proactor> inner);
    ~VirtualClock() override;

    void poll(lowlevel::CallbackList& pending, lowlevel::CallbackList& ready,
              TimePoint deadline) override;
    void cancel(lowlevel::Operation& operation, lowlevel::CallbackList& ready) noexcept override;
    void abort_all(lowlevel::CallbackList& ready) noexcept override;
    std::int64_t call(lowlevel::Operation& operation) noexcept override;
    [[nodiscard]] TimePoint now() const noexcept override { return now_; }
    void wake() noexcept override;
    [[nodiscard]] int descriptor() const noexcept override;
    [[nodiscard]] std::uint64_t random() noexcept override;
    void outside_work(bool begins) noexcept override;
    [[nodiscard]] bool performs(lowlevel::Opcode on_file) const noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override;

private:
    friend void advance(Duration);

    static bool attempt_inside(lowlevel::Proactor& self, lowlevel::Operation& operation) noexcept;

    bool poll_inside(lowlevel::CallbackList& pending, lowlevel::CallbackList& ready,
                     TimePoint real_deadline);

    /// Of operations.
    struct Count {
        std::size_t all = 0;
        std::size_t on_files = 0;
        void operator+=(Count more) noexcept {
            all += more.all;
            on_files += more.on_files;
        }
        void operator-=(Count fewer) noexcept {
            all -= fewer.all;
            on_files -= fewer.on_files;
        }
    };
    static Count count(lowlevel::CallbackList& operations) noexcept;

    std::unique_ptr<lowlevel::Proactor> inner_;
    TimePoint now_;
    Count under_way_;               // inside
    std::size_t outside_work_ = 0;  // begun and not ended
    std::atomic<bool> woken_{false};
};

/// Lets `duration` pass while the caller runs, as if it had computed for so long: nothing else
/// happens meanwhile. RuntimeError if no loop runs in this thread, or not on a VirtualClock.
void advance(Duration duration);

/// Every loop made from now on, in any thread, has a VirtualClock.
void use_virtual_clock() noexcept;

/// Every loop made from now on has the system's clock again.
void use_real_clock() noexcept;

/// use_virtual_clock() for a scope; afterwards loops are made as they were before it.
class VirtualClockScope {
public:
    VirtualClockScope() noexcept;
    VirtualClockScope(const VirtualClockScope&) = delete;
    VirtualClockScope& operator=(const VirtualClockScope&) = delete;
    ~VirtualClockScope();

private:
    lowlevel::ProactorFactory before_;
};

}  // namespace asyncio::testing
