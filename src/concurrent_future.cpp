// concurrent_future.cpp - a result on its way from a loop to other threads.
//
// SPDX-License-Identifier: MIT
#include <asyncio/detail/concurrent_future.hpp>

#include <asyncio/log.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

namespace asyncio::detail {

struct ConcurrentState::Shared {
    mutable std::mutex mutex;
    std::condition_variable changed;
    EventLoop* loop = nullptr;  // null once it is done: nothing is asked of the loop any more
    bool done = false;
    bool cancelled = false;
    std::exception_ptr error;
    std::vector<UniqueFunction<void()>> callbacks;

    /// It is done; who has the mutex calls, without it, what is given back.
    std::vector<UniqueFunction<void()>> end(bool with_cancellation, std::exception_ptr with_error) {
        loop = nullptr;
        done = true;
        cancelled = with_cancellation;
        error = std::move(with_error);
        changed.notify_all();
        return std::exchange(callbacks, {});
    }
};

ConcurrentState::ConcurrentState() : shared_(make_owned<Shared>()) {}

ConcurrentState::ConcurrentState(EventLoop& loop) : shared_(make_owned<Shared>()) {
    shared_->loop = &loop;
}

ConcurrentState::~ConcurrentState() = default;

bool ConcurrentState::done() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->done;
}

bool ConcurrentState::cancelled() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->cancelled;
}

void ConcurrentState::wait(std::optional<Duration> timeout) const {
    std::unique_lock lock(shared_->mutex);
    const auto is_done = [this] { return shared_->done; };
    if (!is_done() && shared_->loop != nullptr && shared_->loop == thread_state.loop) {
        throw RuntimeError("the result would be waited for by the loop that has to compute it");
    }
    constexpr double longest = 1e9;  // seconds: what is added to a clock must not overflow
    if (!timeout.has_value() || timeout->seconds() > longest) {
        shared_->changed.wait(lock, is_done);
        return;
    }
    if (!shared_->changed.wait_for(lock, std::chrono::nanoseconds(*timeout), is_done)) {
        throw TimeoutError();
    }
}

void ConcurrentState::check() const {
    if (const std::exception_ptr error = exception()) {
        std::rethrow_exception(error);
    }
}

std::exception_ptr ConcurrentState::exception() const {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->cancelled) {
        throw CancelledError();
    }
    return shared_->error;
}

void ConcurrentState::add_done_callback(UniqueFunction<void()> fn) {
    {
        const std::lock_guard lock(shared_->mutex);
        if (!shared_->done) {
            shared_->callbacks.push_back(std::move(fn));
            return;
        }
    }
    std::vector<UniqueFunction<void()>> callbacks;
    callbacks.push_back(std::move(fn));
    run_callbacks(std::move(callbacks));
}

void ConcurrentState::run_callbacks(std::vector<UniqueFunction<void()>> callbacks) noexcept {
    for (const UniqueFunction<void()>& callback : callbacks) {
        try {
            callback();
        } catch (...) {
            log_error("a done callback of a ConcurrentFuture threw: ", std::current_exception());
        }
    }
}

void ConcurrentState::complete(bool cancelled, std::exception_ptr error) noexcept {
    std::vector<UniqueFunction<void()>> callbacks;
    {
        const std::lock_guard lock(shared_->mutex);
        if (shared_->done) {
            return;
        }
        callbacks = shared_->end(cancelled, std::move(error));
    }
    run_callbacks(std::move(callbacks));
}

void ConcurrentState::finish(std::exception_ptr error) noexcept {
    complete(false, std::move(error));
}

void ConcurrentState::finish_cancelled() noexcept {
    complete(true, nullptr);
}

void ConcurrentState::lose() noexcept {
    complete(false, std::make_exception_ptr(RuntimeError("Event loop is closed")));
}

bool ConcurrentState::cancel(const std::shared_ptr<ConcurrentState>& self) {
    std::vector<UniqueFunction<void()>> callbacks;
    {
        const std::lock_guard lock(shared_->mutex);
        if (shared_->done) {
            return shared_->cancelled;
        }
        // The loop exists as long as this is not done and the mutex is held: before it closes it
        // makes this done.
        try {
            // The task has `self` until it has been told.
            shared_->loop->call_soon_threadsafe([self] {
                if (self->link_ != nullptr) {
                    self->link_->cancel_task();
                }
            });
        } catch (const RuntimeError&) {}  // it is closing
        callbacks = shared_->end(true, nullptr);
    }
    run_callbacks(std::move(callbacks));
    return true;
}

// ----------------------------------------------------------------------------- ConcurrentLink

ConcurrentLink::ConcurrentLink(std::shared_ptr<ConcurrentState> state, AnyTask task)
    : state_(std::move(state)), task_(std::move(task)) {
    state_->set_link(this);
    task_.get_loop().resources().push_back(*this);
}

ConcurrentLink::~ConcurrentLink() {
    state_->set_link(nullptr);
    state_->lose();
}

void ConcurrentLink::loop_closing() noexcept {
    task_ = {};
    state_->lose();
}

// ---------------------------------------------------------------------------------- WhenDone

void WhenDone::submit(lowlevel::Job& job) {
    static_cast<Work&>(job).set_quiet();
    state_->add_done_callback([&job, state = state_.get()] {
        if (state->cancelled()) {
            job.abandon();
        } else {
            job.run();
        }
    });
}

}  // namespace asyncio::detail
