// instrument.hpp - to be told of what the loop does: Instrument.
//
// Beyond asyncio: after Trio. For tracing, profiling, and tests that look at the order of things.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/task.hpp>
#include <asyncio/time.hpp>

#include <optional>

namespace asyncio::lowlevel {

/// Is told of what a loop does; override what is of interest.
///
///     class Tracer : public lowlevel::Instrument {
///         void before_task_step(const AnyTask& task) override { begin_[task] = clock(); }
///         ...
///     };
///     lowlevel::add_instrument(get_running_loop(), tracer);
///
/// While a loop has an instrument it runs by another function than otherwise; without one nothing
/// is looked at, from one turn to the next.
///
/// What an instrument does must be quick, must not throw (it is removed then, and the exception
/// handler told), and must not run the loop. It is called in the loop's thread.
class Instrument {
public:
    Instrument() = default;
    Instrument(const Instrument&) = delete;
    Instrument& operator=(const Instrument&) = delete;
    virtual ~Instrument() = default;

    /// run_forever() begins, by whomever it was called; and ends.
    virtual void before_run() {}
    virtual void after_run() {}

    /// A task was made, by create_task() or whatever makes tasks. Told when the callback that made
    /// it has ended, before the task's first step.
    virtual void task_spawned(const AnyTask&) {}
    /// A task has become ready: it will run in the next turn. Told when the callback that made it
    /// ready has ended. (One that waits at a queue may find that others were quicker.)
    virtual void task_scheduled(const AnyTask&) {}
    /// A task runs, until its next wait.
    virtual void before_task_step(const AnyTask&) {}
    virtual void after_task_step(const AnyTask&) {}
    /// A task is done.
    virtual void task_exited(const AnyTask&) {}

    /// The loop asks the system for what has happened, and waits for at most `timeout` if nothing
    /// has: nullopt: as long as it takes.
    virtual void before_io_wait(std::optional<Duration> timeout) { static_cast<void>(timeout); }
    virtual void after_io_wait(std::optional<Duration> timeout) { static_cast<void>(timeout); }
};

/// From now on `instrument` is told what `loop` does, until it is removed: before it is destroyed.
/// Adding one that is there changes nothing.
void add_instrument(EventLoop& loop, Instrument& instrument);
/// LookupError if it is not there: it was not added, or has been removed because it threw.
void remove_instrument(EventLoop& loop, Instrument& instrument);

}  // namespace asyncio::lowlevel
