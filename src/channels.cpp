// channels.cpp - who waits at a channel, and who finds out when an end is closed.
//
// SPDX-License-Identifier: MIT
#include <asyncio/channels.hpp>

namespace asyncio::detail {

bool ChannelWaiter::abort(TaskBase& task, CancelMessage message) noexcept {
    unlink();
    task.interrupt(message);
    task.wake();
    return true;
}

void ChannelBase::wait(ChannelWaiter& waiter, ChannelRole role) {
    if (!binding_.matches()) {
        raise_other_loop("<MemoryChannel at " + address_text(this) + ">");
    }
    waiter.task_ = &lowlevel::running_task();
    waiter.task_->park(waiter);
    waiters(role).push_back(waiter);
}

void ChannelBase::close(ChannelRole role, std::uint64_t end) noexcept {
    using State = ChannelWaiter::State;
    const bool last = --open_[index(role)] == 0;
    WaiterList others;
    for (WaiterList& own = waiters(role); !own.empty();) {
        ChannelWaiter& waiter = own.pop_front();
        if (waiter.end_ == end) {
            waiter.wake(State::closed);
        } else {
            others.push_back(waiter);
        }
    }
    waiters(role).splice_back(others);
    if (!last) {
        return;
    }
    if (role == ChannelRole::receiver) {
        tell_of_end(waiters(ChannelRole::sender));
    }
    end_if_drained();
}

// The last end of a side was closed, or the last receiver that had been served has run.
void ChannelBase::end_if_drained() noexcept {
    if (served_ > 0) {
        return;
    }
    if (!is_open(ChannelRole::sender)) {
        tell_of_end(waiters(ChannelRole::receiver));
    }
    if (!is_open(ChannelRole::receiver)) {
        drop_items();
    }
}

void ChannelBase::tell_of_end(WaiterList& waiters) noexcept {
    while (!waiters.empty()) {
        waiters.pop_front().wake(ChannelWaiter::State::other_closed);
    }
}

void ChannelBase::serve_first() noexcept {
    ++served_;
    waiters(ChannelRole::receiver).pop_front().wake(ChannelWaiter::State::served);
}

void ChannelBase::settle(bool got) noexcept {
    --served_;
    if (!got && !waiters(ChannelRole::receiver).empty()) {
        serve_first();
    }
    end_if_drained();
}

MemoryChannelStatistics ChannelBase::statistics() const noexcept {
    return {
        .current_buffer_used = size(),
        .max_buffer_size = capacity_,
        .open_send_channels = open_[0],
        .open_receive_channels = open_[1],
        .tasks_waiting_send = waiters_[0].size(),
        .tasks_waiting_receive = waiters_[1].size(),
    };
}

std::exception_ptr make_end_of_channel() {
    return std::make_exception_ptr(EndOfChannel());
}
std::exception_ptr make_broken_channel() {
    return std::make_exception_ptr(BrokenResourceError());
}
std::exception_ptr make_closed_channel() {
    return std::make_exception_ptr(ClosedResourceError());
}

}  // namespace asyncio::detail
