// events.hpp - the event loop: EventLoop, and the handles of what it was asked to call.
//
// Mirrors asyncio.events and asyncio.base_events; differences: docs/parity.md#events.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/contextvars.hpp>
#include <asyncio/detail/function.hpp>
#include <asyncio/detail/handle.hpp>
#include <asyncio/detail/owned.hpp>
#include <asyncio/exceptions.hpp>
#include <asyncio/log.hpp>
#include <asyncio/lowlevel/callback.hpp>
#include <asyncio/lowlevel/executor.hpp>
#include <asyncio/lowlevel/inbox.hpp>
#include <asyncio/lowlevel/loop_resource.hpp>
#include <asyncio/lowlevel/operation.hpp>
#include <asyncio/lowlevel/proactor.hpp>
#include <asyncio/time.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio {

class AnyCoroutine;
class AnyTask;
class EventLoop;
struct ExceptionContext;
template <class T = void>
class Coroutine;
template <class T = void>
class Future;
template <class T = void>
class Task;
struct TaskOptions;

namespace lowlevel {
class Instrument;
class TimerHeap;
void add_instrument(EventLoop& loop, Instrument& instrument);
void remove_instrument(EventLoop& loop, Instrument& instrument);
}  // namespace lowlevel

namespace detail {

class TaskBase;
class DependentFuture;
class FutureBase;
class GeneratorBase;
class PromiseBase;
class Work;
class Embedding;
class GuestCall;
class Instruments;
class RunScope;
class SignalWatch;
struct DebugState;
struct LoopGate;
struct AllTasks {};  // tags of the loop's lists
struct AllDependents {};
struct AllWork {};
struct AsyncGens {};

struct DeleteInstruments {
    void operator()(Instruments* instruments) const noexcept;
};

/// What runs in this thread at this moment.
struct ThreadState {
    TaskBase* task;     // whose step it is
    EventLoop* loop;    // that runs
    PromiseBase* leaf;  // of that task: the coroutine that is resumed, or is to be resumed next
    const PromiseBase* abandoned;  // destroyed just now, while the coroutine that awaited it is
    bool debugging;                // by a loop in debug mode
};
extern constinit thread_local ThreadState thread_state;

/// Where a function was called from, as the default argument of an overload: it is not made of {}.
struct CallSite {
    CallSite(std::source_location location) noexcept : value(location) {}
    std::source_location value;
};

}  // namespace detail

/// Runs callbacks, one after another in the order in which they became ready, and waits when there
/// are none. Tasks, timers and I/O are callbacks to it.
///
/// One turn runs exactly what was ready at its beginning; what that schedules runs in the next
/// turn, after I/O and timers had their chance. While there is work the system is asked for I/O and
/// the time only now and then (about every millisecond), so a turn costs nothing of its own.
///
/// Errors:  methods that schedule throw RuntimeError("Event loop is closed") after close().
///          What callbacks throw goes to the exception handler, and the loop goes on; only
///          KeyboardInterrupt and SystemExit leave run_forever().
/// Threads: belongs to the thread that runs it. From others only call_soon_threadsafe() and post().
class EventLoop {
public:
    explicit EventLoop(std::unique_ptr<lowlevel::Proactor> proactor = lowlevel::make_proactor());
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;
    /// Closes the loop, if close() has not.
    ~EventLoop();

    // ---- running

    /// Runs until stop().
    void run_forever();

    /// Runs until `awaitable` (a Future, a Task, or a coroutine, which becomes a task) is done, and
    /// returns or throws its result. RuntimeError if the loop is stopped before.
    template <class Awaitable>
    decltype(auto) run_until_complete(Awaitable&& awaitable);

    /// Makes run_forever() return after the turn under way. Called before run_forever(): after one
    /// turn that does not wait.
    void stop() noexcept { stopping_ = leaving_ = true; }
    [[nodiscard]] bool is_running() const noexcept { return running_; }
    [[nodiscard]] bool is_closed() const noexcept { return closed_; }

