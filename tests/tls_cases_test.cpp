// tls_cases_test.cpp - what CPython tries with TLS: options that do not go together, Unix sockets,
// files that are sent.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/ssl.hpp>
#include <asyncio/transports.hpp>

#include <gtest/gtest.h>

#include "support/async_test.hpp"
#include "support/network.hpp"
#include "support/openssl_peer.hpp"
#include "support/tls_scenarios.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace asyncio;
using asyncio::testing::OpenSSLPeer;
using asyncio::testing::Peer;
using asyncio::testing::PeerListener;
using asyncio::testing::port_of;
using asyncio::testing::settle;
using asyncio::testing::text_of_size;
using asyncio::testing::the_client_context;
using asyncio::testing::the_server_context;

namespace {

std::string text_of(const std::exception_ptr& error) {
    try {
        if (error != nullptr) {
            std::rethrow_exception(error);
        }
        return "";
    } catch (const std::exception& e) {
        return e.what();
    } catch (...) {
        return describe(error);
    }
}

template <class T>
Coroutine<std::string> failure_of(Coroutine<T> coroutine) {
    const Result<T> result = co_await as_result(std::move(coroutine));
    co_return text_of(result.error());
}

std::shared_ptr<asyncio::testing::ListeningProtocol> make_protocol() {
    return std::make_shared<asyncio::testing::ListeningProtocol>();
}

/// An open file with that in it.
struct OpenFile {
    explicit OpenFile(const std::string& contents)
        : path(directory.file("file", contents)), fd(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {}
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    ~OpenFile() { ::close(fd); }

    asyncio::testing::TestDirectory directory;
    std::string path;
    int fd;
};

/// What its only client sends.
struct Collected {
    std::string text;
    std::exception_ptr error;
    bool is_over = false;
};

Coroutine<> collect(StreamReader reader, StreamWriter writer, Collected& collected) {
    for (;;) {
        const Result<std::string> bytes = co_await as_result(reader.read(50'000));
        collected.error = bytes.error();
        if (!bytes.has_value() || bytes.get().empty()) {
            break;
        }
        collected.text += bytes.get();
    }
    collected.is_over = true;
    writer.close();
}

Coroutine<Server> serve_collector(Collected& collected) {
    StartServerOptions options;
    options.ssl = &the_server_context();
    return start_server(
        [&collected](StreamReader reader, StreamWriter writer) {
            return collect(std::move(reader), std::move(writer), collected);
        },
        "127.0.0.1", 0, options);
}

Coroutine<> close_both(StreamWriter& writer, Server& server) {
    writer.close();
    static_cast<void>(co_await as_result(writer.wait_closed()));
    server.close();
    co_await server.wait_closed();
}

}  // namespace

// ---------------------------------------------------------------------------------------- options

ASYNC_TEST(TLSTransport, is_refused_with_options_that_do_not_go_together) {
    const SSLContext& client = the_client_context();
    const auto connect = [](CreateConnectionOptions options) {
        return failure_of(create_connection(make_protocol, "127.0.0.1", 1, options));
    };
    EXPECT_EQ(co_await connect({.server_hostname = "x"}),
              "server_hostname is only meaningful with ssl");
    EXPECT_EQ(co_await connect({.ssl_handshake_timeout = 1.0}),
              "ssl_handshake_timeout is only meaningful with ssl");
    EXPECT_EQ(co_await connect({.ssl_shutdown_timeout = 1.0}),
              "ssl_shutdown_timeout is only meaningful with ssl");

    const auto connect_at = [](CreateUnixConnectionOptions options) {
        return failure_of(create_unix_connection(make_protocol, "/nobody", options));
    };
    EXPECT_EQ(co_await connect_at({.server_hostname = "x"}),
              "server_hostname is only meaningful with ssl");
    EXPECT_EQ(co_await connect_at({.ssl = &client}),
              "you have to pass server_hostname when using ssl");
    CreateUnixConnectionOptions nameless;
    nameless.ssl = &client;
    EXPECT_EQ(co_await failure_of(create_unix_connection(make_protocol, Socket(), nameless)),
              "you have to pass server_hostname when using ssl");
    OpenUnixConnectionOptions streams;
    streams.ssl = &client;
    EXPECT_EQ(co_await failure_of(open_unix_connection(Socket(), streams)),
              "you have to pass server_hostname when using ssl");
    EXPECT_EQ(co_await connect_at({.ssl_handshake_timeout = 1.0}),
              "ssl_handshake_timeout is only meaningful with ssl");

    const auto serve = [](CreateServerOptions options) {
        return failure_of(create_server(make_protocol, "127.0.0.1", 0, options));
    };
    EXPECT_EQ(co_await serve({.ssl_handshake_timeout = 1.0}),
              "ssl_handshake_timeout is only meaningful with ssl");
    EXPECT_EQ(co_await serve({.ssl_shutdown_timeout = 1.0}),
              "ssl_shutdown_timeout is only meaningful with ssl");
    EXPECT_EQ(co_await failure_of(
                  create_unix_server(make_protocol, "/nobody", {.ssl_handshake_timeout = 1.0})),
              "ssl_handshake_timeout is only meaningful with ssl");
}

ASYNC_TEST(TLSTransport, over_a_socket_that_is_connected_needs_a_name_to_check) {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    const Peer peer(fds[1]);
    const PeerListener listener;
    Socket socket(AddressFamily::ipv4);
    co_await sock_connect(socket, *Address::parse("127.0.0.1", listener.port()));

    CreateConnectionOptions options;
    options.ssl = &the_client_context();
    EXPECT_EQ(co_await failure_of(create_connection(make_protocol, std::move(socket), options)),
              "You must set server_hostname when using ssl without a host");
    ConnectAcceptedSocketOptions accepted;
    accepted.ssl_handshake_timeout = 1.0;
    EXPECT_EQ(co_await failure_of(connect_accepted_socket(make_protocol, Socket(fds[0]), accepted)),
              "ssl_handshake_timeout is only meaningful with ssl");
}

// ------------------------------------------------------------------------------------ Unix sockets

ASYNC_TEST(TLSTransport, goes_over_unix_sockets_too) {
    asyncio::testing::over = asyncio::testing::Over::unix_socket;
    co_await asyncio::testing::tls_of_protocols();
    asyncio::testing::over = asyncio::testing::Over::tcp;
}

ASYNC_TEST(TLSTransport, over_unix_sockets_checks_the_name_that_it_is_given) {
    const asyncio::testing::TestDirectory directory;
    const std::string path = directory.path("socket");
    CreateUnixServerOptions serving;
    serving.ssl = &the_server_context();
    Server server = co_await create_unix_server(make_protocol, path, serving);
    CreateUnixConnectionOptions options;
    options.ssl = &the_client_context();
    options.server_hostname = "example.org";

    const std::string refused =
        co_await failure_of(create_unix_connection(make_protocol, path, options));

    EXPECT_NE(refused.find("Hostname mismatch, certificate is not valid for 'example.org'."),
              std::string::npos)
        << refused;
    server.close();
    co_await server.wait_closed();
}

// ------------------------------------------------------------------------------------------ files

ASYNC_TEST(TLSSendfile, sends_a_file_between_what_is_written) {
    const OpenFile file(text_of_size(1'000'000));
    Collected collected;
    Server server = co_await serve_collector(collected);
    auto [reader, writer] =
        co_await open_connection("127.0.0.1", port_of(server), {.ssl = &the_client_context()});

    writer.write("before ");
    EXPECT_EQ(co_await writer.sendfile(file.fd), 1'000'000);
    EXPECT_EQ(::lseek(file.fd, 0, SEEK_CUR), 1'000'000);
    writer.write(" after");
    co_await close_both(writer, server);

    EXPECT_TRUE(collected.text == "before " + text_of_size(1'000'000) + " after");
}

ASYNC_TEST(TLSSendfile, sends_a_part_of_a_file) {
    const OpenFile file(text_of_size(300'000));
    Collected collected;
    Server server = co_await serve_collector(collected);
    auto [reader, writer] =
        co_await open_connection("127.0.0.1", port_of(server), {.ssl = &the_client_context()});

    EXPECT_EQ(co_await writer.sendfile(file.fd, 1000, 100'000), 100'000);
    EXPECT_EQ(::lseek(file.fd, 0, SEEK_CUR), 101'000);
    EXPECT_EQ(co_await failure_of(writer.sendfile(file.fd, {.fallback = false})),
              "sendfile syscall is not supported");
    co_await close_both(writer, server);

    EXPECT_TRUE(collected.text == text_of_size(300'000).substr(1000, 100'000));
}

// It is cut off while it is sent: what was left of it is sent, and the connection is none the
// worse.
ASYNC_TEST(TLSSendfile, sends_what_is_there_of_a_file_that_gets_shorter) {
    constexpr std::int64_t size = 20'000'000;
    const OpenFile file(std::string(size, 'f'));
    Collected collected;
    Server server = co_await serve_collector(collected);
    auto [reader, writer] =
        co_await open_connection("127.0.0.1", port_of(server), {.ssl = &the_client_context()});

    const Task<std::int64_t> sending = create_task(writer.sendfile(file.fd));
    while (collected.text.size() < 100'000) {
        co_await sleep(0);
    }
    EXPECT_EQ(::ftruncate(file.fd, 1000), 0);
    const std::int64_t sent = co_await sending;
    writer.write("end");
    co_await close_both(writer, server);

    EXPECT_GE(sent, 100'000);
    EXPECT_LT(sent, size);
    EXPECT_TRUE(collected.text == std::string(static_cast<std::size_t>(sent), 'f') + "end");
}

ASYNC_TEST(TLSSendfile, fails_when_the_stream_is_cut_off_in_the_middle) {
    const OpenFile file(std::string(20'000'000, 'f'));
    for (const bool resets : {true, false}) {
        const PeerListener listener;
        OpenSSLPeer server(OpenSSLPeer::Side::server);
        Peer peer;
        const auto serve = [](const PeerListener& listener, OpenSSLPeer& server,
                              Peer& peer) -> Coroutine<> {
            co_await settle();
            peer = listener.accept();
            co_await server.handshake(peer);
        };
        const Task<> serving =
            create_task(serve, std::cref(listener), std::ref(server), std::ref(peer));
        auto [reader, writer] =
            co_await open_connection("127.0.0.1", listener.port(), {.ssl = &the_client_context()});
        co_await serving;
        const auto read = [](StreamReader& reader) -> Coroutine<> {
            static_cast<void>(co_await as_result(reader.read()));
        };
        const Task<> reading = create_task(read, std::ref(reader));

        Task<std::int64_t> sending = create_task(writer.sendfile(file.fd));
        const std::string some = co_await peer.receive_exactly(100'000);
        EXPECT_EQ(some.size(), 100'000U);
        if (resets) {
            peer.reset();
        } else {
            peer.shut();  // without a close_notify
        }
        const Result<std::int64_t> sent = co_await as_result(wait_for(sending, 100));

        EXPECT_FALSE(sent.has_value());
        const auto is_os_error = [](const std::exception_ptr& error) {
            try {
                std::rethrow_exception(error);
            } catch (const TimeoutError&) {
                return false;
            } catch (const OSError&) {
                return true;
            }
        };
        EXPECT_TRUE(is_os_error(sent.error())) << describe(sent.error());
        EXPECT_GT(::lseek(file.fd, 0, SEEK_CUR), 0) << "the position says how much was given away";
        co_await reading;
        writer.close();
        static_cast<void>(co_await as_result(writer.wait_closed()));
    }
}
