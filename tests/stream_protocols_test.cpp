// stream_protocols_test.cpp - streams over transports: StreamReaderProtocol, FlowControlMixin, and
// the transports of writers.
//
// SPDX-License-Identifier: MIT
#include <asyncio/stream_protocols.hpp>
#include <asyncio/pipes.hpp>
#include <asyncio/testing/memory_streams.hpp>
#include <asyncio/transports.hpp>

#include "support/network.hpp"
#include "support/recording_protocols.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

using namespace asyncio;
using asyncio::testing::connect_protocol;
using asyncio::testing::memory_stream_pair;
using asyncio::testing::open_descriptors;
using asyncio::testing::open_to;
using asyncio::testing::Peer;
using asyncio::testing::PeerListener;
using asyncio::testing::RecordingProtocol;
using asyncio::testing::Reports;
using asyncio::testing::settle;
using asyncio::testing::thrown_by;
using asyncio::testing::Trace;

namespace {

Coroutine<> echo_line(StreamReader reader, StreamWriter writer) {
    const std::string line = co_await reader.readline();
    writer.write("got " + line);
    co_await writer.drain();
    writer.close();
    co_await writer.wait_closed();
}

Coroutine<> failing(StreamReader reader, StreamWriter writer) {
    writer.write("x");
    co_await reader.read(1);
    throw RuntimeError("served badly");
}

Coroutine<> draining(StreamWriter& writer, Trace& trace) {
    const Result<void> drained = co_await as_result(writer.drain());
    trace.push_back("drained " + describe(drained.error()));
}

/// A transport of the program's own.
class OwnTransport final : public Transport {
public:
    explicit OwnTransport(Trace& trace) : trace_(trace) {}
    using WriteTransport::write;
    void write(std::string_view data) override { trace_.push_back("write " + std::string(data)); }
    void close() override {
        closing_ = true;
        trace_.push_back("close");
    }
    void abort() override {
        closing_ = true;
        trace_.push_back("abort");
    }
    [[nodiscard]] bool is_closing() const override { return closing_; }
    void pause_reading() override { trace_.push_back("pause_reading"); }
    void resume_reading() override { trace_.push_back("resume_reading"); }

private:
    Trace& trace_;
    bool closing_ = false;
};

/// One that cannot be paused.
class PlainTransport final : public Transport {};

}  // namespace

// -------------------------------------------------------------------------- StreamReaderProtocol

ASYNC_TEST(StreamReaderProtocol, makes_streams_out_of_a_transport) {
    Peer peer;
    {
        StreamReader reader;
        auto [transport, protocol] =
            co_await connect_protocol(peer, std::make_shared<StreamReaderProtocol>(reader));
        StreamWriter writer(transport, protocol, reader, get_running_loop());
        EXPECT_EQ(&writer.transport(), &transport);
        EXPECT_EQ(transport.get_protocol(), protocol);
        writer.write("hello");
        co_await writer.drain();
        const std::string got = co_await peer.receive_exactly(5);
        EXPECT_EQ(got, "hello");
        peer.send("one\ntwo");
        const std::string line = co_await reader.readline();
        EXPECT_EQ(line, "one\n");
        peer.shut();
        const std::string rest = co_await reader.read();
        EXPECT_EQ(rest, "two");
        EXPECT_TRUE(reader.at_eof());
        EXPECT_FALSE(writer.is_closing()) << "the other direction stays open";
        writer.write("bye");
        writer.close();
        co_await writer.wait_closed();
        const Result<void> drained = co_await as_result(writer.drain());
        EXPECT_EQ(describe(drained.error()), "ConnectionResetError('Connection lost')");
    }
    const std::string bye = co_await peer.receive_all();
    EXPECT_EQ(bye, "bye");
}

ASYNC_TEST(StreamReaderProtocol, with_a_handler_makes_a_server_of_streams) {
    const std::size_t before = open_descriptors();
    {
        Server server = co_await create_server(
            [] { return std::make_unique<StreamReaderProtocol>(StreamReader(), echo_line); },
            "127.0.0.1", 0);
        auto [reader, writer] =
            co_await open_connection("127.0.0.1", server.addresses().front().port());
        writer.write("line\n");
        const std::string got = co_await reader.read();
        EXPECT_EQ(got, "got line\n");
        writer.close();
        server.close();
        co_await server.wait_closed();
        co_await writer.wait_closed();
    }
    co_await settle();
    EXPECT_EQ(open_descriptors(), before);
}

