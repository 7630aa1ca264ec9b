// queue_base.hpp - a queue without its items: how tasks wait for them, and for room.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/place.hpp>
#include <asyncio/detail/primitive.hpp>
#include <asyncio/locks.hpp>

#include <cstddef>
#include <exception>
#include <string>

namespace asyncio::detail {

class QueueWaiter;

/// Everything of a queue that does not depend on what is in it.
class QueueBase {
public:
    QueueBase(const QueueBase&) = delete;
    QueueBase& operator=(const QueueBase&) = delete;

    /// How many items are in it.
    [[nodiscard]] virtual std::size_t qsize() const noexcept = 0;

protected:
    explicit QueueBase(int maxsize) noexcept : maxsize_(maxsize) { finished_.set(); }
    virtual ~QueueBase() = default;

    [[nodiscard]] bool full_with(std::size_t size) const noexcept {
        return maxsize_ > 0 && size >= static_cast<std::size_t>(maxsize_);
    }
    void item_added() noexcept {
        ++unfinished_;
        finished_.clear();
        if (!getters_.empty()) {
            wake_next(getters_);
        }
    }
    void item_removed() noexcept {
        if (!putters_.empty()) {
            wake_next(putters_);
        }
    }
    void items_dropped(std::size_t count) noexcept;
    void wake_all() noexcept;
    [[nodiscard]] std::exception_ptr cannot_get() const;
    [[noreturn]] void raise_cannot_put() const;
    [[noreturn]] void raise_cannot_get() const;

    int maxsize_;
    bool shut_down_ = false;
    std::size_t unfinished_ = 0;  // items put, for which task_done() has not been called
    Event finished_;              // set while nothing is unfinished

private:
    friend QueueWaiter;

    static void wake_next(Line& line) noexcept;
    [[nodiscard]] std::string repr() const;

    Line getters_;
    Line putters_;
    LoopBinding binding_;
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

    bool abort(TaskBase& task, CancelMessage message) noexcept override;
    [[nodiscard]] const char* reason() const noexcept override {
        return role_ == Role::getter ? "queue get" : "queue put";
    }
    /// If `callback` is that of a task that was woken at a queue: the task.
    [[nodiscard]] static TaskBase* woken_task(const Callback& callback) noexcept;
    /// The same if it does not have to go back to wait.
    [[nodiscard]] static TaskBase* task_to_run(const Callback& callback) noexcept;
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
    [[nodiscard]] QueueBase& primitive() const noexcept { return queue_; }
    /// Is there no item, or no room, in a queue with `size` items? One that is shut down makes
    /// nobody wait.
    [[nodiscard]] bool must_wait(std::size_t size) const noexcept {
        return hopeless(size) && !queue_.shut_down_;
    }
    void enter();
    /// Passes the wake-up on if the task is cancelled.
    void settle() noexcept;
    /// Does what the task was woken for; passes the wake-up on if that throws.
    template <class Fn>
    auto use(Fn fn) {
        try {
            return fn();
        } catch (...) {
            pass_on();
            throw;
        }
    }

private:
    static void run_woken(Callback& callback);
    [[nodiscard]] bool waits_on() const noexcept;

    [[nodiscard]] bool hopeless(std::size_t size) const noexcept {
        return role_ == Role::getter ? size == 0 : queue_.full_with(size);
    }
    [[nodiscard]] Line& line() const noexcept {
        return role_ == Role::getter ? queue_.getters_ : queue_.putters_;
    }
    void pass_on() noexcept;

    QueueBase& queue_;
    Role role_;
    bool cancelled_late_ = false;  // after it was woken
};

}  // namespace asyncio::detail
