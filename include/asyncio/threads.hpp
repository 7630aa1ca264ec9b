// threads.hpp - work in other threads: to_thread, ThreadPoolExecutor, EventLoop::run_in_executor;
// and work of other threads in a loop: run_coroutine_threadsafe, wrap_future, ConcurrentFuture.
//
// Mirrors asyncio.threads and concurrent.futures; differences: docs/parity.md#threads.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/concurrent_future.hpp>
#include <asyncio/detail/function.hpp>
#include <asyncio/detail/thread_call.hpp>
#include <asyncio/detail/thread_map.hpp>
#include <asyncio/detail/work.hpp>
#include <asyncio/futures.hpp>
#include <asyncio/lowlevel/executor.hpp>
#include <asyncio/tasks.hpp>

#include <cstddef>
#include <iterator>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace asyncio {

/// Keyword arguments of ThreadPoolExecutor.
struct ThreadPoolOptions {
    std::size_t max_workers = 0;  ///< 0: the number of processors + 4, at most 32
    /// "asyncio" names the threads "asyncio_0" and so on, as the system shows them: 15 bytes, so a
    /// long prefix is cut.
    std::string_view thread_name_prefix = "asyncio";
    /// Called in each thread before any job; if it throws, the pool is broken.
    void (*initializer)() = nullptr;
};
static_assert(detail::trivially_destructible<ThreadPoolOptions>);

/// Threads that run jobs, first come first served. A thread is started when a job finds none idle,
/// up to the maximum, and stays until shutdown().
///
///     ThreadPoolExecutor pool({.max_workers = 4, .thread_name_prefix = "resize"});
///     Image small = co_await loop.run_in_executor(&pool, resize, image);   // on a loop
///     ConcurrentFuture<Image> later = pool.submit(resize, image);          // without one
///
/// Errors:  RuntimeError after shutdown(). BrokenThreadPool once the initialiser has thrown, which
///          is logged: from submit(), and of whatever had not begun.
/// Threads: every method from any thread, also from those of the pool: what they would have to wait
///          for is then all threads but those that wait themselves. The destructor waits, as
///          shutdown() does, for the jobs that were submitted, unless detach() was called.
/// Signals: are blocked in the threads, so that handlers run in threads of the program; but not
///          those that a thread causes itself, as SIGSEGV. A process that a job starts inherits
///          that.
class ThreadPoolExecutor final : public Executor {
public:
    explicit ThreadPoolExecutor(ThreadPoolOptions options = {});
    explicit ThreadPoolExecutor(std::size_t max_workers)
        : ThreadPoolExecutor(ThreadPoolOptions{.max_workers = max_workers}) {}
    /// With an initialiser of any type, and its arguments (Python's `initargs`): both are kept by
    /// value, and called in several threads, maybe at once.
    template <class Fn, class... Args>
        requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>&...>
    ThreadPoolExecutor(ThreadPoolOptions options, Fn&& initializer, Args&&... initargs)
        : ThreadPoolExecutor(options,
                             detail::UniqueFunction<void()>(detail::bind_again(
                                 std::forward<Fn>(initializer), std::forward<Args>(initargs)...)),
                             Initialized()) {}
    ~ThreadPoolExecutor() override;

    /// Calls `fn(args...)` in a thread of the pool; a ConcurrentFuture of what it returns, whose
    /// cancel() keeps a call that has not begun from being made. Function and arguments are kept by
    /// value, and destroyed before the future is done.
    template <class Fn, class... Args>
        requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>...>
    auto submit(Fn&& fn, Args&&... args) {
        if constexpr (sizeof...(Args) > 0) {
            return submit(detail::bind(std::forward<Fn>(fn), std::forward<Args>(args)...));
        } else {
            using R = std::remove_cvref_t<std::invoke_result_t<std::decay_t<Fn>&>>;
            using Call = detail::ThreadCall<R, std::decay_t<Fn>>;
            return Call::submit(*this, std::make_shared<Call>(std::forward<Fn>(fn)));
        }
    }

