// runners.hpp - run() and Runner: a program's way into the loop and out of it.
//
// Mirrors asyncio.runners; differences: docs/parity.md#runners.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/config.hpp>
#include <asyncio/detail/owned.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/threads.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace asyncio {

/// Keyword arguments of run() and Runner.
struct RunOptions {
    std::optional<bool> debug = std::nullopt;  ///< default: ASYNCIO_DEBUG=1 in the environment
    std::unique_ptr<EventLoop> (*loop_factory)() = nullptr;
    std::string_view proactor = {};  ///< as for lowlevel::make_proactor()
};
static_assert(detail::trivially_destructible<RunOptions>);

/// Keyword arguments of Runner::run().
struct RunnerRunOptions {
    const Context* context = nullptr;  ///< what the main task runs in; default: the Runner's
};
static_assert(detail::trivially_destructible<RunnerRunOptions>);

/// A loop for several runs, one after another, and its end.
///
/// The first Ctrl-C while run() is under way cancels the main task, whose cleanup runs; run() then
/// throws KeyboardInterrupt. The second ends the program. (Only in the main thread, and only if
/// the program has not installed a handler of its own.)
///
/// The main tasks of all runs share one context, a copy of that in which the loop was made: what
/// one sets, the next one sees.
///
/// Threads: one. Errors: RuntimeError when used after close() or inside a running loop.
class Runner {
public:
    explicit Runner(RunOptions options = {});
    Runner(const Runner&) = delete;
    Runner& operator=(const Runner&) = delete;
    ~Runner();

    /// Runs `main`, an awaitable or a callable that gives one, to its end; its result.
    template <detail::TaskSource A>
    decltype(auto) run(A&& main, RunnerRunOptions options = {}) {
        using T = detail::CoroutineResult<A>;
        EventLoop& loop = begin();
        const Context* const context =
            options.context != nullptr ? options.context : context_.get();
        const Task<T> task =
            loop.create_task(detail::as_coroutine(std::forward<A>(main)), {.context = context});
        finish(task);
        return task.result();
    }

    [[nodiscard]] EventLoop& get_loop();

    /// Cancels the tasks that are left and waits for them; their exceptions go to the exception
    /// handler. Then closes the async generators that are left, waits for the default executor and
    /// closes the loop. May be called again, and does nothing before the loop was made.
    /// RuntimeError while the loop runs.
    void close();

private:
    EventLoop& begin();
    /// Runs the loop until the task is done. Throws KeyboardInterrupt after Ctrl-C.
    void finish(const AnyTask& main);

    RunOptions options_;
    std::string proactor_;  // of the options, which only refer to it
    detail::Owned<EventLoop> loop_;
    detail::Owned<Context> context_;  // of the main tasks; as soon as there is a loop
    bool closed_ = false;
};

namespace detail {

/// run() cannot be called from a running loop.
void check_no_running_loop();

}  // namespace detail

/// Runs `main` as a program: on a new loop, which is closed afterwards; its result, or what it
/// throws. See Runner for what happens at the end and on Ctrl-C.
///
///     int main() { return asyncio::run(amain()); }
template <detail::TaskSource A>
decltype(auto) run(A&& main, RunOptions options = {}) {
    using T = detail::CoroutineResult<A>;
    detail::check_no_running_loop();
    Runner runner(options);
    auto result = Result<T>::of([&]() -> T { return runner.run(std::forward<A>(main)); });
    runner.close();
    return std::move(result).get();
}

template <class Fn, class First, class... Args>
    requires(!std::is_same_v<std::remove_cvref_t<First>, RunOptions> &&
             detail::AsyncCallable<Fn, First, Args...>)
decltype(auto) run(Fn&& fn, First&& first, Args&&... args) {
    return run(
        detail::invoke_coroutine<std::decay_t<Fn>, std::decay_t<First>, std::decay_t<Args>...>(
            std::forward<Fn>(fn), std::forward<First>(first), std::forward<Args>(args)...));
}

}  // namespace asyncio
