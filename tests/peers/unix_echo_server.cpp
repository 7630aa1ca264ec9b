// unix_echo_server.cpp - sends back what it gets, on a Unix socket, until Ctrl-C.
//
// usage: unix_echo_server PATH; a path that begins with @ is an abstract name.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <cstdio>
#include <string>

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

Coroutine<> amain(std::string path) {
    if (path.starts_with('@')) {
        path.front() = '\0';
    }
    Server server = co_await start_unix_server(echo, path);
    std::puts("serving");
    std::fflush(stdout);
    co_await server.serve_forever();
}

int main(int, char** argv) {
    try {
        run(amain(argv[1]));
    } catch (const KeyboardInterrupt&) {
        std::puts("bye");
    }
}
