// task_base.hpp - what a task is without the type of its result.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/future_base.hpp>
#include <asyncio/detail/owned.hpp>

#include <cstdint>
#include <exception>
#include <string>

namespace asyncio {

namespace lowlevel {
class Waiter;
}

namespace detail {

/// A coroutine driven by the loop. Its Callback is in one place at most: in the ready list, in the
/// list of what it waits for, or among the timers. It is in none while it runs, nor while its
/// awaiter is what is in a list: at a lock, a semaphore, a queue, or the kernel.
///
/// cancel() follows CPython to the letter; the state it needs is two bits. `must_cancel_`: a
/// CancelledError is to be thrown at the next step, and uncancel() may still take it back.
/// `interrupted_`: the wait was aborted (or the step has begun), the error will be thrown. The
/// await that the task is resumed at is the first code to run, so it is the one that throws.
class TaskBase : public FutureBase, public lowlevel::Callback, public lowlevel::ListHook<AllTasks> {
public:
    bool cancel(CancelMessage message) override;
    [[nodiscard]] int cancelling() const noexcept { return static_cast<int>(cancel_requests_); }
    int uncancel() noexcept;

    [[nodiscard]] std::string name() const;
    void set_name(std::string name) { rare().name = std::move(name); }

    /// What it runs in.
    [[nodiscard]] ContextSlot& context() noexcept { return context_slot(); }
    [[nodiscard]] Context get_context() { return Context(context().cell(held_up_)); }

    /// Its own coroutine, which awaits the others; null when it is done.
    [[nodiscard]] PromiseBase* root() const noexcept;

    // ---- for awaiters, of the running task

    /// The task waits in `waiter` until it is woken. Its callback goes to whatever list will be
    /// scheduled or woken from.
    void park(lowlevel::Waiter& waiter) noexcept { waiter_ = &waiter; }
    /// Makes a parked task ready. It counts as woken: a cancellation from now on is thrown when it
    /// runs, and what woke it may have to be taken back then.
    void wake() noexcept {
        waiter_ = nullptr;
        loop().schedule(static_cast<Callback&>(*this));
    }
    /// The wait has been aborted: CancelledError will be thrown at the await. Schedules nothing.
    void interrupt(CancelMessage message) noexcept;

    [[nodiscard]] bool interrupted() const noexcept { return interrupted_; }
    /// Throws the CancelledError if the task is to be interrupted: in await_resume. Thrown here, so
    /// in the coroutine itself: each frame between a throw and its handler costs half a
    /// microsecond.
    void throw_if_interrupted() {
        if (interrupted_) [[unlikely]] {
            throw take_cancelled_error();
        }
    }
    /// The same, for those who do not throw; null if it is not to be interrupted.
    [[nodiscard]] std::exception_ptr take_interrupt();
    /// The operation had finished before it could be aborted and its result is delivered; the
    /// CancelledError is thrown at the next await instead.
    void postpone_interrupt() noexcept {
        interrupted_ = false;
        by_scope_ = interrupted_by_scope_ && (by_scope_ || !must_cancel_);
        must_cancel_ = true;
    }
    void forget_interrupt() noexcept { interrupted_ = false; }

    /// Runs its step in a callback of the library, in whose place it is: one that had to look
    /// first.
    void run_in_place() {
        if (thread_state.debugging) [[unlikely]] {
            loop().run_watched(*this);
        } else {
            run();
        }
    }

    // A sleeping task's callback is its timer's. When that is due the task takes one more turn of
    // the ready list, as the future that CPython's sleep() waits for would.
    void expect_timer() noexcept { set_function(&run_timer); }
    void expect_nothing() noexcept { set_function(&run_step); }

    /// Before its first step: the body will run even if the task is cancelled until then, and finds
    /// itself interrupted.
    void begin_in_any_case() noexcept { set_function(&run_begin); }

    [[nodiscard]] PromiseBase* leaf() const noexcept;
    [[nodiscard]] lowlevel::Waiter* waiter() const noexcept { return waiter_; }
    [[nodiscard]] static bool is_task(const Callback& callback) noexcept {
        return callback.function() == &run_step || callback.function() == &run_start ||
               callback.function() == &run_timer || callback.function() == &run_scope_step ||
               callback.function() == &run_begin;
    }
    /// Is it one that has not begun?
    [[nodiscard]] static bool is_new(const Callback& callback) noexcept {
        return callback.function() == &run_start || callback.function() == &run_begin;
    }
    /// Is it one that goes on?
    [[nodiscard]] static bool is_step(const Callback& callback) noexcept {
        return callback.function() == &run_step || callback.function() == &run_scope_step;
    }

    // ---- for cancel scopes: src/cancel_scope.cpp

