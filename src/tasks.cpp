// tasks.cpp - sleeping, gathering and running until something is done.
//
// SPDX-License-Identifier: MIT
#include <asyncio/tasks.hpp>

#include <asyncio/detail/config.hpp>

#include <unordered_set>

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
    : FutureBase(loop, Kind::gathering),
      children_(std::move(children)),
      return_exceptions_(return_exceptions) {}

GatherBase::~GatherBase() {
    ASYNCIO_ASSERT(!linked());
    detach();
}

void GatherBase::begin() {
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
    nodes_ = std::make_unique<GatherNode[]>(watched.size());
    nodes_size_ = watched.size();
    unfinished_ = watched.size();
    retain();
    loop().gathers_.push_back(*this);
    std::vector<FutureBase*> done;
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

bool GatherBase::cancel(CancelMessage message) {
    mark_retrieved();
    if (done()) {
        return false;
    }
    bool any = false;
    for (const AnyFuture& child : children_) {
        any = child.cancel(message) || any;
    }
    // A child that could not be cancelled may still end well: only then is the request remembered.
    cancel_requested_ = cancel_requested_ || any;
    return any;
}

void GatherNode::child_done(Callback& callback) {
    auto& node = static_cast<GatherNode&>(callback);
    node.gathering_->on_child_done(*node.child_);
}

void GatherBase::on_child_done(FutureBase& child) {
    const bool last = --unfinished_ == 0;
    if (done()) {
        child.mark_retrieved();
    } else if (!return_exceptions_ && child.cancelled()) {
        fail(child.make_cancelled_error());
    } else if (!return_exceptions_ && child.outcome().error != nullptr) {
        child.mark_retrieved();
        fail(child.outcome().error);
    } else if (last) {
        if (cancel_requested_) {
            for (const AnyFuture& each : children_) {
                each.raw()->mark_retrieved();
            }
            fail(child.make_cancelled_error());
        } else {
            try {
                collect();
            } catch (...) {
                fail(std::current_exception());  // copying a result threw
                last_done();
                return;
            }
            finish();
        }
    }
    if (last) {
        last_done();
    }
}

void GatherBase::last_done() noexcept {
    unlink();
    release();
}

}  // namespace detail

void EventLoop::drop_gathers() noexcept {
    while (!gathers_.empty()) {
        detail::GatherBase& gathering = gathers_.pop_front();
        gathering.detach();
        gathering.release();
    }
}

}  // namespace asyncio
