// primitive.hpp - what locks and queues have in common: the loop that they belong to, what of
// theirs can be awaited, their names in messages.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/events.hpp>

#include <cstdint>
#include <string>

namespace asyncio::detail {

/// The loop of the first task that had to wait. Tasks of another one must not: nothing here is made
/// for two threads.
class LoopBinding {
public:
    /// Is it the running loop? Binds to that the first time.
    [[nodiscard]] bool matches() noexcept {
        const std::uint64_t running = thread_state.loop->serial();
        if (loop_ == 0) {
            loop_ = running;
        }
        return loop_ == running;
    }

private:
    std::uint64_t loop_ = 0;  // its serial number: at its address there may be another one later
};

[[noreturn]] void raise_other_loop(const std::string& primitive);

/// "0x7f5c2a001230", as Python's repr() names an object.
[[nodiscard]] std::string address_text(const void* object);

/// What can be awaited: a pointer to the primitive, of which `Awaiter` is made where it is awaited.
template <class Awaiter, class Primitive>
class [[nodiscard]] WaitFor {
public:
    static constexpr bool awaited_by_value = true;

    explicit WaitFor(Primitive& primitive) noexcept : primitive_(&primitive) {}
    Awaiter operator co_await() const noexcept { return Awaiter(*primitive_); }

private:
    Primitive* primitive_;
};

}  // namespace asyncio::detail
