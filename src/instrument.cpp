// instrument.cpp - a turn of the loop of which instruments are told.
//
// SPDX-License-Identifier: MIT
#include <asyncio/lowlevel/instrument.hpp>

#include <asyncio/detail/as_completed.hpp>
#include <asyncio/detail/queue_base.hpp>
#include <asyncio/futures.hpp>

#include <algorithm>
#include <exception>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace asyncio {

namespace detail {

using lowlevel::Callback;
using lowlevel::CallbackList;
using lowlevel::Instrument;

namespace {

// Who waits at a queue, or for as_completed(), is woken to look again: by a callback that then runs
// the task in its place, or goes back to wait.

/// The task that `callback` was scheduled for, if it is such a one; otherwise null.
TaskBase* woken_task(const Callback& callback) noexcept {
    TaskBase* const task = QueueWaiter::woken_task(callback);
    return task != nullptr ? task : CompletionsWaiter::woken_task(callback);
}
/// The same if it does not have to go back.
TaskBase* task_to_run(const Callback& callback) noexcept {
    TaskBase* const task = QueueWaiter::task_to_run(callback);
    return task != nullptr ? task : CompletionsWaiter::task_to_run(callback);
}

}  // namespace

/// The instruments of a loop, and what they have been told.
///
/// Nobody notes when a task is put into the ready list: that is what a switch of tasks consists of.
/// So the list is looked at when a callback has ended: what is new in it is behind a mark.
class Instruments {
public:
    explicit Instruments(EventLoop& loop) noexcept : loop_(loop) {}

    /// Is there none yet?
    [[nodiscard]] bool none() const noexcept {
        return std::all_of(all_.begin(), all_.end(),
                           [](const Instrument* one) { return one == nullptr; });
    }
    /// False if it is there already.
    bool add(Instrument& instrument) {
        if (std::find(all_.begin(), all_.end(), &instrument) != all_.end()) {
            return false;
        }
        all_.push_back(&instrument);
        return true;
    }

    template <class... Parameters, class... Args>
    void tell(void (Instrument::*what)(Parameters...), const Args&... args) noexcept {
        // They may be removed meanwhile, which leaves a gap, and added: those are told next time.
        ++telling_;
        for (std::size_t index = 0, count = all_.size(); index < count; ++index) {
            Instrument* const instrument = all_[index];
            if (instrument == nullptr) {
                continue;
            }
            try {
                (instrument->*what)(args...);
            } catch (...) {
                remove(*instrument);
                report(std::current_exception());
            }
        }
        if (--telling_ == 0) {
            std::erase(all_, nullptr);
        }
    }

    bool remove(Instrument& instrument) noexcept {
        const auto found = std::find(all_.begin(), all_.end(), &instrument);
        if (found == all_.end()) {
            return false;
        }
        if (telling_ > 0) {
            *found = nullptr;
        } else {
            all_.erase(found);
        }
        if (none()) {
            clear_mark();
            loop_.set_instrumented(false);
        }
        return true;
    }

    /// What is in the ready list has been told.
    void set_mark() noexcept {
        clear_mark();
        if (!none() && !loop_.ready_.empty()) {
            loop_.ready_.push_back(mark_);
        }
    }
    void clear_mark() noexcept {
        if (mark_.linked()) {
            mark_.unlink();
        }
    }
    /// Tells of the tasks that have become ready since; not of all if there is no memory.
    void tell_new() noexcept {
        CallbackList::iterator at = loop_.ready_.begin();
        if (mark_.linked()) {
            at = std::next(CallbackList::iterator(&mark_));
            mark_.unlink();
        }
        std::vector<std::pair<AnyTask, bool>> found;  // a hook may schedule more
        for (; at != loop_.ready_.end(); ++at) {
            const bool is_new = TaskBase::is_new(*at);
            if (TaskBase* const task = is_new || TaskBase::is_step(*at)
                                           ? static_cast<TaskBase*>(&*at)
                                           : woken_task(*at)) {
                try {
                    found.emplace_back(AnyTask(static_cast<FutureBase&>(*task)), is_new);
                } catch (const std::bad_alloc&) {
                    break;
                }
            }
        }
        set_mark();
        for (const auto& [task, is_new] : found) {
            if (is_new) {
                tell(&Instrument::task_spawned, task);
            }
            tell(&Instrument::task_scheduled, task);
        }
    }

