// coroutines.hpp - Coroutine<T>: what `async def` is in C++.
//
// Mirrors Python's coroutine objects; differences: docs/parity.md#coroutines.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/outcome.hpp>
#include <asyncio/events.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <source_location>
#include <type_traits>
#include <utility>

namespace asyncio {

namespace detail {

/// Everything of a promise that does not depend on what the coroutine returns. A coroutine is
/// resumed by its task only (TaskBase::run_step), which resumes `thread_state.leaf` until that
/// stays the same: an await of another coroutine puts that one there, the end of a coroutine its
/// parent. So no coroutine ever resumes another, and the stack does not grow.
class PromiseBase {
public:
    PromiseBase(const PromiseBase&) = delete;
    PromiseBase& operator=(const PromiseBase&) = delete;

    struct FinalAwaiter {
        bool await_ready() const noexcept { return false; }
        template <class Promise>
        void await_suspend(std::coroutine_handle<Promise> coroutine) const noexcept {
            thread_state.leaf = coroutine.promise().parent();
        }
        void await_resume() const noexcept {}
    };

    std::suspend_always initial_suspend() const noexcept { return {}; }
    FinalAwaiter final_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept { outcome_->error = std::current_exception(); }

    void resume() { handle().resume(); }
    void destroy() noexcept { handle().destroy(); }

    /// The coroutine that awaits this one; null for a task's own.
    [[nodiscard]] PromiseBase* parent() const noexcept { return outcome_->awaiting; }
    /// The await it is suspended at; the coroutine itself before the first one.
    [[nodiscard]] const std::source_location& site() const noexcept { return site_; }
    [[nodiscard]] OutcomeBase& outcome() const noexcept { return *outcome_; }

    /// Where it was made, if that was in debug mode: the await before. Of one that was not begun.
    [[nodiscard]] const std::source_location& made_at() const noexcept { return made_at_; }

    /// Where its result goes, and who awaits that.
    void adopt(OutcomeBase& outcome) noexcept { outcome_ = &outcome; }

protected:
    PromiseBase() = default;
    ~PromiseBase() = default;

    std::coroutine_handle<PromiseBase> handle() noexcept {
        return std::coroutine_handle<PromiseBase>::from_promise(*this);
    }

    /// For debug mode: where the program is, while nobody awaits the coroutine.
    void note_source() noexcept;

