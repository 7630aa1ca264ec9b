// callback.hpp - what the loop runs: Callback; and when: Timer.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/intrusive.hpp>
#include <asyncio/time.hpp>

#include <cstdint>

namespace asyncio::lowlevel {

/// The one node that the loop runs: a place in a list and what to do when its turn has come.
///
/// It is embedded in its owner (a task, an operation, a handle), so to schedule it allocates
/// nothing. It is in one list at most: the ready list, or the list of whoever will wake it. The
/// loop takes it out of the ready list before it runs it; the owner may then be destroyed by run().
///
/// A run function may throw only KeyboardInterrupt and SystemExit, which leave the loop; anything
/// else is its own to report.
class Callback : public ListHook<> {
public:
    using Run = void (*)(Callback&);

    explicit Callback(Run run) noexcept : run_(run) {}

    void run() { run_(*this); }
    /// What run() does: tells apart what kinds of callbacks wait in one list.
    [[nodiscard]] Run function() const noexcept { return run_; }

protected:
    ~Callback() = default;
    void set_function(Run run) noexcept { run_ = run; }

private:
    Run run_;
};

using CallbackList = List<Callback>;

/// A due time for a Callback. While it is armed (EventLoop::arm) the loop's heap knows its place,
/// so disarming removes it at once; when it is due its callback goes to the ready list.
/// Timers that are due at the same time fire in the order in which they were armed.
class Timer {
public:
    Timer() noexcept {}
    explicit Timer(Callback& callback) noexcept : callback_(&callback) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    [[nodiscard]] bool armed() const noexcept { return place_ != unarmed; }
    [[nodiscard]] Callback& callback() const noexcept { return *callback_; }
    /// What it schedules; before it is armed.
    void set_callback(Callback& callback) noexcept { callback_ = &callback; }

private:
    friend class TimerHeap;

    static constexpr std::uint64_t unarmed = ~std::uint64_t{0};

    std::uint64_t place_ = unarmed;  // index in the heap
    Callback* callback_;
    std::uint64_t order_;  // of arming: decides between equal deadlines
};

}  // namespace asyncio::lowlevel
