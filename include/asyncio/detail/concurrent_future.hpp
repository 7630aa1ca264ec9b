// concurrent_future.hpp - ConcurrentFuture<T>, a future for any thread; run_coroutine_threadsafe,
// wrap_future.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/function.hpp>
#include <asyncio/detail/owned.hpp>
#include <asyncio/detail/work.hpp>
#include <asyncio/lowlevel/loop_resource.hpp>
#include <asyncio/tasks.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace asyncio {

template <class T>
class ConcurrentFuture;

namespace detail {

class ConcurrentLink;

template <class T>
Future<void> when_done(const ConcurrentFuture<T>& future, EventLoop& loop);

/// What a ConcurrentFuture is a handle of, without the type of its result. The task behind it, if
/// it is a loop that computes it, is touched by the loop's thread alone.
class ConcurrentState {
public:
    /// Whoever computes it, if it is no loop, derives from this.
    ConcurrentState();
    explicit ConcurrentState(EventLoop& loop);
    ConcurrentState(const ConcurrentState&) = delete;
    ConcurrentState& operator=(const ConcurrentState&) = delete;
    virtual ~ConcurrentState();

    /// Asks whoever computes it for the end; `self` is this. True if it is cancelled from now on.
    virtual bool cancel(const std::shared_ptr<ConcurrentState>& self);
    /// Is it computed at this moment, so that it cannot be cancelled?
    [[nodiscard]] virtual bool running() const { return false; }

    [[nodiscard]] bool done() const;
    [[nodiscard]] bool cancelled() const;
    /// Until it is done. TimeoutError; RuntimeError in the thread of the loop that has to do it.
    void wait(std::optional<Duration> timeout) const;
    /// Throws what it ended with, if that is no value; it is done.
    void check() const;
    [[nodiscard]] std::exception_ptr exception() const;
    void add_done_callback(UniqueFunction<void()> fn);

    // ---- by whoever computes it: the result is in its place by then

    void finish(std::exception_ptr error) noexcept;
    void finish_cancelled() noexcept;
    /// The loop was closed: nobody will give a result.
    void lose() noexcept;

    void set_link(ConcurrentLink* link) noexcept { link_ = link; }

private:
    struct Shared;
    void complete(bool cancelled, std::exception_ptr error) noexcept;
    void run_callbacks(std::vector<UniqueFunction<void()>> callbacks) noexcept;

    Owned<Shared> shared_;
    ConcurrentLink* link_ = nullptr;
};

template <class T>
class ConcurrentStateOf : public ConcurrentState {
public:
    using ConcurrentState::ConcurrentState;

    /// What `make()` gives, or throws, is what it ends with.
    template <class Make>
    void finish_with(Make&& make) noexcept {
        try {
            if constexpr (std::is_void_v<T>) {
                make();
                outcome_.emplace();
            } else {
                outcome_.emplace(make());
            }
            finish(nullptr);
        } catch (...) {
            finish(std::current_exception());
        }
    }
    T get() {
        check();
        if constexpr (!std::is_void_v<T>) {
            if constexpr (!is_copyable<T>) {
                if (taken_.exchange(true)) {
                    raise_invalid_state("Result has been moved out already.");
                }
            }
        }
        return outcome_.get();
    }

private:
    Outcome<T> outcome_;
    std::atomic<bool> taken_{false};  // of a result that only moves
};

/// Between a task and the ConcurrentFuture of its result; the task's done callback has it. It is
/// told when the loop closes.
class ConcurrentLink final : public lowlevel::LoopResource {
public:
    ConcurrentLink(std::shared_ptr<ConcurrentState> state, AnyTask task);
    ~ConcurrentLink();
    void loop_closing() noexcept override;
    void cancel_task() const { task_.cancel(); }

private:
    std::shared_ptr<ConcurrentState> state_;
    AnyTask task_;
};

/// What the loop calls to begin; it is lost if it is dropped before.
template <class T>
class ConcurrentStart {
public:
    ConcurrentStart(EventLoop& loop, std::shared_ptr<ConcurrentStateOf<T>> state,
                    Coroutine<T>&& coroutine) noexcept
        : loop_(&loop), state_(std::move(state)), coroutine_(std::move(coroutine)) {}
    ConcurrentStart(ConcurrentStart&&) noexcept = default;
    ConcurrentStart& operator=(ConcurrentStart&&) = delete;
    ~ConcurrentStart() {
        if (state_ != nullptr) {
            state_->lose();
        }
    }

    void operator()() {
        const std::shared_ptr<ConcurrentStateOf<T>> state = std::move(state_);
        try {
            const Task<T> task = loop_->create_task(std::move(coroutine_));
            if (state->cancelled()) {
                // Whoever did it had no task to tell: it begins, as Python's does, and is cancelled
                // then.
                loop_->call_soon([task] { task.cancel(); });
                return;
            }
            auto link = std::make_unique<ConcurrentLink>(state, task);
            task.add_done_callback([state, link = std::move(link)](const Task<T>& done) {
                if (done.cancelled()) {
                    state->finish_cancelled();
                } else if (!state->cancelled()) {  // an exception is the loop's to report, then
                    state->finish_with([&done]() -> decltype(auto) { return done.result(); });
                }
            });
        } catch (...) {
            state->finish(std::current_exception());
            throw;
        }
    }

private:
    EventLoop* loop_;
    std::shared_ptr<ConcurrentStateOf<T>> state_;
    Coroutine<T> coroutine_;
};

/// Runs a job when a ConcurrentFuture is done: the way of its result to a Future.
class WhenDone final : public Executor {
public:
    explicit WhenDone(std::shared_ptr<ConcurrentState> state) noexcept : state_(std::move(state)) {}
    void submit(lowlevel::Job& job) override;
    void shutdown(bool, bool) override {}

private:
    std::shared_ptr<ConcurrentState> state_;
};

}  // namespace detail

