// generators.hpp - AsyncGenerator<T>: what an `async def` with `yield` is in C++; aclosing().
//
// Mirrors Python's asynchronous generators and contextlib.aclosing; differences:
// docs/parity.md#generators.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/generator_base.hpp>
#include <asyncio/result.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

namespace asyncio {

template <class T, class S = void>
class AsyncGenerator;

namespace detail {

/// What asking for an item gives: nothing at the end.
template <class T>
using GeneratorItem =
    std::conditional_t<std::is_lvalue_reference_v<T>, std::add_pointer_t<T>, std::optional<T>>;

template <class S>
struct GeneratorSent {
    std::optional<S> sent;
};
template <>
struct GeneratorSent<void> {};

/// Where an item goes: in the frame of the coroutine that asks for it. `error` is what is thrown
/// into the generator before it is resumed, and what it threw afterwards.
template <class T, class S>
struct GeneratorSlot : OutcomeBase, GeneratorSent<S> {
    GeneratorItem<T> item{};
};

/// Asks for an item.
template <class T, class S>
class [[nodiscard]] ItemAwaiter {
public:
    explicit ItemAwaiter(GeneratorRef generator) noexcept : generator_(std::move(generator)) {}
    ItemAwaiter(GeneratorRef generator, std::exception_ptr thrown) noexcept
        : generator_(std::move(generator)) {
        slot_.error = std::move(thrown);
    }
    template <class Sent>
        requires std::same_as<Sent, std::optional<S>>
    ItemAwaiter(GeneratorRef generator, Sent sent) noexcept(std::is_nothrow_move_constructible_v<S>)
        : generator_(std::move(generator)) {
        if (sent.has_value()) {
            slot_.sent.emplace(std::move(*sent));
        }
    }
    ItemAwaiter(const ItemAwaiter&) = delete;
    ItemAwaiter& operator=(const ItemAwaiter&) = delete;

    [[nodiscard]] bool await_ready() {
        if (slot_.error != nullptr) {
            if (!generator_) {
                raise_close_awaited_again();
            }
            return !generator_->begin_throw(slot_.error);
        }
        if (!generator_) {
            raise_item_awaited_again();
        }
        return !generator_->begin_next(sends());
    }
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P> consumer) noexcept {
        slot_.awaiting = &consumer.promise();
        generator_->enter(slot_);
    }
    GeneratorItem<T> await_resume() {
        generator_->settle();
        if (slot_.error != nullptr) {
            std::rethrow_exception(slot_.error);
        }
        return std::move(slot_.item);
    }
    Result<GeneratorItem<T>> await_result() {
        generator_->settle();
        if (slot_.error != nullptr) {
            return Result<GeneratorItem<T>>(std::move(slot_.error));
        }
        return Result<GeneratorItem<T>>::of([this] { return std::move(slot_.item); });
    }

private:
    [[nodiscard]] bool sends() const noexcept {
        if constexpr (std::is_void_v<S>) {
            return false;
        } else {
            return slot_.sent.has_value();
        }
    }

    GeneratorRef generator_;
    GeneratorSlot<T, S> slot_;
};

/// Suspends a generator at a co_yield. It goes on there with what was sent, or thrown in.
template <class T, class S>
class [[nodiscard]] YieldAwaiter {
public:
    explicit YieldAwaiter(PromiseBase& promise) noexcept : promise_(promise) {}

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> frame) const noexcept {
        GeneratorBase::of(frame).yielded();
        thread_state.leaf = promise_.parent();
    }
    auto await_resume() const {
        OutcomeBase& slot = promise_.outcome();
        if (slot.error != nullptr) {
            std::rethrow_exception(std::exchange(slot.error, nullptr));
        }
        if constexpr (!std::is_void_v<S>) {
            return std::move(static_cast<GeneratorSlot<T, S>&>(slot).sent);
        }
    }

private:
    PromiseBase& promise_;
};

template <class T, class S>
class GeneratorPromise final : public AwaitingPromise {
public:
    AsyncGenerator<T, S> get_return_object(
        std::source_location function = std::source_location::current()) noexcept {
        site_ = function;
        return AsyncGenerator<T, S>(GeneratorBase::of(handle()));
    }
    void return_void() const noexcept {}

    template <class U = T>
        requires(!std::is_lvalue_reference_v<T> && std::convertible_to<U, T>)
    YieldAwaiter<T, S> yield_value(U&& value,
                                   std::source_location site = std::source_location::current()) {
        site_ = site;
        if (!GeneratorBase::of(handle()).closing()) {
            slot().item.emplace(std::forward<U>(value));
        }
        return YieldAwaiter<T, S>(*this);
    }
    YieldAwaiter<T, S> yield_value(
        T& object, std::source_location site = std::source_location::current()) noexcept
        requires std::is_lvalue_reference_v<T>
    {
        site_ = site;
        if (!GeneratorBase::of(handle()).closing()) {
            slot().item = std::addressof(object);
        }
        return YieldAwaiter<T, S>(*this);
    }

    static void* operator new(std::size_t size) { return GeneratorBase::allocate(size); }
    static void operator delete(void* frame, std::size_t size) noexcept {
        GeneratorBase::free(frame, size);
    }

private:
    GeneratorSlot<T, S>& slot() const noexcept {
        return static_cast<GeneratorSlot<T, S>&>(*outcome_);
    }
};

}  // namespace detail