ASYNC_TEST(StreamReaderProtocol, reports_a_handler_that_fails_and_closes_the_connection) {
    const Reports reports;
    Server server = co_await create_server(
        [] { return std::make_unique<StreamReaderProtocol>(StreamReader(), failing); }, "127.0.0.1",
        0);
    auto [reader, writer] =
        co_await open_connection("127.0.0.1", server.addresses().front().port());
    writer.write("y");
    const std::string got = co_await reader.read();
    EXPECT_EQ(got, "x");
    EXPECT_EQ(reports.messages, Trace{"Unhandled exception in client_connected_cb"});
    EXPECT_EQ(reports.errors, Trace{"RuntimeError('served badly')"});
    writer.close();
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(StreamReaderProtocol, whose_handler_is_cancelled_closes_the_connection) {
    Server server = co_await create_server(
        [] {
            return std::make_unique<StreamReaderProtocol>(
                StreamReader(), [](StreamReader, StreamWriter writer) -> Coroutine<> {
                    AnyTask me = current_task();
                    get_running_loop().call_soon([me]() mutable { me.cancel(); });
                    co_await sleep(3600);
                    writer.write("never");
                });
        },
        "127.0.0.1", 0);
    auto [reader, writer] =
        co_await open_connection("127.0.0.1", server.addresses().front().port());
    const std::string got = co_await reader.read();
    EXPECT_EQ(got, "");
    server.close();
    writer.close();
    co_await server.wait_closed();
}

ASYNC_TEST(StreamReaderProtocol, tells_reader_and_writer_by_what_the_connection_is_lost) {
    Peer peer;
    StreamReader reader;
    auto [transport, protocol] =
        co_await connect_protocol(peer, std::make_shared<StreamReaderProtocol>(reader));
    StreamWriter writer(transport, protocol, reader, get_running_loop());
    peer.reset();
    const Result<std::string> read = co_await as_result(reader.read());
    EXPECT_NE(describe(read.error()).find("ConnectionResetError("), std::string::npos);
    const Result<void> closed = co_await as_result(writer.wait_closed());
    EXPECT_EQ(describe(closed.error()), describe(read.error()));
    EXPECT_TRUE(writer.is_closing());
}

ASYNC_TEST(StreamReaderProtocol, receives_twice_the_limit_ahead_and_no_more) {
    Trace trace;
    OwnTransport transport(trace);
    StreamReader reader(4);
    StreamReaderProtocol protocol(reader);
    protocol.connection_made(transport);
    protocol.data_received("12345678");
    EXPECT_EQ(trace, Trace{});
    protocol.data_received("9");
    protocol.data_received("0");
    EXPECT_EQ(trace, Trace{"pause_reading"});
    const std::string five = co_await reader.read(5);
    EXPECT_EQ(five, "12345");
    EXPECT_EQ(trace, Trace{"pause_reading"});
    const std::string one = co_await reader.read(1);
    EXPECT_EQ(one, "6");
    EXPECT_EQ(trace, (Trace{"pause_reading", "resume_reading"}));
    protocol.data_received("12345");
    EXPECT_EQ(trace.size(), 3U);
    Task<std::string> all = create_task(
        [](StreamReader& from) -> Coroutine<std::string> { co_return co_await from.read(); },
        std::ref(reader));
    co_await settle();
    EXPECT_EQ(trace.size(), 4U) << "it needs more than there is";
    protocol.data_received("abcdefghijklm");
    EXPECT_EQ(trace.size(), 4U);
    EXPECT_TRUE(protocol.eof_received());
    const std::string rest = co_await all;
    EXPECT_EQ(rest, "789012345abcdefghijklm");
    protocol.connection_lost(nullptr);
}

ASYNC_TEST(StreamReaderProtocol, feeds_on_where_the_transport_cannot_be_paused) {
    PlainTransport transport;
    StreamReader reader(1);
    reader.set_transport(transport);
    reader.feed_data("abcdef");
    reader.feed_data("gh");
    const std::string got = co_await reader.read(100);
    EXPECT_EQ(got, "abcdefgh");
}

ASYNC_TEST(StreamReaderProtocol, drops_what_nobody_will_read) {
    Trace trace;
    OwnTransport transport(trace);
    auto reader = std::make_unique<StreamReader>(1);
    StreamReaderProtocol protocol(*reader);
    protocol.connection_made(transport);
    reader.reset();
    protocol.data_received("abcdef");
    EXPECT_EQ(trace, Trace{});
    co_return;
}

ASYNC_TEST(StreamReaderProtocol, needs_a_reader_that_it_may_feed) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    EXPECT_EQ(thrown_by([&reader = reader] { return StreamReaderProtocol(reader).serves(); }),
              "ValueError('a connection feeds this reader')");
    PlainTransport transport;
    EXPECT_EQ(thrown_by([&reader = reader, &transport] {
                  reader.set_transport(transport);
                  return 0;
              }),
              "RuntimeError('Transport already set')");
    StreamReader fed;
    fed.set_transport(transport);
    EXPECT_EQ(thrown_by([&fed, &transport] {
                  fed.set_transport(transport);
                  return 0;
              }),
              "RuntimeError('Transport already set')");
}

