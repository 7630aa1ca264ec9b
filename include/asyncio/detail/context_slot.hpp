// context_slot.hpp - where a task, a callback or a thread has its context: one word; and which of
// them is the current one.
//
// A task copies the context of its maker. As long as nobody changes the copy, or asks for it as an
// object, it is nothing but the root of a map: the copy is a load, a store and, unless the map is
// empty, an increment.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/context_map.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace asyncio {

class Context;

namespace detail {

/// What a Context is a handle of.
class ContextCell {
public:
    ContextCell() = default;
    explicit ContextCell(ContextNode* root) noexcept : map(root) {}
    ContextCell(const ContextCell&) = delete;
    ContextCell& operator=(const ContextCell&) = delete;

    void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            delete this;
        }
    }

    static void* operator new(std::size_t size);
    static void operator delete(void* cell, std::size_t size) noexcept;

    ContextMap map;
    /// By Context::run(), by a callback, or by a task that has started another one eagerly. Not by
    /// the task that runs: it costs a task nothing to have a context.
    std::atomic<bool> entered{false};

private:
    ~ContextCell() = default;

    std::atomic<std::uint32_t> references_{1};
};

/// A context: the root of a map, or a cell. What has things that are needed rarely puts them, with
/// the context, into an object of its own: then it leads to the slot there.
class ContextSlot {
public:
    constexpr ContextSlot() = default;
    ContextSlot(const ContextSlot&) = delete;
    ContextSlot& operator=(const ContextSlot&) = delete;
    ~ContextSlot() {
        if (bits_ != 0) {
            drop();
        }
    }

    [[nodiscard]] bool empty() const noexcept { return bits_ == 0; }
    [[nodiscard]] ContextNode* root() const noexcept {
        if (ContextCell* const cell = peek_cell()) {
            return cell->map.root();
        }
        return to<ContextNode>(end().bits_);
    }
    /// Null while it is only a root.
    [[nodiscard]] ContextCell* peek_cell() const noexcept {
        const std::uintptr_t bits = end().bits_;
        return (bits & marks) == cell_mark ? to<ContextCell>(bits - cell_mark) : nullptr;
    }
    /// Made if there is none yet; `entered` says whether somebody is in it, who is not the task
    /// that runs.
    ContextCell& cell(bool entered);

    // Of one that has nothing yet.
    void copy(ContextNode* root) noexcept {
        if (root != nullptr) {
            root->retain();
            end().bits_ = from(root);
        }
    }
    void share(ContextCell& cell) noexcept {
        cell.retain();
        end().bits_ = from(&cell) | cell_mark;
    }

    /// What is here goes to `other`, and this leads there from now on. It does not own it.
    void lead_to(ContextSlot& other) noexcept {
        other.bits_ = bits_;
        bits_ = from(&other) | lead_mark;
    }
    [[nodiscard]] ContextSlot* leads_to() const noexcept {
        return (bits_ & marks) == lead_mark ? to<ContextSlot>(bits_ - lead_mark) : nullptr;
    }

private:
    static constexpr std::uintptr_t cell_mark = 1;
    static constexpr std::uintptr_t lead_mark = 2;
    static constexpr std::uintptr_t marks = 3;

    template <class T>
    static T* to(std::uintptr_t bits) noexcept {
        return reinterpret_cast<T*>(bits);
    }
    static std::uintptr_t from(const void* object) noexcept {
        return reinterpret_cast<std::uintptr_t>(object);
    }
    [[nodiscard]] const ContextSlot& end() const noexcept {
        const ContextSlot* const other = leads_to();
        return other != nullptr ? *other : *this;
    }
    [[nodiscard]] ContextSlot& end() noexcept {
        ContextSlot* const other = leads_to();
        return other != nullptr ? *other : *this;
    }
    void drop() noexcept;

    std::uintptr_t bits_ = 0;
};

/// What this thread's code runs in, apart from the task that runs.
struct ContextState {
    ContextSlot* entered;  // by Context::run() or a callback: comes before that of the task
    ContextSlot* outside;  // where neither a task runs nor a callback; null: the thread's own
};
extern constinit thread_local ContextState context_state;

/// The thread's own slot, made when it is first needed.
[[nodiscard]] ContextSlot& thread_context();

// Of the code that runs. These know about tasks, and are defined where tasks are.

[[nodiscard]] ContextNode* current_root() noexcept;
[[nodiscard]] ContextSlot& current_context();
[[gnu::noinline]] void capture_any_context(ContextSlot& slot, const Context* given) noexcept;
/// `given`, or else a copy of the current context. Of every task and callback that is made: two
/// tests in a program without variables.
inline void capture_context(ContextSlot& slot, const Context* given) noexcept {
    if (given != nullptr || context_values_exist.load(std::memory_order_relaxed)) [[unlikely]] {
        capture_any_context(slot, given);
    }
}
/// Is it the context of the task whose step is under way?
[[nodiscard]] bool running_task_is_in(const ContextCell& cell) noexcept;

/// A context that is the current one as long as this exists. RuntimeError if it is entered already.
class ContextScope {
public:
    struct Again {};  // it may be entered already

    explicit ContextScope(ContextSlot& slot) : ContextScope(slot, Again()) {
        if (slot.peek_cell() != nullptr) {
            check_cell();
        }
    }
    ContextScope(ContextSlot& slot, Again) noexcept
        : slot_(slot), outer_(std::exchange(context_state.entered, &slot)) {
        if (ContextCell* const cell = slot.peek_cell()) {
            again_ = cell->entered.exchange(true, std::memory_order_relaxed);
        }
    }
    ContextScope(const ContextScope&) = delete;
    ContextScope& operator=(const ContextScope&) = delete;
    ~ContextScope() {
        context_state.entered = outer_;
        // The cell may be new. Where somebody was in it before, that is who will unmark it.
        if (ContextCell* const cell = slot_.peek_cell(); cell != nullptr && !again_) {
            cell->entered.store(false, std::memory_order_relaxed);
        }
    }

private:
    void check_cell() const;

    ContextSlot& slot_;
    ContextSlot* outer_;
    bool again_ = false;
};

}  // namespace detail

}  // namespace asyncio
