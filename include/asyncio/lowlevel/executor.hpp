// executor.hpp - where work runs that would block the loop: the seam for threads.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/intrusive.hpp>

#include <exception>

namespace asyncio::lowlevel {

/// A piece of work for an Executor. It is run, abandoned or refused, exactly once, by any thread.
class Job : public ListHook<> {
public:
    virtual void run() noexcept = 0;
    /// The executor was shut down before the job began.
    virtual void abandon() noexcept = 0;
    /// The executor broke before the job began: `error` is what becomes of it.
    virtual void refuse(const std::exception_ptr& error) noexcept {
        static_cast<void>(error);
        abandon();
    }

protected:
    ~Job() = default;
};

}  // namespace asyncio::lowlevel

namespace asyncio {

/// Runs jobs somewhere else: ThreadPoolExecutor, or one of your own (a simulator runs them inline).
/// Mirrors concurrent.futures.Executor. submit() may be called from any thread.
class Executor {
public:
    Executor() = default;
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;
    virtual ~Executor();

    /// Takes the job, to run it as soon as it can. Throws RuntimeError after shutdown().
    virtual void submit(lowlevel::Job& job) = 0;

    /// No more jobs. With `cancel_futures`, those that have not begun are abandoned. With `wait`,
    /// returns when all others are done, whoever called it before. May be called again, and by
    /// several threads at once.
    virtual void shutdown(bool wait = true, bool cancel_futures = false) = 0;

    /// The destructor shall not wait: what was submitted goes on, and nobody owns it. A loop calls
    /// it when nobody but the loop has its default executor, and the loop drops that. Nothing need
    /// be done where the destructor does not wait anyway.
    virtual void detach() noexcept {}
};

}  // namespace asyncio
