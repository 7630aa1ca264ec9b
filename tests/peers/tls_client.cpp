// tls_client.cpp - sends its standard input to a TLS server and prints what comes back; for tests
// against other programs.
//
// usage: tls_client PORT AUTHORITY HOSTNAME [VERSION [CERTIFICATE]] <input
// The last line that it prints on standard error says how it ended.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <asyncio/ssl.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace asyncio;

static std::string read_input() {
    std::string text;
    char block[4096];
    while (const std::size_t size = std::fread(block, 1, sizeof block, stdin)) {
        text.append(block, size);
    }
    return text;
}

static Coroutine<> talk(int port, SSLContext context, std::string hostname) {
    const std::string input = read_input();
    auto [reader, writer] =
        co_await open_connection("127.0.0.1", port, {.ssl = &context, .server_hostname = hostname});
    const SSLObject object = writer.ssl_object();
    writer.write(input);
    co_await writer.drain();
    std::string answer;
    while (answer.size() < input.size()) {
        const std::string data = co_await reader.read(65536);
        if (data.empty()) {
            break;
        }
        answer += data;
    }
    std::fwrite(answer.data(), 1, answer.size(), stdout);
    std::fflush(stdout);
    writer.close();
    co_await writer.wait_closed();
    std::fprintf(stderr, "%s %s closed\n", object.version().value_or("").c_str(),
                 object.selected_alpn_protocol().value_or("-").c_str());
}

int main(int argc, char** argv) {
    try {
        SSLContext context = create_default_context({.cafile = argv[2]});
        context.set_alpn_protocols({"echo/1"});
        if (argc > 4) {
            context.set_maximum_version(std::string_view(argv[4]) == "1.2" ? TLSVersion::TLSv1_2
                                                                           : TLSVersion::TLSv1_3);
        }
        if (argc > 5) {
            context.load_cert_chain(argv[5]);
        }
        run(talk(std::atoi(argv[1]), context, argv[3]));
    } catch (const std::exception&) {
        std::fprintf(stderr, "%s\n", describe(std::current_exception()).c_str());
        return 1;
    }
}
