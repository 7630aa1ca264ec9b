// tls_peers_test.cpp - streams over TLS, and peers that do what this library would never do, but
// others may.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/ssl.hpp>
#include <asyncio/transports.hpp>

#include <gtest/gtest.h>

#include "support/async_test.hpp"
#include "support/network.hpp"
#include "support/openssl_peer.hpp"
#include "support/tls_pair.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <openssl/err.h>
#include <sys/socket.h>

using namespace asyncio;
using namespace std::chrono_literals;
using asyncio::testing::client_context;
using asyncio::testing::first_record;
using asyncio::testing::OpenSSLPeer;
using asyncio::testing::Peer;
using asyncio::testing::server_context;
using asyncio::testing::settle;
using asyncio::testing::TLSPair;

namespace {

/// A client of the library's, and its server, which is the test's.
struct Client {
    std::optional<StreamPair> streams;
    Peer peer;
    OpenSSLPeer server{OpenSSLPeer::Side::server};
};

/// Connected by a Unix socket, which keeps little: `size` bytes or so.
Coroutine<> connect(Client& client, const SSLContext& context, int size = 1 << 20) {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    client.peer = Peer(fds[1]);
    EXPECT_EQ(::setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    EXPECT_EQ(::setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    const Task<> shaking = create_task(client.server.handshake(client.peer));
    OpenConnectionOptions options;
    options.ssl = &context;
    options.server_hostname = "localhost";
    StreamPair streams = co_await open_connection(Socket(fds[0]), options);
    client.streams.emplace(std::move(streams));
    co_await shaking;
}

/// What the server has got, until it is as much as that, or nothing more comes.
Coroutine<std::string> hear(Client& client, std::size_t size) {
    std::string heard;
    for (int idle = 0; heard.size() < size && idle < 100; ++idle) {
        std::string bytes;
        if (client.peer.receive(bytes) == Peer::Received::something) {
            idle = 0;
        }
        client.server.give(bytes);
        heard += client.server.read();
        co_await sleep(0.001);
    }
    co_return heard;
}

// Tickets of some thousand bytes, in records of 512.
int make_large_ticket(SSL* ssl, void* /*nothing*/) {
    static const std::string filler(2000, 't');
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), filler.data(), filler.size());
}
void send_large_tickets(OpenSSLPeer& server) {
    SSL_CTX_set_session_ticket_cb(server.context(), &make_large_ticket, nullptr, nullptr);
    SSL_CTX_set_max_send_fragment(server.context(), 512);
}

Coroutine<std::string> read_one(StreamReader& reader) {
    std::string text = co_await reader.read(100);
    co_return text;
}

}  // namespace

// ------------------------------------------------------------ messages of the handshake in pieces

ASYNC_TEST(TLSPeer, that_sends_a_ticket_in_pieces_gets_what_is_written_meanwhile) {
    const SSLContext context = client_context();
    Client client;
    send_large_tickets(client.server);
    co_await connect(client, context);
    std::string tickets = client.server.take();
    EXPECT_GT(tickets.size(), 1500U);
    const Task<std::string> reading = create_task(read_one(client.streams->reader));
    client.peer.send(first_record(tickets));
    co_await settle();

    client.streams->writer.write("mean");
    client.streams->writer.write("while");
    co_await client.streams->writer.drain();
    co_await settle();
    EXPECT_FALSE(client.streams->writer.is_closing());
    client.peer.send(tickets);
    const std::string heard = co_await hear(client, 9);
    client.server.write("answer");
    client.peer.send(client.server.take());
    const std::string answer = co_await reading;

    EXPECT_EQ(heard, "meanwhile");
    EXPECT_EQ(answer, "answer");
}

