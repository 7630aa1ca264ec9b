// queues.cpp - how tasks wait at a queue.
//
// SPDX-License-Identifier: MIT
#include <asyncio/queues.hpp>

#include <algorithm>

namespace asyncio::detail {

void QueueBase::wake_next(Line& line) noexcept {
    if (Place* const place = line.wake_first()) {
        static_cast<QueueWaiter*>(place)->wake();
    }
}

void QueueBase::wake_all() noexcept {
    while (!getters_.empty()) {
        wake_next(getters_);
    }
    while (!putters_.empty()) {
        wake_next(putters_);
    }
}

void QueueBase::items_dropped(std::size_t count) noexcept {
    unfinished_ -= std::min(unfinished_, count);
    if (unfinished_ == 0) {
        finished_.set();
    }
}

void QueueBase::raise_cannot_put() const {
    if (shut_down_) {
        throw QueueShutDown();
    }
    throw QueueFull();
}

void QueueBase::raise_cannot_get() const {
    std::rethrow_exception(cannot_get());
}

std::exception_ptr QueueBase::cannot_get() const {
    return shut_down_ ? std::make_exception_ptr(QueueShutDown())
                      : std::make_exception_ptr(QueueEmpty());
}

std::string QueueBase::repr() const {
    std::string text = "<Queue at " + address_text(this) + " maxsize=" + std::to_string(maxsize_);
    if (const std::size_t count = getters_.size(); count > 0) {
        text += " _getters[" + std::to_string(count) + "]";
    }
    if (const std::size_t count = putters_.size(); count > 0) {
        text += " _putters[" + std::to_string(count) + "]";
    }
    if (unfinished_ > 0) {
        text += " tasks=" + std::to_string(unfinished_);
    }
    return text + (shut_down_ ? " shutdown>" : ">");
}

void QueueWaiter::enter() {
    if (!queue_.binding_.matches()) {
        raise_other_loop(queue_.repr());
    }
    suspend();
    line().join(*this);
}

bool QueueWaiter::abort(TaskBase&, CancelMessage message) noexcept {
    if (state_ == State::woken) {
        cancelled_late_ = true;
        return false;
    }
    if (Place::linked()) {
        line().cancel(*this);
    }
    interrupt(message);
    return true;
}

void QueueWaiter::run_woken(Callback& callback) {
    auto& self = static_cast<QueueWaiter&>(callback);
    if (self.waits_on()) {
        self.cancelled_late_ = false;
        self.line().leave(self);
        self.line().join(self);
        return;
    }
    self.task_->run_in_place();
}

bool QueueWaiter::waits_on() const noexcept {
    // A request to cancel that uncancel() has taken back since is none.
    const bool cancelled = cancelled_late_ && task_->cancelling() > 0;
    return !cancelled && Place::linked() && must_wait(queue_.qsize());
}

TaskBase* QueueWaiter::woken_task(const Callback& callback) noexcept {
    return callback.function() == &run_woken ? static_cast<const QueueWaiter&>(callback).task_
                                             : nullptr;
}

TaskBase* QueueWaiter::task_to_run(const Callback& callback) noexcept {
    TaskBase* const task = woken_task(callback);
    return task != nullptr && !static_cast<const QueueWaiter&>(callback).waits_on() ? task
                                                                                    : nullptr;
}

void QueueWaiter::settle() noexcept {
    if (!Place::linked()) {
        state_ = State::gone;
        return;
    }
    line().leave(*this);
    if (task_->interrupted()) {
        pass_on();
    }
}

void QueueWaiter::pass_on() noexcept {
    if (taken() && state_ == State::woken && !hopeless(queue_.qsize())) {
        QueueBase::wake_next(line());
    }
}

}  // namespace asyncio::detail
