// queues.hpp - what tasks hand things to each other with: Queue, PriorityQueue, LifoQueue.
//
// Mirrors asyncio.queues; differences: docs/parity.md#queues.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/locks.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace asyncio {

namespace detail {

class QueueWaiter;
template <class Queue>
class GetAwaiter;
template <class Queue>
class Put;

/// Everything of a queue that does not depend on what is in it: who waits, and how many items
/// there are.
class QueueBase {
public:
    QueueBase(const QueueBase&) = delete;
    QueueBase& operator=(const QueueBase&) = delete;

    /// How many items there may be; zero or less: any number.
    [[nodiscard]] int maxsize() const noexcept { return maxsize_; }
    [[nodiscard]] std::size_t qsize() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] bool full() const noexcept {
        return maxsize_ > 0 && size_ >= static_cast<std::size_t>(maxsize_);
    }

    /// An item that was got has been dealt with.
    void task_done() {
        if (unfinished_ == 0) {
            raise_value_error("task_done() called too many times");
        }
        if (--unfinished_ == 0) {
            finished_.set();
        }
    }
    /// Waits until task_done() has been called for every item that was ever put.
    [[nodiscard]] auto join() noexcept { return WaitFor<EventAwaiter<void>, Event>(finished_); }

protected:
    explicit QueueBase(int maxsize) noexcept : maxsize_(maxsize) { finished_.set(); }
    ~QueueBase() = default;

    void check_may_put() const {
        if (shut_down_ || full()) {
            raise_cannot_put();
        }
    }
    void check_may_get() const {
        if (empty()) {
            raise_cannot_get();
        }
    }
    void item_added() noexcept {
        ++size_;
        ++unfinished_;
        finished_.clear();
        if (!getters_.empty()) {
            wake_next(getters_);
        }
    }
    void item_removed() noexcept {
        --size_;
        if (!putters_.empty()) {
            wake_next(putters_);
        }
    }
    void items_dropped() noexcept;
    void shut_down() noexcept { shut_down_ = true; }
    void wake_all() noexcept;
    [[nodiscard]] std::exception_ptr cannot_get() const;

private:
    friend QueueWaiter;

    static void wake_next(Line& line) noexcept;
    [[noreturn]] void raise_cannot_put() const;
    [[noreturn]] void raise_cannot_get() const;
    [[nodiscard]] std::string repr() const;

    std::size_t size_ = 0;
    std::size_t unfinished_ = 0;  // items put, for which task_done() has not been called
    Line getters_;
    Line putters_;
    Event finished_;  // set while nothing is unfinished
    LoopBinding binding_;
    int maxsize_;
    bool shut_down_ = false;
};

/// A task that waits for an item, or for room for one.
///
/// To be woken is a hint: somebody may be quicker. So it is this callback that is scheduled; it
/// looks again and goes back to wait, or runs the task in its place, in the same turn.
class QueueWaiter : public Place, public lowlevel::Callback {
public:
    enum class Role : bool { getter, putter };

    QueueWaiter(QueueBase& queue, Role role) noexcept
        : Callback(&run_woken), queue_(queue), role_(role) {}

    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P>) {
        enter();
    }
    bool abort(TaskBase& task, CancelMessage message) noexcept override;
    [[nodiscard]] const char* reason() const noexcept override {
        return role_ == Role::getter ? "queue get" : "queue put";
    }
    void wake() noexcept { task_->loop().schedule(static_cast<Callback&>(*this)); }

protected:
    ~QueueWaiter() {
        if (Callback::linked()) {
            Callback::unlink();
        }
        if (Place::linked()) {
            line().leave(*this);
        }
    }
    [[nodiscard]] QueueBase& queue() const noexcept { return queue_; }
    /// Is there no item, or no room? A queue that is shut down makes nobody wait.
    [[nodiscard]] bool must_wait() const noexcept { return hopeless() && !queue_.shut_down_; }
    /// Passes the wake-up on if the task is cancelled.
    void settle() noexcept;

