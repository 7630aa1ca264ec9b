// protocol.hpp - what a pool, its server process and its workers say to each other.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace asyncio::detail {

/// The environment variable by which a program knows that it was started as a server: the parent's
/// process id; and if LD_PRELOAD was changed for it a '/' and what that was. What it talks to the
/// parent by is descriptor server_socket.
inline constexpr const char* server_variable = "ASYNCIO_PROCESS_SERVER";
inline constexpr int server_socket = 3;

// ------------------------------------------------------------ pool <-> server, in datagrams

struct ServerMessage {
    enum class Kind : std::uint32_t {
        start,    ///< to the server, with two descriptors: a worker's socket and its page
        signal,   ///< to the server: `value` to the worker
        hello,    ///< from the server: it is there, and has the program's id behind this
        started,  ///< the worker's process id is `value`
        failed,   ///< there is no worker: the errno is `value`
        ended,    ///< the worker's status, as that of waitpid(), is `value`
    };
    Kind kind = Kind::hello;
    std::int32_t worker = 0;
    std::int32_t value = 0;
};

// ------------------------------------------------------------------- worker -> pool, a stream

struct ReplyHeader {
    enum class Kind : std::uint32_t {
        ready,   ///< it has been initialised
        value,   ///< what the call gave
        error,   ///< what it threw
        failed,  ///< what its initialiser threw
    };
    static constexpr std::uint32_t right_magic = 0x61736e63;

    std::uint32_t magic = right_magic;
    Kind kind = Kind::ready;
    std::uint64_t size = 0;  ///< of what follows
    std::uint64_t number = 0;
    std::int64_t nanoseconds = 0;  ///< that the call took
};

// ------------------------------------------------------------------ the page that both have

/// Which calls a worker has begun. A call that has not can be taken back, and given to another.
struct WorkerPage {
    static constexpr std::size_t slots = 64;
    enum State : std::uint64_t { queued = 1, running = 2, revoked = 3 };

    std::array<std::atomic<std::uint64_t>, slots> calls{};
    std::atomic<std::int64_t> begun{0};  ///< when, of the last one: nanoseconds, CLOCK_MONOTONIC

    static constexpr std::uint64_t word(std::uint64_t number, State state) noexcept {
        return number * 4 + state;
    }
    std::atomic<std::uint64_t>& call(std::uint64_t number) noexcept {
        return calls[number % slots];
    }
    void queue(std::uint64_t number) noexcept {
        call(number).store(word(number, queued), std::memory_order_release);
    }
    /// From queued to `state`: false if somebody else was quicker.
    bool claim(std::uint64_t number, State state) noexcept {
        std::uint64_t expected = word(number, queued);
        return call(number).compare_exchange_strong(expected, word(number, state));
    }
    [[nodiscard]] bool is_running(std::uint64_t number) noexcept {
        return call(number).load() == word(number, running);
    }
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace asyncio::detail
