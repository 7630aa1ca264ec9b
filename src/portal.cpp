// portal.cpp - how calls come through a portal, and how it is closed.
//
// SPDX-License-Identifier: MIT
#include <asyncio/portal.hpp>

#include <asyncio/detail/scope.hpp>
#include <asyncio/log.hpp>
#include <asyncio/result.hpp>

#include "signals_blocked.hpp"

#include <future>
#include <optional>
#include <utility>

namespace asyncio {

namespace detail {

// ---------------------------------------------------------------------------------- PortalCall

PortalCall::PortalCall(std::shared_ptr<PortalState> state) noexcept : state_(std::move(state)) {}

PortalCall::~PortalCall() {
    if (linked()) {
        unlink();
    }
    if (counted_) {
        state_->call_ended();
    }
}

void PortalCall::begin() {
    task_ = current_task();
    state_->begun_.push_back(*this);
    if (state_->cancelling_) {
        task_.cancel();
    }
}

// --------------------------------------------------------------------------------- PortalState

PortalState::PortalState(EventLoop& loop) : loop_(&loop), gate_(LoopGate::of(loop)) {}

void PortalState::check() const {
    {
        const std::lock_guard lock(mutex_);
        if (!open_) {
            throw RuntimeError("This portal is not running");
        }
    }
    if (runs_here()) {
        throw RuntimeError("This method cannot be called from the event loop thread");
    }
}

// Counted before it is posted: it may be over before this thread goes on.
void PortalState::post(PortalCall& call, HandleNode& node) {
    bool posted = false;
    {
        const std::lock_guard lock(mutex_);
        if (open_) {
            ++calls_;
            call.counted_ = true;
            posted = gate_->post(node);
            if (!posted) {
                --calls_;
                call.counted_ = false;
            }
        }
    }
    node.release();  // there is no handle
    if (!posted) {
        node.release();
        throw RuntimeError("This portal is not running");
    }
}

void PortalState::stop(bool cancel_remaining) {
    if (runs_here()) {
        {
            const std::lock_guard lock(mutex_);
            open_ = false;
        }
        stop_here(cancel_remaining);
        return;
    }
    auto stop = [state = shared_from_this(), cancel_remaining] {
        state->stop_here(cancel_remaining);
    };
    auto* const node =
        HandleNodeOf<HandleNode, decltype(stop)>::make(*loop_, true, nullptr, std::move(stop));
    bool posted = false;
    {
        // Behind every call that was taken.
        const std::lock_guard lock(mutex_);
        open_ = false;
        posted = gate_->post(*node);
    }
    node->release();
    if (!posted) {
        node->release();
    }
}

void PortalState::stop_here(bool cancel_remaining) {
    stopped_.set();
    {
        const std::lock_guard lock(mutex_);
        if (calls_ == 0) {
            idle_.set();
        }
    }
    if (cancel_remaining) {
        cancel_calls();
    }
}

// A call that has not begun is cancelled when it does.
void PortalState::cancel_calls() {
    cancelling_ = true;
    for (const PortalCall& call : begun_) {
        call.task_.cancel();
    }
}

// In another thread only if the loop is closed: then nobody waits.
void PortalState::call_ended() noexcept {
    bool last = false;
    {
        const std::lock_guard lock(mutex_);
        last = --calls_ == 0 && !open_;
    }
    if (last && runs_here()) {
        idle_.set();
    }
}

Coroutine<void> PortalState::finish(std::shared_ptr<PortalState> state, bool cancel_remaining) {
    state->stop(cancel_remaining);
    std::exception_ptr cancelled;
    while (!state->idle_.is_set()) {
        std::optional<ScopeShield> undisturbed;
        if (cancelled != nullptr) {
            undisturbed.emplace();  // a cancelled scope would end each wait, again and again
        }
        const Result<bool> waited = co_await as_result(state->idle_.wait());
        if (waited.error() != nullptr) {
            cancelled = waited.error();
            state->cancel_calls();
        }
    }
    if (cancelled != nullptr) {
        std::rethrow_exception(cancelled);
    }
}

}  // namespace detail

Coroutine<bool> BlockingPortal::aexit(std::exception_ptr error) {
    const bool cancel_remaining = error != nullptr;
    co_await detail::PortalState::finish(state_, cancel_remaining);
    co_return false;
}

// ------------------------------------------------------------------------ BlockingPortalThread

/// In the new thread: how its maker learns of the portal, or of what there is instead.
struct BlockingPortalThread::Begin {
    std::promise<BlockingPortal> portal;
    bool done = false;
};

Coroutine<> BlockingPortalThread::serve(Begin& begin) {
    BlockingPortal portal;
    begin.done = true;
    begin.portal.set_value(portal);
    co_await portal.sleep_until_stopped();
    co_await portal.aexit(nullptr);
}

void BlockingPortalThread::run_loop(Begin begin, const RunOptions& options) noexcept {
    try {
        run([&begin] { return serve(begin); }, options);
    } catch (...) {
        if (begin.done) {
            error_ = std::current_exception();
        } else {
            begin.portal.set_exception(std::current_exception());
        }
    }
}

BlockingPortalThread::BlockingPortalThread(RunOptions options)
    : exceptions_(std::uncaught_exceptions()) {
    Begin begin;
    std::future<BlockingPortal> portal = begin.portal.get_future();
    {
        const detail::SignalsBlocked blocked;
        thread_ = std::thread([this, options, begin = std::move(begin)]() mutable {
            run_loop(std::move(begin), options);
        });
    }
    try {
        portal_.emplace(portal.get());
    } catch (...) {
        thread_.join();
        throw;
    }
}

BlockingPortalThread::~BlockingPortalThread() {
    end(std::uncaught_exceptions() > exceptions_);
    if (error_ != nullptr) {
        detail::log_error("the loop of a blocking portal threw: ", error_);
    }
}

void BlockingPortalThread::stop(bool cancel_remaining) {
    if (thread_.get_id() == std::this_thread::get_id()) {
        throw RuntimeError("This method cannot be called from the event loop thread");
    }
    end(cancel_remaining);
    if (error_ != nullptr) {
        std::rethrow_exception(std::exchange(error_, nullptr));
    }
}

void BlockingPortalThread::end(bool cancel_remaining) {
    portal_->stop(cancel_remaining);
    if (thread_.joinable()) {
        thread_.join();
    }
}

}  // namespace asyncio
