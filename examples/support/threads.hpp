// threads.hpp - calls that block, in threads: Threads, Pools.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "text.hpp"

#include <asyncio/coroutines.hpp>
#include <asyncio/events.hpp>
#include <asyncio/result.hpp>
#include <asyncio/threads.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>

namespace tour {

/// The threads of one source of work. A call that hangs takes its thread with it for ever: as each
/// source has threads of its own, and gets another one whenever none is idle, nobody has to wait
/// for what hangs.
class Threads {
public:
    /// Calls `fn(args..., stop_token)` in a thread, to wait for `what`. A thread cannot be
    /// cancelled, but when the wait is (by a deadline, or Ctrl-C) the token says so, and the
    /// function returns as soon as it looks.
    template <class Fn, class... Args>
    auto call(std::string what, Fn fn, Args... args)
        -> asyncio::Coroutine<std::invoke_result_t<Fn&, Args..., std::stop_token>> {
        std::stop_source stop;
        auto work = [=, this, token = stop.get_token()] {
            const UnderWay here(*this, what);
            return fn(args..., token);
        };
        auto future = asyncio::get_running_loop().run_in_executor(&pool_, std::move(work));
        auto result = co_await asyncio::as_result(future);
        if (result.cancelled()) {
            stop.request_stop();
        }
        co_return std::move(result).get();
    }

    /// Waits, but not beyond `until`, for the calls that are under way: what those wait for that
    /// still are.
    std::multiset<std::string> hanging(std::chrono::steady_clock::time_point until) {
        std::unique_lock lock(mutex_);
        ended_.wait_until(lock, until, [this] { return under_way_.empty(); });
        return under_way_;
    }

private:
    /// A call, in its thread.
    class UnderWay {
    public:
        UnderWay(Threads& threads, const std::string& what) : threads_(threads) {
            const std::lock_guard lock(threads_.mutex_);
            place_ = threads_.under_way_.insert(what);
        }
        UnderWay(const UnderWay&) = delete;
        UnderWay& operator=(const UnderWay&) = delete;
        ~UnderWay() {
            const std::lock_guard lock(threads_.mutex_);
            threads_.under_way_.erase(place_);
            threads_.ended_.notify_all();
        }

    private:
        Threads& threads_;
        std::multiset<std::string>::iterator place_;
    };

    std::mutex mutex_;
    std::condition_variable ended_;
    std::multiset<std::string> under_way_;
    asyncio::ThreadPoolExecutor pool_{{.max_workers = 1000, .thread_name_prefix = "tour"}};
};

/// All threads of the tour. They outlive its event loop, as a call may.
struct Pools {
    Threads files;
    Threads queries;

    /// A line about the threads that hang; none if none does.
    std::optional<std::string> left_behind() {
        // Who was told to stop has so long to look: SQLite waits for a lock up to a second.
        const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(1500);
        auto hanging = files.hanging(until);
        hanging.merge(queries.hanging(until));
        if (hanging.empty()) {
            return std::nullopt;
        }
        constexpr std::size_t most = 3;
        const std::set<std::string> names(hanging.begin(), hanging.end());
        std::string line = "threads that hang and are left behind: ";
        line += std::to_string(hanging.size()) + ", in ";
        std::size_t named = 0;
        for (const std::string& name : names) {
            if (named == most) {
                return line + ", ...";
            }
            line += (named++ == 0 ? "" : ", ") + printable(name, 100);
        }
        return line;
    }
};

}  // namespace tour
