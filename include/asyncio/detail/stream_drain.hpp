// stream_drain.hpp - what the waits of a StreamWriter are awaited with.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/stream_handle.hpp>
#include <asyncio/detail/wait_closed.hpp>
#include <asyncio/lowlevel/waiter.hpp>

#include <concepts>
#include <coroutine>
#include <cstdint>

namespace asyncio::detail {

/// Waits until the peer has taken enough of what was written.
class [[nodiscard]] DrainAwaiter final : public lowlevel::ListWaiter {
public:
    explicit DrainAwaiter(StreamCount& connection) noexcept : connection_(connection) {}
    DrainAwaiter(const DrainAwaiter&) = delete;
    DrainAwaiter& operator=(const DrainAwaiter&) = delete;

    [[nodiscard]] bool await_ready() noexcept;
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P>) noexcept {
        suspend();
    }
    void await_resume();
    [[nodiscard]] const char* reason() const noexcept override { return "drain"; }

private:
    friend class Connection;
    enum class State : std::uint8_t { begun, yielded, parked, lost };

    void suspend() noexcept;

    StreamCount& connection_;
    State state_ = State::begun;
};

class [[nodiscard]] Drain {
public:
    explicit Drain(StreamCount& connection) noexcept : connection_(connection) {}
    DrainAwaiter operator co_await() const noexcept { return DrainAwaiter(connection_.get()); }

private:
    StreamKeep connection_;
};

/// What wait_closed() of a writer gives.
class [[nodiscard]] StreamClosed {
public:
    explicit StreamClosed(StreamCount& connection) noexcept : connection_(connection) {}
    WaitClosedAwaiter operator co_await() const noexcept;

private:
    StreamKeep connection_;
};

}  // namespace asyncio::detail
