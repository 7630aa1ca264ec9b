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

// ---------------------------------------------------------------------------------- contexts

// A step sets no context: it is that of the task that runs, unless something was entered since.
static const ContextSlot* peek_current_context() noexcept {
    if (context_state.entered != nullptr) {
        return context_state.entered;
    }
    return thread_state.task != nullptr ? &thread_state.task->context() : context_state.outside;
}

ContextNode* current_root() noexcept {
    const ContextSlot* const slot = peek_current_context();
    return slot != nullptr ? slot->root() : nullptr;
}

ContextSlot& current_context() {
    if (const ContextSlot* const slot = peek_current_context()) {
        return const_cast<ContextSlot&>(*slot);
    }
    context_state.outside = &thread_context();
    return *context_state.outside;
}

void capture_any_context(ContextSlot& slot, const Context* given) noexcept {
    if (given != nullptr) {
        slot.share(given->cell());
    } else {
        slot.copy(current_root());
    }
}

bool running_task_is_in(const ContextCell& cell) noexcept {
    return thread_state.task != nullptr && thread_state.task->context().peek_cell() == &cell;
}

// --------------------------------------------------------------------------------- beginning

Owned<FutureBase::Rare> TaskBase::rare_with_name(std::string_view name) {
    auto rare = make_owned<Rare>();
    rare->name.emplace(name);
    return rare;
}

// The one reference of the beginning is the loop's.
TaskBase::TaskBase(EventLoop& loop, PromiseBase& root, Owned<Rare> rare,
                   const Context* context) noexcept
    : FutureBase(loop, Kind::task, std::move(rare)),
      Callback(&run_start),
      leaf_(&root),
      id_(peek_rare() != nullptr ? 0 : next_task_id()) {
    capture_context(this->context(), context);
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

PromiseBase* TaskBase::root() const noexcept {
    PromiseBase* frame = done() ? nullptr : leaf();
    while (frame != nullptr && frame->parent() != nullptr) {
        frame = frame->parent();
    }
    return frame;
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

void TaskBase::run_begin(Callback& callback) {
    static_cast<TaskBase&>(callback).set_function(&run_step);
    run_step(callback);
}

void TaskBase::run_timer(Callback& callback) {
    auto& task = static_cast<TaskBase&>(callback);
    task.expect_nothing();
    task.wake();
}

[[gnu::always_inline]] inline void TaskBase::resume_leaf() {
    PromiseBase* const leaf = leaf_;
    thread_state.task = this;
    thread_state.leaf = leaf;
    leaf->resume();
    if (thread_state.leaf != leaf_) {
        go_on();
        return;
    }
    thread_state.task = nullptr;
    if (must_cancel_ && waiter_ != nullptr) [[unlikely]] {
        cancel_new_wait();
    }
}

void TaskBase::run_step(Callback& callback) {
    auto& task = static_cast<TaskBase&>(callback);
    task.waiter_ = nullptr;
    if (task.must_cancel_) [[unlikely]] {
        task.begin_cancelled();
    }
    task.resume_leaf();
}

// What it waited for was asked to end by a cancel scope, or had ended: the next wait will be, too.
void TaskBase::run_scope_step(Callback& callback) {
    auto& task = static_cast<TaskBase&>(callback);
    task.expect_nothing();
    task.waiter_ = nullptr;
    if (task.must_cancel_) {
        task.begin_cancelled();
    }
    task.cancel_again();
    task.resume_leaf();
}

// Whoever runs, a callback or a step of another task, goes on afterwards as if nothing had been.
void TaskBase::start_eagerly() {
    struct Outer {
        TaskBase* task = thread_state.task;
        PromiseBase* leaf = thread_state.leaf;
        ContextSlot* entered = std::exchange(context_state.entered, nullptr);
        ~Outer() {
            thread_state.task = task;
            thread_state.leaf = leaf;
            context_state.entered = entered;
            if (task != nullptr) {
                task->set_held_up(false);
            }
        }
    } const outer;
    if (outer.task != nullptr) {
        outer.task->leaf_ = outer.leaf;  // for leaf(): it is not the running task now
        outer.task->set_held_up(true);
    }
    static_cast<Callback&>(*this).unlink();
    set_function(&run_step);
    if (loop().instrumented_) [[unlikely]] {
        loop().run_eagerly_instrumented(*this);
        return;
    }
    run_step(*this);
}

// It is in its context still, while another task runs.
void TaskBase::set_held_up(bool held_up) noexcept {
    held_up_ = held_up;
    if (ContextCell* const cell = context().peek_cell()) {
        cell->entered.store(held_up, std::memory_order_relaxed);
    }
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
    if (&loop() != thread_state.loop) [[unlikely]] {
        EventLoop::check_thread(&loop());
    }
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
        task->by_scope_ = false;
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
    interrupted_by_scope_ = by_scope_;
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
    if (in_cancelled_scope()) {
        expect_scope();
    }
}

int TaskBase::uncancel() noexcept {
    const int requests = requests_of_others();  // a scope's is taken back when it is left
    if (requests > 0) {
        cancel_requests_ = cancel_requests_ - 1;
        if (requests == 1) {
            must_cancel_ = false;
            forget_cancelled();
            if (waiter_ == nullptr && !waiting()) {
                cancel_again();
            }
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
    if (thread_state.debugging) {
        note_cancelled();
    }
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
            if (const detail::SourceNotes* const notes = task.source_notes()) {
                context.source_traceback = notes->made_at;
            }
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
