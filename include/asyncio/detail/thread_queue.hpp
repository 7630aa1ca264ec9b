// thread_queue.hpp - how threads and tasks wait at a ThreadQueue, and are served.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/queue_storage.hpp>
#include <asyncio/exceptions.hpp>
#include <asyncio/lowlevel/callback.hpp>
#include <asyncio/lowlevel/intrusive.hpp>
#include <asyncio/lowlevel/waiter.hpp>
#include <asyncio/time.hpp>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <utility>

namespace asyncio::detail {

/// Somebody who waits in one of a queue's lines, under its mutex: a thread, or a task of a loop.
/// Who serves it does in its place what it waits for: gives it an item, or takes the one that it
/// has. So nobody overtakes, and it is woken once.
class ThreadQueueWaiter : public lowlevel::ListHook<ThreadQueueWaiter> {
public:
    enum class State : std::uint8_t { waiting, served, failed, shut_down };

    /// It is in no line any more.
    void serve() noexcept {
        state_ = State::served;
        wake();
    }
    void fail(std::exception_ptr error) noexcept {
        error_ = std::move(error);
        state_ = State::failed;
        wake();
    }
    void shut_down() noexcept {
        state_ = State::shut_down;
        wake();
    }
    [[nodiscard]] State state() const noexcept { return state_; }
    /// What is to be thrown; null if it was served.
    [[nodiscard]] std::exception_ptr error() const;
    /// A std::optional of what the queue has: what it was given, or wants to put; null where it
    /// waits for something else.
    [[nodiscard]] void* place() const noexcept { return place_; }

protected:
    explicit ThreadQueueWaiter(void* place) noexcept : place_(place) {}
    ~ThreadQueueWaiter() = default;
    virtual void wake() noexcept = 0;

private:
    State state_ = State::waiting;
    void* place_;
    std::exception_ptr error_;
};

/// First come, first served.
using ThreadQueueLine = lowlevel::List<ThreadQueueWaiter, ThreadQueueWaiter>;

/// A thread that waits.
class WaitingThread final : public ThreadQueueWaiter {
public:
    explicit WaitingThread(void* place) noexcept : ThreadQueueWaiter(place) {}

    /// Returns when it has been served, or throws what it failed with; std::nullopt stands for no
    /// limit. False if that takes longer than `limit`.
    bool wait(std::unique_lock<std::mutex>& lock, ThreadQueueLine& line,
              std::optional<Duration> limit);

private:
    void wake() noexcept override { changed_.notify_one(); }

    std::condition_variable changed_;
};

/// A task that waits: in the awaiting frame. Who serves it posts this callback to its loop, which
/// exists as long as the waiter does, as the waiter takes the mutex to go.
class WaitingTask : public lowlevel::Waiter, public ThreadQueueWaiter, public lowlevel::Callback {
public:
    bool abort(TaskBase& task, CancelMessage message) noexcept override;
    [[nodiscard]] const char* reason() const noexcept override { return reason_; }

protected:
    WaitingTask(std::mutex& mutex, void* place, const char* reason) noexcept
        : ThreadQueueWaiter(place), Callback(&run_served), mutex_(mutex), reason_(reason) {}
    WaitingTask(const WaitingTask&) = delete;
    WaitingTask& operator=(const WaitingTask&) = delete;
    ~WaitingTask();

    /// With the mutex: the running task waits in `line`.
    void park(ThreadQueueLine& line) noexcept;
    /// After the wait: what is to be thrown, or null. A task that is cancelled after it was served
    /// keeps what it got, and the CancelledError comes at its next await.
    [[nodiscard]] std::exception_ptr settle();
    /// Takes it out of its line, before what it has is destroyed. True if it had been served.
    bool leave() noexcept;

private:
    static void run_served(Callback& callback);
    void wake() noexcept override;

    std::mutex& mutex_;
    TaskBase* task_ = nullptr;
    const char* reason_;
};

/// A queue for threads and tasks without what it keeps its items in.
class ThreadQueueBase {
public:
    ThreadQueueBase(const ThreadQueueBase&) = delete;
    ThreadQueueBase& operator=(const ThreadQueueBase&) = delete;

    [[nodiscard]] int maxsize() const noexcept { return maxsize_; }
    [[nodiscard]] std::mutex& mutex() noexcept { return mutex_; }
    [[nodiscard]] ThreadQueueLine& getters() noexcept { return getters_; }
    [[nodiscard]] ThreadQueueLine& putters() noexcept { return putters_; }
    [[nodiscard]] ThreadQueueLine& joiners() noexcept { return joiners_; }

    void task_done();
    /// With the mutex.
    [[nodiscard]] bool finished() const noexcept { return unfinished_ == 0; }
    /// Blocks until it is finished; false if that takes longer.
    bool wait_until_finished(std::optional<Duration> limit);

    /// Throws RuntimeError in a thread that runs a loop, which would stand still.
    static void check_may_block();

protected:
    explicit ThreadQueueBase(int maxsize) noexcept : maxsize_(maxsize) {}
    ~ThreadQueueBase() = default;

    using Lock = std::unique_lock<std::mutex>;