ASYNC_TEST(TLSPeer, that_sends_a_ticket_in_pieces_gets_what_is_written_when_nobody_reads_any_more) {
    const SSLContext context = client_context();
    Client client;
    send_large_tickets(client.server);
    co_await connect(client, context);
    std::string tickets = client.server.take();
    Task<std::string> reading = create_task(read_one(client.streams->reader));
    client.peer.send(first_record(tickets));
    co_await settle();
    reading.cancel();
    co_await settle();

    client.streams->writer.write("meanwhile");
    client.peer.send(tickets);
    const std::string heard = co_await hear(client, 9);

    EXPECT_EQ(heard, "meanwhile");
}

ASYNC_TEST(TLSPeer, that_sends_a_ticket_in_pieces_is_told_of_the_end) {
    const SSLContext context = client_context();
    for (const bool writes : {true, false}) {
        Client client;
        send_large_tickets(client.server);
        co_await connect(client, context);
        std::string tickets = client.server.take();
        Task<std::string> reading = create_task(read_one(client.streams->reader));
        client.peer.send(first_record(tickets));
        co_await settle();

        if (writes) {
            client.streams->writer.write("the last");
        }
        client.streams->writer.close();
        co_await settle();
        client.peer.send(tickets);
        const std::size_t expected = writes ? 9 : 1;
        const std::string heard = co_await hear(client, expected);
        EXPECT_EQ(heard, writes ? "the last" : "");
        EXPECT_NE(SSL_get_shutdown(client.server.ssl()) & SSL_RECEIVED_SHUTDOWN, 0);
        SSL_shutdown(client.server.ssl());
        client.peer.send(client.server.take());
        const auto closed = co_await as_result(wait_for(client.streams->writer.wait_closed(), 1));

        EXPECT_TRUE(closed.has_value()) << describe(closed.error());
        static_cast<void>(co_await as_result(reading));
    }
}

// ----------------------------------------------------------------------------------------- the end

