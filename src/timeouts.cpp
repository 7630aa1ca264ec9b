// timeouts.cpp - how a time limit cancels, and tells its own cancellation from others.
//
// SPDX-License-Identifier: MIT
#include <asyncio/timeouts.hpp>

namespace asyncio {

void Timeout::enter() {
    if (state_ != State::created) {
        throw RuntimeError("Timeout has already been entered");
    }
    if (detail::thread_state.task == nullptr) {
        throw RuntimeError("Timeout should be used inside a task");
    }
    state_ = State::active;
    task_ = detail::thread_state.task;
    cancelling_ = task_->cancelling();
    arm();
}

Timeout::Timeout(Timeout&& other) : when_(other.when_), ahead_(other.ahead_) {
    if (other.state_ != State::created) {
        throw RuntimeError("Timeout cannot be moved once it has been entered");
    }
}

void Timeout::reschedule(std::optional<TimePoint> when) {
    if (state_ != State::active) {
        constexpr const char* names[] = {"created", "active", "expiring", "expired", "finished"};
        throw RuntimeError(state_ == State::created
                               ? std::string("Timeout has not been entered")
                               : std::string("Cannot change state of ") +
                                     names[static_cast<int>(state_)] + " Timeout");
    }
    when_ = when;
    ahead_ = false;
    disarm();
    arm();
}

void Timeout::arm() {
    if (!when_.has_value()) {
        return;
    }
    EventLoop& loop = task_->loop();
    if (ahead_ || *when_ > loop.time()) {
        loop.arm(time_up_, *when_);
    } else {
        loop.schedule(time_up_);
    }
}

void Timeout::exit(const std::exception_ptr& error) {
    disarm();
    if (state_ == State::expiring) {
        state_ = State::expired;
        // With no other request to cancel left, the CancelledError was ours; a cancelled scope
        // wins.
        if (task_->uncancel() <= cancelling_ && !task_->in_cancelled_scope() &&
            detail::is_cancelled_error(error)) {
            throw TimeoutError();
        }
    } else if (state_ == State::active) {
        state_ = State::finished;
    }
}

void Timeout::TimeUp::run(Callback& callback) {
    Timeout& self = static_cast<TimeUp&>(callback).owner;
    self.task_->cancel({});
    self.state_ = State::expiring;
}

void Timeout::disarm() noexcept {
    if (time_up_.waiting()) {
        task_->loop().withdraw(time_up_);
    }
}

Timeout timeout(std::optional<Duration> delay) {
    const TimePoint now = get_running_loop().time();
    return Timeout(delay.has_value() ? std::optional(detail::after(now, *delay)) : std::nullopt,
                   now);
}

Timeout timeout_at(std::optional<TimePoint> when) {
    return Timeout(when);
}

}  // namespace asyncio