/// An async function that gives many values, one at each `co_yield`, and may await in between. It
/// runs only while it is asked for the next one, in the task that asks.
///
///     AsyncGenerator<int> ticks(int n) {
///         for (int i = 0; i < n; ++i) {
///             co_await sleep(1);
///             co_yield i;
///         }
///     }
///
///     auto numbers = ticks(3);
///     while (auto number = co_await numbers.next()) { use(*number); }
///
/// Items are moved to the one who asks; those of an AsyncGenerator<T&> are pointers to what was
/// yielded, good until it is asked again. One task may ask at a time. With a second type,
/// AsyncGenerator<T, S>, values can be sent back: `std::optional<S> answer = co_yield item;` is
/// what asend() was given, nothing after next().
///
/// A generator that is not read to its end should be closed, by aclose() or aclosing(): its cleanup
/// runs then, and may await. One that is dropped before its end is destroyed at once: destructors
/// run, handlers and awaits do not. (Python's loop closes it in a task a little later; here its
/// body may refer to what goes with the one who dropped it.) What run() finds open at its end,
/// shutdown_asyncgens() closes.
///
/// Cancellation: a CancelledError is thrown where the task waits, in the generator too; it is at
/// its
///               end then, unless it catches it.
/// Errors:       what leaves the body comes out of next(); from then on it is at its end.
///               RuntimeError if it is asked while another task waits for it.
/// Threads:      belongs to the thread of the loop that runs it.
template <class T, class S>
class [[nodiscard]] AsyncGenerator {
    using ItemAwaiter = detail::ItemAwaiter<T, S>;

public:
    using promise_type = detail::GeneratorPromise<T, S>;
    using value_type = T;

    static_assert(!std::is_void_v<T> && !std::is_rvalue_reference_v<T>,
                  "an AsyncGenerator gives objects or lvalue references");
    static_assert(std::is_reference_v<T> ||
                      alignof(std::remove_reference_t<T>) <= 2 * sizeof(void*),
                  "items lie in coroutine frames, which are aligned as malloc aligns");

    AsyncGenerator(AsyncGenerator&&) noexcept = default;
    AsyncGenerator& operator=(AsyncGenerator&&) noexcept = default;

    /// Awaited, the next item: a std::optional<T> (a U* if T is U&), empty at the end.
    auto next() { return detail::GeneratorCall<ItemAwaiter>(generator()); }

    /// The same, and `value` is what the co_yield gives at which the generator is suspended.
    /// TypeError if it is at none yet: it has to be begun by next(), or by sending nothing.
    auto asend(std::optional<std::conditional_t<std::is_void_v<S>, char, S>> value)
        requires(!std::is_void_v<S>)
    {
        return detail::GeneratorCall<ItemAwaiter, std::optional<S>>(generator(), std::move(value));
    }

    /// Throws `error` at the co_yield where the generator is suspended; awaited, the next item that
    /// it gives, if it deals with the error. One that was not begun ends with it at once, one that
    /// is at its end gives nothing. TypeError if it is null.
    auto athrow(std::exception_ptr error) {
        detail::check_thrown_in(error);
        return detail::GeneratorCall<ItemAwaiter, std::exception_ptr>(generator(),
                                                                      std::move(error));
    }
    template <class E>
        requires(!std::convertible_to<E, std::exception_ptr>)
    auto athrow(E&& error) {
        return athrow(std::make_exception_ptr(std::forward<E>(error)));
    }

    /// Throws GeneratorExit at the co_yield where the generator is suspended, and awaits its
    /// cleanup. Nothing happens if it was not begun (it never will be), or is at its end.
    /// RuntimeError if it yields again; what else it throws comes out here.
    auto aclose() { return detail::GeneratorCall<detail::CloseAwaiter>(generator()); }

private:
    friend promise_type;
    explicit AsyncGenerator(detail::GeneratorBase& generator) noexcept : generator_(generator) {}

    detail::GeneratorBase& generator() const {
        if (!generator_) {
            detail::raise_empty_generator();
        }
        return *generator_;
    }

    detail::GeneratorRef generator_;
};

/// What aclosing() gives: a resource for with(), which closes a generator. Mirrors
/// contextlib.aclosing.
template <class Generator>
class Aclosing {
public:
    explicit Aclosing(Generator&& generator) : generator_(std::forward<Generator>(generator)) {}

    std::remove_reference_t<Generator>& aenter() noexcept { return generator_; }
    Coroutine<bool> aexit(std::exception_ptr) {
        co_await generator_.aclose();
        co_return false;
    }

private:
    Generator generator_;
};

/// Closes `generator`, or anything else that has an aclose(), at the end of a with(). It is
/// referred to if it is an lvalue, otherwise kept.
///
///     co_await with(aclosing(ticks(10)), [&](AsyncGenerator<int>& numbers) -> Coroutine<> {
///         while (auto number = co_await numbers.next()) {
///             if (*number == 3) { break; }
///         }
///     });
template <class Generator>
[[nodiscard]] Aclosing<Generator> aclosing(Generator&& generator) {
    return Aclosing<Generator>(std::forward<Generator>(generator));
}

}  // namespace asyncio