    union {
        std::source_location made_at_{};  // of one that was not begun; no place but in debug mode
        OutcomeBase* outcome_;
    };
    std::source_location site_;  // one pointer, to what the compiler has laid down
};

/// The end of a coroutine that was never awaited, with a warning.
void drop_unawaited(PromiseBase& promise) noexcept;

/// Memory for a frame, with room in front of it for the control block of the task that may be made
/// of the coroutine: one allocation for both.
[[nodiscard]] void* allocate_frame(std::size_t size, std::size_t prefix);
void free_frame(void* frame, std::size_t size, std::size_t prefix) noexcept;

/// A frame whose memory outlives it, because a task's control block lies in front of it: set around
/// the destruction of that frame, tells how large the block is.
struct KeptFrame {
    const void* frame;
    std::size_t block_size;
};
extern constinit thread_local KeptFrame* kept_frame;

/// The size of a TaskBase, which is not known here (checked where it is).
inline constexpr std::size_t task_base_size = 112;

/// The room in front of the frame of a Coroutine<T>.
template <class T>
inline constexpr std::size_t task_prefix = (task_base_size + sizeof(Outcome<T>) + 15) / 16 * 16;

template <class A>
concept HasMemberCoAwait = requires(A&& a) { static_cast<A&&>(a).operator co_await(); };

template <class A>
concept HasFreeCoAwait =
    !HasMemberCoAwait<A> && requires(A&& a) { operator co_await(static_cast<A&&>(a)); };

template <class A>
consteval bool gives_awaiter_noexcept() {
    if constexpr (HasMemberCoAwait<A>) {
        return noexcept(std::declval<A>().operator co_await());
    } else if constexpr (HasFreeCoAwait<A>) {
        return noexcept(operator co_await(std::declval<A>()));
    } else {
        return true;
    }
}

/// The awaiter of an awaitable: a prvalue where it is made by operator co_await, so that it is
/// built in the frame and never moved; a reference to the awaitable itself otherwise.
template <class A>
decltype(auto) get_awaiter(A&& awaitable) noexcept(gives_awaiter_noexcept<A>()) {
    if constexpr (HasMemberCoAwait<A>) {
        return static_cast<A&&>(awaitable).operator co_await();
    } else if constexpr (HasFreeCoAwait<A>) {
        return operator co_await(static_cast<A&&>(awaitable));
    } else {
        return static_cast<A&&>(awaitable);
    }
}

template <class A>
concept Awaiter = requires(A& awaiter, std::coroutine_handle<PromiseBase> coroutine) {
    { awaiter.await_ready() } -> std::convertible_to<bool>;
    awaiter.await_suspend(coroutine);
    awaiter.await_resume();
};

/// What co_await takes in a Coroutine.
template <class A>
concept Awaitable = requires(A&& a) {
    { get_awaiter(static_cast<A&&>(a)) } -> Awaiter;
};

/// What a leaf operation returns: so small that it is passed by value to await_transform, and
/// takes no room in the frame beside the awaiter it makes.
///
/// It says so itself, by a member `static constexpr bool awaited_by_value = true`: then its awaiter
/// must not refer to it, for it is gone when the task waits. (What does not say so is passed by
/// reference, and is there until the await is over.)
template <class A>
concept Descriptor =
    requires { requires A::awaited_by_value; } && std::is_trivially_copyable_v<A> &&
    std::is_trivially_destructible_v<A> && HasMemberCoAwait<A> && sizeof(A) <= 2 * sizeof(void*);

template <Awaitable A>
using AwaiterOf = std::remove_reference_t<decltype(get_awaiter(std::declval<A>()))>;

/// What co_await gives.
template <Awaitable A>
using AwaitResult = decltype(std::declval<AwaiterOf<A>&>().await_resume());

/// The same as the result of a coroutine or in a Result: an lvalue stays one, an rvalue is kept.
template <Awaitable A>
using AwaitValue = std::conditional_t<std::is_lvalue_reference_v<AwaitResult<A>>, AwaitResult<A>,
                                      std::remove_cvref_t<AwaitResult<A>>>;

/// What await_suspend() may return. A task resumes its coroutines itself: what a handle told it to
/// resume would run in the middle of it without its knowledge.
template <class A, class Promise>
consteval void check_await_suspend() {
    using Returned =
        decltype(std::declval<A&>().await_suspend(std::declval<std::coroutine_handle<Promise>>()));
    static_assert(std::is_void_v<Returned> || std::is_same_v<Returned, bool>,
                  "await_suspend() must return void or bool: a Coroutine cannot hand over to "
                  "another coroutine");
}

/// What every body may await; the site of each await is recorded.
class AwaitingPromise : public PromiseBase {
public:
    template <Awaitable A>
        requires(!Descriptor<std::remove_cvref_t<A>>)
    decltype(auto) await_transform(A&& awaitable,
                                   std::source_location site = std::source_location::current()) {
        check_await_suspend<AwaiterOf<A>, PromiseBase>();
        site_ = site;
        return get_awaiter(static_cast<A&&>(awaitable));
    }
    template <Descriptor A>
    decltype(auto) await_transform(A awaitable,
                                   std::source_location site = std::source_location::current()) {
        check_await_suspend<AwaiterOf<A>, PromiseBase>();
        site_ = site;
        return get_awaiter(std::move(awaitable));
    }
};

template <class T>
class PromiseReturn : public AwaitingPromise {
public:
    template <class U = T>
        requires std::convertible_to<U, T>
    void return_value(U&& value) {
        static_cast<Outcome<T>*>(this->outcome_)->emplace(std::forward<U>(value));
    }
};

template <>
class PromiseReturn<void> : public AwaitingPromise {
public:
    void return_void() noexcept { static_cast<Outcome<void>*>(outcome_)->emplace(); }
};

template <class T>
class Promise final : public PromiseReturn<T> {
public:
    Coroutine<T> get_return_object(
        std::source_location function = std::source_location::current()) noexcept {
        this->site_ = function;
        if (thread_state.debugging) [[unlikely]] {
            this->note_source();
        }
        return Coroutine<T>(*this);
    }

    static void* operator new(std::size_t size) { return allocate_frame(size, task_prefix<T>); }
    static void operator delete(void* frame, std::size_t size) noexcept {
        free_frame(frame, size, task_prefix<T>);
    }
};

[[noreturn]] void raise_awaited_again();

/// Awaits a coroutine: it becomes the leaf, and gets the slot for its result, which lies here.
template <class T>
class [[nodiscard]] ChildAwaiter {
public:
    explicit ChildAwaiter(PromiseBase* child) noexcept : child_(child) {}
    ChildAwaiter(const ChildAwaiter&) = delete;
    ChildAwaiter& operator=(const ChildAwaiter&) = delete;
    ~ChildAwaiter() {
        // A loop that closes destroys the frames of a task innermost first.
        if (child_ != nullptr && child_ != thread_state.abandoned) {
            child_->destroy();
        }
    }

