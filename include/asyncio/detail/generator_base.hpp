// generator_base.hpp - what an async generator is without the types of its values.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/lowlevel/intrusive.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio::detail {

/// An async generator: its state, in front of its frame and in the same block of memory. The frame
/// goes when the body has ended; this is there for as long as anybody refers to it.
///
/// While it is asked for an item, its frame is one more in the task that asks: the awaiter there
/// gives it the slot for the item, makes it the task's leaf, and is resumed when it yields or ends.
/// The one who lets go of the last reference finds it at its end, never begun, or suspended at a
/// co_yield: then the frame is destroyed at once.
class GeneratorBase : public lowlevel::ListHook<AsyncGens> {
public:
    /// Memory for a frame of `size` bytes, behind a GeneratorBase.
    [[nodiscard]] static void* allocate(std::size_t size);
    /// The frame has been destroyed.
    static void free(void* frame, std::size_t size) noexcept;

    static GeneratorBase& of(std::coroutine_handle<> frame) noexcept {
        return *static_cast<GeneratorBase*>(
            static_cast<void*>(static_cast<char*>(frame.address()) - prefix()));
    }

    void retain() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) {
            let_go();
        }
    }

    // ---- for whoever asks: false if there is nothing to be resumed; RuntimeError if it runs

    /// For the next item; `sends` if a value comes along.
    bool begin_next(bool sends) {
        if (state_ == State::suspended) [[likely]] {
            state_ = State::running;
            return true;
        }
        return begin_first(sends);
    }
    /// To throw `error` into it. That stays where it is if it is to be thrown without resuming.
    bool begin_throw(std::exception_ptr& error);
    /// To close it; the same.
    bool begin_close(std::exception_ptr& error);
    /// The body is resumed next, and `slot` is where its item goes, or its error.
    void enter(OutcomeBase& slot) noexcept {
        PromiseBase& body = promise();
        body.adopt(slot);
        thread_state.leaf = &body;
    }
    /// It came back: by a co_yield, or by its end, and then its frame goes. Has it yielded?
    bool settle() noexcept {
        if (state_ == State::running || state_ == State::closing) {
            end();
        }
        return state_ == State::suspended;
    }

    // ---- for the body

    /// An item that is yielded while it is closed has nowhere to go.
    [[nodiscard]] bool closing() const noexcept { return state_ == State::closing; }
    void yielded() noexcept { state_ = State::suspended; }

    /// The generators of `loop` that shutdown_asyncgens() has to close, and what it calls them.
    struct Open;
    static std::vector<Open> open_in(EventLoop& loop);

private:
    friend class asyncio::EventLoop;
    /// `closing` is running as well, under aclose().
    enum class State : std::uint8_t { unstarted, suspended, running, closing, finished };

    static constexpr std::size_t prefix() noexcept {
        return (sizeof(GeneratorBase) + 15) / 16 * 16;
    }

    GeneratorBase() = default;
    ~GeneratorBase() = default;

    [[nodiscard]] PromiseBase& promise() noexcept {
        void* const frame = static_cast<char*>(static_cast<void*>(this)) + prefix();
        return std::coroutine_handle<PromiseBase>::from_address(frame).promise();
    }
    bool begin_first(bool sends);
    void check_not_running(const char* refusal) const;
    void end() noexcept;
    void let_go() noexcept;
    void forget_loop() noexcept;
    [[nodiscard]] std::string repr();

    EventLoop* loop_ = nullptr;  // in whose list it is: from the first item on
    std::size_t size_ = 0;       // of the block; known when the frame is gone
    std::uint32_t references_ = 0;
    State state_ = State::unstarted;
    bool closed_ = false;  // aclose() has been called
};

/// A reference to a generator; null when it was moved away.
class GeneratorRef {
public:
    explicit GeneratorRef(GeneratorBase& generator) noexcept : generator_(&generator) {
        generator.retain();
    }
    GeneratorRef(GeneratorRef&& other) noexcept
        : generator_(std::exchange(other.generator_, nullptr)) {}
    GeneratorRef& operator=(GeneratorRef other) noexcept {
        std::swap(generator_, other.generator_);
        return *this;
    }
    ~GeneratorRef() {
        if (generator_ != nullptr) {
            generator_->release();
        }
    }

    explicit operator bool() const noexcept { return generator_ != nullptr; }
    GeneratorBase* operator->() const noexcept { return generator_; }
    GeneratorBase& operator*() const noexcept { return *generator_; }

private:
    GeneratorBase* generator_;
};

struct GeneratorBase::Open {
    GeneratorRef generator;
    std::string name;
};

[[noreturn]] void raise_item_awaited_again();
[[noreturn]] void raise_close_awaited_again();
[[noreturn]] void raise_empty_generator();
void check_thrown_in(const std::exception_ptr& error);

/// Closes a generator: throws GeneratorExit, or `thrown`, at its co_yield.
class [[nodiscard]] CloseAwaiter {
public:
    explicit CloseAwaiter(GeneratorRef generator, std::exception_ptr thrown = nullptr) noexcept
        : generator_(std::move(generator)) {
        slot_.error = std::move(thrown);
    }
    CloseAwaiter(const CloseAwaiter&) = delete;
    CloseAwaiter& operator=(const CloseAwaiter&) = delete;

    [[nodiscard]] bool await_ready();
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P> closer) noexcept {
        slot_.awaiting = &closer.promise();
        generator_->enter(slot_);
    }
    void await_resume();

private:
    GeneratorRef generator_;
    Outcome<void> slot_;
};

/// What the methods of a generator return: awaited once. It refers to the generator, which
/// therefore is there until then.
template <class Awaiter, class... Extra>
class [[nodiscard]] GeneratorCall {
public:
    explicit GeneratorCall(GeneratorBase& generator, Extra... extra)
        : generator_(generator), extra_(std::move(extra)...) {}

    Awaiter operator co_await() && noexcept(
        std::is_nothrow_constructible_v<Awaiter, GeneratorRef, Extra...>) {
        return std::apply(
            [this](Extra&... extra) { return Awaiter(std::move(generator_), std::move(extra)...); },
            extra_);
    }

private:
    GeneratorRef generator_;
    [[no_unique_address]] std::tuple<Extra...> extra_;
};

}  // namespace asyncio::detail