// It says that it has ended, and takes nothing more.
ASYNC_TEST(TLSPeer, that_ends_and_takes_nothing_is_not_waited_for_for_ever) {
    const SSLContext context = client_context();
    Client client;
    co_await connect(client, context, 4096);
    const auto start = get_running_loop().time();
    client.streams->writer.write(std::string(50'000, 'x'));
    EXPECT_EQ(client.streams->writer.get_write_buffer_size(), 0U) << "of plaintext";

    client.streams->writer.close();
    SSL_shutdown(client.server.ssl());
    client.peer.send(client.server.take());
    const auto closed = co_await as_result(wait_for(client.streams->writer.wait_closed(), 1000));

    EXPECT_EQ(describe(closed.error()), "TimeoutError('SSL shutdown timed out')");
    EXPECT_LT(get_running_loop().time() - start, 100s);
}

// ---------------------------------------------------------------------------------------- floods

// Each asks for an answer of the same size. The answers that the peer does not read are not kept
// without end: what it sends is not read any more.
ASYNC_TEST(TLSPeer, that_goes_in_the_middle_of_a_write_is_an_error_and_no_signal) {
    const SSLContext context = client_context();
    Client client;
    co_await connect(client, context, 4096);
    StreamWriter& writer = client.streams->writer;
    writer.write(std::string(1'000'000, 'x'));
    const Task<> draining = create_task(
        [](StreamWriter& out) -> Coroutine<> { co_await out.drain(); }, std::ref(writer));
    co_await settle();
    EXPECT_FALSE(draining.done());

    client.peer.close();
    const auto drained = co_await as_result(draining);
    writer.write("x");
    const auto closed = co_await as_result(writer.wait_closed());

    EXPECT_THROW(drained.get(), ConnectionError);
    EXPECT_THROW(closed.get(), ConnectionError);
}

ASYNC_TEST(TLSPeer, that_floods_with_updates_of_keys_is_not_read_until_it_reads) {
    constexpr std::size_t flood = 1'000'000;
    const SSLContext context = client_context();
    Client client;
    co_await connect(client, context, 10'000);
    const Task<std::string> reading = create_task(read_one(client.streams->reader));

    std::size_t sent = 0;
    std::string left = client.server.take();
    for (int idle = 0; sent < flood && idle < 50;) {
        while (left.size() < 5'000) {
            EXPECT_EQ(SSL_key_update(client.server.ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
            EXPECT_EQ(SSL_do_handshake(client.server.ssl()), 1);
            left += client.server.take();
        }
        const std::size_t taken = client.peer.try_send(left);
        left.erase(0, taken);
        sent += taken;
        idle = taken > 0 ? 0 : idle + 1;
        co_await sleep(0.001);
    }

    EXPECT_LT(sent, 400'000U);
    EXPECT_FALSE(reading.done());
    // When it reads, everything goes on.
    client.server.write("at last");
    left += client.server.take();
    while (!left.empty()) {
        std::string answers;
        client.peer.receive(answers);
        client.server.give(answers);
        EXPECT_EQ(client.server.read(), "");
        left += client.server.take();
        left.erase(0, client.peer.try_send(left));
        co_await sleep(0.001);
    }
    const std::string text = co_await reading;
    EXPECT_EQ(text, "at last");
}

TEST(SSLObject, is_not_misled_by_errors_that_others_leave_behind) {
    const auto leave_one = [] { ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR); };
    TLSPair pair(client_context(), server_context());
    leave_one();
    EXPECT_THROW(pair.client.do_handshake(), SSLWantReadError);
    leave_one();
    EXPECT_THROW(pair.server.do_handshake(), SSLWantReadError);
    pair.handshake();

    leave_one();
    EXPECT_THROW(static_cast<void>(pair.server.read()), SSLWantReadError);
    leave_one();
    EXPECT_EQ(pair.client.write("fine"), 4U);
    pair.move();
    leave_one();
    EXPECT_EQ(pair.server.read(), "fine");
    leave_one();
    EXPECT_THROW(pair.client.unwrap(), SSLWantReadError);
    ERR_clear_error();
}

TEST(SSLObject, refuses_to_renegotiate) {
    SSLContext context = client_context();
    context.set_maximum_version(TLSVersion::TLSv1_2);
    MemoryBIO incoming;
    MemoryBIO outgoing;
    SSLObject client = context.wrap_bio(incoming, outgoing, {.server_hostname = "localhost"});
    OpenSSLPeer server(OpenSSLPeer::Side::server);
    server.begin();
    for (bool done = false; !done;) {
        done = asyncio::testing::TLSPair::try_step([&] { client.do_handshake(); });
        server.give(outgoing.read());
        SSL_do_handshake(server.ssl());
        incoming.write(server.take());
    }

    EXPECT_EQ(SSL_renegotiate(server.ssl()), 1);
    EXPECT_EQ(SSL_do_handshake(server.ssl()), 1) << "which sends the request";
    incoming.write(server.take());
    EXPECT_THROW(static_cast<void>(client.read()), SSLWantReadError);
    const std::string answer = outgoing.read();

    EXPECT_GT(answer.size(), 0U) << "an alert";
    EXPECT_LT(answer.size(), 100U);
    server.give(answer);
    ERR_clear_error();
    EXPECT_EQ(server.read(), "");
    EXPECT_EQ(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
}

// ---------------------------------------------------------------------- several connections at
// once

namespace {

Coroutine<> upgrade_and_echo(const SSLContext& context, StreamReader reader, StreamWriter writer) {
    co_await reader.readline();
    writer.write("go on\n");
    co_await writer.start_tls(context);
    for (;;) {
        const std::string data = co_await reader.read(65536);
        if (data.empty()) {
            break;
        }
        writer.write(data);
        co_await writer.drain();
    }
    writer.close();
}

std::string pattern(std::size_t size) {
    std::string text;
    text.reserve(size + 16);
    for (std::size_t i = 0; text.size() < size; ++i) {
        text += std::to_string(i) + ",";
    }
    text.resize(size);
    return text;
}

Coroutine<> send_all(StreamWriter& writer, const std::string& text) {
    for (std::size_t i = 0; i < text.size(); i += 60'000) {
        writer.write(std::string_view(text).substr(i, 60'000));
        co_await writer.drain();
    }
}

}  // namespace

ASYNC_TEST(TLSWithinTLS, carries_much_both_ways) {
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    Server server = co_await start_server(
        [&server_side](StreamReader reader, StreamWriter writer) {
            return upgrade_and_echo(server_side, std::move(reader), std::move(writer));
        },
        "127.0.0.1", 0, {.ssl = &server_side});
    auto [reader, writer] = co_await open_connection("127.0.0.1", server.addresses().front().port(),
                                                     {.ssl = &client_side});
    writer.write("STARTTLS\n");
    const std::string go_on = co_await reader.readline();
    EXPECT_EQ(go_on, "go on\n");
    co_await writer.start_tls(client_side, {.server_hostname = "localhost"});
    const std::string sent = pattern(1'000'000);

    const Task<> sending = create_task(send_all(writer, sent));
    const auto received = co_await as_result(reader.readexactly(sent.size()));
    EXPECT_TRUE(received.has_value() && received.get() == sent) << describe(received.error());
    static_cast<void>(co_await as_result(sending));
    writer.close();
    const auto closed = co_await as_result(writer.wait_closed());
    EXPECT_TRUE(closed.has_value()) << describe(closed.error());
    server.close();
    co_await server.wait_closed();
}

namespace {

/// Reads from another connection while it is told of what came over its own.
class Nosy final : public Protocol {
public:
    explicit Nosy(StreamReader& other) : other_(other) {}
    void data_received(std::string_view data) override {
        const Task<std::string> task = create_task(read_much(other_), {.eager_start = true});
        received += data;
        reading.push_back(task);
    }

    std::string received;
    std::vector<Task<std::string>> reading;

private:
    static Coroutine<std::string> read_much(StreamReader& reader) {
        std::string text = co_await reader.read(100'000);
        co_return text;
    }

    StreamReader& other_;
};

Coroutine<> echo_lines(StreamReader reader, StreamWriter writer) {
    for (;;) {
        const std::string data = co_await reader.read(1'000'000);
        if (data.empty()) {
            break;
        }
        writer.write(data);
    }
    writer.close();
}

Coroutine<> be_nosy(const SSLContext* server_side, const SSLContext* client_side) {
    Server server = co_await start_server(echo_lines, "127.0.0.1", 0, {.ssl = server_side});
    const int port = server.addresses().front().port();
    auto [reader, writer] = co_await open_connection("127.0.0.1", port, {.ssl = client_side});
    const std::string of_other(150'000, 'o');
    writer.write(of_other);
    const std::string first = co_await reader.readexactly(1);
    co_await settle();
    std::string other = first;
    const auto [transport, protocol] =
        co_await create_connection([&reader = reader] { return std::make_shared<Nosy>(reader); },
                                   "127.0.0.1", port, {.ssl = client_side});
    const std::string sent = pattern(200'000);

    transport.write(sent);
    for (int turn = 0; turn < 1000 && protocol->received.size() < sent.size(); ++turn) {
        co_await sleep(0.001);
    }
    EXPECT_TRUE(protocol->received == sent) << protocol->received.size();
    for (Task<std::string>& task : protocol->reading) {
        task.cancel();
        const auto read = co_await as_result(task);
        other += read.has_value() ? read.get() : "";
    }
    while (other.size() < of_other.size()) {
        const std::string more = co_await reader.read(100'000);
        if (more.empty()) {
            break;
        }
        other += more;
    }
    EXPECT_TRUE(other == of_other) << other.size();
    transport.abort();
    writer.close();
    static_cast<void>(co_await as_result(writer.wait_closed()));
    server.close();
    co_await server.wait_closed();
}

}  // namespace

ASYNC_TEST(EagerTask, may_read_another_connection_while_a_protocol_is_told_of_data) {
    co_await be_nosy(nullptr, nullptr);
}
ASYNC_TEST(EagerTask, may_read_another_connection_over_tls_while_a_protocol_is_told_of_data) {
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    co_await be_nosy(&server_side, &client_side);
}
