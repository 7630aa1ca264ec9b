// hostile_system.hpp - HostileSystem: a system that refuses, shortens, interrupts and delays what
// the library asks of it.
//
// For programs that link `hostile_system`: there the linker puts the functions of
// hostile_system.cpp between the library and the C library (--wrap), for the calls that
// system_calls.inc names. Production code knows nothing of that, and pays nothing.
//
// What is told never contradicts what epoll promises: where a call said "not now", or took or gave
// less than there was, epoll reports the descriptor again.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

namespace asyncio::testing {

/// A call of system_calls.inc, and what it may fail with.
struct SystemCall {
    std::string_view name;
    std::span<const int> errors;
};

[[nodiscard]] std::span<const SystemCall> system_calls() noexcept;

/// How the system behaves. All threads count together.
struct Hostility {
    static constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

    std::string_view call = {};  ///< which fails, ...
    std::int64_t nth = 0;        ///< from the one with this number on, from 1, ...
    std::int64_t times = 1;      ///< so often ...
    int error = 0;               ///< with this errno; of getaddrinfo: EAI_*

    std::size_t most_bytes = no_limit;  ///< that one call transfers, on streams
    int would_block = 0;                ///< per cent of the transfers say EAGAIN
    int interrupted = 0;                ///< per cent of the calls that can say EINTR do
    int delayed = 0;  ///< per cent of all calls come a tenth of a millisecond late
    std::uint64_t seed = 1;
};

/// The system is hostile while it lives. One at a time.
class HostileSystem {
public:
    explicit HostileSystem(const Hostility& hostility);
    HostileSystem(const HostileSystem&) = delete;
    HostileSystem& operator=(const HostileSystem&) = delete;
    ~HostileSystem();

    /// Has the call failed that was to?
    [[nodiscard]] bool failed() const;
    /// How many calls of that name were made.
    [[nodiscard]] std::int64_t calls(std::string_view name) const;
    /// And in all.
    [[nodiscard]] std::int64_t calls() const;
    /// Lies told: transfers refused or shortened, calls interrupted or delayed.
    [[nodiscard]] std::int64_t lies() const;
};

/// The system is itself for this thread while it lives: for the calls of the test's own.
class FriendlySystem {
public:
    FriendlySystem() noexcept;
    FriendlySystem(const FriendlySystem&) = delete;
    FriendlySystem& operator=(const FriendlySystem&) = delete;
    ~FriendlySystem();
};

}  // namespace asyncio::testing
