// no_memory_network_test.cpp - what becomes of connections and servers when there is no memory, or
// epoll takes no more descriptors.
//
// Linked with --wrap=epoll_ctl as well.
// SPDX-License-Identifier: MIT
#include "support/each_allocation.hpp"
#include "support/network.hpp"

#include <asyncio/sockets.hpp>
#include <asyncio/streams.hpp>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include <sys/epoll.h>

namespace {

/// What the next registrations fail with, while there are some to fail.
constinit thread_local int registration_error = 0;
constinit thread_local int registrations_to_fail = 0;

}  // namespace

extern "C" {

int __real_epoll_ctl(int epoll, int action, int fd, epoll_event* event) noexcept;
int __wrap_epoll_ctl(int epoll, int action, int fd, epoll_event* event) noexcept;

int __wrap_epoll_ctl(int epoll, int action, int fd, epoll_event* event) noexcept {
    if (registrations_to_fail > 0 && action != EPOLL_CTL_DEL) {
        --registrations_to_fail;
        errno = registration_error;
        return -1;
    }
    return __real_epoll_ctl(epoll, action, fd, event);
}

}  // extern "C"

namespace asyncio {

using testing::expect_survives_each_failure;
using testing::open_descriptors;
using testing::Peer;

namespace {

int port_of(const Server& server) {
    return server.addresses().front().port();
}

Coroutine<> echo(StreamReader reader, StreamWriter writer) {
    const std::string line = co_await reader.readline();
    writer.write(line);
    co_await writer.drain();
    writer.close();
}

/// Closes it whatever happens, so that the loop can end.
class Closing {
public:
    explicit Closing(Server& server) : server_(server) {}
    Closing(const Closing&) = delete;
    Closing& operator=(const Closing&) = delete;
    ~Closing() {
        server_.close();
        server_.abort_clients();
    }

private:
    Server& server_;
};

void check(bool holds) {
    if (!holds) {
        throw InvalidStateError("the result is wrong");
    }
}

// --------------------------------------------------------------------------------- no memory

Coroutine<> serve_and_ask() {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    const Closing closing(server);
    auto [reader, writer] = co_await open_connection("127.0.0.1", port_of(server));
    writer.write("a line that is not all that short, and so needs memory of its own\n");
    const auto line = co_await as_result(wait_for(reader.readline(), 100));
    check(line.get().size() == 66);
    const std::string rest = co_await reader.read(100);
    check(rest.empty());
    writer.close();
    co_await writer.wait_closed();
}

Coroutine<> read_much() {
    const auto talk = [](StreamReader, StreamWriter writer) -> Coroutine<> {
        for (int time = 0; time < 4; ++time) {
            writer.write(std::string(30'000, 'x'));
            co_await writer.drain();
        }
        writer.close();
    };
    Server server = co_await start_server(talk, "127.0.0.1", 0);
    const Closing closing(server);
    auto [reader, writer] = co_await open_connection("127.0.0.1", port_of(server));
    const auto all = co_await as_result(wait_for(reader.read(), 100));
    check(all.get().size() == 120'000);
}

TEST(NoMemory, for_streams) {
    const std::size_t before = open_descriptors();

    expect_survives_each_failure(&serve_and_ask);
    expect_survives_each_failure(&read_much);

    EXPECT_EQ(open_descriptors(), before);
}

// ------------------------------------------------------------------------------------- epoll

/// While it lives the next registrations fail.
class Unregistered {
public:
    Unregistered(int error, int count) noexcept {
        registration_error = error;
        registrations_to_fail = count;
    }
    Unregistered(const Unregistered&) = delete;
    Unregistered& operator=(const Unregistered&) = delete;
    ~Unregistered() { registrations_to_fail = 0; }
    [[nodiscard]] static bool all_failed() noexcept { return registrations_to_fail == 0; }
};

bool is_os_error(const std::exception_ptr& error, int number) {
    try {
        if (error != nullptr) {
            std::rethrow_exception(error);
        }
    } catch (const OSError& os_error) {
        return os_error.code().value() == number;
    } catch (...) {}
    return false;
}

/// Two ends of a Unix socket: one is the library's.
struct Ends {
    Socket ours;
    Peer theirs;

    Ends() {
        int fds[2] = {-1, -1};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        ours = Socket(fds[0]);
        theirs = Peer(fds[1]);
    }
};

Coroutine<> read_unregistered(int error) {
    Ends ends;
    const Unregistered scope(error, 1);
    auto [reader, writer] = co_await open_connection(std::move(ends.ours));
    const auto line = co_await as_result(wait_for(reader.readline(), 100));
    EXPECT_TRUE(scope.all_failed());
    EXPECT_TRUE(is_os_error(line.error(), error)) << describe(line.error());
    writer.close();
    const auto closed = co_await as_result(wait_for(writer.wait_closed(), 100));
    EXPECT_TRUE(closed.has_value() || is_os_error(closed.error(), error));
}

/// A server that epoll does not take tries again later, and says so once.
Coroutine<> accept_unregistered(int error) {
    EventLoop& loop = get_running_loop();
    std::vector<std::string> reports;
    loop.set_exception_handler([&reports](EventLoop&, const ExceptionContext& context) {
        reports.push_back(context.message);
    });
    registration_error = error;
    registrations_to_fail = 2;
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    const Closing closing(server);
    co_await sleep(5);
    EXPECT_EQ(registrations_to_fail, 0);
    EXPECT_EQ(reports.size(), 1U);
    Peer peer = Peer::connect(port_of(server));
    peer.send("x\n");
    const std::string line = co_await peer.receive_exactly(2);
    EXPECT_EQ(line, "x\n");
    loop.set_exception_handler(nullptr);
}

Coroutine<> connect_unregistered(int error) {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    const Closing closing(server);
    co_await sleep(1);
    {
        const Unregistered scope(error, 1000);
        const auto opened =
            co_await as_result(wait_for(open_connection("127.0.0.1", port_of(server)), 100));
        if (opened.has_value()) {
            // It was connected at once; then reading meets the error.
            auto& reader = const_cast<StreamPair&>(*opened).reader;
            const auto line = co_await as_result(wait_for(reader.readline(), 100));
            EXPECT_TRUE(is_os_error(line.error(), error)) << describe(line.error());
        } else {
            EXPECT_TRUE(is_os_error(opened.error(), error)) << describe(opened.error());
        }
    }
    co_await sleep(5);
    auto [reader, writer] = co_await open_connection("127.0.0.1", port_of(server));
    writer.write("again\n");
    const auto line = co_await as_result(wait_for(reader.readline(), 100));
    EXPECT_EQ(line.get(), "again\n");
}

Coroutine<> socket_unregistered(int error) {
    const Ends ends;
    const Unregistered scope(error, 1);
    const auto received = co_await as_result(wait_for(sock_recv(ends.ours, 10), 100));
    EXPECT_TRUE(is_os_error(received.error(), error)) << describe(received.error());
    // The next time it is taken.
    const Task<std::string> again = create_task(sock_recv(ends.ours, 10));
    co_await sleep(1);
    ends.theirs.send("late");
    const std::string text = co_await again;
    EXPECT_EQ(text, "late");
}

template <class Body>
void with_each_error(Body body) {
    for (const int error : {ENOSPC, ENOMEM}) {
        SCOPED_TRACE(error);
        const testing::VirtualClockScope clock;
        const std::size_t before = open_descriptors();
        try {
            run(body(error));
        } catch (...) {
            ADD_FAILURE() << "the test threw " << describe(std::current_exception());
        }
        EXPECT_EQ(open_descriptors(), before);
    }
}

TEST(Registration, that_fails_ends_a_read_with_an_error) {
    with_each_error(&read_unregistered);
}
TEST(Registration, that_fails_ends_what_waits_for_a_socket_with_an_error) {
    with_each_error(&socket_unregistered);
}
TEST(Registration, that_fails_makes_a_server_try_again) {
    with_each_error(&accept_unregistered);
}
TEST(Registration, that_fails_ends_the_opening_of_a_connection_with_an_error) {
    with_each_error(&connect_unregistered);
}

}  // namespace

}  // namespace asyncio