// ------------------------------------------------------------------------------- FlowControlMixin

ASYNC_TEST(FlowControlMixin, makes_a_writer_of_a_pipe) {
    PipePair pipe = open_pipe();
    StreamReader reader;
    auto [from, feeder] = co_await connect_read_pipe(
        [&reader] { return std::make_unique<StreamReaderProtocol>(reader); },
        std::move(pipe.read_end));
    auto [to, mixin] = co_await connect_write_pipe(
        [] { return std::make_unique<FlowControlMixin>(); }, std::move(pipe.write_end));
    StreamWriter writer(to, mixin, nullptr, get_running_loop());
    const std::string much(300000, 'm');
    writer.write(much);
    Trace trace;
    Task<> waiting = create_task(draining(writer, trace));
    co_await settle();
    const std::string got = co_await reader.readexactly(300000);
    EXPECT_EQ(got, much);
    co_await waiting;
    EXPECT_EQ(trace, Trace{"drained None"});
    writer.close();
    co_await writer.wait_closed();
    const std::string rest = co_await reader.read();
    EXPECT_EQ(rest, "");
}

ASYNC_TEST(FlowControlMixin, tells_writers_over_a_transport_of_the_programs_own_when_to_wait) {
    Trace trace;
    OwnTransport transport(trace);
    StreamReader reader;
    StreamReaderProtocol protocol(reader);
    protocol.connection_made(transport);
    StreamWriter writer(transport, protocol, reader, get_running_loop());
    StreamWriter second(transport, protocol, reader, get_running_loop());
    writer.write("a");
    writer.writelines({"b", "c"});
    protocol.pause_writing();
    Task<> first = create_task(draining(writer, trace));
    Task<> other = create_task(draining(second, trace));
    co_await settle();
    EXPECT_EQ(trace, (Trace{"write a", "write bc"}));
    protocol.resume_writing();
    co_await settle();
    EXPECT_EQ(trace, (Trace{"write a", "write bc", "drained None", "drained None"}));
    trace.clear();

    protocol.pause_writing();
    Task<> third = create_task(draining(writer, trace));
    co_await settle();
    protocol.connection_lost(std::make_exception_ptr(RuntimeError("cut")));
    co_await settle();
    EXPECT_EQ(trace, Trace{"drained RuntimeError('cut')"});
    const Result<std::string> read = co_await as_result(reader.read());
    EXPECT_EQ(describe(read.error()), "RuntimeError('cut')");
    const Result<void> closed = co_await as_result(writer.wait_closed());
    EXPECT_EQ(describe(closed.error()), "RuntimeError('cut')");
    writer.write("in vain");
    EXPECT_EQ(trace.size(), 1U);
}

ASYNC_TEST(FlowControlMixin, is_what_a_transport_of_the_programs_own_needs) {
    PlainTransport transport;
    Protocol protocol;
    EXPECT_EQ(
        thrown_by([&] {
            StreamWriter(transport, protocol, nullptr, get_running_loop());
            return 0;
        }),
        "TypeError(\"the protocol of a StreamWriter's transport is to be a FlowControlMixin\")");
    co_return;
}