    /// Calls `fn(item)` for each item of a range, or `fn(a, b)` for each of two ranges at once, up
    /// to the end of the shorter, and so on: a ThreadMap of the results. All are submitted before
    /// it returns. `fn` is one for all threads, items are copied.
    template <class Fn, class... Ranges>
        requires(sizeof...(Ranges) > 0 && !std::is_same_v<std::decay_t<Fn>, ThreadMapOptions>)
    auto map(Fn&& fn, Ranges&&... ranges) {
        return map(ThreadMapOptions{}, std::forward<Fn>(fn), std::forward<Ranges>(ranges)...);
    }
    template <class Fn, class... Ranges>
        requires(sizeof...(Ranges) > 0)
    auto map(ThreadMapOptions options, Fn&& fn, Ranges&&... ranges) {
        using Function = std::decay_t<Fn>;
        using R = std::remove_cvref_t<
            std::invoke_result_t<Function&, std::decay_t<decltype(*std::begin(ranges))>...>>;
        ThreadMap<R> results(options.timeout);
        const auto shared = std::make_shared<Function>(std::forward<Fn>(fn));
        const auto call = [&shared](auto... args) {
            return [shared, ... args = std::move(args)]() mutable -> R {
                return (*shared)(std::move(args)...);
            };
        };
        [&](auto... at) {
            for (; ((at.first != at.second) && ...); (static_cast<void>(++at.first), ...)) {
                results.add(submit(call(*at.first...)));
            }
        }(std::pair(std::begin(ranges), std::end(ranges))...);
        return results;
    }

    void submit(lowlevel::Job& job) override;
    void shutdown(bool wait = true, bool cancel_futures = false) override;
    void detach() noexcept override;

    /// How many threads there are at this moment.
    [[nodiscard]] std::size_t threads() const;

private:
    struct State;
    struct Initialized {};
    ThreadPoolExecutor(const ThreadPoolOptions& options,
                       detail::UniqueFunction<void()>&& initializer, Initialized);

    std::shared_ptr<State> state_;  // shared with the threads, which may outlive this object
};

namespace detail {

template <class Fn>
auto to_thread_coroutine(Fn fn) -> Coroutine<std::remove_cvref_t<std::invoke_result_t<Fn&>>> {
    auto call = [context = copy_context(), fn = std::move(fn)]() mutable -> decltype(auto) {
        return context.run(fn);
    };
    co_return co_await submit_work(get_running_loop(), nullptr, std::move(call));
}

}  // namespace detail

/// Calls `fn(args...)` in a thread of the loop's default executor and gives what it returns, or
/// throws what it throws. Function and arguments are kept by value. The function runs in a copy of
/// the context of the task that awaits; what run_in_executor() calls, in the thread's own.
///
/// Cancellation: ends the wait. A call that has not begun is never made; one that has goes on, and
///               its result is dropped. What it throws goes to the loop's exception handler, or to
///               the log if the loop is closed by then.
/// On g++ 12 pass a function and arguments, or a lambda with a name, within a co_await.
template <class Fn, class... Args>
    requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>...>
[[nodiscard]] auto to_thread(Fn&& fn, Args&&... args) {
    if constexpr (sizeof...(Args) > 0) {
        return detail::to_thread_coroutine(
            detail::bind(std::forward<Fn>(fn), std::forward<Args>(args)...));
    } else {
        return detail::to_thread_coroutine<std::decay_t<Fn>>(std::forward<Fn>(fn));
    }
}

template <class Fn, class... Args>
auto EventLoop::run_in_executor(Executor* executor, Fn&& fn, Args&&... args) {
    if constexpr (sizeof...(Args) > 0) {
        return detail::submit_work(*this, executor,
                                   detail::bind(std::forward<Fn>(fn), std::forward<Args>(args)...));
    } else {
        return detail::submit_work(*this, executor, std::forward<Fn>(fn));
    }
}

template <class E, class Fn, class... Args>
    requires(!std::is_convertible_v<E*, Executor*>)
auto EventLoop::run_in_executor(E* executor, Fn&& fn, Args&&... args) {
    return wrap_future(executor->submit(std::forward<Fn>(fn), std::forward<Args>(args)...), *this);
}

}  // namespace asyncio
