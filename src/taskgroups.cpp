// taskgroups.cpp - how a group waits for its children, and who is cancelled when one fails.
//
// SPDX-License-Identifier: MIT
#include <asyncio/taskgroups.hpp>

#include <asyncio/detail/blocks.hpp>
#include <asyncio/detail/error_or.hpp>
#include <asyncio/detail/scope.hpp>
#include <asyncio/result.hpp>

#include "report.hpp"

#include <optional>
#include <utility>

namespace asyncio {

namespace detail {

/// A child's place in its group, and the group's in the child's list of callbacks.
class GroupChild final : public lowlevel::Callback, public lowlevel::ListHook<TaskGroup> {
public:
    explicit GroupChild(TaskGroup& group) noexcept : Callback(&done), group(group) {}
    ~GroupChild() = default;

    static void done(Callback& callback) {
        auto& child = static_cast<GroupChild&>(callback);
        if (child.starting != nullptr) {
            child.starting->starter.wake_first();
        } else {
            child.group.on_child_done(child);
        }
    }
    [[nodiscard]] Callback& callback() noexcept { return *this; }
    using Hook = lowlevel::ListHook<TaskGroup>;

    static void* operator new(std::size_t size) { return allocate_block(size); }
    static void operator delete(void* child, std::size_t size) noexcept { free_block(child, size); }

    TaskGroup& group;
    StartingChild* starting = nullptr;  // to which it belongs until it has started
    AnyFuture task;
    std::exception_ptr error;  // once it has failed
};

void DeleteGroupChild::operator()(GroupChild* child) const noexcept {
    delete child;
}

TaskBase* group_parent(const lowlevel::Callback& callback) noexcept {
    return callback.function() == &GroupChild::done
               ? static_cast<TaskBase*>(
                     static_cast<const GroupChild&>(callback).group.parent_.raw())
               : nullptr;
}

namespace {

class GroupWaiter final : public lowlevel::ListWaiter {
public:
    explicit GroupWaiter(lowlevel::WaitList& list) noexcept : list_(list) {}

    bool await_ready() const noexcept { return false; }
    template <class P>
    void await_suspend(std::coroutine_handle<P>) noexcept {
        list_.park(lowlevel::running_task(), *this);
    }
    void await_resume() const { lowlevel::running_task().throw_if_interrupted(); }
    Result<void> await_result() const {
        return error_or<void>(lowlevel::running_task().take_interrupt());
    }
    [[nodiscard]] const char* reason() const noexcept override { return "task group"; }

private:
    lowlevel::WaitList& list_;
};

class [[nodiscard]] GroupWait {
public:
    static constexpr bool awaited_by_value = true;

