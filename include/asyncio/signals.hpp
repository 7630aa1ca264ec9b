// signals.hpp - signals as callbacks and as an iterator: add_signal_handler, Signals.
//
// Mirrors the signal handlers of asyncio's loops; differences: docs/parity.md#signals.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/function.hpp>
#include <asyncio/detail/handle.hpp>
#include <asyncio/events.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace asyncio {

namespace detail {

void set_signal_handler(EventLoop& loop, int signal, UniqueFunction<void()> function,
                        const Context* context);

}  // namespace detail

/// Calls `fn(args...)` on the loop when the process gets `signal`, once for each time that it comes
/// (the system makes one of those that come before it could tell of them). The loop is woken if it
/// waits; system calls of the program are resumed (SA_RESTART). Replaces the handler that the loop
/// has for that signal. What `fn` throws goes to the exception handler.
///
/// Of several loops, a runner's Ctrl-C, and Signals, who asked last gets the signal.
///
/// Errors:  std::invalid_argument ("invalid signal number 0"); RuntimeError for one that cannot be
///          caught ("sig 9 cannot be caught"), and in any thread but the main one.
template <class Fn, class... Args>
    requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>...>
void add_signal_handler(EventLoop& loop, int signal, CallOptions options, Fn&& fn, Args&&... args) {
    static_assert(!detail::AsyncCallable<Fn, Args...>,
                  "coroutines cannot be used with add_signal_handler()");
    if constexpr (sizeof...(Args) > 0) {
        detail::set_signal_handler(loop, signal,
                                   detail::bind(std::forward<Fn>(fn), std::forward<Args>(args)...),
                                   options.context);
    } else {
        detail::set_signal_handler(loop, signal, std::forward<Fn>(fn), options.context);
    }
}
template <class Fn, class... Args>
    requires std::is_invocable_v<std::decay_t<Fn>&, std::decay_t<Args>...>
void add_signal_handler(EventLoop& loop, int signal, Fn&& fn, Args&&... args) {
    add_signal_handler(loop, signal, CallOptions(), std::forward<Fn>(fn),
                       std::forward<Args>(args)...);
}
template <class Fn>
    requires std::is_invocable_v<std::decay_t<Fn>&>
void add_signal_handler(EventLoop& loop, int signal, Fn&& fn, CallOptions options) {
    add_signal_handler(loop, signal, options, std::forward<Fn>(fn));
}
/// The same on the running loop.
template <class... Args>
    requires(sizeof...(Args) > 0)
void add_signal_handler(int signal, Args&&... args) {
    add_signal_handler(get_running_loop(), signal, std::forward<Args>(args)...);
}
template <class Fn>
    requires std::is_invocable_v<std::decay_t<Fn>&>
void add_signal_handler(int signal, Fn&& fn, CallOptions options) {
    add_signal_handler(get_running_loop(), signal, options, std::forward<Fn>(fn));
}

/// Takes the loop's handler of `signal` away; false if it has none. The signal is then treated as
/// it was before. A loop that is closed takes all of its own away.
bool remove_signal_handler(EventLoop& loop, int signal);
bool remove_signal_handler(int signal);

/// Signals that are meant together: `{SIGTERM, SIGINT}`.
class SignalSet {
public:
    constexpr SignalSet() noexcept = default;
    /// std::invalid_argument for a number that is none of a signal.
    /// (Not of a std::initializer_list: g++ 12 cannot make one inside a co_await expression.)
    template <std::same_as<int>... More>
    constexpr SignalSet(int first, More... more) : bits_(checked_bit(first)) {
        ((bits_ |= checked_bit(more)), ...);
    }

    [[nodiscard]] constexpr bool contains(int signal) const noexcept {
        return signal >= 1 && signal <= 64 && (bits_ & bit(signal)) != 0;
    }

private:
    static constexpr std::uint64_t checked_bit(int signal) {
        if (signal < 1 || signal > 64) {
            detail::raise_value_error("invalid signal number");
        }
        return bit(signal);
    }
    static constexpr std::uint64_t bit(int signal) noexcept {
        return std::uint64_t{1} << (signal - 1);
    }

    std::uint64_t bits_ = 0;
};

/// Signals to wait for, as long as it exists:
///
///     Signals signals(SIGTERM, SIGHUP);
///     while (auto signal = co_await signals.next()) {
///         ...
///     }
///
/// Cancellation: no signal is lost: the next next() gives it.
/// Errors and threads: as add_signal_handler()'s.
class Signals {
public:
    /// On the running loop.
    explicit Signals(SignalSet signals);
    template <std::same_as<int>... More>
    explicit Signals(int first, More... more) : Signals(SignalSet(first, more...)) {}
    Signals(Signals&& other) noexcept : state_(std::move(other.state_)) {}
    Signals& operator=(Signals other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    /// As close().
    ~Signals();

    /// The number of the next signal; nullopt after close().
    [[nodiscard]] Coroutine<std::optional<int>> next();
    /// Treats the signals as before again. What waits in next() ends.
    void close();

private:
    struct State;
    static Coroutine<std::optional<int>> next_of(std::shared_ptr<State> state);

    std::shared_ptr<State> state_;  // shared with those who wait
};

}  // namespace asyncio
