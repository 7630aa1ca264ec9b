// work.hpp - a call in an executor, and the way of its result back to a future.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/handle.hpp>
#include <asyncio/futures.hpp>
#include <asyncio/lowlevel/executor.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

namespace asyncio::detail {

/// The way from other threads back to a loop that may be gone by then. The mutex is held for a few
/// instructions, and never while anything of the user's runs or is destroyed.
struct LoopGate {
    explicit LoopGate(EventLoop& owner) noexcept : loop(&owner) {}
    /// That of a loop; in its own thread.
    static const std::shared_ptr<LoopGate>& of(EventLoop& loop);
    /// Hands the loop a function to call. False if it is closed: then the node is the caller's.
    [[nodiscard]] bool post(HandleNode& node) noexcept;

    std::mutex mutex;
    EventLoop* loop;  // null once it is closed
};

/// A call under way in an executor. The worker runs it and posts it, the loop gives its result to a
/// future and frees it. If the loop is closed before, each of the two lets go of it, and the second
/// frees it.
class Work : public lowlevel::Job, public lowlevel::Callback, public lowlevel::ListHook<AllWork> {
public:
    /// Hands it to `executor`, or the loop's default one, made if there is none. If that throws,
    /// the work has been freed.
    void submit(Executor* executor);
    /// The result is not wanted any more. A call that has not begun never will: true if this is
    /// what makes it so.
    bool forget() noexcept;
    /// It is no call that a user has asked for: nothing is said if it is never made.
    void set_quiet() noexcept { quiet_ = true; }

    void run() noexcept final;
    void abandon() noexcept final;

protected:
    explicit Work(EventLoop& loop) noexcept : Callback(&give_back), loop_(&loop) {}
    virtual ~Work() = default;

    /// In the worker: calls the function and keeps what comes of it.
    virtual void call() noexcept = 0;
    /// On the loop: gives the future its result; `cancelled` if the call was never made.
    virtual void deliver(bool cancelled) = 0;
    /// On the loop: drops the future.
    virtual void disown() noexcept = 0;
    /// What the call threw, if that was not delivered.
    [[nodiscard]] virtual const std::exception_ptr& error() const noexcept = 0;
    /// On the loop: `future` was cancelled meanwhile, so whoever handles the loop's errors gets
    /// this one. Null is nothing.
    void report_late(const std::exception_ptr& error, const AnyFuture& future);

    /// In the worker: is the call still wanted? It cannot be forgotten from then on.
    [[nodiscard]] bool begin() noexcept;
    /// In the worker: sends what has come of it to the loop.
    void finish() noexcept;

private:
    friend class asyncio::EventLoop;
    enum class State : std::uint8_t { waiting, begun, forgotten };

    static void give_back(Callback& callback);
    void let_go() noexcept;

    EventLoop* loop_;
    std::shared_ptr<LoopGate> gate_;
    std::atomic<State> state_{State::waiting};
    bool quiet_ = false;
    std::atomic<bool> left_{false};  // by the worker, or by the loop that is closed
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

/// Logs an exception of a call whose loop is closed; null is nothing.
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
            report_late(outcome_.error, handle);
        } else if (cancelled) {
            future.cancel({});
        } else if (outcome_.error != nullptr) {
            handle.set_exception(outcome_.error);
        } else {
            give_result(handle);
        }
    }
    void refuse(const std::exception_ptr& error) noexcept override {
        if (this->begin()) {
            outcome_.error = error;
        }
        this->finish();
    }
    void disown() noexcept override {
        if (future_ != nullptr) {
            future_->work = nullptr;
            std::exchange(future_, nullptr)->release();
        }
    }
    [[nodiscard]] const std::exception_ptr& error() const noexcept override {
        return outcome_.error;
    }

    void give_result(const Future<R>& future) {
        if constexpr (std::is_void_v<R>) {
            future.set_result();
        } else {
            try {
                future.set_result(std::move(outcome_.value()));
            } catch (...) {
                // The move of the result threw: whoever waits is told so.
                future.set_exception(std::current_exception());
            }
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

}  // namespace asyncio::detail