    /// The innermost one that the task is in; null outside of them.
    [[nodiscard]] ScopeLink* scope() const noexcept;
    void enter_scope(ScopeLink& link);
    void leave_scope(ScopeLink& link) noexcept;
    /// One of them was cancelled, or shields now, or does no more.
    void scopes_changed() noexcept;
    /// Is it in a scope that is cancelled, as far as it can see?
    [[nodiscard]] bool in_cancelled_scope() const noexcept;
    /// How many requests of cancelling() are of nobody's scope.
    [[nodiscard]] int requests_of_others() const noexcept;
    /// Will the next await throw a CancelledError because of somebody else?
    [[nodiscard]] bool cancel_pending() const noexcept { return must_cancel_ && !by_scope_; }
    void forget_cancel() noexcept { must_cancel_ = false; }
    /// Will the next await throw it, because of whomever?
    [[nodiscard]] bool must_cancel() const noexcept { return must_cancel_; }

    /// Runs the first step of a task that was just made, inside of whatever runs.
    void start_eagerly();
    /// Do the tasks of `loop` come from a factory, or is it to be noted where they are made?
    [[nodiscard]] static bool are_special(const EventLoop& loop) noexcept {
        return loop.special_tasks_;
    }
    /// A task by that factory, or by make_task() if there is none.
    static AnyTask make_by_factory(EventLoop& loop, AnyCoroutine& coroutine, TaskOptions options);

    /// Destroys the frames, innermost first, of a task that will never run again.
    void abandon() noexcept;

protected:
    TaskBase(EventLoop& loop, PromiseBase& root, Owned<Rare> rare, const Context* context) noexcept;
    ~TaskBase() override = default;

    [[nodiscard]] std::size_t block_size() const noexcept {
        return block_size_ != 0 ? block_size_ : ~std::size_t{0};
    }

    static Owned<Rare> rare_with_name(std::string_view name);

private:
    static void run_start(Callback& callback);
    static void run_begin(Callback& callback);
    static void run_step(Callback& callback);
    static void run_timer(Callback& callback);
    static void run_scope_step(Callback& callback);
    void resume_leaf();
    [[gnu::cold, gnu::noinline]] void begin_cancelled() noexcept;
    void cancel_by_scope() noexcept;
    void cancel_again() noexcept;
    void expect_scope() noexcept;
    void count_scope(int change) noexcept;
    [[gnu::noinline]] void go_on();
    void set_held_up(bool held_up) noexcept;
    void complete(PromiseBase& root);
    void complete_with_error(PromiseBase& root);
    void leave(PromiseBase& root);
    TaskBase* deliver_cancel(CancelMessage message);
    void cancel_new_wait();
    void destroy_root(PromiseBase& root) noexcept;
    [[nodiscard]] CancelledError take_cancelled_error() noexcept;
    void note_cancelled() noexcept;
    void forget_cancelled() noexcept;

    lowlevel::Waiter* waiter_ = nullptr;  // what it waits in; null after wake(), and in a step
    PromiseBase* leaf_;                   // of the coroutines that await each other, the last
    std::uint64_t id_ : 44;               // its default name is Task-<id>
    std::uint64_t cancel_requests_ : 20 = 0;
};

static_assert(sizeof(TaskBase) <= task_base_size);

template <class T>
class TaskImpl final : public TaskBase {
public:
    /// Takes the coroutine over. The object lies in front of the coroutine's frame.
    static TaskImpl* make(EventLoop& loop, Coroutine<T>&& coroutine, std::string_view name,
                          const Context* context) {
        Owned<Rare> rare = name.empty() ? nullptr : rare_with_name(name);
        PromiseBase* const root = coroutine.release();
        if (root == nullptr) {
            raise_awaited_again();
        }
        return make_of_root(loop, *root, std::move(rare), context);
    }
    /// The same without the types.
    static TaskBase* make_untyped(EventLoop& loop, PromiseBase*& root, std::string_view name,
                                  const Context* context) {
        Owned<Rare> rare = name.empty() ? nullptr : rare_with_name(name);
        return make_of_root(loop, *std::exchange(root, nullptr), std::move(rare), context);
    }

    [[nodiscard]] OutcomeBase& outcome() noexcept override { return outcome_; }

private:
    static TaskImpl* make_of_root(EventLoop& loop, PromiseBase& root, Owned<Rare> rare,
                                  const Context* context) {
        static_assert(sizeof(TaskImpl) <= task_prefix<T>);
        void* const frame = std::coroutine_handle<PromiseBase>::from_promise(root).address();
        return ::new (static_cast<char*>(frame) - task_prefix<T>)
            TaskImpl(loop, root, std::move(rare), context);
    }

    TaskImpl(EventLoop& loop, PromiseBase& root, Owned<Rare> rare, const Context* context) noexcept
        : TaskBase(loop, root, std::move(rare), context) {
        root.adopt(outcome_);
    }
    ~TaskImpl() override = default;
    void dispose() noexcept override {
        const std::size_t size = block_size();
        this->~TaskImpl();
        free_block(this, size);
    }

    Outcome<T> outcome_;
};

}  // namespace detail

}  // namespace asyncio
