// events.cpp - the event loop: the only place where callbacks are run.
//
// SPDX-License-Identifier: MIT
#include <asyncio/events.hpp>

#include <asyncio/detail/config.hpp>

#include "debug_state.hpp"
#include "embedding_hooks.hpp"
#include "fork.hpp"
#include "run_scope.hpp"
#include "timer_heap.hpp"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <vector>

namespace asyncio {

namespace detail {

constinit thread_local ThreadState thread_state{};

// ------------------------------------------------------------------------------- HandleNode

HandleNode::HandleNode(EventLoop& loop, bool shared, const Context* context) noexcept
    : Callback(shared ? &run_shared_node : &run_node), loop_(&loop), shared_(shared), context_() {
    capture_context(context_, context);
    has_context_ = !context_.empty();
}

void HandleNode::release() noexcept {
    if (shared_) {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) {
            return;
        }
    } else {
        const auto left = references_.load(std::memory_order_relaxed) - 1;
        references_.store(left, std::memory_order_relaxed);
        if (left != 0) {
            return;
        }
    }
    drop_function();
    if (noted_) [[unlikely]] {
        forget_and_dispose();
        return;
    }
    dispose();
}

// Apart, so that release() needs no registers for it.
void HandleNode::forget_and_dispose() noexcept {
    EventLoop::forget_source(loop_, *this);
    dispose();
}

void HandleNode::drop_function() noexcept {
    if (has_function_) {
        has_function_ = false;
        destroy_function();
    }
}

void HandleNode::discard() noexcept {
    drop_function();
    release();
}

void HandleNode::cancel() noexcept {
    cancelled_.store(true, std::memory_order_relaxed);
    if (shared_) {
        cancel_shared();
        return;
    }
    if (running_) {
        return;  // a function is not destroyed while it runs
    }
    if (waiting()) {
        loop_->withdraw(*this);
        discard();
    }
}

// The mark alone keeps a call from being made that has not begun. A thread that sees that it has
// tells so, and waits; the loop looks for that with the one exchange by which a call ends. They
// wait at the node itself: a lock for all would be copied by fork(), with whoever holds or awaits
// it.
void HandleNode::cancel_shared() noexcept {
    if (call_.load(std::memory_order_acquire) == Call::over || thread_state.loop == loop_) {
        return;
    }
    Call call = Call::waiting;
    if (call_.compare_exchange_strong(call, Call::over, std::memory_order_acq_rel)) {
        return;
    }
    call = Call::running;
    call_.compare_exchange_strong(call, Call::awaited, std::memory_order_acq_rel);
    call_.wait(Call::awaited, std::memory_order_acquire);
}

void HandleNode::end_call() noexcept {
    if (call_.exchange(Call::over, std::memory_order_acq_rel) == Call::awaited) {
        call_.notify_all();
    }
}

template <bool is_shared>
[[gnu::always_inline]] inline void HandleNode::run_node_as(Callback& callback) {
    auto& node = static_cast<HandleNode&>(callback);
    if constexpr (is_shared) {
        Call call = Call::waiting;
        if (!node.call_.compare_exchange_strong(call, Call::running, std::memory_order_acq_rel)) {
            node.discard();
            return;
        }
    }
    if (!node.cancelled()) {
        struct Running {
            HandleNode& node;
            ~Running() {
                node.running_ = false;
                node.drop_function();
                if constexpr (is_shared) {
                    node.end_call();
                }
                node.release();
            }
        } running{node};
        node.running_ = true;
        try {
            const ContextScope scope(node.context());
            node.invoke();
        } catch (...) {
            const std::exception_ptr error = std::current_exception();
            if (leaves_the_loop(error)) {
                throw;
            }
            node.loop_->report_callback_error(node, error);
        }
    } else {
        if constexpr (is_shared) {
            node.drop_function();
            node.end_call();
        }
        node.release();
    }
}

void HandleNode::run_node(Callback& callback) {
    run_node_as<false>(callback);
}

void HandleNode::run_shared_node(Callback& callback) {
    run_node_as<true>(callback);
}

}  // namespace detail

Context Handle::get_context() const {
    if (node_ == nullptr) {
        throw RuntimeError("this handle is empty");
    }
    return Context(node_->context().cell(node_->running()));
}

using lowlevel::Callback;
using lowlevel::CallbackList;

Executor::~Executor() = default;

namespace {

/// Of set_event_loop(). Another thread may have destroyed it.
constinit thread_local EventLoop* event_loop_of_thread = nullptr;

/// The loops of all threads: whoever outlives its loop can ask whether it is still there.
struct Loops {
    Loops() noexcept;

