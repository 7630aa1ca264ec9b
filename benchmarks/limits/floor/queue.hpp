// queue.hpp - a flag that wakes one coroutine, and a bounded queue made of two of them.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <coroutine>
#include <cstddef>
#include <utility>
#include <vector>

#include "coroutine.hpp"
#include "loop.hpp"

namespace limits {

/// A future that is used again: awaiting it takes the flag down.
class Flag {
public:
    bool await_ready() noexcept { return std::exchange(raised_, false); }
    void await_suspend(std::coroutine_handle<> waiter) noexcept { waiter_ = waiter; }
    void await_resume() noexcept { raised_ = false; }

    void raise() noexcept {
        raised_ = true;
        if (waiter_) {
            ready_.coroutine = std::exchange(waiter_, {});
            loop.push(ready_);
        }
    }
    /// For those who look at the state behind the flag themselves: a flag that nobody waits for
    /// stays down.
    void wake() noexcept {
        if (waiter_) {
            raise();
        }
    }

private:
    std::coroutine_handle<> waiter_;
    bool raised_ = false;
    Ready ready_;
};

/// For one producer and one consumer.
class Queue {
public:
    explicit Queue(std::size_t capacity) : items_(capacity) {}

    Coroutine<int> put(int item) {
        while (size_ == items_.size()) {
            co_await not_full_;
        }
        items_[(first_ + size_++) % items_.size()] = item;
        not_empty_.wake();
        co_return 0;
    }

    Coroutine<int> get() {
        while (size_ == 0) {
            co_await not_empty_;
        }
        const int item = items_[first_];
        first_ = (first_ + 1) % items_.size();
        --size_;
        not_full_.wake();
        co_return item;
    }

private:
    std::vector<int> items_;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
    Flag not_empty_;
    Flag not_full_;
};

}  // namespace limits
