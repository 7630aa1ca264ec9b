// thread_queue.hpp - a queue with a side for threads and one for tasks: ThreadQueue.
//
// Beyond asyncio, after Python's janus and culsans: docs/threads.md#a-queue-with-two-sides.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/queue_storage.hpp>
#include <asyncio/detail/thread_queue.hpp>
#include <asyncio/detail/thread_queue_awaiters.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace asyncio {

template <class T, template <class> class Storage>
class ThreadQueue;

namespace detail {

/// What both sides of a ThreadQueue have. None of it waits.
template <class T, template <class> class Storage>
class ThreadQueueSide {
public:
    using value_type = T;

    [[nodiscard]] int maxsize() const noexcept { return queue_->maxsize(); }
    /// As it was a moment ago: others go on meanwhile.
    [[nodiscard]] std::size_t qsize() const { return queue_->size(); }
    [[nodiscard]] bool empty() const { return queue_->size() == 0; }
    [[nodiscard]] bool full() const { return queue_->full(); }

    /// Puts `item` in, or throws QueueFull.
    void put_nowait(T item) const {
        typename Queue::Item kept(std::in_place, std::move(item));
        queue_->put_nowait(kept);
    }
    /// Takes an item out, or throws QueueEmpty.
    T get_nowait() const {
        typename Queue::Item item;
        queue_->get_nowait(item);
        return queue_->give(item);
    }

    /// An item that was got has been dealt with: std::invalid_argument if none is left.
    void task_done() const { queue_->task_done(); }

    /// From now on put() throws QueueShutDown, and so does get() once the queue is empty; whoever
    /// waits finds out. With `immediate` what is in the queue is dropped, and counts as done.
    void shutdown(bool immediate = false) const noexcept { queue_->shutdown(immediate); }
    /// The same at once.
    void close() const noexcept { queue_->shutdown(true); }

    bool operator==(const ThreadQueueSide&) const noexcept = default;

protected:
    using Queue = ThreadQueueOf<T, Storage>;

    explicit ThreadQueueSide(std::shared_ptr<Queue> queue) noexcept : queue_(std::move(queue)) {}
    ~ThreadQueueSide() = default;
    ThreadQueueSide(const ThreadQueueSide&) = default;
    ThreadQueueSide& operator=(const ThreadQueueSide&) = default;

    std::shared_ptr<Queue> queue_;
};

}  // namespace detail

/// The side of a ThreadQueue for threads that may block: Python's queue.Queue. A shared handle.
///
/// Errors:  RuntimeError where get(), put() or join() would block a thread that runs a loop.
/// Threads: any.
template <class T, template <class> class Storage = detail::Ring>
class SyncQueue : public detail::ThreadQueueSide<T, Storage> {
    using Queue = detail::ThreadQueueOf<T, Storage>;

public:
    /// Puts `item` in; waits while the queue is full, at most for `timeout`: then it throws
    /// QueueFull, and the item is not in the queue.
    void put(T item, std::optional<Duration> timeout = std::nullopt) const {
        typename Queue::Item kept(std::in_place, std::move(item));
        this->queue_->put(kept, timeout);
    }
    /// Takes an item out; waits while the queue is empty, at most for `timeout`: then it throws
    /// QueueEmpty, and has taken nothing.
    T get(std::optional<Duration> timeout = std::nullopt) const {
        typename Queue::Item item;
        this->queue_->get(item, timeout);
        return this->queue_->give(item);
    }
    /// Waits until task_done() has been called for every item that was ever put, at most for
    /// `timeout`: then it throws TimeoutError.
    void join(std::optional<Duration> timeout = std::nullopt) const {
        if (!this->queue_->wait_until_finished(timeout)) {
            throw TimeoutError();
        }
    }

private:
    friend ThreadQueue<T, Storage>;
    explicit SyncQueue(std::shared_ptr<detail::ThreadQueueOf<T, Storage>> queue) noexcept
        : detail::ThreadQueueSide<T, Storage>(std::move(queue)) {}
};