    std::mutex mutex;
    std::vector<const EventLoop*> alive;
    std::atomic<std::uint64_t> last_serial{0};
    std::uint64_t last_of_parent = 0;  // of the process that has forked this one
};

Loops& loops() {
    static Loops& instance = *new Loops;  // never destroyed: statics may hold futures
    return instance;
}

std::mutex& mutex_of_loops() {
    return loops().mutex;
}

Loops::Loops() noexcept {
    detail::keep_over_fork<&mutex_of_loops>();
    const auto in_child = [] {
        detail::thread_state.loop = nullptr;
        detail::thread_state.debugging = false;
        event_loop_of_thread = nullptr;
        loops().last_of_parent = loops().last_serial.load(std::memory_order_relaxed);
    };
    detail::at_fork(nullptr, nullptr, in_child);
}

std::uint64_t next_serial() noexcept {
    return loops().last_serial.fetch_add(1, std::memory_order_relaxed) + 1;
}

// The kernel's side of such a loop is its parent's, too: to wait there would steal its events.
void check_process(std::uint64_t serial) {
    if (serial <= loops().last_of_parent) {
        throw RuntimeError("The event loop belongs to the parent of this process");
    }
}

bool debug_wanted() {
    const char* const debug = std::getenv("ASYNCIO_DEBUG");
    return debug != nullptr && *debug != '\0' && std::string_view(debug) != "0";
}

}  // namespace

EventLoop::EventLoop(std::unique_ptr<lowlevel::Proactor> proactor)
    : proactor_(proactor.release()),
      timers_(detail::make_owned<lowlevel::TimerHeap>()),
      serial_(next_serial()) {
    now_ = last_poll_ = proactor_->now();
    set_debug(debug_wanted());
    const std::lock_guard lock(loops().mutex);
    loops().alive.push_back(this);
}

EventLoop::~EventLoop() {
    ASYNCIO_ASSERT(!running_);
    close();
    if (event_loop_of_thread == this) {
        event_loop_of_thread = nullptr;
    }
    const std::lock_guard lock(loops().mutex);
    std::erase(loops().alive, this);
}

bool EventLoop::exists(const EventLoop* loop) noexcept {
    const std::lock_guard lock(loops().mutex);
    return std::find(loops().alive.begin(), loops().alive.end(), loop) != loops().alive.end();
}

// A handle may outlive its loop, and another one lie at the same address. Another thread may drop
// it while the loop is destroyed: that has to wait.
void EventLoop::forget_source(EventLoop* loop, const detail::HandleNode& node) noexcept {
    Loops& all = loops();
    const std::lock_guard lock(all.mutex);
    if (std::find(all.alive.begin(), all.alive.end(), loop) == all.alive.end() ||
        loop->debug_state_ == nullptr) {
        return;
    }
    const std::lock_guard lock_state(loop->debug_state_->mutex);
    loop->debug_state_->made_at.erase(&node);
}

// --------------------------------------------------------------------------------- running

detail::RunScope::RunScope(EventLoop& loop) noexcept
    : loop_(loop), context_(context_state), task_(std::exchange(thread_state.task, nullptr)) {
    if (ContextSlot* const entered = std::exchange(context_state.entered, nullptr)) {
        context_state.outside = entered;  // run() was called in it; tasks have their own
    }
    loop.running_ = true;
    thread_state.loop = &loop;
    if (loop.instrumented_) {
        loop.tell_run(true);
    }
    if (loop.embedding_ != nullptr) {
        loop.embedding_->entered();
    }
    loop.choose_checks();
}

detail::RunScope::~RunScope() {
    loop_.ready_.splice_front(loop_.turn_);  // a KeyboardInterrupt left: the others stay ready
    thread_state.loop = nullptr;
    thread_state.task = task_;
    thread_state.debugging = false;
    context_state = context_;
    loop_.running_ = false;
    loop_.stopping_ = false;
    if (loop_.instrumented_) {
        loop_.tell_run(false);
    }
    loop_.choose_checks();
    if (loop_.embedding_ != nullptr) {
        loop_.embedding_->left();
    }
}

// Nothing runs: what was posted from this thread, or another, comes before what is scheduled now.
void EventLoop::check_idle() {
    if (closed_) {
        throw RuntimeError("Event loop is closed");
    }
    take_posted();
}

