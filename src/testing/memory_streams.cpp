// memory_streams.cpp - the handles of connections in memory.
//
// SPDX-License-Identifier: MIT
#include <asyncio/testing/memory_streams.hpp>

#include "memory_connection.hpp"

#include <cerrno>
#include <exception>

namespace asyncio::testing {

static MemoryConnection& connection_of(const detail::StreamKeep& keep) noexcept {
    return static_cast<MemoryConnection&>(detail::connection_of(keep.get()));
}

void MemoryWire::stall() {
    connection_of(one_).stall(true);
    connection_of(other_).stall(true);
}

void MemoryWire::resume() {
    connection_of(one_).stall(false);
    connection_of(other_).stall(false);
}

void MemoryWire::reset() {
    reset(ECONNRESET);
}

void MemoryWire::reset(int error) {
    const std::exception_ptr failure = detail::make_os_error(error, "memory stream");
    connection_of(one_).force_close(failure);
    connection_of(other_).force_close(failure);
}

MemoryStreamPair memory_stream_pair(MemoryStreamOptions options) {
    if (options.buffer == 0) {
        detail::raise_value_error("buffer must be at least 1");
    }
    detail::LoopIO& io = detail::LoopIO::of(get_running_loop());
    auto* const one = new MemoryConnection(io, options);
    StreamReader one_reader(*one);
    auto* const other = new MemoryConnection(io, options);
    StreamReader other_reader(*other);
    MemoryConnection::connect(*one, *other);
    return {{std::move(one_reader), StreamWriter(*one)},
            {std::move(other_reader), StreamWriter(*other)},
            MemoryWire(*one, *other)};
}

}  // namespace asyncio::testing
