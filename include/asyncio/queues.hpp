// queues.hpp - what tasks hand things to each other with: Queue, PriorityQueue, LifoQueue.
//
// Mirrors asyncio.queues; differences: docs/parity.md#queues.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/queue_awaiters.hpp>
#include <asyncio/detail/queue_base.hpp>
#include <asyncio/detail/queue_storage.hpp>

#include <cstddef>
#include <utility>

namespace asyncio {

/// Items that some tasks put in and others take out: first in, first out.
///
///     Queue<std::string> queue(100);                    // put() waits while there are 100
///     co_await queue.put("item");
///     std::string item = co_await queue.get();
///     queue.task_done();                                // for those who await queue.join()
///
/// T can be moved; it need not be copyable. Nobody overtakes among those who wait, but an item is
/// not reserved for the task that was woken for it: whoever runs first takes it.
///
/// `Storage` decides on the order; it is what PriorityQueue and LifoQueue differ in.
///
/// Cancellation: get() takes nothing, put() puts nothing in; if the task had been woken for an
///         item, or for room, the next one is woken.
/// Errors: QueueEmpty, QueueFull, and QueueShutDown after shutdown();
///         std::invalid_argument("task_done() called too many times").
///         If there is no memory, or if an item throws when it is moved or compared, then put() has
///         put nothing in, and get() has taken nothing out.
/// Threads: one. As for locks, the queue outlives the tasks that use it, and belongs to one loop.
template <class T, class Storage = detail::Ring<T>>
class Queue : public detail::QueueBase {
public:
    using value_type = T;

    /// At most `maxsize` items; zero or less: any number.
    explicit Queue(int maxsize = 0) noexcept : QueueBase(maxsize) {}

    [[nodiscard]] int maxsize() const noexcept { return maxsize_; }
    [[nodiscard]] std::size_t qsize() const noexcept final { return items_.size(); }
    [[nodiscard]] bool empty() const noexcept { return items_.size() == 0; }
    [[nodiscard]] bool full() const noexcept { return full_with(items_.size()); }

    /// Puts `item` in; waits while the queue is full.
    [[nodiscard]] detail::Put<Queue> put(T item) {
        return detail::Put<Queue>(*this, std::move(item));
    }
    /// Puts `item` in, or throws QueueFull.
    void put_nowait(T item) {
        if (shut_down_ || full()) {
            raise_cannot_put();
        }
        items_.push(std::move(item));
        item_added();
    }

    /// Takes an item out and gives it; waits while the queue is empty.
    [[nodiscard]] detail::Get<Queue> get() noexcept { return detail::Get<Queue>(*this); }
    /// Takes an item out, or throws QueueEmpty.
    T get_nowait() {
        if (empty()) {
            raise_cannot_get();
        }
        T item = items_.pop();
        item_removed();
        return item;
    }

    /// An item that was got has been dealt with.
    void task_done() {
        if (unfinished_ == 0) {
            detail::raise_value_error("task_done() called too many times");
        }
        if (--unfinished_ == 0) {
            finished_.set();
        }
    }
    /// Waits until task_done() has been called for every item that was ever put.
    [[nodiscard]] auto join() noexcept {
        return detail::WaitFor<detail::EventAwaiter<void>, Event>(finished_);
    }

    /// From now on put() throws QueueShutDown, and so does get() once the queue is empty; whoever
    /// waits finds out. With `immediate` what is in the queue is dropped, and counts as done.
    void shutdown(bool immediate = false) {
        shut_down_ = true;
        if (immediate) {
            Storage dropped;
            dropped.swap(items_);
            items_dropped(dropped.size());
        }
        wake_all();
    }

private:
    template <class>
    friend class detail::GetAwaiter;

    Storage items_;
};

/// A Queue that gives the smallest item first, by `<`.
template <class T>
class PriorityQueue : public Queue<T, detail::Heap<T>> {
public:
    using Queue<T, detail::Heap<T>>::Queue;
};

/// A Queue that gives the youngest item first.
template <class T>
class LifoQueue : public Queue<T, detail::Stack<T>> {
public:
    using Queue<T, detail::Stack<T>>::Queue;
};

}  // namespace asyncio
