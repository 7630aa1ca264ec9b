// tasks.cpp - sleeping, gathering and running until something is done.
//
// SPDX-License-Identifier: MIT
#include <asyncio/tasks.hpp>

#include <asyncio/detail/config.hpp>

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace asyncio {

AnyTask current_task() {
    static_cast<void>(get_running_loop());
    detail::TaskBase* const task = detail::thread_state.task;
    return task != nullptr ? AnyTask(static_cast<detail::FutureBase&>(*task)) : AnyTask();
}

std::vector<AnyTask> all_tasks() {
    return all_tasks(get_running_loop());
}

std::vector<AnyTask> all_tasks(const EventLoop& loop) {
    std::vector<AnyTask> tasks;
    for (detail::TaskBase& task : loop.tasks_) {
        tasks.push_back(AnyTask(static_cast<detail::FutureBase&>(task)));
    }
    return tasks;
}

namespace detail {

// -------------------------------------------------------------------------------------- run

void run_until_done(EventLoop& loop, const AnyFuture& future, bool made_here) {
    if (made_here) {
        future.raw()->set_quiet();  // the caller knows that it may be left pending
    }
    const DoneCallbackToken stop = future.add_done_callback([&loop](const AnyFuture& done) {
        FutureBase& base = *done.raw();
        base.mark_retrieved();  // it leaves with what leaves the loop, or by result()
        if (base.cancelled() || !leaves_the_loop(base.outcome().error)) {
            loop.stop();
        }
    });
    struct Remove {
        const AnyFuture& future;
        DoneCallbackToken token;
        ~Remove() { future.remove_done_callback(token); }
    } remove{future, stop};
    try {
        loop.run_forever();
    } catch (...) {
        if (made_here && future.done()) {
            future.raw()->mark_retrieved();  // it is the exception that leaves
        }
        throw;
    }
    if (!future.done()) {
        throw RuntimeError("Event loop stopped before Future completed.");
    }
}

// ------------------------------------------------------------------------------------ sleep

void SleepWaiter::suspend(TaskBase& task) {
    EventLoop& loop = task.loop();
    loop.arm(task, after(loop.time(), delay_));
    task.expect_timer();
    task.park(*this);
}

bool SleepWaiter::abort(TaskBase& task, CancelMessage message) noexcept {
    task.expect_nothing();
    task.loop().withdraw(task);
    task.interrupt(message);
    task.wake();
    return true;
}

// ----------------------------------------------------------------------------------- gather

GatherBase::GatherBase(EventLoop& loop, std::vector<AnyFuture> children, bool return_exceptions)
    : DependentFuture(loop, Kind::gathering),
      children_(std::move(children)),
      return_exceptions_(return_exceptions) {}

GatherBase::~GatherBase() {
    ASYNCIO_ASSERT(!linked());
    detach();
}

void GatherBase::begin() {
    try {
        watch();
    } catch (...) {
        release();  // there will be no handle
        throw;
    }
}

void GatherBase::watch() {
    std::vector<FutureBase*> watched;
    std::unordered_set<FutureBase*> seen;
    watched.reserve(children_.size());
    for (const AnyFuture& child : children_) {
        if (seen.insert(child.raw()).second) {
            watched.push_back(child.raw());
        }
    }
    if (watched.empty()) {
        collect();
        finish();
        return;
    }
    std::vector<FutureBase*> done;
    done.reserve(watched.size());
    nodes_.reset(new GatherNode[watched.size()]);
    nodes_size_ = watched.size();
    unfinished_ = watched.size();
    be_kept();  // from here on nothing fails
    for (std::size_t index = 0; index < watched.size(); ++index) {
        GatherNode& node = nodes_[index];
        node.gathering_ = this;
        node.child_ = watched[index];
        if (watched[index]->done()) {
            done.push_back(watched[index]);
        } else {
            watched[index]->callbacks().push_back(node);
        }
    }
    for (FutureBase* child : done) {
        on_child_done(*child);
    }
}

void GatherBase::detach() noexcept {
    for (std::size_t index = 0; index < nodes_size_; ++index) {
        if (nodes_[index].linked()) {
            nodes_[index].unlink();
        }
    }
}

GatherBase* GatherBase::of(const lowlevel::Callback& callback) noexcept {
    return callback.function() == &GatherNode::child_done
               ? static_cast<const GatherNode&>(callback).gathering_
               : nullptr;
}

/// Cancels the children of a gathering, and of the gatherings that these wait for, in the order of
/// a recursion but without one: tasks that gather tasks may be a hundred thousand deep.
class GatherBase::Cancellation {
public:
    explicit Cancellation(CancelMessage message) noexcept
        : message_(message), outer_(std::exchange(current_, this)) {}
    Cancellation(const Cancellation&) = delete;
    Cancellation& operator=(const Cancellation&) = delete;
    ~Cancellation() {
        while (innermost_ != nullptr) {  // a child threw
            pop();
        }
        current_ = outer_;
    }

    /// The one under way with this message, which takes over what is asked for in its course.
    static Cancellation* current(CancelMessage message) noexcept {
        const bool same = current_ != nullptr && current_->message_ == message;
        return same ? current_ : nullptr;
    }

    void push(GatherBase& gathering) noexcept {
        gathering.retain();
        gathering.being_cancelled_ = true;
        gathering.next_to_cancel_ = 0;
        gathering.cancelled_before_ = std::exchange(innermost_, &gathering);
    }
    void run() {
        while (innermost_ != nullptr) {
            GatherBase& gathering = *innermost_;
            if (gathering.next_to_cancel_ == gathering.size()) {
                pop();
            } else {
                gathering.child(gathering.next_to_cancel_++).cancel(message_);
            }
        }
    }

private:
    void pop() noexcept {
        GatherBase& gathering = *std::exchange(innermost_, innermost_->cancelled_before_);
        gathering.being_cancelled_ = false;
        gathering.release();
    }

    static constinit thread_local Cancellation* current_;

    CancelMessage message_;
    GatherBase* innermost_ = nullptr;
    Cancellation* outer_;
};

constinit thread_local GatherBase::Cancellation* GatherBase::Cancellation::current_ = nullptr;

bool GatherBase::cancel(CancelMessage message) {
    mark_retrieved();
    // A child that could not be cancelled may still end well: only then is the request remembered.
    if (done() || !can_cancel()) {
        return false;
    }
    cancel_requested_ = true;
    if (being_cancelled_) {
        return true;
    }
    if (Cancellation* const outer = Cancellation::current(message)) {
        outer->push(*this);
    } else {
        Cancellation cancellation(message);
        cancellation.push(*this);
        cancellation.run();
    }
    return true;
}

/// Will a child say that it can be cancelled? Not if all have ended and it is only not known yet.
bool GatherBase::can_cancel() const noexcept {
    return std::any_of(children_.begin(), children_.end(), [](const AnyFuture& child) {
        const FutureBase& base = *child.raw();
        return !base.done() && (base.kind() != Kind::gathering ||
                                static_cast<const GatherBase&>(base).can_cancel());
    });
}

void GatherNode::child_done(Callback& callback) {
    auto& node = static_cast<GatherNode&>(callback);
    node.gathering_->on_child_done(*node.child_);
}

void GatherBase::on_child_done(FutureBase& child) {
    const bool last = --unfinished_ == 0;
    try {
        take_outcome(child, last);
    } catch (...) {
        // Copying a result threw, or there is no memory for an error.
        if (!done()) {
            fail(std::current_exception());
        }
    }
    if (last) {
        let_go();
    }
}

void GatherBase::take_outcome(FutureBase& child, bool last) {
    if (done()) {
        child.mark_retrieved();
    } else if (!return_exceptions_ && child.cancelled()) {
        fail(child.make_cancelled_error());
    } else if (!return_exceptions_ && child.outcome().error != nullptr) {
        child.mark_retrieved();
        fail(child.outcome().error);
    } else if (last && cancel_requested_) {
        for (const AnyFuture& each : children_) {
            each.raw()->mark_retrieved();
        }
        fail(children_.back().raw()->make_cancelled_error());
    } else if (last) {
        collect();
        finish();
    }
}

}  // namespace detail

}  // namespace asyncio
