// transports_test.cpp - writing and flow control, making connections and servers, sending files.
//
// SPDX-License-Identifier: MIT
#include <asyncio/transports.hpp>
#include <asyncio/files.hpp>
#include <asyncio/testing/memory_streams.hpp>

#include "support/network.hpp"
#include "support/recording_protocols.hpp"
#include "support/scratch_directory.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

using namespace asyncio;
using asyncio::testing::connect_protocol;
using asyncio::testing::Logged;
using asyncio::testing::open_descriptors;
using asyncio::testing::Peer;
using asyncio::testing::PeerListener;
using asyncio::testing::RecordingProtocol;
using asyncio::testing::Reports;
using asyncio::testing::settle;
using asyncio::testing::thrown_by;
using asyncio::testing::Trace;

namespace {

std::shared_ptr<RecordingProtocol> recording(Trace& trace) {
    return std::make_shared<RecordingProtocol>(trace);
}

/// Writes until the system takes no more: exactly `kept` bytes are then in the transport's buffer.
Coroutine<std::size_t> fill(Transport& transport, std::size_t kept) {
    std::size_t written = 0;
    const std::string block(1 << 20, 'f');
    while (transport.get_write_buffer_size() == 0) {
        transport.write(block);
        written += block.size();
        co_await settle();
    }
    const std::size_t size = transport.get_write_buffer_size();
    EXPECT_LE(size, block.size());
    if (size < kept) {
        transport.write(std::string(kept - size, 'f'));
        written += kept - size;
    }
    co_return written;
}

}  // namespace

// ------------------------------------------------------------------------------------ abstract

TEST(Transport, of_a_program_need_not_implement_everything) {
    class Collecting final : public Transport {
    public:
        using WriteTransport::write;
        void write(std::string_view data) override { all.append(data); }
        std::string all;
    };
    Collecting transport;
    transport.writelines({"a", "bc"});
    transport.writelines(std::vector<std::string>{"d", "e"});
    transport.write(std::as_bytes(std::span("f", 1)));
    EXPECT_EQ(transport.all, "abcdef");
    EXPECT_EQ(transport.get_extra_info("peername"), std::nullopt);
    EXPECT_EQ(thrown_by([&] {
                  transport.close();
                  return 0;
              }),
              "NotImplementedError('')");
    EXPECT_EQ(thrown_by([&] { return transport.is_reading(); }), "NotImplementedError('')");
    EXPECT_EQ(thrown_by([&] {
                  transport.set_write_buffer_limits();
                  return 0;
              }),
              "NotImplementedError('')");
    EXPECT_EQ(thrown_by([&] { return transport.get_protocol(); }), "NotImplementedError('')");
}

// -------------------------------------------------------------------------------- flow control

ASYNC_TEST(Transport, pauses_its_protocol_above_the_high_mark_and_resumes_it_at_the_low_one) {
    Trace trace;
    Peer peer;
    const auto protocol = recording(trace);
    auto [transport, same] = co_await connect_protocol(peer, protocol);
    EXPECT_EQ(transport.get_write_buffer_limits(),
              std::pair(std::size_t{16384}, std::size_t{65536}));
    transport.set_write_buffer_limits({.high = std::size_t{4} << 20});
    const std::size_t written = co_await fill(transport, std::size_t{2} << 20);
    const std::size_t size = transport.get_write_buffer_size();
    EXPECT_EQ(trace, Trace{"made"});

    transport.set_write_buffer_limits({.high = size, .low = 10});
    EXPECT_EQ(trace, Trace{"made"}) << "as much as the mark is not above it";
    transport.set_write_buffer_limits({.high = size - 1, .low = 10});
    EXPECT_EQ(trace, (Trace{"made", "pause"}));
    transport.write("x");
    EXPECT_EQ(trace.size(), 2U) << "once";

    std::string got;
    protocol->on_resume = [&](RecordingProtocol&) {
        EXPECT_LE(transport.get_write_buffer_size(), 10U);
        transport.write("more");
    };
    while (got.size() < written + 5) {
        if (trace.size() == 2) {
            EXPECT_GT(transport.get_write_buffer_size(), 10U);
        }
        got +=
            co_await peer.receive_exactly(std::min<std::size_t>(65536, written + 5 - got.size()));
    }
    EXPECT_EQ(trace, (Trace{"made", "pause", "resume"}));
    EXPECT_EQ(got.substr(got.size() - 5), "xmore");
    EXPECT_THROW(transport.set_write_buffer_limits({.high = 1, .low = 2}), std::invalid_argument);
    transport.set_write_buffer_limits({.high = 0});
    EXPECT_EQ(transport.get_write_buffer_limits(), std::pair(std::size_t{0}, std::size_t{0}));
    transport.close();
    co_await protocol->lost;
}

