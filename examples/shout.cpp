// shout.cpp - a server and three clients in one program; the program of the README.
//
// Its Python twin, shout.py, prints the same.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>
#include <cctype>
#include <cstdio>
#include <string>

using namespace asyncio;
using namespace std::chrono_literals;

Coroutine<> shout(StreamReader reader, StreamWriter writer) {  // the server: a task per client
    while (auto line = co_await reader.next()) {
        for (char& c : *line) {
            c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        }
        co_await sleep(100ms);
        writer.write(*line);
    }
}

Coroutine<std::string> ask(int port, std::string question) {
    auto [reader, writer] = co_await open_connection("127.0.0.1", port);
    writer.write(question + "\n");
    co_return co_await timeout(2s, [&] { return reader.readline(); });
}

Coroutine<> amain() {
    Server server = co_await start_server(shout, "127.0.0.1", 0);
    int port = server.addresses().front().port();
    auto [a, b, c] = co_await gather(ask(port, "one"), ask(port, "two"), ask(port, "three"));
    std::printf("%s%s%s", a.c_str(), b.c_str(), c.c_str());
}

int main() {
    run(amain());
}
