// tls_transports_test.cpp - protocols over TLS, and start_tls() of a transport.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/ssl.hpp>
#include <asyncio/transports.hpp>

#include <gtest/gtest.h>

#include "support/async_test.hpp"
#include "support/network.hpp"
#include "support/openssl_peer.hpp"
#include "support/recording_protocols.hpp"
#include "support/tls_pair.hpp"

#include <algorithm>
#include <memory>
#include <string>

using namespace asyncio;
using namespace std::chrono_literals;
using asyncio::testing::client_context;
using asyncio::testing::OpenSSLPeer;
using asyncio::testing::Peer;
using asyncio::testing::PeerListener;
using asyncio::testing::RecordingBufferedProtocol;
using asyncio::testing::RecordingProtocol;
using asyncio::testing::server_context;
using asyncio::testing::settle;
using asyncio::testing::Trace;

namespace {

int port_of(const Server& server) {
    return server.addresses().front().port();
}

Coroutine<> until_received(const RecordingProtocol& protocol, std::size_t size) {
    while (protocol.received.size() < size) {
        co_await sleep(0.001);
    }
}

}  // namespace

ASYNC_TEST(TLSTransport, tells_its_protocol_of_the_connection_after_the_handshake) {
    Trace trace;
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    const auto at_server = std::make_shared<RecordingProtocol>(trace, "server");
    const auto at_client = std::make_shared<RecordingProtocol>(trace, "client");
    at_server->on_made = [](RecordingProtocol& self) {
        EXPECT_EQ(self.transport->ssl_object().version(), "TLSv1.3");
    };
    at_server->on_data = [](RecordingProtocol& self) { self.transport->write("world"); };
    Server server =
        co_await create_server([&] { return at_server; }, "127.0.0.1", 0, {.ssl = &server_side});
    auto [transport, protocol] = co_await create_connection([&] { return at_client; }, "127.0.0.1",
                                                            port_of(server), {.ssl = &client_side});

    EXPECT_TRUE(transport.get_extra_info("cipher").has_value());
    EXPECT_FALSE(transport.can_write_eof());
    transport.write("hello");
    co_await until_received(*at_client, 5);
    transport.close();
    co_await at_client->lost;
    co_await at_server->lost;

    EXPECT_EQ(at_client->received, "world");
    EXPECT_EQ(at_server->received, "hello");
    EXPECT_EQ(at_client->error, nullptr);
    EXPECT_EQ(at_server->error, nullptr);
    EXPECT_EQ(trace.back().substr(8), "lost None");
    EXPECT_NE(std::find(trace.begin(), trace.end(), "server: eof"), trace.end());
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(TLSTransport, receives_into_the_memory_of_a_buffered_protocol) {
    Trace trace;
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    const auto buffered = std::make_shared<RecordingBufferedProtocol>(trace, 10);
    Server server = co_await start_server(
        [](StreamReader, StreamWriter writer) -> Coroutine<> {
            writer.write(std::string(95, 'x'));
            writer.close();
            co_await writer.wait_closed();
        },
        "127.0.0.1", 0, {.ssl = &server_side});

    auto [transport, protocol] = co_await create_connection([&] { return buffered; }, "127.0.0.1",
                                                            port_of(server), {.ssl = &client_side});
    co_await settle();

    EXPECT_EQ(std::count(trace.begin(), trace.end(), "updated 10"), 9);
    EXPECT_EQ(std::count(trace.begin(), trace.end(), "updated 5"), 1);
    EXPECT_EQ(trace.back(), "lost None");
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(TLSTransport, makes_no_connection_for_a_client_that_fails_the_handshake) {
    Trace trace;
    const SSLContext server_side = server_context();
    Server server =
        co_await create_server([&] { return std::make_unique<RecordingProtocol>(trace); },
                               "127.0.0.1", 0, {.ssl = &server_side, .ssl_handshake_timeout = 3});
    Peer nonsense = Peer::connect(port_of(server));
    Peer silent = Peer::connect(port_of(server));
    nonsense.send("this is no client hello");

    static_cast<void>(co_await nonsense.receive_all());
    EXPECT_EQ(co_await silent.receive_all(), "");

    EXPECT_EQ(trace, Trace());
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(TLSTransport, keeps_what_comes_while_reading_is_paused) {
    Trace trace;
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    const auto at_server = std::make_shared<RecordingProtocol>(trace, "server");
    at_server->on_made = [](RecordingProtocol& self) { self.transport->pause_reading(); };
    Server server =
        co_await create_server([&] { return at_server; }, "127.0.0.1", 0, {.ssl = &server_side});
    auto [reader, writer] =
        co_await open_connection("127.0.0.1", port_of(server), {.ssl = &client_side});

    writer.write("hello");
    co_await settle();
    EXPECT_EQ(at_server->received, "");
    at_server->transport->resume_reading();
    co_await until_received(*at_server, 5);

    EXPECT_EQ(at_server->received, "hello");
    at_server->transport->close();
    EXPECT_EQ(co_await reader.read(), "");
    writer.close();
    co_await writer.wait_closed();
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(TLSTransport, pauses_its_protocol_by_the_marks_of_tls) {
    Trace trace;
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    const auto at_client = std::make_shared<RecordingProtocol>(trace, "client");
    static std::optional<StreamPair> other;
    other.reset();
    Server server = co_await start_server(
        [](StreamReader reader, StreamWriter writer) {
            other.emplace(StreamPair{std::move(reader), std::move(writer)});
        },
        "127.0.0.1", 0, {.ssl = &server_side});
    auto [transport, protocol] = co_await create_connection([&] { return at_client; }, "127.0.0.1",
                                                            port_of(server), {.ssl = &client_side});
    const std::string much(20'000'000, 'x');
    co_await settle();

    transport.write(much);
    EXPECT_EQ(trace.back(), "client: pause");
    EXPECT_EQ((co_await other->reader.readexactly(20'000'000)).size(), much.size());
    co_await settle();

    EXPECT_EQ(trace.back(), "client: resume");
    transport.close();
    EXPECT_EQ(co_await other->reader.read(), "");
    co_await at_client->lost;
    other.reset();
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(TLSTransport, of_a_socket_that_somebody_else_accepted) {
    Trace trace;
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    const auto at_server = std::make_shared<RecordingProtocol>(trace, "server");
    at_server->on_data = [](RecordingProtocol& self) { self.transport->write("world"); };
    Socket listening(AddressFamily::ipv4);
    listening.bind(Address("127.0.0.1", 0));
    listening.listen(1);
    auto opening = create_task(
        open_connection("127.0.0.1", listening.getsockname().port(), {.ssl = &client_side}));
    auto [accepted, address] = co_await sock_accept(listening);

    auto [transport, protocol] = co_await connect_accepted_socket(
        [&] { return at_server; }, std::move(accepted), {.ssl = &server_side});
    StreamPair streams = co_await std::move(opening);
    streams.writer.write("hello");

    EXPECT_EQ(co_await streams.reader.readexactly(5), "world");
    EXPECT_EQ(at_server->received, "hello");
    transport.close();
    EXPECT_EQ(co_await streams.reader.read(), "");
    co_await at_server->lost;
}

// Its tickets cannot be sent: so the connection is lost at the end of its handshake.
ASYNC_TEST(TLSTransport, of_a_client_that_leaves_with_the_end_of_its_handshake_is_made_and_lost) {
    Trace trace;
    const SSLContext server_side = server_context();
    const auto at_server = std::make_shared<RecordingProtocol>(trace);
    Server server =
        co_await create_server([&] { return at_server; }, "127.0.0.1", 0, {.ssl = &server_side});
    Peer peer = Peer::connect(port_of(server));
    OpenSSLPeer client(OpenSSLPeer::Side::client);

    co_await client.handshake(peer);
    peer.reset();
    co_await at_server->lost;

    EXPECT_EQ(trace.size(), 2U);
    EXPECT_EQ(trace.front(), "made");
    EXPECT_NE(at_server->error, nullptr);
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(TLSTransport, to_a_server_that_leaves_before_the_end_of_the_handshake_is_made_and_lost) {
    Trace trace;
    const SSLContext client_side = client_context();
    const auto at_client = std::make_shared<RecordingProtocol>(trace);
    const PeerListener listener;
    const auto leave = [](const PeerListener& listener) -> Coroutine<> {
        co_await settle();
        Peer peer = listener.accept();
        OpenSSLPeer server(OpenSSLPeer::Side::server);
        server.begin();
        std::string hello;
        while (hello.empty()) {
            peer.receive(hello);
            co_await sleep(0.001);
        }
        server.give(hello);
        EXPECT_EQ(SSL_do_handshake(server.ssl()), -1);
        peer.send(server.take());
        peer.reset();
    };
    const Task<> leaving = create_task(leave, std::cref(listener));

    const auto made = co_await as_result(create_connection([&] { return at_client; }, "127.0.0.1",
                                                           listener.port(), {.ssl = &client_side}));
    EXPECT_TRUE(made.has_value()) << describe(made.error());
    co_await leaving;
    co_await at_client->lost;

    EXPECT_EQ(trace.size(), 2U);
    EXPECT_EQ(trace.front(), "made");
    EXPECT_NE(at_client->error, nullptr);
}

ASYNC_TEST(TransportStartTLS, goes_on_with_the_protocol_over_tls) {
    Trace trace;
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    const auto at_server = std::make_shared<RecordingProtocol>(trace, "server");
    const auto at_client = std::make_shared<RecordingProtocol>(trace, "client");
    const auto secret = std::make_shared<RecordingProtocol>(trace, "secret");
    Server server = co_await create_server([&] { return at_server; }, "127.0.0.1", 0);
    auto [transport, protocol] =
        co_await create_connection([&] { return at_client; }, "127.0.0.1", port_of(server));
    transport.write("go");
    co_await until_received(*at_server, 2);

    auto serving = create_task(
        start_tls(*at_server->transport, at_server, server_side, {.server_side = true}));
    Transport& upgraded =
        co_await start_tls(transport, secret, client_side, {.server_hostname = "localhost"});
    co_await serving;
    upgraded.write("hidden");
    co_await until_received(*at_server, 8);
    at_server->transport->write("answer");
    co_await until_received(*secret, 6);
    upgraded.close();
    co_await secret->lost;
    co_await at_server->lost;

    EXPECT_TRUE(upgraded.ssl_object());
    EXPECT_EQ(at_server->received, "gohidden");
    EXPECT_EQ(secret->received, "answer");
    EXPECT_EQ(at_client->received, "");
    EXPECT_EQ(secret->error, nullptr);
    EXPECT_EQ(std::count(trace.begin(), trace.end(), "secret: made"), 0);
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(TransportStartTLS, resumes_a_protocol_that_was_paused_before) {
    Trace trace;
    const SSLContext client_side = client_context();
    const auto at_client = std::make_shared<RecordingProtocol>(trace, "client");
    static std::size_t plain;
    plain = 0;
    Server server = co_await start_server(
        [](StreamReader reader, StreamWriter writer) -> Coroutine<> {
            const SSLContext context = server_context();
            plain = (co_await reader.readexactly(20'000'000)).size();
            co_await writer.start_tls(context);
            EXPECT_EQ(co_await reader.readexactly(6), "hidden");
            writer.close();
            co_await writer.wait_closed();
        },
        "127.0.0.1", 0);
    auto [transport, protocol] =
        co_await create_connection([&] { return at_client; }, "127.0.0.1", port_of(server));
    transport.write(std::string(20'000'000, 'x'));
    EXPECT_EQ(trace.back(), "client: pause");

    co_await start_tls(transport, at_client, client_side, {.server_hostname = "localhost"});
    EXPECT_EQ(trace.back(), "client: resume");
    transport.write("hidden");
    co_await at_client->lost;

    EXPECT_EQ(plain, 20'000'000u);
    EXPECT_EQ(at_client->error, nullptr);
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(TransportStartTLS, loses_the_connection_when_the_handshake_fails) {
    Trace trace;
    const SSLContext client_side = client_context();
    const PeerListener listener;
    const auto at_client = std::make_shared<RecordingProtocol>(trace, "client");
    auto [transport, protocol] =
        co_await create_connection([&] { return at_client; }, "127.0.0.1", listener.port());
    Peer peer = listener.accept();
    peer.send("no TLS here");

    const auto result = co_await as_result(
        start_tls(transport, at_client, client_side, {.server_hostname = "localhost"}));
    co_await at_client->lost;

    EXPECT_EQ(describe(result.error()),
              "SSLError(1, '[SSL: WRONG_VERSION_NUMBER] wrong version number')");
    EXPECT_EQ(describe(at_client->error), describe(result.error()));
}

ASYNC_TEST(TransportStartTLS, is_for_transports_of_the_library) {
    class Own : public Transport {};
    Trace trace;
    Own own;
    RecordingProtocol protocol(trace);
    const SSLContext context = client_context();

    EXPECT_THROW(static_cast<void>(start_tls(own, protocol, context)), TypeError);
    co_return;
}
