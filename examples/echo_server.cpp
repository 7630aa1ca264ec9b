// echo_server.cpp - a server that sends back what it gets, to any number of clients.
//
//     ./run examples/echo_server.cpp 8888       # and in another terminal: nc 127.0.0.1 8888
//
// Its Python twin: echo_server.py.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

using namespace asyncio;

/// One client; a task of its own.
Coroutine<> echo(StreamReader reader, StreamWriter writer) {
    try {
        while (true) {
            std::string data = co_await reader.read(64 << 10);
            if (data.empty()) {
                break;  // the client has said all it wants to say
            }
            writer.write(data);
            co_await writer.drain();  // who does not listen is not answered either
        }
    } catch (const ConnectionError&) {
        // the client has gone
    }
    writer.close();
}

Coroutine<> amain(int port) {
    Server server = co_await start_server(echo, "127.0.0.1", port);
    std::printf("serving on 127.0.0.1:%d\n", server.addresses().front().port());
    std::fflush(stdout);
    co_await server.serve_forever();
}

int main(int argc, char** argv) {
    try {
        run(amain(argc > 1 ? std::atoi(argv[1]) : 8888));
    } catch (const KeyboardInterrupt&) {
        std::puts("bye");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "echo_server: %s\n", error.what());  // the port is taken, perhaps
        return 1;
    }
}
