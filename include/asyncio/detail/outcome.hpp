// outcome.hpp - the slot for the result of a coroutine: given by whoever awaits it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/exceptions.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <variant>

namespace asyncio::detail {

/// What is known of a result without its type.
class OutcomeBase {
public:
    enum class State : std::uint8_t {
        empty,
        value,
        taken,      // the value was moved out
        abandoned,  // the coroutine that was to fill it has been destroyed
    };

    OutcomeBase() = default;
    OutcomeBase(const OutcomeBase&) = delete;
    OutcomeBase& operator=(const OutcomeBase&) = delete;

    std::exception_ptr error;
    State state = State::empty;

protected:
    ~OutcomeBase() = default;
};

template <class T>
class Outcome : public OutcomeBase {
public:
    Outcome() noexcept {}
    ~Outcome() {
        if (state == State::value || state == State::taken) {
            stored_.~Stored();
        }
    }

    template <class U>
    void emplace(U&& value) {
        if constexpr (boxed) {
            ::new (static_cast<void*>(&stored_))
                Stored(std::make_unique<T>(std::forward<U>(value)));
        } else {
            ::new (static_cast<void*>(&stored_)) Stored(std::forward<U>(value));
        }
        state = State::value;
    }

    /// The value moved out, or the error thrown. Once.
    T take() {
        if (error != nullptr) {
            std::rethrow_exception(error);
        }
        state = State::taken;
        return std::move(value());
    }

    /// A copy where T can be copied; otherwise the value itself, once.
    T get() {
        if constexpr (std::is_copy_constructible_v<T>) {
            if (error != nullptr) {
                std::rethrow_exception(error);
            }
            return value();
        } else {
            if (state == State::taken) {
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
    using Stored = std::conditional_t<boxed, std::unique_ptr<T>, T>;

    union {
        Stored stored_;
    };
};

template <class T>
class Outcome<T&> : public OutcomeBase {
public:
    void emplace(T& object) noexcept {
        object_ = &object;
        state = State::value;
    }
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
    void emplace() noexcept { state = State::value; }
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