    /// Runs `callback`; if that is a step of `task`, which is told.
    void run(Callback& callback, TaskBase* task) {
        struct Told {
            Instruments& self;
            AnyTask task;
            ~Told() {
                if (task) {
                    self.tell(&Instrument::after_task_step, task);
                }
                self.tell_new();
                if (task && task.done()) {
                    self.tell(&Instrument::task_exited, task);
                }
            }
        } told{*this, task != nullptr ? AnyTask(static_cast<FutureBase&>(*task)) : AnyTask()};
        if (task != nullptr) {
            tell(&Instrument::before_task_step, told.task);
        }
        loop_.debug_ ? loop_.run_watched(callback) : callback.run();
    }
    void run(Callback& callback) {
        TaskBase* const task = TaskBase::is_new(callback) || TaskBase::is_step(callback)
                                   ? static_cast<TaskBase*>(&callback)
                                   : task_to_run(callback);
        run(callback, task);
    }

private:
    struct Mark final : Callback {
        Mark() noexcept : Callback([](Callback&) {}) {}
    };

    void report(std::exception_ptr error) noexcept {
        ExceptionContext context;
        context.exception = std::move(error);
        try {
            context.message = "An instrument threw, and has been removed";
        } catch (const std::bad_alloc&) {}  // reported without a text
        EventLoop::report(&loop_, context);
    }

    EventLoop& loop_;
    std::vector<Instrument*> all_;  // null where one was removed while they are told
    int telling_ = 0;
    Mark mark_;
};

void DeleteInstruments::operator()(Instruments* instruments) const noexcept {
    delete instruments;
}

}  // namespace detail

using detail::Instruments;
using lowlevel::Instrument;

void EventLoop::set_instrumented(bool on) noexcept {
    instrumented_ = on;
    leaving_ = true;  // the turns go on by the other function
}

void EventLoop::tell_run(bool begins) noexcept {
    if (begins) {
        instruments_->tell(&Instrument::before_run);
        instruments_->tell_new();
    } else {
        instruments_->tell(&Instrument::after_run);
    }
}

void EventLoop::tell_io_wait(bool begins, TimePoint deadline) noexcept {
    std::optional<Duration> timeout;
    if (deadline != TimePoint::max()) {
        timeout = std::max(Duration(deadline == TimePoint::min() ? now_ - now_ : deadline - now_),
                           Duration());
    }
    if (begins) {
        instruments_->tell(&Instrument::before_io_wait, timeout);
    } else {
        instruments_->tell(&Instrument::after_io_wait, timeout);
    }
}

void EventLoop::begin_instrumented_turn() {
    instruments_->tell_new();
    instruments_->clear_mark();
}

void EventLoop::run_instrumented(lowlevel::Callback& callback) {
    instruments_->run(callback);
}

void EventLoop::run_eagerly_instrumented(detail::TaskBase& task) {
    instruments_->tell(&Instrument::task_spawned, AnyTask(static_cast<detail::FutureBase&>(task)));
    instruments_->run(task, &task);
}

namespace lowlevel {

void add_instrument(EventLoop& loop, Instrument& instrument) {
    if (loop.instruments_ == nullptr) {
        loop.instruments_.reset(new Instruments(loop));
    }
    const bool first = loop.instruments_->none();
    if (loop.instruments_->add(instrument) && first) {
        if (loop.is_running()) {
            loop.instruments_->set_mark();
        }
        loop.set_instrumented(true);
    }
}

void remove_instrument(EventLoop& loop, Instrument& instrument) {
    if (loop.instruments_ == nullptr || !loop.instruments_->remove(instrument)) {
        throw LookupError("the loop does not have this instrument");
    }
}

}  // namespace lowlevel

}  // namespace asyncio
