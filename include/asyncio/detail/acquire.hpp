// acquire.hpp - the ways to acquire what is released again: acquire(), scoped(), with().
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/error_or.hpp>
#include <asyncio/detail/place.hpp>
#include <asyncio/detail/primitive.hpp>
#include <asyncio/lowlevel/intrusive.hpp>

#include <exception>

namespace asyncio::detail {

template <class Primitive>
class Acquirable;

/// Gives what it stands for back at the end of its scope. Movable, to be returned or kept. It knows
/// when the primitive has been destroyed before it.
template <class Primitive>
class [[nodiscard]] Guard : private lowlevel::ListHook<> {
public:
    explicit Guard(Primitive& primitive) noexcept : primitive_(&primitive) {
        primitive.guards_.push_back(*this);
    }
    Guard(Guard&& other) noexcept : primitive_(other.primitive_) { take_over(other); }
    Guard& operator=(Guard&& other) noexcept {
        if (this != &other) {
            give_back();
            primitive_ = other.primitive_;
            take_over(other);
        }
        return *this;
    }
    ~Guard() { give_back(); }

    /// Has it still something to give back?
    explicit operator bool() const noexcept { return linked(); }
    /// Gives it back before the end of the scope.
    void release() {
        if (linked()) {
            unlink();
            primitive_->release();
        }
    }

private:
    friend lowlevel::List<Guard>;

    void take_over(Guard& other) noexcept {
        if (other.linked()) {
            other.unlink();
            primitive_->guards_.push_back(*this);
        }
    }
    void give_back() noexcept {
        if (linked()) {
            unlink();
            primitive_->release_guarded();
        }
    }

    Primitive* primitive_;
};

template <class Primitive>
class [[nodiscard]] AcquireAwaiter final : public Settling<typename Primitive::Waiter> {
public:
    using Settling<typename Primitive::Waiter>::Settling;

    bool await_resume() {
        this->finish();
        return true;
    }
    Result<bool> await_result() { return error_or<bool>(this->finish_without_throw(), true); }
};

template <class Primitive>
class [[nodiscard]] EnterAwaiter final : public Settling<typename Primitive::Waiter> {
public:
    using Settling<typename Primitive::Waiter>::Settling;

    void await_resume() { this->finish(); }
};

template <class Primitive>
class [[nodiscard]] ScopedAwaiter final : public Settling<typename Primitive::Waiter> {
public:
    using Settling<typename Primitive::Waiter>::Settling;

    Guard<Primitive> await_resume() {
        this->finish();
        return Guard<Primitive>(static_cast<Primitive&>(this->primitive()));
    }
};

template <class Primitive>
using Acquire = WaitFor<AcquireAwaiter<Primitive>, Primitive>;

/// What can be acquired and released also has this. (Python: _ContextManagerMixin.)
template <class Primitive>
class Acquirable {
public:
    Acquirable(const Acquirable&) = delete;
    Acquirable& operator=(const Acquirable&) = delete;

    /// As acquire(), giving a Guard that releases it.
    [[nodiscard]] auto scoped() noexcept {
        return WaitFor<ScopedAwaiter<Primitive>, Primitive>(self());
    }
    /// For with().
    [[nodiscard]] auto aenter() noexcept {
        return WaitFor<EnterAwaiter<Primitive>, Primitive>(self());
    }
    bool aexit(const std::exception_ptr&) {
        self().release();
        return false;
    }

protected:
    Acquirable() = default;
    ~Acquirable() { guards_.clear(); }

private:
    friend Guard<Primitive>;

    [[nodiscard]] Primitive& self() noexcept { return static_cast<Primitive&>(*this); }

    lowlevel::List<Guard<Primitive>> guards_;
};

}  // namespace asyncio::detail
