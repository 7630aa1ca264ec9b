// sockets_test.cpp - sockets, addresses, names, and the raw operations.
//
// SPDX-License-Identifier: MIT
#include <asyncio/sockets.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/threads.hpp>
#include <asyncio/timeouts.hpp>

#include "support/network.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace asyncio;
using asyncio::testing::open_descriptors;
using asyncio::testing::settle;

namespace {

/// Two ends of a Unix socket: one is the library's.
struct Pair {
    Socket ours;
    int theirs = -1;

    Pair() {
        int fds[2] = {-1, -1};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        ours = Socket(fds[0]);
        theirs = fds[1];
    }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;
    ~Pair() { close_theirs(); }

    void close_theirs() {
        if (theirs >= 0) {
            ::close(std::exchange(theirs, -1));
        }
    }
    void send(std::string_view bytes) const {
        EXPECT_EQ(::send(theirs, bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
    }
    /// What has arrived at the other end.
    [[nodiscard]] std::string receive() const {
        std::string bytes(1 << 18, '\0');
        const ssize_t count = ::recv(theirs, bytes.data(), bytes.size(), MSG_DONTWAIT);
        bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
        return bytes;
    }
};

Socket listening_socket() {
    Socket listener(AddressFamily::ipv4);
    listener.bind(Address("127.0.0.1", 0));
    listener.listen();
    return listener;
}

}  // namespace

// ----------------------------------------------------------------------------------- Address

TEST(Address, knows_host_port_and_family) {
    const Address v4("127.0.0.1", 80);
    EXPECT_EQ(v4.host(), "127.0.0.1");
    EXPECT_EQ(v4.port(), 80);
    EXPECT_EQ(v4.family(), AddressFamily::ipv4);
    EXPECT_EQ(v4.to_string(), "127.0.0.1:80");

    const Address v6("::1", 65535);
    EXPECT_EQ(v6.host(), "::1");
    EXPECT_EQ(v6.port(), 65535);
    EXPECT_EQ(v6.family(), AddressFamily::ipv6);
    EXPECT_EQ(v6.to_string(), "[::1]:65535");
}

TEST(Address, is_empty_by_default) {
    const Address none;
    EXPECT_FALSE(none);
    EXPECT_EQ(none.family(), AddressFamily::unspecified);
    EXPECT_EQ(none.host(), "");
    EXPECT_EQ(none.port(), 0);
    EXPECT_EQ(none.to_string(), "");
    EXPECT_TRUE(Address("::1", 1));
}

TEST(Address, compares_by_value) {
    EXPECT_EQ(Address("::1", 1), Address("0:0:0:0:0:0:0:1", 1));
    EXPECT_NE(Address("::1", 1), Address("::1", 2));
    EXPECT_NE(Address("127.0.0.1", 1), Address("127.0.0.2", 1));
    EXPECT_EQ(Address(), Address());
}

TEST(Address, keeps_the_scope_of_an_ipv6_address) {
    EXPECT_EQ(Address("fe80::1%1", 80).host(), "fe80::1%1");
    EXPECT_EQ(Address("fe80::1%lo", 80).host(), "fe80::1%1");
    EXPECT_EQ(Address("fe80::1%1", 80).to_string(), "[fe80::1%1]:80");
    EXPECT_NE(Address("fe80::1%1", 80), Address("fe80::1%2", 80));
    EXPECT_FALSE(Address::parse("fe80::1%no-such-interface", 80));
}

TEST(Address, refuses_what_is_not_numeric) {
    for (const char* host :
         {"", "localhost", "127.0.0", "1.2.3.4.5", "::g", "127.0.0.1 ", "256.1.1.1"}) {
        EXPECT_FALSE(Address::parse(host, 80)) << host;
        EXPECT_THROW(Address(host, 80), std::invalid_argument) << host;
    }
    EXPECT_FALSE(Address::parse(std::string_view("::1\0", 4), 80));
    EXPECT_THROW(Address("::1", -1), std::invalid_argument);
    EXPECT_THROW(Address("::1", 65536), std::invalid_argument);
}

TEST(Address, is_parsed_from_what_it_prints) {
    for (const char* text : {"127.0.0.1:80", "[::1]:0", "[fe80::1%1]:65535", "0.0.0.0:1"}) {
        const std::optional<Address> address = Address::parse(text);
        EXPECT_TRUE(address.has_value()) << text;
        EXPECT_EQ(address.value_or(Address()).to_string(), text);
    }
    for (const char* text :
         {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:123456",
          "127.0.0.1:-1", "::1:80", "[::1]", "[127.0.0.1]:80", "[]:80", "localhost:80"}) {
        EXPECT_FALSE(Address::parse(text)) << text;
    }
}

// ------------------------------------------------------------------------------------ Socket

NETWORK_TEST(Socket, is_non_blocking_and_closed_in_programs_that_are_started) {
    const Socket made(AddressFamily::ipv4);
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    const Socket adopted(fds[0]);
    const Socket listener = listening_socket();
    const Socket client(AddressFamily::ipv4);
    co_await sock_connect(client, listener.getsockname());
    const Accepted accepted = co_await sock_accept(listener);

    for (const Socket* socket : {&made, &adopted, &listener, &client, &accepted.socket}) {
        EXPECT_NE(::fcntl(socket->fileno(), F_GETFL) & O_NONBLOCK, 0);
        EXPECT_NE(::fcntl(socket->fileno(), F_GETFD) & FD_CLOEXEC, 0);
    }
    ::close(fds[1]);
    co_return;
}

NETWORK_TEST(Socket, closes_its_descriptor_once) {
    const std::size_t before = open_descriptors();

    Socket first(AddressFamily::ipv4);
    EXPECT_EQ(open_descriptors(), before + 1);
    Socket second = std::move(first);
    EXPECT_FALSE(first);
    EXPECT_EQ(first.fileno(), -1);
    EXPECT_TRUE(second);
    first = std::move(second);
    first.close();
    EXPECT_EQ(open_descriptors(), before);
    first.close();
    {
        const Socket third(AddressFamily::ipv6);
        EXPECT_EQ(open_descriptors(), before + 1);
    }
    EXPECT_EQ(open_descriptors(), before);
    co_return;
}

NETWORK_TEST(Socket, gives_its_descriptor_up) {
    Pair pair;
    const int fd = pair.ours.fileno();

    EXPECT_EQ(pair.ours.detach(), fd);
    EXPECT_FALSE(pair.ours);
    EXPECT_GE(::fcntl(fd, F_GETFD), 0);
    ::close(fd);
    co_return;
}

TEST(Socket, may_outlive_its_loop) {
    const std::size_t before = open_descriptors();
    Socket socket;
    {
        EventLoop loop;
        const auto make = [](Socket& out) -> Coroutine<> {
            out = Socket(AddressFamily::ipv4);
            co_return;
        };
        loop.run_until_complete(make(socket));
    }
    EXPECT_TRUE(socket);
    EXPECT_THROW(static_cast<void>(socket.getsockname()), RuntimeError);
    EXPECT_THROW(socket.listen(), RuntimeError);
    EXPECT_EQ(open_descriptors(), before + 1);
    socket.close();
    EXPECT_EQ(open_descriptors(), before);
}

NETWORK_TEST(Socket, tells_its_addresses_and_options) {
    Socket listener = listening_socket();
    EXPECT_EQ(listener.family(), AddressFamily::ipv4);
    EXPECT_EQ(listener.type(), SocketType::stream);
    EXPECT_EQ(listener.proto(), IPPROTO_TCP);
    EXPECT_EQ(listener.getsockname().host(), "127.0.0.1");
    EXPECT_GT(listener.getsockname().port(), 0);
    EXPECT_THROW(static_cast<void>(listener.getpeername()), OSError);

    listener.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
    EXPECT_NE(listener.getsockopt(IPPROTO_TCP, TCP_NODELAY), 0);

    const TransportSocket view(listener);
    EXPECT_EQ(view.fileno(), listener.fileno());
    EXPECT_EQ(view.getsockname(), listener.getsockname());
    co_return;
}

NETWORK_TEST(Socket, reports_errors_of_the_system) {
    const Socket listener = listening_socket();
    const Socket second(AddressFamily::ipv4);
    try {
        second.bind(listener.getsockname());
        ADD_FAILURE();
    } catch (const OSError& error) {
        EXPECT_EQ(error.error_number(), EADDRINUSE);
    }
    const Socket none;
    EXPECT_THROW(static_cast<void>(none.getsockname()), OSError);
    EXPECT_THROW(Socket(-1), OSError);
    co_return;
}

static std::string doing(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const OSError& e) {
        return e.doing();
    }
}

NETWORK_TEST(Socket, names_the_address_in_its_errors) {
    const Socket listener = listening_socket();
    const Address address = listener.getsockname();
    const std::string text = address.to_string();
    const Socket second(AddressFamily::ipv4);
    const auto bound = Result<>::of([&] { second.bind(address); });
    EXPECT_EQ(doing(bound.error()), "bind to " + text);
    const Socket client(AddressFamily::ipv4);
    co_await sock_connect(client, address);
    const auto listening = Result<>::of([&] { client.listen(); });
    EXPECT_EQ(doing(listening.error()), "listen on " + client.getsockname().to_string());

    const auto accepted = co_await as_result(sock_accept(second));
    EXPECT_EQ(doing(accepted.error()), "accept on 0.0.0.0:0");
    client.shutdown(SHUT_WR);
    const auto sent = co_await as_result(sock_sendall(client, "x"));
    EXPECT_EQ(doing(sent.error()), "send to " + text);
    const auto received = co_await as_result(sock_recv(listener, 1));
    EXPECT_EQ(doing(received.error()), "receive from an unknown address");
}

// --------------------------------------------------------------------------- raw operations

NETWORK_TEST(SockRecv, gives_what_is_there_and_nothing_at_the_end) {
    Pair pair;
    pair.send("hello");
    const std::string all = co_await sock_recv(pair.ours, 100);
    EXPECT_EQ(all, "hello");

    pair.send("abcdef");
    const std::string some = co_await sock_recv(pair.ours, 2);
    EXPECT_EQ(some, "ab");
    std::array<char, 16> memory{};
    const std::size_t count =
        co_await sock_recv_into(pair.ours, std::as_writable_bytes(std::span(memory)));
    EXPECT_EQ(std::string(memory.data(), count), "cdef");

    pair.close_theirs();
    const std::string end = co_await sock_recv(pair.ours, 100);
    EXPECT_EQ(end, "");
    const std::size_t none =
        co_await sock_recv_into(pair.ours, std::as_writable_bytes(std::span(memory)));
    EXPECT_EQ(none, 0U);
}

NETWORK_TEST(SockRecv, waits_for_what_comes_later) {
    Pair pair;
    get_running_loop().call_later(1, [&pair] { pair.send("late"); });
    const std::string late = co_await sock_recv(pair.ours, 100);
    EXPECT_EQ(late, "late");
}

// The string is as large as what has come, and nothing is set aside while nothing comes.
NETWORK_TEST(SockRecv, has_no_memory_for_what_did_not_come) {
    Pair pair;
    pair.send("x");
    const std::string at_once = co_await sock_recv(pair.ours, 1 << 18);
    EXPECT_EQ(at_once, "x");
    EXPECT_LT(at_once.capacity(), 100U);
    get_running_loop().call_later(1, [&pair] { pair.send("y"); });
    const std::string later = co_await sock_recv(pair.ours, 1 << 18);
    EXPECT_EQ(later, "y");
    EXPECT_LT(later.capacity(), 100U);
}

static Coroutine<> receive_into(Socket& socket, std::string& out) {
    out += co_await sock_recv(socket, 100);
    out += "|";
    co_await sleep(0);
    out += "not cancelled";
}

// What the first one takes is not there any more for the second one.
NETWORK_TEST(SockRecv, may_be_awaited_by_two_tasks) {
    Pair pair;
    std::string first;
    std::string second;
    auto one = create_task(receive_into(pair.ours, first));
    auto two = create_task(receive_into(pair.ours, second));
    co_await settle();
    pair.send("for one");
    co_await one;
    co_await settle();
    EXPECT_FALSE(two.done());
    pair.send("for two");
    co_await two;
    EXPECT_EQ(first, "for one|not cancelled");
    EXPECT_EQ(second, "for two|not cancelled");
}

NETWORK_TEST(SockRecv, of_no_bytes_is_empty) {
    Pair pair;
    pair.send("x");
    const std::string none = co_await sock_recv(pair.ours, 0);
    EXPECT_EQ(none, "");
    const std::string one = co_await sock_recv(pair.ours, 10);
    EXPECT_EQ(one, "x");
}

NETWORK_TEST(SockRecv, consumes_nothing_when_it_is_cancelled) {
    Pair pair;
    std::string got;
    auto task = create_task(receive_into(pair.ours, got));
    co_await settle();

    task.cancel();
    co_await settle();
    EXPECT_TRUE(task.cancelled());
    EXPECT_EQ(got, "");

    pair.send("still there");
    const std::string later = co_await sock_recv(pair.ours, 100);
    EXPECT_EQ(later, "still there");
}

// The kernel was quicker than the cancellation: the bytes are delivered, the error comes next.
NETWORK_TEST(SockRecv, delivers_what_was_received_before_the_cancellation) {
    Pair pair;
    std::string got;
    auto task = create_task(receive_into(pair.ours, got));
    co_await settle();

    pair.send("quick");
    // Both in the turn in which the operation has completed.
    get_running_loop().call_soon([] {});
    co_await sleep(0);
    co_await sleep(0);
    task.cancel();
    co_await settle();
    EXPECT_TRUE(task.cancelled());
    // Either it was delivered, or it was not received: nothing is lost.
    if (got.empty()) {
        got = co_await sock_recv(pair.ours, 100);
        EXPECT_EQ(got, "quick");
    } else {
        EXPECT_EQ(got, "quick|");
    }
}

NETWORK_TEST(SockRecv, loses_no_byte_whenever_it_is_cancelled) {
    const std::string bytes = "0123456789";
    for (int turns = 0; turns < 8; ++turns) {
        Pair pair;
        std::string got;
        auto task = create_task(receive_into(pair.ours, got));
        co_await settle();
        pair.send(bytes);
        for (int i = 0; i < turns; ++i) {
            co_await sleep(0);
        }
        task.cancel();
        const auto result = co_await as_result(task);
        static_cast<void>(result);
        if (got.empty()) {
            got = co_await sock_recv(pair.ours, 100);
        }
        EXPECT_EQ(got.substr(0, bytes.size()), bytes) << turns;
    }
}

NETWORK_TEST(SockSendAll, sends_more_than_the_system_takes_at_once) {
    Pair pair;
    std::string bytes;
    for (int i = 0; i < 300'000; ++i) {
        bytes += std::to_string(i);
    }
    const auto send = [](Socket& socket, const std::string& what) -> Coroutine<> {
        co_await sock_sendall(socket, what);
    };
    auto task = create_task(send(pair.ours, bytes));
    std::string got;
    while (got.size() < bytes.size()) {
        got += pair.receive();
        co_await sleep(0);
    }
    co_await task;
    EXPECT_EQ(got, bytes);
}

NETWORK_TEST(SockSendAll, of_no_bytes_is_done_at_once) {
    Pair pair;
    co_await sock_sendall(pair.ours, "");
    co_await sock_sendall(pair.ours, "x");
    EXPECT_EQ(pair.receive(), "x");
}

NETWORK_TEST(SockSendAll, can_be_cancelled_while_the_peer_does_not_read) {
    Pair pair;
    const std::string bytes(10 << 20, 'x');
    const auto send = [](Socket& socket, const std::string& what) -> Coroutine<> {
        co_await sock_sendall(socket, what);
    };
    auto task = create_task(send(pair.ours, bytes));
    co_await settle();
    EXPECT_FALSE(task.done());
    task.cancel();
    co_await settle();
    EXPECT_TRUE(task.cancelled());
}

// If it did, the signal would end this program.
NETWORK_TEST(SockSendAll, to_a_closed_peer_throws_and_raises_no_signal) {
    Pair pair;
    pair.close_theirs();
    const auto sent = co_await as_result(sock_sendall(pair.ours, "x"));
    EXPECT_EQ(describe(sent.error()), "BrokenPipeError(32, 'Broken pipe')");
}

NETWORK_TEST(SockConnect, connects_and_accepts) {
    for (const auto& [family, host] :
         {std::pair{AddressFamily::ipv4, "127.0.0.1"}, std::pair{AddressFamily::ipv6, "::1"}}) {
        Socket listener(family);
        listener.bind(Address(host, 0));
        listener.listen();
        const Socket client(family);

        co_await sock_connect(client, listener.getsockname());
        auto [connection, peer] = co_await sock_accept(listener);

        EXPECT_EQ(peer, client.getsockname());
        EXPECT_EQ(connection.getpeername(), client.getsockname());
        co_await sock_sendall(client, "ping");
        const std::string ping = co_await sock_recv(connection, 100);
        EXPECT_EQ(ping, "ping");
    }
}

NETWORK_TEST(SockConnect, to_a_port_where_nobody_listens_is_refused) {
    Socket listener = listening_socket();
    const Address address = listener.getsockname();
    listener.close();
    const Socket client(AddressFamily::ipv4);

    const auto connected = co_await as_result(sock_connect(client, address));

    EXPECT_EQ(describe(connected.error()), "ConnectionRefusedError(111, 'Connection refused')");
    try {
        connected.get();
    } catch (const ConnectionRefusedError& error) {
        EXPECT_EQ(error.doing(),
                  "Connect call failed ('127.0.0.1', " + std::to_string(address.port()) + ")");
    }
}

static Coroutine<> accept_one(Socket& listener, std::optional<Accepted>& out) {
    Accepted accepted = co_await sock_accept(listener);
    out.emplace(std::move(accepted));
    co_await sleep(0);
}

NETWORK_TEST(SockAccept, loses_no_connection_whenever_it_is_cancelled) {
    for (int turns = 0; turns < 8; ++turns) {
        Socket listener = listening_socket();
        std::optional<Accepted> accepted;
        auto task = create_task(accept_one(listener, accepted));
        co_await settle();
        const Socket client(AddressFamily::ipv4);
        co_await sock_connect(client, listener.getsockname());
        for (int i = 0; i < turns; ++i) {
            co_await sleep(0);
        }
        task.cancel();
        const auto result = co_await as_result(task);
        static_cast<void>(result);
        if (!accepted.has_value()) {
            accepted.emplace(co_await sock_accept(listener));
        }
        EXPECT_EQ(accepted->address, client.getsockname()) << turns;
    }
}

static Coroutine<> await_accept(Socket& listener) {
    const Accepted accepted = co_await sock_accept(listener);
    static_cast<void>(accepted);
}

// At every number of turns: before the operation begins, while it waits, and after it has completed
// but before its task has run.
TEST(SockAccept, leaks_no_descriptor_when_the_loop_is_closed) {
    for (int turns = 0; turns < 6; ++turns) {
        const std::size_t before = open_descriptors();
        {
            EventLoop loop;
            loop.set_exception_handler([](EventLoop&, const ExceptionContext&) {});
            const auto body = [](int count) -> Coroutine<> {
                auto listener = std::make_shared<Socket>(listening_socket());
                const auto hold = [](std::shared_ptr<Socket> socket) -> Coroutine<> {
                    co_await await_accept(*socket);
                };
                auto task = create_task(hold(listener));
                co_await sleep(0);
                co_await sleep(0);
                Socket client(AddressFamily::ipv4);
                co_await sock_connect(client, listener->getsockname());
                for (int i = 0; i < count; ++i) {
                    co_await sleep(0);
                }
            };
            loop.run_until_complete(body(turns));
        }
        EXPECT_EQ(open_descriptors(), before) << turns;
    }
}

// ---------------------------------------------------------------------------------- closing

static Coroutine<> receive_error(Socket& socket, std::exception_ptr& error) {
    const auto result = co_await as_result(sock_recv(socket, 10));
    error = result.error();
}

NETWORK_TEST(Socket, ends_what_waits_on_it_when_it_is_closed) {
    Pair pair;
    std::exception_ptr error;
    auto task = create_task(receive_error(pair.ours, error));
    co_await settle();

    pair.ours.close();
    co_await task;
    EXPECT_EQ(describe(error), "OSError(125, 'Operation canceled')");
}

// The operation is still in the loop's list of those to be started, and the number of its
// descriptor is used again at once: it must not receive from that one.
NETWORK_TEST(Socket, ends_what_is_still_to_be_started_when_it_is_closed) {
    Pair pair;
    const int number = pair.ours.fileno();
    std::exception_ptr error;
    auto task = create_task(receive_error(pair.ours, error));
    co_await sleep(0);  // it has begun to wait, and the proactor was not asked yet

    pair.ours.close();
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    EXPECT_TRUE(fds[0] == number || fds[1] == number);
    const int reused = number;
    const int other = fds[0] == number ? fds[1] : fds[0];
    EXPECT_EQ(::send(other, "x", 1, 0), 1);
    co_await task;

    EXPECT_NE(error, nullptr);
    char byte = '\0';
    EXPECT_EQ(::recv(reused, &byte, 1, MSG_DONTWAIT), 1);
    ::close(fds[0]);
    ::close(fds[1]);
}

static Coroutine<> send_error(Socket& socket, const std::string& bytes, std::exception_ptr& error) {
    const auto result = co_await as_result(sock_sendall(socket, bytes));
    error = result.error();
}

/// Two ends of a new Unix socket, one of which has the number `wanted`: that one comes first.
static std::pair<int, int> reuse(int wanted) {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    EXPECT_TRUE(fds[0] == wanted || fds[1] == wanted);
    return fds[0] == wanted ? std::pair(fds[0], fds[1]) : std::pair(fds[1], fds[0]);
}

// A part has been sent just now, and the callback that goes on with the rest is still to run when
// the socket is closed and another one gets its number.
NETWORK_TEST(Socket, sends_nothing_into_another_one_that_gets_its_number) {
    for (const bool reused : {true, false}) {
        for (int how = 0; how < 3; ++how) {
            std::optional<Pair> pair(std::in_place);
            const int theirs = pair->theirs;
            const std::string bytes(4 << 20, 'A');
            std::exception_ptr error;
            auto task = create_task(send_error(pair->ours, bytes, error));
            co_await settle();
            while (!pair->receive().empty()) {}
            char byte = '\0';
            while (::recv(theirs, &byte, 1, MSG_DONTWAIT) != 1) {
                co_await sleep(0);
            }

            const int number = pair->ours.fileno();
            if (how == 0) {
                pair->ours.close();
            } else if (how == 1) {
                ::close(pair->ours.detach());
            } else {
                pair->ours = Socket();
            }
            const auto [other, its_peer] = reused ? reuse(number) : std::pair(-1, -1);
            co_await task;
            EXPECT_EQ(describe(error), "OSError(125, 'Operation canceled')") << how;
            EXPECT_NE(::recv(its_peer, &byte, 1, MSG_DONTWAIT), 1) << how;
            ::close(other);
            ::close(its_peer);
        }
    }
}

// The same for one that knows that there is something to receive, and has not received it yet.
NETWORK_TEST(Socket, receives_nothing_from_another_one_that_gets_its_number) {
    for (int turns = 0; turns < 4; ++turns) {
        Pair pair;
        std::exception_ptr error;
        auto task = create_task(receive_error(pair.ours, error));
        co_await settle();
        pair.send("mine");
        for (int i = 0; i < turns; ++i) {
            co_await sleep(0);
        }
        const int number = pair.ours.fileno();
        pair.ours.close();
        const auto [other, its_peer] = reuse(number);
        EXPECT_EQ(::send(its_peer, "other", 5, 0), 5);
        co_await task;
        char bytes[16] = {};
        EXPECT_EQ(::recv(other, bytes, sizeof bytes, MSG_DONTWAIT), 5) << turns;
        ::close(other);
        ::close(its_peer);
    }
}

NETWORK_TEST(Socket, ends_only_what_waits_on_it_when_it_is_closed) {
    Pair first;
    Pair second;
    std::exception_ptr errors[4];
    std::string got;
    auto one = create_task(receive_error(first.ours, errors[0]));
    auto two = create_task(receive_error(first.ours, errors[1]));
    auto other = create_task(receive_into(second.ours, got));
    co_await settle();
    Socket moved = std::move(first.ours);
    moved.close();
    co_await one;
    co_await two;
    EXPECT_EQ(describe(errors[0]), "OSError(125, 'Operation canceled')");
    EXPECT_EQ(describe(errors[1]), "OSError(125, 'Operation canceled')");
    EXPECT_FALSE(other.done());
    second.send("x");
    co_await other;
    EXPECT_EQ(got, "x|not cancelled");
}

NETWORK_TEST(Socket, cannot_be_used_after_it_is_closed) {
    Pair pair;
    pair.ours.close();
    const auto received = co_await as_result(sock_recv(pair.ours, 10));
    EXPECT_EQ(describe(received.error()), "OSError(9, 'Bad file descriptor')");
    const auto sent = co_await as_result(sock_sendall(pair.ours, "x"));
    EXPECT_EQ(describe(sent.error()), "OSError(9, 'Bad file descriptor')");
}

// ------------------------------------------------------------------------------- getaddrinfo

NETWORK_TEST(GetAddrInfo, converts_numeric_addresses_without_a_thread) {
    const auto v4 = co_await getaddrinfo("127.0.0.1", 80, {.type = SocketType::stream});
    EXPECT_EQ(v4.size(), 1U);
    EXPECT_EQ(v4.at(0).address, Address("127.0.0.1", 80));
    EXPECT_EQ(v4.at(0).family, AddressFamily::ipv4);
    EXPECT_EQ(v4.at(0).proto, IPPROTO_TCP);

    const auto v6 = co_await getaddrinfo("::1", 53, {.type = SocketType::datagram});
    EXPECT_EQ(v6.size(), 1U);
    EXPECT_EQ(v6.at(0).address, Address("::1", 53));
    EXPECT_EQ(v6.at(0).type, SocketType::datagram);

    const auto any = co_await getaddrinfo("::1", 53);
    EXPECT_EQ(any.size(), 3U);
    auto& pool = dynamic_cast<ThreadPoolExecutor&>(get_running_loop().resolver_executor());
    EXPECT_EQ(pool.threads(), 0U);
}

NETWORK_TEST(GetAddrInfo, looks_names_and_services_up) {
    const AddressInfoOptions options{.family = AddressFamily::ipv4, .type = SocketType::stream};
    const auto by_port = co_await getaddrinfo("localhost", 80, options);
    EXPECT_EQ(by_port.at(0).address, Address("127.0.0.1", 80));
    const auto by_service = co_await getaddrinfo("localhost", "http", options);
    EXPECT_EQ(by_service.at(0).address, Address("127.0.0.1", 80));
    const auto local = co_await getaddrinfo(std::string_view(), 80, options);
    EXPECT_EQ(local.at(0).address, Address("127.0.0.1", 80));
}

ASYNC_TEST(GetAddrInfo, is_not_held_up_by_calls_that_hang_in_threads) {
    auto& loop = get_running_loop();
    loop.set_default_executor(
        std::make_shared<ThreadPoolExecutor>(ThreadPoolOptions{.max_workers = 1}));
    std::promise<void> door;
    auto hangs = loop.run_in_executor(nullptr, [&door] { door.get_future().wait(); });

    const auto found = co_await getaddrinfo("localhost", 80);

    EXPECT_FALSE(found.empty());
    EXPECT_FALSE(hangs.done());
    door.set_value();
    co_await hangs;
}

// A server of names that does not answer.
ASYNC_TEST(GetAddrInfo, that_hangs_holds_up_nothing_else) {
    auto& loop = get_running_loop();
    std::promise<void> door;
    const std::shared_future<void> opened = door.get_future().share();
    std::vector<Future<>> hanging;
    for (int i = 0; i < 200; ++i) {
        hanging.push_back(
            loop.run_in_executor(&loop.resolver_executor(), [opened] { opened.wait(); }));
    }
    auto waiting = create_task(getaddrinfo("localhost", 80));

    EXPECT_EQ(co_await to_thread([] { return 42; }), 42);
    const auto numeric = co_await getaddrinfo("127.0.0.1", 80);
    EXPECT_FALSE(numeric.empty());
    EXPECT_FALSE(waiting.done());
    door.set_value();
    const auto found = co_await waiting;
    EXPECT_FALSE(found.empty());
    for (Future<>& each : hanging) {
        co_await each;
    }
}

NETWORK_TEST(GetAddrInfo, reports_what_the_resolver_says) {
    const auto unknown =
        co_await as_result(getaddrinfo("127.0.0.1", 80, {.family = AddressFamily::ipv6}));
    EXPECT_EQ(describe(unknown.error()).substr(0, 9), "gaierror(");
    const auto empty = co_await as_result(getaddrinfo("", 80));
    EXPECT_EQ(describe(empty.error()), "gaierror(-2, 'Name or service not known')");
    const auto service = co_await as_result(getaddrinfo("127.0.0.1", "no-such-service"));
    EXPECT_EQ(describe(service.error()).substr(0, 9), "gaierror(");
    const std::string long_name(5000, 'a');
    const auto too_long = co_await as_result(getaddrinfo(long_name, 80));
    EXPECT_FALSE(too_long.has_value());
}

TEST(GetAddrInfo, refuses_what_the_resolver_would_cut_off) {
    EXPECT_THROW(static_cast<void>(getaddrinfo(std::string_view("::1\0x", 5), 80)),
                 std::invalid_argument);
    EXPECT_THROW(static_cast<void>(getaddrinfo("::1", std::string_view("80\0", 3))),
                 std::invalid_argument);
    EXPECT_THROW(static_cast<void>(getaddrinfo("::1", 65536)), std::invalid_argument);
    EXPECT_THROW(static_cast<void>(getaddrinfo("::1", -1)), std::invalid_argument);
}

NETWORK_TEST(GetAddrInfo, can_be_cancelled_while_the_lookup_goes_on) {
    const auto look_up = []() -> Coroutine<> {
        const auto infos = co_await getaddrinfo("localhost", 80);
        static_cast<void>(infos);
    };
    for (int turns = 0; turns < 4; ++turns) {
        auto task = create_task(look_up());
        for (int i = 0; i < turns; ++i) {
            co_await sleep(0);
        }
        task.cancel();
        const auto result = co_await as_result(task);
        EXPECT_TRUE(result.cancelled() || result.has_value());
    }
}