private:
    static void run_woken(Callback& callback);

    [[nodiscard]] bool hopeless() const noexcept {
        return role_ == Role::getter ? queue_.empty() : queue_.full();
    }
    [[nodiscard]] Line& line() const noexcept {
        return role_ == Role::getter ? queue_.getters_ : queue_.putters_;
    }
    void enter();

    QueueBase& queue_;
    Role role_;
    bool cancelled_late_ = false;  // after it was woken
};

template <class Queue>
class [[nodiscard]] GetAwaiter final : public Settling<QueueWaiter> {
    using Item = typename Queue::value_type;

public:
    explicit GetAwaiter(Queue& queue) noexcept : Settling(queue, Role::getter) {}

    [[nodiscard]] bool await_ready() const noexcept { return !must_wait(); }
    Item await_resume() {
        finish();
        return static_cast<Queue&>(queue()).get_nowait();
    }
    Result<Item> await_result() {
        if (std::exception_ptr error = finish_without_throw()) {
            return Result<Item>(std::move(error));
        }
        if (queue().empty()) {
            return Result<Item>(static_cast<Queue&>(queue()).cannot_get());
        }
        return Result<Item>::of([this] { return static_cast<Queue&>(queue()).get_nowait(); });
    }
};

template <class Queue>
class [[nodiscard]] PutAwaiter final : public Settling<QueueWaiter> {
    using Item = typename Queue::value_type;

public:
    PutAwaiter(Queue& queue, Item&& item) : Settling(queue, Role::putter), item_(std::move(item)) {}

    [[nodiscard]] bool await_ready() const noexcept { return !must_wait(); }
    void await_resume() {
        finish();
        static_cast<Queue&>(queue()).put_nowait(std::move(item_));
    }
    Result<void> await_result() {
        if (std::exception_ptr error = finish_without_throw()) {
            return Result<void>(std::move(error));
        }
        return Result<void>::of(
            [this] { static_cast<Queue&>(queue()).put_nowait(std::move(item_)); });
    }

private:
    Item item_;
};

/// What put() gives: keeps the item until it is awaited, once.
template <class Queue>
class [[nodiscard]] Put {
    using Item = typename Queue::value_type;

public:
    Put(Queue& queue, Item&& item) : queue_(&queue), item_(std::move(item)) {}
    PutAwaiter<Queue> operator co_await() && {
        return PutAwaiter<Queue>(*queue_, std::move(item_));
    }

private:
    Queue* queue_;
    Item item_;
};

/// A queue of T that keeps its items in a Storage, which decides on their order.
template <class T, class Storage>
class QueueOf : public QueueBase {
public:
    using value_type = T;

    explicit QueueOf(int maxsize = 0) noexcept : QueueBase(maxsize) {}

    /// Puts `item` in; waits while the queue is full.
    [[nodiscard]] Put<QueueOf> put(T item) { return Put<QueueOf>(*this, std::move(item)); }
    /// Puts `item` in, or throws QueueFull.
    void put_nowait(T item) {
        check_may_put();
        items_.push(std::move(item));
        item_added();
    }

    /// Takes an item out and gives it; waits while the queue is empty.
    [[nodiscard]] WaitFor<GetAwaiter<QueueOf>, QueueOf> get() noexcept {
        return WaitFor<GetAwaiter<QueueOf>, QueueOf>(*this);
    }
    /// Takes an item out, or throws QueueEmpty.
    T get_nowait() {
        check_may_get();
        T item = items_.pop();
        item_removed();
        return item;
    }

    /// From now on put() throws QueueShutDown, and so does get() once the queue is empty; whoever
    /// waits finds out. With `immediate` what is in the queue is dropped, and counts as done.
    void shutdown(bool immediate = false) {
        shut_down();
        if (immediate) {
            const Storage dropped = std::exchange(items_, Storage());
            items_dropped();
        }
        wake_all();
    }

private:
    template <class>
    friend class GetAwaiter;

    Storage items_;
};

