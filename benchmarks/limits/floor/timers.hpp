// timers.hpp - a 4-ary heap of timers that can be cancelled.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "loop.hpp"

namespace limits {

struct Timer {
    std::uint64_t due = 0;
    std::uint32_t index = 0;  // where the heap keeps it, so that cancelling needs no search
    Ready ready;
};

/// The due time lies in the array beside the pointer: comparing children then reads one cache line
/// instead of four timers all over the memory, which is most of what a heap of a million costs.
class TimerHeap {
public:
    bool empty() const noexcept { return entries_.empty(); }

    void add(Timer& timer) {
        entries_.emplace_back();
        sift_up(entries_.size() - 1, {timer.due, &timer});
    }

    void remove(Timer& timer) noexcept {
        const std::size_t hole = timer.index;
        const Entry last = entries_.back();
        entries_.pop_back();
        if (hole == entries_.size()) {
            return;
        }
        if (hole > 0 && last.due < entries_[parent(hole)].due) {
            sift_up(hole, last);
        } else {
            sift_down(hole, last);
        }
    }

    Timer& pop() noexcept {
        Timer& first = *entries_.front().timer;
        remove(first);
        return first;
    }

private:
    struct Entry {
        std::uint64_t due = 0;
        Timer* timer = nullptr;
    };

    static constexpr std::size_t arity = 4;
    static constexpr std::size_t parent(std::size_t i) { return (i - 1) / arity; }

    void place(std::size_t i, Entry entry) noexcept {
        entries_[i] = entry;
        entry.timer->index = static_cast<std::uint32_t>(i);
    }

    void sift_up(std::size_t i, Entry entry) noexcept {
        while (i > 0 && entry.due < entries_[parent(i)].due) {
            place(i, entries_[parent(i)]);
            i = parent(i);
        }
        place(i, entry);
    }

    void sift_down(std::size_t i, Entry entry) noexcept {
        const std::size_t size = entries_.size();
        for (std::size_t child = i * arity + 1; child < size; child = i * arity + 1) {
            const std::size_t end = std::min(child + arity, size);
            std::size_t least = child;
            for (++child; child < end; ++child) {
                if (entries_[child].due < entries_[least].due) {
                    least = child;
                }
            }
            if (entry.due <= entries_[least].due) {
                break;
            }
            place(i, entries_[least]);
            i = least;
        }
        place(i, entry);
    }

    std::vector<Entry> entries_;
};

inline TimerHeap timer_heap;

class SleepUntil {
public:
    explicit SleepUntil(std::uint64_t due) noexcept { timer_.due = due; }

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> coroutine) {
        timer_.ready.coroutine = coroutine;
        timer_heap.add(timer_);
    }
    void await_resume() const noexcept {}

private:
    Timer timer_;
};

}  // namespace limits
