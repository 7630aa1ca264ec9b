// as_completed.cpp - how tasks wait for the next of several futures.
//
// SPDX-License-Identifier: MIT
#include <asyncio/detail/as_completed.hpp>

#include <unordered_set>

namespace asyncio::detail {

using lowlevel::Callback;

Completions::Completions(EventLoop& loop, const std::vector<AnyFuture>& futures,
                         std::optional<Duration> timeout)
    : loop_(loop), loop_serial_(loop.serial()), nodes_(new Node[futures.size()]) {
    std::unordered_set<FutureBase*> seen;
    for (const AnyFuture& future : futures) {
        if (seen.insert(future.raw()).second) {
            Node& node = nodes_[size_++];
            node.owner = this;
            node.future = future;
        }
    }
    done_.reserve(size_);
    pending_ = unclaimed_ = size_;
    if (size_ > 0 && timeout.has_value()) {
        loop.arm(time_up_, after(loop.time(), *timeout));
    }
    for (std::size_t index = 0; index < size_; ++index) {
        Node& node = nodes_[index];
        if (node.future.done()) {
            loop.schedule(node);
        } else {
            node.future.raw()->callbacks().push_back(node);
        }
    }
}

// Who waits shares this, so nobody does. The loop is still there if the timer is armed.
Completions::~Completions() {
    if (time_up_.waiting()) {
        loop_.withdraw(time_up_);
    }
    for (std::size_t index = 0; index < size_; ++index) {
        if (nodes_[index].linked()) {
            nodes_[index].unlink();
        }
    }
}

void Completions::future_done(Callback& callback) {
    const auto& node = static_cast<Node&>(callback);
    Completions& self = *node.owner;
    self.give(node.future.raw());
    if (--self.pending_ == 0 && self.time_up_.waiting()) {
        self.loop_.withdraw(self.time_up_);
    }
}

// Also what is done in this very turn comes too late.
void Completions::time_up(Callback& callback) {
    Completions& self = static_cast<TimeUp&>(callback).owner;
    for (std::size_t index = 0; index < self.size_; ++index) {
        if (self.nodes_[index].linked()) {
            self.nodes_[index].unlink();
            self.give(nullptr);
        }
    }
}

void Completions::give(FutureBase* future) noexcept {
    done_.push_back(future);  // there is room
    wake_next();
}

void Completions::wake_next() noexcept {
    if (!waiting_.empty()) {
        auto& waiter = static_cast<CompletionsWaiter&>(waiting_.pop_front());
        waiter.woken_ = true;
        loop_.schedule(waiter);
    }
}

// ------------------------------------------------------------------------ CompletionsWaiter

void CompletionsWaiter::suspend() {
    if (thread_state.loop->serial() != completions_->loop_serial_) {
        raise_runtime_error("as_completed() is bound to a different event loop");
    }
    task_ = &lowlevel::running_task();
    task_->park(*this);
    completions_->waiting_.push_back(*this);
}

bool CompletionsWaiter::abort(TaskBase& task, CancelMessage message) noexcept {
    if (woken_) {
        cancelled_late_ = true;
        return false;
    }
    unlink();
    task.interrupt(message);
    task.wake();
    return true;
}

void CompletionsWaiter::run_woken(Callback& callback) {
    auto& self = static_cast<CompletionsWaiter&>(callback);
    if (self.waits_on()) {
        self.woken_ = false;
        self.cancelled_late_ = false;
        self.completions_->waiting_.push_back(self);
        return;
    }
    self.task_->run_in_place();
}

bool CompletionsWaiter::waits_on() const noexcept {
    // A request to cancel that uncancel() has taken back since is none.
    const bool cancelled = cancelled_late_ && task_->cancelling() > 0;
    return !cancelled && !completions_->has_some();
}

TaskBase* CompletionsWaiter::woken_task(const Callback& callback) noexcept {
    return callback.function() == &run_woken ? static_cast<const CompletionsWaiter&>(callback).task_
                                             : nullptr;
}

TaskBase* CompletionsWaiter::task_to_run(const Callback& callback) noexcept {
    TaskBase* const task = woken_task(callback);
    return task != nullptr && !static_cast<const CompletionsWaiter&>(callback).waits_on() ? task
                                                                                          : nullptr;
}

// What it was woken for is the next one's.
void CompletionsWaiter::pass_on() noexcept {
    if (woken_ && completions_->has_some()) {
        completions_->wake_next();
    }
}

FutureBase& CompletionsWaiter::take() {
    if (task_ != nullptr && task_->interrupted()) {
        pass_on();
        task_->throw_if_interrupted();
    }
    FutureBase* const future = completions_->done_[completions_->taken_++];
    if (future == nullptr) {
        throw TimeoutError();
    }
    return *future;
}

FutureBase* CompletionsWaiter::take(std::exception_ptr& error) {
    if (task_ != nullptr && task_->interrupted()) {
        pass_on();
        error = task_->take_interrupt();
        return nullptr;
    }
    FutureBase* const future = completions_->done_[completions_->taken_++];
    if (future == nullptr) {
        error = std::make_exception_ptr(TimeoutError());
    }
    return future;
}

}  // namespace asyncio::detail
