// shield.hpp - shield(): an await whose cancellation does not reach what is awaited.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/blocks.hpp>
#include <asyncio/detail/task.hpp>

#include <new>
#include <type_traits>
#include <utility>

namespace asyncio {

namespace detail {

/// The future that shield() gives, the outer one. It has a callback at the inner future, which
/// makes the outer one done, and one at itself, which takes that callback back if the outer one was
/// done first: by cancellation.
class ShieldBase : public DependentFuture {
public:
    bool cancel(CancelMessage message) override { return cancel_plain(message); }
    void detach() noexcept override;

    /// The shield that `callback`, in the list of a future, passes its end on to; null if it is
    /// another's.
    static ShieldBase* of(const lowlevel::Callback& callback) noexcept;

protected:
    explicit ShieldBase(FutureBase& inner) noexcept
        : DependentFuture(inner.loop(), Kind::future), inner_(inner) {}
    ~ShieldBase() override { detach(); }

    void begin();
    /// The inner future has a result: gives the outcome its value.
    virtual void take_result() = 0;
    [[nodiscard]] FutureBase& inner() const noexcept { return *inner_.raw(); }

private:
    class Link final : public lowlevel::Callback {
    public:
        Link(Run to_run, ShieldBase& owner) noexcept : Callback(to_run), shield(owner) {}
        void run_instead(Run to_run) noexcept { set_function(to_run); }
        ShieldBase& shield;
    };

    static void inner_done(lowlevel::Callback& callback);
    static void outer_done(lowlevel::Callback& callback);
    static void inner_done_late(lowlevel::Callback& callback);
    static ShieldBase& shield_of(lowlevel::Callback& callback) noexcept {
        return static_cast<Link&>(callback).shield;
    }

    void end_with_result();
    void settle() noexcept;

    AnyFuture inner_;
    Link at_inner_{&inner_done, *this};
    Link at_outer_{&outer_done, *this};
};

template <class T>
class ShieldOf final : public ShieldBase {
public:
    static Future<T> make(FutureBase& inner) {
        auto* const shield = ::new (allocate_block(sizeof(ShieldOf))) ShieldOf(inner);
        shield->begin();
        return Future<T>::take_over(shield);
    }

    [[nodiscard]] OutcomeBase& outcome() noexcept override { return outcome_; }

private:
    using ShieldBase::ShieldBase;
    ~ShieldOf() override = default;
    void dispose() noexcept override {
        this->~ShieldOf();
        free_block(this, sizeof(ShieldOf));
    }
    void take_result() override {
        if constexpr (std::is_void_v<T>) {
            outcome_.emplace();
        } else {
            auto& result = static_cast<Outcome<T>&>(inner().outcome());
            const bool sole = inner().references() == 1;  // nobody else can ask for it
            outcome_.emplace(sole ? result.take() : result.get());
        }
    }

    Outcome<T> outcome_;
};

/// What shield() gives for a future of type F.
template <class F>
struct Shielded {
    using type = Future<typename F::value_type>;
};
template <class F>
    requires(std::is_same_v<F, AnyFuture> || std::is_same_v<F, AnyTask>)
struct Shielded<F> {
    using type = AnyFuture;
};

template <class A>
concept Shieldable = std::is_base_of_v<AnyFuture, std::remove_cvref_t<A>> || TaskSource<A>;

}  // namespace detail

/// A future of what `awaitable` gives, which passes no cancellation on to it: a task that is
/// cancelled while it awaits the shield gets its CancelledError, and `awaitable` goes on. A
/// coroutine becomes a task at once. What is done already is given as it is.
///
///     auto saving = create_task(save(document));
///     co_await shield(saving);             // cancelled here, it is saved nevertheless
///
/// If `awaitable` itself is cancelled, so is the shield. Whoever must not be cancelled at all
/// catches the CancelledError, and awaits the task again.
///
/// Cancellation: cancels the shield alone.
/// Errors: those of `awaitable`. If it fails after the shield was cancelled, the exception handler
///         is told: "RuntimeError exception in shielded future" (Python 3.14).
template <detail::Shieldable A>
[[nodiscard]] auto shield(A&& awaitable) {
    auto inner = ensure_future(std::forward<A>(awaitable));
    using Inner = decltype(inner);
    using Outer = typename detail::Shielded<Inner>::type;
    if (inner.done()) {
        return Outer(*inner.raw());
    }
    // The caller's own handle goes before the result is there, so that it can be moved out if there
    // is no other.
    return Outer(detail::ShieldOf<typename Inner::value_type>::make(*inner.raw()));
}

}  // namespace asyncio