    bool await_ready() const {
        if (child_ == nullptr) {
            raise_awaited_again();
        }
        return false;
    }
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P> parent) noexcept {
        outcome_.awaiting = &parent.promise();
        child_->adopt(outcome_);
        thread_state.leaf = child_;
    }
    T await_resume() {
        release_child();
        return outcome_.take();
    }

    /// Destroys the child's frame, with its parameters, before its result is used.
    void release_child() noexcept { std::exchange(child_, nullptr)->destroy(); }
    Outcome<T>& outcome() noexcept { return outcome_; }

private:
    PromiseBase* child_;
    Outcome<T> outcome_;
};

}  // namespace detail

/// An async function that has been called but not begun: lazy, owned, awaited once.
///
///     Coroutine<int> answer() { co_await sleep(1); co_return 42; }
///     int n = co_await answer();               // runs here, as a call would
///     Task<int> task = create_task(answer());  // runs concurrently
///
/// Arguments are kept by value in the coroutine; what is passed by reference must outlive the
/// await. It runs in the task that awaits it, and its frame is destroyed when it has ended.
/// Destroying one that was never awaited destroys its arguments; nothing of it has run, which is
/// reported to the log ("coroutine 'answer()' was never awaited") unless close() was called.
///
/// Cancellation: CancelledError is thrown at the await where the task waits.
/// Errors:       awaiting it twice is RuntimeError("cannot reuse already awaited coroutine").
/// Threads:      belongs to the thread of the loop that runs it.
template <class T>
class [[nodiscard]] Coroutine {
public:
    using promise_type = detail::Promise<T>;
    using value_type = T;

    Coroutine(Coroutine&& other) noexcept : promise_(std::exchange(other.promise_, nullptr)) {}
    Coroutine& operator=(Coroutine&& other) noexcept {
        std::swap(promise_, other.promise_);
        return *this;
    }
    ~Coroutine() {
        if (promise_ != nullptr) {
            detail::drop_unawaited(*promise_);
        }
    }

    /// Gives it up: its arguments are destroyed, and nobody is warned that it was never awaited.
    void close() noexcept {
        if (promise_ != nullptr) {
            std::exchange(promise_, nullptr)->destroy();
        }
    }

    detail::ChildAwaiter<T> operator co_await() && noexcept {
        return detail::ChildAwaiter<T>(std::exchange(promise_, nullptr));
    }

    /// Hands the coroutine over to whoever will run it; null if it was handed over before.
    [[nodiscard]] detail::PromiseBase* release() noexcept {
        return std::exchange(promise_, nullptr);
    }

private:
    friend promise_type;
    explicit Coroutine(detail::PromiseBase& promise) noexcept : promise_(&promise) {}

    detail::PromiseBase* promise_;
};

namespace detail {

template <class T>
inline constexpr bool is_coroutine = false;
template <class T>
inline constexpr bool is_coroutine<Coroutine<T>> = true;

/// A callable that gives an awaitable, or an awaitable itself, as a Coroutine. The callable and its
/// arguments live in the frame, so that a lambda's captures outlive its coroutine.
template <class Fn, class... Args>
auto invoke_coroutine(Fn fn, Args... args)
    -> Coroutine<AwaitValue<std::invoke_result_t<Fn&, Args...>>> {
    co_return co_await fn(std::move(args)...);
}

template <class A>
auto await_coroutine(A awaitable) -> Coroutine<AwaitValue<A>> {
    co_return co_await std::move(awaitable);
}

template <class Fn, class... Args>
concept AsyncCallable = std::invocable<std::decay_t<Fn>&, std::decay_t<Args>...> &&
                        Awaitable<std::invoke_result_t<std::decay_t<Fn>&, std::decay_t<Args>...>>;

/// Anything that can be awaited, or called to get it, as a Coroutine.
template <class A>
auto as_coroutine(A&& awaitable) {
    if constexpr (is_coroutine<std::remove_cvref_t<A>>) {
        static_assert(!std::is_lvalue_reference_v<A>,
                      "a Coroutine is awaited once: pass it with std::move");
        return std::forward<A>(awaitable);
    } else if constexpr (Awaitable<A>) {
        return await_coroutine<std::decay_t<A>>(std::forward<A>(awaitable));
    } else {
        static_assert(AsyncCallable<A>, "neither an awaitable nor a function that gives one");
        return invoke_coroutine<std::decay_t<A>>(std::forward<A>(awaitable));
    }
}

/// The result type of as_coroutine().
template <class A>
using CoroutineResult = typename decltype(as_coroutine(std::declval<A>()))::value_type;

}  // namespace detail

}  // namespace asyncio