    /// Ends the loop for good; RuntimeError while it runs. No user's code runs but destructors:
    /// started operations are aborted and their completions awaited, tasks that are still pending
    /// are reported to the exception handler and their frames destroyed, innermost first. Calls in
    /// threads that have not begun never are, with a warning; nobody waits for those that have.
    /// (Runner cancels and awaits the tasks before, and waits for the default executor.)
    void close();

    /// The time on the loop's clock, read afresh.
    [[nodiscard]] TimePoint time() const noexcept {
        now_ = proactor_->now();
        return now_;
    }

    // ---- calling functions

    /// Calls `fn(args...)` in the next turn. Arguments are kept by value. With options:
    /// `call_soon(fn, {.context = &context})`, or `call_soon({.context = &context}, fn, args...)`;
    /// so for the others, too.
    template <class Fn, class... Args>
        requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>...>
    Handle call_soon(Fn&& fn, Args&&... args) {
        return call_soon(CallOptions(), std::forward<Fn>(fn), std::forward<Args>(args)...);
    }
    template <class Fn>
        requires std::is_invocable_v<std::decay_t<Fn>&>
    Handle call_soon(Fn&& fn, CallOptions options) {
        return call_soon(options, std::forward<Fn>(fn));
    }
    template <class Fn, class... Args>
        requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>...>
    Handle call_soon(CallOptions options, Fn&& fn, Args&&... args) {
        if constexpr (sizeof...(Args) > 0) {
            return call_soon(options,
                             detail::bind(std::forward<Fn>(fn), std::forward<Args>(args)...));
        } else {
            auto* node = detail::HandleNodeOf<detail::HandleNode, std::decay_t<Fn>>::make(
                *this, false, options.context, std::forward<Fn>(fn));
            check_handle(*node);
            schedule(*node);
            return Handle(node);
        }
    }

    /// Calls `fn(args...)` after `delay`; what is due at the same time is called in the order of
    /// the requests. A delay of zero or less still comes after what was ready before.
    template <class Fn, class... Args>
        requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>...>
    TimerHandle call_later(Duration delay, Fn&& fn, Args&&... args) {
        return call_at(detail::after(time(), delay), CallOptions(), std::forward<Fn>(fn),
                       std::forward<Args>(args)...);
    }
    template <class Fn>
        requires std::is_invocable_v<std::decay_t<Fn>&>
    TimerHandle call_later(Duration delay, Fn&& fn, CallOptions options) {
        return call_at(detail::after(time(), delay), options, std::forward<Fn>(fn));
    }
    template <class Fn, class... Args>
        requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>...>
    TimerHandle call_later(Duration delay, CallOptions options, Fn&& fn, Args&&... args) {
        return call_at(detail::after(time(), delay), options, std::forward<Fn>(fn),
                       std::forward<Args>(args)...);
    }

    /// Calls `fn(args...)` at `when` on the loop's clock.
    template <class Fn, class... Args>
        requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>...>
    TimerHandle call_at(TimePoint when, Fn&& fn, Args&&... args) {
        return call_at(when, CallOptions(), std::forward<Fn>(fn), std::forward<Args>(args)...);
    }
    template <class Fn>
        requires std::is_invocable_v<std::decay_t<Fn>&>
    TimerHandle call_at(TimePoint when, Fn&& fn, CallOptions options) {
        return call_at(when, options, std::forward<Fn>(fn));
    }
    template <class Fn, class... Args>
        requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>...>
    TimerHandle call_at(TimePoint when, CallOptions options, Fn&& fn, Args&&... args) {
        if constexpr (sizeof...(Args) > 0) {
            return call_at(when, options,
                           detail::bind(std::forward<Fn>(fn), std::forward<Args>(args)...));
        } else {
            auto* node = detail::HandleNodeOf<detail::TimerNode, std::decay_t<Fn>>::make(
                *this, false, options.context, std::forward<Fn>(fn));
            check_handle(*node);
            TimerHandle handle(node);
            arm_handle(*node, when);
            return handle;
        }
    }

