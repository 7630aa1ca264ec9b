// thread_queue.cpp - how threads and tasks wait at a ThreadQueue.
//
// SPDX-License-Identifier: MIT
#include <asyncio/thread_queue.hpp>

#include <asyncio/log.hpp>

#include <algorithm>
#include <chrono>

namespace asyncio::detail {

// An exception of its own for each who waits.
std::exception_ptr ThreadQueueWaiter::error() const {
    return state_ == State::shut_down ? std::make_exception_ptr(QueueShutDown()) : error_;
}

// ------------------------------------------------------------------------------- WaitingThread

bool WaitingThread::wait(std::unique_lock<std::mutex>& lock, ThreadQueueLine& line,
                         std::optional<Duration> limit) {
    constexpr double longest = 1e9;  // seconds: what is added to a clock must not overflow
    const auto settled = [this] { return state() != State::waiting; };
    line.push_back(*this);
    if (!limit.has_value() || limit->seconds() > longest) {
        changed_.wait(lock, settled);
    } else if (!changed_.wait_for(lock, std::chrono::nanoseconds(*limit), settled)) {
        unlink();
        return false;
    }
    if (std::exception_ptr reason = error()) {
        std::rethrow_exception(std::move(reason));
    }
    return true;
}

// --------------------------------------------------------------------------------- WaitingTask

void WaitingTask::park(ThreadQueueLine& line) noexcept {
    task_ = &lowlevel::running_task();
    task_->park(*this);
    line.push_back(*this);
}

// A loop that is closed refuses it: it destroys the frame instead, and with it this.
void WaitingTask::wake() noexcept {
    static_cast<void>(task_->loop().post(*this));
}

void WaitingTask::run_served(Callback& callback) {
    static_cast<WaitingTask&>(callback).task_->wake();
}

bool WaitingTask::abort(TaskBase& task, CancelMessage message) noexcept {
    {
        const std::lock_guard lock(mutex_);
        if (state() != State::waiting) {
            return false;
        }
        ListHook<ThreadQueueWaiter>::unlink();
    }
    task.interrupt(message);
    task.wake();
    return true;
}

std::exception_ptr WaitingTask::settle() {
    if (task_ == nullptr) {
        return nullptr;
    }
    if (state() != State::waiting && task_->interrupted()) {
        task_->postpone_interrupt();
    }
    return state() == State::waiting ? task_->take_interrupt() : error();
}

bool WaitingTask::leave() noexcept {
    if (task_ == nullptr) {
        return false;
    }
    const std::lock_guard lock(mutex_);
    if (ListHook<ThreadQueueWaiter>::linked()) {
        ListHook<ThreadQueueWaiter>::unlink();
    }
    return state() == State::served;
}

WaitingTask::~WaitingTask() {
    if (Callback::linked()) {
        Callback::unlink();
    }
}

// ----------------------------------------------------------------------------- ThreadQueueBase

void ThreadQueueBase::check_may_block() {
    if (thread_state.loop != nullptr) {
        throw RuntimeError("the synchronous side of a queue would block the event loop");
    }
}

void ThreadQueueBase::items_done(std::size_t count) noexcept {
    unfinished_ -= std::min(unfinished_, count);
    if (unfinished_ == 0) {
        while (!joiners_.empty()) {
            joiners_.pop_front().serve();
        }
    }
}

void ThreadQueueBase::task_done() {
    const Lock lock(mutex_);
    if (unfinished_ == 0) {
        raise_value_error("task_done() called too many times");
    }
    items_done(1);
}

bool ThreadQueueBase::wait_until_finished(std::optional<Duration> limit) {
    check_timeout(limit);
    Lock lock(mutex_);
    if (finished()) {
        return true;
    }
    check_may_block();
    return WaitingThread(nullptr).wait(lock, joiners_, limit);
}

void ThreadQueueBase::shut_down_all() noexcept {
    for (ThreadQueueLine* const line : {&getters_, &putters_}) {
        while (!line->empty()) {
            line->pop_front().shut_down();
        }
    }
}

void check_timeout(const std::optional<Duration>& timeout) {
    if (timeout.has_value() && *timeout < Duration()) {
        raise_value_error("'timeout' must be a non-negative number");
    }
}

void report_lost_item() noexcept {
    log_error("an item is lost that could not be put back into its queue: ",
              std::current_exception());
}

}  // namespace asyncio::detail
