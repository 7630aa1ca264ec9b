// outcome.hpp - the slot for the result of a coroutine: given by whoever awaits it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/owned.hpp>
#include <asyncio/exceptions.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace asyncio::detail {

class PromiseBase;

template <class... T>
struct TypeList {};

/// What a T holds and copies with itself. Containers and their like have a copy constructor whether
/// or not their elements have one; it does not compile then, and no trait tells.
template <class T>
struct Held {
    using types = TypeList<>;
};
template <class T>
    requires requires {
        typename T::value_type;
        typename T::allocator_type;
    }
struct Held<T> {
    using types = TypeList<typename T::value_type>;
};
template <class T>
    requires requires {
        typename T::value_type;
        typename T::container_type;
    }
struct Held<T> {
    using types = TypeList<typename T::value_type>;
};
template <class T, std::size_t size>
struct Held<std::array<T, size>> {
    using types = TypeList<T>;
};
template <class A, class B>
struct Held<std::pair<A, B>> {
    using types = TypeList<A, B>;
};
template <class... T>
struct Held<std::tuple<T...>> {
    using types = TypeList<T...>;
};
template <class T>
struct Held<std::optional<T>> {
    using types = TypeList<T>;
};
template <class... T>
struct Held<std::variant<T...>> {
    using types = TypeList<T...>;
};

template <class T, class... Outer>
constexpr bool can_be_copied();

template <class... T, class... Outer>
constexpr bool all_can_be_copied(TypeList<T...>, TypeList<Outer...>) {
    return (can_be_copied<std::remove_cv_t<T>, Outer...>() && ...);
}

/// `Outer` are the types that hold a T: one that holds itself ends there.
template <class T, class... Outer>
constexpr bool can_be_copied() {
    if constexpr (std::is_reference_v<T> || (std::is_same_v<T, Outer> || ...)) {
        return true;
    } else if constexpr (std::is_copy_constructible_v<T>) {
        return all_can_be_copied(typename Held<T>::types(), TypeList<T, Outer...>());
    } else {
        return false;
    }
}

/// Can a T be copied, and what it holds as well? A class of one's own that has a container of what
/// only moves as a member must say itself that it cannot: by a deleted copy constructor.
template <class T>
inline constexpr bool is_copyable = can_be_copied<std::remove_cv_t<T>>();

/// What is known of a result without its type. The awaiting coroutine is noted here and not in the
/// promise of the awaited one, because a task, which has none, has a slot as well: each frame is
/// eight bytes smaller.
class OutcomeBase {
public:
    OutcomeBase() = default;
    OutcomeBase(const OutcomeBase&) = delete;
    OutcomeBase& operator=(const OutcomeBase&) = delete;

    std::exception_ptr error;
    PromiseBase* awaiting = nullptr;  // the coroutine whose frame the slot lies in; null in a task

protected:
    ~OutcomeBase() = default;
};

template <class T>
class Outcome : public OutcomeBase {
public:
    Outcome() noexcept {}
    ~Outcome() {
        if (state_ != State::empty) {
            stored_.~Stored();
        }
    }

    template <class U>
    void emplace(U&& value) {
        if constexpr (boxed) {
            ::new (static_cast<void*>(&stored_)) Stored(make_owned<T>(std::forward<U>(value)));
        } else {
            ::new (static_cast<void*>(&stored_)) Stored(std::forward<U>(value));
        }
        state_ = State::value;
    }

    /// The value moved out, or the error thrown. Once.
    T take() {
        if (error != nullptr) {
            std::rethrow_exception(error);
        }
        state_ = State::taken;
        return std::move(value());
    }

    /// A copy where T can be copied; otherwise the value itself, once.
    T get() {
        if constexpr (is_copyable<T>) {
            if (error != nullptr) {
                std::rethrow_exception(error);
            }
            return value();
        } else {
            if (state_ == State::taken) {
                raise_invalid_state("Result has been moved out already.");
            }
            return take();
        }
    }

    T& value() noexcept {
        if constexpr (boxed) {
            return *stored_;
        } else {
            return stored_;
        }
    }

private:
    // Coroutine frames are aligned as malloc aligns: what needs more lies elsewhere.
    static constexpr bool boxed = alignof(T) > 2 * sizeof(void*);
    using Stored = std::conditional_t<boxed, Owned<T>, T>;
    enum class State : std::uint8_t { empty, value, taken };

    State state_ = State::empty;
    union {
        Stored stored_;
    };
};

template <class T>
class Outcome<T&> : public OutcomeBase {
public:
    void emplace(T& object) noexcept { object_ = &object; }
    T& take() { return get(); }
    T& get() {
        if (error != nullptr) {
            std::rethrow_exception(error);
        }
        return *object_;
    }
    T& value() noexcept { return *object_; }

private:
    T* object_ = nullptr;
};

template <>
class Outcome<void> : public OutcomeBase {
public:
    void emplace() const noexcept {}
    void take() const { get(); }
    void get() const {
        if (error != nullptr) {
            std::rethrow_exception(error);
        }
    }
};

/// void as a value: what stands for None in tuples and vectors.
template <class T>
using NotVoid = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

}  // namespace asyncio::detail