    /// Calls `fn(args...)` in a turn of the loop; wakes it if it waits. From any thread, also while
    /// the loop closes: RuntimeError from then on. Calls from one thread keep their order. The loop
    /// must exist until this has returned: not only until `fn` was called.
    template <class Fn, class... Args>
        requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>...>
    Handle call_soon_threadsafe(Fn&& fn, Args&&... args) {
        return call_soon_threadsafe(CallOptions(), std::forward<Fn>(fn),
                                    std::forward<Args>(args)...);
    }
    template <class Fn>
        requires std::is_invocable_v<std::decay_t<Fn>&>
    Handle call_soon_threadsafe(Fn&& fn, CallOptions options) {
        return call_soon_threadsafe(options, std::forward<Fn>(fn));
    }
    template <class Fn, class... Args>
        requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>...>
    Handle call_soon_threadsafe(CallOptions options, Fn&& fn, Args&&... args) {
        if constexpr (sizeof...(Args) > 0) {
            return call_soon_threadsafe(
                options, detail::bind(std::forward<Fn>(fn), std::forward<Args>(args)...));
        } else {
            auto* node = detail::HandleNodeOf<detail::HandleNode, std::decay_t<Fn>>::make(
                *this, true, options.context, std::forward<Fn>(fn));
            Handle handle(node);
            post_handle(*node);
            return handle;
        }
    }

    // ---- making things that run on this loop

    /// A Future that somebody will give a result.
    template <class T = void>
    [[nodiscard]] Future<T> create_future(
        std::source_location site = std::source_location::current());

    /// A task on this loop, which need not be running yet; as asyncio::create_task().
    template <class Awaitable>
    auto create_task(Awaitable&& awaitable,
                     detail::CallSite site = std::source_location::current());
    template <class Awaitable>
    auto create_task(Awaitable&& awaitable, TaskOptions options,
                     detail::CallSite site = std::source_location::current());

    /// Makes the tasks of a loop: `factory(EventLoop&, AnyCoroutine&, TaskOptions)` returns what
    /// make_task() gives it for that coroutine.
    using TaskFactory = detail::UniqueFunction<AnyTask(EventLoop&, AnyCoroutine&, TaskOptions)>;

    /// What create_task(), and all that makes tasks of coroutines, uses from now on, as
    /// eager_task_factory; empty (or nullptr) stands for make_task().
    void set_task_factory(TaskFactory factory);
    [[nodiscard]] const TaskFactory& get_task_factory() const noexcept;

    /// `fn(args...)` in a thread of `executor` (null: the default one, made when first needed).
    /// A Future of what it returns; cancelling it does not stop a call that has begun.
    template <class Fn, class... Args>
    auto run_in_executor(Executor* executor, Fn&& fn, Args&&... args);
    /// The same where `executor` is not one of threads (ProcessPoolExecutor): a Future of what its
    /// submit(fn, args...) gives.
    template <class E, class Fn, class... Args>
        requires(!std::is_convertible_v<E*, Executor*>)
    auto run_in_executor(E* executor, Fn&& fn, Args&&... args);

    /// What run_in_executor(nullptr, ...) and to_thread() use from now on; null: one that is made
    /// when needed. The loop shuts it down when it is closed, and never waits for it: one that the
    /// loop alone has is detached when the loop drops it, as the one before is now.
    void set_default_executor(std::shared_ptr<Executor> executor);
    [[nodiscard]] const std::shared_ptr<Executor>& default_executor() const noexcept {
        return default_executor_;
    }

    /// Waits until the default executor's threads have ended, at most for `limit`; then it is left
    /// to itself, with a warning. No work is taken afterwards. Throws what the executor throws.
    Coroutine<void> shutdown_default_executor(std::optional<Duration> limit = std::nullopt);

    /// Closes the async generators that were begun on this loop and have not ended, all at once;
    /// what their cleanup throws goes to the exception handler. In debug mode one that is begun
    /// afterwards is reported.
    Coroutine<void> shutdown_asyncgens();