    explicit GroupWait(lowlevel::WaitList& list) noexcept : list_(list) {}
    GroupWaiter operator co_await() const noexcept { return GroupWaiter(list_); }

private:
    lowlevel::WaitList& list_;
};

}  // namespace

}  // namespace detail

TaskGroup::TaskGroup(TaskGroup&& other) : cancel_called_(other.cancel_called_) {
    if (other.entered_) {
        throw RuntimeError(other.description() + " cannot be moved once it has been entered");
    }
}

// Reached with children only when the loop was closed under the group.
TaskGroup::~TaskGroup() {
    starting_.clear();
    children_.splice_back(failed_);
    while (!children_.empty()) {
        detail::GroupChild& child = children_.pop_front();
        if (child.callback().linked()) {
            child.callback().unlink();
        }
        delete &child;
    }
}

std::string TaskGroup::description() const {
    std::string text = "TaskGroup <TaskGroup";
    if (children_size_ > 0) {
        text += " tasks=" + std::to_string(children_size_);
    }
    if (failed_size_ > 0) {
        text += " errors=" + std::to_string(failed_size_);
    }
    return text + (aborting_ ? " cancelling>" : entered_ ? " entered>" : ">");
}

void TaskGroup::check_open() const {
    if (!entered_) {
        throw RuntimeError(description() + " has not been entered");
    }
    if (exiting_ && !has_children()) {
        throw RuntimeError(description() + " is finished");
    }
    if (aborting_) {
        throw RuntimeError(description() + " is shutting down");
    }
}

EventLoop& TaskGroup::loop() const {
    return parent_.get_loop();
}

TaskGroup& TaskGroup::aenter() {
    if (entered_) {
        throw RuntimeError(description() + " has already been entered");
    }
    if (detail::thread_state.task == nullptr) {
        throw RuntimeError(description() + " cannot determine the parent task");
    }
    exit_.emplace(leave());
    entered_ = true;
    parent_ = current_task();
    if (cancel_called_) {
        cancel_called_ = false;
        cancel();
    }
    return *this;
}

detail::NewGroupChild TaskGroup::new_child() {
    return detail::NewGroupChild(new detail::GroupChild(*this));
}

void TaskGroup::add_child(detail::NewGroupChild made, const AnyFuture& task) noexcept {
    detail::GroupChild* const child = made.release();
    child->task = task;
    children_.push_back(*child);
    ++children_size_;
    if (task.done()) {
        loop().schedule(child->callback());
        return;
    }
    task.raw()->callbacks().push_back(*child);
    if (aborting_) {
        // By the child itself, in its eager start, when it was no child yet.
        task.cancel();
    }
}

// ------------------------------------------------------------------------------------- start()

detail::StartingChild::StartingChild(TaskGroup& group) : group(group), place(group.new_child()) {
    place->starting = this;
    group.starting_.push_back(*place);
}

// The group is gone, and has let go of it, only when the loop was closed under both.
detail::StartingChild::~StartingChild() {
    if (place == nullptr) {
        return;
    }
    if (place->callback().linked()) {
        place->callback().unlink();
    }
    if (GroupChild::Hook& hook = *place; hook.linked()) {
        hook.unlink();
        if (!group.has_children()) {
            group.empty_.wake_first();
        }
    }
}

void TaskGroup::begin(detail::StartingChild& child, AnyTask task) noexcept {
    child.task = std::move(task);
    if (child.started) {
        child.group.join(child);  // in its first step, when it was not known yet
    } else if (!child.task.done()) {
        child.task.raw()->callbacks().push_back(child.place->callback());
    }
}

// A group that shuts down takes it, and asks it to end.
void TaskGroup::join(detail::StartingChild& child) noexcept {
    child.started = true;
    if (!child.task) {
        return;
    }
    detail::NewGroupChild joined = std::move(child.place);
    if (joined->callback().linked()) {
        joined->callback().unlink();
    }
    static_cast<detail::GroupChild::Hook&>(*joined).unlink();
    joined->starting = nullptr;
    add_child(std::move(joined), child.task);
    child.starter.wake_first();
}

Coroutine<> TaskGroup::wait_until_started(detail::StartingChild& child) {
    std::exception_ptr cancelled;
    while (!child.started && !child.task.done()) {
        std::optional<detail::ScopeShield> undisturbed;
        if (cancelled != nullptr) {
            undisturbed.emplace();  // a cancelled scope would end each wait, again and again
        }
        const Result<void> waited = co_await as_result(detail::GroupWait(child.starter));
        if (!waited.has_value()) {
            cancelled = waited.error();
            if (!child.started) {
                child.task.cancel();
            }
        }
    }
    if (!child.started && !child.task.cancelled()) {
        if (const std::exception_ptr error = child.task.exception()) {
            std::rethrow_exception(error);
        }
    }
    if (cancelled != nullptr) {
        std::rethrow_exception(cancelled);
    }
    if (!child.started) {
        throw RuntimeError("child exited without calling task_status.started()");
    }
}

// ----------------------------------------------------------------------------------- the end of it

void TaskGroup::cancel() {
    if (!entered_) {
        cancel_called_ = true;
        return;
    }
    if ((exiting_ && !has_children()) || cancel_called_) {
        return;
    }
    cancel_called_ = true;
    if (!aborting_) {
        abort();
    }
    if (!parent_cancelled_) {
        parent_cancelled_ = true;
        parent_.cancel();
    }
}

void TaskGroup::abort() {
    aborting_ = true;
    for (const detail::GroupChild& child : children_) {
        if (!child.task.done()) {
            child.task.cancel();
        }
    }
}

void TaskGroup::on_child_done(detail::GroupChild& child) {
    const AnyFuture task = std::move(child.task);
    static_cast<lowlevel::ListHook<TaskGroup>&>(child).unlink();
    --children_size_;
    if (!has_children()) {
        empty_.wake_first();
    }
    const std::exception_ptr error = task.cancelled() ? nullptr : task.exception();
    if (error == nullptr) {
        delete &child;
        return;
    }
    child.error = error;
    failed_.push_back(child);
    ++failed_size_;
    if (detail::leaves_the_loop(error) && base_error_ == nullptr) {
        base_error_ = error;
    }
    if (parent_.done()) {
        // Entered by hand and never left.
        ExceptionContext context;
        detail::set_message(context, [&] {
            return "Task '" + task.get_name() + "' has errored out but its parent task '" +
                   parent_.get_name() + "' is already completed";
        });
        context.exception = error;
        context.task = task;
        loop().call_exception_handler(context);
        return;
    }
    if (!aborting_ && !parent_cancelled_) {
        // The parent is cancelled to end its body; the exit takes that request back.
        abort();
        parent_cancelled_ = true;
        parent_.cancel();
    }
}

std::vector<std::exception_ptr> TaskGroup::errors() const {
    std::vector<std::exception_ptr> errors;
    for (const detail::GroupChild& child : failed_) {
        errors.push_back(child.error);
    }
    return errors;
}

Coroutine<bool> TaskGroup::aexit(std::exception_ptr error) {
    body_error_ = std::move(error);
    if (!exit_.has_value()) {
        return leave();  // by hand, and not for the first time
    }
    Coroutine<bool> exit = std::move(*exit_);
    exit_.reset();
    return exit;
}

Coroutine<bool> TaskGroup::leave() {
    const std::exception_ptr error = std::move(body_error_);
    exiting_ = true;
    std::exception_ptr cancellation;
    if (error != nullptr) {
        if (detail::leaves_the_loop(error) && base_error_ == nullptr) {
            base_error_ = error;
        }
        if (detail::is_cancelled_error(error)) {
            cancellation = error;
        }
        if (!aborting_) {
            abort();
        }
    }
    // A loop, because the parent may be cancelled again and again while it waits.
    while (has_children()) {
        std::optional<detail::ScopeShield> undisturbed;
        if (aborting_) {
            undisturbed.emplace();  // a cancelled scope would end each wait, again and again
        }
        const Result<void> waited = co_await as_result(detail::GroupWait(empty_));
        if (!waited.has_value() && !aborting_) {
            cancellation = waited.error();
            abort();
        }
    }
    if (base_error_ != nullptr) {
        std::rethrow_exception(base_error_);
    }
    if (parent_cancelled_ && parent_.uncancel() == 0) {
        cancellation = nullptr;  // it was the group's own
    }
    if (cancellation != nullptr && failed_.empty()) {
        std::rethrow_exception(cancellation);
    }
    std::vector<std::exception_ptr> all_errors = errors();
    if (error != nullptr && !detail::is_cancelled_error(error)) {
        all_errors.push_back(error);
    }
    if (!all_errors.empty()) {
        if (static_cast<detail::TaskBase*>(parent_.raw())->requests_of_others() > 0) {
            // A request from outside came as well: it is thrown at the next await. (A cancelled
            // scope needs no telling.)
            parent_.uncancel();
            parent_.cancel();
        }
        throw ExceptionGroup("unhandled errors in a TaskGroup", std::move(all_errors));
    }
    // What is left of a cancellation was the group's own, and ends here.
    co_return detail::is_cancelled_error(error);
}

}  // namespace asyncio
