// threads.cpp - a pool of threads, and the way of a result from there to a future.
//
// SPDX-License-Identifier: MIT
#include <asyncio/threads.hpp>

#include "signals_blocked.hpp"

#include <asyncio/detail/config.hpp>
#include <asyncio/log.hpp>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <pthread.h>

namespace asyncio {

// ------------------------------------------------------------------------ ThreadPoolExecutor

struct ThreadPoolExecutor::State {
    std::mutex mutex;
    std::condition_variable work;   // there is a job, or the end
    std::condition_variable ended;  // a thread has, or waits for the others
    lowlevel::List<lowlevel::Job> jobs;
    std::vector<std::thread> threads;  // until somebody joins them
    std::string prefix;
    std::size_t queued = 0;   // jobs
    std::size_t live = 0;     // threads that have not ended
    std::size_t idle = 0;     // of these
    std::size_t waiting = 0;  // of these, in shutdown()
    std::size_t being_joined = 0;
    std::size_t most = 0;
    bool ending = false;
    bool detached = false;

    void run_jobs();
    void wait_for_others();
    void join_all();
};

namespace {

/// Whose thread this is: the State of a pool.
constinit thread_local const void* pool_of_thread = nullptr;

}  // namespace

void ThreadPoolExecutor::State::run_jobs() {
    pool_of_thread = this;
    std::unique_lock lock(mutex);
    for (;;) {
        if (!jobs.empty()) {
            lowlevel::Job& job = jobs.pop_front();
            --queued;
            lock.unlock();
            job.run();
            lock.lock();
        } else if (ending) {
            break;
        } else {
            ++idle;
            work.wait(lock);
            --idle;
        }
    }
    --live;
    ended.notify_all();
    pool_of_thread =
        nullptr;  // from here on, where what is local to it is destroyed, it is no more
}

// In a thread of the pool, which cannot join itself; nor can two wait for each other's end.
void ThreadPoolExecutor::State::wait_for_others() {
    std::unique_lock lock(mutex);
    ++waiting;
    ended.notify_all();
    ended.wait(lock, [this] { return live == waiting; });
    --waiting;
}

// Returns when all threads have been joined, by whomever.
void ThreadPoolExecutor::State::join_all() {
    std::unique_lock lock(mutex);
    while (!threads.empty()) {
        std::thread thread = std::move(threads.back());
        threads.pop_back();
        ++being_joined;
        lock.unlock();
        if (thread.get_id() == std::this_thread::get_id()) {
            thread.detach();  // past its last job: the destructor of something local to the thread
        } else {
            thread.join();
        }
        lock.lock();
        --being_joined;
    }
    ended.notify_all();
    ended.wait(lock, [this] { return being_joined == 0; });
}

ThreadPoolExecutor::ThreadPoolExecutor(ThreadPoolOptions options)
    : state_(std::make_shared<State>()) {
    const std::size_t processors = std::max(1U, std::thread::hardware_concurrency());
    state_->most =
        options.max_workers != 0 ? options.max_workers : std::min<std::size_t>(32, processors + 4);
    state_->prefix = options.thread_name_prefix;
}

ThreadPoolExecutor::~ThreadPoolExecutor() {
    std::unique_lock lock(state_->mutex);
    const bool wait = !state_->detached;
    lock.unlock();
    shutdown(wait, false);
    // What is left to itself, or the thread that this is.
    lock.lock();
    for (std::thread& thread : state_->threads) {
        thread.detach();
    }
    state_->threads.clear();
}

void ThreadPoolExecutor::submit(lowlevel::Job& job) {
    const std::lock_guard lock(state_->mutex);
    if (state_->ending) {
        throw RuntimeError("cannot schedule new futures after shutdown");
    }
    // Each job that waits will take one of the idle threads, which may not have woken up yet.
    if (state_->idle <= state_->queued && state_->live < state_->most) {
        // The name is cut to what the kernel shows: 15 bytes.
        const std::string name =
            (state_->prefix + "_" + std::to_string(state_->live)).substr(0, 15);
        try {
            const detail::SignalsBlocked blocked;
            state_->threads.emplace_back([state = state_] { state->run_jobs(); });
            ++state_->live;
            ::pthread_setname_np(state_->threads.back().native_handle(), name.c_str());
        } catch (const std::system_error& error) {
            if (state_->live == 0) {
                throw OSError(error.code().value(), "cannot start a thread");
            }
        }
    }
    state_->jobs.push_back(job);
    ++state_->queued;
    state_->work.notify_one();
}

void ThreadPoolExecutor::shutdown(bool wait, bool cancel_futures) {
    const std::shared_ptr<State> state = state_;
    lowlevel::List<lowlevel::Job> abandoned;
    {
        const std::lock_guard lock(state->mutex);
        state->ending = true;
        if (cancel_futures) {
            abandoned.splice_back(state->jobs);
            state->queued = 0;
        }
        state->work.notify_all();
    }
    while (!abandoned.empty()) {
        abandoned.pop_front().abandon();
    }
    if (!wait) {
        return;
    }
    if (pool_of_thread == state.get()) {
        state->wait_for_others();
    } else {
        state->join_all();
    }
}

void ThreadPoolExecutor::detach() noexcept {
    const std::lock_guard lock(state_->mutex);
    state_->detached = true;
}

std::size_t ThreadPoolExecutor::threads() const {
    const std::lock_guard lock(state_->mutex);
    return state_->live;
}

// -------------------------------------------------------------------------------------- Work

namespace detail {

namespace {

/// The loop's own handle to an executor. When the last copy is gone and nobody else has the
/// executor, nobody waits for it either: the loop's thread must not.
std::shared_ptr<Executor> not_waited_for(std::shared_ptr<Executor> executor) {
    if (executor == nullptr) {
        return nullptr;
    }
    Executor* const object = executor.get();
    return {object, [executor = std::move(executor)](Executor*) mutable noexcept {
                if (executor.use_count() == 1) {
                    executor->detach();
                }
                executor.reset();
            }};
}

}  // namespace

void Work::submit(Executor* executor) {
    EventLoop& loop = *loop_;
    try {
        if (executor == nullptr) {
            if (loop.default_executor_shut_down_) {
                throw RuntimeError("Executor shutdown has been called");
            }
            if (loop.default_executor_ == nullptr) {
                loop.set_default_executor(std::make_shared<ThreadPoolExecutor>());
            }
            executor = loop.default_executor_.get();
        }
        if (loop.gate_ == nullptr) {
            loop.gate_ = std::make_shared<LoopGate>(loop);
        }
        gate_ = loop.gate_;
        loop.work_.push_back(*this);
        loop.proactor().outside_work(true);
        executor->submit(*this);
    } catch (...) {
        if (static_cast<ListHook<AllWork>&>(*this).linked()) {
            static_cast<ListHook<AllWork>&>(*this).unlink();
            loop.proactor().outside_work(false);
        }
        disown();
        delete this;
        throw;
    }
}

bool Work::forget() noexcept {
    State expected = State::waiting;
    return state_.compare_exchange_strong(expected, State::forgotten, std::memory_order_relaxed);
}

void Work::run() noexcept {
    State expected = State::waiting;
    if (state_.compare_exchange_strong(expected, State::begun, std::memory_order_relaxed)) {
        call();
    }
    finish();
}

void Work::abandon() noexcept {
    finish();
}

// In the worker.
void Work::finish() noexcept {
    {
        const std::shared_ptr<LoopGate> gate = gate_;
        const std::lock_guard lock(gate->mutex);
        if (gate->loop != nullptr) {
            left_.store(true, std::memory_order_relaxed);
            // Refused only by a loop that is closing, which finds it left.
            static_cast<void>(gate->loop->post(*this));
            return;
        }
    }
    let_go();
}

// Once by the worker that finds the loop closed, once by the loop that closes: the second frees it.
void Work::let_go() noexcept {
    if (left_.exchange(true, std::memory_order_acq_rel)) {
        report_lost(error());
        delete this;
    }
}

void Work::give_back(Callback& callback) {
    auto& work = static_cast<Work&>(callback);
    static_cast<ListHook<AllWork>&>(work).unlink();
    work.loop_->proactor().outside_work(false);
    struct Free {
        Work& work;
        ~Free() { delete &work; }
    } free{work};
    work.deliver(work.state_.load(std::memory_order_relaxed) != State::begun);
}

void report_lost(const std::exception_ptr& error) noexcept {
    if (error != nullptr) {
        log(Level::warning,
            "a call in a thread threw what nobody waits for any more: " + describe(error));
    }
}

}  // namespace detail

// ------------------------------------------------------------------------------ of the loop

// The loop is closing: what runs in threads goes on, and is dropped there when it has ended.
void EventLoop::drop_work() noexcept {
    if (gate_ == nullptr) {
        return;
    }
    {
        const std::lock_guard lock(gate_->mutex);
        gate_->loop = nullptr;
    }
    // From here on it is destructors of the user's that run, and these may wait for other calls:
    // neither is the gate held, nor does any of them begin now.
    std::size_t never_made = 0;
    for (detail::Work& work : work_) {
        never_made += work.forget() && !work.quiet_ ? 1 : 0;
    }
    while (!work_.empty()) {
        detail::Work& work = work_.pop_front();
        proactor_->outside_work(false);
        work.disown();
        work.let_go();
    }
    if (never_made != 0) {
        detail::log(Level::warning,
                    "calls in threads that had not begun when the event loop was "
                    "closed, and are never made: " +
                        std::to_string(never_made));
    }
}

void EventLoop::drop_executors() noexcept {
    for (std::shared_ptr<Executor>* const place : {&default_executor_, &resolver_executor_}) {
        const std::shared_ptr<Executor> executor = std::exchange(*place, nullptr);
        if (executor == nullptr) {
            continue;
        }
        try {
            executor->shutdown(false);
        } catch (...) {
            detail::log(Level::error, "the shutdown of an executor threw while its loop closed: " +
                                          describe(std::current_exception()));
        }
    }
}

void EventLoop::set_default_executor(std::shared_ptr<Executor> executor) {
    default_executor_ = detail::not_waited_for(std::move(executor));
}

Executor& EventLoop::resolver_executor() {
    // As many names at a time; the C library waits for each up to half a minute.
    static constexpr std::size_t threads = 8;
    check_usable();
    if (resolver_executor_ == nullptr) {
        resolver_executor_ = detail::not_waited_for(std::make_shared<ThreadPoolExecutor>(
            ThreadPoolOptions{.max_workers = threads, .thread_name_prefix = "asyncio_dns"}));
    }
    return *resolver_executor_;
}

Coroutine<> EventLoop::shutdown_default_executor(std::optional<Duration> limit) {
    default_executor_shut_down_ = true;
    const std::shared_ptr<Executor> executor = default_executor_;
    if (executor == nullptr) {
        co_return;
    }
    ThreadPoolExecutor joiner({.max_workers = 1, .thread_name_prefix = "asyncio_join"});
    joiner.detach();  // its job may never end, and this frame may be destroyed before
    const Future<> joined =
        detail::submit_work(*this, &joiner, [executor] { executor->shutdown(true); });
    Result<void> result = co_await as_result(wait_for(joined, limit));
    if (joined.done() && !joined.cancelled()) {
        joiner.shutdown(true);  // its thread is at its end
    }
    try {
        result.get();
    } catch (const TimeoutError&) {
        if (!limit.has_value()) {
            throw;
        }
        executor->shutdown(false);
        char seconds[32];
        std::snprintf(seconds, sizeof seconds, "%g", limit->seconds());
        detail::log(Level::warning, std::string("The executor did not finishing joining its "
                                                "threads within ") +
                                        seconds + " seconds.");
    }
}

}  // namespace asyncio
