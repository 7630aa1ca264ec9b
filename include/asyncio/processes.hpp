// processes.hpp - work in other processes: ProcessPoolExecutor; SharedMemory, Connection and
// ProcessQueue between them.
//
// Mirrors concurrent.futures.ProcessPoolExecutor; differences: docs/processes.md. A library of its
// own: asyncio::processes.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/processes/call.hpp>
#include <asyncio/detail/processes/connection.hpp>
#include <asyncio/detail/processes/map.hpp>
#include <asyncio/detail/processes/shared_memory.hpp>
#include <asyncio/threads.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace asyncio {

/// Keyword arguments of ProcessPoolExecutor.
struct ProcessPoolOptions {
    std::size_t max_workers = 0;  ///< 0: the number of processors that the program may use
    /// Called in each worker before any other call; if it throws, the pool is broken.
    void (*initializer)() = nullptr;
    /// After so many calls a worker ends, and another takes its place; 0: never.
    std::size_t max_tasks_per_child = 0;
    /// A worker that dies takes the call that it was at with it, and no other: a new one takes its
    /// place. False, as in Python: the pool is broken, and all calls fail.
    bool restart_workers = false;
    /// A call under way that is cancelled is ended by killing its worker. False, as in Python: it
    /// cannot be cancelled.
    bool kill_on_cancel = false;
    /// How long a call may take from its beginning: its worker is killed then, and it fails with
    /// TimeoutError.
    std::optional<Duration> timeout = std::nullopt;
};
static_assert(std::is_trivially_destructible_v<ProcessPoolOptions>);

/// Options of a call, where they differ from those of the pool.
struct ProcessCallOptions {
    std::string_view name = {};  ///< what BrokenProcessPool calls it
    std::optional<bool> kill_on_cancel = std::nullopt;
    std::optional<Duration> timeout = std::nullopt;
};
static_assert(std::is_trivially_destructible_v<ProcessCallOptions>);

/// Options of ProcessPoolExecutor::map().
struct ProcessMapOptions {
    std::size_t chunksize = 1;   ///< calls that go to a worker at once
    std::size_t buffersize = 0;  ///< most chunks under way; 0: four for each worker
};
static_assert(std::is_trivially_destructible_v<ProcessMapOptions>);

/// Processes that make calls, first come first served: for work that keeps a processor busy.
///
///     static double simulate(std::uint64_t seed, const std::vector<double>& model);
///     ...
///     ProcessPoolExecutor pool({.max_workers = 4});
///     double result = co_await loop.run_in_executor(&pool, simulate, 42, model);
///
/// What is called is any function of the program, or a lambda that captures nothing; arguments and
/// results go by value, and are whatever is Sendable. What the function throws comes back as itself
/// if its type is known (known_exception), as RemoteError otherwise.
///
/// A worker is this program, started anew: its static objects are as they were before main(), and
/// main() does not run in it. There are no threads in it and no loop, whatever this process has.
/// It is started when a call finds none idle, up to the maximum, and ends with the pool, or with
/// this process, however that ends.
///
/// Cancellation: ends the wait, and keeps a call that has not begun from being made. One that has
///               goes on, and its result is dropped, unless the pool or the call has
///               `kill_on_cancel`.
/// Errors:       BrokenProcessPool if a worker dies, for the calls that this concerns
///               (`restart_workers`); and then from submit().
/// Threads:      every method from any thread. Done callbacks of its futures run in a thread of the
///               pool. The destructor waits, as shutdown() does, for the calls that were submitted.
/// Signals:      SIGINT does nothing in workers: Ctrl-C is the parent's.
class ProcessPoolExecutor {
public:
    explicit ProcessPoolExecutor(ProcessPoolOptions options = {});
    explicit ProcessPoolExecutor(std::size_t max_workers)
        : ProcessPoolExecutor(ProcessPoolOptions{.max_workers = max_workers}) {}
    /// With an initialiser that takes arguments (Python's `initargs`).
    template <class Fn, class... Args>
        requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>...>
    ProcessPoolExecutor(ProcessPoolOptions options, Fn&& initializer, Args&&... initargs)
        : ProcessPoolExecutor(
              options, detail::write_call<detail::RemoteFunctionFor<Fn, Args...>>(
                           std::forward<Fn>(initializer), std::forward<Args>(initargs)...)) {}
    ProcessPoolExecutor(const ProcessPoolExecutor&) = delete;
    ProcessPoolExecutor& operator=(const ProcessPoolExecutor&) = delete;
    ~ProcessPoolExecutor();

