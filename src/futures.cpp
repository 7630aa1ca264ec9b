// futures.cpp - the state of a future, and what becomes of exceptions that nobody looked at.
//
// SPDX-License-Identifier: MIT
#include <asyncio/futures.hpp>

#include <asyncio/detail/config.hpp>
#include <asyncio/detail/gather.hpp>

#include "report.hpp"

#include <algorithm>
#include <atomic>

namespace asyncio {

namespace detail {

// -------------------------------------------------------------------------------- DoneNode

void DoneNode::keep(FutureBase& future) noexcept {
    future.retain();
    kept_ = &future;
}

DoneNode::~DoneNode() {
    if (kept_ != nullptr) {
        kept_->release();
    }
}

// ------------------------------------------------------------------------------ FutureBase

FutureBase::~FutureBase() {
    while (!callbacks_.empty()) {
        // Only functions can be left: whoever waits, or gathers, holds a reference.
        static_cast<DoneNode&>(static_cast<HandleNode&>(callbacks_.pop_front())).release();
    }
    if (Rare* const rare = peek_rare()) {
        for (FutureBase* const waiter : rare->awaited_by) {
            waiter->release();
        }
        delete rare;
    }
}

void FutureBase::add_awaited_by(FutureBase& waiter) {
    std::vector<FutureBase*>& all = rare().awaited_by;
    if (std::find(all.begin(), all.end(), &waiter) == all.end()) {
        all.push_back(&waiter);
        waiter.retain();
    }
}

void FutureBase::discard_awaited_by(FutureBase& waiter) noexcept {
    if (Rare* const rare = peek_rare()) {
        if (std::erase(rare->awaited_by, &waiter) != 0) {
            waiter.release();
        }
    }
}

const std::vector<FutureBase*>& FutureBase::awaited_by() const noexcept {
    static const std::vector<FutureBase*> none;
    const Rare* const rare = peek_rare();
    return rare != nullptr ? rare->awaited_by : none;
}

FutureBase::Rare& FutureBase::rare() {
    if (peek_rare() == nullptr) {
        context_.lead_to(*new Rare);
    }
    return *peek_rare();
}

SourceNotes& FutureBase::make_notes() {
    Rare& notes = rare();
    if (notes.notes == nullptr) {
        notes.notes = make_owned<SourceNotes>();
    }
    return *notes.notes;
}

void FutureBase::set_cancel_message(CancelMessage message) {
    if (message.has_value()) {
        rare().cancel_message.emplace(*message);
    } else if (Rare* const rare = peek_rare()) {
        rare->cancel_message.reset();
    }
}

CancelMessage FutureBase::cancel_message() const noexcept {
    const Rare* const rare = peek_rare();
    if (rare == nullptr || !rare->cancel_message.has_value()) {
        return {};
    }
    return *rare->cancel_message;
}

std::exception_ptr FutureBase::make_cancelled_error() {
    if (!cancelled()) {
        return std::make_exception_ptr(CancelledError());
    }
    if (outcome().error != nullptr) {
        return std::exchange(outcome().error, nullptr);
    }
    const CancelMessage message = cancel_message();
    return std::make_exception_ptr(message.has_value() ? CancelledError(std::string(*message))
                                                       : CancelledError());
}

std::exception_ptr FutureBase::exception() {
    if (cancelled()) {
        std::rethrow_exception(make_cancelled_error());
    }
    if (!done()) {
        raise_invalid_state("Exception is not set.");
    }
    mark_retrieved();
    return outcome().error;
}

void FutureBase::raise_no_result() {
    if (cancelled()) {
        std::rethrow_exception(make_cancelled_error());
    }
    raise_invalid_state("Result is not set.");
}

std::exception_ptr FutureBase::failure() {
    ASYNCIO_ASSERT(done());
    mark_retrieved();
    return cancelled() ? make_cancelled_error() : outcome().error;
}

DoneCallbackToken FutureBase::add_done_node(DoneNode& node) {
    static std::atomic<std::uint64_t> last_id{0};
    node.id_ = last_id.fetch_add(1, std::memory_order_relaxed) + 1;
    if (thread_state.debugging && loop_ == thread_state.loop) [[unlikely]] {
        loop_->note_source(node);
    }
    if (done()) {
        try {
            check_loop();
        } catch (...) {
            node.release();
            throw;
        }
        node.keep(*this);
        loop_->schedule(static_cast<lowlevel::Callback&>(node));
    } else {
        has_done_nodes_ = true;
        callbacks_.push_back(node);
    }
    return DoneCallbackToken(node.id_);
}

std::size_t FutureBase::remove_done_node(DoneCallbackToken token) noexcept {
    for (lowlevel::Callback& callback : callbacks_) {
        if (callback.function() == &HandleNode::run_node) {
            auto& node = static_cast<DoneNode&>(static_cast<HandleNode&>(callback));
            if (node.id_ == token.id_) {
                node.unlink();
                node.release();
                return 1;
            }
        }
    }
    return 0;
}

void FutureBase::finish() {
    set_done(State::finished);
    schedule_callbacks();
}

void FutureBase::fail(std::exception_ptr error) {
    if (error == nullptr) {
        throw TypeError("set_exception() needs an exception");
    }
    outcome().error = std::move(error);
    unretrieved_ = true;
    set_done(State::finished);
    schedule_callbacks();
}

bool FutureBase::cancel_plain(CancelMessage message) {
    if (loop_ != thread_state.loop) [[unlikely]] {
        EventLoop::check_thread(loop_);
    }
    mark_retrieved();
    if (done()) {
        return false;
    }
    set_cancel_message(message);
    set_done(State::cancelled);
    schedule_callbacks();
    return true;
}

// Before something is scheduled in the future's loop.
void FutureBase::check_loop() const {
    if (loop_ != thread_state.loop) [[unlikely]] {
        if (!EventLoop::usable(loop_)) {
            raise_runtime_error("Event loop is closed");
        }
        EventLoop::check_thread(loop_);
    }
}

void FutureBase::schedule_all_callbacks() {
    check_loop();
    if (has_done_nodes_) {
        for (lowlevel::Callback& callback : callbacks_) {
            if (callback.function() == &HandleNode::run_node) {
                static_cast<DoneNode&>(static_cast<HandleNode&>(callback)).keep(*this);
            }
        }
    }
    loop_->schedule(callbacks_);
}

// The last handle is gone.
void FutureBase::expire() noexcept {
    if (unretrieved_ && outcome().error != nullptr) {
        // The handler may keep a handle: it lives as long as that then.
        references_ = 1;
        report_unretrieved();
        if (--references_ != 0) {
            return;
        }
    }
    dispose();
}

void FutureBase::report_unretrieved() noexcept {
    unretrieved_ = false;
    ExceptionContext context;
    context.exception = outcome().error;
    context.future = AnyFuture(*this);
    set_message(context, [this, &context] {
        if (const SourceNotes* const notes = source_notes()) {
            context.source_traceback = notes->made_at;
        }
        const std::string kind = kind_ == Kind::task        ? "Task"
                                 : kind_ == Kind::gathering ? "_GatheringFuture"
                                                            : "Future";
        return kind + " exception was never retrieved";
    });
    EventLoop::report(loop_, context);
}

// ------------------------------------------------------------------------- DependentFuture

void DependentFuture::be_kept() {
    if (&loop() == thread_state.loop || EventLoop::usable(&loop())) {
        retain();
        loop().dependents_.push_back(*this);
    }
}

void DependentFuture::let_go() noexcept {
    if (linked()) {
        unlink();
        release();
    }
}

// ---------------------------------------------------------------------------- FutureWaiter

void raise_empty_future() {
    raise_runtime_error("this handle of a future is empty");
}

void FutureWaiter::suspend() {
    TaskBase& task = *thread_state.task;
    if (future_ == &task) {
        raise_runtime_error(
            ("Task cannot await on itself: <Task name='" + task.name() + "'>").c_str());
    }
    if (&future_->loop() != thread_state.loop) {
        raise_runtime_error(
            ("Task '" + task.name() + "' got a Future attached to a different loop").c_str());
    }
    task.park(*this);
    future_->callbacks().push_back(task);
}

bool FutureWaiter::abort(TaskBase& task, CancelMessage message) noexcept {
    if (future_->kind() == FutureBase::Kind::gathering &&
        static_cast<GatherBase*>(future_)->is_being_cancelled()) {
        // This task, for which a child waits, waits for the child: somebody must be the first.
        static_cast<lowlevel::Callback&>(task).unlink();
        task.interrupt(message);
        task.wake();
        return true;
    }
    // The future's own callbacks include this task: it will find the future cancelled. Or it is a
    // gathering, which ends when its children have.
    return future_->cancel(message);
}

void FutureWaiter::settle_interrupt(TaskBase& task) {
    if (future_->ended_cancelled()) {
        task.forget_interrupt();
        std::rethrow_exception(future_->failure());
    }
    future_->mark_retrieved();  // an error that came as well: the task has asked for it
    task.throw_if_interrupted();
}

std::exception_ptr FutureWaiter::check_without_throw() {
    TaskBase& task = *thread_state.task;
    if (task.interrupted() && !future_->ended_cancelled()) {
        future_->mark_retrieved();
        return task.take_interrupt();
    }
    task.forget_interrupt();
    return future_->failure();
}

}  // namespace detail

void EventLoop::drop_dependents() noexcept {
    while (!dependents_.empty()) {
        detail::DependentFuture& future = dependents_.pop_front();
        future.detach();
        future.release();
    }
}

void future_add_to_awaited_by(const AnyFuture& future, const AnyFuture& waiter) {
    if (future && waiter) {
        future.raw()->add_awaited_by(*waiter.raw());
    }
}

void future_discard_from_awaited_by(const AnyFuture& future, const AnyFuture& waiter) {
    if (future && waiter) {
        future.raw()->discard_awaited_by(*waiter.raw());
    }
}

std::string AnyFuture::get_name() const {
    return base().kind() == detail::FutureBase::Kind::task
               ? static_cast<detail::TaskBase&>(base()).name()
               : std::string();
}

}  // namespace asyncio