void EventLoop::check_runnable() const {
    if (closed_) {
        throw RuntimeError("Event loop is closed");
    }
    check_process(serial_);
    if (running_) {
        throw RuntimeError("This event loop is already running");
    }
    if (detail::thread_state.loop != nullptr) {
        throw RuntimeError("Cannot run the event loop while another loop is running");
    }
}

// A turn asks the kernel only when nothing is ready, or about every millisecond: asking costs
// fifty times a switch between tasks. How many callbacks make a millisecond is measured between
// two polls, so that slow callbacks are counted as what they are.
// `begin` is called when all is ready that the turn will run.
template <class Run, class Begin>
inline void EventLoop::run_once(Run run, Begin begin) {
    if (!inbox_.empty()) [[unlikely]] {
        inbox_.take(ready_);
    }
    if (next_due_ <= now_) [[unlikely]] {
        move_due_timers();
    }
    if (ready_.empty() || callbacks_since_poll_ >= callbacks_per_poll_) [[unlikely]] {
        poll();
    }
    begin();
    // Only what is ready now: callbacks scheduled by these run in the next turn, so that I/O and
    // timers get their chance between two generations.
    turn_.splice_back(ready_);
    std::uint32_t count = 0;
    while (!turn_.empty()) {
        ++count;
        run(turn_.pop_front());
    }
    callbacks_since_poll_ += count;
}

void EventLoop::run_forever() {
    check_runnable();
    const detail::RunScope running(*this);
    do {
        choose_checks();
        leaving_ = stopping_;
        run_some_turns();
    } while (!stopping_);
}

bool EventLoop::run_ready(bool& stopped) {
    // As many turns, and as long, as may pass until another loop has its turn again.
    constexpr int most_turns = 64;
    constexpr std::chrono::milliseconds longest{1};

    check_runnable();
    const detail::RunScope running(*this);
    struct OnlyReady {
        bool& only_ready;
        ~OnlyReady() { only_ready = false; }
    } only_ready{only_ready_};
    only_ready_ = true;
    callbacks_since_poll_ = callbacks_per_poll_;  // the first turn asks the system
    const TimePoint end = time() + longest;
    for (int turns = 0; turns < most_turns; ++turns) {
        leaving_ = true;
        run_some_turns();
        stopped = stopping_;
        if (stopped || !something_ready() || now_ > end) {
            break;
        }
        choose_checks();
    }
    return something_ready();
}

// Debug mode and instruments have turns of their own, so that no other pays for them.
void EventLoop::run_some_turns() {
    if (instrumented_) {
        run_instrumented_turns();
    } else {
        debug_ ? run_watched_turns() : run_turns();
    }
}

void EventLoop::run_turns() {
    do {
        run_once([](Callback& callback) { callback.run(); }, [] {});
    } while (!leaving_);
}

void EventLoop::run_watched_turns() {
    do {
        run_once([this](Callback& callback) { run_watched(callback); }, [] {});
    } while (!leaving_);
}

void EventLoop::run_instrumented_turns() {
    do {
        run_once([this](Callback& callback) { run_instrumented(callback); },
                 [this] { begin_instrumented_turn(); });
    } while (!leaving_);
}

// What a signal handler posted, for whoever goes away before the loop runs again.
void EventLoop::take_posted() noexcept {
    inbox_.take(ready_);
}

void EventLoop::move_due_timers() noexcept {
    timers_->move_due(now_, ready_);
    next_due_ = timers_->next_due();
}

void EventLoop::poll() {
    constexpr std::int64_t interval = 1'000'000;  // ns
    constexpr std::int64_t most_callbacks = 256;

    check_process(serial_);
    const bool may_block = ready_.empty() && !stopping_ && !only_ready_;
    TimePoint deadline = TimePoint::min();
    if (may_block) {
        deadline = timers_->next_due();
        // Order matters: whoever posts after this sees that the loop sleeps, and wakes it.
        asleep_.store(true, std::memory_order_seq_cst);
        if (!inbox_.empty_for_sure()) {
            deadline = TimePoint::min();
        }
    }
    if (instrumented_) [[unlikely]] {
        tell_io_wait(true, deadline);
    }
    proactor_->poll(pending_, ready_, deadline);
    if (instrumented_) [[unlikely]] {
        tell_io_wait(false, deadline);
    }
    if (may_block) {
        asleep_.store(false, std::memory_order_relaxed);
        if (!inbox_.empty()) {
            inbox_.take(ready_);
        }
    }
    now_ = proactor_->now();
    if (!may_block && callbacks_since_poll_ > 0) {
        const std::int64_t each =
            std::max<std::int64_t>((now_ - last_poll_).count() / callbacks_since_poll_, 1);
        callbacks_per_poll_ = static_cast<std::uint32_t>(
            std::clamp<std::int64_t>(interval / each, 1, most_callbacks));
    }
    last_poll_ = now_;
    callbacks_before_poll_ += callbacks_since_poll_;
    callbacks_since_poll_ = 0;
    move_due_timers();
}

