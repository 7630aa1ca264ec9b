// tls_streams_test.cpp - streams over TLS, between a client and a server of this library.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/ssl.hpp>

#include <gtest/gtest.h>

#include "support/async_test.hpp"
#include "support/network.hpp"
#include "support/tls_pair.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace asyncio;
using namespace std::chrono_literals;
using asyncio::testing::client_context;
using asyncio::testing::open_descriptors;
using asyncio::testing::Peer;
using asyncio::testing::PeerListener;
using asyncio::testing::server_context;
using asyncio::testing::settle;
using asyncio::testing::TestAuthority;

namespace {

std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) {
        return e.what();
    } catch (...) {
        return describe(error);
    }
}

template <class E>
bool is(const std::exception_ptr& error) {
    try {
        if (error != nullptr) {
            std::rethrow_exception(error);
        }
    } catch (const E&) {
        return true;
    } catch (...) {}
    return false;
}

Coroutine<> echo(StreamReader reader, StreamWriter writer) {
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

/// What opening comes to.
Coroutine<std::string> failure_of(Coroutine<StreamPair> opening) {
    const auto result = co_await as_result(std::move(opening));
    co_return result.has_value() ? "" : text_of(result.error());
}

int port_of(const Server& server) {
    return server.addresses().front().port();
}

Coroutine<Server> serve(Coroutine<> (*handler)(StreamReader, StreamWriter),
                        const SSLContext& context, StartServerOptions options = {}) {
    options.ssl = &context;
    return start_server(handler, "127.0.0.1", 0, options);
}

Coroutine<StreamPair> open_tls(int port, const SSLContext& context,
                               OpenConnectionOptions options = {}) {
    options.ssl = &context;
    return open_connection("127.0.0.1", port, options);
}

Coroutine<> close_all(Server& server, StreamWriter& writer) {
    writer.close();
    static_cast<void>(co_await as_result(writer.wait_closed()));
    server.close();
    co_await server.wait_closed();
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

}  // namespace

// ---------------------------------------------------------------------------- open and serve

ASYNC_TEST(TLSStreams, carry_what_is_written_both_ways) {
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    Server server = co_await serve(echo, server_side);
    auto [reader, writer] = co_await open_tls(port_of(server), client_side);

    writer.write("hello\n");
    EXPECT_EQ(co_await reader.readline(), "hello\n");
    writer.writelines({"one ", "two ", "three\n"});
    EXPECT_EQ(co_await reader.readexactly(14), "one two three\n");

    co_await close_all(server, writer);
}

ASYNC_TEST(TLSStreams, carry_much_with_both_sides_waiting_for_each_other) {
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    Server server = co_await serve(echo, server_side);
    auto [reader, writer] = co_await open_tls(port_of(server), client_side);
    const std::string sent = pattern(3'000'000);

    auto sending = create_task(
        [](StreamWriter& out, const std::string& text) -> Coroutine<> {
            for (std::size_t i = 0; i < text.size(); i += 100'000) {
                out.write(std::string_view(text).substr(i, 100'000));
                co_await out.drain();
            }
        },
        std::ref(writer), std::ref(sent));
    const std::string received =
        co_await reader.readexactly(static_cast<std::ptrdiff_t>(sent.size()));
    co_await sending;

    EXPECT_TRUE(received == sent);
    co_await close_all(server, writer);
}

ASYNC_TEST(TLSStreams, tell_of_the_handshake) {
    const SSLContext server_side = server_context();
    SSLContext client_side = client_context();
    client_side.set_alpn_protocols({"h2"});
    Server server = co_await serve(echo, server_side);
    auto [reader, writer] = co_await open_tls(port_of(server), client_side);

    const SSLObject object = writer.ssl_object();
    EXPECT_TRUE(object);
    EXPECT_EQ(object.version(), "TLSv1.3");
    EXPECT_EQ(object.context(), client_side);
    EXPECT_EQ(writer.get_extra_info("cipher"), "('TLS_AES_256_GCM_SHA384', 'TLSv1.3', 256)");
    const std::string certificate = writer.get_extra_info("peercert").value_or("");
    EXPECT_EQ(certificate.substr(0, 60),
              "{'subject': ((('commonName', 'localhost'),),), 'issuer': (((");
    EXPECT_NE(certificate.find("'subjectAltName': (('DNS', 'localhost'), ('IP Address', "
                               "'127.0.0.1'))}"),
              std::string::npos);
    EXPECT_FALSE(writer.get_extra_info("compression").has_value());
    EXPECT_TRUE(writer.get_extra_info("ssl_object").has_value());
    EXPECT_TRUE(writer.get_extra_info("sslcontext").has_value());
    EXPECT_EQ(writer.peername().port(), port_of(server));
    EXPECT_FALSE(writer.can_write_eof());
    EXPECT_THROW(writer.write_eof(), RuntimeError);
    EXPECT_EQ(writer.get_write_buffer_limits(),
              (std::pair<std::size_t, std::size_t>(128 * 1024, 512 * 1024)));

    co_await close_all(server, writer);
}

ASYNC_TEST(TLSStreams, have_no_ssl_object_without_tls) {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    auto [reader, writer] = co_await open_connection("127.0.0.1", port_of(server));

    EXPECT_FALSE(writer.ssl_object());
    EXPECT_FALSE(writer.get_extra_info("cipher").has_value());

    co_await close_all(server, writer);
}

ASYNC_TEST(TLSStreams, refuse_options_that_do_not_go_together) {
    const SSLContext client_side = client_context();
    const auto open = [](OpenConnectionOptions options) {
        return failure_of(open_connection("127.0.0.1", 1, options));
    };

    EXPECT_EQ(co_await open({.server_hostname = "x"}),
              "server_hostname is only meaningful with ssl");
    EXPECT_EQ(co_await open({.ssl_handshake_timeout = 1.0}),
              "ssl_handshake_timeout is only meaningful with ssl");
    EXPECT_EQ(co_await open({.ssl_shutdown_timeout = 1.0}),
              "ssl_shutdown_timeout is only meaningful with ssl");
    EXPECT_EQ(co_await open({.ssl = &client_side, .ssl_handshake_timeout = 0}),
              "ssl_handshake_timeout should be a positive number, got 0.0");
    EXPECT_EQ(co_await open({.ssl = &client_side, .ssl_shutdown_timeout = -1.5}),
              "ssl_shutdown_timeout should be a positive number, got -1.5");
    EXPECT_EQ(co_await failure_of(open_unix_connection("/tmp/nobody", {.ssl = &client_side})),
              "you have to pass server_hostname when using ssl");
}

ASYNC_TEST(TLSStreams, go_over_unix_sockets_too) {
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    const asyncio::testing::TestDirectory directory;
    const std::string path = directory.path("socket");
    Server server = co_await start_unix_server(echo, path, {.ssl = &server_side});
    auto [reader, writer] =
        co_await open_unix_connection(path, {.ssl = &client_side, .server_hostname = "localhost"});

    writer.write("over unix\n");
    EXPECT_EQ(co_await reader.readline(), "over unix\n");

    co_await close_all(server, writer);
}

// --------------------------------------------------------------------------- failed handshakes

ASYNC_TEST(TLSStreams, do_not_open_to_a_server_whose_certificate_is_no_good) {
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    const std::size_t before = open_descriptors();
    Server server = co_await serve(echo, server_side);

    const auto result = co_await as_result(
        open_tls(port_of(server), client_side, {.server_hostname = "example.org"}));
    EXPECT_TRUE(is<SSLCertVerificationError>(result.error())) << text_of(result.error());

    server.close();
    co_await server.wait_closed();
    co_await settle();
    EXPECT_EQ(open_descriptors(), before);
}

ASYNC_TEST(TLSStreams, do_not_open_to_a_server_without_tls) {
    const SSLContext client_side = client_context();
    Server server = co_await start_server(
        [](StreamReader, StreamWriter writer) -> Coroutine<> {
            writer.write("220 mail.example.org\r\n");
            writer.close();
            co_return;
        },
        "127.0.0.1", 0);

    const auto result = co_await as_result(open_tls(port_of(server), client_side));
    EXPECT_EQ(text_of(result.error()), "[SSL: WRONG_VERSION_NUMBER] wrong version number");

    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(TLSStreams, do_not_wait_for_a_handshake_for_ever) {
    const SSLContext client_side = client_context();
    const PeerListener silent;
    const auto start = get_running_loop().time();

    const auto result = co_await as_result(open_tls(silent.port(), client_side));
    EXPECT_TRUE(is<ConnectionAbortedError>(result.error()));
    EXPECT_EQ(text_of(result.error()),
              "SSL handshake is taking longer than 60.0 seconds: aborting the connection");
    EXPECT_GE(get_running_loop().time() - start, 60s);

    const auto quick =
        co_await as_result(open_tls(silent.port(), client_side, {.ssl_handshake_timeout = 0.5}));
    EXPECT_EQ(text_of(quick.error()),
              "SSL handshake is taking longer than 0.5 seconds: aborting the connection");
}

ASYNC_TEST(TLSStreams, fail_when_the_peer_closes_during_the_handshake) {
    const SSLContext client_side = client_context();
    const PeerListener listener;
    auto opening = create_task(open_tls(listener.port(), client_side));
    co_await settle();
    Peer peer = listener.accept();
    std::string hello;
    EXPECT_EQ(peer.receive(hello), Peer::Received::something);

    peer.close();
    const auto result = co_await as_result(opening);

    EXPECT_TRUE(is<ConnectionResetError>(result.error())) << text_of(result.error());
}

ASYNC_TEST(TLSStreams, close_the_connection_of_an_open_that_is_cancelled) {
    const SSLContext client_side = client_context();
    const PeerListener listener;
    const std::size_t before = open_descriptors();
    auto opening = create_task(open_tls(listener.port(), client_side));
    co_await settle();
    Peer peer = listener.accept();

    opening.cancel();
    const auto result = co_await as_result(opening);
    co_await settle();

    EXPECT_TRUE(result.cancelled());
    EXPECT_FALSE((co_await peer.receive_all()).empty());
    peer.close();
    EXPECT_EQ(open_descriptors(), before);
}

ASYNC_TEST(TLSStreams, of_a_server_begin_after_the_handshake_only) {
    static int served = 0;
    served = 0;
    const SSLContext server_side = server_context();
    Server server = co_await start_server(
        [](StreamReader, StreamWriter) -> Coroutine<> {
            ++served;
            co_return;
        },
        "127.0.0.1", 0, {.ssl = &server_side});
    Peer http = Peer::connect(port_of(server));
    Peer silent = Peer::connect(port_of(server));
    Peer leaving = Peer::connect(port_of(server));
    http.send("GET / HTTP/1.0\r\n\r\n");
    leaving.close();

    const std::string answer = co_await http.receive_all();
    co_await sleep(61);
    const std::string nothing = co_await silent.receive_all();

    EXPECT_EQ(answer, "");
    EXPECT_EQ(nothing, "");
    EXPECT_EQ(served, 0);
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(TLSStreams, of_a_server_that_is_closed_end_in_their_handshake) {
    const SSLContext server_side = server_context();
    Server server = co_await serve(echo, server_side);
    Peer silent = Peer::connect(port_of(server));
    co_await settle();

    server.close();
    server.close_clients();
    co_await server.wait_closed();

    EXPECT_EQ(co_await silent.receive_all(), "");
}

ASYNC_TEST(TLSStreams, report_a_failed_handshake_of_a_server_in_debug_mode_only) {
    const SSLContext server_side = server_context();
    std::vector<std::string> reports;
    get_running_loop().set_exception_handler(
        [&](EventLoop&, const ExceptionContext& context) { reports.push_back(context.message); });
    Server server = co_await serve(echo, server_side);

    for (const bool debug : {false, true}) {
        get_running_loop().set_debug(debug);
        Peer peer = Peer::connect(port_of(server));
        peer.send("nonsense, and some more of it");
        static_cast<void>(co_await peer.receive_all());
    }
    get_running_loop().set_debug(false);

    EXPECT_EQ(reports,
              std::vector<std::string>{"Error on transport creation for incoming connection"});
    server.close();
    co_await server.wait_closed();
    get_running_loop().set_exception_handler(nullptr);
}

ASYNC_TEST(TLSStreams, report_what_an_sni_callback_throws_in_every_mode) {
    SSLContext server_side = server_context();
    server_side.set_sni_callback([](SSLObject&, std::optional<std::string_view>, SSLContext&) {
        throw std::runtime_error("which one?");
    });
    const SSLContext client_side = client_context();
    std::vector<std::string> reports;
    get_running_loop().set_exception_handler([&](EventLoop&, const ExceptionContext& context) {
        reports.push_back(text_of(context.exception));
    });
    Server server = co_await serve(echo, server_side);

    const std::string failure = co_await failure_of(open_tls(port_of(server), client_side));

    EXPECT_NE(failure, "");
    EXPECT_EQ(reports, std::vector<std::string>{"which one?"});
    server.close();
    co_await server.wait_closed();
    get_running_loop().set_exception_handler(nullptr);
}

// -------------------------------------------------------------------------------------- the end

ASYNC_TEST(TLSStreams, end_properly_when_the_peer_closes) {
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    Server server = co_await start_server(
        [](StreamReader, StreamWriter writer) -> Coroutine<> {
            writer.write("bye");
            writer.close();
            co_await writer.wait_closed();
        },
        "127.0.0.1", 0, {.ssl = &server_side});
    auto [reader, writer] = co_await open_tls(port_of(server), client_side);

    EXPECT_EQ(co_await reader.read(), "bye");
    EXPECT_TRUE(reader.at_eof());
    EXPECT_TRUE(writer.is_closing()) << "there is no half-closing";
    co_await writer.wait_closed();

    server.close();
    co_await server.wait_closed();
}

/// A raw connection to a TLS server, whose TLS the test does by hand.
struct ByHand {
    explicit ByHand(const SSLContext& context)
        : object(context.wrap_bio(incoming, outgoing, {.server_hostname = "localhost"})) {}

    Coroutine<> flush(Peer& peer) {
        peer.send(outgoing.read());
        co_return;
    }
    Coroutine<> handshake(Peer& peer) {
        for (;;) {
            bool done = true;
            try {
                object.do_handshake();
            } catch (const SSLWantReadError&) {
                done = false;
            }
            co_await flush(peer);
            if (done) {
                co_return;
            }
            co_await more(peer);
        }
    }
    /// Waits for something to arrive; false at the end.
    Coroutine<bool> more(Peer& peer) {
        for (;;) {
            std::string bytes;
            const Peer::Received received = peer.receive(bytes);
            if (received == Peer::Received::something) {
                incoming.write(bytes);
                co_return true;
            }
            if (received != Peer::Received::nothing) {
                co_return false;
            }
            co_await sleep(0.001);
        }
    }
    MemoryBIO incoming;
    MemoryBIO outgoing;
    SSLObject object;
};

static std::string heard;
static std::exception_ptr heard_error;

static Coroutine<> listen_to_the_end(StreamReader reader, StreamWriter writer) {
    heard.clear();
    heard_error = nullptr;
    for (;;) {
        auto data = co_await as_result(reader.read(100));
        if (!data.has_value()) {
            heard_error = data.error();
            break;
        }
        if (data.value().empty()) {
            break;
        }
        heard += data.value();
    }
    writer.close();
    static_cast<void>(co_await as_result(writer.wait_closed()));
}

ASYNC_TEST(TLSStreams, take_an_end_without_close_notify_for_an_error) {
    const SSLContext server_side = server_context();
    Server server = co_await serve(listen_to_the_end, server_side);
    Peer peer = Peer::connect(port_of(server));
    ByHand tls(client_context());
    co_await tls.handshake(peer);
    tls.object.write("half of it");
    co_await tls.flush(peer);

    peer.shut();
    co_await settle();
    static_cast<void>(co_await peer.receive_all());

    EXPECT_EQ(heard, "half of it");
    EXPECT_TRUE(is<SSLEOFError>(heard_error));
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(TLSStreams, take_it_for_an_end_if_they_are_told_to) {
    const SSLContext server_side = server_context();
    Server server = co_await serve(listen_to_the_end, server_side, {.suppress_ragged_eofs = true});
    Peer peer = Peer::connect(port_of(server));
    ByHand tls(client_context());
    co_await tls.handshake(peer);
    tls.object.write("all of it");
    co_await tls.flush(peer);

    peer.shut();
    static_cast<void>(co_await peer.receive_all());
    co_await settle();

    EXPECT_EQ(heard, "all of it");
    EXPECT_EQ(heard_error, nullptr);
    server.close();
    co_await server.wait_closed();
}

static Coroutine<> expect_no_answer_is_waited_for(const SSLContext& server_side,
                                                  std::optional<Duration> limit,
                                                  std::chrono::seconds expected) {
    static std::exception_ptr closed_by;
    closed_by = nullptr;
    Server server = co_await start_server(
        [](StreamReader, StreamWriter writer) -> Coroutine<> {
            writer.close();
            closed_by = (co_await as_result(writer.wait_closed())).error();
        },
        "127.0.0.1", 0, {.ssl = &server_side, .ssl_shutdown_timeout = limit});
    const std::size_t before = open_descriptors();
    Peer peer = Peer::connect(port_of(server));
    ByHand tls(client_context());
    co_await tls.handshake(peer);
    const auto start = get_running_loop().time();

    while (closed_by == nullptr) {
        co_await sleep(0.5);
    }

    EXPECT_TRUE(is<TimeoutError>(closed_by));
    EXPECT_EQ(text_of(closed_by), "SSL shutdown timed out");
    EXPECT_GE(get_running_loop().time() - start, expected);
    EXPECT_LT(get_running_loop().time() - start, expected + 1s);
    co_await settle();
    EXPECT_EQ(open_descriptors(), before + 1) << "the peer's";
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(TLSStreams, do_not_wait_for_the_peers_close_notify_for_ever) {
    const SSLContext server_side = server_context();
    co_await expect_no_answer_is_waited_for(server_side, 5, 5s);
    co_await expect_no_answer_is_waited_for(server_side, std::nullopt, 30s);
}

ASYNC_TEST(TLSStreams, are_content_with_a_peer_that_only_hangs_up_after_the_own_end) {
    const SSLContext server_side = server_context();
    static std::optional<std::exception_ptr> closed_by;
    closed_by.reset();
    Server server = co_await start_server(
        [](StreamReader, StreamWriter writer) -> Coroutine<> {
            writer.close();
            closed_by = (co_await as_result(writer.wait_closed())).error();
        },
        "127.0.0.1", 0, {.ssl = &server_side});
    Peer peer = Peer::connect(port_of(server));
    ByHand tls(client_context());
    co_await tls.handshake(peer);
    co_await settle();

    peer.shut();
    EXPECT_FALSE((co_await peer.receive_all()).empty());
    co_await settle();

    EXPECT_TRUE(closed_by.has_value());
    EXPECT_EQ(closed_by.value_or(std::make_exception_ptr(1)), nullptr);
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(TLSStreams, read_past_what_the_peer_says_after_the_own_end) {
    const SSLContext server_side = server_context();
    static std::optional<std::exception_ptr> closed_by;
    closed_by.reset();
    Server server = co_await start_server(
        [](StreamReader, StreamWriter writer) -> Coroutine<> {
            writer.close();
            closed_by = (co_await as_result(writer.wait_closed())).error();
        },
        "127.0.0.1", 0, {.ssl = &server_side});
    Peer peer = Peer::connect(port_of(server));
    ByHand tls(client_context());
    co_await tls.handshake(peer);
    co_await settle();

    asyncio::testing::write_all(tls.object, pattern(100'000));
    co_await tls.flush(peer);
    co_await settle();
    EXPECT_FALSE(closed_by.has_value());
    EXPECT_THROW(tls.object.unwrap(), SSLWantReadError);
    co_await tls.flush(peer);
    EXPECT_FALSE((co_await peer.receive_all()).empty());
    co_await settle();

    EXPECT_TRUE(closed_by.has_value());
    EXPECT_EQ(closed_by.value_or(std::make_exception_ptr(1)), nullptr);
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(TLSStreams, send_what_was_written_before_they_close) {
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    Server server = co_await start_server(
        [](StreamReader, StreamWriter writer) -> Coroutine<> {
            writer.write(pattern(2'000'000));
            writer.close();
            co_await writer.wait_closed();
        },
        "127.0.0.1", 0, {.ssl = &server_side});
    auto [reader, writer] = co_await open_tls(port_of(server), client_side);
    co_await settle();

    EXPECT_TRUE(co_await reader.read() == pattern(2'000'000));

    co_await close_all(server, writer);
}

ASYNC_TEST(TLSStreams, give_a_slow_peer_as_long_as_it_takes_to_get_the_rest) {
    const SSLContext server_side = server_context();
    static std::optional<std::exception_ptr> closed_by;
    closed_by.reset();
    constexpr std::size_t size = 20'000'000;
    Server server = co_await start_server(
        [](StreamReader, StreamWriter writer) -> Coroutine<> {
            writer.write(pattern(size));
            writer.close();
            closed_by = (co_await as_result(writer.wait_closed())).error();
        },
        "127.0.0.1", 0, {.ssl = &server_side, .ssl_shutdown_timeout = 3});
    Peer peer = Peer::connect(port_of(server));
    ByHand tls(client_context());
    co_await tls.handshake(peer);
    std::string received;

    // What is in the buffers of the system is received within that time; the rest is not.
    while (received.size() < size) {
        const bool more = co_await tls.more(peer);
        if (!more) {
            break;
        }
        received += asyncio::testing::read_available(tls.object);
        co_await sleep(0.2);
    }

    EXPECT_TRUE(received == pattern(size)) << received.size();
    static_cast<void>(asyncio::testing::thrown_by([&] { tls.object.unwrap(); }));
    co_await tls.flush(peer);
    co_await settle();
    EXPECT_EQ(closed_by.value_or(std::make_exception_ptr(1)), nullptr);
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(TLSStreams, that_are_aborted_say_nothing) {
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    Server server = co_await serve(listen_to_the_end, server_side);
    auto [reader, writer] = co_await open_tls(port_of(server), client_side);
    writer.write("x");
    co_await settle();

    writer.abort();
    co_await writer.wait_closed();
    co_await settle();

    EXPECT_EQ(heard, "x");
    EXPECT_TRUE(is<SSLEOFError>(heard_error));
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(TLSStreams, close_when_both_handles_are_gone) {
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    Server server = co_await serve(listen_to_the_end, server_side);
    {
        auto [reader, writer] = co_await open_tls(port_of(server), client_side);
        writer.write("last");
    }
    co_await settle();

    EXPECT_EQ(heard, "last");
    EXPECT_EQ(heard_error, nullptr);
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(TLSStreams, drop_what_is_written_after_close) {
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    Server server = co_await serve(listen_to_the_end, server_side);
    auto [reader, writer] = co_await open_tls(port_of(server), client_side);

    writer.close();
    writer.write("too late");
    co_await writer.wait_closed();
    writer.write("much too late");
    co_await settle();

    EXPECT_EQ(heard, "");
    EXPECT_EQ(co_await reader.read(), "");
    server.close();
    co_await server.wait_closed();
}

// --------------------------------------------------------------------------------- flow control

ASYNC_TEST(TLSStreams, keep_more_than_the_peer_takes_and_wait_for_it) {
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    static std::optional<StreamPair> other;
    other.reset();
    Server server = co_await start_server(
        [](StreamReader reader, StreamWriter writer) {
            other.emplace(StreamPair{std::move(reader), std::move(writer)});
        },
        "127.0.0.1", 0, {.ssl = &server_side});
    auto [reader, writer] = co_await open_tls(port_of(server), client_side);
    co_await settle();
    const std::string much = pattern(20'000'000);

    writer.write(much);
    EXPECT_GT(writer.get_write_buffer_size(), 512u * 1024);
    auto draining = create_task(writer.drain());
    co_await settle();
    EXPECT_FALSE(draining.done());
    const std::string received =
        co_await other->reader.readexactly(static_cast<std::ptrdiff_t>(much.size()));
    co_await draining;

    EXPECT_TRUE(received == much);
    EXPECT_LE(writer.get_write_buffer_size(), 128u * 1024);
    other->writer.close();
    co_await close_all(server, writer);
    other.reset();
}

ASYNC_TEST(TLSStreams, put_small_pieces_of_writelines_into_one_record) {
    const SSLContext server_side = server_context();
    Server server = co_await start_server(
        [](StreamReader, StreamWriter writer) -> Coroutine<> {
            std::vector<std::string> lines(100, "a line\n");
            writer.writelines(lines);
            writer.close();
            co_await writer.wait_closed();
        },
        "127.0.0.1", 0, {.ssl = &server_side});
    SSLContext client_side = client_context();
    client_side.set_maximum_version(TLSVersion::TLSv1_2);
    Peer peer = Peer::connect(port_of(server));
    ByHand tls(client_side);
    co_await tls.handshake(peer);
    if (tls.incoming.pending() == 0) {
        co_await tls.more(peer);
    }

    const std::string bytes = tls.incoming.read();
    EXPECT_EQ(bytes.substr(0, 3), "\x17\x03\x03");
    const std::size_t length =
        static_cast<std::size_t>(static_cast<unsigned char>(bytes[3])) * 256 +
        static_cast<unsigned char>(bytes[4]);
    EXPECT_GE(length, 700u);
    EXPECT_LE(length, 760u);

    peer.close();
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(TLSStreams, read_into_memory_of_the_callers) {
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    Server server = co_await serve(echo, server_side);
    auto [reader, writer] = co_await open_tls(port_of(server), client_side);
    const std::string sent = pattern(100'000);
    writer.write(sent);
    std::string received;

    std::vector<char> memory(4096);
    while (received.size() < sent.size()) {
        const std::size_t size = co_await reader.read_into(std::span<char>(memory));
        received.append(memory.data(), size);
    }

    EXPECT_TRUE(received == sent);
    co_await close_all(server, writer);
}

ASYNC_TEST(TLSStreams, lose_no_byte_to_a_read_that_is_cancelled) {
    const SSLContext server_side = server_context();
    const SSLContext client_side = client_context();
    Server server = co_await serve(echo, server_side);
    auto [reader, writer] = co_await open_tls(port_of(server), client_side);
    const std::string sent = pattern(20'000);
    std::string received;
    std::size_t written = 0;

    // Cancelled in every turn that it may take.
    for (int turns = 0; received.size() < sent.size(); ++turns) {
        if (written < sent.size()) {
            writer.write(std::string_view(sent).substr(written, 100));
            written += 100;
        }
        auto reading = create_task(reader.read(1000));
        for (int i = 0; i < turns % 12; ++i) {
            co_await sleep(0);
        }
        reading.cancel();
        const auto result = co_await as_result(reading);
        if (result.has_value()) {
            received += result.value();
        }
    }

    EXPECT_EQ(received, sent);
    co_await close_all(server, writer);
}

// ------------------------------------------------------------------------------------ start_tls

static Coroutine<> upgrade_when_asked(StreamReader reader, StreamWriter writer) {
    const SSLContext context = server_context();
    const std::string line = co_await reader.readline();
    EXPECT_EQ(line, "STARTTLS\n");
    writer.write("go on\n");
    const auto upgraded = co_await as_result(writer.start_tls(context));
    heard_error = upgraded.error();
    if (upgraded.has_value()) {
        co_await echo(std::move(reader), std::move(writer));
    }
}

ASYNC_TEST(StartTLS, goes_on_with_the_same_reader_and_writer) {
    const SSLContext client_side = client_context();
    Server server = co_await start_server(upgrade_when_asked, "127.0.0.1", 0);
    auto [reader, writer] = co_await open_connection("127.0.0.1", port_of(server));
    writer.write("STARTTLS\n");
    EXPECT_EQ(co_await reader.readline(), "go on\n");
    EXPECT_FALSE(writer.ssl_object());

    co_await writer.start_tls(client_side, {.server_hostname = "localhost"});

    EXPECT_EQ(writer.ssl_object().version(), "TLSv1.3");
    writer.write("secret\n");
    EXPECT_EQ(co_await reader.readline(), "secret\n");
    EXPECT_EQ(heard_error, nullptr);
    co_await close_all(server, writer);
}

ASYNC_TEST(StartTLS, takes_what_was_sent_too_early_for_a_part_of_the_handshake) {
    // As CPython since gh-142352: what came before is never read as if it had come over TLS.
    Server server = co_await start_server(upgrade_when_asked, "127.0.0.1", 0);
    Peer peer = Peer::connect(port_of(server));

    peer.send("STARTTLS\nRCPT TO: <injected>\n");
    static_cast<void>(co_await peer.receive_all());

    EXPECT_TRUE(is<SSLError>(heard_error));
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(StartTLS, uses_a_client_hello_that_came_early) {
    Server server = co_await start_server(upgrade_when_asked, "127.0.0.1", 0);
    Peer peer = Peer::connect(port_of(server));
    ByHand tls(client_context());
    EXPECT_THROW(tls.object.do_handshake(), SSLWantReadError);

    peer.send("STARTTLS\n" + tls.outgoing.read());
    EXPECT_EQ(co_await peer.receive_exactly(6), "go on\n");
    co_await tls.handshake(peer);
    tls.object.write("secret\n");
    co_await tls.flush(peer);
    std::string answer;
    while (answer.size() < 7) {
        co_await tls.more(peer);
        answer += asyncio::testing::read_available(tls.object);
    }

    EXPECT_EQ(answer, "secret\n");
    EXPECT_EQ(heard_error, nullptr);
    peer.close();
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(StartTLS, refuses_what_a_server_injects) {
    const SSLContext client_side = client_context();
    const PeerListener listener;
    auto [reader, writer] = co_await open_connection("127.0.0.1", listener.port());
    Peer peer = listener.accept();
    peer.send("go on\nOK: injected\n");
    EXPECT_EQ(co_await reader.readline(), "go on\n");

    const auto result =
        co_await as_result(writer.start_tls(client_side, {.server_hostname = "localhost"}));

    EXPECT_TRUE(is<SSLError>(result.error())) << text_of(result.error());
    EXPECT_TRUE(writer.is_closing());
    const auto read = co_await as_result(reader.read());
    EXPECT_FALSE(read.has_value());
}

ASYNC_TEST(StartTLS, sends_everything_that_was_written_before) {
    const SSLContext client_side = client_context();
    const std::string much = pattern(5'000'000);
    static std::size_t plain;
    plain = 0;
    Server server = co_await start_server(
        [](StreamReader reader, StreamWriter writer) -> Coroutine<> {
            const SSLContext context = server_context();
            plain = (co_await reader.readexactly(5'000'000)).size();
            writer.write("go on\n");
            co_await writer.start_tls(context);
            co_await echo(std::move(reader), std::move(writer));
        },
        "127.0.0.1", 0);
    auto [reader, writer] = co_await open_connection("127.0.0.1", port_of(server));
    writer.write(much);
    EXPECT_GT(writer.get_write_buffer_size(), 0u);
    auto starting = create_task(writer.start_tls(client_side, {.server_hostname = "localhost"}));

    // The other end answers before it upgrades, and nobody reads that before the handshake: so this
    // must fail, and not hang.
    const auto result = co_await as_result(starting);
    EXPECT_TRUE(is<SSLError>(result.error()));
    EXPECT_EQ(plain, much.size());
    server.close();
    co_await server.wait_closed();
}

ASYNC_TEST(StartTLS, is_refused_while_a_task_reads) {
    const SSLContext client_side = client_context();
    const PeerListener listener;
    auto [reader, writer] = co_await open_connection("127.0.0.1", listener.port());
    auto reading = create_task(reader.read(1));
    co_await settle();

    const auto result = co_await as_result(writer.start_tls(client_side));

    EXPECT_EQ(text_of(result.error()),
              "start_tls() called while another coroutine is already waiting for incoming data");
    reading.cancel();
    co_await settle();
}

ASYNC_TEST(StartTLS, asks_a_client_for_the_name_to_check) {
    const SSLContext client_side = client_context();
    const PeerListener listener;
    auto [reader, writer] = co_await open_connection("127.0.0.1", listener.port());

    const auto result = co_await as_result(writer.start_tls(client_side));

    EXPECT_EQ(text_of(result.error()), "check_hostname requires server_hostname");
    EXPECT_FALSE(writer.is_closing()) << "nothing was begun";
    writer.close();
    co_await writer.wait_closed();
}

ASYNC_TEST(StartTLS, closes_the_connection_when_it_is_cancelled) {
    const SSLContext client_side = client_context();
    const PeerListener listener;
    auto [reader, writer] = co_await open_connection("127.0.0.1", listener.port());
    Peer peer = listener.accept();
    auto starting = create_task(writer.start_tls(client_side, {.server_hostname = "localhost"}));
    co_await settle();

    starting.cancel();
    const auto result = co_await as_result(starting);

    EXPECT_TRUE(result.cancelled());
    EXPECT_TRUE(writer.is_closing());
    EXPECT_FALSE((co_await peer.receive_all()).empty());
}

ASYNC_TEST(StartTLS, of_a_connection_at_its_end_fails) {
    const SSLContext client_side = client_context();
    const PeerListener listener;
    auto [reader, writer] = co_await open_connection("127.0.0.1", listener.port());
    listener.accept().close();
    EXPECT_EQ(co_await reader.read(), "");

    const auto result =
        co_await as_result(writer.start_tls(client_side, {.server_hostname = "localhost"}));

    EXPECT_TRUE(is<ConnectionResetError>(result.error())) << text_of(result.error());
}

ASYNC_TEST(StartTLS, may_be_done_within_tls) {
    const SSLContext outer = server_context();
    const SSLContext client_side = client_context();
    Server server = co_await start_server(upgrade_when_asked, "127.0.0.1", 0, {.ssl = &outer});
    auto [reader, writer] = co_await open_tls(port_of(server), client_side);
    writer.write("STARTTLS\n");
    EXPECT_EQ(co_await reader.readline(), "go on\n");

    co_await writer.start_tls(client_side, {.server_hostname = "localhost"});
    writer.write("twice secret\n");

    EXPECT_EQ(co_await reader.readline(), "twice secret\n");
    co_await close_all(server, writer);
}

ASYNC_TEST(StartTLS, lets_the_server_close_its_upgraded_clients_properly) {
    const SSLContext client_side = client_context();
    Server server = co_await start_server(upgrade_when_asked, "127.0.0.1", 0);
    auto [reader, writer] = co_await open_connection("127.0.0.1", port_of(server));
    writer.write("STARTTLS\n");
    EXPECT_EQ(co_await reader.readline(), "go on\n");
    co_await writer.start_tls(client_side, {.server_hostname = "localhost"});
    writer.write("x");
    EXPECT_EQ(co_await reader.readexactly(1), "x");

    server.close();
    server.close_clients();

    EXPECT_EQ(co_await reader.read(), "") << "with a close_notify";
    co_await server.wait_closed();
}

ASYNC_TEST(StartTLS, upgrades_streams_over_transports) {
    const SSLContext client_side = client_context();
    Server server = co_await create_server(
        [] { return std::make_unique<StreamReaderProtocol>(StreamReader(), upgrade_when_asked); },
        "127.0.0.1", 0);
    StreamReader reader;
    auto [transport, protocol] = co_await create_connection(
        [&reader] { return std::make_unique<StreamReaderProtocol>(reader); }, "127.0.0.1",
        port_of(server));
    StreamWriter writer(transport, protocol, reader, get_running_loop());
    writer.write("STARTTLS\n");
    EXPECT_EQ(co_await reader.readline(), "go on\n");

    co_await writer.start_tls(client_side, {.server_hostname = "localhost"});
    EXPECT_TRUE(writer.ssl_object());
    writer.write("secret\n");

    EXPECT_EQ(co_await reader.readline(), "secret\n");
    co_await close_all(server, writer);
}

// What a protocol has already received is for the handshake, too.
ASYNC_TEST(StartTLS, reads_nothing_unencrypted_over_transports) {
    heard_error = nullptr;
    Server server = co_await create_server(
        [] { return std::make_unique<StreamReaderProtocol>(StreamReader(), upgrade_when_asked); },
        "127.0.0.1", 0);
    auto [reader, writer] = co_await open_connection("127.0.0.1", port_of(server));
    writer.write("STARTTLS\ninjected\n");

    const Result<std::string> all = co_await as_result(reader.read());

    if (all.has_value()) {
        EXPECT_EQ(all.value().find("injected"), std::string::npos) << "it is echoed if it is read";
    }
    EXPECT_NE(heard_error, nullptr) << "it is no ClientHello";
    co_await close_all(server, writer);
}

// ---------------------------------------------------------------------------- loops that close

static Coroutine<> whole_life(SSLContext server_side, SSLContext client_side) {
    Server server = co_await serve(echo, server_side);
    auto [reader, writer] = co_await open_tls(port_of(server), client_side);
    writer.write("x");
    EXPECT_EQ(co_await reader.read(1), "x");
    writer.close();
    co_await writer.wait_closed();
    co_await sleep(1);
}

TEST(TLSStreams, are_dropped_with_their_loop_in_every_state) {
    for (int turns = 0; turns < 40; ++turns) {
        const SSLContext server_side = server_context();
        const SSLContext client_side = client_context();
        const std::size_t before = open_descriptors();
        {
            EventLoop loop;
            auto task = loop.create_task(whole_life(server_side, client_side));
            for (int i = 0; i < turns; ++i) {
                loop.call_soon([&loop] { loop.stop(); });
                loop.run_forever();
            }
            loop.close();
        }
        EXPECT_EQ(open_descriptors(), before) << turns;
    }
}

static Coroutine<> outlive(StreamReader reader, StreamWriter writer) {
    EXPECT_EQ(co_await reader.read(1), "x");
    co_await sleep(3600);
    writer.write("never");
}

static Coroutine<> lose_a_served_connection(SSLContext server_side, SSLContext client_side,
                                            std::shared_ptr<int> token) {
    const auto handler = [token](StreamReader reader, StreamWriter writer) {
        return outlive(std::move(reader), std::move(writer));
    };
    Server server = co_await start_server(handler, "127.0.0.1", 0, {.ssl = &server_side});
    auto [reader, writer] = co_await open_tls(port_of(server), client_side);
    writer.write("x");
    co_await settle();
    server.abort_clients();
    const Result<std::string> end = co_await as_result(reader.read());
    static_cast<void>(end);  // an end, or an error
}

TEST(TLSStreams, leave_nothing_behind_if_a_handler_outlives_connection_and_loop) {
    auto token = std::make_shared<int>();
    const std::weak_ptr<int> kept = token;
    {
        EventLoop loop;
        auto task = loop.create_task(
            lose_a_served_connection(server_context(), client_context(), std::move(token)));
        task.add_done_callback([&loop](const AnyFuture&) { loop.stop(); });
        loop.run_forever();
        static_cast<void>(task.exception());
        loop.close();
    }
    EXPECT_TRUE(kept.expired()) << "the server still has its handler";
}
