// tls_scenarios.hpp - what programs do with TLS, for tests that let something of it go wrong. Each
// throws if its result is wrong, and leaves nothing behind, whatever happens.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/asyncio.hpp>
#include <asyncio/ssl.hpp>
#include <asyncio/transports.hpp>

#include "certificates.hpp"
#include "tls_pair.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace asyncio::testing {

/// Made once: what is made for each run is to be the connections.
inline const SSLContext& the_server_context() {
    static const SSLContext context = server_context();
    return context;
}
inline const SSLContext& the_client_context() {
    static const SSLContext context = client_context();
    return context;
}

inline void check(bool holds) {
    if (!holds) {
        throw InvalidStateError("the result is wrong");
    }
}

/// Closes it whatever happens, so that the loop can end.
class ClosingServer {
public:
    explicit ClosingServer(Server& server) : server_(server) {}
    ClosingServer(const ClosingServer&) = delete;
    ClosingServer& operator=(const ClosingServer&) = delete;
    ~ClosingServer() {
        server_.close();
        server_.abort_clients();
    }

private:
    Server& server_;
};

/// Where a server of these is. Over a Unix socket there are no delays of TCP's, which the virtual
/// clock knows nothing of: they come where TCP_NODELAY could not be set.
enum class Over { tcp, unix_socket };
inline Over over = Over::tcp;

inline const std::string& socket_path() {
    static const TestDirectory directory;
    static const std::string path = directory.path("socket");
    return path;
}

inline Coroutine<Server> serve_streams(Coroutine<> (*handler)(StreamReader, StreamWriter),
                                       const SSLContext* context) {
    if (over == Over::unix_socket) {
        StartUnixServerOptions options;
        options.ssl = context;
        return start_unix_server(handler, socket_path(), options);
    }
    StartServerOptions options;
    options.ssl = context;
    return start_server(handler, "127.0.0.1", 0, options);
}

inline Coroutine<StreamPair> open_streams(const Server& server, const SSLContext* context) {
    if (over == Over::unix_socket) {
        OpenUnixConnectionOptions options;
        options.ssl = context;
        if (context != nullptr) {
            options.server_hostname = "localhost";
        }
        return open_unix_connection(socket_path(), options);
    }
    OpenConnectionOptions options;
    options.ssl = context;
    return open_connection("127.0.0.1", server.addresses().front().port(), options);
}

inline int port_of(const Server& server) {
    return server.addresses().front().port();
}

/// Bytes of which no two stretches are alike.
inline std::string text_of_size(std::size_t size) {
    std::string text;
    text.reserve(size + 16);
    for (std::size_t i = 0; text.size() < size; ++i) {
        text += std::to_string(i) + ",";
    }
    text.resize(size);
    return text;
}

inline Coroutine<> echo_over_tls(StreamReader reader, StreamWriter writer) {
    for (;;) {
        const std::string piece = co_await reader.read(5000);
        if (piece.empty()) {
            break;
        }
        writer.write(piece);
        co_await writer.drain();
    }
    writer.close();
    co_await writer.wait_closed();
}

