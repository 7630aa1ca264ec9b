// staggered.hpp - staggered_race(): attempts that begin one after another, of which one is to
// succeed.
//
// Mirrors asyncio.staggered; differences: docs/parity.md#staggered.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/function.hpp>
#include <asyncio/time.hpp>

#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace asyncio {

/// What staggered_race() gives.
template <class T>
struct StaggeredRace {
    std::optional<T> winner_result;           ///< std::monostate of coroutines that give nothing
    std::optional<std::size_t> winner_index;  ///< among all that were passed
    /// Of those that were started, in their order: what each threw, a CancelledError too; null of
    /// the winner.
    std::vector<std::exception_ptr> exceptions;
};

namespace detail {

struct StaggeredOutcome {
    std::optional<std::size_t> winner;
    std::vector<std::exception_ptr> exceptions;
};

/// The race without the types of its results, which `start` keeps.
[[nodiscard]] Coroutine<StaggeredOutcome> run_staggered(
    std::size_t count, std::optional<Duration> delay,
    UniqueFunction<Coroutine<>(std::size_t)> start);

template <class Fn, class T>
Coroutine<> keep_first_result(Fn& fn, std::optional<T>& result) {
    if constexpr (std::is_same_v<T, std::monostate>) {
        co_await fn();
        result.emplace();
    } else {
        auto value = co_await fn();
        if (!result.has_value()) {  // otherwise another one has won meanwhile
            result.emplace(std::move(value));
        }
    }
}

template <class Fn>
using StaggeredResultOf =
    std::conditional_t<std::is_void_v<typename std::invoke_result_t<Fn&>::value_type>,
                       std::monostate, typename std::invoke_result_t<Fn&>::value_type>;

}  // namespace detail

/// Calls the first of `coro_fns`, each of which returns a Coroutine, and runs that in a task of its
/// own. When it has failed, or when `delay` has passed, the next one; and so on until one succeeds:
/// it wins, and the others are cancelled. Without a delay: one after the other. Returns when all
/// have ended, also if none has won.
///
/// Cancellation: all attempts are cancelled, and have ended when the CancelledError is thrown. An
///               attempt that was cancelled must not succeed nevertheless; if two succeed in the
///               same turn, the result of the second is destroyed.
/// Errors:       ExceptionGroup if a task of the race itself fails, as for want of memory.
template <class Fn>
[[nodiscard]] Coroutine<StaggeredRace<detail::StaggeredResultOf<Fn>>> staggered_race(
    std::vector<Fn> coro_fns, std::optional<Duration> delay) {
    StaggeredRace<detail::StaggeredResultOf<Fn>> race;
    auto outcome =
        detail::run_staggered(coro_fns.size(), delay, [&coro_fns, &race](std::size_t index) {
            return detail::keep_first_result(coro_fns[index], race.winner_result);
        });
    detail::StaggeredOutcome ended = co_await std::move(outcome);
    race.winner_index = ended.winner;
    race.exceptions = std::move(ended.exceptions);
    co_return race;
}

}  // namespace asyncio
