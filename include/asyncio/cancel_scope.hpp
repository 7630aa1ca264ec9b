// cancel_scope.hpp - CancelScope: a block of code that can be cancelled; move_on_after, fail_after.
//
// Beyond asyncio: after Trio and AnyIO. What it is for: docs/beyond.md#cancelscope.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/config.hpp>
#include <asyncio/detail/scope.hpp>
#include <asyncio/detail/task.hpp>
#include <asyncio/with.hpp>

#include <cstdint>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace asyncio {

/// Keyword arguments of CancelScope.
struct CancelScopeOptions {
    std::optional<TimePoint> deadline = std::nullopt;  ///< on the loop's clock; nullopt: none
    bool shield = false;                               ///< see CancelScope::shield()
};
static_assert(detail::trivially_destructible<CancelScopeOptions>);

/// Keyword arguments of move_on_after() and its kin.
struct ScopeOptions {
    bool shield = false;  ///< see CancelScope::shield()
};

/// A part of a task that can be cancelled, and stays so: from cancel() on, or from the deadline on,
/// every await in it that would wait throws CancelledError, as often as it is tried, until the body
/// has been left. There the CancelledError ends: what comes after the scope is not disturbed.
///
///     CancelScope scope({.deadline = get_running_loop().time() + 5s});
///     co_await with(scope, [&]() -> Coroutine<> {
///         co_await slow();  // somebody may call scope.cancel()
///     });
///     if (scope.cancelled_caught()) { ... }
///
/// A body that ends otherwise, with a result or another exception, has not been cancelled.
///
/// Nesting: a CancelledError goes to the outermost scope that is cancelled, as far as the shields
///     allow. A shielded scope (shield()) is not disturbed by scopes around it, however often they
///     are cancelled; its own cancel() and deadline work. When it is left, they do again.
/// Task::cancel(): asks once, for the whole task, and passes: it goes through every scope and every
///     shield, and no scope ends its CancelledError. What TaskGroup, timeout() and wait_for() do
///     is a Task::cancel(), so it goes through shields as well. While a task is in a cancelled
///     scope that it can see, this counts as one request in cancelling(), so whoever compares
///     (timeout(), TaskGroup) finds that somebody else wants the task to end. When the scope is
///     left, the request is taken back.
/// TaskGroup, gather(), tasks that are awaited: they are cancelled once, by Task::cancel(), when
/// the
///     scope in which they are awaited is. They have their own scopes, which are not inside of
///     this one.
/// What is ready at once: does not wait, so it does not throw (see lowlevel::checkpoint()).
/// What was granted: a task that was woken with a value before cancel() gets the value; the next
///     await throws.
///
/// A scope is entered once, by with(), and belongs to the task that entered it. Scopes are left in
/// the reverse order. There is no guard, for a destructor cannot end an exception; by hand it is
/// enter() and exit(). Not around a co_yield: the scope would hold for whoever iterates.
///
/// Errors:  RuntimeError outside a task, when entered twice, or left out of order.
/// Threads: belongs to its loop's thread.
class CancelScope : private detail::ScopeLink {
public:
    explicit CancelScope(CancelScopeOptions options = {}) noexcept;
    /// Only before it is entered: RuntimeError otherwise.
    // NOLINTNEXTLINE(performance-noexcept-move-constructor): it throws on misuse
    CancelScope(CancelScope&& other);
    CancelScope& operator=(CancelScope&&) = delete;
    /// Leaves the scope if nobody has: when the loop is closed under it.
    ~CancelScope();

    /// Cancels what is in the scope, from now on and for good. Before it is entered: as soon as it
    /// is; after it was left, or a second time: changes nothing.
    void cancel();

    /// When the scope cancels itself; nullopt if it does not.
    [[nodiscard]] std::optional<TimePoint> deadline() const noexcept;
    /// Another deadline, or none. One that has passed cancels at once; a scope that is cancelled
    /// stays so.
    void set_deadline(std::optional<TimePoint> when);

    /// Is the scope protected from those around it?
    [[nodiscard]] bool shield() const noexcept { return ScopeLink::shield; }
    void set_shield(bool on);

    /// Has it been cancelled, by whomever, or by its deadline?
    [[nodiscard]] bool cancel_called() const noexcept { return cancelled; }
    /// Did its cancellation end the body? Known once it has been left.
    [[nodiscard]] bool cancelled_caught() const noexcept { return caught_; }

