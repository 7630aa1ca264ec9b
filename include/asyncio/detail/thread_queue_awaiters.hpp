// thread_queue_awaiters.hpp - what get(), put() and join() of an AsyncQueue give.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/thread_queue.hpp>

#include <concepts>
#include <coroutine>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace asyncio::detail {

/// What they have in common. An attempt is made before the task waits, so that one that need not
/// wait does not look for a cancellation; and once more when it is to wait, as other threads go on.
template <class Queue, class Derived>
class ThreadQueueAwaiter : public WaitingTask {
public:
    [[nodiscard]] bool await_ready() {
        const std::lock_guard lock(queue_->mutex());
        return self().attempt();
    }
    template <class P>
        requires std::derived_from<P, PromiseBase>
    bool await_suspend(std::coroutine_handle<P>) {
        const std::lock_guard lock(queue_->mutex());
        if (self().attempt()) {
            return false;
        }
        park(self().line());
        return true;
    }

protected:
    ThreadQueueAwaiter(std::shared_ptr<Queue>&& queue, void* place, const char* reason) noexcept
        : WaitingTask(queue->mutex(), place, reason), queue_(std::move(queue)) {}
    ~ThreadQueueAwaiter() = default;

    void finish() {
        if (std::exception_ptr error = settle()) {
            std::rethrow_exception(std::move(error));
        }
    }

    std::shared_ptr<Queue> queue_;

private:
    [[nodiscard]] Derived& self() noexcept { return static_cast<Derived&>(*this); }
};

template <class Queue>
class [[nodiscard]] ThreadGetAwaiter final
    : public ThreadQueueAwaiter<Queue, ThreadGetAwaiter<Queue>> {
    using Base = ThreadQueueAwaiter<Queue, ThreadGetAwaiter<Queue>>;
    using Item = typename Queue::Item;

public:
    explicit ThreadGetAwaiter(std::shared_ptr<Queue>&& queue) noexcept
        : Base(std::move(queue), &item_, "thread queue get") {}
    ~ThreadGetAwaiter() {
        if (this->leave() && item_.has_value()) {
            this->queue_->put_back(item_);
        }
    }

    auto await_resume() {
        this->finish();
        Item item = std::move(item_);
        item_.reset();
        return this->queue_->give(item);
    }

private:
    friend Base;
    [[nodiscard]] bool attempt() { return this->queue_->try_get(item_); }
    [[nodiscard]] ThreadQueueLine& line() noexcept { return this->queue_->getters(); }

    Item item_;
};

template <class Queue>
class [[nodiscard]] ThreadPutAwaiter final
    : public ThreadQueueAwaiter<Queue, ThreadPutAwaiter<Queue>> {
    using Base = ThreadQueueAwaiter<Queue, ThreadPutAwaiter<Queue>>;
    using Item = typename Queue::Item;

public:
    ThreadPutAwaiter(std::shared_ptr<Queue>&& queue, Item&& item) noexcept
        : Base(std::move(queue), &item_, "thread queue put"), item_(std::move(item)) {}
    ~ThreadPutAwaiter() { this->leave(); }

    void await_resume() { this->finish(); }

private:
    friend Base;
    [[nodiscard]] bool attempt() { return this->queue_->try_put(item_); }
    [[nodiscard]] ThreadQueueLine& line() noexcept { return this->queue_->putters(); }

    Item item_;
};

template <class Queue>
class [[nodiscard]] ThreadJoinAwaiter final
    : public ThreadQueueAwaiter<Queue, ThreadJoinAwaiter<Queue>> {
    using Base = ThreadQueueAwaiter<Queue, ThreadJoinAwaiter<Queue>>;

public:
    explicit ThreadJoinAwaiter(std::shared_ptr<Queue>&& queue) noexcept
        : Base(std::move(queue), nullptr, "thread queue join") {}
    ~ThreadJoinAwaiter() { this->leave(); }

    void await_resume() { this->finish(); }

private:
    friend Base;
    [[nodiscard]] bool attempt() const noexcept { return this->queue_->finished(); }
    [[nodiscard]] ThreadQueueLine& line() noexcept { return this->queue_->joiners(); }
};

/// What can be awaited, once: it keeps the queue, and the item that is to be put.
template <class Queue, template <class> class Awaiter, class... T>
class [[nodiscard]] ThreadQueueWait;

template <class Queue, template <class> class Awaiter>
class [[nodiscard]] ThreadQueueWait<Queue, Awaiter> {
public:
    explicit ThreadQueueWait(std::shared_ptr<Queue> queue) noexcept : queue_(std::move(queue)) {}
    Awaiter<Queue> operator co_await() && { return Awaiter<Queue>(std::move(queue_)); }

private:
    std::shared_ptr<Queue> queue_;
};

template <class Queue, template <class> class Awaiter, class T>
class [[nodiscard]] ThreadQueueWait<Queue, Awaiter, T> {
public:
    ThreadQueueWait(std::shared_ptr<Queue> queue, T&& item)
        : queue_(std::move(queue)), item_(std::in_place, std::move(item)) {}
    Awaiter<Queue> operator co_await() && {
        return Awaiter<Queue>(std::move(queue_), std::move(item_));
    }

private:
    std::shared_ptr<Queue> queue_;
    typename Queue::Item item_;
};

}  // namespace asyncio::detail
