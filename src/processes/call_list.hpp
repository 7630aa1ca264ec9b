// call_list.hpp - calls in an order: those that wait, those that a worker has, those that end.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/processes/call.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace asyncio::detail {

/// Keeps its calls alive; a call is in one list at most. Nothing is allocated and nothing throws,
/// so that no call is lost on its way from one list to another.
class CallList {
public:
    CallList() = default;
    CallList(const CallList&) = delete;
    CallList& operator=(const CallList&) = delete;
    ~CallList() {
        while (!empty()) {
            pop_front();
        }
    }

    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] RemoteCall& front() const noexcept { return *first_; }
    [[nodiscard]] RemoteCall& back() const noexcept { return *last_; }
    /// The call behind this one; null if it is the last.
    [[nodiscard]] static RemoteCall* after(const RemoteCall& call) noexcept { return call.next_; }

    void push_back(std::shared_ptr<RemoteCall> call) noexcept {
        RemoteCall& added = *call;
        added.self_ = std::move(call);
        added.previous_ = last_;
        (last_ != nullptr ? last_->next_ : first_) = &added;
        last_ = &added;
        ++size_;
    }
    void push_front(std::shared_ptr<RemoteCall> call) noexcept {
        RemoteCall& added = *call;
        added.self_ = std::move(call);
        added.next_ = first_;
        (first_ != nullptr ? first_->previous_ : last_) = &added;
        first_ = &added;
        ++size_;
    }

    /// Takes one out, which is in here.
    std::shared_ptr<RemoteCall> take(RemoteCall& call) noexcept {
        RemoteCall* const previous = std::exchange(call.previous_, nullptr);
        RemoteCall* const next = std::exchange(call.next_, nullptr);
        (previous != nullptr ? previous->next_ : first_) = next;
        (next != nullptr ? next->previous_ : last_) = previous;
        --size_;
        return std::move(call.self_);
    }
    std::shared_ptr<RemoteCall> pop_front() noexcept { return take(*first_); }
    std::shared_ptr<RemoteCall> pop_back() noexcept { return take(*last_); }

    void swap(CallList& other) noexcept {
        std::swap(first_, other.first_);
        std::swap(last_, other.last_);
        std::swap(size_, other.size_);
    }

private:
    RemoteCall* first_ = nullptr;
    RemoteCall* last_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace asyncio::detail