    /// A few threads, made when first needed, for what asks for names: calls that hang in the
    /// default executor would otherwise hold up every connection. close() does not wait for them,
    /// so jobs must keep alive what they use. RuntimeError if the loop is closed.
    [[nodiscard]] Executor& resolver_executor();

    // ---- errors

    using ExceptionHandler = detail::UniqueFunction<void(EventLoop&, const ExceptionContext&)>;

    /// `handler(EventLoop&, const ExceptionContext&)` gets what nobody else can be given: what
    /// callbacks throw, exceptions of tasks that nobody retrieved. Empty (or nullptr) stands for
    /// default_exception_handler(), which logs.
    /// A handler may replace itself while it is called. It runs in the context of the task or
    /// callback that it is told about.
    void set_exception_handler(ExceptionHandler handler);
    [[nodiscard]] const ExceptionHandler& get_exception_handler() const noexcept;
    void call_exception_handler(const ExceptionContext& context);
    void default_exception_handler(const ExceptionContext& context);

    /// Debug mode finds what a program does wrong: callbacks and steps that block the loop, calls
    /// from the wrong thread, coroutines and exceptions that nobody looked at, each with the place
    /// that made it (docs/debugging.md). A loop begins in it if ASYNCIO_DEBUG is set in the
    /// environment, and not to 0. What was made before it was switched on has no place.
    [[nodiscard]] bool get_debug() const noexcept { return debug_; }
    void set_debug(bool enabled);

    /// In debug mode a callback, or a step of a task, that takes at least that long on the loop's
    /// clock is reported to the log. 0.1 s at first.
    [[nodiscard]] Duration slow_callback_duration() const noexcept {
        return slow_callback_duration_;
    }
    void set_slow_callback_duration(Duration duration) noexcept {
        slow_callback_duration_ = duration;
    }

    // ---- for authors of awaitables

    /// Puts `callback` behind everything that is ready. It must be in no list.
    void schedule(lowlevel::Callback& callback) noexcept { ready_.push_back(callback); }
    void schedule(lowlevel::CallbackList& callbacks) noexcept { ready_.splice_back(callbacks); }

    /// Schedules `callback` from any thread, in the order of the posts of that thread. False if the
    /// loop is closed: then it was not taken.
    [[nodiscard]] bool post(lowlevel::Callback& callback) noexcept;

    /// Schedules `callback`, which must be in no list, when `when` has come. What is due at the
    /// same time is scheduled in the order in which it was armed.
    void arm(lowlevel::Callback& callback, TimePoint when);
    /// Takes `callback` back at once, from the timers or from whatever list it is in; nothing if it
    /// is in neither.
    void withdraw(lowlevel::Callback& callback) noexcept;

    /// Completes `operation` at once if it can be; otherwise it is to be start()ed.
    [[nodiscard]] bool attempt(lowlevel::Operation& operation) noexcept {
        return proactor_->attempt(operation);
    }
    /// Hands `operation` to the proactor; its callback runs when it is complete.
    void start(lowlevel::Operation& operation) noexcept;
    /// Asks for the end of a started operation, which still completes.
    void cancel(lowlevel::Operation& operation) noexcept;
    /// Carries out a cold operation; its result, or -errno.
    std::int64_t call(lowlevel::Operation& operation);

    [[nodiscard]] lowlevel::Proactor& proactor() noexcept { return *proactor_; }

    /// Its number among all loops of the process, from 1. Tells a loop from a later one that lies
    /// at the same address.
    [[nodiscard]] std::uint64_t serial() const noexcept { return serial_; }

    /// How many callbacks have run in the turns before this one.
    [[nodiscard]] std::uint64_t callbacks_run() const noexcept {
        return callbacks_before_poll_ + callbacks_since_poll_;
    }

    /// What is told when the loop closes: a few, one of each module that has something open. Added
    /// to while the loop is not closed.
    [[nodiscard]] lowlevel::LoopResourceList& resources() noexcept { return resources_; }

