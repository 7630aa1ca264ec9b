// coroutine.hpp - a lazy coroutine that runs inside whoever awaits it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <exception>
#include <utility>

#include "frame_pool.hpp"

namespace limits {

/// Control goes into the child and back by symmetric transfer. That is a tail call only with
/// optimisation and without sanitizers in some compilers, which a library may not depend on and a
/// lower limit may.
template <class T>
class [[nodiscard]] Coroutine {
public:
    struct promise_type : PooledFrame {
        struct FinalAwaiter {
            bool await_ready() const noexcept { return false; }
            std::coroutine_handle<> await_suspend(
                std::coroutine_handle<promise_type> finished) const noexcept {
                return finished.promise().awaiting;
            }
            void await_resume() const noexcept {}
        };

        Coroutine get_return_object() noexcept {
            return Coroutine(std::coroutine_handle<promise_type>::from_promise(*this));
        }
        std::suspend_always initial_suspend() const noexcept { return {}; }
        FinalAwaiter final_suspend() const noexcept { return {}; }
        void return_value(T result) noexcept { value = std::move(result); }
        void unhandled_exception() noexcept { exception = std::current_exception(); }

        std::coroutine_handle<> awaiting;
        T value{};
        std::exception_ptr exception;
    };

    Coroutine(Coroutine&& other) noexcept : coroutine_(std::exchange(other.coroutine_, {})) {}
    Coroutine& operator=(Coroutine&&) = delete;
    ~Coroutine() {
        if (coroutine_) {
            coroutine_.destroy();
        }
    }

    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
        coroutine_.promise().awaiting = awaiting;
        return coroutine_;
    }
    T await_resume() {
        if (coroutine_.promise().exception) {
            std::rethrow_exception(coroutine_.promise().exception);
        }
        return std::move(coroutine_.promise().value);
    }

private:
    explicit Coroutine(std::coroutine_handle<promise_type> coroutine) noexcept
        : coroutine_(coroutine) {}

    std::coroutine_handle<promise_type> coroutine_;
};

}  // namespace limits
