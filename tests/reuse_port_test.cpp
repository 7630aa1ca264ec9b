// reuse_port_test.cpp - one port, several loops: the system shares what comes out among them; or
// one listening socket, which they share.
//
// SPDX-License-Identifier: MIT
#include <asyncio/streams.hpp>

#include "support/network.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace asyncio;
using asyncio::testing::Peer;

namespace {

struct Shared {
    int fd;
};

/// A loop with a server of its own, which counts.
struct Worker {
    Worker(const char* proactor, int port)
        : loop(new_event_loop(proactor)), server(loop->run_until_complete(start(*this, port))) {}

    /// On a descriptor of a listening socket that others have as well.
    Worker(const char* proactor, Shared listener)
        : loop(new_event_loop(proactor)),
          server(loop->run_until_complete(start_shared(*this, listener.fd))) {}

    static Coroutine<Server> start_shared(Worker& worker, int fd) {
        Socket socket(fd);
        co_return co_await start_server(
            [&worker](StreamReader, StreamWriter) { ++worker.connections; }, std::move(socket));
    }
    static Coroutine<Server> start(Worker& worker, int port) {
        co_return co_await start_server(
            [&worker](StreamReader, StreamWriter) { ++worker.connections; }, "127.0.0.1", port,
            {.reuse_port = true});
    }
    void serve() {
        loop->run_until_complete([]() -> Coroutine<> {
            for (int i = 0; i < 10; ++i) {
                co_await sleep(0.001);
            }
        }());
    }

    std::unique_ptr<EventLoop> loop;
    int connections = 0;
    Server server;
};

}  // namespace

// A5
TEST(ReusePort, lets_several_loops_listen_on_one_port) {
    for (const char* proactor : asyncio::testing::proactors) {
        Worker first(proactor, 0);
        const int port = first.server.addresses().front().port();
        Worker second(proactor, port);

        std::vector<Peer> peers;
        for (int i = 0; i < 64; ++i) {
            peers.push_back(Peer::connect(port));
        }
        first.serve();
        second.serve();

        EXPECT_EQ(first.connections + second.connections, 64);
        EXPECT_GT(first.connections, 0);  // 2^-64 that one gets all
        EXPECT_GT(second.connections, 0);
        first.loop->close();
        second.loop->close();
    }
}

// A6: as of processes that were forked after the socket was made. Each is woken for each
// connection, one of them gets it, and what the others find is nothing.
TEST(SharedListener, is_accepted_from_by_several_loops_and_nothing_is_lost) {
    for (const char* proactor : asyncio::testing::proactors) {
        const asyncio::testing::PeerListener listener;
        Worker first(proactor, Shared{::dup(listener.fileno())});
        Worker second(proactor, Shared{::dup(listener.fileno())});
        first.serve();
        second.serve();
        std::vector<Peer> peers;
        const auto connect = [&](int count) {
            for (int i = 0; i < count; ++i) {
                peers.push_back(Peer::connect(listener.port()));
            }
        };

        for (int round = 0; round < 10; ++round) {
            connect(5);
            Worker& one = round % 2 == 0 ? first : second;
            Worker& other = round % 2 == 0 ? second : first;
            one.serve();
            const std::uint64_t before = other.loop->callbacks_run();
            other.serve();  // too late
            EXPECT_LT(other.loop->callbacks_run() - before, 100U);
            EXPECT_EQ(first.connections + second.connections, 5 * (round + 1));
        }
        EXPECT_GT(first.connections, 0);
        EXPECT_GT(second.connections, 0);

        // One that does not look any more, and then one that is gone, leave it to the other.
        const int of_first = first.connections;
        connect(5);
        second.serve();
        EXPECT_EQ(first.connections, of_first);
        first.loop->close();
        connect(5);
        second.serve();
        EXPECT_EQ(first.connections + second.connections, 60);
        second.loop->close();
    }
}

TEST(ReusePort, is_for_those_only_who_ask_for_it) {
    for (const char* proactor : asyncio::testing::proactors) {
        Worker first(proactor, 0);
        const int port = first.server.addresses().front().port();
        EXPECT_THROW(static_cast<void>(first.loop->run_until_complete([](int taken) -> Coroutine<> {
                         const Server other = co_await start_server(
                             [](StreamReader, StreamWriter) {}, "127.0.0.1", taken);
                     }(port))),
                     OSError);
        first.loop->close();
    }
}
