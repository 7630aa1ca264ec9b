// debug.cpp - what debug mode does: where things are made, and who holds up the loop.
//
// SPDX-License-Identifier: MIT
#include <asyncio/detail/task_base.hpp>
#include <asyncio/futures.hpp>
#include <asyncio/log.hpp>

#include "debug_state.hpp"
#include "embedding_hooks.hpp"
#include "repr.hpp"
#include "source_names.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <new>

namespace asyncio {

using lowlevel::Callback;

namespace detail {

// -------------------------------------------------------------------------------- the places

std::vector<std::source_location> source_trace(std::source_location site) {
    constexpr std::size_t most_frames = 10;
    std::vector<std::source_location> trace;
    if (is_known(site)) {
        trace.push_back(site);
    }
    const PromiseBase* frame = thread_state.task != nullptr ? thread_state.leaf : nullptr;
    // The coroutine that called is known better than by the await before.
    if (frame != nullptr && is_known(site) &&
        readable_name(frame->site().function_name()) == readable_name(site.function_name())) {
        frame = frame->parent();
    }
    for (; frame != nullptr && trace.size() < most_frames; frame = frame->parent()) {
        trace.push_back(frame->site());
    }
    std::reverse(trace.begin(), trace.end());
    return trace;
}

void FutureBase::note_source(std::source_location site) noexcept {
    try {
        make_notes().made_at = source_trace(site);
    } catch (const std::bad_alloc&) {}  // it is reported without its place
}

void TaskBase::note_cancelled() noexcept {
    if (thread_state.task != this || thread_state.leaf == nullptr) {
        return;
    }
    try {
        make_notes().cancelled_at = thread_state.leaf->site();
    } catch (const std::bad_alloc&) {}  // the same
}

void TaskBase::forget_cancelled() noexcept {
    if (source_notes() != nullptr) {
        make_notes().cancelled_at = {};
    }
}

// ------------------------------------------------------------------------------- coroutines

void PromiseBase::note_source() noexcept {
    if (thread_state.task != nullptr && thread_state.leaf != nullptr) {
        made_at_ = thread_state.leaf->site();
    }
}

// What the task awaited last is all that is known of the line.
static std::string after(const std::source_location& site) {
    return std::string("File \"") + site.file_name() + "\", after line " +
           std::to_string(site.line()) + ", in " + readable_name(site.function_name());
}

static void warn_of_unawaited(const PromiseBase& promise) {
    const std::string name = readable_name(promise.site().function_name());
    if (is_internal(name)) {
        return;  // made for a function that could not be called; the reason was thrown
    }
    std::string text = "coroutine '" + name + "' was never awaited\n  defined at " +
                       promise.site().file_name() + ":" + std::to_string(promise.site().line());
    if (is_known(promise.made_at())) {
        text += "\n  created at " + after(promise.made_at());
    }
    if (thread_state.task != nullptr && thread_state.leaf != nullptr) {
        text += "\n  dropped at " + after(thread_state.leaf->site());
    }
    log(Level::warning, text);
}

void drop_unawaited(PromiseBase& promise) noexcept {
    try {
        warn_of_unawaited(promise);
    } catch (const std::bad_alloc&) {
        log(Level::warning, "a coroutine was never awaited");
    }
    promise.destroy();
}

}  // namespace detail

// ------------------------------------------------------------------------------------ modes

void EventLoop::set_debug(bool enabled) {
    if (enabled && debug_state_ == nullptr) {
        debug_state_ = detail::make_owned<detail::DebugState>();
    }
    debug_ = enabled;
    leaving_ = true;  // the turns of the other mode
    choose_checks();
}

void EventLoop::choose_checks() noexcept {
    unchecked_.store(running_ && !debug_, std::memory_order_relaxed);
    special_tasks_ = debug_ || task_factory_ != nullptr;
    if (detail::thread_state.loop == this) {
        detail::thread_state.debugging = debug_;
    }
}

// ---------------------------------------------------------------------------------- threads

static void raise_wrong_thread() {
    detail::raise_runtime_error(
        "Non-thread-safe operation invoked on an event loop other than the current one");
}

void EventLoop::check_use() {
    if (!running_) {
        check_idle();
        if (embedding_ != nullptr) {
            embedding_->expect();  // whoever asks is about to schedule something
        }
    } else if (detail::thread_state.loop != this) {
        raise_wrong_thread();
    }
}

void EventLoop::check_thread(const EventLoop* loop) {
    if (exists(loop) && loop->debug_ && loop->running_) {
        raise_wrong_thread();
    }
}

// ---------------------------------------------------------------------------------- handles

void EventLoop::check_new_handle(detail::HandleNode& node) {
    try {
        check_use();
    } catch (...) {
        node.discard();
        node.release();
        throw;
    }
    if (debug_) {
        note_source(node);
    }
}

// What a callback makes has the place of the callback, for want of a better one.
void EventLoop::note_source(detail::HandleNode& node) noexcept {
    try {
        std::vector<std::source_location> trace = detail::source_trace({});
        if (trace.empty() && detail::thread_state.loop == this &&
            debug_state_->running != nullptr) {
            trace = source_of(*debug_state_->running);
        }
        if (!trace.empty()) {
            const std::lock_guard lock(debug_state_->mutex);
            debug_state_->made_at[&node] = std::move(trace);
            node.set_noted();
        }
    } catch (const std::bad_alloc&) {}  // it is reported without its place
}

std::vector<std::source_location> EventLoop::source_of(const detail::HandleNode& node) const {
    if (!node.noted()) {
        return {};
    }
    const std::lock_guard lock(debug_state_->mutex);
    return debug_state_->made_at.at(&node);
}

// --------------------------------------------------------------------------- slow callbacks

static std::string took_text(Duration duration) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), " took %.3f seconds", duration.seconds());
    return text.data();
}

void EventLoop::run_watched(Callback& callback) {
    // Held, so that there is something to be named when it is over.
    AnyFuture task;
    Handle handle;
    std::source_location from;
    if (detail::TaskBase::is_task(callback)) {
        auto& base = static_cast<detail::TaskBase&>(callback);
        task = AnyFuture(static_cast<detail::FutureBase&>(base));
        from = base.leaf()->site();
    } else if (detail::HandleNode::is_node(callback)) {
        auto& node = static_cast<detail::HandleNode&>(callback);
        node.retain();
        handle = Handle(&node);
    }
    struct Running {
        const detail::HandleNode*& running;
        ~Running() { running = nullptr; }
    } const running{debug_state_->running};
    debug_state_->running = handle.node_;

    const std::uint64_t number = ++debug_state_->watched;
    const TimePoint begin = proactor_->now();
    callback.run();
    const Duration took = proactor_->now() - begin;
    if (took < slow_callback_duration_) {
        return;
    }
    if (!task && !handle && debug_state_->watched != number) {
        return;  // it has run a step of a task, which has been watched
    }
    std::string text = "Executing ";
    if (task) {
        const auto& base = static_cast<const detail::TaskBase&>(*task.raw());
        const detail::PromiseBase* const leaf = base.leaf();
        text += detail::repr(*task.raw()) + took_text(took) + "\n  from " + detail::place(from) +
                "\n  to " + (leaf != nullptr ? detail::place(leaf->site()) : "its end");
    } else if (handle) {
        text += detail::repr(*handle.node_, source_of(*handle.node_)) + took_text(took);
    } else {
        text += "a callback of the library" + took_text(took);
    }
    detail::log(Level::warning, text);
}

}  // namespace asyncio
