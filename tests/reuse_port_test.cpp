// reuse_port_test.cpp - one port, several loops: the system shares what comes out among them.
//
// SPDX-License-Identifier: MIT
#include <asyncio/streams.hpp>

#include "support/network.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

using namespace asyncio;
using asyncio::testing::Peer;

namespace {

/// A loop with a server of its own, which counts.
struct Worker {
    Worker(const char* proactor, int port)
        : loop(new_event_loop(proactor)), server(loop->run_until_complete(start(*this, port))) {}

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
