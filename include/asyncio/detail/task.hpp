// task.hpp - Task<T>, AnyTask, create_task, current_task, all_tasks.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/config.hpp>
#include <asyncio/detail/task_base.hpp>
#include <asyncio/futures.hpp>

#include <coroutine>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio {

namespace detail {

[[nodiscard]] inline std::coroutine_handle<> coroutine_of(const TaskBase& task) noexcept {
    PromiseBase* const root = task.root();
    return root != nullptr ? std::coroutine_handle<PromiseBase>::from_promise(*root) : nullptr;
}

}  // namespace detail

/// Any task, without the type of its result; see AnyFuture.
class AnyTask : public AnyFuture {
public:
    AnyTask() = default;
    template <class T>
    AnyTask(const Task<T>& task) noexcept : AnyFuture(task) {}

    /// How many requests to cancel it there were, less uncancel()s.
    [[nodiscard]] int cancelling() const { return task().cancelling(); }
    /// Takes one request back: the code that asked for it has dealt with it. What is left. (The
    /// request of a cancelled scope stays until that is left.)
    int uncancel() const { return task().uncancel(); }
    void set_name(std::string name) const { task().set_name(std::move(name)); }

    /// See Task.
    [[nodiscard]] std::coroutine_handle<> get_coro() const { return detail::coroutine_of(task()); }
    /// What the task runs in.
    [[nodiscard]] Context get_context() const { return task().get_context(); }

    template <class Fn>
    DoneCallbackToken add_done_callback(Fn&& fn, CallOptions options = {}) const {
        return this->template add_callback<AnyTask>(std::forward<Fn>(fn), options);
    }

    explicit AnyTask(detail::FutureBase& base) noexcept : AnyFuture(base) {}

private:
    [[nodiscard]] detail::TaskBase& task() const { return static_cast<detail::TaskBase&>(base()); }
};

/// A coroutine that the loop runs concurrently with others; a Future of its result, and the unit of
/// cancellation. A shared handle: the loop keeps a pending task alive, so a handle is needed only
/// for the result, or to cancel.
///
///     Task<std::string> page = create_task(fetch("example.org"), {.name = "fetcher"});
///     ...
///     std::string text = co_await page;
///
/// Cancellation: cancel() throws CancelledError at the await where the task waits, and passes
///         through tasks that it awaits. The task may clean up, also with further awaits, and must
///         let it pass on to end as cancelled; if it ends otherwise it was not cancelled.
/// Errors: what leaves the coroutine is thrown by result() and by `co_await task`. If nobody asks,
///         the exception handler gets it when the last handle is gone.
template <class T>
class Task : public Future<T> {
public:
    Task() = default;

    [[nodiscard]] int cancelling() const { return task().cancelling(); }
    int uncancel() const { return task().uncancel(); }
    void set_name(std::string name) const { task().set_name(std::move(name)); }

    /// The coroutine that it drives, to tell it from others: only the task may resume it. Null when
    /// the task is done, for the frame is gone then.
    [[nodiscard]] std::coroutine_handle<> get_coro() const { return detail::coroutine_of(task()); }
    /// What the task runs in: its maker's context as it was then, with what it has set since.
    [[nodiscard]] Context get_context() const { return task().get_context(); }

    template <class Fn>
    DoneCallbackToken add_done_callback(Fn&& fn, CallOptions options = {}) const {
        return this->template add_callback<Task>(std::forward<Fn>(fn), options);
    }

    explicit Task(detail::FutureBase& base) noexcept : Future<T>(base) {}

private:
    [[nodiscard]] detail::TaskBase& task() const {
        return static_cast<detail::TaskBase&>(this->base());
    }
};

/// Keyword arguments of create_task().
struct TaskOptions {
    std::string_view name = {};  ///< "Task-N" if empty
    /// What the task runs in: what it sets is seen there. By default a copy of the current context,
    /// made when the task is.
    const Context* context = nullptr;
    /// true: the task's first step runs at once, before create_task() returns; false: in the next
    /// turn; by default as the loop's task factory has it, which is the next turn if there is none.
    std::optional<bool> eager_start = std::nullopt;
};
static_assert(detail::trivially_destructible<TaskOptions>);