/// A result that is computed elsewhere, for any thread: by a loop, which is what
/// run_coroutine_threadsafe() gives, or by a process (ProcessPoolExecutor::submit). A shared
/// handle; empty by default. Mirrors concurrent.futures.Future.
///
/// Once its loop is closed it is done: with RuntimeError("Event loop is closed") if the coroutine
/// was not. So nobody waits for ever.
///
/// Threads: every method from any.
template <class T = void>
class ConcurrentFuture {
public:
    using value_type = T;

    ConcurrentFuture() = default;
    /// For authors of executors.
    explicit ConcurrentFuture(std::shared_ptr<detail::ConcurrentStateOf<T>> state) noexcept
        : state_(std::move(state)) {}
    explicit operator bool() const noexcept { return state_ != nullptr; }
    bool operator==(const ConcurrentFuture&) const noexcept = default;

    [[nodiscard]] bool done() const { return state().done(); }
    [[nodiscard]] bool cancelled() const { return state().cancelled(); }
    /// Is it under way, so that cancel() comes too late? (Of a coroutine it never does.)
    [[nodiscard]] bool running() const { return state().running(); }

    /// Waits, at most for `timeout`, and gives the result: a copy, or the result itself, once, if
    /// it only moves. Throws what the coroutine threw, CancelledError if it was cancelled,
    /// TimeoutError if it takes longer, RuntimeError in the thread of the loop that has to do it.
    T result(std::optional<Duration> timeout = std::nullopt) const {
        state().wait(timeout);
        return state().get();
    }
    /// Waits in the same way; what the coroutine threw, or null.
    [[nodiscard]] std::exception_ptr exception(
        std::optional<Duration> timeout = std::nullopt) const {
        state().wait(timeout);
        return state().exception();
    }

    /// False if it has a result or an exception, or is running(). Otherwise it is cancelled from
    /// now on; a task will be: which may clean up, and no longer change that.
    bool cancel() const { return state().cancel(state_); }

    /// Calls `fn(future)` as soon as it is done, in the thread that makes it so: now, if it is
    /// done. What it throws is logged.
    template <class Fn>
        requires std::is_invocable_v<std::decay_t<Fn>&, ConcurrentFuture>
    void add_done_callback(Fn&& fn) const {
        state().add_done_callback([fn = std::decay_t<Fn>(std::forward<Fn>(fn)),
                                   self = *this]() mutable { static_cast<void>(fn(self)); });
    }

private:
    template <class U>
    friend Future<U> wrap_future(const ConcurrentFuture<U>& future, EventLoop& loop);
    template <class U>
    friend Future<void> detail::when_done(const ConcurrentFuture<U>& future, EventLoop& loop);

    [[nodiscard]] detail::ConcurrentStateOf<T>& state() const {
        if (state_ == nullptr) {
            detail::raise_empty_future();
        }
        return *state_;
    }

    std::shared_ptr<detail::ConcurrentStateOf<T>> state_;
};

/// Runs `awaitable` (a coroutine, any other awaitable, or a callable that gives one) as a task of
/// `loop`, which runs in another thread, or will; its result. The task begins with a copy of the
/// caller's context.
///
///     ConcurrentFuture<int> answer = run_coroutine_threadsafe(ask(), loop);
///     use(answer.result(5s));
///
/// Errors:  RuntimeError("Event loop is closed").
/// Threads: any; the loop must exist until this has returned.
template <class A>
auto run_coroutine_threadsafe(A&& awaitable, EventLoop& loop) {
    auto coroutine = detail::as_coroutine(std::forward<A>(awaitable));
    using T = typename decltype(coroutine)::value_type;
    auto state = std::make_shared<detail::ConcurrentStateOf<T>>(loop);
    loop.call_soon_threadsafe(detail::ConcurrentStart<T>(loop, state, std::move(coroutine)));
    return ConcurrentFuture<T>(std::move(state));
}

/// A Future on `loop` of what `future` will give, to be awaited there. Cancelling it cancels
/// `future`.
template <class T>
Future<T> wrap_future(const ConcurrentFuture<T>& future, EventLoop& loop = get_running_loop()) {
    static_cast<void>(future.state());
    detail::WhenDone when_done(future.state_);
    Future<T> wrapped = detail::submit_work(
        loop, &when_done, [state = future.state_]() -> T { return state->get(); });
    wrapped.add_done_callback([future](const AnyFuture& done) {
        if (done.cancelled()) {
            future.cancel();
        }
    });
    return wrapped;
}

/// A Future on `loop` that is done when `future` is, and has nothing to do with its result.
/// Cancelling it cancels nothing else.
template <class T>
Future<void> detail::when_done(const ConcurrentFuture<T>& future, EventLoop& loop) {
    static_cast<void>(future.state());
    WhenDone executor(future.state_);
    return submit_work(loop, &executor, [] {});
}

/// A future is given back as it is.
template <class F>
    requires std::is_base_of_v<AnyFuture, F>
F wrap_future(const F& future) {
    return future;
}

}  // namespace asyncio