ASYNC_TEST(StreamWriter, that_is_dropped_closes_its_transport) {
    Peer peer;
    Trace trace;
    const auto protocol = std::make_shared<RecordingProtocol>(trace);
    auto [transport, same] = co_await connect_protocol(peer, protocol);
    {
        StreamWriter writer(transport, protocol, nullptr, get_running_loop());
        writer.write("last words");
    }
    EXPECT_TRUE(transport.is_closing());
    const std::string got = co_await peer.receive_all();
    EXPECT_EQ(got, "last words");
    co_await protocol->lost;

    Trace own_trace;
    OwnTransport own(own_trace);
    FlowControlMixin mixin;
    { StreamWriter writer(own, mixin, nullptr, get_running_loop()); }
    EXPECT_EQ(own_trace, Trace{"close"});
}

// ------------------------------------------------------------------------- the transport of a
// writer

ASYNC_TEST(WriterTransport, is_its_connection) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    Transport& transport = writer.transport();
    EXPECT_EQ(&transport, &writer.transport());
    EXPECT_EQ(transport.get_extra_info("peername"), writer.get_extra_info("peername"));
    EXPECT_EQ(transport.peername(), writer.peername());
    EXPECT_EQ(transport.get_protocol(), nullptr);
    transport.set_write_buffer_limits({.high = 10});
    EXPECT_EQ(writer.get_write_buffer_limits(), std::pair(std::size_t{2}, std::size_t{10}));
    transport.write("hello");
    peer.send("answer");
    const std::string answer = co_await reader.read(100);
    EXPECT_EQ(answer, "answer");
    EXPECT_FALSE(transport.is_closing());
    transport.abort();
    EXPECT_TRUE(writer.is_closing());
    co_await writer.wait_closed();
}

ASYNC_TEST(WriterTransport, keeps_the_connection_no_longer_than_its_writer) {
    Peer peer;
    {
        auto [reader, writer] = co_await open_to(peer);
        writer.transport().write("x");
    }
    const std::string all = co_await peer.receive_all();
    EXPECT_EQ(all, "x");
}

ASYNC_TEST(WriterTransport, gives_the_connection_to_a_protocol) {
    Peer peer;
    Trace trace;
    const auto protocol = std::make_shared<RecordingProtocol>(trace);
    {
        auto [reader, writer] = co_await open_to(peer);
        peer.send("line\nand more");
        const std::string line = co_await reader.readline();
        EXPECT_EQ(line, "line\n");

        Task<> reads = create_task(
            [](StreamReader& from) -> Coroutine<> { co_await from.readline(); }, std::ref(reader));
        co_await settle();
        EXPECT_EQ(thrown_by([&writer = writer, &protocol] {
                      writer.transport().set_protocol(protocol);
                      return 0;
                  }),
                  "RuntimeError('set_protocol() called while a task reads')");
        reads.cancel();
        co_await settle();

        writer.transport().set_protocol(protocol);
    }
    co_await settle();
    EXPECT_EQ(trace, Trace{"data and more"});
    peer.send("!");
    peer.shut();
    co_await protocol->lost;
    EXPECT_EQ(trace, (Trace{"data and more", "data !", "eof", "lost None"}));
}

// The task that reads is cancelled in the turn in which it would get what has come: before that, or
// after some of it is in the buffer.
ASYNC_TEST(WriterTransport, gives_the_connection_to_a_protocol_whatever_is_under_way) {
    for (const bool before : {true, false}) {
        Peer peer;
        Peer other_peer;
        Trace trace;
        const auto protocol = std::make_shared<RecordingProtocol>(trace);
        auto [reader, writer] = co_await open_to(peer);
        auto [other_reader, other_writer] = co_await open_to(other_peer);
        Task<> reads = create_task(
            [](StreamReader& from) -> Coroutine<> { co_await from.readline(); }, std::ref(reader));
        co_await settle();
        (before ? other_peer : peer).send("1st");
        (before ? peer : other_peer).send("2nd");
        co_await other_reader.read(3);
        reads.cancel();
        writer.transport().set_protocol(protocol);
        co_await settle();
        EXPECT_EQ(trace, Trace{before ? "data 2nd" : "data 1st"});
        writer.close();
        co_await protocol->lost;
    }
}

ASYNC_TEST(WriterTransport, may_be_in_memory) {
    auto [near, far, wire] = memory_stream_pair();
    near.writer.transport().write("from near");
    const std::string got = co_await far.reader.read(100);
    EXPECT_EQ(got, "from near");
}
