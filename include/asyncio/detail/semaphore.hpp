// semaphore.hpp - how tasks wait for a Semaphore.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/place.hpp>
#include <asyncio/detail/primitive.hpp>

#include <cstdint>
#include <string>

namespace asyncio::detail {

class SemaphoreWaiter;

/// What a Semaphore is made of.
class SemaphoreBase {
public:
    using Waiter = SemaphoreWaiter;

    SemaphoreBase(const SemaphoreBase&) = delete;
    SemaphoreBase& operator=(const SemaphoreBase&) = delete;

protected:
    /// There are never to be more than `bound` permits.
    SemaphoreBase(std::int64_t value, std::int64_t bound) noexcept : value_(value), bound_(bound) {}
    ~SemaphoreBase() = default;

    [[nodiscard]] bool must_wait() const noexcept { return value_ == 0 || !line_.quiet(); }
    [[nodiscard]] bool at_bound() const noexcept { return value_ >= bound_; }
    void give() noexcept {
        ++value_;
        if (!line_.empty()) {
            wake_next();
        }
    }
    /// For a guard: one too many is only reported.
    void release_guarded() noexcept;

private:
    friend SemaphoreWaiter;

    bool wake_next() noexcept;
    [[nodiscard]] std::string repr() const;

    std::int64_t value_;
    std::int64_t bound_;
    Line line_;
    LoopBinding binding_;
};

class SemaphoreWaiter : public Place {
public:
    explicit SemaphoreWaiter(SemaphoreBase& semaphore) noexcept : semaphore_(semaphore) {}

    [[nodiscard]] bool await_ready() const noexcept {
        if (semaphore_.must_wait()) {
            return false;
        }
        --semaphore_.value_;
        return true;
    }
    bool abort(TaskBase& task, CancelMessage message) noexcept override;
    [[nodiscard]] const char* reason() const noexcept override { return "semaphore"; }
    void wake() noexcept { task_->wake(); }

protected:
    ~SemaphoreWaiter() {
        if (linked()) {
            semaphore_.line_.leave(*this);
        }
    }
    [[nodiscard]] SemaphoreBase& primitive() const noexcept { return semaphore_; }
    void enter();
    /// Keeps the permit, or passes it on.
    void settle() noexcept;

private:
    SemaphoreBase& semaphore_;
};

}  // namespace asyncio::detail