/// First in, first out: a ring that has room for a power of two, and grows.
template <class T>
class Ring {
public:
    Ring() = default;
    Ring(Ring&& other) noexcept { swap(other); }
    Ring& operator=(Ring&& other) noexcept {
        swap(other);
        return *this;
    }
    ~Ring() {
        for (; size_ > 0; --size_) {
            std::destroy_at(slots_ + first_);
            first_ = after(1);
        }
        if (slots_ != nullptr) {
            std::allocator<T>().deallocate(slots_, room_);
        }
    }

    void push(T&& item) {
        if (size_ == room_) {
            grow();
        }
        std::construct_at(slots_ + after(size_), std::move(item));
        ++size_;
    }
    T pop() {
        T& slot = slots_[first_];
        T item = std::move(slot);
        std::destroy_at(&slot);
        first_ = after(1);
        --size_;
        return item;
    }

private:
    [[nodiscard]] std::size_t after(std::size_t steps) const noexcept {
        return (first_ + steps) & (room_ - 1);
    }
    void swap(Ring& other) noexcept {
        std::swap(slots_, other.slots_);
        std::swap(room_, other.room_);
        std::swap(first_, other.first_);
        std::swap(size_, other.size_);
    }
    void grow() {
        Ring larger;
        larger.room_ = room_ == 0 ? 4 : 2 * room_;
        larger.slots_ = std::allocator<T>().allocate(larger.room_);
        while (size_ > 0) {
            larger.push(pop());
        }
        swap(larger);
    }

    T* slots_ = nullptr;
    std::size_t room_ = 0;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};

/// Last in, first out.
template <class T>
class Stack {
public:
    void push(T&& item) { items_.push_back(std::move(item)); }
    T pop() {
        T item = std::move(items_.back());
        items_.pop_back();
        return item;
    }

private:
    std::vector<T> items_;
};

/// The smallest first. The heap of Python's heapq to the step, so that of items of which none is
/// smaller than the other the same one comes first; std::push_heap leaves that to the library.
template <class T>
class Heap {
public:
    void push(T&& item) {
        items_.push_back(std::move(item));
        rise(items_.size() - 1);
    }
    T pop() {
        if (items_.size() > 1) {
            std::swap(items_.front(), items_.back());
        }
        T item = std::move(items_.back());
        items_.pop_back();
        if (!items_.empty()) {
            sink_and_rise();
        }
        return item;
    }

private:
    void rise(std::size_t at) {
        while (at > 0) {
            const std::size_t parent = (at - 1) / 2;
            if (!(items_[at] < items_[parent])) {
                return;
            }
            std::swap(items_[at], items_[parent]);
            at = parent;
        }
    }
    // To the bottom without looking, then up again: what was last belongs near the bottom, so this
    // compares less than asking on the way down.
    void sink_and_rise() {
        std::size_t at = 0;
        for (std::size_t child = 1; child < items_.size(); child = 2 * at + 1) {
            const std::size_t right = child + 1;
            if (right < items_.size() && !(items_[child] < items_[right])) {
                child = right;
            }
            std::swap(items_[at], items_[child]);
            at = child;
        }
        rise(at);
    }

    std::vector<T> items_;
};

}  // namespace detail

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
/// Cancellation: get() takes nothing, put() puts nothing in; if the task had been woken for an
///         item, or for room, the next one is woken.
/// Errors: QueueEmpty, QueueFull, and QueueShutDown after shutdown();
///         std::invalid_argument("task_done() called too many times").
/// Threads: one. As for locks, the queue outlives the tasks that use it, and belongs to one loop.
template <class T>
class Queue : public detail::QueueOf<T, detail::Ring<T>> {
public:
    using detail::QueueOf<T, detail::Ring<T>>::QueueOf;
};

/// A Queue that gives the smallest item first, by `<`.
template <class T>
class PriorityQueue : public detail::QueueOf<T, detail::Heap<T>> {
public:
    using detail::QueueOf<T, detail::Heap<T>>::QueueOf;
};

/// A Queue that gives the youngest item first.
template <class T>
class LifoQueue : public detail::QueueOf<T, detail::Stack<T>> {
public:
    using detail::QueueOf<T, detail::Stack<T>>::QueueOf;
};

}  // namespace asyncio