inline Coroutine<> send_over_tls(StreamWriter& writer, const std::string& text) {
    for (std::size_t begin = 0; begin < text.size(); begin += 30'011) {
        writer.write(std::string_view(text).substr(begin, 30'011));
        co_await writer.drain();
    }
}

inline Coroutine<> converse_over_tls(StreamReader& reader, StreamWriter& writer, std::size_t size) {
    writer.write("one line\n");
    const std::string line = co_await reader.readline();
    check(line == "one line\n");
    writer.writelines({"and ", "another ", "one\n"});
    co_await writer.drain();
    const std::string another = co_await reader.readuntil("one\n");
    check(another == "and another one\n");
    const std::string sent = text_of_size(size);
    Task<> sending = create_task(send_over_tls(writer, sent));
    const Result<std::string> received = co_await as_result(reader.readexactly(sent.size()));
    if (!received.has_value()) {
        sending.cancel();  // which uses what is ours
        static_cast<void>(co_await as_result(sending));
        std::rethrow_exception(received.error());
    }
    check(received.get() == sent);
    co_await sending;
    writer.close();
    co_await writer.wait_closed();
}

inline Coroutine<> visit_over_tls(const Server& server, std::size_t size) {
    auto [reader, writer] = co_await open_streams(server, &the_client_context());
    co_await converse_over_tls(reader, writer, size);
}

// ---- the scenarios

template <std::size_t size>
Coroutine<> tls_echo() {
    Server server = co_await serve_streams(&echo_over_tls, &the_server_context());
    const ClosingServer closing(server);
    co_await wait_for(visit_over_tls(server, size), 200);
    server.close();
    co_await wait_for(server.wait_closed(), 200);
}

inline Coroutine<> upgrade_and_echo(StreamReader reader, StreamWriter writer) {
    const std::string line = co_await reader.readline();
    check(line == "STARTTLS\n" || line.empty());
    writer.write("go on\n");
    co_await writer.start_tls(the_server_context());
    co_await echo_over_tls(std::move(reader), std::move(writer));
}

inline Coroutine<> upgrade_and_visit(const Server& server) {
    auto [reader, writer] = co_await open_streams(server, nullptr);
    writer.write("STARTTLS\n");
    const std::string line = co_await reader.readline();
    check(line == "go on\n");
    const Result<void> upgraded = co_await as_result(
        writer.start_tls(the_client_context(), {.server_hostname = "localhost"}));
    if (!upgraded.has_value()) {
        // Whatever went wrong, the connection can be closed.
        writer.close();
        static_cast<void>(co_await as_result(wait_for(writer.wait_closed(), 100)));
        check(writer.is_closing());
        std::rethrow_exception(upgraded.error());
    }
    co_await converse_over_tls(reader, writer, 100);
}

inline Coroutine<> tls_begun_later() {
    Server server = co_await serve_streams(&upgrade_and_echo, nullptr);
    const ClosingServer closing(server);
    co_await wait_for(upgrade_and_visit(server), 200);
    server.close();
    co_await wait_for(server.wait_closed(), 200);
}

/// Sends back what it gets.
class EchoingProtocol final : public Protocol {
public:
    void connection_made(Transport& transport) override { transport_ = &transport; }
    void data_received(std::string_view data) override { transport_->write(data); }
    void connection_lost(std::exception_ptr exc) override {
        if (exc != nullptr) {
            ExceptionContext context;
            context.exception = std::move(exc);
            get_running_loop().call_exception_handler(context);
        }
    }

private:
    Transport* transport_ = nullptr;
};

class ListeningProtocol final : public Protocol {
public:
    void data_received(std::string_view data) override {
        received += data;
        came.set();
    }
    void connection_lost(std::exception_ptr exc) override {
        lost = true;
        error = std::move(exc);
        came.set();
    }

    std::string received;
    std::exception_ptr error;
    Event came;
    bool lost = false;
};

inline Coroutine<> listen_until(ListeningProtocol& protocol, std::size_t size) {
    while (!protocol.lost && protocol.received.size() < size) {
        protocol.came.clear();
        co_await protocol.came.wait();
    }
    if (protocol.error != nullptr) {
        std::rethrow_exception(protocol.error);
    }
}

inline Coroutine<Server> serve_protocols() {
    const auto make = [] { return std::make_shared<EchoingProtocol>(); };
    if (over == Over::unix_socket) {
        CreateUnixServerOptions options;
        options.ssl = &the_server_context();
        return create_unix_server(make, socket_path(), options);
    }
    CreateServerOptions options;
    options.ssl = &the_server_context();
    return create_server(make, "127.0.0.1", 0, options);
}

inline Coroutine<ProtocolPair<ListeningProtocol>> open_protocol(const Server& server) {
    const auto make = [] { return std::make_shared<ListeningProtocol>(); };
    if (over == Over::unix_socket) {
        CreateUnixConnectionOptions options;
        options.ssl = &the_client_context();
        options.server_hostname = "localhost";
        return create_unix_connection(make, socket_path(), options);
    }
    CreateConnectionOptions options;
    options.ssl = &the_client_context();
    return create_connection(make, "127.0.0.1", server.addresses().front().port(), options);
}

inline Coroutine<> visit_by_protocol(const Server& server) {
    const auto [transport, protocol] = co_await open_protocol(server);
    transport.write("over a transport");
    co_await listen_until(*protocol, 16);
    check(protocol->received == "over a transport" || protocol->lost);
    transport.close();
    while (!protocol->lost) {
        protocol->came.clear();
        co_await protocol->came.wait();
    }
    if (protocol->error != nullptr) {
        std::rethrow_exception(protocol->error);
    }
}

inline Coroutine<> tls_of_protocols() {
    Server server = co_await serve_protocols();
    const ClosingServer closing(server);
    co_await wait_for(visit_by_protocol(server), 200);
    server.close();
    co_await wait_for(server.wait_closed(), 200);
}

}  // namespace asyncio::testing