/// A coroutine on its way to become a task, for task factories; its type does not matter to them.
class AnyCoroutine {
public:
    /// `site` is where the task is made, for reports in debug mode.
    template <class T>
    explicit AnyCoroutine(Coroutine<T>&& coroutine, std::source_location site = {}) noexcept
        : root_(coroutine.release()), make_(&make_untyped<T>), site_(site) {}
    AnyCoroutine(const AnyCoroutine&) = delete;
    AnyCoroutine& operator=(const AnyCoroutine&) = delete;
    ~AnyCoroutine() {
        if (root_ != nullptr) {
            detail::drop_unawaited(*root_);
        }
    }

    /// What make_task() made of it; empty before.
    [[nodiscard]] const AnyTask& task() const noexcept { return task_; }

private:
    friend AnyTask make_task(EventLoop& loop, AnyCoroutine& coroutine, TaskOptions options);

    template <class T>
    static AnyTask make_untyped(EventLoop& loop, detail::PromiseBase*& root, std::string_view name,
                                const Context* context) {
        return AnyTask(*detail::TaskImpl<T>::make_untyped(loop, root, name, context));
    }

    detail::PromiseBase* root_;
    AnyTask (*make_)(EventLoop&, detail::PromiseBase*&, std::string_view, const Context*);
    std::source_location site_;
    AnyTask task_;
};

/// Makes `coroutine` a task of `loop`: what a loop without a task factory does, and what a factory
/// calls in the end. Python's Task(coroutine, loop=loop, ...).
///
/// With `eager_start`, if the loop runs, the first step is taken before this returns. The task is
/// the current one then, and the caller's task is again afterwards. One that ends without waiting
/// never sees the loop; its callbacks are scheduled all the same. Each task that is started eagerly
/// by another needs stack, as a function that is called by another does: a thousand deep, and no
/// deeper.
///
/// Errors: RuntimeError("cannot reuse already awaited coroutine") the second time, or if it is to
///         start eagerly in a context that is entered already;
///         RecursionError if a thousand tasks that were started eagerly are in their first steps;
///         KeyboardInterrupt and SystemExit leave the first step.
AnyTask make_task(EventLoop& loop, AnyCoroutine& coroutine, TaskOptions options);

/// A task factory that starts every task eagerly, unless it is made with `.eager_start = false`.
///
///     get_running_loop().set_task_factory(eager_task_factory);
///
/// What awaits nothing that has to be waited for, such as a value in a cache, is done then when
/// create_task() returns. The order of events is another: a task runs before whoever made it.
AnyTask eager_task_factory(EventLoop& loop, AnyCoroutine& coroutine, TaskOptions options);

/// The same around `custom_task_constructor`, a task factory itself.
[[nodiscard]] EventLoop::TaskFactory create_eager_task_factory(
    EventLoop::TaskFactory custom_task_constructor = make_task);

namespace detail {

template <class T>
[[gnu::noinline]] Task<T> start_special_task(EventLoop& loop, Coroutine<T>&& coroutine,
                                             const TaskOptions& options,
                                             std::source_location site) {
    AnyCoroutine untyped(std::move(coroutine), site);
    return Task<T>(*TaskBase::make_by_factory(loop, untyped, options).raw());
}

// The options by reference: they do not fit into registers.
template <class T>
Task<T> start_task(EventLoop& loop, Coroutine<T>&& coroutine, const TaskOptions& options,
                   std::source_location site = {}) {
    loop.check_usable();
    if (TaskBase::are_special(loop) || options.eager_start.has_value()) [[unlikely]] {
        return start_special_task(loop, std::move(coroutine), options, site);
    }
    // The first reference is the loop's, until the task is done.
    return Task<T>(*TaskImpl<T>::make(loop, std::move(coroutine), options.name, options.context));
}

template <class A>
concept TaskSource = Awaitable<std::decay_t<A>> || AsyncCallable<A>;

}  // namespace detail

