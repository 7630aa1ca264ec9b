// lock.hpp - how tasks wait for a Lock.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/place.hpp>
#include <asyncio/detail/primitive.hpp>

#include <cstdint>
#include <string>

namespace asyncio::detail {

class LockWaiter;

/// What a Lock is made of.
class LockBase {
public:
    using Waiter = LockWaiter;

    LockBase(const LockBase&) = delete;
    LockBase& operator=(const LockBase&) = delete;

protected:
    LockBase() = default;
    ~LockBase() { waiters_.clear(); }

    /// Opened, not handed over: the first waiter takes it when it runs; until then a newcomer sees
    /// a live waiter and queues behind it.
    void open() noexcept {
        locked_ = false;
        if (!waiters_.empty()) {
            wake_first();
        }
    }
    /// For a guard: one too many is only reported.
    void release_guarded() noexcept;

    bool locked_ = false;

private:
    friend LockWaiter;

    void wake_first() noexcept;
    [[nodiscard]] std::string repr() const;

    std::uint32_t live_ = 0;  // of the waiters, those that were not cancelled
    PlaceList waiters_;       // until they run: also those that were woken or cancelled
    LoopBinding binding_;
};

class LockWaiter : public Place {
public:
    explicit LockWaiter(LockBase& lock) noexcept : lock_(lock) {}

    [[nodiscard]] bool await_ready() const noexcept {
        if (lock_.locked_ || lock_.live_ != 0) {
            return false;
        }
        lock_.locked_ = true;
        return true;
    }
    bool abort(TaskBase& task, CancelMessage message) noexcept override;
    [[nodiscard]] const char* reason() const noexcept override { return "lock"; }

protected:
    ~LockWaiter() {
        if (linked()) {
            drop();
        }
    }
    [[nodiscard]] LockBase& primitive() const noexcept { return lock_; }
    void enter();
    /// Takes the lock, or sees to it that somebody else does.
    void settle() noexcept;

private:
    void drop() noexcept;

    LockBase& lock_;
};

}  // namespace asyncio::detail
