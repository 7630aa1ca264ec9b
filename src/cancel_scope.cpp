// cancel_scope.cpp - how a scope cancels its task again and again, and what it leaves behind.
//
// A task that is in a cancelled scope has `must_cancel_` set while it runs, so that the end of its
// step aborts the new wait, as for a task that has cancelled itself. `by_scope_` tells that nobody
// else has asked for that, and it may be taken back. What is thrown, or passed on to a task that is
// awaited, takes the bit away; it is set again in the next step. So nothing is looked at in the
// steps of tasks that are in no cancelled scope.
// SPDX-License-Identifier: MIT
#include <asyncio/cancel_scope.hpp>

#include <algorithm>

namespace asyncio {

namespace detail {

// ------------------------------------------------------------------------------- the task's side

ScopeLink* TaskBase::scope() const noexcept {
    const Rare* const rare = peek_rare();
    return rare != nullptr ? rare->scope : nullptr;
}

bool TaskBase::in_cancelled_scope() const noexcept {
    for (const ScopeLink* link = scope(); link != nullptr; link = link->outer) {
        if (link->cancelled) {
            return true;
        }
        if (link->shield) {
            return false;
        }
    }
    return false;
}

void TaskBase::enter_scope(ScopeLink& link) {
    Rare& kept = rare();
    link.outer = std::exchange(kept.scope, &link);
    scopes_changed();
}

void TaskBase::leave_scope(ScopeLink& link) noexcept {
    Rare& kept = rare();
    ScopeLink** place = &kept.scope;
    while (*place != &link) {
        place = &(*place)->outer;
    }
    *place = link.outer;
    if (std::exchange(link.counted, false)) {
        count_scope(-1);
    }
    scopes_changed();
}

void TaskBase::count_scope(int change) noexcept {
    Rare& kept = rare();
    kept.scope_requests += change;
    if (change > 0 || cancel_requests_ > 0) {
        cancel_requests_ = static_cast<std::uint64_t>(static_cast<int>(cancel_requests_) + change);
    }
}

int TaskBase::requests_of_others() const noexcept {
    const Rare* const rare = peek_rare();
    return cancelling() - (rare != nullptr ? rare->scope_requests : 0);
}

// Which scopes count as requests to cancel, and is the task to be cancelled by one?
void TaskBase::scopes_changed() noexcept {
    bool seen = true;
    for (ScopeLink* link = scope(); link != nullptr; link = link->outer) {
        const bool counts = link->cancelled && seen;
        if (counts != link->counted) {
            link->counted = counts;
            count_scope(counts ? 1 : -1);
        }
        seen = seen && !link->shield;
    }
    if (in_cancelled_scope()) {
        cancel_by_scope();
    } else if (must_cancel_ && by_scope_) {
        must_cancel_ = false;
    }
}

void TaskBase::cancel_by_scope() noexcept {
    if (waiter_ == nullptr && !waiting()) {
        cancel_again();  // it runs
        return;
    }
    // One that was made ready with a value gets it, and throws at its next wait.
    FutureBase* const awaited = waiter_ != nullptr ? waiter_->awaited() : nullptr;
    const bool ready = waiter_ == nullptr || (awaited != nullptr && awaited->done());
    if (!must_cancel_ && !interrupted_ && !ready) {
        by_scope_ = true;
        if (TaskBase* const inner = deliver_cancel({})) {
            inner->cancel({});
        }
    }
    expect_scope();
}

void TaskBase::cancel_again() noexcept {
    if (!must_cancel_ && in_cancelled_scope()) {
        must_cancel_ = true;
        by_scope_ = true;
    }
}

// At the beginning of a step of a task that is to be cancelled.
void TaskBase::begin_cancelled() noexcept {
    // A wait that was aborted already delivers its own, earlier error: requests are not added up.
    interrupted_by_scope_ = by_scope_ && (!interrupted_ || interrupted_by_scope_);
    must_cancel_ = false;
    by_scope_ = false;
    interrupted_ = true;
    cancel_again();
}

// The next step is one after which the task is cancelled again, whatever the wait gave it.
void TaskBase::expect_scope() noexcept {
    if (function() == &run_step) {
        set_function(&run_scope_step);
    }
}

}  // namespace detail

// ------------------------------------------------------------------------------------ CancelScope

CancelScope::CancelScope(CancelScopeOptions options) noexcept {
    ScopeLink::deadline = options.deadline.value_or(TimePoint::max());
    ScopeLink::shield = options.shield;
}

CancelScope::CancelScope(CancelScope&& other) : ScopeLink(other), fails_(other.fails_) {
    if (other.state_ != State::created) {
        throw RuntimeError("CancelScope cannot be moved once it has been entered");
    }
}

CancelScope::~CancelScope() {
    if (state_ == State::active) {
        leave();
    }
}

void CancelScope::enter() {
    if (state_ != State::created) {
        throw RuntimeError("CancelScope has already been entered");
    }
    detail::TaskBase* const task = detail::thread_state.task;
    if (task == nullptr) {
        throw RuntimeError("CancelScope should be used inside a task");
    }
    if (ScopeLink::deadline <= task->loop().time()) {
        cancelled = true;
    }
    // One that is still to be thrown is thrown inside, and must pass.
    requests_ = task->requests_of_others() - (task->cancel_pending() ? 1 : 0);
    task->enter_scope(*this);
    task->retain();  // it may end without leaving
    task_ = task;
    state_ = State::active;
    try {
        arm();
    } catch (...) {
        leave();
        throw;
    }
}

bool CancelScope::exit(const std::exception_ptr& error) {
    if (state_ != State::active) {
        throw RuntimeError("CancelScope has not been entered");
    }
    if (task_ != detail::thread_state.task || task_->scope() != this) {
        throw RuntimeError(
            "CancelScope must be left by the task that entered it, and after those inside of it");
    }
    const bool others = task_->requests_of_others() > requests_;
    leave();
    const bool outer = !ScopeLink::shield && task_->in_cancelled_scope();
    caught_ = cancelled && !others && !outer && detail::is_cancelled_error(error);
    if (caught_ && fails_) {
        throw TimeoutError();
    }
    return caught_;
}

void CancelScope::leave() noexcept {
    disarm();
    state_ = State::left;
    // Requests that were made and taken back inside concern nobody any more.
    if (task_->requests_of_others() <= requests_) {
        task_->forget_cancel();
    }
    task_->leave_scope(*this);
    task_->release();
}

void CancelScope::cancel() {
    if (!std::exchange(cancelled, true) && state_ == State::active) {
        disarm();
        task_->scopes_changed();
    }
}

std::optional<TimePoint> CancelScope::deadline() const noexcept {
    return ScopeLink::deadline == TimePoint::max() ? std::nullopt
                                                   : std::optional(ScopeLink::deadline);
}

void CancelScope::set_deadline(std::optional<TimePoint> when) {
    ScopeLink::deadline = when.value_or(TimePoint::max());
    if (state_ == State::active) {
        disarm();
        arm();
    }
}

void CancelScope::set_shield(bool on) {
    ScopeLink::shield = on;
    if (state_ == State::active) {
        task_->scopes_changed();
    }
}

void CancelScope::arm() {
    if (cancelled || ScopeLink::deadline == TimePoint::max()) {
        return;
    }
    EventLoop& loop = task_->loop();
    if (ScopeLink::deadline <= loop.time()) {
        cancel();
    } else {
        loop.arm(time_up_, ScopeLink::deadline);
    }
}

void CancelScope::disarm() noexcept {
    if (time_up_.waiting()) {
        task_->loop().withdraw(time_up_);
    }
}

void CancelScope::TimeUp::run(Callback& callback) {
    static_cast<TimeUp&>(callback).owner.cancel();
}

// -------------------------------------------------------------------------------- ways to make one

CancelScope move_on_at(std::optional<TimePoint> when, ScopeOptions options) {
    return CancelScope({.deadline = when, .shield = options.shield});
}

CancelScope fail_at(std::optional<TimePoint> when, ScopeOptions options) {
    CancelScope scope = move_on_at(when, options);
    scope.fails_ = true;
    return scope;
}

static std::optional<TimePoint> from_now(std::optional<Duration> delay) {
    const TimePoint now = get_running_loop().time();
    return delay.has_value() ? std::optional(detail::after(now, *delay)) : std::nullopt;
}

CancelScope move_on_after(std::optional<Duration> delay, ScopeOptions options) {
    return move_on_at(from_now(delay), options);
}

CancelScope fail_after(std::optional<Duration> delay, ScopeOptions options) {
    return fail_at(from_now(delay), options);
}

TimePoint current_effective_deadline() {
    static_cast<void>(get_running_loop());
    TimePoint deadline = TimePoint::max();
    const detail::TaskBase* const task = detail::thread_state.task;
    for (const detail::ScopeLink* link = task != nullptr ? task->scope() : nullptr; link != nullptr;
         link = link->shield ? nullptr : link->outer) {
        if (link->cancelled) {
            return TimePoint::min();
        }
        deadline = std::min(deadline, link->deadline);
    }
    return deadline;
}

}  // namespace asyncio
