// threads.cpp - the way of a result from a thread to a future, and the executors of a loop.
//
// SPDX-License-Identifier: MIT
#include <asyncio/threads.hpp>

#include <asyncio/detail/config.hpp>
#include <asyncio/log.hpp>

#include <cstdio>
#include <mutex>
#include <string>
#include <utility>

namespace asyncio {

// -------------------------------------------------------------------------------------- Work

namespace detail {

namespace {

constexpr const char* lost = "a call in an executor threw what nobody waits for any more";

/// The loop's own handle to an executor. When the last copy is gone and nobody else has the
/// executor, nobody waits for it either: the loop's thread must not.
std::shared_ptr<Executor> not_waited_for(std::shared_ptr<Executor> executor) {
    if (executor == nullptr) {
        return nullptr;
    }
    Executor* const object = executor.get();
    return {object, [executor = std::move(executor)](Executor*) mutable noexcept {
                if (executor.use_count() == 1) {
                    executor->detach();
                }
                executor.reset();
            }};
}

}  // namespace

const std::shared_ptr<LoopGate>& LoopGate::of(EventLoop& loop) {
    if (loop.gate_ == nullptr) {
        loop.gate_ = std::make_shared<LoopGate>(loop);
    }
    return loop.gate_;
}

bool LoopGate::post(HandleNode& node) noexcept {
    const std::lock_guard lock(mutex);
    return loop != nullptr && loop->post(node);
}

void Work::submit(Executor* executor) {
    EventLoop& loop = *loop_;
    try {
        if (executor == nullptr) {
            if (loop.default_executor_shut_down_) {
                throw RuntimeError("Executor shutdown has been called");
            }
            if (loop.default_executor_ == nullptr) {
                loop.set_default_executor(std::make_shared<ThreadPoolExecutor>());
            }
            executor = loop.default_executor_.get();
        }
        gate_ = LoopGate::of(loop);
        loop.work_.push_back(*this);
        loop.proactor().outside_work(true);
        executor->submit(*this);
    } catch (...) {
        if (static_cast<ListHook<AllWork>&>(*this).linked()) {
            static_cast<ListHook<AllWork>&>(*this).unlink();
            loop.proactor().outside_work(false);
        }
        disown();
        delete this;
        throw;
    }
}

bool Work::forget() noexcept {
    State expected = State::waiting;
    return state_.compare_exchange_strong(expected, State::forgotten, std::memory_order_relaxed);
}

bool Work::begin() noexcept {
    State expected = State::waiting;
    return state_.compare_exchange_strong(expected, State::begun, std::memory_order_relaxed);
}

void Work::run() noexcept {
    if (begin()) {
        call();
    }
    finish();
}

void Work::abandon() noexcept {
    finish();
}

void Work::finish() noexcept {
    {
        const std::shared_ptr<LoopGate> gate = gate_;
        const std::lock_guard lock(gate->mutex);
        if (gate->loop != nullptr) {
            left_.store(true, std::memory_order_relaxed);
            // Refused only by a loop that is closing, which finds it left.
            static_cast<void>(gate->loop->post(*this));
            return;
        }
    }
    let_go();
}

// Once by the worker that finds the loop closed, once by the loop that closes: the second frees it.
void Work::let_go() noexcept {
    if (left_.exchange(true, std::memory_order_acq_rel)) {
        report_lost(error());
        delete this;
    }
}

void Work::give_back(Callback& callback) {
    auto& work = static_cast<Work&>(callback);
    static_cast<ListHook<AllWork>&>(work).unlink();
    work.loop_->proactor().outside_work(false);
    struct Free {
        Work& work;
        ~Free() { delete &work; }
    } free{work};
    work.deliver(work.state_.load(std::memory_order_relaxed) != State::begun);
}

void Work::report_late(const std::exception_ptr& error, const AnyFuture& future) {
    if (error != nullptr) {
        ExceptionContext context;
        context.message = lost;
        context.exception = error;
        context.future = future;
        loop_->call_exception_handler(context);
    }
}

void report_lost(const std::exception_ptr& error) noexcept {
    if (error != nullptr) {
        log_error("a call in an executor threw when its loop was closed: ", error);
    }
}

}  // namespace detail

// ------------------------------------------------------------------------------ of the loop

// The loop is closing: what runs in threads goes on, and is dropped there when it has ended.
void EventLoop::drop_work() noexcept {
    if (gate_ == nullptr) {
        return;
    }
    {
        const std::lock_guard lock(gate_->mutex);
        gate_->loop = nullptr;
    }
    // From here on it is destructors of the user's that run, and these may wait for other calls:
    // neither is the gate held, nor does any of them begin now.
    std::size_t never_made = 0;
    for (detail::Work& work : work_) {
        never_made += work.forget() && !work.quiet_ ? 1U : 0U;
    }
    while (!work_.empty()) {
        detail::Work& work = work_.pop_front();
        proactor_->outside_work(false);
        work.disown();
        work.let_go();
    }
    if (never_made != 0) {
        detail::log(Level::warning,
                    "calls in threads that had not begun when the event loop was "
                    "closed, and are never made: " +
                        std::to_string(never_made));
    }
}

void EventLoop::drop_executors() noexcept {
    for (std::shared_ptr<Executor>* const place : {&default_executor_, &resolver_executor_}) {
        const std::shared_ptr<Executor> executor = std::exchange(*place, nullptr);
        if (executor == nullptr) {
            continue;
        }
        try {
            executor->shutdown(false);
        } catch (...) {
            detail::log(Level::error, "the shutdown of an executor threw while its loop closed: " +
                                          describe(std::current_exception()));
        }
    }
}

void EventLoop::set_default_executor(std::shared_ptr<Executor> executor) {
    default_executor_ = detail::not_waited_for(std::move(executor));
}

Executor& EventLoop::resolver_executor() {
    // As many names at a time; the C library waits for each up to half a minute.
    static constexpr std::size_t threads = 8;
    check_usable();
    if (resolver_executor_ == nullptr) {
        resolver_executor_ = detail::not_waited_for(std::make_shared<ThreadPoolExecutor>(
            ThreadPoolOptions{.max_workers = threads, .thread_name_prefix = "asyncio_dns"}));
    }
    return *resolver_executor_;
}

Coroutine<> EventLoop::shutdown_default_executor(std::optional<Duration> limit) {
    default_executor_shut_down_ = true;
    const std::shared_ptr<Executor> executor = default_executor_;
    if (executor == nullptr) {
        co_return;
    }
    ThreadPoolExecutor joiner({.max_workers = 1, .thread_name_prefix = "asyncio_join"});
    joiner.detach();  // its job may never end, and this frame may be destroyed before
    const Future<> joined =
        detail::submit_work(*this, &joiner, [executor] { executor->shutdown(true); });
    Result<void> result = co_await as_result(wait_for(joined, limit));
    if (joined.done() && !joined.cancelled()) {
        joiner.shutdown(true);  // its thread is at its end
    }
    try {
        result.get();
    } catch (const TimeoutError&) {
        if (!limit.has_value()) {
            throw;
        }
        executor->shutdown(false);
        char seconds[32];
        std::snprintf(seconds, sizeof seconds, "%g", limit->seconds());
        detail::log(Level::warning, std::string("The executor did not finishing joining its "
                                                "threads within ") +
                                        seconds + " seconds.");
    }
}

}  // namespace asyncio
