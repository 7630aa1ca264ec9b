// memory_streams_test.cpp - what streams in memory have beyond the contract of streams
// (contracts_test.cpp): the wire between them, and receivers.
//
// SPDX-License-Identifier: MIT
#include <asyncio/testing/memory_streams.hpp>
#include <asyncio/tasks.hpp>

#include "support/async_test.hpp"
#include "testing/memory_connection.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asyncio {

namespace {

using testing::memory_stream_pair;
using testing::settle;

Coroutine<std::string> read_line(StreamReader& reader) {
    const std::string line = co_await reader.readline();
    co_return line;
}

ASYNC_TEST(MemoryStreams, pass_on_what_is_written) {
    auto [client, server, wire] = memory_stream_pair();
    client.writer.write("ping\n");
    const std::string ping = co_await server.reader.readline();
    server.writer.write("pong\n");
    const std::string pong = co_await client.reader.readline();

    EXPECT_EQ(ping, "ping\n");
    EXPECT_EQ(pong, "pong\n");
    EXPECT_FALSE(client.writer.peername());
    EXPECT_EQ(client.writer.get_extra_info("peername"), std::nullopt);
    EXPECT_EQ(client.writer.socket().fileno(), -1);
}

ASYNC_TEST(MemoryStreams, have_room_for_so_many_bytes) {
    auto [client, server, wire] = memory_stream_pair({.buffer = 10});
    client.writer.write("0123456789");
    EXPECT_EQ(client.writer.get_write_buffer_size(), 0U);
    client.writer.write("abc");
    EXPECT_EQ(client.writer.get_write_buffer_size(), 3U);

    const std::string some = co_await server.reader.readexactly(4);
    co_await settle();

    EXPECT_EQ(some, "0123");
    EXPECT_EQ(client.writer.get_write_buffer_size(), 0U);
}

ASYNC_TEST(MemoryStreams, come_in_pieces_if_asked_to) {
    auto [client, server, wire] = memory_stream_pair({.piece = 3});
    client.writer.write("abcdefgh");
    std::vector<std::string> pieces;
    for (int time = 0; time < 3; ++time) {
        std::string piece = co_await server.reader.read(100);
        pieces.push_back(std::move(piece));
    }
    EXPECT_EQ(pieces, (std::vector<std::string>{"abc", "def", "gh"}));
}

ASYNC_TEST(MemoryStreams, wait_while_the_wire_is_stalled) {
    auto [client, server, wire] = memory_stream_pair();
    const Task<std::string> reading = create_task(read_line(server.reader));
    wire.stall();
    client.writer.write("late\n");
    client.writer.close();
    co_await sleep(1000);
    EXPECT_FALSE(reading.done());

    wire.resume();
    const std::string line = co_await reading;
    const std::string end = co_await server.reader.readline();

    EXPECT_EQ(line, "late\n");
    EXPECT_EQ(end, "");
}

ASYNC_TEST(MemoryStreams, fail_at_both_ends_when_the_wire_is_reset) {
    auto [client, server, wire] = memory_stream_pair();
    const Task<std::string> reading = create_task(read_line(server.reader));
    client.writer.write("half of a l");
    co_await settle();
    wire.reset();
    co_await settle();

    EXPECT_THROW(reading.result(), ConnectionResetError);
    try {
        co_await client.writer.wait_closed();
        ADD_FAILURE() << "no error";
    } catch (const ConnectionResetError& error) {
        EXPECT_EQ(error.error_number(), ECONNRESET);
    }
    EXPECT_TRUE(server.writer.is_closing());
    wire.reset();  // nothing is left to be reset
    wire.stall();
}

ASYNC_TEST(MemoryStreams, fail_with_the_error_that_is_wanted) {
    auto [client, server, wire] = memory_stream_pair();
    wire.reset(ETIMEDOUT);
    co_await settle();
    try {
        const std::string line = co_await client.reader.readline();
        ADD_FAILURE() << "no error";
    } catch (const TimeoutError& error) {
        EXPECT_EQ(error.error_number(), ETIMEDOUT);
    }
}

ASYNC_TEST(MemoryStreams, break_when_written_to_an_end_that_is_closed) {
    auto [client, server, wire] = memory_stream_pair();
    server.writer.close();
    co_await server.writer.wait_closed();
    client.writer.write("in vain");
    co_await settle();
    try {
        co_await client.writer.wait_closed();
        ADD_FAILURE() << "no error";
    } catch (const BrokenPipeError&) {}
}

ASYNC_TEST(MemoryStreams, break_when_an_end_is_closed_that_was_written_to) {
    auto [client, server, wire] = memory_stream_pair({.buffer = 5});
    client.writer.write("more than fits");
    server.writer.close();
    co_await sleep(1);
    EXPECT_TRUE(client.writer.is_closing());
    EXPECT_EQ(client.writer.get_write_buffer_size(), 0U);
}

ASYNC_TEST(MemoryStreams, refuse_impossible_options) {
    EXPECT_THROW(static_cast<void>(memory_stream_pair({.limit = 0})), std::invalid_argument);
    EXPECT_THROW(static_cast<void>(memory_stream_pair({.buffer = 0})), std::invalid_argument);
    co_return;
}

TEST(MemoryStreamsAlone, need_a_loop) {
    EXPECT_THROW(static_cast<void>(memory_stream_pair()), RuntimeError);
}

TEST(MemoryStreamsAlone, outlive_their_loop) {
    const auto make = []() -> Coroutine<testing::MemoryStreamPair> {
        testing::MemoryStreamPair pair = memory_stream_pair({.buffer = 2});
        pair.first.writer.write("some bytes");
        co_return pair;
    };
    testing::MemoryStreamPair pair = run(make());
    EXPECT_TRUE(pair.second.writer.is_closing());
    pair.first.writer.write("in vain");
    pair.wire.resume();
}

// --------------------------------------------------------------------------------- receivers

/// Notes what it is told.
class Noting final : public detail::Receiver {
public:
    std::string text;
    std::size_t room = 0;  // of its own memory; 0: it has none
    bool stops = false;    // after each time
    bool throws = false;
    detail::Connection* connection = nullptr;