ASYNC_TEST(Transport, reports_what_pause_writing_and_resume_writing_throw) {
    Trace trace;
    Peer peer;
    const Reports reports;
    const auto protocol = recording(trace);
    protocol->on_pause = [](RecordingProtocol&) { throw RuntimeError("p"); };
    protocol->on_resume = [](RecordingProtocol&) { throw RuntimeError("r"); };
    auto [transport, same] = co_await connect_protocol(peer, protocol);
    const std::size_t written = co_await fill(transport, 1 << 17);
    EXPECT_EQ(co_await peer.receive_exactly(written), std::string(written, 'f'));
    co_await settle();
    EXPECT_EQ(reports.messages,
              (Trace{"protocol.pause_writing() failed", "protocol.resume_writing() failed"}));
    EXPECT_FALSE(transport.is_closing());
    transport.close();
    co_await protocol->lost;
}

// ------------------------------------------------------------------------------------- the end

ASYNC_TEST(Transport, sends_everything_before_it_is_closed_and_nothing_when_it_is_aborted) {
    for (const bool abort : {false, true}) {
        Trace trace;
        Peer peer;
        const auto protocol = recording(trace);
        auto [transport, same] = co_await connect_protocol(peer, protocol);
        const std::size_t written = co_await fill(transport, 1 << 17);
        if (abort) {
            transport.abort();
            co_await protocol->lost;
            EXPECT_EQ(transport.get_write_buffer_size(), 0U);
            EXPECT_LT((co_await peer.receive_all()).size(), written);
        } else {
            transport.close();
            co_await settle();
            EXPECT_FALSE(protocol->lost.done());
            EXPECT_EQ((co_await peer.receive_all()).size(), written);
            co_await protocol->lost;
        }
        EXPECT_EQ(trace.back(), "lost None");
    }
}

ASYNC_TEST(Transport, drops_what_is_written_when_it_is_closed_and_says_so_from_the_fifth_time_on) {
    Trace trace;
    Peer peer;
    const Logged logged;
    auto [transport, protocol] = co_await connect_protocol(peer, recording(trace));
    transport.close();
    for (int i = 0; i < 4; ++i) {
        transport.write("x");
    }
    EXPECT_EQ(logged.texts, Trace{});
    transport.write("x");
    transport.writelines({"x", "y"});
    EXPECT_EQ(logged.texts,
              (Trace{"socket.send() raised exception.", "socket.send() raised exception."}));
    EXPECT_EQ(co_await peer.receive_all(), "");
}

ASYNC_TEST(Transport, ends_the_stream_after_what_was_written) {
    Trace trace;
    Peer peer;
    const auto protocol = recording(trace);
    auto [transport, same] = co_await connect_protocol(peer, protocol);
    EXPECT_TRUE(transport.can_write_eof());
    const std::size_t written = co_await fill(transport, 1 << 17);
    transport.write_eof();
    transport.write_eof();
    EXPECT_EQ(thrown_by([&transport = transport] {
                  transport.write("x");
                  return 0;
              }),
              "RuntimeError('Cannot call write() after write_eof()')");
    EXPECT_EQ(thrown_by([&transport = transport] {
                  transport.writelines({"x"});
                  return 0;
              }),
              "RuntimeError('Cannot call writelines() after write_eof()')");
    EXPECT_EQ((co_await peer.receive_all()).size(), written);
    peer.send("still heard");
    co_await settle();
    EXPECT_EQ(protocol->received, "still heard");
    transport.close();
    co_await protocol->lost;
}