    /// Before something is scheduled in the loop's own thread: RuntimeError if it is closed, and in
    /// debug mode if this is another thread.
    void check_usable() {
        if (!unchecked_.load(std::memory_order_relaxed)) [[unlikely]] {
            check_use();
        }
    }

private:
    friend class detail::HandleNode;
    friend std::vector<AnyTask> all_tasks(const EventLoop& loop);
    friend class detail::TaskBase;
    friend class detail::FutureBase;
    friend class detail::DependentFuture;
    friend class detail::GeneratorBase;
    friend class detail::Work;
    friend class detail::Embedding;
    friend class detail::GuestCall;
    friend class detail::Instruments;
    friend class detail::RunScope;
    friend class detail::SignalWatch;
    friend void lowlevel::add_instrument(EventLoop& loop, lowlevel::Instrument& instrument);
    friend void lowlevel::remove_instrument(EventLoop& loop, lowlevel::Instrument& instrument);
    friend struct detail::LoopGate;
    friend EventLoop& get_event_loop();

    /// Throws RuntimeError if the loop is closed, or one runs in this thread.
    void check_runnable() const;
    /// Futures and tasks may outlive their loop.
    static bool exists(const EventLoop* loop) noexcept;
    /// Throws RuntimeError if `loop` is in debug mode and runs in another thread.
    static void check_thread(const EventLoop* loop);
    /// Does it take callbacks? Also while it closes: destructors may make futures done then.
    static bool usable(const EventLoop* loop) noexcept {
        return exists(loop) && (!loop->closed_ || loop->closing_);
    }
    /// To the exception handler of `loop` if it still exists, otherwise to the log.
    static void report(EventLoop* loop, const ExceptionContext& context) noexcept;
    static detail::ContextSlot* context_of(const ExceptionContext& context) noexcept;

    void take_posted() noexcept;
    void check_use();
    void check_idle();
    /// As check_usable(), of a handle that was made for it, and that goes if it throws. In debug
    /// mode its place is noted.
    void check_handle(detail::HandleNode& node) {
        if (!unchecked_.load(std::memory_order_relaxed)) [[unlikely]] {
            check_new_handle(node);
        }
    }
    void check_new_handle(detail::HandleNode& node);
    void note_source(detail::HandleNode& node) noexcept;
    static void forget_source(EventLoop* loop, const detail::HandleNode& node) noexcept;
    [[nodiscard]] std::vector<std::source_location> source_of(const detail::HandleNode& node) const;
    [[nodiscard]] static std::string format(const ExceptionContext& context);
    void choose_checks() noexcept;
    void arm_handle(detail::TimerNode& node, TimePoint when);
    template <class Run, class Begin>
    [[gnu::always_inline]] void run_once(Run run, Begin begin);
    [[gnu::noinline]] void run_turns();
    [[gnu::noinline]] void run_watched_turns();
    [[gnu::noinline]] void run_instrumented_turns();
    void run_some_turns();
    /// For detail::Embedding: turns that do not wait, until there is nothing to do or it has been
    /// enough; stop() ends it, too. True if there is more to do.
    bool run_ready(bool& stopped);
    [[nodiscard]] bool something_ready() const noexcept {
        return !ready_.empty() || !pending_.empty() || !inbox_.empty();
    }
    void run_watched(lowlevel::Callback& callback);
    void move_due_timers() noexcept;
    void poll();
    // With instruments: src/instrument.cpp.
    void set_instrumented(bool on) noexcept;
    void tell_run(bool begins) noexcept;
    void tell_io_wait(bool begins, TimePoint deadline) noexcept;
    void begin_instrumented_turn();
    void run_instrumented(lowlevel::Callback& callback);
    void run_eagerly_instrumented(detail::TaskBase& task);

    void post_handle(detail::HandleNode& node);
    void report_callback_error(detail::HandleNode& node, std::exception_ptr error);
    void drop_pending_tasks() noexcept;
    void drop_dependents() noexcept;
    void forget_asyncgens() noexcept;
    void drop_work() noexcept;
    void drop_executors() noexcept;
    void drop_callbacks(lowlevel::CallbackList& callbacks) noexcept;