    [[nodiscard]] bool full_with(std::size_t size) const noexcept {
        return maxsize_ > 0 && size >= static_cast<std::size_t>(maxsize_);
    }
    void item_added() noexcept { ++unfinished_; }
    /// With the mutex: they have been dealt with.
    void items_done(std::size_t count) noexcept;
    /// With the mutex: nobody has to wait for items or room any more.
    void shut_down_all() noexcept;

    const int maxsize_;
    std::mutex mutex_;
    bool shut_down_ = false;

private:
    std::size_t unfinished_ = 0;  // items put, for which task_done() has not been called
    ThreadQueueLine getters_;     // only while there is no item
    ThreadQueueLine putters_;     // only while there is no room
    ThreadQueueLine joiners_;     // only while something is unfinished
};

/// A limit of a wait must not be negative.
void check_timeout(const std::optional<Duration>& timeout);
void report_lost_item() noexcept;

/// An item in a place where it may be moved without fail.
template <class T>
class QueueBox : public Slot<T> {
public:
    using Slot<T>::Slot;
    friend bool operator<(const QueueBox& a, const QueueBox& b) { return a.item() < b.item(); }
};

/// The queue itself, which both sides share. Items are moved and compared under its mutex: what
/// they do then must not use the queue.
template <class T, template <class> class Storage>
class ThreadQueueOf final : public ThreadQueueBase {
public:
    using Item = std::optional<QueueBox<T>>;

    explicit ThreadQueueOf(int maxsize) noexcept : ThreadQueueBase(maxsize) {}

    [[nodiscard]] std::size_t size() {
        const Lock lock(mutex_);
        return items_.size();
    }
    [[nodiscard]] bool full() {
        const Lock lock(mutex_);
        return full_with(items_.size());
    }

    // ---- with the mutex; what throws has changed nothing

    /// False if there is no room; QueueShutDown.
    bool try_put(Item& item) {
        if (shut_down_) {
            throw QueueShutDown();
        }
        if (!getters().empty()) {
            hand_over(item);
        } else if (full_with(items_.size())) {
            return false;
        } else {
            items_.push(std::move(*item));
        }
        item_added();
        return true;
    }
    /// False if there is none; QueueShutDown then if that is how it will stay.
    bool try_get(Item& item) {
        if (items_.size() == 0) {
            if (shut_down_) {
                throw QueueShutDown();
            }
            return false;
        }
        item.emplace(items_.pop());
        take_from_putters();
        return true;
    }

    // ---- without

    void put(Item& item, std::optional<Duration> timeout) {
        check_timeout(timeout);
        Lock lock(mutex_);
        if (try_put(item)) {
            return;
        }
        check_may_block();
        if (!WaitingThread(&item).wait(lock, putters(), timeout)) {
            throw QueueFull();
        }
    }
    void get(Item& item, std::optional<Duration> timeout) {
        check_timeout(timeout);
        Lock lock(mutex_);
        if (try_get(item)) {
            return;
        }
        check_may_block();
        if (!WaitingThread(&item).wait(lock, getters(), timeout)) {
            throw QueueEmpty();
        }
    }
    void put_nowait(Item& item) {
        const Lock lock(mutex_);
        if (!try_put(item)) {
            throw QueueFull();
        }
    }
    void get_nowait(Item& item) {
        const Lock lock(mutex_);
        if (!try_get(item)) {
            throw QueueEmpty();
        }
    }
    /// What somebody got for whom it is of no use: the next one gets it.
    void put_back(Item& item) noexcept {
        const Lock lock(mutex_);
        try {
            if (!getters().empty()) {
                hand_over(item);
            } else if constexpr (requires { items_.push_front(std::move(*item)); }) {
                items_.push_front(std::move(*item));
            } else {
                items_.push(std::move(*item));
            }
        } catch (...) {
            report_lost_item();
        }
    }
    /// Gives the item that was got; should its move throw, the queue has it again.
    T give(Item& item) {
        try {
            return std::move(item->item());
        } catch (...) {
            put_back(item);
            throw;
        }
    }
    void shutdown(bool immediate) noexcept {
        Storage<QueueBox<T>> dropped;  // destroyed without the mutex
        const Lock lock(mutex_);
        shut_down_ = true;
        if (immediate) {
            dropped.swap(items_);
            items_done(dropped.size());
        }
        shut_down_all();
    }

private:
    [[nodiscard]] static Item& item_of(const ThreadQueueWaiter& waiter) noexcept {
        return *static_cast<Item*>(waiter.place());
    }
    void hand_over(Item& item) {
        item_of(getters().front()).emplace(std::move(*item));
        getters().pop_front().serve();
    }
    void take_from_putters() noexcept {
        while (!putters().empty() && !full_with(items_.size())) {
            ThreadQueueWaiter& putter = putters().pop_front();
            try {
                items_.push(std::move(*item_of(putter)));
                item_added();
                putter.serve();
            } catch (...) {
                putter.fail(std::current_exception());
            }
        }
    }

    Storage<QueueBox<T>> items_;
};

}  // namespace asyncio::detail