ASYNC_TEST(Transport, knows_its_addresses_and_describes_itself) {
    Trace trace;
    Peer peer;
    auto [transport, protocol] = co_await connect_protocol(peer, recording(trace));
    EXPECT_EQ(transport.get_extra_info("peername"), transport.peername().to_string());
    EXPECT_EQ(transport.get_extra_info("sockname"), transport.sockname().to_string());
    EXPECT_EQ(transport.get_extra_info("socket"), std::to_string(transport.socket().fileno()));
    EXPECT_EQ(transport.get_extra_info("nothing"), std::nullopt);
    const std::string fd = std::to_string(transport.socket().fileno());
    EXPECT_EQ(transport.repr(), "<Transport fd=" + fd + " read=polling write=<idle, bufsize=0>>");
    transport.close();
    co_await protocol->lost;
    EXPECT_EQ(transport.repr(), "<Transport closed fd=-1 read=idle write=<idle, bufsize=0>>");
    EXPECT_EQ(transport.get_extra_info("peername"), transport.peername().to_string());
}

// ------------------------------------------------------------------------------ create_connection

ASYNC_TEST(CreateConnection, leaves_nothing_open_where_the_factory_fails_or_it_is_cancelled) {
    const PeerListener listener;
    Trace trace;
    const std::size_t before = open_descriptors();
    const auto failing = []() -> std::unique_ptr<Protocol> { throw RuntimeError("no"); };
    const auto none = []() { return std::unique_ptr<Protocol>(); };
    EXPECT_EQ(
        describe(
            (co_await as_result(create_connection(failing, "127.0.0.1", listener.port()))).error()),
        "RuntimeError('no')");
    EXPECT_TRUE(
        (co_await as_result(create_connection(none, "127.0.0.1", listener.port()))).error());
    EXPECT_EQ(open_descriptors(), before);

    const auto protocol = recording(trace);
    for (int turns = 0; turns < 6; ++turns) {
        auto task = create_task(
            create_connection([&protocol] { return protocol; }, "127.0.0.1", listener.port()));
        for (int i = 0; i < turns; ++i) {
            co_await sleep(0);
        }
        const bool done = task.done();
        task.cancel();
        const auto result = co_await as_result(task);
        EXPECT_EQ(result.has_value(), done) << turns;
        if (done) {
            protocol->transport->abort();
        }
        co_await settle();
        EXPECT_EQ(open_descriptors(), before) << turns;
        if (protocol->lost.done()) {
            protocol->lost = get_running_loop().create_future();
        }
    }
}

ASYNC_TEST(CreateConnection, takes_a_stream_socket_only) {
    Trace trace;
    const auto protocol = recording(trace);
    const auto factory = [&protocol] { return protocol; };
    Socket datagrams(AddressFamily::ipv4, SocketType::datagram);
    const auto result = co_await as_result(create_connection(factory, std::move(datagrams)));
    EXPECT_EQ(describe(result.error()).rfind("ValueError('A Stream Socket was expected, got", 0),
              0U)
        << describe(result.error());
}

// ----------------------------------------------------------------------------------------- servers

namespace {

class Echo final : public Protocol {
public:
    void connection_made(Transport& transport) override { transport_ = &transport; }
    void data_received(std::string_view data) override { transport_->write(data); }

private:
    Transport* transport_ = nullptr;
};

Coroutine<std::string> ask(int port, std::string question) {
    auto [reader, writer] = co_await open_connection("127.0.0.1", port);
    writer.write(question);
    writer.write_eof();
    std::string answer = co_await reader.read();
    writer.close();
    co_await writer.wait_closed();
    co_return answer;
}

}  // namespace