/// Runs `awaitable` (a coroutine, any other awaitable, or a callable that gives one) as a task of
/// the running loop, from the next turn on, or at once: TaskOptions::eager_start. RuntimeError if
/// no loop runs.
template <detail::TaskSource A>
auto create_task(A&& awaitable, TaskOptions options = {},
                 std::source_location site = std::source_location::current()) {
    return detail::start_task(get_running_loop(), detail::as_coroutine(std::forward<A>(awaitable)),
                              options, site);
}

/// The same of `fn(args...)`: callable and arguments live as long as the coroutine. The way to run
/// a lambda with captures.
template <class Fn, class First, class... Args>
    requires(!std::is_same_v<std::remove_cvref_t<First>, TaskOptions> &&
             detail::AsyncCallable<Fn, First, Args...>)
auto create_task(Fn&& fn, First&& first, Args&&... args) {
    return detail::start_task(
        get_running_loop(),
        detail::invoke_coroutine<std::decay_t<Fn>, std::decay_t<First>, std::decay_t<Args>...>(
            std::forward<Fn>(fn), std::forward<First>(first), std::forward<Args>(args)...),
        {});
}
template <class Fn, class... Args>
    requires detail::AsyncCallable<Fn, Args...>
auto create_task(TaskOptions options, Fn&& fn, Args&&... args) {
    return detail::start_task(get_running_loop(),
                              detail::invoke_coroutine<std::decay_t<Fn>, std::decay_t<Args>...>(
                                  std::forward<Fn>(fn), std::forward<Args>(args)...),
                              options);
}

/// The task whose code is running; empty in a callback.
[[nodiscard]] AnyTask current_task();

/// The tasks of the running loop that are not done, in the order in which they were made.
[[nodiscard]] std::vector<AnyTask> all_tasks();
[[nodiscard]] std::vector<AnyTask> all_tasks(const EventLoop& loop);

/// `awaitable` itself if it is a future or a task, otherwise a task of it.
template <class A>
auto ensure_future(A&& awaitable) {
    if constexpr (std::is_base_of_v<AnyFuture, std::remove_cvref_t<A>>) {
        return std::forward<A>(awaitable);
    } else {
        return create_task(std::forward<A>(awaitable));
    }
}

namespace detail {

/// The future of an argument that may be one, or a coroutine that becomes a task of `loop`.
template <class A>
auto ensure_future_on(EventLoop& loop, A&& awaitable) {
    if constexpr (std::is_base_of_v<AnyFuture, std::remove_cvref_t<A>>) {
        if (&awaitable.get_loop() != &loop) {
            raise_value_error(
                "The future belongs to a different loop than the one specified as "
                "the loop argument");
        }
        return std::remove_cvref_t<A>(std::forward<A>(awaitable));
    } else {
        return start_task(loop, as_coroutine(std::forward<A>(awaitable)), {});
    }
}

/// Runs the loop until the future is done.
void run_until_done(EventLoop& loop, const AnyFuture& future, bool made_here);

}  // namespace detail

template <class Awaitable>
decltype(auto) EventLoop::run_until_complete(Awaitable&& awaitable) {
    check_runnable();
    constexpr bool made_here = !std::is_base_of_v<AnyFuture, std::remove_cvref_t<Awaitable>>;
    const auto future = detail::ensure_future_on(*this, std::forward<Awaitable>(awaitable));
    detail::run_until_done(*this, future, made_here);
    return future.result();
}

template <class Awaitable>
auto EventLoop::create_task(Awaitable&& awaitable, detail::CallSite site) {
    return detail::start_task(*this, detail::as_coroutine(std::forward<Awaitable>(awaitable)), {},
                              site.value);
}
template <class Awaitable>
auto EventLoop::create_task(Awaitable&& awaitable, TaskOptions options, detail::CallSite site) {
    return detail::start_task(*this, detail::as_coroutine(std::forward<Awaitable>(awaitable)),
                              options, site.value);
}

}  // namespace asyncio

template <>
struct std::hash<asyncio::AnyTask> : std::hash<asyncio::AnyFuture> {};
template <class T>
struct std::hash<asyncio::Task<T>> : std::hash<asyncio::AnyFuture> {};
