// threads.hpp - work in other threads: to_thread, ThreadPoolExecutor, EventLoop::run_in_executor.
//
// Mirrors asyncio.threads and concurrent.futures.ThreadPoolExecutor; differences:
// docs/parity.md#threads.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/futures.hpp>
#include <asyncio/lowlevel/executor.hpp>
#include <asyncio/tasks.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string_view>
#include <type_traits>
#include <utility>

namespace asyncio {

/// Keyword arguments of ThreadPoolExecutor.
struct ThreadPoolOptions {
    std::size_t max_workers = 0;  ///< 0: the number of processors + 4, at most 32
    std::string_view thread_name_prefix = "asyncio";
};

/// Threads that run jobs, first come first served. A thread is started when a job finds none idle,
/// up to the maximum, and stays until shutdown().
///
/// Threads: every method from any thread. The destructor waits for the jobs that were submitted.
class ThreadPoolExecutor final : public Executor {
public:
    explicit ThreadPoolExecutor(ThreadPoolOptions options = {});
    ~ThreadPoolExecutor() override;

    void submit(lowlevel::Job& job) override;
    void shutdown(bool wait = true, bool cancel_futures = false) override;

    /// How many threads there are at this moment.
    [[nodiscard]] std::size_t threads() const;

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with the threads, which may outlive this object
};

namespace detail {

/// The way from other threads back to a loop that may be gone by then.
struct LoopGate {
    explicit LoopGate(EventLoop& owner) noexcept : loop(&owner) {}
    std::mutex mutex;
    EventLoop* loop;  // null once it is closed
};

/// A call under way in an executor. The worker runs it, the loop gives its result to a future and
/// frees it; if the loop is closed before, the worker does.
class Work : public lowlevel::Job, public lowlevel::Callback, public lowlevel::ListHook<AllWork> {
public:
    /// Hands it to `executor`, or the loop's default one, made if there is none. If that throws,
    /// the work has been freed.
    void submit(Executor* executor);
    /// The result is not wanted any more; a call that has not begun never will.
    void forget() noexcept { wanted_.store(false, std::memory_order_relaxed); }

    void run() noexcept final;
    void abandon() noexcept final;

protected:
    explicit Work(EventLoop& loop) noexcept : Callback(&give_back), loop_(&loop) {}
    virtual ~Work() = default;

    [[nodiscard]] EventLoop& loop() const noexcept { return *loop_; }
    /// In the worker: calls the function and keeps what comes of it.
    virtual void call() noexcept = 0;
    /// On the loop: gives the future its result; `cancelled` if the call was never made.
    virtual void deliver(bool cancelled) = 0;
    /// On the loop: drops the future.
    virtual void disown() noexcept = 0;

private:
    friend class asyncio::EventLoop;
    static void give_back(Callback& callback);
    void finish() noexcept;

    EventLoop* loop_;
    std::atomic<bool> wanted_{true};
    std::shared_ptr<LoopGate> gate_;
    bool called_ = false;
    bool posted_ = false;  // guarded by the gate
};

/// The future of a call; cancelling it keeps a call that has not begun from being made.
template <class R>
class WorkFuture final : public FutureImpl<R> {
public:
    explicit WorkFuture(EventLoop& loop) noexcept : FutureImpl<R>(loop) {}

    bool cancel(CancelMessage message) override {
        if (!this->cancel_plain(message)) {
            return false;
        }
        if (work != nullptr) {
            work->forget();
        }
        return true;
    }

    Work* work = nullptr;

private:
    ~WorkFuture() override = default;
    void dispose() noexcept override { delete this; }
};

void report_lost(const std::exception_ptr& error) noexcept;

template <class Fn, class R>
class WorkOf final : public Work {
public:
    template <class F>
    WorkOf(EventLoop& loop, F&& fn, WorkFuture<R>& future)
        : Work(loop), fn_(std::forward<F>(fn)), future_(&future) {
        future.retain();
        future.work = this;
    }

private:
    ~WorkOf() override = default;

    void call() noexcept override {
        try {
            if constexpr (std::is_void_v<R>) {
                fn_();
                outcome_.emplace();
            } else {
                outcome_.emplace(fn_());
            }
        } catch (...) {
            outcome_.error = std::current_exception();
        }
    }
    void deliver(bool cancelled) override {
        WorkFuture<R>& future = *std::exchange(future_, nullptr);
        const Future<R> handle = Future<R>::take_over(&future);
        future.work = nullptr;
        if (future.done()) {
            report_lost(outcome_.error);
        } else if (cancelled) {
            future.cancel({});
        } else if (outcome_.error != nullptr) {
            handle.set_exception(outcome_.error);
        } else if constexpr (std::is_void_v<R>) {
            handle.set_result();
        } else {
            handle.set_result(outcome_.take());
        }
    }
    void disown() noexcept override {
        if (future_ != nullptr) {
            future_->work = nullptr;
            std::exchange(future_, nullptr)->release();
        }
    }

    Fn fn_;
    WorkFuture<R>* future_;
    Outcome<R> outcome_;
};

template <class Fn>
auto submit_work(EventLoop& loop, Executor* executor, Fn&& fn) {
    using Decayed = std::decay_t<Fn>;
    using R = std::remove_cvref_t<std::invoke_result_t<Decayed&>>;
    loop.check_usable();
    auto* const future = new WorkFuture<R>(loop);
    auto handle = Future<R>::take_over(future);
    auto* const work = new WorkOf<Decayed, R>(loop, std::forward<Fn>(fn), *future);
    static_cast<Work*>(work)->submit(executor);
    return handle;
}

template <class Fn>
auto to_thread_coroutine(Fn fn) -> Coroutine<std::remove_cvref_t<std::invoke_result_t<Fn&>>> {
    co_return co_await submit_work(get_running_loop(), nullptr, std::move(fn));
}

}  // namespace detail

/// Calls `fn(args...)` in a thread of the loop's default executor and gives what it returns, or
/// throws what it throws. Function and arguments are kept by value.
///
/// Cancellation: ends the wait. A call that has not begun is never made; one that has goes on, and
///               its result is dropped (an exception of it is logged).
/// On g++ 12 pass a function and arguments, or a lambda with a name, within a co_await.
template <class Fn, class... Args>
    requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>...>
[[nodiscard]] auto to_thread(Fn&& fn, Args&&... args) {
    if constexpr (sizeof...(Args) > 0) {
        return detail::to_thread_coroutine(
            detail::bind(std::forward<Fn>(fn), std::forward<Args>(args)...));
    } else {
        return detail::to_thread_coroutine<std::decay_t<Fn>>(std::forward<Fn>(fn));
    }
}

template <class Fn, class... Args>
auto EventLoop::run_in_executor(Executor* executor, Fn&& fn, Args&&... args) {
    if constexpr (sizeof...(Args) > 0) {
        return detail::submit_work(*this, executor,
                                   detail::bind(std::forward<Fn>(fn), std::forward<Args>(args)...));
    } else {
        return detail::submit_work(*this, executor, std::forward<Fn>(fn));
    }
}

}  // namespace asyncio
