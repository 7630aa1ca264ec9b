// waiter.hpp - what a parked task waits in: Waiter, WaitList, ListWaiter, OperationWaiter.
//
// For authors of awaitables; with examples, and why: docs/tutorial/12_awaitables.md. An awaiter
// derives from one of these, and
//
// - await_ready(): true if there is nothing to wait for; then nobody looks for a cancellation.
// - await_suspend(): parks running_task() and puts it, or the awaiter, into one list; returns void,
//   or a bool (false: the task goes on, and was not parked).
// - whoever wakes it calls TaskBase::wake(), once, which is what WaitList does.
// - abort(): see Waiter; never throws.
// - await_resume(), after a wait: if the task is interrupted(), passes on what it was woken for,
//   then calls throw_if_interrupted() before anything else.
// - await_result(), if it is there: the same as a Result, without a throw: take_interrupt().
//
// Parked, it is neither copied nor moved. It may be destroyed then, by a loop that closes: the task
// is in no list any more, and what else was put somewhere its destructor takes out. All of it is
// for the loop's thread.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/task_base.hpp>
#include <asyncio/lowlevel/operation.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>

namespace asyncio::lowlevel {

using detail::CancelMessage;
using detail::TaskBase;

/// The task whose step is under way in this thread.
[[nodiscard]] inline TaskBase& running_task() noexcept {
    return *detail::thread_state.task;
}

/// What a suspended task is parked in; it knows how to abort the wait.
///
/// A task that is cancelled while it is parked asks its waiter to abort. It answers true if it has
/// seen to it that the task will run and find out (unlinked and interrupted, or passed on to
/// whatever it waits for), false if it is too late: then CancelledError is thrown when the task
/// runs.
///
/// TaskBase::wake() takes the waiter from the task, so that abort() is not asked any more. A task
/// that was made ready in another way (by a future that is done, or in a queue) keeps its waiter
/// until it runs: that one still is asked, and has to know that it is too late.
class Waiter {
public:
    virtual bool abort(TaskBase& task, CancelMessage message) noexcept = 0;
    /// The future whose end is awaited, if it is one.
    [[nodiscard]] virtual detail::FutureBase* awaited() const noexcept { return nullptr; }
    /// For the call graph: "lock", "sleep", ...
    [[nodiscard]] virtual const char* reason() const noexcept = 0;

protected:
    Waiter() = default;
    Waiter(const Waiter&) = default;
    Waiter& operator=(const Waiter&) = default;
    ~Waiter() = default;
};

/// Tasks that wait for the same thing, first come first. One that is destroyed while tasks wait in
/// it leaves them to wait on, until they are cancelled. (So do the locks and the queues.)
class WaitList {
public:
    WaitList() = default;
    WaitList(const WaitList&) = delete;
    WaitList& operator=(const WaitList&) = delete;
    ~WaitList() { tasks_.clear(); }

    [[nodiscard]] bool empty() const noexcept { return tasks_.empty(); }
    /// Counts, in linear time.
    [[nodiscard]] std::size_t size() const noexcept { return tasks_.size(); }
    void park(TaskBase& task, Waiter& waiter) noexcept {
        task.park(waiter);
        tasks_.push_back(task);
    }
    /// Makes the first task ready; its waiter, or null if nobody waits.
    Waiter* wake_first() noexcept {
        if (tasks_.empty()) {
            return nullptr;
        }
        auto& task = static_cast<TaskBase&>(tasks_.pop_front());
        Waiter* const waiter = task.waiter();
        task.wake();
        return waiter;
    }
    void wake_all() noexcept {
        while (wake_first() != nullptr) {}
    }

private:
    CallbackList tasks_;
};

/// A Waiter for tasks in a WaitList.
class ListWaiter : public Waiter {
public:
    bool abort(TaskBase& task, CancelMessage message) noexcept override;

protected:
    ~ListWaiter() = default;
};

/// An awaiter for one Operation. Derived classes fill the operation in; await_resume() gives what
/// the kernel answered.
///
/// Cancellation: the operation is asked to end and the task waits until it has. If it had finished
/// after all, its result is delivered and the CancelledError comes at the task's next await: no
/// byte and no accepted connection is lost.
class [[nodiscard]] OperationWaiter : public Waiter, public Operation {
public:
    OperationWaiter(EventLoop& loop, Opcode request, int descriptor) noexcept
        : Operation(&complete, request, descriptor), loop_(loop) {}
    OperationWaiter(const OperationWaiter&) = delete;
    OperationWaiter& operator=(const OperationWaiter&) = delete;

    [[nodiscard]] bool await_ready() noexcept { return loop_.attempt(*this); }
    template <class P>
        requires std::derived_from<P, detail::PromiseBase>
    void await_suspend(std::coroutine_handle<P>) noexcept {
        suspend();
    }
    /// The operation's result: at least 0, or -errno.
    std::int64_t await_resume() {
        if (task_ != nullptr && task_->interrupted()) {
            settle_interrupt();
        }
        return result;
    }

    bool abort(TaskBase& task, CancelMessage message) noexcept override;
    [[nodiscard]] const char* reason() const noexcept override { return "I/O"; }

protected:
    ~OperationWaiter();

private:
    void suspend() noexcept;
    void settle_interrupt();
    static void complete(Callback& callback);

    EventLoop& loop_;
    TaskBase* task_ = nullptr;
};

}  // namespace asyncio::lowlevel
