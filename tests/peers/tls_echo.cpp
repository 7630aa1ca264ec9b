// tls_echo.cpp - both ends of an echo over TLS.
//
// usage: tls_echo server CERTIFICATE KEY; serves on a free port until Ctrl-C.
//        tls_echo client PORT CERTIFICATE CONNECTIONS BYTES; says whether all came back.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/ssl.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace asyncio;

Coroutine<> echo(StreamReader reader, StreamWriter writer) {
    while (true) {
        const std::string data = co_await reader.read(64 << 10);
        if (data.empty()) {
            break;
        }
        writer.write(data);
        co_await writer.drain();
    }
    writer.close();
    co_await writer.wait_closed();
}

Coroutine<> serve(const SSLContext& context) {
    Server server = co_await start_server(echo, "127.0.0.1", 0, {.ssl = &context});
    std::printf("serving on 127.0.0.1:%d\n", server.addresses().front().port());
    std::fflush(stdout);
    co_await server.serve_forever();
}

Coroutine<> send(StreamWriter& writer, const std::string& data) {
    for (std::string_view rest(data); !rest.empty();) {
        const std::string_view piece = rest.substr(0, 70'001);
        writer.write(piece);
        co_await writer.drain();
        rest.remove_prefix(piece.size());
    }
}

Coroutine<bool> comes_back(const SSLContext& context, int port, std::size_t bytes) {
    std::string data(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) {
        data[i] = static_cast<char>(i * i + i / 251);
    }
    auto [reader, writer] = co_await open_connection(
        "127.0.0.1", port, {.ssl = &context, .server_hostname = "localhost"});
    auto sent = create_task(send(writer, data));
    const std::string received =
        co_await reader.readexactly(static_cast<std::ptrdiff_t>(data.size()));
    co_await sent;
    writer.close();
    co_await writer.wait_closed();
    co_return received == data;
}

Coroutine<> connect(const SSLContext& context, int port, int connections, std::size_t bytes) {
    std::vector<Task<bool>> all;
    for (int i = 0; i < connections; ++i) {
        all.push_back(create_task(comes_back(context, port, bytes)));
    }
    const auto right = co_await gather(std::move(all));
    std::printf("%td of %d came back\n", std::count(right.begin(), right.end(), true), connections);
}

int main(int, char** argv) {
    if (std::string_view(argv[1]) == "client") {
        const SSLContext context =
            create_default_context(Purpose::SERVER_AUTH, {.cafile = argv[3]});
        run(connect(context, std::atoi(argv[2]), std::atoi(argv[4]), std::stoul(argv[5])));
        return 0;
    }
    SSLContext context(PROTOCOL_TLS_SERVER);
    context.load_cert_chain(argv[2], argv[3]);
    try {
        run(serve(context));
    } catch (const KeyboardInterrupt&) {
        std::puts("bye");
    }
}
