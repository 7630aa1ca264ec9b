// many_connections.cpp - so many connections at once, each of which is served.
//
//     many_connections [COUNT]
//
// The clients are another process, because each may have only so many descriptors; they come from
// several addresses of the loopback network, because each of these has only so many ports. Ends
// with 77, for "skipped", if the limit of descriptors is too low.
//
// SPDX-License-Identifier: MIT
#include "resources.hpp"

#include <asyncio/exceptions.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/timeouts.hpp>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace asyncio;

constexpr int skipped = 77;
constexpr double patience = 300;  // seconds

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "FAILED: %s\n", what.c_str());
    std::_Exit(1);
}

// ----------------------------------------------------------------------------------- clients

Coroutine<StreamPair> connect(int port, std::size_t number) {
    constexpr std::size_t per_address = 20'000;
    const std::string host = "127.0.0." + std::to_string(2 + number / per_address);
    OpenConnectionOptions options;
    options.local_host = host;
    StreamPair streams = co_await open_connection("127.0.0.1", port, options);
    co_return streams;
}

Coroutine<> be_clients(int port, std::size_t count) {
    std::vector<StreamPair> connections;
    connections.reserve(count);
    while (connections.size() < count) {
        StreamPair made = co_await connect(port, connections.size());
        connections.push_back(std::move(made));
    }
    // All of them are there now.
    for (std::size_t i = 0; i < count; ++i) {
        connections[i].writer.write("hello from " + std::to_string(i) + "\n");
    }
    for (std::size_t i = 0; i < count; ++i) {
        const std::string line = co_await connections[i].reader.readline();
        if (line != "hello from " + std::to_string(i) + "\n") {
            fail("client " + std::to_string(i) + " got '" + line + "'");
        }
    }
    for (StreamPair& each : connections) {
        each.writer.close();
    }
    for (StreamPair& each : connections) {
        co_await each.writer.wait_closed();
    }
}

// ------------------------------------------------------------------------------------ server

struct Serving {
    std::size_t now = 0;
    std::size_t most = 0;
    std::size_t served = 0;
};
Serving serving;

Coroutine<> echo_lines(StreamReader reader, StreamWriter writer) {
    serving.most = std::max(serving.most, ++serving.now);
    for (;;) {
        const std::string line = co_await reader.readline();
        if (line.empty()) {
            break;
        }
        writer.write(line);
        co_await writer.drain();
        ++serving.served;
    }
    --serving.now;
    writer.close();
}

Coroutine<> serve(std::size_t count, int port_out) {
    StartServerOptions options;
    options.backlog = 4'096;
    Server server = co_await start_server(echo_lines, "127.0.0.1", 0, options);
    const std::size_t before = stress::resident_memory();
    const int port = server.addresses().front().port();
    if (::write(port_out, &port, sizeof port) != sizeof port) {
        fail("nobody wants the port");
    }
    std::size_t memory = before;
    while (serving.served < count || serving.now > 0) {
        if (serving.now == count) {
            memory = std::max(memory, stress::resident_memory());
        }
        co_await sleep(0.05);
    }
    std::printf("%zu connections at once, %zu lines; %zu bytes each with their tasks\n",
                serving.most, serving.served, (memory - before) * 1024 / count);
    if (serving.most != count) {
        fail("there were never " + std::to_string(count) + " at once");
    }
    server.close();
    co_await server.wait_closed();
}

}  // namespace

int main(int argument_count, char** arguments) {
    const std::size_t count =
        argument_count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 10'000;
    const std::size_t limit = stress::raise_descriptor_limit();
    if (limit < count + 100) {
        std::printf("skipped: %zu descriptors are allowed, %zu are needed\n", limit, count + 100);
        return skipped;
    }
    int fds[2] = {-1, -1};
    if (::pipe(fds) != 0) {
        fail("no pipe");
    }
    const pid_t child = ::fork();
    if (child == 0) {
        int port = 0;
        if (::read(fds[0], &port, sizeof port) != sizeof port) {
            fail("no port");
        }
        try {
            run(wait_for(be_clients(port, count), patience));
        } catch (...) {
            fail(describe(std::current_exception()));
        }
        return 0;
    }
    const std::size_t before = stress::open_descriptors();
    try {
        run(wait_for(serve(count, fds[1]), patience));
    } catch (...) {
        fail(describe(std::current_exception()));
    }
    if (stress::open_descriptors() != before) {
        fail("descriptors are left");
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
