// contextvars.hpp - ContextVar<T>, Token<T>, Context, copy_context: variables that every task has
// values of its own for.
//
// Mirrors Python's contextvars; differences: docs/parity.md#contextvars.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/context_slot.hpp>
#include <asyncio/exceptions.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio {

template <class T>
class ContextVar;

/// A variable without the type of its values; it has a number of its own, which is never used
/// again.
class AnyContextVar {
public:
    AnyContextVar(const AnyContextVar&) = delete;
    AnyContextVar& operator=(const AnyContextVar&) = delete;

    [[nodiscard]] const std::string& name() const noexcept { return name_; }

protected:
    explicit AnyContextVar(std::string_view name);
    ~AnyContextVar();

    [[nodiscard]] detail::ContextBox* find() const noexcept {
        detail::ContextNode* const root = detail::current_root();
        return root != nullptr ? root->find(serial_) : nullptr;
    }
    [[noreturn]] void raise_not_set() const;

private:
    friend class Context;
    friend class AnyToken;

    std::string name_;
    std::uint64_t serial_;
};

/// The values of all variables: what a task runs in, and a callback. A shared handle, as of a
/// Python object: a copy of it is the same context, copy() gives another one.
///
///     Context context = copy_context();
///     context.run([] { user.set("ann"); });             // changes `context`, and nothing else
///     loop.call_soon(greet, {.context = &context});     // runs in it
///
/// To copy a context takes the same short time whatever is in it.
///
/// Errors:  run() throws RuntimeError if something runs in the context already.
/// Threads: one at a time may use it: give another thread a copy(). Values that several contexts
///          have are destroyed in the thread of the last one.
class Context {
public:
    /// A new one in which no variable is set; copy_context() copies the current one.
    Context();
    Context(const Context& other) noexcept : cell_(other.cell_) { cell_->retain(); }
    Context& operator=(const Context& other) noexcept {
        other.cell_->retain();
        std::exchange(cell_, other.cell_)->release();
        return *this;
    }
    ~Context() { cell_->release(); }

    [[nodiscard]] Context copy() const;

    /// Calls `fn(args...)` in this context and returns what it returns. What it sets stays in the
    /// context.
    template <class Fn, class... Args>
        requires std::is_invocable_v<Fn, Args...>
    decltype(auto) run(Fn&& fn, Args&&... args) const {
        detail::ContextSlot slot;
        slot.share(*cell_);
        const detail::ContextScope scope(slot);
        return std::forward<Fn>(fn)(std::forward<Args>(args)...);
    }

    /// Has the variable been set in it? Its default does not count, here and below.
    [[nodiscard]] bool contains(const AnyContextVar& variable) const noexcept {
        return find(variable) != nullptr;
    }
    /// The variable's value; std::out_of_range (Python's KeyError) if it has none.
    template <class T>
    [[nodiscard]] T operator[](const ContextVar<T>& variable) const {
        if (const detail::ContextBox* const box = find(variable)) {
            return ContextVar<T>::value_of(*box);
        }
        raise_missing(variable);
    }
    template <class T>
    [[nodiscard]] std::optional<T> get(const ContextVar<T>& variable) const {
        const detail::ContextBox* const box = find(variable);
        return box != nullptr ? std::optional<T>(ContextVar<T>::value_of(*box)) : std::nullopt;
    }
    template <class T, class U>
    [[nodiscard]] T get(const ContextVar<T>& variable, U&& otherwise) const {
        const detail::ContextBox* const box = find(variable);
        return box != nullptr ? ContextVar<T>::value_of(*box) : T(std::forward<U>(otherwise));
    }

    /// How many variables are set. Counts them.
    [[nodiscard]] std::size_t size() const { return cell_->map.serials().size(); }
    [[nodiscard]] bool empty() const { return size() == 0; }
    /// The variables that are set and still exist, in the order in which they were made.
    [[nodiscard]] std::vector<const AnyContextVar*> keys() const;

    /// Is it the same context? (Python compares what is in it.)
    friend bool operator==(const Context& a, const Context& b) noexcept {
        return a.cell_ == b.cell_;
    }

    explicit Context(detail::ContextCell& cell) noexcept : cell_(&cell) { cell.retain(); }
    [[nodiscard]] detail::ContextCell& cell() const noexcept { return *cell_; }

private:
    [[nodiscard]] detail::ContextBox* find(const AnyContextVar& variable) const noexcept {
        detail::ContextNode* const root = cell_->map.root();
        return root != nullptr ? root->find(variable.serial_) : nullptr;
    }
    [[noreturn]] static void raise_missing(const AnyContextVar& variable);

    detail::ContextCell* cell_;
};

/// A copy of the current context: that of the task or callback that runs, or else of the thread.
[[nodiscard]] Context copy_context();

