// hostile_system_test.cpp - a system that transfers little at a time, interrupts, says "not now"
// and is late: whatever it does, every byte arrives, once and in order.
//
// SPDX-License-Identifier: MIT
#include "support/hostile_system.hpp"
#include "support/file_proactor.hpp"
#include "support/network.hpp"
#include "support/reluctant_proactor.hpp"

#include <asyncio/datagrams.hpp>
#include <asyncio/descriptors.hpp>
#include <asyncio/files.hpp>
#include <asyncio/queues.hpp>
#include <asyncio/sockets.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/timeouts.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace asyncio {

namespace {

using testing::HostileSystem;
using testing::Hostility;
using testing::open_descriptors;
using testing::settle;

/// Bytes of which no two stretches are alike.
std::string bytes(std::size_t size) {
    std::string text(size, '\0');
    std::uint32_t state = 2463534242U;
    for (char& each : text) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        each = static_cast<char>('a' + state % 26);
    }
    return text;
}

/// A pair of connected sockets, both the library's.
std::pair<Socket, Socket> connected() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    return {Socket(fds[0]), Socket(fds[1])};
}

// -------------------------------------------------------------------------------- scenarios

Coroutine<> echo(StreamReader reader, StreamWriter writer) {
    for (;;) {
        const std::string piece = co_await reader.read(997);
        if (piece.empty()) {
            break;
        }
        writer.write(piece);
        co_await writer.drain();
    }
    writer.close();
    co_await writer.wait_closed();
}

Coroutine<> send_lines(StreamWriter& writer, const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
        writer.write(line);
        co_await writer.drain();
    }
    writer.writelines(lines);
    co_await writer.drain();
    writer.write_eof();
}

/// Lines of all lengths, there and back, read in each way there is.
Coroutine<> echo_lines() {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    auto [reader, writer] =
        co_await open_connection("127.0.0.1", server.addresses().front().port());
    std::vector<std::string> lines;
    for (std::size_t size = 0; size < 60; ++size) {
        lines.push_back(bytes(size) + "\r\n");
    }
    const Task<> sending = create_task(send_lines(writer, lines));
    std::size_t number = 0;
    for (const std::string& line : lines) {
        std::string got;
        switch (number++ % 4) {
            case 0:
                got = co_await reader.readuntil("\r\n");
                break;
            case 1:
                got = co_await reader.readexactly(line.size());
                break;
            case 2:
                got = co_await reader.readline();
                break;
            default:
                while (got.size() < line.size()) {
                    const std::string more = co_await reader.read(line.size() - got.size());
                    got += more;
                }
        }
        EXPECT_EQ(got, line);
    }
    std::string all;
    for (const std::string& line : lines) {
        all += line;
    }
    const std::string rest = co_await reader.read();
    EXPECT_EQ(rest, all);
    co_await sending;
    writer.close();
    co_await writer.wait_closed();
    server.close();
    co_await server.wait_closed();
}

