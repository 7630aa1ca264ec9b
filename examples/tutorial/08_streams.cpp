// 08_streams.cpp - chapter 8 of docs/tutorial: streams.
//
// Its Python twin, 08_streams.py, prints the same.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <cctype>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

using namespace asyncio;
using namespace std::chrono_literals;

// [server]
Coroutine<> answer(StreamReader reader, StreamWriter writer) {
    while (auto line = co_await reader.next()) {
        for (char& c : *line) {
            c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        }
        writer.write(*line);
        co_await writer.drain();
    }
    writer.close();
}
// [/server]

// [client]
Coroutine<> ask(int port, std::vector<std::string> questions) {
    auto [reader, writer] = co_await open_connection("127.0.0.1", port);
    for (const std::string& question : questions) {
        writer.write(question + "\n");
        std::string line = co_await reader.readline();
        std::printf("answer: %s", line.c_str());
    }
    writer.close();
    co_await writer.wait_closed();
}

Coroutine<> lines() {
    Server server = co_await start_server(answer, "127.0.0.1", 0);
    int port = server.addresses().front().port();
    co_await with(server, [&]() -> Coroutine<> {
        std::vector<std::string> questions{"who", "where"};
        co_await ask(port, questions);
        std::vector<std::string> another{"when"};
        co_await ask(port, another);
    });
}
// [/client]

// [framing]
Coroutine<> frames(StreamReader reader, StreamWriter writer) {
    try {
        while (true) {
            std::string size = co_await reader.readexactly(1);
            std::string frame = co_await reader.readexactly(static_cast<unsigned char>(size[0]));
            std::printf("frame: %s\n", frame.c_str());
        }
    } catch (const IncompleteReadError& error) {
        std::printf("left over: %s\n", error.partial().c_str());
    }
    writer.write("thanks");
    writer.close();
}

Coroutine<> framing() {
    Server server = co_await start_server(frames, "127.0.0.1", 0);
    int port = server.addresses().front().port();
    co_await with(server, [&]() -> Coroutine<> {
        auto [reader, writer] = co_await open_connection("127.0.0.1", port);
        writer.write("\5first\6second\11bro");
        writer.write_eof();  // that is all from here; the answer can still come
        std::string reply = co_await reader.read();
        std::printf("answer: %s\n", reply.c_str());
        writer.close();
        co_await writer.wait_closed();
    });
}
// [/framing]

// [trouble]
Coroutine<> silent(StreamReader reader, StreamWriter writer) {
    co_await reader.read();  // says nothing until the client has gone
    writer.close();
}

Coroutine<> trouble() {
    Server server = co_await start_server(silent, "127.0.0.1", 0);
    int port = server.addresses().front().port();
    auto [reader, writer] = co_await open_connection("127.0.0.1", port);
    try {
        co_await timeout(20ms, [&] { return reader.readline(); });
    } catch (const TimeoutError&) {
        std::puts("no answer");
    }
    writer.close();
    co_await writer.wait_closed();

    server.close();
    co_await server.wait_closed();
    try {
        co_await open_connection("127.0.0.1", port);
    } catch (const ConnectionRefusedError&) {
        std::puts("nobody there");
    }
}
// [/trouble]

Coroutine<> amain() {
    std::puts("-- lines");
    co_await lines();
    std::puts("-- framing");
    co_await framing();
    std::puts("-- trouble");
    co_await trouble();
}

int main() {
    run(amain());
}
