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

class PromiseBase;

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
            ::new (static_cast<void*>(&stored_))
                Stored(std::make_unique<T>(std::forward<U>(value)));
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
        if constexpr (std::is_copy_constructible_v<T>) {
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
    using Stored = std::conditional_t<boxed, std::unique_ptr<T>, T>;
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
