// queue_storage.hpp - what queues keep their items in: Ring, Stack, Heap.
//
// Each has push(), pop() and size(). If an operation throws (because an item cannot be moved or
// compared, or there is no memory), the storage is as it was before.
// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <asyncio/detail/owned.hpp>

namespace asyncio::detail {

/// One item in a storage, where it may be moved about without fail: an item whose own move may
/// throw lies in a block of its own.
template <class T>
class Slot {
public:
    explicit Slot(T&& item) : kept_(keep(std::move(item))) {}
    Slot(Slot&&) = default;
    // Not T's assignment, which may throw, or not be there.
    Slot& operator=(Slot&& other) noexcept {
        if (this != &other) {
            std::destroy_at(&kept_);
            std::construct_at(&kept_, std::move(other.kept_));
        }
        return *this;
    }
    ~Slot() = default;

    [[nodiscard]] T& item() noexcept { return at(kept_); }
    [[nodiscard]] const T& item() const noexcept { return at(kept_); }

private:
    static constexpr bool plain = std::is_nothrow_move_constructible_v<T>;
    using Kept = std::conditional_t<plain, T, Owned<T>>;

    static Kept keep(T&& item) {
        if constexpr (plain) {
            return std::move(item);
        } else {
            return make_owned<T>(std::move(item));
        }
    }
    template <class K>
    static auto& at(K& kept) noexcept {
        if constexpr (plain) {
            return kept;
        } else {
            return *kept;
        }
    }

    Kept kept_;
};

/// First in, first out: a ring that has room for a power of two, and grows.
template <class T>
class Ring {
public:
    Ring() = default;
    Ring(Ring&& other) noexcept { swap(other); }
    Ring& operator=(Ring&&) = delete;
    ~Ring() {
        while (size_ > 0) {
            drop_first();
        }
        if (slots_ != nullptr) {
            std::allocator<Slot<T>>().deallocate(slots_, room_);
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    void push(T&& item) {
        if (size_ == room_) {
            grow();
        }
        std::construct_at(slots_ + after(size_), std::move(item));
        ++size_;
    }
    /// Before all others, as if it had never been taken.
    void push_front(T&& item) {
        if (size_ == room_) {
            grow();
        }
        std::construct_at(slots_ + after(room_ - 1), std::move(item));
        first_ = after(room_ - 1);
        ++size_;
    }
    T pop() {
        T item = std::move(slots_[first_].item());
        drop_first();
        return item;
    }

    /// Makes room for `size` items in all.
    void reserve(std::size_t size) {
        while (room_ < size) {
            grow();
        }
    }
    // Whole slots, which cannot fail; where one is added there must be room.
    void push_slot(Slot<T>&& slot) noexcept {
        std::construct_at(slots_ + after(size_), std::move(slot));
        ++size_;
    }
    Slot<T> pop_slot() noexcept {
        Slot<T> slot = std::move(slots_[first_]);
        drop_first();
        return slot;
    }

    void swap(Ring& other) noexcept {
        std::swap(slots_, other.slots_);
        std::swap(room_, other.room_);
        std::swap(first_, other.first_);
        std::swap(size_, other.size_);
    }

private:
    [[nodiscard]] std::size_t after(std::size_t steps) const noexcept {
        return (first_ + steps) & (room_ - 1);
    }
    void drop_first() noexcept {
        std::destroy_at(slots_ + first_);
        first_ = after(1);
        --size_;
    }
    void grow() {
        Ring larger;
        const std::size_t room = room_ == 0 ? 4 : 2 * room_;
        larger.slots_ = std::allocator<Slot<T>>().allocate(room);
        larger.room_ = room;
        for (; size_ > 0; drop_first()) {
            std::construct_at(larger.slots_ + larger.size_, std::move(slots_[first_]));
            ++larger.size_;
        }
        swap(larger);
    }

    Slot<T>* slots_ = nullptr;
    std::size_t room_ = 0;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};

/// Last in, first out.
template <class T>
class Stack {
public:
    [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }

    void push(T&& item) { slots_.emplace_back(std::move(item)); }
    T pop() {
        T item = std::move(slots_.back().item());
        slots_.pop_back();
        return item;
    }
    void swap(Stack& other) noexcept { slots_.swap(other.slots_); }

private:
    std::vector<Slot<T>> slots_;
};

/// The smallest first. The heap of Python's heapq to the step, so that of items of which none is
/// smaller than the other the same one comes first; std::push_heap leaves that to the library.
///
/// Comparisons may throw, so all are made before anything is moved.
template <class T>
class Heap {
public:
    [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }

    void push(T&& item) {
        const std::size_t place = risen(slots_.size(), item);
        slots_.emplace_back(std::move(item));
        std::size_t at = slots_.size() - 1;
        if (at != place) {
            Slot<T> moved = std::move(slots_[at]);
            for (; at != place; at = parent(at)) {
                slots_[at] = std::move(slots_[parent(at)]);
            }
            slots_[place] = std::move(moved);
        }
    }
    T pop() {
        const std::size_t place = place_of_last();
        T item = std::move(slots_.front().item());
        Slot<T> moved = std::move(slots_.back());
        slots_.pop_back();
        if (!slots_.empty()) {
            // Counted from 1, the number of a place is the way to it: a bit for each turning.
            std::size_t at = 0;
            for (auto turnings = std::bit_width(place + 1) - 1; turnings-- > 0;) {
                const std::size_t child = ((place + 1) >> turnings) - 1;
                slots_[at] = std::move(slots_[child]);
                at = child;
            }
            slots_[place] = std::move(moved);
        }
        return item;
    }
    void swap(Heap& other) noexcept { slots_.swap(other.slots_); }

private:
    [[nodiscard]] static std::size_t parent(std::size_t at) noexcept { return (at - 1) / 2; }

    /// Where `item` comes to lie if it goes up from `at`, past all that are larger.
    [[nodiscard]] std::size_t risen(std::size_t at, const T& item) const {
        while (at > 0 && item < slots_[parent(at)].item()) {
            at = parent(at);
        }
        return at;
    }
    /// Where the last item comes to lie when the first one goes. To the bottom without looking,
    /// then up again: it belongs near the bottom, so this compares less than asking on the way
    /// down.
    [[nodiscard]] std::size_t place_of_last() const {
        const std::size_t last = slots_.size() - 1;
        std::size_t at = 0;
        for (std::size_t child = 1; child < last; child = 2 * at + 1) {
            const std::size_t right = child + 1;
            if (right < last && !(slots_[child].item() < slots_[right].item())) {
                child = right;
            }
            at = child;
        }
        // The others on this path will have moved up by one: what will be above `at` is still
        // there.
        while (at > 0 && slots_[last].item() < slots_[at].item()) {
            at = parent(at);
        }
        return at;
    }

    std::vector<Slot<T>> slots_;
};

}  // namespace asyncio::detail
