// tls_server.cpp - answers any HTTP request over TLS with as many bytes as it was told to.
//
//     tls_server PORT CERTIFICATE SIZE     the port is printed on stdout
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/ssl.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace asyncio;

static std::size_t size = 0;

static Coroutine<> answer(StreamReader reader, StreamWriter writer) {
    const auto request = co_await as_result(reader.readuntil("\r\n\r\n"));
    if (request.has_value()) {
        writer.write("HTTP/1.0 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
        const std::string block(std::size_t{256} * 1024, 'x');
        for (std::size_t sent = 0; sent < size; sent += block.size()) {
            writer.write(std::string_view(block).substr(0, std::min(block.size(), size - sent)));
            co_await writer.drain();
        }
    }
    writer.close();
}

static Coroutine<> serve(int port, std::string certificate) {
    SSLContext context(PROTOCOL_TLS_SERVER);
    context.load_cert_chain(certificate);
    Server server = co_await start_server(answer, "127.0.0.1", port, {.ssl = &context});
    std::printf("%d\n", server.addresses().front().port());
    std::fflush(stdout);
    co_await server.serve_forever();
}

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: tls_server PORT CERTIFICATE SIZE\n");
        return 2;
    }
    size = std::strtoull(argv[3], nullptr, 10);
    run(serve(std::atoi(argv[1]), argv[2]));
}
