// queue_awaiters.hpp - what get() and put() of a queue give.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/queue_base.hpp>
#include <asyncio/result.hpp>

#include <exception>
#include <utility>

namespace asyncio::detail {

template <class Queue>
class [[nodiscard]] GetAwaiter final : public Settling<QueueWaiter> {
    using Item = typename Queue::value_type;

public:
    explicit GetAwaiter(Queue& queue) noexcept : Settling(queue, Role::getter) {}

    [[nodiscard]] bool await_ready() const noexcept { return !must_wait(from().qsize()); }
    Item await_resume() {
        finish();
        return take();
    }
    Result<Item> await_result() {
        if (std::exception_ptr error = finish_without_throw()) {
            return Result<Item>(std::move(error));
        }
        if (from().empty()) {
            return Result<Item>(from().cannot_get());
        }
        return Result<Item>::of([this] { return take(); });
    }

private:
    [[nodiscard]] Queue& from() const noexcept { return static_cast<Queue&>(primitive()); }
    Item take() {
        return use([this] { return from().get_nowait(); });
    }
};

template <class Queue>
class [[nodiscard]] PutAwaiter final : public Settling<QueueWaiter> {
    using Item = typename Queue::value_type;

public:
    PutAwaiter(Queue& queue, Item&& item) : Settling(queue, Role::putter), item_(std::move(item)) {}

    [[nodiscard]] bool await_ready() const noexcept { return !must_wait(to().qsize()); }
    void await_resume() {
        finish();
        give();
    }
    Result<void> await_result() {
        if (std::exception_ptr error = finish_without_throw()) {
            return Result<void>(std::move(error));
        }
        return Result<void>::of([this] { give(); });
    }

private:
    [[nodiscard]] Queue& to() const noexcept { return static_cast<Queue&>(primitive()); }
    void give() {
        use([this] { to().put_nowait(std::move(item_)); });
    }

    Item item_;
};

/// What get() gives.
template <class Queue>
using Get = WaitFor<GetAwaiter<Queue>, Queue>;

/// What put() gives: keeps the item until it is awaited, once.
template <class Queue>
class [[nodiscard]] Put {
    using Item = typename Queue::value_type;

public:
    static constexpr bool awaited_by_value = true;

    Put(Queue& queue, Item&& item) : queue_(&queue), item_(std::move(item)) {}
    PutAwaiter<Queue> operator co_await() && {
        return PutAwaiter<Queue>(*queue_, std::move(item_));
    }

private:
    Queue* queue_;
    Item item_;
};

}  // namespace asyncio::detail
