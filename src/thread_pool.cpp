// thread_pool.cpp - ThreadPoolExecutor: threads that run jobs.
//
// SPDX-License-Identifier: MIT
#include <asyncio/threads.hpp>

#include "signals_blocked.hpp"

#include <asyncio/log.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <pthread.h>

namespace asyncio {

struct ThreadPoolExecutor::State {
    using Lock = std::unique_lock<std::mutex>;

    std::mutex mutex;
    std::condition_variable work;   // there is a job, or the end
    std::condition_variable ended;  // a thread has, or waits for the others
    lowlevel::List<lowlevel::Job> jobs;
    std::vector<std::thread> threads;  // until somebody joins them
    std::string prefix;
    detail::UniqueFunction<void()> initializer;
    std::size_t queued = 0;   // jobs
    std::size_t live = 0;     // threads that have not ended
    std::size_t idle = 0;     // of these
    std::size_t waiting = 0;  // of these, in shutdown()
    std::size_t being_joined = 0;
    std::size_t most = 0;
    bool broken = false;
    bool ending = false;
    bool detached = false;

    void start_thread(const std::shared_ptr<State>& self);
    void run() noexcept;
    bool initialize(Lock& lock);
    void break_pool(Lock& lock);
    void run_jobs(Lock& lock);
    void wait_for_others();
    void join_all();
};

namespace {

/// Whose thread this is: the State of a pool.
constinit thread_local const void* pool_of_thread = nullptr;

constexpr const char* why_broken =
    "A thread initializer failed, the thread pool is not usable anymore";

/// What the kernel shows of a name is 15 bytes: the number stays, the prefix is cut.
std::string thread_name(const std::string& prefix, std::size_t number) {
    constexpr std::size_t longest = 15;
    const std::string end = "_" + std::to_string(number);
    return prefix.substr(0, longest - std::min(longest, end.size())) + end;
}

}  // namespace

// ------------------------------------------------------------------------- in a thread of it

void ThreadPoolExecutor::State::run() noexcept {
    pool_of_thread = this;
    Lock lock(mutex);  // whoever has made this thread has given it its name by then
    if (initialize(lock)) {
        run_jobs(lock);
    } else {
        break_pool(lock);
    }
    --live;
    ended.notify_all();
    // From here on, where what is local to it is destroyed, it is no more.
    pool_of_thread = nullptr;
}

bool ThreadPoolExecutor::State::initialize(Lock& lock) {
    if (!initializer) {
        return true;
    }
    lock.unlock();
    bool succeeded = true;
    try {
        initializer();
    } catch (...) {
        detail::log_error("Exception in initializer: ", std::current_exception());
        succeeded = false;
    }
    lock.lock();
    return succeeded;
}

void ThreadPoolExecutor::State::break_pool(Lock& lock) {
    broken = true;
    lowlevel::List<lowlevel::Job> refused(std::move(jobs));
    queued = 0;
    lock.unlock();
    const std::exception_ptr error = std::make_exception_ptr(BrokenThreadPool(why_broken));
    while (!refused.empty()) {
        refused.pop_front().refuse(error);
    }
    lock.lock();
}

void ThreadPoolExecutor::State::run_jobs(Lock& lock) {
    for (;;) {
        if (!jobs.empty()) {
            lowlevel::Job& job = jobs.pop_front();
            --queued;
            lock.unlock();
            job.run();
            lock.lock();
        } else if (ending) {
            return;
        } else {
            ++idle;
            work.wait(lock);
            --idle;
        }
    }
}

// It cannot join itself; nor can two wait for each other's end.
void ThreadPoolExecutor::State::wait_for_others() {
    Lock lock(mutex);
    ++waiting;
    ended.notify_all();
    ended.wait(lock, [this] { return live == waiting; });
    --waiting;
}

// ------------------------------------------------------------------------------ in any thread

// With the mutex, which the new thread waits for.
void ThreadPoolExecutor::State::start_thread(const std::shared_ptr<State>& self) {
    const std::string name = thread_name(prefix, live);
    const detail::SignalsBlocked blocked;
    threads.emplace_back([self] { self->run(); });
    ++live;
    ::pthread_setname_np(threads.back().native_handle(), name.c_str());
}

// Returns when all threads have been joined, by whomever.
void ThreadPoolExecutor::State::join_all() {
    Lock lock(mutex);
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

// ------------------------------------------------------------------------- ThreadPoolExecutor

ThreadPoolExecutor::ThreadPoolExecutor(ThreadPoolOptions options)
    : ThreadPoolExecutor(options,
                         options.initializer != nullptr
                             ? detail::UniqueFunction<void()>(options.initializer)
                             : nullptr,
                         Initialized()) {}

ThreadPoolExecutor::ThreadPoolExecutor(const ThreadPoolOptions& options,
                                       detail::UniqueFunction<void()>&& initializer, Initialized)
    : state_(std::make_shared<State>()) {
    const std::size_t processors = std::max(1U, std::thread::hardware_concurrency());
    state_->most =
        options.max_workers != 0 ? options.max_workers : std::min<std::size_t>(32, processors + 4);
    state_->prefix = options.thread_name_prefix;
    state_->initializer = std::move(initializer);
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
    if (state_->broken) {
        throw BrokenThreadPool(why_broken);
    }
    if (state_->ending) {
        throw RuntimeError("cannot schedule new futures after shutdown");
    }
    // Each job that waits will take one of the idle threads, which may not have woken up yet.
    if (state_->idle <= state_->queued && state_->live < state_->most) {
        try {
            state_->start_thread(state_);
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

}  // namespace asyncio
