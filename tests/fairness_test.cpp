// fairness_test.cpp - who always has something to do leaves the others their turns; and what hangs
// up loses nothing.
//
// SPDX-License-Identifier: MIT
#include "support/proactors.hpp"

#include <asyncio/asyncio.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace asyncio {
namespace {

using namespace std::chrono_literals;

/// More than any poll reports at once, and more descriptors than a process has by default.
constexpr std::size_t connections = 1'100;
constexpr std::size_t bytes_each = 16 << 10;

class ManyDescriptors {
public:
    ManyDescriptors() {
        EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
        const rlimit raised{before_.rlim_max, before_.rlim_max};
        EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &raised), 0);
    }
    ~ManyDescriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }

private:
    rlimit before_{};
};

/// A socket that has more to read than anybody reads here, a byte at a time.
struct FullSocket {
    FullSocket() {
        int ends[2] = {};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        ours = Socket(ends[0]);
        theirs = ends[1];
        const std::string data(bytes_each, 'x');
        EXPECT_EQ(::send(theirs, data.data(), data.size(), 0), static_cast<ssize_t>(data.size()));
    }
    FullSocket(const FullSocket&) = delete;
    FullSocket& operator=(const FullSocket&) = delete;
    ~FullSocket() { ::close(theirs); }

    Socket ours;
    int theirs = -1;
    std::size_t reads = 0;
};

Coroutine<> read_on(FullSocket& socket, const bool& enough) {
    while (!enough) {
        const std::string byte = co_await sock_recv(socket.ours, 1);
        if (byte.empty()) {
            break;
        }
        ++socket.reads;
    }
}

Coroutine<> callbacks_and_timers(bool& enough) {
    EventLoop& loop = get_running_loop();
    for (int i = 0; i < 3; ++i) {
        co_await sleep(1ms);
        Event called;
        loop.call_soon([&called] { called.set(); });
        co_await called.wait();
    }
    enough = true;
}

Coroutine<> all_of_it() {
    std::vector<std::unique_ptr<FullSocket>> sockets;
    for (std::size_t i = 0; i < connections; ++i) {
        sockets.push_back(std::make_unique<FullSocket>());
    }
    bool enough = false;
    std::vector<Task<>> readers;
    for (const auto& socket : sockets) {
        readers.push_back(create_task(read_on(*socket, enough)));
    }

    co_await callbacks_and_timers(enough);
    co_await gather(std::move(readers));

    const auto less = [](const auto& a, const auto& b) { return a->reads < b->reads; };
    const auto [least, most] = std::minmax_element(sockets.begin(), sockets.end(), less);
    EXPECT_GT((*least)->reads, 0U);
    EXPECT_LT((*most)->reads, bytes_each) << "it was not always ready";
}

TEST(Fairness,
     of_a_thousand_connections_that_are_always_ready_leaves_timers_and_callbacks_their_turns) {
    const ManyDescriptors descriptors;
    for (const char* proactor : testing::proactors) {
        SCOPED_TRACE(proactor);
        run(all_of_it(), {.proactor = proactor});
    }
}

Coroutine<> everything_then_the_end() {
    for (const std::size_t size : {std::size_t{1}, std::size_t{60'000}}) {
        int ends[2] = {};
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
        const std::string data(size, 'x');
        EXPECT_EQ(::write(ends[1], data.data(), data.size()), static_cast<ssize_t>(size));
        ::close(ends[1]);  // POLLHUP and POLLIN come together

        StreamReader reader = co_await open_read_pipe(ends[0]);
        const std::string first = co_await reader.read(100);
        const std::string rest = co_await reader.read();

        EXPECT_EQ(first.size() + rest.size(), size);
    }
}

TEST(HangUp, loses_nothing_that_a_pipe_still_holds) {
    for (const char* proactor : testing::proactors) {
        SCOPED_TRACE(proactor);
        run(everything_then_the_end(), {.proactor = proactor});
    }
}

}  // namespace
}  // namespace asyncio
