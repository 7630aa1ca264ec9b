// taskgroups.hpp - TaskGroup: tasks that end together.
//
// Mirrors asyncio.taskgroups; differences: docs/parity.md#taskgroups.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/owned.hpp>
#include <asyncio/detail/task.hpp>
#include <asyncio/with.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio {

class TaskGroup;

namespace detail {
class GroupChild;
struct DeleteGroupChild {
    void operator()(GroupChild* child) const noexcept;
};
/// All the memory that a child will need, also for its error: had before its task is made, so that
/// nothing can fail after.
using NewGroupChild = Owned<GroupChild, DeleteGroupChild>;
/// The task whose group watches a child with `callback`; null if it is another's.
[[nodiscard]] TaskBase* group_parent(const lowlevel::Callback& callback) noexcept;

/// A child that is being started: in the frame of TaskGroup::start(). The group does not end before
/// it has started, or ended.
struct StartingChild {
    explicit StartingChild(TaskGroup& group);
    StartingChild(const StartingChild&) = delete;
    StartingChild& operator=(const StartingChild&) = delete;
    ~StartingChild();

    TaskGroup& group;
    NewGroupChild place;  // until it has started
    AnyTask task;         // empty in its first step, if it begins at once
    bool started = false;
    lowlevel::WaitList starter;
};
}  // namespace detail

/// What a child that is started by TaskGroup::start() says by that it is ready. Beyond asyncio:
/// after Trio and AnyIO.
template <class T = void>
class TaskStatus {
public:
    TaskStatus(const TaskStatus&) = delete;
    TaskStatus& operator=(const TaskStatus&) = delete;

    /// The child is ready: start() returns, with `value`, and from now on the child belongs to the
    /// group. RuntimeError the second time.
    template <class... Value>
        requires(sizeof...(Value) == (std::is_void_v<T> ? 0 : 1))
    void started(Value&&... value) {
        if (ready_.done()) {
            detail::raise_runtime_error("called 'started' twice on the same task status");
        }
        ready_.set_result(std::forward<Value>(value)...);
        join_group();
    }

private:
    friend TaskGroup;
    TaskStatus(detail::StartingChild& child, Future<T> ready)
        : child_(child), ready_(std::move(ready)) {}
    void join_group();

    detail::StartingChild& child_;  // until it has started
    Future<T> ready_;
};

/// Tasks that belong together: the block ends when all of them have. The first that fails cancels
/// the others and the body; their errors come together as one ExceptionGroup.
///
///     co_await task_group([&](TaskGroup& group) -> Coroutine<> {
///         auto a = group.create_task(fetch("a"));
///         auto b = group.create_task(fetch("b"));
///         use(co_await a, co_await b);
///     });
///
/// A child that ends cancelled is no error. A body that throws is cancelled like a child that does.
///
/// Cancellation: from outside cancels the children and the body, waits for them, and passes.
/// Errors: ExceptionGroup("unhandled errors in a TaskGroup"); KeyboardInterrupt and SystemExit
/// bare.
///         create_task() throws RuntimeError before the block, after it, and when it shuts down.
class TaskGroup {
public:
    TaskGroup() = default;
    /// Only before it is entered: RuntimeError otherwise.
    // NOLINTNEXTLINE(performance-noexcept-move-constructor): it throws on misuse
    TaskGroup(TaskGroup&& other);
    TaskGroup& operator=(TaskGroup&&) = delete;
    ~TaskGroup();

    /// Runs `awaitable` as a child, as asyncio::create_task() does.
    template <detail::TaskSource A>
    auto create_task(A&& awaitable, TaskOptions options = {},
                     std::source_location site = std::source_location::current()) {
        if constexpr (detail::is_coroutine<std::remove_cvref_t<A>>) {
            try {
                check_open();
            } catch (...) {
                awaitable.close();
                throw;
            }
        } else {
            check_open();
        }
        detail::NewGroupChild child = new_child();
        auto task = detail::start_task(loop(), detail::as_coroutine(std::forward<A>(awaitable)),
                                       options, site);
        add_child(std::move(child), task);
        return task;
    }
    template <class Fn, class First, class... Args>
        requires(!std::is_same_v<std::remove_cvref_t<First>, TaskOptions> &&
                 detail::AsyncCallable<Fn, First, Args...>)
    auto create_task(Fn&& fn, First&& first, Args&&... args) {
        return create_task(
            detail::invoke_coroutine<std::decay_t<Fn>, std::decay_t<First>, std::decay_t<Args>...>(
                std::forward<Fn>(fn), std::forward<First>(first), std::forward<Args>(args)...),
            {}, {});
    }
    template <class Fn, class... Args>
        requires detail::AsyncCallable<Fn, Args...>
    auto create_task(TaskOptions options, Fn&& fn, Args&&... args) {
        return create_task(detail::invoke_coroutine<std::decay_t<Fn>, std::decay_t<Args>...>(
                               std::forward<Fn>(fn), std::forward<Args>(args)...),
                           options, {});
    }