/// The side of a ThreadQueue for tasks: Python's asyncio.Queue. A shared handle.
///
/// Cancellation: get() takes nothing, put() puts nothing in. A task that is cancelled when it has
///          just been served keeps its item, and the CancelledError comes at its next await.
/// Threads: any that runs a loop; the tasks of several loops may wait at the same queue.
template <class T, template <class> class Storage = detail::Ring>
class AsyncQueue : public detail::ThreadQueueSide<T, Storage> {
    using Queue = detail::ThreadQueueOf<T, Storage>;

public:
    /// Puts `item` in; waits while the queue is full.
    [[nodiscard]] auto put(T item) const {
        return detail::ThreadQueueWait<Queue, detail::ThreadPutAwaiter, T>(this->queue_,
                                                                           std::move(item));
    }
    /// Takes an item out and gives it; waits while the queue is empty.
    [[nodiscard]] auto get() const {
        return detail::ThreadQueueWait<Queue, detail::ThreadGetAwaiter>(this->queue_);
    }
    /// Waits until task_done() has been called for every item that was ever put.
    [[nodiscard]] auto join() const {
        return detail::ThreadQueueWait<Queue, detail::ThreadJoinAwaiter>(this->queue_);
    }

private:
    friend ThreadQueue<T, Storage>;
    explicit AsyncQueue(std::shared_ptr<detail::ThreadQueueOf<T, Storage>> queue) noexcept
        : detail::ThreadQueueSide<T, Storage>(std::move(queue)) {}
};

/// Items on their way between threads and tasks, in either direction: one queue, and for each kind
/// of user a side that waits in its own way.
///
///     ThreadQueue<Row> rows(100);
///     auto reading = to_thread([sync = rows.sync_q()] { sync.put(read_row()); });   // blocks
///     Row row = co_await rows.async_q().get();                                      // awaits
///
/// Whoever waits, thread or task, is served in the order of coming, and nobody overtakes: an item
/// that is put goes to the first who waits for one. Nothing is lost when a wait is given up.
///
/// T can be moved; it need not be copyable. What its moves, and comparisons, do must not use the
/// queue. If they throw, or there is no memory, put() has put nothing in and get() has taken
/// nothing out.
///
/// `Storage` decides on the order; it is what ThreadPriorityQueue and ThreadLifoQueue differ in.
///
/// Threads: any. The sides keep the queue: this object may go before them, and then they still
///          connect those who have them.
template <class T, template <class> class Storage = detail::Ring>
class ThreadQueue {
public:
    using value_type = T;

    /// At most `maxsize` items; zero or less: any number.
    explicit ThreadQueue(int maxsize = 0)
        : queue_(std::make_shared<detail::ThreadQueueOf<T, Storage>>(maxsize)) {}
    ThreadQueue(const ThreadQueue&) = delete;
    ThreadQueue& operator=(const ThreadQueue&) = delete;

    [[nodiscard]] SyncQueue<T, Storage> sync_q() const { return SyncQueue<T, Storage>(queue_); }
    [[nodiscard]] AsyncQueue<T, Storage> async_q() const { return AsyncQueue<T, Storage>(queue_); }

    [[nodiscard]] int maxsize() const noexcept { return queue_->maxsize(); }
    /// As those of the sides.
    void shutdown(bool immediate = false) const noexcept { queue_->shutdown(immediate); }
    void close() const noexcept { queue_->shutdown(true); }

private:
    std::shared_ptr<detail::ThreadQueueOf<T, Storage>> queue_;
};

/// A ThreadQueue that gives the smallest item first, by `<`.
template <class T>
class ThreadPriorityQueue : public ThreadQueue<T, detail::Heap> {
public:
    using ThreadQueue<T, detail::Heap>::ThreadQueue;
};

/// A ThreadQueue that gives the youngest item first.
template <class T>
class ThreadLifoQueue : public ThreadQueue<T, detail::Stack> {
public:
    using ThreadQueue<T, detail::Stack>::ThreadQueue;
};

}  // namespace asyncio
