// portal.hpp - async code for threads that block: BlockingPortal, start_blocking_portal.
//
// Beyond asyncio, after AnyIO: docs/threads.md#a-portal.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/portal.hpp>
#include <asyncio/runners.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

namespace asyncio {

/// The way of blocking code into a loop: functions that it has called there, and coroutines that it
/// has run there.
///
///     BlockingPortal portal;                                     // on the running loop
///     co_await with(portal, [&] { return to_thread(work, portal); });
///
///     void work(BlockingPortal portal) {                         // in another thread
///         std::string answer = portal.call(ask, "question");     // waits for it
///     }
///
/// A shared handle, to be copied to whoever needs it. It takes calls until stop(), or the end of
/// with(), which waits for those under way, and cancels them if its body throws, or it is cancelled
/// itself.
///
/// Errors:  RuntimeError("This portal is not running") after stop(), or the end of its loop, and
///          RuntimeError("This method cannot be called from the event loop thread") there.
/// Threads: every method from any, but for those that say otherwise.
class BlockingPortal {
public:
    /// On the running loop; RuntimeError if there is none.
    BlockingPortal() : BlockingPortal(get_running_loop()) {}
    /// On a loop of this thread, which need not be running yet.
    explicit BlockingPortal(EventLoop& loop)
        : state_(std::make_shared<detail::PortalState>(loop)) {}

    /// Calls `fn(args...)` in the loop's thread, and awaits what it gives if that can be awaited:
    /// the value. Throws what it throws; CancelledError if it is cancelled. Function and arguments
    /// are kept by value; it runs in a copy of the caller's context.
    template <class Fn, class... Args>
        requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>...>
    auto call(Fn&& fn, Args&&... args) const {
        return start_task_soon(std::forward<Fn>(fn), std::forward<Args>(args)...).result();
    }

    /// The same without waiting: a ConcurrentFuture of the value. Its cancel() cancels the task.
    template <class Fn, class... Args>
        requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>...>
    auto start_task_soon(Fn&& fn, Args&&... args) const {
        if constexpr (sizeof...(Args) > 0) {
            auto bound =
                detail::bind(std::decay_t<Fn>(std::forward<Fn>(fn)), std::forward<Args>(args)...);
            return detail::start_portal_call(state_, std::move(bound));
        } else {
            return detail::start_portal_call<std::decay_t<Fn>>(state_, std::forward<Fn>(fn));
        }
    }

    /// Takes no calls from now on; those under way go on, or with `cancel_remaining` are cancelled.
    /// Does not wait. Again is nothing, except that it may cancel.
    void stop(bool cancel_remaining = false) const { state_->stop(cancel_remaining); }

    /// In the loop's thread: until stop().
    [[nodiscard]] auto sleep_until_stopped() const { return state_->stopped(); }

    /// For with(), in the loop's thread.
    BlockingPortal& aenter() noexcept { return *this; }
    Coroutine<bool> aexit(std::exception_ptr error);

    bool operator==(const BlockingPortal&) const noexcept = default;

private:
    std::shared_ptr<detail::PortalState> state_;
};

/// A portal to a loop in a thread of its own, which ends with it: what start_blocking_portal()
/// gives.
///
/// The destructor does what stop() does; if an exception leads to it, remaining calls are
/// cancelled. What the loop's thread throws (KeyboardInterrupt, say) is thrown by stop(), and only
/// logged by the destructor. It must not be destroyed in the loop's thread.
class BlockingPortalThread {
public:
    explicit BlockingPortalThread(RunOptions options);
    BlockingPortalThread(const BlockingPortalThread&) = delete;
    BlockingPortalThread& operator=(const BlockingPortalThread&) = delete;
    ~BlockingPortalThread();

    /// For those who shall not end it.
    [[nodiscard]] const BlockingPortal& portal() const noexcept { return *portal_; }
    operator const BlockingPortal&() const noexcept { return *portal_; }

    /// As those of BlockingPortal.
    template <class Fn, class... Args>
        requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>...>
    auto call(Fn&& fn, Args&&... args) const {
        return portal_->call(std::forward<Fn>(fn), std::forward<Args>(args)...);
    }
    template <class Fn, class... Args>
        requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>...>
    auto start_task_soon(Fn&& fn, Args&&... args) const {
        return portal_->start_task_soon(std::forward<Fn>(fn), std::forward<Args>(args)...);
    }

    /// Takes no calls from now on, waits for those under way, or with `cancel_remaining` cancels
    /// them, and for the end of the loop. By one thread, which is not the loop's: RuntimeError
    /// there.
    void stop(bool cancel_remaining = false);

private:
    struct Begin;
    static Coroutine<> serve(Begin& begin);
    void run_loop(Begin begin, const RunOptions& options) noexcept;
    void end(bool cancel_remaining);

    std::optional<BlockingPortal> portal_;
    std::thread thread_;
    std::exception_ptr error_;  // what the thread threw; to be read once it has been joined
    int exceptions_;            // under way when it was made
};

/// Runs a loop in a thread of its own, for a program that is not async, and gives a portal to it.
/// Returns once the loop runs; throws what keeps it from running.
///
///     auto portal = start_blocking_portal();
///     std::string page = portal.call(fetch, "http://localhost/");
[[nodiscard]] inline BlockingPortalThread start_blocking_portal(RunOptions options = {}) {
    return BlockingPortalThread(options);
}

}  // namespace asyncio