// -------------------------------------------------------------------------------- scheduling

bool EventLoop::post(Callback& callback) noexcept {
    if (!inbox_.push(callback)) {
        return false;
    }
    // Posts by the dozen wake the loop once.
    if (asleep_.load(std::memory_order_seq_cst) &&
        asleep_.exchange(false, std::memory_order_seq_cst)) {
        proactor_->wake();
    }
    return true;
}

void EventLoop::post_handle(detail::HandleNode& node) {
    if (debug_) {
        note_source(node);
    }
    if (detail::thread_state.loop == this) {
        schedule(node);  // in order with this thread's call_soon()
        return;
    }
    if (!post(node)) {
        node.release();
        throw RuntimeError("Event loop is closed");
    }
}

void EventLoop::arm(Callback& callback, TimePoint when) {
    timers_->arm(callback, when);
    next_due_ = std::min(next_due_, when);
}

void EventLoop::arm_handle(detail::TimerNode& node, TimePoint when) {
    node.set_when(when);
    try {
        arm(node, when);
    } catch (...) {
        node.release();  // the loop's reference
        throw;
    }
}

void EventLoop::withdraw(Callback& callback) noexcept {
    if (callback.armed()) {
        timers_->disarm(callback);
    } else if (callback.linked()) {
        callback.unlink();
    }
}

void EventLoop::start(lowlevel::Operation& operation) noexcept {
    operation.completed = false;
    pending_.push_back(operation);
}

void EventLoop::cancel(lowlevel::Operation& operation) noexcept {
    proactor_->cancel(operation, ready_);
}

std::int64_t EventLoop::call(lowlevel::Operation& operation) {
    const bool ends_descriptor =
        operation.opcode == lowlevel::Opcode::close || operation.opcode == lowlevel::Opcode::forget;
    if (ends_descriptor && !pending_.empty()) {
        // What still is to be started on the descriptor means this one, and not the next that gets
        // its number.
        proactor_->poll(pending_, ready_, TimePoint::min());
    }
    return proactor_->call(operation);
}

// ----------------------------------------------------------------------------------- the end

void EventLoop::close() {
    if (running_) {
        throw RuntimeError("Cannot close a running event loop");
    }
    if (std::exchange(closed_, true)) {
        return;
    }
    closing_ = true;
    forget_asyncgens();
    inbox_.close(ready_);
    proactor_->abort_all(ready_);
    CallbackList dropped(std::move(ready_));
    dropped.splice_back(pending_);
    timers_->clear(dropped);
    drop_callbacks(dropped);
    while (!resources_.empty()) {
        resources_.pop_front().loop_closing();
    }
    drop_work();
    drop_dependents();
    drop_pending_tasks();
    // Destructors may have scheduled more, of their tasks' and futures' waiters.
    while (!ready_.empty()) {
        CallbackList more(std::move(ready_));
        drop_callbacks(more);
    }
    timers_->clear(ready_);
    drop_callbacks(ready_);
    closing_ = false;
    drop_executors();
}

void EventLoop::drop_callbacks(CallbackList& callbacks) noexcept {
    while (!callbacks.empty()) {
        Callback& callback = callbacks.pop_front();
        // Everything else is owned by a task's frame or a future, which knows that it is unlinked.
        if (detail::HandleNode::is_node(callback)) {
            static_cast<detail::HandleNode&>(callback).discard();
        }
    }
}

std::unique_ptr<EventLoop> new_event_loop(std::string_view proactor) {
    return std::make_unique<EventLoop>(lowlevel::make_proactor(proactor));
}

EventLoop& get_event_loop() {
    if (EventLoop* const running = detail::thread_state.loop) {
        return *running;
    }
    if (event_loop_of_thread == nullptr || !EventLoop::exists(event_loop_of_thread)) {
        throw RuntimeError("There is no current event loop in this thread.");
    }
    return *event_loop_of_thread;
}

void set_event_loop(EventLoop* loop) noexcept {
    event_loop_of_thread = loop;
}

}  // namespace asyncio