/// More than is taken at once, both ways at the same time, over sockets of the given making.
Coroutine<> exchange(StreamPair one, StreamPair other, std::size_t size) {
    const std::string there = bytes(size);
    const std::string back(there.rbegin(), there.rend());
    const auto send = [](StreamWriter& writer, std::string_view text) -> Coroutine<> {
        for (std::size_t begin = 0; begin < text.size(); begin += 30'011) {
            writer.write(text.substr(begin, 30'011));
            co_await writer.drain();
        }
        writer.write_eof();
    };
    const auto receive = [](StreamReader& reader) -> Coroutine<std::string> {
        std::string all = co_await reader.read();
        co_return all;
    };
    const Task<std::string> at_one = create_task(receive(one.reader));
    const Task<std::string> at_other = create_task(receive(other.reader));
    co_await gather(send(one.writer, there), send(other.writer, back));
    const std::string got_there = co_await at_other;
    const std::string got_back = co_await at_one;
    EXPECT_TRUE(got_there == there);
    EXPECT_TRUE(got_back == back);
    one.writer.close();
    other.writer.close();
    co_await one.writer.wait_closed();
    co_await other.writer.wait_closed();
}

Coroutine<> exchange_over_unix_sockets(std::size_t size) {
    auto [ours, theirs] = connected();
    StreamPair one = co_await open_connection(std::move(ours));
    StreamPair other = co_await open_connection(std::move(theirs));
    co_await exchange(std::move(one), std::move(other), size);
}

Coroutine<> exchange_little() {
    co_await exchange_over_unix_sockets(3'000);
}
Coroutine<> exchange_much() {
    co_await exchange_over_unix_sockets(700'000);
}

Coroutine<> send_raw(const Socket& socket, std::string_view text) {
    co_await sock_sendall(socket, text);
}

/// The same without streams.
Coroutine<> exchange_raw() {
    auto [one, other] = connected();
    const std::string text = bytes(20'000);
    const Task<> sending = create_task(send_raw(one, text));
    std::string got;
    while (got.size() < text.size()) {
        const std::string more = co_await sock_recv(other, 333);
        got += more;
    }
    co_await sending;
    EXPECT_TRUE(got == text);
}

Coroutine<> connect_many() {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    const int port = server.addresses().front().port();
    const auto visit = [](int port) -> Coroutine<> {
        auto [reader, writer] = co_await open_connection("127.0.0.1", port);
        writer.write("x");
        const std::string answer = co_await reader.readexactly(1);
        EXPECT_EQ(answer, "x");
        writer.close();
        co_await writer.wait_closed();
    };
    for (int round = 0; round < 3; ++round) {
        co_await gather(visit(port), visit(port), visit(port), visit(port), visit(port));
    }
    server.close();
    co_await server.wait_closed();
}

/// Datagrams by protocols and by hand, descriptors with messages, and a file over a socket.
Coroutine<> exchange_messages() {
    struct Collector : DatagramProtocol {
        void datagram_received(std::string_view data, const Address&) override {
            sizes.put_nowait(data.size());
        }
        Queue<std::size_t> sizes;
    };
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    const Socket by_hand(fds[0]);
    auto endpoint = co_await create_datagram_endpoint([] { return std::make_unique<Collector>(); },
                                                      Socket(fds[1]));
    for (std::size_t size = 0; size < 20; ++size) {
        const std::size_t sent = co_await sock_sendto(by_hand, bytes(size), Address());
        EXPECT_EQ(sent, size);
        endpoint.transport.sendto(bytes(size));
    }
    for (std::size_t size = 0; size < 20; ++size) {
        const std::size_t got = co_await endpoint.protocol->sizes.get();
        EXPECT_EQ(got, size);
        const ReceivedFrom received = co_await sock_recvfrom(by_hand, 1000);
        EXPECT_EQ(received.data, bytes(size));
    }
    endpoint.transport.close();

    auto [one, other] = connected();
    const std::array<int, 2> passed{by_hand.fileno(), one.fileno()};
    const std::size_t sent = co_await send_fds(one, "x", passed);
    EXPECT_EQ(sent, 1U);
    const ReceivedFds received = co_await recv_fds(other, 10, 2);
    EXPECT_EQ(received.data, "x");
    EXPECT_EQ(received.fds.size(), 2U);
    co_await settle();
}

Coroutine<std::string> receive_all(const Socket& socket) {
    std::string all;
    for (;;) {
        const std::string more = co_await sock_recv(socket, 1000);
        if (more.empty()) {
            co_return all;
        }
        all += more;
    }
}

/// Written, read and sent, in pieces of all sizes.
Coroutine<> use_files() {
    const testing::TemporaryDirectory directory;
    const std::string path = directory / "file";
    const std::string text = bytes(50'000);
    {
        files::File file = co_await files::open(path, "w+");
        for (std::size_t begin = 0, size = 0; begin < text.size(); begin += size) {
            size = std::min<std::size_t>(1 + begin / 3, text.size() - begin);
            const std::size_t written = co_await file.write(text.substr(begin, size));
            EXPECT_EQ(written, size);
        }
        co_await file.sync();
        co_await file.seek(0);
        const std::string all = co_await file.read();
        EXPECT_TRUE(all == text);
        const std::string middle = co_await file.pread(20'000, 10'000);
        EXPECT_TRUE(middle == text.substr(10'000, 20'000));
        co_await file.pwrite(text, 0);
        co_await file.close();
    }
    const std::string whole = co_await files::read_file(path);
    EXPECT_TRUE(whole == text);
    const std::string copy = directory / "copy";
    co_await files::write_file(copy, text, {.atomic = true});
    {
        files::File file = co_await files::open(copy, "a");
        co_await file.write(text);
        const std::int64_t end = co_await file.tell();
        EXPECT_EQ(end, 100'000);
        co_await file.close();
    }
    files::File file = co_await files::open(copy);
    auto [one, other] = connected();
    const Task<std::string> receiving = create_task(receive_all(other));
    const std::int64_t sent = co_await sock_sendfile(one, file.fileno());
    EXPECT_EQ(sent, 100'000);
    one.close();
    const std::string received = co_await receiving;
    EXPECT_TRUE(received == text + text);
    co_await file.close();
}

// -------------------------------------------------------------------------------------------

using Scenario = Coroutine<> (*)();

/// Returns how many lies were told. On the real clock, on which nothing depends here: the virtual
/// one would jump while the system says "not now".
std::int64_t withstand(Scenario scenario, const Hostility& hostility) {
    constexpr double patience = 100;  // for what hangs
    std::int64_t lies = 0;
    // A short count says of TCP that there is no more, and of nothing else.
    const bool over_tcp = scenario == &echo_lines || scenario == &connect_many;
    const bool lies_about_readiness =
        hostility.would_block > 0 || (hostility.most_bytes != Hostility::no_limit && over_tcp);
    for (const char* proactor : testing::proactors) {
        if (lies_about_readiness && std::string_view(proactor) != "epoll") {
            continue;  // only epoll can be made to report a descriptor again
        }
        SCOPED_TRACE(std::string("on ") + proactor);
        const std::size_t before = open_descriptors();
        const HostileSystem system(hostility);
        try {
            run(wait_for(scenario(), patience), {.proactor = proactor});
        } catch (...) {
            ADD_FAILURE() << "the test threw " << describe(std::current_exception());
        }
        lies += system.lies();
        EXPECT_EQ(open_descriptors(), before);
    }
    return lies;
}

Hostility in_pieces_of(std::size_t most_bytes) {
    Hostility hostility;
    hostility.most_bytes = most_bytes;
    return hostility;
}

TEST(HostileSystem, that_transfers_little_at_a_time_loses_no_byte) {
    for (std::size_t size = 1; size <= 64; ++size) {
        SCOPED_TRACE("in pieces of " + std::to_string(size));
        EXPECT_GT(withstand(&echo_lines, in_pieces_of(size)), 0);
        withstand(&exchange_little, in_pieces_of(size));
    }
    for (const std::size_t size : {997U, 4'096U, 65'535U}) {
        SCOPED_TRACE("in pieces of " + std::to_string(size));
        withstand(&exchange_much, in_pieces_of(size));
    }
    withstand(&exchange_raw, in_pieces_of(1));
    withstand(&exchange_raw, in_pieces_of(7));
    for (const std::size_t size : {97U, 1'001U, 4'096U}) {
        withstand(&use_files, in_pieces_of(size));
        withstand(&exchange_messages, in_pieces_of(size));
    }
}

/// Each seed is another storm.
void withstand_storms(Hostility hostility) {
    std::int64_t lies = 0;
    for (hostility.seed = 1; hostility.seed <= 5; ++hostility.seed) {
        SCOPED_TRACE("seed " + std::to_string(hostility.seed));
        for (const Scenario scenario :
             {&echo_lines, &exchange_little, &exchange_much, &exchange_raw, &connect_many,
              &exchange_messages, &use_files}) {
            lies += withstand(scenario, hostility);
        }
    }
    EXPECT_GT(lies, 0);
}

TEST(HostileSystem, that_says_not_now_most_of_the_time_loses_no_byte) {
    Hostility hostility;
    hostility.would_block = 90;
    withstand_storms(hostility);
}
TEST(HostileSystem, that_is_interrupted_most_of_the_time_loses_no_byte) {
    Hostility hostility;
    hostility.interrupted = 80;
    withstand_storms(hostility);
}
TEST(HostileSystem, that_does_all_of_it_loses_no_byte) {
    Hostility hostility;
    hostility.would_block = 30;
    hostility.interrupted = 30;
    hostility.delayed = 1;
    hostility.most_bytes = 501;
    withstand_storms(hostility);
}

// The same on every proactor: operations are put off instead of system calls.
TEST(ReluctantProactor, that_says_not_now_most_of_the_time_loses_no_byte) {
    constexpr double patience = 100;
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        const testing::ReluctantProactorScope scope(seed);
        for (const char* proactor : testing::proactors) {
            SCOPED_TRACE(std::string("on ") + proactor + ", seed " + std::to_string(seed));
            for (const Scenario scenario : {&echo_lines, &exchange_little, &exchange_raw,
                                            &connect_many, &exchange_messages, &use_files}) {
                const std::size_t before = open_descriptors();
                try {
                    run(wait_for(scenario(), patience), {.proactor = proactor});
                } catch (...) {
                    ADD_FAILURE() << "the test threw " << describe(std::current_exception());
                }
                EXPECT_EQ(open_descriptors(), before);
            }
        }
    }
}

}  // namespace

}  // namespace asyncio
