// memory_streams.hpp - two streams that are connected in memory: memory_stream_pair(), for tests of
// protocols that need no network.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/config.hpp>
#include <asyncio/streams.hpp>

#include <cstddef>

namespace asyncio::testing {

/// Keyword arguments of memory_stream_pair().
struct MemoryStreamOptions {
    std::size_t limit = detail::default_stream_limit;  ///< of the readers, as open_connection()'s
    /// Bytes that may be under way in each direction, as in the buffers of a socket: beyond, what
    /// is written is kept by the writer, and drain() waits. At least 1.
    std::size_t buffer = std::size_t{64} * 1024;
    /// Bytes that arrive at once; 1 tests a parser with every split there is. 0: all.
    std::size_t piece = 0;
};
static_assert(detail::trivially_destructible<MemoryStreamOptions>);

/// What is between the two ends: to let go wrong what goes wrong in networks.
class MemoryWire {
public:
    /// Nothing arrives any more, until resume(): neither bytes nor the end.
    void stall();
    void resume();

    /// Both ends lose the connection, with an OSError of that number; what is under way is lost.
    /// As when a machine on the way breaks down. ECONNRESET unless told otherwise.
    void reset();
    void reset(int error);

    MemoryWire(detail::StreamCount& one_end, detail::StreamCount& other_end) noexcept
        : one_(one_end), other_(other_end) {}

private:
    detail::StreamKeep one_;
    detail::StreamKeep other_;
};

/// What memory_stream_pair() gives.
struct MemoryStreamPair {
    StreamPair first;
    StreamPair second;
    MemoryWire wire;
};

/// Two ends of a connection of the running loop. What is written to one is read from the other:
///
///     auto [client, server, wire] = testing::memory_stream_pair();
///     client.writer.write("ping\n");
///     std::string line = co_await server.reader.readline();
///
/// They behave as connected Unix sockets do: bytes arrive in order and in some later turn of the
/// loop; write_eof() ends one direction; close() sends what is left and ends both; who writes to an
/// end that is closed gets BrokenPipeError. There is no address and no socket.
///
/// Errors:  std::invalid_argument if `limit` or `buffer` is 0; RuntimeError without a running loop.
/// Threads: belong to their loop's thread.
[[nodiscard]] MemoryStreamPair memory_stream_pair(MemoryStreamOptions options = {});

}  // namespace asyncio::testing
