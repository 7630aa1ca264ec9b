// contracts_test.cpp - the contract of streams is kept by every kind of stream there is; and is
// found to be broken where it is.
//
// SPDX-License-Identifier: MIT
#include <asyncio/testing/contracts.hpp>
#include <asyncio/log.hpp>
#include <asyncio/pipes.hpp>
#include <asyncio/sockets.hpp>
#include <asyncio/stream_protocols.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/testing/memory_streams.hpp>
#include <asyncio/transports.hpp>

#include "support/async_test.hpp"
#include "support/network.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <sys/socket.h>

namespace asyncio {

namespace {

using testing::ConnectedStreams;
using testing::MemoryStreamOptions;
using testing::StreamMaker;

class TCPStreams final : public StreamMaker {
public:
    Coroutine<ConnectedStreams> connect(std::size_t limit) override {
        Socket listener(AddressFamily::ipv4);
        listener.bind(*Address::parse("127.0.0.1", 0));
        const int small = 65'536;
        listener.setsockopt(SOL_SOCKET, SO_SNDBUF, small);
        listener.setsockopt(SOL_SOCKET, SO_RCVBUF, small);
        listener.listen();
        OpenConnectionOptions options;
        options.limit = limit;
        Socket connecting(AddressFamily::ipv4);
        connecting.setsockopt(SOL_SOCKET, SO_SNDBUF, small);
        connecting.setsockopt(SOL_SOCKET, SO_RCVBUF, small);
        const Address address = listener.getsockname();
        co_await sock_connect(connecting, address);
        StreamPair first = co_await open_connection(std::move(connecting), options);
        auto [socket, peer] = co_await sock_accept(listener);
        StreamPair second = co_await open_connection(std::move(socket), options);
        co_return ConnectedStreams{std::move(first), std::move(second)};
    }
    [[nodiscard]] std::size_t too_much() const noexcept override { return 1'000'000; }
};

class UnixStreams final : public StreamMaker {
public:
    Coroutine<ConnectedStreams> connect(std::size_t limit) override {
        int fds[2] = {-1, -1};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        OpenConnectionOptions options;
        options.limit = limit;
        StreamPair first = co_await open_connection(Socket(fds[0]), options);
        StreamPair second = co_await open_connection(Socket(fds[1]), options);
        co_return ConnectedStreams{std::move(first), std::move(second)};
    }
    [[nodiscard]] std::size_t too_much() const noexcept override { return 1'000'000; }
};

/// Two pipes; the contract is tried in one direction.
class PipeStreams final : public StreamMaker {
public:
    Coroutine<ConnectedStreams> connect(std::size_t limit) override {
        OpenPipeOptions options;
        options.limit = limit;
        PipePair there = open_pipe();
        PipePair back = open_pipe();
        StreamReader second_reader = co_await open_read_pipe(std::move(there.read_end), options);
        StreamWriter first_writer = co_await open_write_pipe(std::move(there.write_end));
        StreamReader first_reader = co_await open_read_pipe(std::move(back.read_end), options);
        StreamWriter second_writer = co_await open_write_pipe(std::move(back.write_end));
        co_return ConnectedStreams{{std::move(first_reader), std::move(first_writer)},
                                   {std::move(second_reader), std::move(second_writer)}};
    }
    [[nodiscard]] bool duplex() const noexcept override { return false; }
    [[nodiscard]] std::size_t too_much() const noexcept override { return 300'000; }
};

/// Streams that a protocol feeds.
class TransportStreams final : public StreamMaker {
public:
    Coroutine<ConnectedStreams> connect(std::size_t limit) override {
        int fds[2] = {-1, -1};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        StreamPair first = co_await streams(fds[0], limit);
        StreamPair second = co_await streams(fds[1], limit);
        co_return ConnectedStreams{std::move(first), std::move(second)};
    }
    [[nodiscard]] std::size_t too_much() const noexcept override { return 1'500'000; }

private:
    static Coroutine<StreamPair> streams(int fd, std::size_t limit) {
        StreamReader reader(limit);
        auto [transport, protocol] = co_await create_connection(
            [&reader] { return std::make_unique<StreamReaderProtocol>(reader); }, Socket(fd));
        StreamWriter writer(transport, protocol, reader, get_running_loop());
        co_return StreamPair{std::move(reader), std::move(writer)};
    }
};

class MemoryStreams final : public StreamMaker {
public:
    explicit MemoryStreams(MemoryStreamOptions options = {}) : options_(options) {}
    Coroutine<ConnectedStreams> connect(std::size_t limit) override {
        options_.limit = limit;
        testing::MemoryStreamPair pair = testing::memory_stream_pair(options_);
        co_return ConnectedStreams{std::move(pair.first), std::move(pair.second)};
    }
    [[nodiscard]] std::size_t too_much() const noexcept override { return 300'000; }

private:
    MemoryStreamOptions options_;
};

void expect_kept(StreamMaker& maker) {
    set_logger([](Level, std::string_view) {});  // what is written in vain is logged
    for (const char* proactor : testing::proactors) {
        const std::size_t before = testing::open_descriptors();
        for (const std::string& violation : testing::check_stream_contract(maker, proactor)) {
            ADD_FAILURE() << "on " << proactor << ": " << violation;
        }
        EXPECT_EQ(testing::open_descriptors(), before);
    }
    set_logger(nullptr);
}

TEST(StreamContract, is_kept_over_tcp) {
    TCPStreams maker;
    expect_kept(maker);
}
TEST(StreamContract, is_kept_over_unix_sockets) {
    UnixStreams maker;
    expect_kept(maker);
}
TEST(StreamContract, is_kept_over_pipes) {
    PipeStreams maker;
    expect_kept(maker);
}
TEST(StreamContract, is_kept_over_transports) {
    TransportStreams maker;
    expect_kept(maker);
}
TEST(StreamContract, is_kept_in_memory) {
    MemoryStreams maker;
    expect_kept(maker);
}
TEST(StreamContract, is_kept_in_memory_where_bytes_come_in_pieces) {
    MemoryStreamOptions options;
    options.buffer = 10'000;
    options.piece = 333;
    MemoryStreams maker(options);
    expect_kept(maker);
}

// ------------------------------------------------------------------------------ broken ones

/// How a relay between two connections mistreats what it passes on.
enum class Vice {
    none,
    loses_a_byte,
    repeats_a_byte,
    swaps_two_bytes,
    never_ends,
    hoards,  // takes all there is, whether it is read or not
    cuts_the_end_off,
};

Coroutine<> relay(StreamReader reader, StreamWriter writer, Vice vice) {
    std::size_t passed = 0;
    for (;;) {
        std::string piece = co_await reader.read(4096);
        if (piece.empty()) {
            break;
        }
        const std::size_t at = 5'000 - std::min<std::size_t>(passed, 5'000);
        passed += piece.size();
        if (vice == Vice::loses_a_byte && at < piece.size()) {
            piece.erase(at, 1);
        } else if (vice == Vice::repeats_a_byte && at < piece.size()) {
            piece.insert(at, 1, piece[at]);
        } else if (vice == Vice::swaps_two_bytes && at + 1 < piece.size()) {
            std::swap(piece[at], piece[at + 1]);
        } else if (vice == Vice::cuts_the_end_off && piece.size() < 4096) {
            break;
        }
        writer.write(piece);
        if (vice != Vice::hoards) {
            co_await writer.drain();
        }
    }
    if (vice == Vice::never_ends) {
        co_await sleep(1e9);
    }
    writer.close();
}

/// One way only: a relay cannot tell of everything.
class RelayedStreams final : public StreamMaker {
public:
    explicit RelayedStreams(Vice vice) : vice_(vice) {}
    Coroutine<ConnectedStreams> connect(std::size_t limit) override {
        MemoryStreamOptions options;
        options.limit = limit;
        testing::MemoryStreamPair here = testing::memory_stream_pair(options);
        testing::MemoryStreamPair there = testing::memory_stream_pair(options);
        relaying_ =
            create_task(relay(std::move(here.second.reader), std::move(there.first.writer), vice_));
        co_return ConnectedStreams{std::move(here.first), std::move(there.second)};
    }
    [[nodiscard]] bool duplex() const noexcept override { return false; }
    [[nodiscard]] std::size_t too_much() const noexcept override { return 600'000; }

private:
    Vice vice_;
    Task<> relaying_;
};

std::size_t violations_of(Vice vice) {
    RelayedStreams maker(vice);
    return testing::check_stream_contract(maker).size();
}

TEST(StreamContract, is_kept_through_an_honest_relay) {
    EXPECT_EQ(violations_of(Vice::none), 0U);
}
TEST(StreamContract, finds_what_is_lost_repeated_or_swapped) {
    set_logger([](Level, std::string_view) {});
    EXPECT_GT(violations_of(Vice::loses_a_byte), 0U);
    EXPECT_GT(violations_of(Vice::repeats_a_byte), 0U);
    EXPECT_GT(violations_of(Vice::swaps_two_bytes), 0U);
    EXPECT_GT(violations_of(Vice::cuts_the_end_off), 0U);
    set_logger(nullptr);
}
TEST(StreamContract, finds_that_there_is_no_end) {
    EXPECT_GT(violations_of(Vice::never_ends), 0U);
}
TEST(StreamContract, finds_that_a_writer_does_not_wait_for_the_reader) {
    EXPECT_GT(violations_of(Vice::hoards), 0U);
}

}  // namespace

}  // namespace asyncio
