// intrusive.hpp - lists whose links lie in their elements: nothing is allocated to be in one.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <type_traits>

namespace asyncio::lowlevel {

/// A place in a List. An object that is kept in lists derives from it, and is in at most one.
/// `Tag` tells the hooks of an object apart that is in two kinds of lists.
template <class Tag = void>
class ListHook {
public:
    ListHook() = default;
    ListHook(const ListHook&) = delete;
    ListHook& operator=(const ListHook&) = delete;

    [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }

    /// Takes the object out of whatever list it is in, in constant time and without that list.
    void unlink() noexcept {
        prev_->next_ = next_;
        next_->prev_ = prev_;
        next_ = nullptr;
        spare_ = {};
    }

protected:
    ~ListHook() = default;

    /// Two numbers for the owner to use while the object is in no list; 0 at first and after a
    /// list.
    struct Spare {
        std::uint32_t first;
        std::uint32_t second;
    };
    [[nodiscard]] const Spare& spare() const noexcept { return spare_; }
    [[nodiscard]] Spare& spare() noexcept { return spare_; }

private:
    template <class, class>
    friend class List;
    template <class, class>
    friend class ListIterator;
    friend class Inbox;

    ListHook* next_ = nullptr;
    union {
        Spare spare_ = {};  // while next_ is null
        ListHook* prev_;
    };
};

template <class T, class Tag>
class ListIterator {
public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = T*;
    using reference = T&;

    ListIterator() = default;
    explicit ListIterator(ListHook<Tag>* at) noexcept : at_(at) {}

    T& operator*() const noexcept { return static_cast<T&>(*at_); }
    T* operator->() const noexcept { return static_cast<T*>(at_); }
    ListIterator& operator++() noexcept {
        at_ = at_->next_;
        return *this;
    }
    ListIterator operator++(int) noexcept {
        ListIterator before = *this;
        ++*this;
        return before;
    }
    bool operator==(const ListIterator&) const noexcept = default;

private:
    ListHook<Tag>* at_ = nullptr;
};

/// A first-in, first-out list of objects of T, which it does not own: circular, doubly linked.
template <class T, class Tag = void>
class List {
    using Hook = ListHook<Tag>;

public:
    using iterator = ListIterator<T, Tag>;

    List() noexcept { reset(); }
    List(List&& other) noexcept {
        reset();
        splice_back(other);
    }
    List(const List&) = delete;
    List& operator=(const List&) = delete;

    [[nodiscard]] bool empty() const noexcept { return head_.next_ == &head_; }
    [[nodiscard]] T& front() const noexcept { return static_cast<T&>(*head_.next_); }

    void push_back(T& object) noexcept {
        // In this order g++ cannot merge the two links into one wide store, whose halves would then
        // be read back too soon.
        Hook& hook = object;
        hook.next_ = &head_;
        Hook* const last = head_.prev_;
        last->next_ = &hook;
        hook.prev_ = last;
        head_.prev_ = &hook;
    }

    /// The list must not be empty.
    T& pop_front() noexcept {
        Hook& hook = *head_.next_;
        Hook* const second = hook.next_;
        head_.next_ = second;
        second->prev_ = &head_;
        hook.next_ = nullptr;
        hook.spare_ = {};
        return static_cast<T&>(hook);
    }

    /// Moves everything in `other` behind what is here, in constant time.
    void splice_back(List& other) noexcept {
        if (other.empty()) {
            return;
        }
        other.head_.next_->prev_ = head_.prev_;
        head_.prev_->next_ = other.head_.next_;
        other.head_.prev_->next_ = &head_;
        head_.prev_ = other.head_.prev_;
        other.reset();
    }

    /// Moves everything in `other` before what is here, in constant time.
    void splice_front(List& other) noexcept {
        other.splice_back(*this);
        splice_back(other);
    }

    /// Takes everything out: for a list that does not outlive what is in it.
    void clear() noexcept {
        while (!empty()) {
            pop_front();
        }
    }

    /// Counts, in linear time.
    [[nodiscard]] std::size_t size() const noexcept {
        return static_cast<std::size_t>(std::distance(begin(), end()));
    }

    [[nodiscard]] iterator begin() const noexcept { return iterator(head_.next_); }
    [[nodiscard]] iterator end() const noexcept { return iterator(const_cast<Anchor*>(&head_)); }

private:
    struct Anchor : Hook {};

    void reset() noexcept {
        head_.next_ = &head_;
        head_.prev_ = &head_;
    }

    Anchor head_;
};

}  // namespace asyncio::lowlevel
