// portal.hpp - what a BlockingPortal is a handle of: calls from other threads, under way in a loop.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/concurrent_future.hpp>
#include <asyncio/detail/handle.hpp>
#include <asyncio/detail/owned.hpp>
#include <asyncio/detail/work.hpp>
#include <asyncio/locks.hpp>
#include <asyncio/lowlevel/intrusive.hpp>
#include <asyncio/tasks.hpp>

#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

namespace asyncio::detail {

class PortalState;

/// A call that a portal has been given. It lies in the frame of the coroutine that makes it, and
/// counts from when it was posted until that frame is gone.
class PortalCall : public lowlevel::ListHook<> {
public:
    explicit PortalCall(std::shared_ptr<PortalState> state) noexcept;
    ~PortalCall();

    /// By the coroutine, when it begins.
    void begin();

private:
    friend PortalState;

    std::shared_ptr<PortalState> state_;
    AnyTask task_;
    bool counted_ = false;
};

/// `mutex_` is held for a few instructions: nothing of the user's runs or is destroyed meanwhile.
/// The way to a loop that may be gone is its gate, which is locked within.
class PortalState : public std::enable_shared_from_this<PortalState> {
public:
    explicit PortalState(EventLoop& loop);
    PortalState(const PortalState&) = delete;
    PortalState& operator=(const PortalState&) = delete;

    [[nodiscard]] EventLoop& loop() const noexcept { return *loop_; }
    /// Throws RuntimeError in the loop's own thread, or if no calls are taken any more.
    void check() const;
    /// Has the loop call `node`'s function, which makes `call`. Throws as check(); the node is
    /// released in any case.
    void post(PortalCall& call, HandleNode& node);
    /// From any thread.
    void stop(bool cancel_remaining);

    // ---- in the loop's thread

    [[nodiscard]] auto stopped() noexcept { return stopped_.wait(); }
    /// Stops, and waits until no call is left. Cancelled meanwhile, it cancels the calls, and goes
    /// on.
    static Coroutine<void> finish(std::shared_ptr<PortalState> state, bool cancel_remaining);

private:
    friend PortalCall;

    void stop_here(bool cancel_remaining);
    void cancel_calls();
    void call_ended() noexcept;
    [[nodiscard]] bool runs_here() const noexcept { return thread_state.loop == loop_; }

    EventLoop* const loop_;
    const std::shared_ptr<LoopGate> gate_;
    mutable std::mutex mutex_;
    bool open_ = true;
    std::size_t calls_ = 0;

    // Of the loop's thread alone.
    lowlevel::List<PortalCall> begun_;
    bool cancelling_ = false;
    Event stopped_;
    Event idle_;  // set once there is no call, and will be none
};

template <class T>
struct PortalResultOf {
    using type = std::remove_cvref_t<T>;
};
template <Awaitable T>
struct PortalResultOf<T> {
    using type = AwaitValue<T>;
};
/// What a portal's call of an Fn gives: what it returns, or what awaiting that gives.
template <class Fn>
using PortalResult = typename PortalResultOf<std::invoke_result_t<Fn&>>::type;

template <class Fn>
Coroutine<PortalResult<Fn>> make_portal_call(Owned<PortalCall> call, Fn fn) {
    call->begin();
    if constexpr (Awaitable<std::invoke_result_t<Fn&>>) {
        co_return co_await fn();
    } else if constexpr (std::is_void_v<PortalResult<Fn>>) {
        fn();
    } else {
        co_return fn();
    }
}

/// `fn()` in the loop of a portal.
template <class Fn>
ConcurrentFuture<PortalResult<Fn>> start_portal_call(const std::shared_ptr<PortalState>& state,
                                                     Fn fn) {
    using R = PortalResult<Fn>;
    state->check();
    auto result = std::make_shared<ConcurrentStateOf<R>>(state->loop());
    auto call = make_owned<PortalCall>(state);
    PortalCall& place = *call;
    using Start = ConcurrentStart<R>;
    auto* const node = HandleNodeOf<HandleNode, Start>::make(
        state->loop(), true, nullptr,
        Start(state->loop(), result, make_portal_call<Fn>(std::move(call), std::move(fn))));
    state->post(place, *node);
    return ConcurrentFuture<R>(std::move(result));
}

}  // namespace asyncio::detail
