// inbox.hpp - Inbox: callbacks handed to a loop by other threads, without a lock.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/callback.hpp>

#include <atomic>

namespace asyncio::lowlevel {

/// A stack that any thread pushes to and the loop takes as a whole, turned round: first in, first
/// out for each thread. Closed once, after which pushes are refused.
class Inbox {
public:
    /// False if the inbox is closed. From any thread, and from signal handlers.
    [[nodiscard]] bool push(Callback& callback) noexcept {
        ListHook<>& hook = callback;
        ListHook<>* newest = newest_.load(std::memory_order_relaxed);
        do {
            if (newest == &closed_mark_) {
                return false;
            }
            hook.next_ = newest;
        } while (!newest_.compare_exchange_weak(newest, &hook, std::memory_order_seq_cst,
                                                std::memory_order_relaxed));
        return true;
    }

    [[nodiscard]] bool empty() const noexcept {
        return newest_.load(std::memory_order_relaxed) == nullptr;
    }
    /// As empty(), ordered after what this thread did before: for the last look before it sleeps.
    [[nodiscard]] bool empty_for_sure() const noexcept {
        return newest_.load(std::memory_order_seq_cst) == nullptr;
    }

    /// Moves everything behind what is in `list`.
    void take(CallbackList& list) noexcept { append(newest_.exchange(nullptr), list); }

    /// Refuses pushes from now on; moves what was there to `list`.
    void close(CallbackList& list) noexcept { append(newest_.exchange(&closed_mark_), list); }

private:
    struct Mark : ListHook<> {};

    void append(ListHook<>* newest, CallbackList& list) noexcept {
        if (newest == &closed_mark_) {
            newest_.store(&closed_mark_);
            return;
        }
        ListHook<>* oldest = nullptr;
        while (newest != nullptr) {
            ListHook<>* const before = newest->next_;
            newest->next_ = oldest;
            oldest = newest;
            newest = before;
        }
        while (oldest != nullptr) {
            ListHook<>* const after = oldest->next_;
            oldest->next_ = nullptr;
            list.push_back(static_cast<Callback&>(*oldest));
            oldest = after;
        }
    }

    std::atomic<ListHook<>*> newest_{nullptr};
    Mark closed_mark_;
};

}  // namespace asyncio::lowlevel
