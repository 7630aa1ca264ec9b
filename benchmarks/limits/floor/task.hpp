// task.hpp - a coroutine that the loop runs and that one other coroutine may join.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>
#include <utility>

#include "frame_pool.hpp"
#include "loop.hpp"

namespace limits {

/// What a task of asyncio cannot do without: a place in the ready list, a count of its two owners
/// (the loop until it ends, and the handle), one waiter, an exception, and where a cancellation
/// would find what it waits for. No name, no context, no call graph, no second waiter.
class [[nodiscard]] Task {
public:
    struct promise_type : PooledFrame {
        struct InitialAwaiter {
            bool await_ready() const noexcept { return false; }
            void await_suspend(std::coroutine_handle<promise_type> created) const noexcept {
                created.promise().ready.coroutine = created;
                loop.push(created.promise().ready);
            }
            void await_resume() const noexcept {}
        };
        struct FinalAwaiter {
            bool await_ready() const noexcept { return false; }
            void await_suspend(std::coroutine_handle<promise_type> finished) const noexcept {
                promise_type& task = finished.promise();
                task.done = true;
                if (task.waiter) {
                    // Through the ready list, as in asyncio: whoever was ready before goes first.
                    task.ready.coroutine = task.waiter;
                    loop.push(task.ready);
                }
                if (--task.owners == 0) {
                    finished.destroy();
                }
            }
            void await_resume() const noexcept {}
        };

        Task get_return_object() noexcept {
            return Task(std::coroutine_handle<promise_type>::from_promise(*this));
        }
        InitialAwaiter initial_suspend() const noexcept { return {}; }
        FinalAwaiter final_suspend() const noexcept { return {}; }
        void return_void() const noexcept {}
        void unhandled_exception() noexcept { exception = std::current_exception(); }

        Ready ready;
        std::coroutine_handle<> waiter;
        std::exception_ptr exception;
        std::uint32_t owners = 2;
        bool done = false;
        void* waiting_for = nullptr;
    };

    Task(Task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, {})) {}
    Task& operator=(Task&&) = delete;
    ~Task() {
        if (coroutine_ && --coroutine_.promise().owners == 0) {
            coroutine_.destroy();
        }
    }

    bool failed() const noexcept { return coroutine_.promise().exception != nullptr; }

    bool await_ready() const noexcept { return coroutine_.promise().done; }
    void await_suspend(std::coroutine_handle<> waiter) noexcept {
        coroutine_.promise().waiter = waiter;
    }
    void await_resume() const {
        if (failed()) {
            std::rethrow_exception(coroutine_.promise().exception);
        }
    }

private:
    explicit Task(std::coroutine_handle<promise_type> coroutine) noexcept : coroutine_(coroutine) {}

    std::coroutine_handle<promise_type> coroutine_;
};

}  // namespace limits
