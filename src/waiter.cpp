// waiter.cpp - waiting in a list, and for an operation of the kernel.
//
// SPDX-License-Identifier: MIT
#include <asyncio/lowlevel/waiter.hpp>

#include <asyncio/detail/config.hpp>

#include <cerrno>

namespace asyncio::lowlevel {

// The task is in no list any more if that has been destroyed.
bool ListWaiter::abort(TaskBase& task, CancelMessage message) noexcept {
    if (static_cast<Callback&>(task).linked()) {
        static_cast<Callback&>(task).unlink();
    }
    task.interrupt(message);
    task.wake();
    return true;
}

void OperationWaiter::suspend() noexcept {
    task_ = &running_task();
    task_->park(*this);
    loop_.start(*this);
}

void OperationWaiter::complete(Callback& callback) {
    auto& self = static_cast<OperationWaiter&>(static_cast<Operation&>(callback));
    self.task_->wake();
}

bool OperationWaiter::abort(TaskBase& task, CancelMessage message) noexcept {
    if (task.interrupted()) {
        return false;  // asked before; it has not ended yet
    }
    task.interrupt(message);
    loop_.cancel(*this);
    return true;
}

void OperationWaiter::settle_interrupt() {
    if (result == -ECANCELED) {
        task_->throw_if_interrupted();
    }
    task_->postpone_interrupt();
}

// Frames are destroyed only when they have ended, or by the loop's close(), which has aborted every
// operation before; what was not started yet is only in a list.
OperationWaiter::~OperationWaiter() {
    if (linked()) {
        unlink();
    }
}

}  // namespace asyncio::lowlevel