/// A Token without the type of its variable.
class AnyToken {
public:
    AnyToken(AnyToken&& other) noexcept
        : variable_(std::exchange(other.variable_, nullptr)),
          used_(other.used_),
          context_(other.context_),
          old_(std::move(other.old_)) {}
    AnyToken& operator=(AnyToken&&) = delete;

protected:
    AnyToken(const AnyContextVar& variable, detail::ContextBoxRef box);
    ~AnyToken() = default;

    [[nodiscard]] const AnyContextVar& variable() const;
    [[nodiscard]] const detail::ContextBox* old() const noexcept { return old_.get(); }
    void reset(const AnyContextVar& variable);
    /// The same if it can be done here.
    void try_reset() noexcept;

private:
    const AnyContextVar* variable_;  // null: it has been moved away
    bool used_ = false;
    Context context_;
    detail::ContextBoxRef old_;
};

template <class T>
class TokenScope;

/// What ContextVar::set() gives: the means to restore the value before, once.
///
///     {
///         auto scope = user.set("ann").scoped();    // Python 3.14: with user.set("ann"):
///         greet();
///     }                                             // as before
///
/// Dropped, it changes nothing.
template <class T>
class Token final : public AnyToken {
public:
    /// RuntimeError if it was moved away.
    [[nodiscard]] const ContextVar<T>& var() const {
        return static_cast<const ContextVar<T>&>(variable());
    }
    /// The value before; empty if there was none (Python's Token.MISSING).
    [[nodiscard]] std::optional<T> old_value() const {
        return old() != nullptr ? std::optional<T>(ContextVar<T>::value_of(*old())) : std::nullopt;
    }
    /// Restores the value at the end of a scope, if that is in the same context.
    [[nodiscard]] TokenScope<T> scoped() && { return TokenScope<T>(std::move(*this)); }

private:
    friend class ContextVar<T>;
    friend class TokenScope<T>;
    using AnyToken::AnyToken;
};

/// See Token.
template <class T>
class [[nodiscard]] TokenScope {
public:
    explicit TokenScope(Token<T>&& token) noexcept : token_(std::move(token)) {}
    TokenScope(const TokenScope&) = delete;
    TokenScope& operator=(const TokenScope&) = delete;
    ~TokenScope() { token_.try_reset(); }

private:
    Token<T> token_;
};

/// A variable that has a value in each context: what a thread's global is to its thread, this is to
/// a task. Lives as long as the program, as a rule, and outside of any function.
///
///     static ContextVar<std::string> user("user");
///
///     Coroutine<> handle(Request request) {
///         user.set(request.user);      // for this task, and for all that it makes from now on
///         co_await answer(request);    // a coroutine that is awaited sees it, and may change it
///     }
///
/// A task begins with a copy of its maker's context, call_soon() and its kin keep one, so does
/// add_done_callback(). It works without a loop, too: then each thread has a context.
///
/// Errors:  LookupError where get() finds neither a value nor a default; see reset().
/// Threads: any; each value may be copied by several at once.
template <class T>
class ContextVar final : public AnyContextVar {
    static_assert(std::is_copy_constructible_v<T> && !std::is_const_v<T>,
                  "what a ContextVar gives is a copy");

public:
    using value_type = T;

    explicit ContextVar(std::string_view name) : AnyContextVar(name) {}
    template <class U>
        requires std::is_constructible_v<T, U>
    ContextVar(std::string_view name, U&& otherwise)
        : AnyContextVar(name), default_(std::in_place, std::forward<U>(otherwise)) {}

    /// The value in the current context, or the variable's default.
    [[nodiscard]] T get() const {
        if (const detail::ContextBox* const box = find()) {
            return value_of(*box);
        }
        if (!default_.has_value()) {
            raise_not_set();
        }
        return *default_;
    }
    /// The value in the current context, or `otherwise`.
    template <class U>
        requires std::is_constructible_v<T, U>
    [[nodiscard]] T get(U&& otherwise) const {
        const detail::ContextBox* const box = find();
        return box != nullptr ? value_of(*box) : T(std::forward<U>(otherwise));
    }

    /// Gives it a value in the current context.
    template <class U = T>
        requires std::is_constructible_v<T, U>
    Token<T> set(U&& value) const {
        return Token<T>(*this,
                        detail::ContextBoxRef(new detail::ContextBoxOf<T>(std::forward<U>(value))));
    }

    /// Takes a set() back, and what came after it. RuntimeError if the token was used before,
    /// ValueError (std::invalid_argument) if it is another variable's, or was made in another
    /// context: then it can still be used.
    void reset(Token<T>& token) const { token.reset(*this); }
    void reset(Token<T>&& token) const { token.reset(*this); }

private:
    friend class Context;
    friend class Token<T>;

    static const T& value_of(const detail::ContextBox& box) noexcept {
        return static_cast<const detail::ContextBoxOf<T>&>(box).value;
    }

    std::optional<T> default_;
};

}  // namespace asyncio
