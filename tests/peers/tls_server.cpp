// tls_server.cpp - echoes what its clients send, over TLS; for tests against other programs.
//
// usage: tls_server CERTIFICATE [CLIENT_AUTHORITY]
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/ssl.hpp>

#include <cstdio>
#include <string>

using namespace asyncio;

static Coroutine<> echo(StreamReader reader, StreamWriter writer) {
    for (;;) {
        const std::string data = co_await reader.read(65536);
        if (data.empty()) {
            break;
        }
        writer.write(data);
        co_await writer.drain();
    }
    writer.close();
    co_await writer.wait_closed();
}

static Coroutine<> serve(std::string certificate, std::string authority) {
    SSLContext context(PROTOCOL_TLS_SERVER);
    context.load_cert_chain(certificate);
    context.set_alpn_protocols({"echo/1"});
    if (!authority.empty()) {
        context.set_verify_mode(CERT_REQUIRED);
        context.load_verify_locations(authority);
    }
    Server server = co_await start_server(echo, "127.0.0.1", 0, {.ssl = &context});
    std::printf("serving on %s\n", server.addresses().front().to_string().c_str());
    std::fflush(stdout);
    co_await server.serve_forever();
}

int main(int argc, char** argv) {
    try {
        run(serve(argv[1], argc > 2 ? argv[2] : ""));
    } catch (const KeyboardInterrupt&) {
        std::puts("bye");
    }
}
