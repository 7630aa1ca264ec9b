// context_map.hpp - the variables of a context and their values: a persistent map in one pointer.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace asyncio::detail {

/// A value of a variable, of any type; never changed, shared by all contexts that have it.
class ContextBox {
public:
    ContextBox(const ContextBox&) = delete;
    ContextBox& operator=(const ContextBox&) = delete;

    void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            delete this;
        }
    }

protected:
    ContextBox() = default;
    virtual ~ContextBox() = default;

private:
    std::atomic<std::uint32_t> references_{1};
};

template <class T>
class ContextBoxOf final : public ContextBox {
public:
    template <class U>
    explicit ContextBoxOf(U&& given) : value(std::forward<U>(given)) {}
    const T value;

private:
    ~ContextBoxOf() override = default;
};

/// A reference to a box, or none.
class ContextBoxRef {
public:
    ContextBoxRef() = default;
    /// Takes a reference over.
    explicit ContextBoxRef(ContextBox* box) noexcept : box_(box) {}
    ContextBoxRef(ContextBoxRef&& other) noexcept : box_(std::exchange(other.box_, nullptr)) {}
    ContextBoxRef& operator=(ContextBoxRef other) noexcept {
        std::swap(box_, other.box_);
        return *this;
    }
    ~ContextBoxRef() {
        if (box_ != nullptr) {
            box_->release();
        }
    }

    [[nodiscard]] ContextBoxRef copy() const noexcept {
        if (box_ != nullptr) {
            box_->retain();
        }
        return ContextBoxRef(box_);
    }
    [[nodiscard]] ContextBox* get() const noexcept { return box_; }
    [[nodiscard]] ContextBox* take() noexcept { return std::exchange(box_, nullptr); }

private:
    ContextBox* box_ = nullptr;
};

/// Has any variable been given a value, in any thread? As long as none has, no context has anything
/// that would have to be copied.
inline constinit std::atomic<bool> context_values_exist{false};

/// A node of a radix trie: six bits of a variable's serial number at each level, so that programs
/// with less than 64 variables have one node for each context that differs. Only the children that
/// are there have room, behind the node. Nodes are shared by contexts, also between threads.
class ContextNode {
public:
    static constexpr unsigned bits_per_level = 6;

    ContextNode(const ContextNode&) = delete;
    ContextNode& operator=(const ContextNode&) = delete;

    void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            destroy();
        }
    }

    /// The value of the variable with this number; null if it has none.
    [[nodiscard]] ContextBox* find(std::uint64_t serial) const noexcept {
        const ContextNode* node = this;
        unsigned shift = level_ * bits_per_level;
        if ((serial >> shift >> bits_per_level) != 0) {
            return nullptr;
        }
        for (;; shift -= bits_per_level) {
            const std::uint64_t bit = bit_of(serial, shift);
            if ((node->bitmap_ & bit) == 0) {
                return nullptr;
            }
            void* const child = node->children()[node->index_of(bit)];
            if (shift == 0) {
                return static_cast<ContextBox*>(child);
            }
            node = static_cast<const ContextNode*>(child);
        }
    }

private:
    friend class ContextMap;

    ContextNode(unsigned level, std::uint64_t bitmap) noexcept : level_(level), bitmap_(bitmap) {}
    ~ContextNode() = default;

    static constexpr std::uint64_t bit_of(std::uint64_t serial, unsigned shift) noexcept {
        return std::uint64_t{1} << ((serial >> shift) & 63);
    }
    [[nodiscard]] std::size_t size() const noexcept {
        return static_cast<std::size_t>(std::popcount(bitmap_));
    }
    [[nodiscard]] std::size_t index_of(std::uint64_t bit) const noexcept {
        return static_cast<std::size_t>(std::popcount(bitmap_ & (bit - 1)));
    }
    [[nodiscard]] void* const* children() const noexcept {
        return static_cast<void* const*>(static_cast<const void*>(this + 1));
    }
    [[nodiscard]] void** children() noexcept {
        return static_cast<void**>(static_cast<void*>(this + 1));
    }

    static ContextNode* allocate(unsigned level, std::uint64_t bitmap);
    [[nodiscard]] ContextNode* copy(std::uint64_t bitmap) const;
    static ContextNode* with(const ContextNode* node, unsigned level, std::uint64_t serial,
                             ContextBox& box);
    [[nodiscard]] ContextNode* without(std::uint64_t serial) const;
    [[nodiscard]] void** own_place(std::uint64_t serial) noexcept;
    void retain_child(void* child) const noexcept;
    void collect(std::uint64_t prefix, std::vector<std::uint64_t>& serials) const;
    void destroy() noexcept;
    void destroy_now() noexcept;

    std::atomic<std::uint32_t> references_{1};
    std::uint32_t level_;  // 0: the children are boxes
    std::uint64_t bitmap_;
};

/// The map itself. A copy is a pointer and an increment; a change copies the nodes on the way.
class ContextMap {
public:
    ContextMap() = default;
    explicit ContextMap(ContextNode* shared) noexcept : root_(shared) {
        if (root_ != nullptr) {
            root_->retain();
        }
    }
    ContextMap(const ContextMap&) = delete;
    ContextMap& operator=(const ContextMap&) = delete;
    ~ContextMap() {
        if (root_ != nullptr) {
            root_->release();
        }
    }

    [[nodiscard]] ContextNode* root() const noexcept { return root_; }

    /// Gives the variable a value, or takes it away if `box` is none; the one before.
    ContextBoxRef assign(std::uint64_t serial, ContextBoxRef box);

    /// The numbers of the variables that have a value, in order.
    [[nodiscard]] std::vector<std::uint64_t> serials() const;

private:
    void replace_root(ContextNode* root) noexcept;

    ContextNode* root_ = nullptr;
};

}  // namespace asyncio::detail