    /// Runs `fn(args..., status)` as a child, and waits until it calls `status.started(value)`:
    /// gives the value. Until then the child is the caller's business, afterwards the group's,
    /// which does not end before. Beyond asyncio: after Trio and AnyIO.
    ///
    ///     Coroutine<> serve(TaskStatus<int>& status);     // status.started(port) once it listens
    ///     int port = co_await group.start<int>(serve);
    ///
    /// Cancellation: before it has started, cancels the child and waits for its end.
    /// Errors: what the child throws before it has started; RuntimeError("child exited without
    ///         calling task_status.started()"); as create_task().
    template <class T = void, class Fn, class... Args>
        requires std::invocable<std::decay_t<Fn>&, std::decay_t<Args>..., TaskStatus<T>&>
    [[nodiscard]] Coroutine<T> start(Fn&& fn, Args&&... args) {
        return start_child<T, std::decay_t<Fn>, std::decay_t<Args>...>(*this, std::forward<Fn>(fn),
                                                                       std::forward<Args>(args)...);
    }

    /// Ends the group early and without an error: cancels the children and the body. Before the
    /// block, cancels it as soon as it is entered; after it, does nothing. (Python 3.15)
    void cancel();

    TaskGroup& aenter();
    Coroutine<bool> aexit(std::exception_ptr error);

private:
    friend class detail::GroupChild;
    friend detail::StartingChild;
    template <class T>
    friend class TaskStatus;
    friend detail::TaskBase* detail::group_parent(const lowlevel::Callback& callback) noexcept;

    Coroutine<bool> leave();
    template <class T, class Fn, class... Args>
    static Coroutine<> run_child(detail::Owned<TaskStatus<T>> status, Fn fn, Args... args) {
        co_await fn(std::move(args)..., *status);
    }
    template <class T, class Fn, class... Args>
    static Coroutine<T> start_child(TaskGroup& group, Fn fn, Args... args) {
        group.check_open();
        Future<T> ready = group.loop().template create_future<T>();
        detail::StartingChild child(group);
        detail::Owned<TaskStatus<T>> status(new TaskStatus<T>(child, ready));
        Coroutine<> waiting = wait_until_started(child);  // made while nothing can be left behind
        begin(child, detail::start_task(group.loop(),
                                        run_child<T, Fn, Args...>(std::move(status), std::move(fn),
                                                                  std::move(args)...),
                                        {}));
        co_await std::move(waiting);
        co_return ready.result();
    }
    static void begin(detail::StartingChild& child, AnyTask task) noexcept;
    static Coroutine<> wait_until_started(detail::StartingChild& child);
    void join(detail::StartingChild& child) noexcept;

    void check_open() const;
    [[nodiscard]] bool has_children() const noexcept {
        return !children_.empty() || !starting_.empty();
    }
    [[nodiscard]] EventLoop& loop() const;
    [[nodiscard]] detail::NewGroupChild new_child();
    void add_child(detail::NewGroupChild child, const AnyFuture& task) noexcept;
    void on_child_done(detail::GroupChild& child);
    void abort();
    [[nodiscard]] std::string description() const;
    [[nodiscard]] std::vector<std::exception_ptr> errors() const;

    bool entered_ = false;
    bool exiting_ = false;
    bool aborting_ = false;
    bool cancel_called_ = false;
    bool parent_cancelled_ = false;  // by the group
    AnyTask parent_;
    std::optional<Coroutine<bool>> exit_;  // made at the entrance: no memory is needed to leave
    std::exception_ptr body_error_;
    std::exception_ptr base_error_;
    lowlevel::List<detail::GroupChild, TaskGroup> children_;
    lowlevel::List<detail::GroupChild, TaskGroup> starting_;  // of StartingChild
    lowlevel::List<detail::GroupChild, TaskGroup> failed_;  // that were children, with their errors
    std::size_t children_size_ = 0;
    std::size_t failed_size_ = 0;
    lowlevel::WaitList empty_;  // the parent, while it waits for the last child
};

template <class T>
void TaskStatus<T>::join_group() {
    child_.group.join(child_);
}

/// A TaskGroup around `body`; short for with(TaskGroup(), body).
template <class Body>
[[nodiscard]] auto task_group(Body&& body) {
    return with(TaskGroup(), std::forward<Body>(body));
}

}  // namespace asyncio
