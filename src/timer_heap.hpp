// timer_heap.hpp - the callbacks of a loop that are to run at a certain time, by that time.
//
// A 4-ary heap whose entries carry their key, so that comparing touches no callback; each callback
// knows its place, in the word that its list hook does not need meanwhile, so that disarming
// removes it at once.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/config.hpp>
#include <asyncio/lowlevel/callback.hpp>
#include <asyncio/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace asyncio::lowlevel {

class TimerHeap {
public:
    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

    /// When the first callback is due; max() if there is none.
    [[nodiscard]] TimePoint next_due() const noexcept {
        return entries_.empty() ? TimePoint::max() : entries_.front().when;
    }

    void arm(Callback& callback, TimePoint when) {
        ASYNCIO_ASSERT(!callback.waiting());
        entries_.push_back({});
        callback.spare().second = next_order_++;
        sift_up(entries_.size() - 1, {when, &callback});
    }

    void disarm(Callback& callback) noexcept {
        const std::size_t place = place_of(callback);
        callback.spare() = {};
        const Entry last = entries_.back();
        entries_.pop_back();
        if (place == entries_.size()) {
            return;
        }
        if (place > 0 && before(last, entries_[parent(place)])) {
            sift_up(place, last);
        } else {
            sift_down(place, last);
        }
    }

    /// Moves all callbacks that are due at `now` to `ready`, in order.
    void move_due(TimePoint now, CallbackList& ready) noexcept {
        while (!entries_.empty() && entries_.front().when <= now) {
            Callback& callback = *entries_.front().callback;
            disarm(callback);
            ready.push_back(callback);
        }
    }

    /// Disarms everything; the callbacks go to `dropped`.
    void clear(CallbackList& dropped) noexcept {
        for (const Entry& entry : entries_) {
            entry.callback->spare() = {};
            dropped.push_back(*entry.callback);
        }
        entries_.clear();
    }

private:
    struct Entry {
        TimePoint when;
        Callback* callback;
    };

    // The first spare number of a callback is its place plus one; the second is that of its arming,
    // which decides between equal times. It may wrap: what is compared was armed not long apart.
    static std::size_t place_of(const Callback& callback) noexcept {
        return callback.spare().first - 1;
    }
    static bool armed_before(const Callback& a, const Callback& b) noexcept {
        return static_cast<std::int32_t>(a.spare().second - b.spare().second) < 0;
    }

    static constexpr std::size_t arity = 4;

    static std::size_t parent(std::size_t place) noexcept { return (place - 1) / arity; }

    static bool before(const Entry& a, const Entry& b) noexcept {
        return a.when < b.when || (a.when == b.when && armed_before(*a.callback, *b.callback));
    }

    // Written and not read: the callbacks that are moved lie all over the memory.
    void put(std::size_t place, const Entry& entry) noexcept {
        entries_[place] = entry;
        entry.callback->spare().first = static_cast<std::uint32_t>(place) + 1;
    }

    void sift_up(std::size_t place, const Entry& entry) noexcept {
        while (place > 0 && before(entry, entries_[parent(place)])) {
            put(place, entries_[parent(place)]);
            place = parent(place);
        }
        put(place, entry);
    }

    void sift_down(std::size_t place, const Entry& entry) noexcept {
        for (;;) {
            const std::size_t first = place * arity + 1;
            if (first >= entries_.size()) {
                break;
            }
            const std::size_t end = std::min(first + arity, entries_.size());
            std::size_t least = first;
            for (std::size_t child = first + 1; child < end; ++child) {
                if (before(entries_[child], entries_[least])) {
                    least = child;
                }
            }
            if (!before(entries_[least], entry)) {
                break;
            }
            put(place, entries_[least]);
            place = least;
        }
        put(place, entry);
    }

    std::vector<Entry> entries_;
    std::uint32_t next_order_ = 0;
};

}  // namespace asyncio::lowlevel