    /// Calls `fn(args...)` in a worker; a ConcurrentFuture of what it returns.
    ///
    /// Errors: RuntimeError after shutdown(), BrokenProcessPool.
    template <class Fn, class... Args>
        requires(!std::is_same_v<std::decay_t<Fn>, ProcessCallOptions>)
    auto submit(Fn&& fn, Args&&... args) {
        return submit(ProcessCallOptions{}, std::forward<Fn>(fn), std::forward<Args>(args)...);
    }
    template <class Fn, class... Args>
    auto submit(ProcessCallOptions options, Fn&& fn, Args&&... args) {
        return submit_to(pool_, options, std::forward<Fn>(fn), std::forward<Args>(args)...);
    }

    /// Calls `fn(item)` for each item of a range, or `fn(a, b)` for each of two ranges at once, and
    /// so on: a ProcessMap of the results, in the order of the items. A range that is an lvalue
    /// must outlive it. Where the pool is shut down before all calls were submitted, those that
    /// were give their results, and the next one RuntimeError.
    template <class Fn, class... Ranges>
        requires(!std::is_same_v<std::decay_t<Fn>, ProcessMapOptions>)
    auto map(Fn&& fn, Ranges&&... ranges) {
        return map(ProcessMapOptions{}, std::forward<Fn>(fn), std::forward<Ranges>(ranges)...);
    }
    template <class Fn, class... Ranges>
    auto map(ProcessMapOptions options, Fn&& fn, Ranges&&... ranges) {
        static_assert(sizeof...(Ranges) > 0, "map() takes a range for each argument");
        if (options.buffersize == 0) {
            options.buffersize = 4 * max_workers();
        }
        auto feed = detail::MapFeed(options.chunksize, std::decay_t<Fn>(fn),
                                    std::forward<Ranges>(ranges)...);
        return feed.start(options.buffersize, [pool = pool_]<class Call, class... Args>(
                                                  Call call, Args&&... args) {
            return submit_to(pool, ProcessCallOptions{}, call, std::forward<Args>(args)...);
        });
    }

    /// No more calls. With `cancel_futures`, those that have not begun are cancelled. With `wait`,
    /// returns when all others are done and the processes have ended.
    void shutdown(bool wait = true, bool cancel_futures = false);
    /// SIGTERM to all workers, and the end: calls under way fail with BrokenProcessPool, all others
    /// are cancelled.
    void terminate_workers();
    /// The same with SIGKILL.
    void kill_workers();

    [[nodiscard]] std::size_t max_workers() const noexcept;
    /// The process ids of the workers that there are at this moment.
    [[nodiscard]] std::vector<int> worker_pids() const;

private:
    ProcessPoolExecutor(ProcessPoolOptions options, detail::Message&& initial_call);

    template <class Fn, class... Args>
    static auto submit_to(const std::shared_ptr<detail::ProcessPool>& pool,
                          const ProcessCallOptions& options, Fn&& fn, Args&&... args) {
        using Function = detail::RemoteFunctionFor<Fn, Args...>;
        using R = typename Function::Result;
        auto call = std::make_shared<detail::RemoteCallOf<R>>(pool);
        call->request = detail::write_call<Function>(fn, std::forward<Args>(args)...);
        call->type = &typeid(std::decay_t<Fn>);
        add(pool, call, options);
        return ConcurrentFuture<R>(std::move(call));
    }
    static void add(const std::shared_ptr<detail::ProcessPool>& pool,
                    std::shared_ptr<detail::RemoteCall> call, const ProcessCallOptions& options);

    std::shared_ptr<detail::ProcessPool> pool_;
};

}  // namespace asyncio
