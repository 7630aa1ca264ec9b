// threads.hpp - to_thread() for work that can be told to stop.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/result.hpp>
#include <asyncio/threads.hpp>

#include <stop_token>
#include <type_traits>
#include <utility>

namespace tour {

/// Calls `fn(args..., stop_token)` in a thread. A thread cannot be cancelled, but when the wait is
/// (by a deadline, or Ctrl-C) the token says so, and the function returns as soon as it looks.
template <class Fn, class... Args>
auto stoppable_thread(Fn fn, Args... args)
    -> asyncio::Coroutine<std::invoke_result_t<Fn&, Args..., std::stop_token>> {
    std::stop_source stop;
    auto work = asyncio::to_thread(fn, std::move(args)..., stop.get_token());
    auto result = co_await asyncio::as_result(std::move(work));
    if (result.cancelled()) {
        stop.request_stop();
    }
    co_return std::move(result).get();
}

}  // namespace tour
