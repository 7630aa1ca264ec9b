// callback.hpp - what the loop runs: Callback.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/intrusive.hpp>

namespace asyncio::lowlevel {

/// The one node that the loop runs: a place in a list and what to do when its turn has come.
///
/// It is embedded in its owner (a task, an operation, a handle), so to schedule it allocates
/// nothing. It is in one place at most: the ready list, the list of whoever will wake it, or among
/// the timers of the loop, from where it goes to the ready list when it is due. The loop takes it
/// out of the ready list before it runs it; the owner may then be destroyed by run().
///
/// A run function may throw only KeyboardInterrupt and SystemExit, which leave the loop; anything
/// else is its own to report.
class Callback : public ListHook<> {
public:
    using Run = void (*)(Callback&);

    explicit Callback(Run to_run) noexcept : run_(to_run) {}

    void run() { run_(*this); }
    /// What run() does: tells apart what kinds of callbacks wait in one list.
    [[nodiscard]] Run function() const noexcept { return run_; }

    /// Is it among the timers (EventLoop::arm)?
    [[nodiscard]] bool armed() const noexcept { return !linked() && spare().first != 0; }
    /// Is it anywhere, so that it will or may run?
    [[nodiscard]] bool waiting() const noexcept { return linked() || spare().first != 0; }

protected:
    ~Callback() = default;
    void set_function(Run to_run) noexcept { run_ = to_run; }

private:
    friend class TimerHeap;

    Run run_;
};

using CallbackList = List<Callback>;

}  // namespace asyncio::lowlevel