    detail::Owned<lowlevel::Proactor> proactor_;
    lowlevel::CallbackList ready_;
    lowlevel::CallbackList turn_;      // what is left of the turn under way
    lowlevel::OperationList pending_;  // to be started at the next poll
    detail::Owned<lowlevel::TimerHeap> timers_;
    mutable TimePoint now_{};                // as last read
    TimePoint next_due_ = TimePoint::max();  // no timer is due before
    TimePoint last_poll_{};
    std::uint32_t callbacks_since_poll_ = 0;
    std::uint32_t callbacks_per_poll_ = 1;
    std::uint64_t callbacks_before_poll_ = 0;
    std::shared_ptr<const TaskFactory> task_factory_;  // shared with a call under way
    std::atomic<bool> running_{false};
    bool stopping_ = false;
    bool leaving_ = false;  // the turns of run_forever(), to stop or to go on in another mode
    bool instrumented_ = false;
    bool only_ready_ = false;  // in run_ready(): it does not wait
    bool closed_ = false;
    bool closing_ = false;                // in close(): what is scheduled now is dropped at its end
    std::atomic<bool> debug_{false};      // when it is set, debug_state_ is there
    bool special_tasks_ = false;          // a factory makes them, or their places are noted
    std::atomic<bool> unchecked_{false};  // it runs, and not in debug mode
    const std::uint64_t serial_;

    lowlevel::Inbox inbox_;            // what other threads posted
    std::atomic<bool> asleep_{false};  // waits in poll(), or is about to

    lowlevel::List<detail::TaskBase, detail::AllTasks> tasks_;
    lowlevel::List<detail::DependentFuture, detail::AllDependents> dependents_;
    lowlevel::List<detail::Work, detail::AllWork> work_;                  // under way in executors
    std::shared_ptr<detail::LoopGate> gate_;                              // the way back from there
    lowlevel::List<detail::GeneratorBase, detail::AsyncGens> asyncgens_;  // begun, not at the end
    lowlevel::LoopResourceList resources_;
    detail::Owned<detail::Instruments, detail::DeleteInstruments> instruments_;
    std::shared_ptr<Executor> default_executor_;
    std::shared_ptr<Executor> resolver_executor_;
    bool default_executor_shut_down_ = false;
    bool asyncgens_shut_down_ = false;
    std::shared_ptr<const ExceptionHandler> exception_handler_;  // shared with a call under way
    Duration slow_callback_duration_ = 0.1;
    detail::Owned<detail::DebugState> debug_state_;  // since it first was in debug mode
    detail::Embedding* embedding_ = nullptr;         // if another loop drives it
};

/// The loop that runs in this thread; RuntimeError if there is none.
[[nodiscard]] inline EventLoop& get_running_loop() {
    EventLoop* const loop = detail::thread_state.loop;
    if (loop == nullptr) {
        detail::raise_runtime_error("no running event loop");
    }
    return *loop;
}

/// A loop for this thread, not yet running; the caller owns it. `proactor` as for make_proactor().
[[nodiscard]] std::unique_ptr<EventLoop> new_event_loop(std::string_view proactor = {});

/// The loop that runs in this thread, or else the one that set_event_loop() was given in it, which
/// need not run; RuntimeError if there is none. (Python's policies would make one, until 3.14.)
[[nodiscard]] EventLoop& get_event_loop();

/// What get_event_loop() gives in this thread while no loop runs; null: nothing. The caller owns
/// it. A Runner sets its own, unless it has a loop factory, and nothing at its end.
void set_event_loop(EventLoop* loop) noexcept;

/// How many seconds a loop waits at most before it looks at its timers again, in Python. Loops here
/// wait as long as they have to.
inline constexpr int MAXIMUM_SELECT_TIMEOUT = 24 * 3600;

}  // namespace asyncio