ASYNC_TEST(CreateServer, makes_a_protocol_for_each_connection) {
    const Server server =
        co_await create_server([] { return std::make_unique<Echo>(); }, "127.0.0.1", 0);
    const int port = server.addresses().at(0).port();
    auto first = create_task(ask(port, "one"));
    auto second = create_task(ask(port, "two"));
    EXPECT_EQ(co_await first, "one");
    EXPECT_EQ(co_await second, "two");
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(CreateServer, reports_a_factory_that_fails_and_serves_the_next) {
    const Reports reports;
    int calls = 0;
    const auto factory = [&calls]() -> std::unique_ptr<Protocol> {
        if (++calls == 1) {
            throw RuntimeError("no");
        }
        return std::make_unique<Echo>();
    };
    const Server server = co_await create_server(factory, "127.0.0.1", 0);
    const int port = server.addresses().at(0).port();
    EXPECT_TRUE((co_await as_result(ask(port, ""))).has_value());
    EXPECT_EQ(co_await ask(port, "again"), "again");
    EXPECT_EQ(reports.messages, Trace{"Error on transport creation for incoming connection"});
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(CreateServer, waits_for_its_clients_and_closes_or_aborts_them) {
    for (const bool abort : {false, true}) {
        Trace trace;
        const Server server =
            co_await create_server([&trace] { return recording(trace); }, "127.0.0.1", 0);
        Peer peer = Peer::connect(server.addresses().at(0).port());
        co_await settle();
        server.close();
        auto waiting =
            create_task([](Server s) -> Coroutine<> { co_await s.wait_closed(); }, server);
        co_await settle();
        EXPECT_FALSE(waiting.done());
        if (abort) {
            server.abort_clients();
        } else {
            server.close_clients();
        }
        co_await waiting;
        EXPECT_EQ(trace, (Trace{"made", "lost None"}));
    }
}

static Coroutine<> hold(StreamReader reader, StreamWriter writer) {
    writer.write("hello");
    static_cast<void>(co_await reader.read());
    writer.close();
    co_await writer.wait_closed();
}

static Coroutine<> expect_limit(Server server) {
    const int port = server.addresses().at(0).port();
    std::vector<Peer> peers;
    for (int i = 0; i < 5; ++i) {
        peers.push_back(Peer::connect(port));
    }
    co_await settle();
    const auto greeted = [&peers] {
        int count = 0;
        for (Peer& peer : peers) {
            std::string text;
            count += peer.fileno() >= 0 && peer.receive(text) == Peer::Received::something ? 1 : 0;
        }
        return count;
    };
    EXPECT_EQ(greeted(), 2);
    peers[0].close();
    peers[1].close();
    co_await settle();
    co_await settle();
    EXPECT_EQ(greeted(), 2) << "those that waited";
    peers[2].reset();
    co_await settle();
    co_await settle();
    EXPECT_EQ(greeted(), 1);
    server.close();
    server.close_clients();
    co_await server.wait_closed();
}

ASYNC_TEST(Server, accepts_at_most_so_many_connections_and_the_next_when_one_ends) {
    co_await expect_limit(co_await start_server(hold, "127.0.0.1", 0, {.max_connections = 2}));
    const auto result = co_await as_result(
        start_server(hold, "127.0.0.1", 0, StartServerOptions{.max_connections = 0}));
    EXPECT_EQ(describe(result.error()), "ValueError('max_connections must be positive')");
}

ASYNC_TEST(CreateServer, accepts_at_most_so_many_connections) {
    class Greeting final : public Protocol {
        void connection_made(Transport& transport) override { transport.write("hello"); }
    };
    co_await expect_limit(co_await create_server([] { return std::make_unique<Greeting>(); },
                                                 "127.0.0.1", 0, {.max_connections = 2}));
}

ASYNC_TEST(CreateUnixServer, talks_to_create_unix_connection) {
    const asyncio::testing::ScratchDirectory directory;
    const std::string path = directory / "socket";
    const Server server =
        co_await create_unix_server([] { return std::make_unique<Echo>(); }, path);
    Trace trace;
    const auto protocol = recording(trace);
    auto [transport, same] =
        co_await create_unix_connection([&protocol] { return protocol; }, path);
    transport.write("ping");
    co_await settle();
    transport.write_eof();
    co_await protocol->lost;
    EXPECT_EQ(protocol->received, "ping");
    server.close();
    co_await server.wait_closed();
}

// ---------------------------------------------------------------------------------------- sendfile

namespace {

/// A file with some bytes in it.
class ScratchFile {
public:
    explicit ScratchFile(std::size_t size) {
        for (std::size_t i = 0; i < size; ++i) {
            content.push_back(static_cast<char>('a' + i % 23));
        }
        path = directory_ / "file";
        std::ofstream(path) << content;
        fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    }
    ~ScratchFile() { ::close(fd); }
    [[nodiscard]] off_t position() const { return ::lseek(fd, 0, SEEK_CUR); }

    std::string content;
    std::string path;
    int fd = -1;

private:
    asyncio::testing::ScratchDirectory directory_;
};

}  // namespace

ASYNC_TEST(Sendfile, sends_a_file_behind_what_was_written) {
    const ScratchFile file(std::size_t{3} << 20);
    Trace trace;
    Peer peer;
    const auto protocol = recording(trace);
    auto [transport, same] = co_await connect_protocol(peer, protocol);
    const std::size_t written = co_await fill(transport, 1 << 17);
    auto sending = create_task(sendfile(transport, file.fd));
    co_await settle();
    EXPECT_EQ(thrown_by([&transport = transport] {
                  transport.write("x");
                  return 0;
              }),
              "RuntimeError('unable to write; sendfile is in progress')");
    const std::string got = co_await peer.receive_exactly(written + file.content.size());
    EXPECT_EQ(co_await sending, static_cast<std::int64_t>(file.content.size()));
    EXPECT_EQ(got.substr(written), file.content);
    EXPECT_EQ(file.position(), static_cast<off_t>(file.content.size()));
    transport.write("behind");
    EXPECT_EQ(co_await peer.receive_exactly(6), "behind");
    transport.close();
    co_await protocol->lost;
}

ASYNC_TEST(Sendfile, sends_a_part_and_less_if_the_file_ends_before) {
    const ScratchFile file(1000);
    Peer peer;
    auto [reader, writer] = co_await asyncio::testing::open_to(peer);
    EXPECT_EQ(co_await writer.sendfile(file.fd, 10, 20), 20);
    EXPECT_EQ(file.position(), 30);
    EXPECT_EQ(co_await writer.sendfile(file.fd, 990, 100), 10);
    EXPECT_EQ(file.position(), 1000);
    EXPECT_EQ(co_await writer.sendfile(file.fd, 5000), 0);
    EXPECT_EQ(file.position(), 1000) << "nothing was sent";
    File same = co_await files::open(file.path, "rb");
    EXPECT_EQ(co_await writer.sendfile(same, 100, 5), 5);
    EXPECT_EQ(co_await same.tell(), 105);
    co_await same.close();
    EXPECT_EQ(co_await peer.receive_exactly(35),
              file.content.substr(10, 20) + file.content.substr(990) + file.content.substr(100, 5));
    EXPECT_EQ(describe((co_await as_result(writer.sendfile(file.fd, 0, 0))).error()),
              "ValueError('count must be a positive integer (got 0)')");
    EXPECT_EQ(describe((co_await as_result(writer.sendfile(file.fd, -1))).error()),
              "ValueError('offset must be a non-negative integer (got -1)')");
    writer.close();
    EXPECT_EQ(describe((co_await as_result(writer.sendfile(file.fd))).error()),
              "RuntimeError('Transport is closing')");
}

// A file of 5 GiB, most of which is a hole: what is sent lies behind 32 bits, and so does how much
// was asked for.
ASYNC_TEST(Sendfile, counts_beyond_4_GiB) {
    const std::int64_t begin = (std::int64_t{5} << 30) - 7;
    const ScratchFile file(0);
    EXPECT_EQ(::pwrite(file.fd, "the end", 7, begin), 7);
    Peer peer;
    auto [reader, writer] = co_await asyncio::testing::open_to(peer);
    EXPECT_EQ(co_await writer.sendfile(file.fd, begin, std::int64_t{3} << 30), 7);
    EXPECT_EQ(file.position(), begin + 7);
    EXPECT_EQ(co_await writer.sendfile(file.fd, begin + 4), 3);
    EXPECT_EQ(co_await peer.receive_exactly(10), "the endend");
    writer.close();

    auto [a, b, wire] = asyncio::testing::memory_stream_pair();
    EXPECT_EQ(co_await a.writer.sendfile(file.fd, begin, std::int64_t{3} << 30), 7);
    EXPECT_EQ(file.position(), begin + 7);
    EXPECT_EQ(co_await b.reader.readexactly(7), "the end");
    a.writer.close();
    b.writer.close();
}

ASYNC_TEST(Sendfile, reads_and_writes_what_the_system_cannot_send_if_it_may) {
    int pipe[2];
    EXPECT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    EXPECT_EQ(::write(pipe[1], "abc", 3), 3);
    ::close(pipe[1]);
    Peer peer;
    auto [reader, writer] = co_await asyncio::testing::open_to(peer);
    EXPECT_EQ(describe((co_await as_result(writer.sendfile(pipe[0], {.fallback = false}))).error()),
              "SendfileNotAvailableError('sendfile syscall is not supported')");
    EXPECT_TRUE((co_await as_result(writer.sendfile(pipe[0]))).error())
        << "a pipe has no positions";
    ::close(pipe[0]);
    writer.close();
    co_await writer.wait_closed();
}

ASYNC_TEST(Sendfile, reads_and_writes_over_what_is_no_socket) {
    const ScratchFile file(200'000);
    auto [a, b, wire] = asyncio::testing::memory_stream_pair();
    auto sending = create_task(a.writer.sendfile(file.fd, 5));
    EXPECT_EQ(co_await b.reader.readexactly(199'995), file.content.substr(5));
    EXPECT_EQ(co_await sending, 199'995);
    EXPECT_EQ(file.position(), 200'000);
    a.writer.close();
    b.writer.close();
}

ASYNC_TEST(Sendfile, is_cancelled_and_the_position_says_how_much_was_sent) {
    const ScratchFile file(std::size_t{6} << 20);
    Trace trace;
    Peer peer;
    const auto protocol = recording(trace);
    auto [transport, same] = co_await connect_protocol(peer, protocol);
    auto sending = create_task(sendfile(transport, file.fd));
    co_await settle();
    EXPECT_FALSE(sending.done());
    sending.cancel();
    EXPECT_TRUE((co_await as_result(sending)).cancelled());
    const auto sent = static_cast<std::size_t>(file.position());
    EXPECT_LT(sent, file.content.size());
    transport.write("behind");
    transport.close();
    EXPECT_EQ(co_await peer.receive_all(), file.content.substr(0, sent) + "behind");
}

ASYNC_TEST(Sendfile, ends_when_the_connection_is_lost) {
    const ScratchFile file(std::size_t{6} << 20);
    const std::size_t before = open_descriptors();
    for (const bool abort : {true, false}) {
        Trace trace;
        Peer peer;
        const auto protocol = recording(trace);
        auto [transport, same] = co_await connect_protocol(peer, protocol);
        auto sending = create_task(sendfile(transport, file.fd));
        co_await settle();
        if (abort) {
            transport.abort();
        } else {
            peer.reset();
        }
        const auto result = co_await as_result(sending);
        EXPECT_EQ(describe(result.error()), "ConnectionError('Connection is closed by peer')");
        co_await protocol->lost;
    }
    EXPECT_EQ(open_descriptors(), before);
}

ASYNC_TEST(Sendfile, is_finished_before_the_connection_is_closed) {
    const ScratchFile file(std::size_t{6} << 20);
    Trace trace;
    Peer peer;
    const auto protocol = recording(trace);
    auto [transport, same] = co_await connect_protocol(peer, protocol);
    auto sending = create_task(sendfile(transport, file.fd));
    co_await settle();
    transport.close();
    EXPECT_EQ(co_await peer.receive_all(), file.content);
    EXPECT_EQ(co_await sending, static_cast<std::int64_t>(file.content.size()));
}
