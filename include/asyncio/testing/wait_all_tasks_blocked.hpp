// wait_all_tasks_blocked.hpp - until all other tasks wait: wait_all_tasks_blocked().
//
// Beyond asyncio: after Trio and AnyIO.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/waiter.hpp>
#include <asyncio/time.hpp>

#include <concepts>
#include <coroutine>
#include <cstdint>

namespace asyncio::testing {

namespace detail {

/// Its callback comes after a time in which nothing else has run, or begins again.
class [[nodiscard]] BlockedAwaiter final : public lowlevel::Waiter, public lowlevel::Callback {
public:
    explicit BlockedAwaiter(Duration cushion) noexcept : Callback(&look), cushion_(cushion) {}
    BlockedAwaiter(const BlockedAwaiter&) = delete;
    BlockedAwaiter& operator=(const BlockedAwaiter&) = delete;
    ~BlockedAwaiter();

    bool await_ready() const noexcept { return false; }
    template <class P>
        requires std::derived_from<P, asyncio::detail::PromiseBase>
    void await_suspend(std::coroutine_handle<P>) {
        suspend();
    }
    void await_resume() const { task_->throw_if_interrupted(); }

    bool abort(lowlevel::TaskBase& task, lowlevel::CancelMessage message) noexcept override;
    [[nodiscard]] const char* reason() const noexcept override { return "all tasks blocked"; }

private:
    enum class State : std::uint8_t { begins, sleeps, looks };

    static void look(Callback& callback);
    void suspend();
    void sleep();

    Duration cushion_;
    lowlevel::TaskBase* task_ = nullptr;
    std::uint64_t others_before_ = ~std::uint64_t{0};
    State state_ = State::begins;
};

class [[nodiscard]] Blocked {
public:
    static constexpr bool awaited_by_value = true;

    explicit Blocked(Duration cushion) noexcept : cushion_(cushion) {}
    BlockedAwaiter operator co_await() const noexcept { return BlockedAwaiter(cushion_); }

private:
    Duration cushion_;
};

}  // namespace detail

/// Waits until every other task of the loop waits, and nothing has run for `cushion` on the loop's
/// clock: for tests that want others to have come to a stand, on whatever clock. (On the virtual
/// one settle() is enough.) Those who wait by this do not count as running.
///
///     co_await testing::wait_all_tasks_blocked();
///
/// Cancellation: ends the wait.
[[nodiscard]] inline detail::Blocked wait_all_tasks_blocked(Duration cushion = 0) noexcept {
    return detail::Blocked(cushion);
}

}  // namespace asyncio::testing
