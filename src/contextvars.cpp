// contextvars.cpp - contexts, their variables, and how these are set and reset.
//
// SPDX-License-Identifier: MIT
#include <asyncio/contextvars.hpp>

#include <asyncio/detail/blocks.hpp>

#include "fork.hpp"

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <new>
#include <vector>

namespace asyncio {

namespace detail {

constinit thread_local ContextState context_state{};

// ------------------------------------------------------------------------------- ContextCell

void* ContextCell::operator new(std::size_t size) {
    return allocate_block(size);
}

void ContextCell::operator delete(void* cell, std::size_t size) noexcept {
    free_block(cell, size);
}

// ------------------------------------------------------------------------------- ContextSlot

ContextCell& ContextSlot::cell(bool entered) {
    if (ContextCell* const there = peek_cell()) {
        return *there;
    }
    ContextSlot& slot = end();
    auto* const root = to<ContextNode>(slot.bits_);
    auto* const made = new ContextCell(root);
    made->entered.store(entered, std::memory_order_relaxed);
    slot.bits_ = from(made) | cell_mark;
    if (root != nullptr) {
        root->release();
    }
    return *made;
}

void ContextSlot::drop() noexcept {
    switch (bits_ & marks) {
        case 0:
            to<ContextNode>(bits_)->release();
            break;
        case cell_mark:
            to<ContextCell>(bits_ - cell_mark)->release();
            break;
        default:
            break;
    }
}

// ---------------------------------------------------------------------- the thread's context

namespace {

/// What the code of a thread runs in that is no task's. It is there to the thread's very end: what
/// is destroyed after its values may set a variable still, which is not destroyed then.
alignas(ContextSlot) constinit thread_local std::byte own_slot[sizeof(ContextSlot)]{};

struct ThreadContext {
    ThreadContext() : slot(*::new(own_slot) ContextSlot) {}
    ThreadContext(const ThreadContext&) = delete;
    ThreadContext& operator=(const ThreadContext&) = delete;
    ~ThreadContext() {
        context_state.outside = nullptr;
        slot.~ContextSlot();
        ::new (own_slot) ContextSlot;
    }
    ContextSlot& slot;
};

}  // namespace

ContextSlot& thread_context() {
    static thread_local const ThreadContext own;
    return *std::launder(static_cast<ContextSlot*>(static_cast<void*>(own_slot)));
}

// ------------------------------------------------------------------------------ ContextScope

void ContextScope::check_cell() const {
    if (again_ || running_task_is_in(*slot_.peek_cell())) {
        raise_runtime_error("cannot enter context: <Context object> is already entered");
    }
}

}  // namespace detail

// ----------------------------------------------------------------------------- AnyContextVar

namespace {

/// All variables that exist, by their numbers.
struct Variables {
    Variables() noexcept;

    std::mutex mutex;
    std::uint64_t last = 0;
    std::vector<std::pair<std::uint64_t, const AnyContextVar*>> alive;  // in order

    [[nodiscard]] auto find(std::uint64_t serial) {
        return std::lower_bound(
            alive.begin(), alive.end(), serial,
            [](const auto& entry, std::uint64_t wanted) { return entry.first < wanted; });
    }
};

Variables& variables() {
    static Variables& instance = *new Variables;  // never destroyed: static variables are later
    return instance;
}

std::mutex& mutex_of_variables() {
    return variables().mutex;
}

Variables::Variables() noexcept {
    detail::keep_over_fork<&mutex_of_variables>();
}

std::string description(const AnyContextVar& variable) {
    return "<ContextVar name='" + variable.name() + "'>";
}

}  // namespace

AnyContextVar::AnyContextVar(std::string_view name) : name_(name) {
    Variables& all = variables();
    const std::lock_guard lock(all.mutex);
    serial_ = all.last;
    all.alive.emplace_back(serial_, this);
    ++all.last;
}

AnyContextVar::~AnyContextVar() {
    Variables& all = variables();
    const std::lock_guard lock(all.mutex);
    all.alive.erase(all.find(serial_));
}

void AnyContextVar::raise_not_set() const {
    throw LookupError(description(*this));
}

// ----------------------------------------------------------------------------------- Context

namespace {

/// A handle to a cell that was just made, whose first reference it takes over.
Context made(detail::ContextCell* cell) {
    Context context(*cell);
    cell->release();
    return context;
}

}  // namespace

Context::Context() : cell_(new detail::ContextCell) {}

Context Context::copy() const {
    return made(new detail::ContextCell(cell_->map.root()));
}

std::vector<const AnyContextVar*> Context::keys() const {
    std::vector<const AnyContextVar*> keys;
    Variables& all = variables();
    const std::lock_guard lock(all.mutex);
    for (const std::uint64_t serial : cell_->map.serials()) {
        const auto found = all.find(serial);
        if (found != all.alive.end() && found->first == serial) {
            keys.push_back(found->second);
        }
    }
    return keys;
}

void Context::raise_missing(const AnyContextVar& variable) {
    throw std::out_of_range(description(variable));
}

Context copy_context() {
    return made(new detail::ContextCell(detail::current_root()));
}

// ------------------------------------------------------------------------------------- Token

namespace {

/// The cell of the current context. Whose slot it is says Context::run() or a callback; a task
/// that runs is found without being marked.
detail::ContextCell& current_cell() {
    detail::ContextSlot& slot = detail::current_context();
    return slot.cell(&slot == detail::context_state.entered);
}

}  // namespace

AnyToken::AnyToken(const AnyContextVar& variable, detail::ContextBoxRef box)
    : variable_(&variable), context_(current_cell()) {
    old_ = context_.cell().map.assign(variable.serial_, std::move(box));
}

const AnyContextVar& AnyToken::variable() const {
    if (variable_ == nullptr) {
        throw RuntimeError("<Token> has been moved away");
    }
    return *variable_;
}

void AnyToken::reset(const AnyContextVar& variable) {
    const auto self = [this] { return "<Token var=" + description(*variable_) + ">"; };
    if (variable_ == nullptr) {
        throw RuntimeError("<Token> has already been used once");
    }
    if (used_) {
        throw RuntimeError(self() + " has already been used once");
    }
    if (variable_ != &variable) {
        throw std::invalid_argument(self() + " was created by a different ContextVar");
    }
    detail::ContextCell& cell = context_.cell();
    if (detail::current_context().peek_cell() != &cell) {
        throw std::invalid_argument(self() + " was created in a different Context");
    }
    const detail::ContextBoxRef dropped = cell.map.assign(variable.serial_, old_.copy());
    used_ = true;  // before the value goes, whose destructor may reset it, too
}

void AnyToken::try_reset() noexcept {
    try {
        if (variable_ != nullptr && !used_ &&
            detail::current_context().peek_cell() == &context_.cell()) {
            reset(*variable_);
        }
    } catch (...) {}  // no memory for it: the value stays
}

}  // namespace asyncio
