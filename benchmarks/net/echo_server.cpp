// echo_server.cpp - the echo server as a user of the library would write it.
//
//     echo_server PORT     PORT 0: the kernel chooses one. The port is printed on stdout.
//
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

using namespace asyncio;

static Coroutine<> echo(StreamReader reader, StreamWriter writer) {
    for (;;) {
        std::string data = co_await reader.read(65536);
        if (data.empty()) {
            break;
        }
        writer.write(data);
        co_await writer.drain();
    }
    writer.close();
}

static Coroutine<> serve(int port) {
    Server server = co_await start_server(echo, "127.0.0.1", port);
    std::printf("%d\n", server.sockets().front().getsockname().port());
    std::fflush(stdout);
    co_await server.serve_forever();
}

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: echo_server PORT\n");
        return 2;
    }
    run(serve(std::atoi(argv[1])));
}
