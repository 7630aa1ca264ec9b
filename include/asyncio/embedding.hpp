// embedding.hpp - an EventLoop as the guest of another loop: GuestLoop.
//
// For programs whose main loop is somebody else's: of GLib or Qt, of a game, of a plain poll().
// docs/embedding.md has recipes.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/events.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace asyncio {

namespace detail {

class Embedding;

/// As if a callback of the loop ran, while it exists.
class GuestCall {
public:
    explicit GuestCall(Embedding& embedding);
    GuestCall(const GuestCall&) = delete;
    GuestCall& operator=(const GuestCall&) = delete;
    ~GuestCall();

private:
    std::unique_ptr<RunScope> scope_;
};

}  // namespace detail

/// Lets another loop of this thread drive an EventLoop: it watches one descriptor, and calls
/// run_ready() when that is readable.
///
///     GuestLoop guest(*loop);
///     loop->create_task(main());
///     for (;;) {
///         pollfd entries[] = {{guest.fileno(), POLLIN, 0}, ...};
///         poll(entries, std::size(entries), -1);
///         if (entries[0].revents != 0) {
///             guest.run_ready();
///         }
///         ...
///     }
///
/// The descriptor is readable as long as there is something to do: input or output has finished,
/// another thread or a signal has posted something, a timer is due, callbacks are ready.
///
/// What the other loop calls may use the EventLoop's own methods (create_task(), call_soon(),
/// call_later(), ...) at any time. Whatever else may make something ready (setting an Event,
/// putting into a Queue, writing to a stream) it does in call(); otherwise that waits until
/// something else happens, which debug mode reports.
///
/// run_forever() and run_until_complete() of the loop may still be called where no callback of it
/// runs; they block the other loop.
///
/// Errors:  RuntimeError for a loop that is closed, that runs, or that has a GuestLoop already;
///          OSError.
/// Threads: belongs to its loop's thread.
class GuestLoop {
public:
    explicit GuestLoop(EventLoop& loop);
    GuestLoop(GuestLoop&&) noexcept;
    GuestLoop& operator=(GuestLoop&&) noexcept;
    /// The loop is its own again.
    ~GuestLoop();

    /// To be watched for input, in a level-triggered way; not to be read. -1 once the loop is
    /// closed.
    [[nodiscard]] int fileno() const noexcept;

    /// Runs what is ready, and what that makes ready, without waiting: for about a millisecond at
    /// most. True if there is more: then the descriptor is readable still.
    ///
    /// KeyboardInterrupt and SystemExit leave it, as they leave run_forever(); the callbacks that
    /// were not reached stay ready. RuntimeError if it is called by a callback of the loop (the
    /// other loop must not be run inside of them), while another EventLoop runs in this thread,
    /// or if the loop is closed.
    bool run_ready();

    /// Did stop() end the last run_ready()? What to do about it is for the other loop to decide;
    /// the next run_ready() goes on.
    [[nodiscard]] bool stopped() const noexcept;

    /// When the next timer is due, on the loop's clock. (The descriptor tells, too.)
    [[nodiscard]] std::optional<TimePoint> next_due() const noexcept;

    /// Calls `fn(args...)` as a callback of the loop would be: get_running_loop() is the loop, and
    /// what becomes ready will be run. What it returns, or throws.
    template <class Fn, class... Args>
    decltype(auto) call(Fn&& fn, Args&&... args) {
        const detail::GuestCall running(*embedding_);
        return std::forward<Fn>(fn)(std::forward<Args>(args)...);
    }

    /// RuntimeError once it is closed.
    [[nodiscard]] EventLoop& loop() const;

private:
    std::unique_ptr<detail::Embedding> embedding_;
};

}  // namespace asyncio
