// task_base.cpp - how a task runs, is cancelled and ends.
//
// SPDX-License-Identifier: MIT
#include <asyncio/detail/task_base.hpp>

#include <asyncio/detail/config.hpp>
#include <asyncio/futures.hpp>
#include <asyncio/lowlevel/waiter.hpp>

#include "report.hpp"

#include <atomic>

namespace asyncio {

namespace detail {

// From one counter for all threads. Each takes 128 at a time, so that a task does not pay for an
// atomic operation; in a program with one thread they come without gaps.
static std::uint64_t next_task_id() noexcept {
    constexpr std::uint64_t share = 128;
    static std::atomic<std::uint64_t> taken{0};
    static constinit thread_local std::uint64_t last = 0;
    if (last % share == 0) [[unlikely]] {
        last = taken.fetch_add(share, std::memory_order_relaxed);
    }
    return ++last;
}

std::unique_ptr<FutureBase::Rare> TaskBase::rare_with_name(std::string_view name) {
    auto rare = std::make_unique<Rare>();
    rare->name.emplace(name);
    return rare;
}

// The one reference of the beginning is the loop's.
TaskBase::TaskBase(EventLoop& loop, PromiseBase& root, std::unique_ptr<Rare> rare) noexcept
    : FutureBase(loop, Kind::task, std::move(rare)),
      Callback(&run_start),
      leaf_(&root),
      id_(peek_rare() != nullptr ? 0 : next_task_id()) {
    loop.tasks_.push_back(*this);
    loop.schedule(static_cast<Callback&>(*this));
}

std::string TaskBase::name() const {
    const Rare* rare = peek_rare();
    return rare != nullptr && rare->name.has_value() ? *rare->name : "Task-" + std::to_string(id_);
}

PromiseBase* TaskBase::leaf() const noexcept {
    return thread_state.task == this ? thread_state.leaf : leaf_;
}

// ----------------------------------------------------------------------------------- running

void TaskBase::run_start(Callback& callback) {
    auto& task = static_cast<TaskBase&>(callback);
    task.set_function(&run_step);
    if (!task.must_cancel_) {
        run_step(callback);
        return;
    }
    // Cancelled before the first step: the body never runs.
    task.must_cancel_ = false;
    task.interrupted_ = true;
    task.outcome().error = task.take_interrupt();
    task.complete(*std::exchange(task.leaf_, nullptr));
}

void TaskBase::run_timer(Callback& callback) {
    auto& task = static_cast<TaskBase&>(callback);
    task.expect_nothing();
    task.wake();
}

void TaskBase::run_step(Callback& callback) {
    auto& task = static_cast<TaskBase&>(callback);
    task.waiter_ = nullptr;
    if (task.must_cancel_) [[unlikely]] {
        // A wait that was aborted already delivers its own, earlier error: requests are not added
        // up.
        task.must_cancel_ = false;
        task.interrupted_ = true;
    }
    PromiseBase* const leaf = task.leaf_;
    thread_state.task = &task;
    thread_state.leaf = leaf;
    leaf->resume();
    if (thread_state.leaf != task.leaf_) {
        task.go_on();
        return;
    }
    thread_state.task = nullptr;
    if (task.must_cancel_ && task.waiter_ != nullptr) [[unlikely]] {
        task.cancel_new_wait();
    }
}

// Whoever runs, a callback or a step of another task, goes on afterwards as if nothing had been.
void TaskBase::start_eagerly() {
    struct Outer {
        TaskBase* task = thread_state.task;
        PromiseBase* leaf = thread_state.leaf;
        ~Outer() {
            thread_state.task = task;
            thread_state.leaf = leaf;
        }
    } const outer;
    if (outer.task != nullptr) {
        outer.task->leaf_ = outer.leaf;  // for leaf(): it is not the running task now
    }
    static_cast<Callback&>(*this).unlink();
    set_function(&run_step);
    run_step(*this);
}

// The trampoline: a coroutine was called, or has ended, and another one is to be resumed.
void TaskBase::go_on() {
    ThreadState& thread = thread_state;
    PromiseBase* resumed = leaf_;
    while (thread.leaf != resumed && thread.leaf != nullptr) {
        resumed = thread.leaf;
        resumed->resume();
    }
    leaf_ = thread.leaf;
    thread.task = nullptr;
    if (leaf_ == nullptr) {
        complete(*resumed);
    } else if (must_cancel_ && waiter_ != nullptr) {
        cancel_new_wait();
    }
}

void TaskBase::complete(PromiseBase& root) {
    if (root.outcome().error != nullptr) [[unlikely]] {
        complete_with_error(root);
        return;
    }
    if (must_cancel_) [[unlikely]] {
        must_cancel_ = false;  // it cancelled itself and awaited nothing since
        set_done(State::cancelled);
    } else {
        set_done(State::finished);
    }
    leave(root);
}

void TaskBase::complete_with_error(PromiseBase& root) {
    const std::exception_ptr error = root.outcome().error;
    if (is_cancelled_error(error)) {
        set_cancel_message({});
        set_done(State::cancelled);
    } else {
        set_unretrieved();
        set_done(State::finished);
    }
    leave(root);
    if (leaves_the_loop(error)) {
        std::rethrow_exception(error);
    }
}

// The task is done: the loop lets go of it, and the frame goes. It may not exist afterwards.
void TaskBase::leave(PromiseBase& root) {
    static_cast<ListHook<AllTasks>&>(*this).unlink();
    schedule_callbacks();
    destroy_root(root);
    release();
}

void TaskBase::destroy_root(PromiseBase& root) noexcept {
    KeptFrame kept{std::coroutine_handle<PromiseBase>::from_promise(root).address(), 0};
    KeptFrame* const outer = std::exchange(kept_frame, &kept);
    root.destroy();
    kept_frame = outer;
    block_size_ = kept.block_size <= UINT16_MAX ? static_cast<std::uint16_t>(kept.block_size) : 0;
}

// ------------------------------------------------------------------------------ cancellation

// A loop and not a recursion: tasks that await tasks may be a hundred thousand deep.
bool TaskBase::cancel(CancelMessage message) {
    mark_retrieved();
    if (done()) {
        return false;
    }
    // Tasks may also wait for each other in a circle: then one that comes by again is taken out of
    // its wait, and the others follow (Brent's way to find the circle).
    const TaskBase* mark = nullptr;
    std::uint64_t steps = 0;
    for (TaskBase* task = this; task != nullptr;) {
        if (task == mark) {
            static_cast<Callback&>(*task).unlink();
            task->interrupt(message);
            task->wake();
            break;
        }
        constexpr std::uint64_t most_requests = (1U << 20) - 1;
        if (task->cancel_requests_ < most_requests) {
            task->cancel_requests_ = task->cancel_requests_ + 1;
        }
        ++steps;
        if ((steps & (steps - 1)) == 0) {
            mark = task;
        }
        task = task->deliver_cancel(message);
    }
    return true;
}

// To the wait, if there is one that can be aborted; otherwise it is thrown at the next step.
// Returns the task that is to be cancelled in its place, if it awaits one.
TaskBase* TaskBase::deliver_cancel(CancelMessage message) {
    if (waiter_ != nullptr) {
        FutureBase* const awaited = waiter_->awaited();
        if (awaited != nullptr && awaited->kind() == Kind::task) {
            awaited->mark_retrieved();
            if (!awaited->done()) {
                must_cancel_ = false;
                return static_cast<TaskBase*>(awaited);
            }
        } else if (waiter_->abort(*this, message)) {
            must_cancel_ = false;
            return nullptr;
        }
    }
    must_cancel_ = true;
    if (!interrupted_) {
        set_cancel_message(message);
    }
    return nullptr;
}

// It was cancelled while it ran, and has begun to wait since: that wait is aborted.
void TaskBase::cancel_new_wait() {
    std::optional<std::string> message;
    if (const CancelMessage kept = cancel_message(); kept.has_value()) {
        message.emplace(*kept);  // a copy: what is delivered replaces what is kept
    }
    if (TaskBase* const inner = deliver_cancel(message)) {
        inner->cancel(message);
    }
}

int TaskBase::uncancel() noexcept {
    if (cancel_requests_ > 0) {
        cancel_requests_ = cancel_requests_ - 1;
        if (cancel_requests_ == 0) {
            must_cancel_ = false;
        }
    }
    return cancelling();
}

void TaskBase::interrupt(CancelMessage message) noexcept {
    interrupted_ = true;
    try {
        set_cancel_message(message);
    } catch (const std::bad_alloc&) {}  // the cancellation comes without its message
}

CancelledError TaskBase::take_cancelled_error() noexcept {
    interrupted_ = false;
    try {
        const CancelMessage message = cancel_message();
        return message.has_value() ? CancelledError(std::string(*message)) : CancelledError();
    } catch (const std::bad_alloc&) {
        return CancelledError();  // the cancellation comes without its message
    }
}

std::exception_ptr TaskBase::take_interrupt() {
    return interrupted_ ? std::make_exception_ptr(take_cancelled_error()) : nullptr;
}

// ----------------------------------------------------------------------------------- the end

// Innermost first, as an exception would unwind them, and in constant stack: each parent is told
// that its child is gone, so that it does not destroy it again.
void TaskBase::abandon() noexcept {
    loop().withdraw(*this);
    waiter_ = nullptr;
    const PromiseBase* const outer = thread_state.abandoned;
    for (PromiseBase* frame = std::exchange(leaf_, nullptr); frame != nullptr;) {
        PromiseBase* const parent = frame->parent();
        if (parent != nullptr) {
            frame->destroy();
        } else {
            destroy_root(*frame);
        }
        thread_state.abandoned = frame;
        frame = parent;
    }
    thread_state.abandoned = outer;
}

}  // namespace detail

void EventLoop::drop_pending_tasks() noexcept {
    while (!tasks_.empty()) {
        detail::TaskBase& task = tasks_.pop_front();
        try {
            if (task.quiet()) {
                task.abandon();
                task.release();
                continue;
            }
            ExceptionContext context;
            detail::set_message(context, [] { return "Task was destroyed but it is pending!"; });
            context.task = AnyFuture(static_cast<detail::FutureBase&>(task));
            call_exception_handler(context);
        } catch (...) {
            detail::log_error("an exception handler threw while the loop was closed: ",
                              std::current_exception());
        }
        task.abandon();
        task.release();
    }
}

}  // namespace asyncio
