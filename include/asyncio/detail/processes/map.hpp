// map.hpp - one function called with many items, some at a time: ProcessMap.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/processes/call.hpp>

#include <cstddef>
#include <deque>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio {

namespace detail {

template <class Fn, class... Ranges>
class MapFeed;

}  // namespace detail

/// The results of ProcessPoolExecutor::map(), in order. Read it in one of three ways:
///
///     std::vector<R> all = co_await pool.map(fn, items);            // all of them
///     while (std::optional<R> each = co_await results.next()) {}    // one by one
///     for (R each : pool.map(fn, items)) {}                         // one by one, waiting: no
///     loop
///
/// No more chunks than `buffersize` are under way or wait to be read, and so no more items are
/// taken from the range. What is not read is cancelled by the destructor.
///
/// Errors: what a call throws is thrown in the place of its chunk; the rest can be read then.
template <class R>
class ProcessMap {
public:
    using value_type = R;

    /// The next result; nothing at the end.
    Coroutine<std::optional<R>> next() { return next_of(state_); }
    /// The results that have not been read.
    Coroutine<std::vector<R>> all() { return all_of(state_); }
    auto operator co_await() { return all_of(state_).operator co_await(); }

    class Iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = R;
        using difference_type = std::ptrdiff_t;
        using pointer = R*;
        using reference = R&;

        R& operator*() { return *item_; }
        Iterator& operator++() {
            item_ = map_->wait_next();
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator& iterator, std::default_sentinel_t) {
            return !iterator.item_.has_value();
        }

    private:
        friend class ProcessMap;
        explicit Iterator(ProcessMap& map) : map_(&map), item_(map.wait_next()) {}
        ProcessMap* map_;
        std::optional<R> item_;
    };
    Iterator begin() { return Iterator(*this); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
    template <class Fn, class... Ranges>
    friend class detail::MapFeed;

    using Chunk = std::vector<R>;
    using Source = detail::UniqueFunction<std::optional<ConcurrentFuture<Chunk>>()>;

    struct State {
        State(std::size_t most_under_way, Source next_chunk)
            : most(most_under_way), source(std::move(next_chunk)) {}
        State(const State&) = delete;
        State& operator=(const State&) = delete;
        ~State() {
            for (const ConcurrentFuture<Chunk>& each : under_way) {
                each.cancel();
            }
        }

        void fill() noexcept {
            try {
                while (source && under_way.size() < most) {
                    std::optional<ConcurrentFuture<Chunk>> more = source();
                    if (!more.has_value()) {
                        source = nullptr;
                        break;
                    }
                    under_way.push_back(std::move(*more));
                }
            } catch (...) {
                failure = std::current_exception();
                source = nullptr;
            }
        }
        /// Has everything been read? Throws, once, what has kept the rest from being submitted.
        bool at_end() {
            if (under_way.empty() && failure != nullptr) {
                std::rethrow_exception(std::exchange(failure, nullptr));
            }
            return under_way.empty();
        }
        std::optional<R> take() {
            if (at < chunk.size()) {
                return std::optional<R>(std::in_place, std::move(chunk[at++]));
            }
            return std::nullopt;
        }
        ConcurrentFuture<Chunk> next_chunk() {
            ConcurrentFuture<Chunk> next = std::move(under_way.front());
            under_way.pop_front();
            return next;
        }
        /// Of a chunk that is done: its results, or what was thrown.
        void put(const ConcurrentFuture<Chunk>& done) {
            fill();
            chunk.clear();
            at = 0;
            chunk = done.result();
        }

        std::size_t most;
        Source source;
        std::deque<ConcurrentFuture<Chunk>> under_way;
        std::exception_ptr failure;  // of the source: thrown when the rest has been read
        Chunk chunk;                 // what is read from
        std::size_t at = 0;
    };

    ProcessMap(std::size_t most, Source source)
        : state_(std::make_shared<State>(most, std::move(source))) {
        state_->fill();
        state_->at_end();
    }

    std::optional<R> wait_next() {
        for (;;) {
            if (std::optional<R> item = state_->take()) {
                return item;
            }
            if (state_->at_end()) {
                return std::nullopt;
            }
            static_cast<void>(state_->under_way.front().exception());  // waits for it
            state_->put(state_->next_chunk());
        }
    }

    static Coroutine<std::optional<R>> next_of(std::shared_ptr<State> state) {
        for (;;) {
            std::optional<R> item = state->take();
            if (item.has_value() || state->at_end()) {
                co_return item;
            }
            if (state->under_way.front().done()) {
                state->put(state->next_chunk());
                continue;
            }
            // A cancelled wait loses nothing: the chunk stays the first one. And somebody else may
            // have read it when this is done.
            const Future<> done = detail::when_done(state->under_way.front(), get_running_loop());
            co_await done;
        }
    }

    static Coroutine<std::vector<R>> all_of(std::shared_ptr<State> state) {
        std::vector<R> results;
        for (;;) {
            std::optional<R> item = co_await next_of(state);
            if (!item.has_value()) {
                break;
            }
            results.push_back(std::move(*item));
        }
        co_return results;
    }

    std::shared_ptr<State> state_;
};

