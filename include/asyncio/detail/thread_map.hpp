// thread_map.hpp - one function called with many items in the threads of a pool: ThreadMap.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/concurrent_future.hpp>
#include <asyncio/detail/outcome.hpp>

#include <chrono>
#include <cstddef>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio {

/// Options of ThreadPoolExecutor::map().
struct ThreadMapOptions {
    /// How long after the call of map() the last result may come: TimeoutError then.
    std::optional<Duration> timeout = std::nullopt;
};
static_assert(std::is_trivially_destructible_v<ThreadMapOptions>);

/// The results of ThreadPoolExecutor::map(), in the order of the items, to be read once. Reading
/// waits; it throws what the call threw. What has not begun is cancelled by the destructor.
///
///     for (int each : pool.map(count_words, files)) { ... }
template <class R>
class ThreadMap {
public:
    using value_type = detail::NotVoid<R>;

    explicit ThreadMap(std::optional<Duration> timeout) {
        constexpr double longest = 1e9;  // seconds
        if (timeout.has_value() && timeout->seconds() <= longest) {
            deadline_ = std::chrono::steady_clock::now() + std::chrono::nanoseconds(*timeout);
        }
    }
    ThreadMap(ThreadMap&&) noexcept = default;
    ThreadMap& operator=(ThreadMap&&) = delete;
    ~ThreadMap() {
        for (; next_ < calls_.size(); ++next_) {
            calls_[next_].cancel();
        }
    }

    class Iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = ThreadMap::value_type;
        using difference_type = std::ptrdiff_t;
        using pointer = value_type*;
        using reference = value_type&;

        value_type& operator*() { return *item_; }
        Iterator& operator++() {
            item_.reset();
            map_->read(item_);
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator& iterator, std::default_sentinel_t) {
            return !iterator.item_.has_value();
        }

    private:
        friend ThreadMap;
        explicit Iterator(ThreadMap& map) : map_(&map) { map.read(item_); }

        ThreadMap* map_;
        std::optional<value_type> item_;
    };
    Iterator begin() { return Iterator(*this); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// For the pool.
    void add(ConcurrentFuture<R> call) { calls_.push_back(std::move(call)); }

private:
    void read(std::optional<value_type>& item) {
        if (next_ == calls_.size()) {
            return;
        }
        // It goes only when it has been read: one that takes too long is cancelled with the rest.
        const ConcurrentFuture<R>& call = calls_[next_];
        if constexpr (std::is_void_v<R>) {
            call.result(time_left());
            item.emplace();
        } else {
            item.emplace(call.result(time_left()));
        }
        calls_[next_++] = {};
    }
    [[nodiscard]] std::optional<Duration> time_left() const {
        if (!deadline_.has_value()) {
            return std::nullopt;
        }
        const auto left = *deadline_ - std::chrono::steady_clock::now();
        return left.count() > 0 ? Duration(left) : Duration();
    }

    std::vector<ConcurrentFuture<R>> calls_;
    std::size_t next_ = 0;
    std::optional<std::chrono::steady_clock::time_point> deadline_;
};

}  // namespace asyncio
