// timer_heap.hpp - the armed timers of a loop, by due time.
//
// A 4-ary heap whose entries carry their key, so that comparing touches no timer; each timer knows
// its place, so that disarming removes it at once.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/config.hpp>
#include <asyncio/lowlevel/callback.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace asyncio::lowlevel {

class TimerHeap {
public:
    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

    /// When the first timer is due; max() if there is none.
    [[nodiscard]] TimePoint next_due() const noexcept {
        return entries_.empty() ? TimePoint::max() : entries_.front().when;
    }

    void arm(Timer& timer, TimePoint when) {
        ASYNCIO_ASSERT(!timer.armed());
        timer.order_ = next_order_++;
        entries_.push_back({});
        sift_up(entries_.size() - 1, {when, &timer});
    }

    void disarm(Timer& timer) noexcept {
        if (!timer.armed()) {
            return;
        }
        const std::size_t place = timer.place_;
        timer.place_ = Timer::unarmed;
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

    /// Moves the callbacks of all timers that are due at `now` to `ready`, in order.
    void move_due(TimePoint now, CallbackList& ready) noexcept {
        while (!entries_.empty() && entries_.front().when <= now) {
            Timer& timer = *entries_.front().timer;
            disarm(timer);
            ready.push_back(timer.callback());
        }
    }

    /// Disarms everything; the callbacks go to `dropped`.
    void clear(CallbackList& dropped) noexcept {
        for (const Entry& entry : entries_) {
            entry.timer->place_ = Timer::unarmed;
            dropped.push_back(entry.timer->callback());
        }
        entries_.clear();
    }

private:
    struct Entry {
        TimePoint when;
        Timer* timer;
    };

    static constexpr std::size_t arity = 4;

    static std::size_t parent(std::size_t place) noexcept { return (place - 1) / arity; }

    static bool before(const Entry& a, const Entry& b) noexcept {
        return a.when < b.when || (a.when == b.when && a.timer->order_ < b.timer->order_);
    }

    void put(std::size_t place, const Entry& entry) noexcept {
        entries_[place] = entry;
        entry.timer->place_ = place;
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
    std::uint64_t next_order_ = 0;
};

}  // namespace asyncio::lowlevel
