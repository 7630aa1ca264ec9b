// timeouts.hpp - timeout(), timeout_at(): a limit on the time that a block of code takes.
//
// Mirrors asyncio.timeouts; differences: docs/parity.md#timeouts.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/task.hpp>
#include <asyncio/with.hpp>

#include <exception>
#include <optional>
#include <utility>

namespace asyncio {

/// A limit on the time of a body: `co_await with(timeout(5s), body)`, or `timeout(5s, body)`. When
/// the time is up the task is cancelled, and at the end of the body that cancellation becomes a
/// TimeoutError. A cancellation from outside that comes as well wins: CancelledError passes.
///
/// A body that awaits nothing that suspends is never interrupted, and one that ends without an
/// exception gives its result, even late.
///
/// Errors: RuntimeError outside a task, when entered twice, and for reschedule() before or after.
class Timeout {
public:
    /// nullopt: no limit, until reschedule().
    explicit Timeout(std::optional<TimePoint> when) noexcept : when_(when) {}
    /// Only before it is entered: RuntimeError otherwise.
    // NOLINTNEXTLINE(performance-noexcept-move-constructor): it throws on misuse
    Timeout(Timeout&& other);
    Timeout& operator=(Timeout&&) = delete;
    ~Timeout() { disarm(); }

    /// When the time is up, on the loop's clock; nullopt without a limit.
    [[nodiscard]] std::optional<TimePoint> when() const noexcept { return when_; }
    /// Another limit, or none. One that has passed takes effect in the next turn.
    void reschedule(std::optional<TimePoint> when);
    /// Was the time up before the body ended?
    [[nodiscard]] bool expired() const noexcept {
        return state_ == State::expiring || state_ == State::expired;
    }

    Timeout& aenter() {
        enter();
        return *this;
    }
    bool aexit(const std::exception_ptr& error) {
        exit(error);
        return false;
    }

    /// What entering does, for those who have no body.
    void enter();
    /// What leaving does: throws TimeoutError if `error` is the cancellation that this asked for.
    void exit(const std::exception_ptr& error);

private:
    friend Timeout timeout(std::optional<Duration> delay);

    enum class State : std::uint8_t { created, active, expiring, expired, finished };

    /// At `now`, as just read from the loop's clock.
    Timeout(std::optional<TimePoint> when, TimePoint now) noexcept
        : when_(when), ahead_(when.has_value() && *when > now) {}

    struct TimeUp : lowlevel::Callback {
        explicit TimeUp(Timeout& timeout) noexcept : Callback(&run), owner(timeout) {}
        static void run(Callback& callback);
        Timeout& owner;
    };

    void arm();
    void disarm() noexcept;

    std::optional<TimePoint> when_;
    State state_ = State::created;
    bool ahead_ = false;  // not due when it was made: the clock need not be read again to enter it
    int cancelling_ = 0;
    detail::TaskBase* task_ = nullptr;
    TimeUp time_up_{*this};
};

/// A Timeout of `delay` from now on; std::nullopt for none.
[[nodiscard]] Timeout timeout(std::optional<Duration> delay);
/// A Timeout at a time on the loop's clock; std::nullopt for none.
[[nodiscard]] Timeout timeout_at(std::optional<TimePoint> when);

/// Short for with(timeout(delay), body).
template <class Body>
[[nodiscard]] auto timeout(std::optional<Duration> delay, Body&& body) {
    return with(timeout(delay), std::forward<Body>(body));
}

}  // namespace asyncio