    std::span<char> receive_buffer() override {
        memory_.resize(room);
        return memory_;
    }
    void received(std::span<char> data) override {
        text += "[" + std::string(data.data(), data.size()) + "]";
        if (stops) {
            connection->stop_reading();
        }
        if (throws) {
            throw std::length_error("too much");
        }
    }
    void received_end() override { text += "(end)"; }
    void writing_paused() override { text += "(paused)"; }
    void writing_resumed() override { text += "(resumed)"; }
    void connection_lost(std::exception_ptr error) override {
        text += error != nullptr ? "(lost: " + describe(error) + ")" : "(lost)";
    }
    void connection_dropped() noexcept override { text += "(dropped)"; }

private:
    std::string memory_;
};

/// Two ends, one of which is a receiver's.
struct Pushed {
    testing::MemoryConnection& pushing;
    testing::MemoryConnection& other;
    detail::StreamHandle pushing_handle{pushing};
    StreamReader reader{other};
    StreamWriter writer{other};
    Noting receiver;

    explicit Pushed(testing::MemoryStreamOptions options = {})
        : pushing(make(options)), other(make(options)) {
        testing::MemoryConnection::connect(pushing, other);
        receiver.connection = &pushing;
        pushing.set_receiver(&receiver);
        pushing.start_reading();
    }
    Pushed(const Pushed&) = delete;
    Pushed& operator=(const Pushed&) = delete;
    ~Pushed() { pushing.set_receiver(nullptr); }

private:
    static testing::MemoryConnection& make(testing::MemoryStreamOptions options) {
        return *new testing::MemoryConnection(detail::LoopIO::of(get_running_loop()), options);
    }
};

ASYNC_TEST(MemoryReceiver, is_given_what_arrives_and_the_end) {
    Pushed ends;
    ends.writer.write("one");
    co_await settle();
    ends.writer.write("two");
    ends.writer.write_eof();
    co_await settle();
    ends.writer.close();
    co_await settle();
    EXPECT_EQ(ends.receiver.text, "[one][two](end)");
    ends.pushing.close();
    co_await settle();
    EXPECT_EQ(ends.receiver.text, "[one][two](end)(lost)");
}

ASYNC_TEST(MemoryReceiver, may_have_memory_of_its_own) {
    Pushed ends;
    ends.receiver.room = 2;
    ends.writer.write("abcde");
    co_await settle();
    EXPECT_EQ(ends.receiver.text, "[ab][cd][e]");
}

ASYNC_TEST(MemoryReceiver, may_stop_reading) {
    Pushed ends({.piece = 1});
    ends.receiver.stops = true;
    ends.writer.write("ab");
    ends.writer.write_eof();
    co_await settle();
    EXPECT_EQ(ends.receiver.text, "[a]");
    ends.pushing.start_reading();
    co_await settle();
    EXPECT_EQ(ends.receiver.text, "[a][b]");
    ends.pushing.start_reading();
    co_await settle();
    EXPECT_EQ(ends.receiver.text, "[a][b](end)");
}

ASYNC_TEST(MemoryReceiver, is_told_when_to_pause_writing) {
    Pushed ends({.buffer = 10});
    ends.pushing.set_write_buffer_limits({.high = 4});
    ends.pushing.write("0123456789abcdef");
    EXPECT_EQ(ends.receiver.text, "(paused)");
    const std::string got = co_await ends.reader.readexactly(16);
    co_await settle();
    EXPECT_EQ(ends.receiver.text, "(paused)(resumed)");
    EXPECT_EQ(got, "0123456789abcdef");
}

ASYNC_TEST(MemoryReceiver, loses_the_connection_by_what_it_throws) {
    Pushed ends;
    ends.receiver.throws = true;
    ends.writer.write("x");
    co_await settle();
    EXPECT_TRUE(ends.receiver.text.starts_with("[x](lost: ")) << ends.receiver.text;
    const std::string end = co_await ends.reader.read();
    EXPECT_EQ(end, "");
}

TEST(MemoryReceiverAlone, is_told_of_the_end_of_the_loop) {
    std::unique_ptr<Pushed> ends;
    const auto make = [](std::unique_ptr<Pushed>& ends) -> Coroutine<> {
        ends = std::make_unique<Pushed>();
        co_return;
    };
    run(make(ends));
    EXPECT_EQ(ends->receiver.text, "(dropped)");
}

}  // namespace

}  // namespace asyncio