namespace detail {

/// Calls a function with each of several items: what goes to a worker.
template <class Fn, class Item>
struct CallChunk {
    using R = std::decay_t<decltype(std::apply(std::declval<Fn&>(), std::declval<Item&>()))>;
    auto operator()(Fn fn, std::vector<Item> items) const {
        using Result = typename Sent<NotVoid<R>>::type;
        std::vector<Result> results;
        results.reserve(items.size());
        for (Item& item : items) {
            if constexpr (std::is_void_v<R>) {
                std::apply(fn, item);
                results.emplace_back();
            } else {
                results.push_back(std::apply(fn, item));
            }
        }
        return results;
    }
};

/// A range, or a reference to one that the caller keeps, and how far it has been read.
template <class Range>
class Feed {
public:
    explicit Feed(Range&& range) : range_(std::forward<Range>(range)) {}
    [[nodiscard]] bool at_end() {
        if (!at_.has_value()) {
            at_.emplace(std::begin(range_));
        }
        return *at_ == std::end(range_);
    }
    decltype(auto) item() { return **at_; }
    void advance() { ++*at_; }

private:
    Range range_;
    // Begun when it is where it will stay.
    std::optional<decltype(std::begin(std::declval<std::remove_reference_t<Range>&>()))> at_;
};

template <class Fn, class... Ranges>
class MapFeed {
    template <class Range>
    using ItemOf =
        std::decay_t<decltype(*std::begin(std::declval<std::remove_reference_t<Range>&>()))>;
    template <class P>
    struct TupleOf;
    template <class... P>
    struct TupleOf<Parameters<P...>> {
        using type = std::tuple<SentAs<P>...>;
    };
    using Item = typename TupleOf<typename ParametersFor<Fn, ItemOf<Ranges>...>::type>::type;
    using Call = CallChunk<Fn, Item>;

public:
    MapFeed(std::size_t chunksize, Fn fn, Ranges&&... ranges)
        : chunksize_(chunksize),
          fn_(fn),
          feeds_(std::make_unique<std::tuple<Feed<Ranges>...>>(
              Feed<Ranges>(std::forward<Ranges>(ranges))...)) {
        if (chunksize < 1) {
            raise_value_error("chunksize must be >= 1.");
        }
    }

    /// `submit(function, arguments...)` gives a ConcurrentFuture.
    template <class Submit>
    auto start(std::size_t most, Submit submit) {
        using Results = std::invoke_result_t<Call, Fn, std::vector<Item>>;
        using R = typename Results::value_type;
        return ProcessMap<R>(most, [feed = std::move(*this), submit]() mutable {
            std::vector<Item> items = feed.take_chunk();
            std::optional<ConcurrentFuture<Results>> chunk;
            if (!items.empty()) {
                chunk.emplace(submit(Call(), feed.fn_, std::move(items)));
            }
            return chunk;
        });
    }

private:
    std::vector<Item> take_chunk() {
        return std::apply(
            [this](auto&... feed) {
                std::vector<Item> items;
                while (items.size() < chunksize_ && !(feed.at_end() || ...)) {
                    items.push_back(make_item(static_cast<Item*>(nullptr), feed...));
                    (feed.advance(), ...);
                }
                return items;
            },
            *feeds_);
    }
    template <class... S, class... F>
    static Item make_item(std::tuple<S...>*, F&... feed) {
        return Item{make_sent<S>(feed.item())...};
    }

    std::size_t chunksize_;
    Fn fn_;
    std::unique_ptr<std::tuple<Feed<Ranges>...>> feeds_;  // on the heap: iterators point into them
};
template <class Fn, class... Ranges>
MapFeed(std::size_t, Fn, Ranges&&...) -> MapFeed<Fn, Ranges...>;

}  // namespace detail

}  // namespace asyncio
