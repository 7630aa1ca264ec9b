// many_connections.cpp - so many connections at once, each of which is served.
//
//     many_connections [COUNT [apart]]
//
// The clients are another process, because each may have only so many descriptors; they come from
// several addresses of the loopback network, because each of these has only so many ports.
//
// `apart`: in network namespaces of their own, which takes root. If one process must not have so
// many descriptors, there are several pairs of servers and clients, each in a namespace; nobody
// speaks before all of them are connected.
//
// Ends with 77, for "skipped", if that is not possible here.
//
// SPDX-License-Identifier: MIT
#include "resources.hpp"

#include <asyncio/exceptions.hpp>
#include <asyncio/runners.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/timeouts.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
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

struct Pipe {
    Pipe() {
        if (::pipe(fds) != 0) {
            fail("no pipe");
        }
    }
    int fds[2] = {-1, -1};
};

/// Where all clients of all pairs wait for each other.
class Barrier {
public:
    /// In a client: this many are connected. Blocks its process until all are.
    void arrive(std::size_t connected) {
        ::close(go_.fds[1]);
        char nothing = 0;
        if (::write(here_.fds[1], &connected, sizeof connected) != sizeof connected ||
            ::read(go_.fds[0], &nothing, 1) != 0) {
            fail("nobody waits for the clients");
        }
    }
    void leave_to_others() const { ::close(go_.fds[1]); }
    /// In the process that waits for them.
    void open_when_there_are(std::size_t count) {
        ::close(here_.fds[1]);
        std::size_t all = 0;
        for (std::size_t connected = 0; all < count; all += connected) {
            if (::read(here_.fds[0], &connected, sizeof connected) != sizeof connected) {
                fail("clients have ended");
            }
        }
        std::printf("%zu connections at once\n", all);
        std::fflush(stdout);
        ::close(go_.fds[1]);
    }

private:
    Pipe here_;
    Pipe go_;
};

// ----------------------------------------------------------------------------------- clients

Coroutine<StreamPair> connect(int port, std::size_t number) {
    // Half of the ports that it has: the others the kernel looks for one by one.
    constexpr std::size_t per_address = 10'000;
    const std::string host = "127.0.0." + std::to_string(2 + number / per_address);
    OpenConnectionOptions options;
    options.local_host = host;
    StreamPair streams = co_await open_connection("127.0.0.1", port, options);
    co_return streams;
}

Coroutine<> be_clients(int port, std::size_t count, Barrier& barrier) {
    std::vector<StreamPair> connections;
    connections.reserve(count);
    while (connections.size() < count) {
        StreamPair made = co_await connect(port, connections.size());
        connections.push_back(std::move(made));
    }
    barrier.arrive(count);
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
    std::size_t wanted = 0;
    std::size_t memory = 0;  // when there were as many as wanted
};
Serving serving;

Coroutine<> echo_lines(StreamReader reader, StreamWriter writer) {
    serving.most = std::max(serving.most, ++serving.now);
    if (serving.most == serving.wanted && serving.memory == 0) {
        serving.memory = stress::resident_memory();
    }
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
    serving.wanted = count;
    Server server = co_await start_server(echo_lines, "127.0.0.1", 0, options);
    const std::size_t before = stress::resident_memory();
    const int port = server.addresses().front().port();
    if (::write(port_out, &port, sizeof port) != sizeof port) {
        fail("nobody wants the port");
    }
    while (serving.served < count || serving.now > 0) {
        co_await sleep(0.05);
    }
    std::printf("%zu at this server, %zu lines; %zu bytes each with their tasks\n", serving.most,
                serving.served, (serving.memory - before) * 1024 / count);
    if (serving.most != count) {
        fail("there were never " + std::to_string(count) + " at once");
    }
    server.close();
    co_await server.wait_closed();
}

// ------------------------------------------------------------------------------------- pairs

int exit_status(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/// A server, and its clients in another process. Returns the exit status.
int run_pair(std::size_t count, Barrier& barrier) {
    const Pipe ports;
    const pid_t child = ::fork();
    if (child == 0) {
        int port = 0;
        if (::read(ports.fds[0], &port, sizeof port) != sizeof port) {
            fail("no port");
        }
        try {
            run(wait_for(be_clients(port, count, barrier), patience));
        } catch (...) {
            fail(describe(std::current_exception()));
        }
        std::_Exit(0);
    }
    barrier.leave_to_others();
    const std::size_t before = stress::open_descriptors();
    try {
        run(wait_for(serve(count, ports.fds[1]), patience));
    } catch (...) {
        fail(describe(std::current_exception()));
    }
    if (stress::open_descriptors() != before) {
        fail("descriptors are left");
    }
    std::fflush(stdout);
    return exit_status(child);
}

/// This process gets a network of its own, of which only the loopback interface is there.
bool enter_namespace() {
    if (::unshare(CLONE_NEWNET) != 0) {
        return false;
    }
    const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    const bool up = socket >= 0 && ::ioctl(socket, SIOCSIFFLAGS, &request) == 0;
    ::close(socket);
    return up;
}

int run_pairs(std::size_t count, std::size_t most_each, bool apart) {
    std::printf("%zu processes of servers, as many of clients\n", (count - 1) / most_each + 1);
    std::fflush(stdout);
    Barrier barrier;
    std::vector<pid_t> pairs;
    for (std::size_t left = count; left > 0; left -= std::min(left, most_each)) {
        pairs.push_back(::fork());
        if (pairs.back() == 0) {
            if (apart && !enter_namespace()) {
                fail("no network namespace");
            }
            std::_Exit(run_pair(std::min(left, most_each), barrier));
        }
    }
    barrier.open_when_there_are(count);
    int worst = 0;
    for (const pid_t pair : pairs) {
        worst = std::max(worst, exit_status(pair));
    }
    return worst;
}

bool may_have_namespaces() {
    const pid_t child = ::fork();
    if (child == 0) {
        std::_Exit(enter_namespace() ? 0 : 1);
    }
    return exit_status(child) == 0;
}

}  // namespace

int main(int argument_count, char** arguments) {
    constexpr std::size_t others = 100;  // descriptors
    const std::size_t count =
        argument_count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 10'000;
    const bool apart = argument_count > 2 && std::string_view(arguments[2]) == "apart";
    const std::size_t limit = stress::raise_descriptor_limit();
    if (limit < count + others && !apart) {
        std::printf("skipped: %zu descriptors are allowed, %zu are needed\n", limit,
                    count + others);
        return skipped;
    }
    if (limit < 10 * others) {
        std::printf("skipped: only %zu descriptors are allowed\n", limit);
        return skipped;
    }
    if (apart && !may_have_namespaces()) {
        std::printf("skipped: no network namespaces here; root may have them\n");
        return skipped;
    }
    constexpr std::size_t bytes_each = 12 * 1024;  // the kernel's for two sockets, and ours
    const std::size_t memory = stress::available_memory();
    if (memory < count * bytes_each / 1024) {
        std::printf("skipped: %zu KiB of memory are free, %zu are needed\n", memory,
                    count * bytes_each / 1024);
        return skipped;
    }
    return run_pairs(count, std::min(count, limit - others), apart);
}