    CancelScope& aenter() {
        enter();
        return *this;
    }
    bool aexit(const std::exception_ptr& error) { return exit(error); }

    /// What entering does, for those who have no body.
    void enter();
    /// What leaving does: true if `error` is the scope's own CancelledError, which ends here. A
    /// fail_after() throws TimeoutError instead.
    bool exit(const std::exception_ptr& error);

private:
    friend CancelScope fail_at(std::optional<TimePoint> when, ScopeOptions options);

    enum class State : std::uint8_t { created, active, left };

    struct TimeUp : lowlevel::Callback {
        explicit TimeUp(CancelScope& scope) noexcept : Callback(&run), owner(scope) {}
        static void run(Callback& callback);
        CancelScope& owner;
    };

    void arm();
    void disarm() noexcept;
    void leave() noexcept;

    State state_ = State::created;
    bool fails_ = false;
    bool caught_ = false;
    int requests_ = 0;  // Task::cancel()s that had been delivered when it was entered
    detail::TaskBase* task_ = nullptr;  // kept while the scope is active
    TimeUp time_up_{*this};
};

/// A CancelScope whose deadline is `delay` from now on; nullopt for none. Like timeout(), but the
/// code after it simply goes on.
///
///     CancelScope scope = move_on_after(1s, {.shield = true});   // time to clean up
///     co_await with(scope, [&]() -> Coroutine<> { co_await connection.close(); });
[[nodiscard]] CancelScope move_on_after(std::optional<Duration> delay, ScopeOptions options = {});
/// The same with a time on the loop's clock.
[[nodiscard]] CancelScope move_on_at(std::optional<TimePoint> when, ScopeOptions options = {});

/// As move_on_after(), but throws TimeoutError where the scope would have ended its CancelledError.
/// (Also when it was cancel() that was called.)
[[nodiscard]] CancelScope fail_after(std::optional<Duration> delay, ScopeOptions options = {});
/// The same with a time on the loop's clock.
[[nodiscard]] CancelScope fail_at(std::optional<TimePoint> when, ScopeOptions options = {});

/// Short for with(fail_after(delay), body).
template <class Body>
    requires(!std::is_convertible_v<Body, ScopeOptions>)
[[nodiscard]] auto fail_after(std::optional<Duration> delay, Body&& body) {
    return with(fail_after(delay), std::forward<Body>(body));
}

namespace detail {

/// What a body gives, if it was not cancelled: nullopt otherwise; for void, whether it was not.
template <class T>
using IfNotCancelled = std::conditional_t<std::is_void_v<T>, bool, std::optional<NotVoid<T>>>;

template <class Body>
auto move_on_coroutine(CancelScope scope, Body body)
    -> Coroutine<IfNotCancelled<BodyResult<CancelScope, Body>>> {
    using T = BodyResult<CancelScope, Body>;
    Coroutine<T> work = with(scope, std::move(body));
    Result<T> result = co_await as_result(std::move(work));
    if (scope.cancelled_caught()) {
        co_return IfNotCancelled<T>{};
    }
    if constexpr (std::is_void_v<T>) {
        result.get();
        co_return true;
    } else {
        co_return std::move(result).get();
    }
}

}  // namespace detail

/// Runs `body` in move_on_after(delay), and gives what it gives, or nullopt if the time was up; for
/// a body without a result true, or false.
///
///     std::optional<std::string> answer = co_await move_on_after(1s, [&]() ->
///     Coroutine<std::string> {
///         co_return co_await reader.readline();
///     });
template <class Body>
    requires(!std::is_convertible_v<Body, ScopeOptions>)
[[nodiscard]] auto move_on_after(std::optional<Duration> delay, Body&& body) {
    return detail::move_on_coroutine<std::decay_t<Body>>(move_on_after(delay),
                                                         std::forward<Body>(body));
}

/// When the running code will be cancelled by a scope, as far as is known: the earliest deadline of
/// the scopes that it can see (see CancelScope::shield()). TimePoint::max() if there is none,
/// TimePoint::min() if it is cancelled already. A timeout() is not a scope.
[[nodiscard]] TimePoint current_effective_deadline();

}  // namespace asyncio
