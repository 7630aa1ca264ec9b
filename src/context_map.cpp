// context_map.cpp - how the map of a context changes: by a copy of the nodes on the way.
//
// SPDX-License-Identifier: MIT
#include <asyncio/detail/context_map.hpp>

#include <asyncio/detail/blocks.hpp>

#include <new>

namespace asyncio::detail {

// ------------------------------------------------------------------------------- ContextNode

/// Its children are left to be filled in.
ContextNode* ContextNode::allocate(unsigned level, std::uint64_t bitmap) {
    if (!context_values_exist.load(std::memory_order_relaxed)) {
        context_values_exist.store(true, std::memory_order_relaxed);
    }
    const auto count = static_cast<std::size_t>(std::popcount(bitmap));
    void* const block = allocate_block(sizeof(ContextNode) + count * sizeof(void*));
    return ::new (block) ContextNode(level, bitmap);
}

namespace {

/// Nodes of this thread that are being destroyed. A value may have a context, in which a value has
/// another one, and so on: beyond a few of them in each other they are destroyed one by one.
struct Dying {
    unsigned depth = 0;
    ContextNode* waiting = nullptr;
};
constinit thread_local Dying dying;
constexpr unsigned deepest = 50;

}  // namespace

void ContextNode::destroy() noexcept {
    // Of the bitmap no more is needed than how many children there are.
    references_.store(static_cast<std::uint32_t>(size()), std::memory_order_relaxed);
    if (dying.depth == deepest) {
        bitmap_ = reinterpret_cast<std::uintptr_t>(std::exchange(dying.waiting, this));
        return;
    }
    ++dying.depth;
    destroy_now();
    while (dying.depth == 1 && dying.waiting != nullptr) {
        ContextNode* const node = dying.waiting;
        dying.waiting = reinterpret_cast<ContextNode*>(static_cast<std::uintptr_t>(node->bitmap_));
        node->destroy_now();
    }
    --dying.depth;
}

void ContextNode::destroy_now() noexcept {
    const std::size_t count = references_.load(std::memory_order_relaxed);
    for (std::size_t index = 0; index < count; ++index) {
        if (level_ == 0) {
            static_cast<ContextBox*>(children()[index])->release();
        } else {
            static_cast<ContextNode*>(children()[index])->release();
        }
    }
    this->~ContextNode();
    free_block(this, sizeof(ContextNode) + count * sizeof(void*));
}

void ContextNode::retain_child(void* child) const noexcept {
    if (level_ == 0) {
        static_cast<ContextBox*>(child)->retain();
    } else {
        static_cast<ContextNode*>(child)->retain();
    }
}

/// A node for the children of `bitmap`, with those of this one that are among them; the others are
/// null.
ContextNode* ContextNode::copy(std::uint64_t bitmap) const {
    ContextNode* const made = allocate(level_, bitmap);
    for (std::uint64_t left = bitmap; left != 0; left &= left - 1) {
        const std::uint64_t bit = left & (~left + 1);
        void*& place = made->children()[made->index_of(bit)];
        place = (bitmap_ & bit) != 0 ? children()[index_of(bit)] : nullptr;
        if (place != nullptr) {
            retain_child(place);
        }
    }
    return made;
}

/// A node as `node` (null: an empty one), in which the variable has this value.
ContextNode* ContextNode::with(const ContextNode* node, unsigned level, std::uint64_t serial,
                               ContextBox& box) {
    const std::uint64_t bit = bit_of(serial, level * bits_per_level);
    const bool there = node != nullptr && (node->bitmap_ & bit) != 0;
    ContextNode* below = nullptr;
    if (level > 0) {
        const void* const child = there ? node->children()[node->index_of(bit)] : nullptr;
        below = with(static_cast<const ContextNode*>(child), level - 1, serial, box);
    }
    ContextNode* made = nullptr;
    try {
        made = node != nullptr ? node->copy(node->bitmap_ | bit) : allocate(level, bit);
    } catch (...) {
        if (below != nullptr) {
            below->release();
        }
        throw;
    }
    void*& place = made->children()[made->index_of(bit)];
    void* const before = there ? place : nullptr;
    if (level > 0) {
        place = below;
        if (before != nullptr) {
            static_cast<ContextNode*>(before)->release();
        }
    } else {
        box.retain();
        place = &box;
        if (before != nullptr) {
            static_cast<ContextBox*>(before)->release();
        }
    }
    return made;
}

/// A node as this one, in which the variable, which is there, is not; null if nothing is left.
ContextNode* ContextNode::without(std::uint64_t serial) const {
    const std::uint64_t bit = bit_of(serial, level_ * bits_per_level);
    ContextNode* below = nullptr;
    if (level_ > 0) {
        below = static_cast<const ContextNode*>(children()[index_of(bit)])->without(serial);
    }
    if (below == nullptr) {
        return bitmap_ == bit ? nullptr : copy(bitmap_ & ~bit);
    }
    ContextNode* made = nullptr;
    try {
        made = copy(bitmap_);
    } catch (...) {
        below->release();
        throw;
    }
    void*& place = made->children()[made->index_of(bit)];
    static_cast<ContextNode*>(std::exchange(place, below))->release();
    return made;
}

/// Where the variable's value is, if nobody else has any of the nodes on the way; null otherwise.
void** ContextNode::own_place(std::uint64_t serial) noexcept {
    ContextNode* node = this;
    unsigned shift = level_ * bits_per_level;
    if ((serial >> shift >> bits_per_level) != 0) {
        return nullptr;
    }
    for (;; shift -= bits_per_level) {
        const std::uint64_t bit = bit_of(serial, shift);
        if ((node->bitmap_ & bit) == 0 || node->references_.load(std::memory_order_acquire) != 1) {
            return nullptr;
        }
        void** const place = &node->children()[node->index_of(bit)];
        if (shift == 0) {
            return place;
        }
        node = static_cast<ContextNode*>(*place);
    }
}

void ContextNode::collect(std::uint64_t prefix, std::vector<std::uint64_t>& serials) const {
    for (std::uint64_t left = bitmap_; left != 0; left &= left - 1) {
        const auto digit = static_cast<std::uint64_t>(std::countr_zero(left));
        const std::uint64_t serial = prefix << bits_per_level | digit;
        if (level_ == 0) {
            serials.push_back(serial);
        } else {
            const std::uint64_t bit = left & (~left + 1);
            static_cast<const ContextNode*>(children()[index_of(bit)])->collect(serial, serials);
        }
    }
}

// -------------------------------------------------------------------------------- ContextMap

void ContextMap::replace_root(ContextNode* root) noexcept {
    ContextNode* const before = std::exchange(root_, root);
    if (before != nullptr) {
        before->release();
    }
}

ContextBoxRef ContextMap::assign(std::uint64_t serial, ContextBoxRef box) {
    ContextBox* const old = root_ != nullptr ? root_->find(serial) : nullptr;
    if (box.get() == nullptr) {
        if (old == nullptr) {
            return {};
        }
        ContextNode* const root = root_->without(serial);
        old->retain();
        replace_root(root);
        return ContextBoxRef(old);
    }
    if (old != nullptr) {
        if (void** const place = root_->own_place(serial)) {
            *place = box.take();
            return ContextBoxRef(old);
        }
    }
    unsigned level = root_ != nullptr ? root_->level_ : 0;
    // A larger number than there was: a root is put above the root, as often as it takes.
    while ((serial >> level * ContextNode::bits_per_level >> ContextNode::bits_per_level) != 0) {
        ++level;
        if (root_ != nullptr) {
            ContextNode* const above = ContextNode::allocate(level, 1);
            above->children()[0] = root_;
            root_ = above;
        }
    }
    ContextNode* const root = ContextNode::with(root_, level, serial, *box.get());
    if (old != nullptr) {
        old->retain();
    }
    replace_root(root);
    return ContextBoxRef(old);
}

std::vector<std::uint64_t> ContextMap::serials() const {
    std::vector<std::uint64_t> serials;
    if (root_ != nullptr) {
        root_->collect(0, serials);
    }
    return serials;
}

}  // namespace asyncio::detail
