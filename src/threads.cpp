// threads.cpp - a pool of threads, and the way of a result from there to a future.
//
// SPDX-License-Identifier: MIT
#include <asyncio/threads.hpp>

#include <asyncio/detail/config.hpp>
#include <asyncio/log.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <pthread.h>

namespace asyncio {

// ------------------------------------------------------------------------ ThreadPoolExecutor

struct ThreadPoolExecutor::State {
    std::mutex mutex;
    std::condition_variable work;  // there is a job, or the end
    lowlevel::List<lowlevel::Job> jobs;
    std::vector<std::thread> threads;
    std::size_t queued = 0;  // jobs
    std::size_t idle = 0;
    std::size_t most = 0;
    std::string prefix;
    bool ending = false;

    void run_jobs() {
        std::unique_lock lock(mutex);
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
};

ThreadPoolExecutor::ThreadPoolExecutor(ThreadPoolOptions options)
    : state_(std::make_shared<State>()) {
    const std::size_t processors = std::max(1U, std::thread::hardware_concurrency());
    state_->most =
        options.max_workers != 0 ? options.max_workers : std::min<std::size_t>(32, processors + 4);
    state_->prefix = options.thread_name_prefix;
}

ThreadPoolExecutor::~ThreadPoolExecutor() {
    shutdown(true, false);
}

void ThreadPoolExecutor::submit(lowlevel::Job& job) {
    const std::lock_guard lock(state_->mutex);
    if (state_->ending) {
        throw RuntimeError("cannot schedule new futures after shutdown");
    }
    // Each job that waits will take one of the idle threads, which may not have woken up yet.
    if (state_->idle <= state_->queued && state_->threads.size() < state_->most) {
        // The name is cut to what the kernel shows: 15 bytes.
        const std::string name =
            (state_->prefix + "_" + std::to_string(state_->threads.size())).substr(0, 15);
        try {
            state_->threads.emplace_back([state = state_] { state->run_jobs(); });
            ::pthread_setname_np(state_->threads.back().native_handle(), name.c_str());
        } catch (const std::system_error& error) {
            if (state_->threads.empty()) {
                throw OSError(error.code().value(), "cannot start a thread");
            }
        }
    }
    state_->jobs.push_back(job);
    ++state_->queued;
    state_->work.notify_one();
}

void ThreadPoolExecutor::shutdown(bool wait, bool cancel_futures) {
    std::vector<std::thread> threads;
    lowlevel::List<lowlevel::Job> abandoned;
    {
        const std::lock_guard lock(state_->mutex);
        state_->ending = true;
        if (cancel_futures) {
            abandoned.splice_back(state_->jobs);
            state_->queued = 0;
        }
        threads.swap(state_->threads);
        state_->work.notify_all();
    }
    while (!abandoned.empty()) {
        abandoned.pop_front().abandon();
    }
    for (std::thread& thread : threads) {
        if (wait && thread.get_id() != std::this_thread::get_id()) {
            thread.join();
        } else {
            thread.detach();
        }
    }
}

std::size_t ThreadPoolExecutor::threads() const {
    const std::lock_guard lock(state_->mutex);
    return state_->threads.size();
}

// -------------------------------------------------------------------------------------- Work

namespace detail {

void Work::submit(Executor* executor) {
    EventLoop& loop = *loop_;
    try {
        if (executor == nullptr) {
            if (loop.default_executor_shut_down_) {
                throw RuntimeError("Executor shutdown has been called");
            }
            if (loop.default_executor_ == nullptr) {
                loop.default_executor_ = std::make_shared<ThreadPoolExecutor>();
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

void Work::run() noexcept {
    if (wanted_.load(std::memory_order_relaxed)) {
        called_ = true;
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
            posted_ = true;
            // Refused only by a loop that is closing, which finds it posted.
            static_cast<void>(gate->loop->post(*this));
            return;
        }
    }
    delete this;
}

void Work::give_back(Callback& callback) {
    auto& work = static_cast<Work&>(callback);
    static_cast<ListHook<AllWork>&>(work).unlink();
    work.loop_->proactor().outside_work(false);
    struct Free {
        Work& work;
        ~Free() { delete &work; }
    } free{work};
    work.deliver(!work.called_);
}

void report_lost(const std::exception_ptr& error) noexcept {
    if (error != nullptr) {
        log(Level::warning,
            "a call in a thread threw after its future was cancelled: " + describe(error));
    }
}

}  // namespace detail

// The loop is closing: what runs in threads goes on, and is dropped there when it has ended.
void EventLoop::drop_work() noexcept {
    if (gate_ == nullptr) {
        return;
    }
    const std::lock_guard lock(gate_->mutex);
    gate_->loop = nullptr;
    while (!work_.empty()) {
        detail::Work& work = work_.pop_front();
        proactor_->outside_work(false);
        work.forget();
        work.disown();
        if (work.posted_) {
            delete &work;
        }
    }
}

Coroutine<> EventLoop::shutdown_default_executor(std::optional<Duration> limit) {
    default_executor_shut_down_ = true;
    const std::shared_ptr<Executor> executor = std::exchange(default_executor_, nullptr);
    if (executor == nullptr) {
        co_return;
    }
    ThreadPoolExecutor joiner({.max_workers = 1, .thread_name_prefix = "asyncio_join"});
    const Future<> joined =
        detail::submit_work(*this, &joiner, [executor] { executor->shutdown(true); });
    Result<void> result = co_await as_result(wait_for(joined, limit));
    if (result.has_value()) {
        co_return;
    }
    // The threads are left to themselves; they may never end.
    joiner.shutdown(false);
    executor->shutdown(false);
    if (result.cancelled() || !limit.has_value()) {
        result.get();
    }
    detail::log(Level::warning, "The executor did not finishing joining its threads within " +
                                    std::to_string(static_cast<long>(limit->seconds())) +
                                    " seconds.");
}

}  // namespace asyncio
