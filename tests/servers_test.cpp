// servers_test.cpp - start_server(): accepting, handlers, and how a server ends.
//
// SPDX-License-Identifier: MIT
#include <asyncio/servers.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/with.hpp>

#include "support/network.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

using namespace asyncio;
using asyncio::testing::Faults;
using asyncio::testing::open_descriptors;
using asyncio::testing::Peer;
using asyncio::testing::PeerListener;
using asyncio::testing::run_with_faults;
using asyncio::testing::settle;

namespace {

Coroutine<> echo(StreamReader reader, StreamWriter writer) {
    for (;;) {
        const std::string piece = co_await reader.read(65536);
        if (piece.empty()) {
            break;
        }
        writer.write(piece);
        co_await writer.drain();
    }
    writer.close();
    co_await writer.wait_closed();
}

Coroutine<> serve_nothing(StreamReader, StreamWriter) {
    co_return;
}

int port_of(const Server& server) {
    return server.addresses().at(0).port();
}

Coroutine<std::string> ask(int port, std::string question) {
    auto [reader, writer] = co_await open_connection("127.0.0.1", port);
    writer.write(question);
    writer.write_eof();
    std::string answer = co_await reader.read();
    writer.close();
    co_await writer.wait_closed();
    co_return answer;
}

Coroutine<> wait_closed(Server server) {
    co_await server.wait_closed();
}

/// What the exception handler of the running loop gets.
class Reports {
public:
    Reports() : loop_(get_running_loop()) {
        loop_.set_exception_handler([this](EventLoop&, const ExceptionContext& context) {
            all.push_back(context.message + ": " + describe(context.exception));
        });
    }
    Reports(const Reports&) = delete;
    Reports& operator=(const Reports&) = delete;
    ~Reports() { loop_.set_exception_handler(nullptr); }

    std::vector<std::string> all;

private:
    EventLoop& loop_;
};

}  // namespace

// ---------------------------------------------------------------------------------- serving

NETWORK_TEST(Server, serves_connections) {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    EXPECT_TRUE(server.is_serving());
    EXPECT_EQ(&server.get_loop(), &get_running_loop());
    EXPECT_EQ(server.sockets().size(), 1U);
    EXPECT_EQ(server.sockets().at(0).getsockname(), server.addresses().at(0));

    const std::string answer = co_await ask(port_of(server), "hello");
    EXPECT_EQ(answer, "hello");

    server.close();
    EXPECT_FALSE(server.is_serving());
    EXPECT_TRUE(server.sockets().empty());
    EXPECT_TRUE(server.addresses().empty());
    server.close();
    co_await server.wait_closed();
}

NETWORK_TEST(Server, serves_many_connections_at_once) {
    constexpr std::size_t count = 300;
    Server server = co_await start_server(echo, "127.0.0.1", 0, {.backlog = 500});
    std::vector<Task<std::string>> tasks;
    for (std::size_t i = 0; i < count; ++i) {
        tasks.push_back(create_task(ask(port_of(server), std::string(i * 100, 'x'))));
    }
    for (std::size_t i = 0; i < count; ++i) {
        const std::string answer = co_await tasks[i];
        EXPECT_EQ(answer.size(), i * 100);
    }
    server.close();
    co_await server.wait_closed();
}

NETWORK_TEST(Server, sends_small_writes_without_delay) {
    int nodelay = 0;
    const auto look = [&nodelay](StreamReader, StreamWriter writer) {
        nodelay = writer.socket().getsockopt(IPPROTO_TCP, TCP_NODELAY);
    };
    Server server = co_await start_server(look, "127.0.0.1", 0);
    const std::string none = co_await ask(port_of(server), "");
    EXPECT_NE(nodelay, 0);
    server.close();
}

NETWORK_TEST(Server, tells_handlers_who_the_peer_is) {
    Address peer;
    Address own;
    const auto look = [&](StreamReader, StreamWriter writer) {
        peer = writer.peername();
        own = writer.sockname();
    };
    Server server = co_await start_server(look, "127.0.0.1", 0);
    auto [reader, writer] = co_await open_connection("127.0.0.1", port_of(server));
    const std::string end = co_await reader.read();
    EXPECT_EQ(peer, writer.sockname());
    EXPECT_EQ(own, writer.peername());
    server.close();
}

NETWORK_TEST(Server, serves_on_when_its_handle_is_dropped) {
    int port = 0;
    {
        const Server server = co_await start_server(echo, "127.0.0.1", 0);
        port = port_of(server);
    }
    const std::string answer = co_await ask(port, "still there");
    EXPECT_EQ(answer, "still there");
}

NETWORK_TEST(Server, begins_to_serve_when_it_is_told_to) {
    Server server = co_await start_server(echo, "127.0.0.1", 0, {.start_serving = false});
    EXPECT_FALSE(server.is_serving());
    EXPECT_EQ(server.sockets().size(), 1U);
    const auto refused = co_await as_result(ask(port_of(server), "x"));
    EXPECT_EQ(describe(refused.error()), "ConnectionRefusedError(111, 'Connection refused')");

    co_await server.start_serving();
    co_await server.start_serving();
    EXPECT_TRUE(server.is_serving());
    const std::string answer = co_await ask(port_of(server), "now");
    EXPECT_EQ(answer, "now");

    server.close();
    const auto closed = co_await as_result(server.start_serving());
    EXPECT_EQ(describe(closed.error()), "RuntimeError('server <Server sockets=()> is closed')");
}

NETWORK_TEST(Server, that_was_never_started_closes_its_sockets) {
    const std::size_t before = open_descriptors();
    {
        const Server server = co_await start_server(echo, "", 0, {.start_serving = false});
        EXPECT_GT(open_descriptors(), before);
    }
    EXPECT_EQ(open_descriptors(), before);
}

// ---------------------------------------------------------------------------------- binding

// A11
NETWORK_TEST(Server, listens_on_all_interfaces_with_one_port) {
    for (int i = 0; i < 10; ++i) {
        Server server = co_await start_server(echo, "", 0);
        const std::vector<Address> addresses = server.addresses();
        EXPECT_EQ(addresses.size(), 2U);
        EXPECT_EQ(addresses.at(0).host(), "0.0.0.0");
        EXPECT_EQ(addresses.at(1).host(), "::");
        EXPECT_GT(addresses.at(0).port(), 0);
        EXPECT_EQ(addresses.at(0).port(), addresses.at(1).port());

        const std::string by_v4 = co_await ask(addresses.at(0).port(), "4");
        EXPECT_EQ(by_v4, "4");
        auto [reader, writer] = co_await open_connection("::1", addresses.at(0).port());
        writer.write("6");
        const std::string by_v6 = co_await reader.read(10);
        EXPECT_EQ(by_v6, "6");
        server.close();
    }
    Server same = co_await start_server(echo, nullptr, 0);
    EXPECT_EQ(same.addresses().size(), 2U);
    same.close();
}

NETWORK_TEST(Server, listens_on_the_family_that_is_asked_for) {
    Server server = co_await start_server(echo, "", 0, {.family = AddressFamily::ipv6});
    EXPECT_EQ(server.addresses().size(), 1U);
    EXPECT_EQ(server.addresses().at(0).host(), "::");
    server.close();
}

NETWORK_TEST(Server, listens_on_several_hosts_once_each) {
    const std::vector<std::string> hosts{"127.0.0.1", "::1", "127.0.0.1", "127.0.0.2"};
    Server server = co_await start_server(echo, hosts, 0);
    std::vector<std::string> bound;
    for (const Address& address : server.addresses()) {
        bound.push_back(address.host());
        EXPECT_EQ(address.port(), port_of(server));
    }
    EXPECT_EQ(bound, (std::vector<std::string>{"127.0.0.1", "::1", "127.0.0.2"}));
    server.close();
}

NETWORK_TEST(Server, leaves_nothing_open_if_an_address_is_taken) {
    const PeerListener taken;
    const std::size_t before = open_descriptors();
    const std::vector<std::string> hosts{"::1", "127.0.0.1"};
    const auto failed = co_await as_result(start_server(echo, hosts, taken.port()));
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_FALSE(failed.has_value());
    try {
        std::rethrow_exception(failed.error());
    } catch (const OSError& error) {
        EXPECT_EQ(error.error_number(), EADDRINUSE);
        EXPECT_EQ(error.what(), "error while attempting to bind on address ('127.0.0.1', " +
                                    std::to_string(taken.port()) + "): Address already in use");
    }
}

NETWORK_TEST(Server, does_not_bind_to_an_address_of_another_machine) {
    const auto failed = co_await as_result(start_server(echo, "192.0.2.1", 1));
    EXPECT_FALSE(failed.has_value());
    try {
        std::rethrow_exception(failed.error());
    } catch (const OSError& error) {
        EXPECT_EQ(error.doing(), "could not bind on any address out of [('192.0.2.1', 1)]");
    }
    const auto limit = co_await as_result(start_server(echo, "127.0.0.1", 0, {.limit = 0}));
    EXPECT_EQ(describe(limit.error()), "ValueError('Limit cannot be <= 0')");
}

NETWORK_TEST(Server, shares_a_port_if_asked_to) {
    Server first = co_await start_server(echo, "127.0.0.1", 0, {.reuse_port = true});
    Server second = co_await start_server(echo, "127.0.0.1", port_of(first), {.reuse_port = true});
    EXPECT_EQ(port_of(first), port_of(second));
    for (int i = 0; i < 20; ++i) {
        const std::string answer = co_await ask(port_of(first), "x");
        EXPECT_EQ(answer, "x");
    }
    first.close();
    second.close();
}

// --------------------------------------------------------------------------------- handlers

NETWORK_TEST(Handler, may_be_a_function_that_returns_nothing) {
    std::vector<Task<>> tasks;
    const auto accept = [&tasks](StreamReader reader, StreamWriter writer) {
        tasks.push_back(create_task(echo(std::move(reader), std::move(writer))));
    };
    Server server = co_await start_server(accept, "127.0.0.1", 0);
    const std::string answer = co_await ask(port_of(server), "plain");
    EXPECT_EQ(answer, "plain");
    EXPECT_EQ(tasks.size(), 1U);
    server.close();
}

NETWORK_TEST(Handler, may_return_a_task) {
    const auto accept = [](StreamReader reader, StreamWriter writer) {
        return create_task(echo(std::move(reader), std::move(writer)));
    };
    Server server = co_await start_server(accept, "127.0.0.1", 0);
    const std::string answer = co_await ask(port_of(server), "task");
    EXPECT_EQ(answer, "task");
    server.close();
}

// Its coroutine uses the captures of the lambda: the server keeps it as long as it is needed.
NETWORK_TEST(Handler, keeps_its_captures_until_its_last_connection_is_served) {
    auto greeting =
        std::make_shared<std::string>("a greeting that is too long to be stored inline ");
    const std::weak_ptr<std::string> alive = greeting;
    std::optional<Server> server;
    {
        auto greet = [greeting = std::move(greeting)](StreamReader reader,
                                                      StreamWriter writer) -> Coroutine<> {
            const std::string name = co_await reader.readline();
            co_await sleep(1);
            writer.write(*greeting + name);
            writer.close();
        };
        server.emplace(co_await start_server(std::move(greet), "127.0.0.1", 0));
    }
    auto [reader, writer] = co_await open_connection("127.0.0.1", port_of(*server));
    writer.write("Bob\n");
    co_await settle();
    server->close();
    server.reset();
    EXPECT_FALSE(alive.expired());
    const std::string text = co_await reader.read();
    EXPECT_EQ(text, "a greeting that is too long to be stored inline Bob\n");
    writer.close();
    co_await settle();
    EXPECT_TRUE(alive.expired());
}

NETWORK_TEST(Handler, that_throws_is_reported_and_its_connection_closed) {
    const Reports reports;
    const auto fail = [](StreamReader reader, StreamWriter writer) -> Coroutine<> {
        const std::string line = co_await reader.readline();
        writer.write("sent before ");
        throw RuntimeError("test " + line);
    };
    Server server = co_await start_server(fail, "127.0.0.1", 0);
    const std::string answer = co_await ask(port_of(server), "x");
    EXPECT_EQ(answer, "sent before ");
    server.close();
    co_await server.wait_closed();
    co_await settle();
    EXPECT_EQ(reports.all,
              (std::vector<std::string>{
                  "Unhandled exception in client_connected_cb: RuntimeError('test x')"}));
}

NETWORK_TEST(Handler, that_throws_without_being_a_coroutine_is_reported_too) {
    const Reports reports;
    const auto fail = [](StreamReader, StreamWriter) { throw RuntimeError("plain"); };
    Server server = co_await start_server(fail, "127.0.0.1", 0);
    const std::string answer = co_await ask(port_of(server), "");
    EXPECT_EQ(answer, "");
    server.close();
    co_await server.wait_closed();
    EXPECT_EQ(reports.all,
              (std::vector<std::string>{
                  "Unhandled exception in client_connected_cb: RuntimeError('plain')"}));
}

NETWORK_TEST(Handler, that_is_cancelled_closes_its_connection_and_is_not_reported) {
    const Reports reports;
    AnyTask task;
    const auto wait = [&task](StreamReader, StreamWriter writer) -> Coroutine<> {
        task = current_task();
        writer.write("x");
        co_await sleep(1000);
    };
    Server server = co_await start_server(wait, "127.0.0.1", 0);
    auto [reader, writer] = co_await open_connection("127.0.0.1", port_of(server));
    const std::string first = co_await reader.read(1);
    EXPECT_EQ(first, "x");
    task.cancel();
    const std::string end = co_await reader.read();
    EXPECT_EQ(end, "");
    server.close();
    co_await server.wait_closed();
    EXPECT_TRUE(reports.all.empty());
}

NETWORK_TEST(Handler, that_forgets_to_close_its_connection_has_it_closed) {
    Server server = co_await start_server(serve_nothing, "127.0.0.1", 0);
    const std::string answer = co_await ask(port_of(server), "");
    EXPECT_EQ(answer, "");
    server.close();
    co_await server.wait_closed();
}

// ----------------------------------------------------------------------------------- errors

// A1, with the real thing: this process can have no descriptor.
static Coroutine<> run_out_of_descriptors(Faults& faults) {
    const Reports reports;
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    Peer first = Peer::connect(port_of(server));
    const Peer second = Peer::connect(port_of(server));
    faults.no_descriptors = true;
    co_await sleep(10.5);
    EXPECT_EQ(reports.all, (std::vector<std::string>{"socket.accept() out of system resource: "
                                                     "OSError(24, 'Too many open files')"}));
    faults.no_descriptors = false;
    first.send("served at last");
    const std::string answer = co_await first.receive_exactly(14);
    EXPECT_EQ(answer, "served at last");
    server.close();
}

TEST(Accept, waits_a_second_when_there_are_no_descriptors) {
    Faults faults;
    run_with_faults(faults, run_out_of_descriptors(faults));
}

static Coroutine<> survive_accept_errors(Faults& faults, std::vector<int> errors) {
    const Reports reports;
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    for (const int error : errors) {
        faults.accept_errors = {error, error, error};
        const std::string answer = co_await ask(port_of(server), "still there");
        EXPECT_EQ(answer, "still there") << error;
    }
    server.close();
    co_await server.wait_closed();
    EXPECT_TRUE(reports.all.empty());
}

// A2
TEST(Accept, goes_on_after_errors_of_single_connections) {
    for (const unsigned refuse : {0U, 1U}) {
        Faults faults;
        faults.refuse_attempts = refuse;
        run_with_faults(faults, survive_accept_errors(faults, {ECONNABORTED, EPROTO, EPERM, EINTR,
                                                               ENETDOWN, ENOPROTOOPT, EHOSTDOWN,
                                                               ENONET, EHOSTUNREACH, ENETUNREACH}));
    }
}

/// How many seconds pass until a connection is served, where so many accepts fail.
static Coroutine<long> seconds_to_serve(Faults& faults, int port, int error, std::size_t failures) {
    faults.accept_errors.assign(failures, error);
    const std::string first = co_await ask(port, "x");  // this one was being accepted already
    EXPECT_EQ(first, "x");
    faults.accepts = 0;
    EventLoop& loop = get_running_loop();
    const TimePoint start = loop.time();
    const std::string second = co_await ask(port, "y");
    EXPECT_EQ(second, "y");
    co_return std::chrono::round<std::chrono::seconds>(loop.time() - start).count();
}

static Coroutine<> run_out_of(Faults& faults, int error) {
    const Reports reports;
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    const long five = co_await seconds_to_serve(faults, port_of(server), error, 5);
    EXPECT_EQ(five, 5);
    EXPECT_LE(faults.accepts, 12);
    EXPECT_EQ(reports.all.size(), 1U);

    // Another time it is reported again.
    const long two = co_await seconds_to_serve(faults, port_of(server), error, 2);
    EXPECT_EQ(two, 2);
    EXPECT_EQ(reports.all.size(), 2U);

    // A server that waits can be closed.
    faults.accept_errors.assign(1000, error);
    const std::string last = co_await ask(port_of(server), "z");
    EXPECT_EQ(last, "z");
    co_await sleep(2.5);
    EXPECT_EQ(reports.all.size(), 3U);
    EXPECT_LE(faults.accepts, 16);
    server.close();
    co_await server.wait_closed();
    faults.accept_errors.clear();
}

TEST(Accept, backs_off_when_the_system_is_out_of_something) {
    for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM, EBADF}) {
        SCOPED_TRACE(error);
        Faults faults;
        run_with_faults(faults, run_out_of(faults, error));
    }
}

// The loop is closed while a server waits for descriptors.
TEST(Accept, leaves_nothing_behind_when_the_loop_is_closed) {
    const std::size_t before = open_descriptors();
    for (const bool out_of_descriptors : {false, true}) {
        for (int turns = 0; turns < 6; ++turns) {
            Faults faults;
            if (out_of_descriptors) {
                faults.accept_errors.assign(1000, EMFILE);
            }
            auto body = [](int count) -> Coroutine<> {
                get_running_loop().set_exception_handler(
                    [](EventLoop&, const ExceptionContext&) {});
                const Server server = co_await start_server(echo, "127.0.0.1", 0);
                const Peer peer = Peer::connect(port_of(server));
                for (int i = 0; i < count; ++i) {
                    co_await sleep(0);
                }
                if (count == 5) {
                    co_await sleep(0.5);
                }
            };
            run_with_faults(faults, body(turns));
            EXPECT_EQ(open_descriptors(), before) << turns;
        }
    }
}

// A3
NETWORK_TEST(Accept, survives_connections_that_are_reset_before) {
    const Reports reports;
    Server server = co_await start_server(serve_nothing, "127.0.0.1", 0, {.start_serving = false});
    co_await server.start_serving();
    for (int i = 0; i < 20; ++i) {
        Peer peer = Peer::connect(port_of(server));
        peer.reset();
    }
    const std::string answer = co_await ask(port_of(server), "");
    EXPECT_EQ(answer, "");
    server.close();
    co_await server.wait_closed();
    EXPECT_TRUE(reports.all.empty());
}

// A4
NETWORK_TEST(Accept, lets_others_run_between_many_connections) {
    constexpr std::size_t count = 200;
    std::size_t served = 0;
    const auto serve = [&served](StreamReader, StreamWriter) { ++served; };
    Server server = co_await start_server(serve, "127.0.0.1", 0, {.backlog = 300});
    std::vector<Peer> peers;
    for (std::size_t i = 0; i < count; ++i) {
        peers.push_back(Peer::connect(port_of(server)));
    }
    std::size_t most = 0;
    while (served < count) {
        const std::size_t before = served;
        co_await sleep(0);
        most = std::max(most, served - before);
    }
    EXPECT_LE(most, 50U);
    server.close();
}

// ------------------------------------------------------------------------------- SystemExit

/// Runs `body`, which is left by a SystemExit.
static void run_until_exit(EventLoop& loop, Coroutine<> body) {
    EXPECT_THROW(loop.run_until_complete(std::move(body)), SystemExit);
}

static Coroutine<> connect_and_wait(std::optional<Server>& server, const auto& handler) {
    server.emplace(co_await start_server(handler, "127.0.0.1", 0));
    const Peer peer = Peer::connect(port_of(*server));
    co_await sleep(1000);
}

static Coroutine<> connect_and_read(int port, std::string& answer) {
    Peer peer = Peer::connect(port);
    answer = co_await peer.receive_all();
}

// The number of a listener that was closed may be another one's when the SystemExit comes by.
TEST(SystemExit, of_a_handler_that_closes_the_server_starts_nothing_again) {
    const asyncio::testing::VirtualClockScope clock;
    EventLoop loop;
    loop.set_exception_handler([](EventLoop&, const ExceptionContext&) {});
    std::optional<Server> server;
    std::unique_ptr<PeerListener> reused;
    const auto handler = [&](StreamReader, StreamWriter) {
        const int number = server->sockets().at(0).fileno();
        server->close();
        reused = std::make_unique<PeerListener>();
        EXPECT_EQ(reused->fileno(), number);
        throw SystemExit();
    };
    run_until_exit(loop, connect_and_wait(server, handler));

    const Peer peer = Peer::connect(reused->port());
    const auto wait = []() -> Coroutine<> { co_await settle(); };
    loop.run_until_complete(wait());
    EXPECT_EQ(::fcntl(reused->fileno(), F_SETFL, O_NONBLOCK), 0);
    EXPECT_GE(reused->accept().fileno(), 0);  // nobody else has taken it
}

// Of a handler, and of what reports an error of one: the server goes on when the loop does.
TEST(SystemExit, leaves_a_server_that_serves_on) {
    for (const bool of_report : {false, true}) {
        const asyncio::testing::VirtualClockScope clock;
        EventLoop loop;
        loop.set_exception_handler([](EventLoop&, const ExceptionContext&) { throw SystemExit(); });
        std::optional<Server> server;
        int calls = 0;
        const auto handler = [&](StreamReader, StreamWriter writer) {
            if (++calls > 1) {
                writer.write("served");
                return;
            }
            if (of_report) {
                throw RuntimeError("to be reported");
            }
            throw SystemExit();
        };
        run_until_exit(loop, connect_and_wait(server, handler));
        std::string answer;
        loop.run_until_complete(connect_and_read(port_of(*server), answer));
        EXPECT_EQ(answer, "served");
        loop.set_exception_handler([](EventLoop&, const ExceptionContext&) {});
    }
}

// A coroutine's error is reported, and its connection closed, whatever the report comes to.
TEST(SystemExit, of_a_report_closes_the_connection) {
    const asyncio::testing::VirtualClockScope clock;
    EventLoop loop;
    loop.set_exception_handler([](EventLoop&, const ExceptionContext&) { throw SystemExit(); });
    std::optional<Server> server;
    std::optional<StreamWriter> kept;  // so that it is not closed for want of handles
    const auto handler = [&kept](StreamReader, StreamWriter writer) -> Coroutine<> {
        kept.emplace(std::move(writer));
        co_await sleep(0);
        throw RuntimeError("to be reported");
    };
    run_until_exit(loop, connect_and_wait(server, handler));
    const auto end = [](Server of) -> Coroutine<> {
        of.close();
        co_await of.wait_closed();
    };
    EXPECT_TRUE(kept->is_closing());
    loop.run_until_complete(end(*server));
    loop.set_exception_handler([](EventLoop&, const ExceptionContext&) {});
}

// --------------------------------------------------------------------------------- the end

// Nobody has a handle to close it by.
NETWORK_TEST(Server, is_closed_when_its_start_is_cancelled) {
    const std::size_t before = open_descriptors();
    const auto start = [](std::optional<Server>& out) -> Coroutine<> {
        out.emplace(co_await start_server(serve_nothing, "127.0.0.1", 0));
    };
    bool started = false;
    for (int turns = 0; turns < 5; ++turns) {
        std::optional<Server> server;
        auto task = create_task(start(server));
        for (int i = 0; i < turns; ++i) {
            co_await sleep(0);
        }
        task.cancel();
        co_await settle();
        EXPECT_EQ(task.cancelled(), !server.has_value());
        started = started || server.has_value();
        if (server.has_value()) {
            server->close();
        }
        co_await settle();
        EXPECT_EQ(open_descriptors(), before) << turns;
    }
    EXPECT_TRUE(started);
}

// A8: connections that are complete but not accepted are refused, and nothing leaks.
NETWORK_TEST(Close, refuses_connections_that_wait_to_be_accepted) {
    const std::size_t before = open_descriptors();
    for (int turns = 0; turns < 4; ++turns) {
        Server server = co_await start_server(echo, "127.0.0.1", 0);
        Peer peer = Peer::connect(port_of(server));
        for (int i = 0; i < turns; ++i) {
            co_await sleep(0);
        }
        server.close();
        server.close_clients();
        const std::string nothing = co_await peer.receive_all();
        EXPECT_EQ(nothing, "");
        co_await server.wait_closed();
        peer.close();
        co_await settle();
        EXPECT_EQ(open_descriptors(), before) << turns;
    }
}

// A9
NETWORK_TEST(WaitClosed, waits_for_the_server_and_its_connections) {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    auto first = create_task(wait_closed(server));
    co_await settle();
    EXPECT_FALSE(first.done());  // not closed, no connection

    auto [reader, writer] = co_await open_connection("127.0.0.1", port_of(server));
    auto second = create_task(wait_closed(server));
    co_await settle();
    EXPECT_FALSE(second.done());  // not closed, a connection

    server.close();
    auto third = create_task(wait_closed(server));
    co_await settle();
    EXPECT_FALSE(first.done());  // closed, a connection
    EXPECT_FALSE(third.done());

    writer.close();
    co_await first;
    co_await second;
    co_await third;
    co_await server.wait_closed();
}

NETWORK_TEST(WaitClosed, can_be_cancelled) {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    auto task = create_task(wait_closed(server));
    co_await settle();
    task.cancel();
    co_await settle();
    EXPECT_TRUE(task.cancelled());
    server.close();
    co_await server.wait_closed();
}

NETWORK_TEST(CloseClients, closes_connections_after_what_was_written) {
    const auto greet = [](StreamReader reader, StreamWriter writer) -> Coroutine<> {
        writer.write(std::string(16 << 20, 'x'));
        const std::string none = co_await reader.read();
        co_await writer.wait_closed();
    };
    Server server = co_await start_server(greet, "127.0.0.1", 0);
    Peer peer = Peer::connect(port_of(server));
    co_await settle();
    auto waiting = create_task(wait_closed(server));
    server.close();
    server.close_clients();
    co_await settle();
    EXPECT_FALSE(waiting.done());
    const std::string got = co_await peer.receive_all();
    EXPECT_EQ(got.size(), std::size_t{16} << 20);
    co_await waiting;
}

NETWORK_TEST(CloseClients, takes_two_turns) {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    auto [reader, writer] = co_await open_connection("127.0.0.1", port_of(server));
    co_await settle();
    auto waiting = create_task(wait_closed(server));
    co_await settle();
    server.close();
    server.close_clients();
    co_await sleep(0);
    co_await sleep(0);
    EXPECT_TRUE(waiting.done());
}

NETWORK_TEST(AbortClients, drops_what_was_written) {
    const auto flood = [](StreamReader, StreamWriter writer) -> Coroutine<> {
        writer.write(std::string(16 << 20, 'x'));
        co_await writer.wait_closed();
    };
    Server server = co_await start_server(flood, "127.0.0.1", 0);
    Peer peer = Peer::connect(port_of(server));
    co_await settle();
    auto waiting = create_task(wait_closed(server));
    co_await settle();
    server.close();
    server.abort_clients();
    co_await sleep(0);
    co_await sleep(0);
    EXPECT_TRUE(waiting.done());
    const std::string got = co_await peer.receive_all();
    EXPECT_LT(got.size(), std::size_t{16} << 20);
}

static Coroutine<> serve_forever(Server server) {
    co_await server.serve_forever();
}

NETWORK_TEST(ServeForever, ends_when_it_is_cancelled_with_its_connections) {
    Server server = co_await start_server(echo, "127.0.0.1", 0, {.start_serving = false});
    auto task = create_task(serve_forever(server));
    co_await settle();
    EXPECT_TRUE(server.is_serving());
    auto [reader, writer] = co_await open_connection("127.0.0.1", port_of(server));
    writer.write("x");
    const std::string echoed = co_await reader.read(1);
    EXPECT_EQ(echoed, "x");

    task.cancel();
    const auto result = co_await as_result(task);
    EXPECT_TRUE(result.cancelled());
    EXPECT_TRUE(task.cancelled());
    EXPECT_FALSE(server.is_serving());
    const std::string end = co_await reader.read();
    EXPECT_EQ(end, "");
}

NETWORK_TEST(ServeForever, ends_with_a_cancellation_when_the_server_is_closed) {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    auto task = create_task(serve_forever(server));
    co_await settle();
    server.close();
    const auto result = co_await as_result(task);
    EXPECT_TRUE(result.cancelled());
}

NETWORK_TEST(ServeForever, is_awaited_once_and_only_before_the_end) {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    auto task = create_task(serve_forever(server));
    co_await settle();
    const auto twice = co_await as_result(server.serve_forever());
    const TransportSocket socket = server.sockets().at(0);
    EXPECT_EQ(describe(twice.error()),
              "RuntimeError(\"server <Server sockets=(<asyncio.TransportSocket fd=" +
                  std::to_string(socket.fileno()) +
                  ", family=2, type=1, proto=6, laddr=('127.0.0.1', " +
                  std::to_string(port_of(server)) +
                  ")>,)> is already being awaited on serve_forever()\")");
    task.cancel();
    co_await settle();
    const auto after = co_await as_result(server.serve_forever());
    EXPECT_EQ(describe(after.error()), "RuntimeError('server <Server sockets=()> is closed')");
}

NETWORK_TEST(Server, is_closed_and_awaited_at_the_end_of_with) {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    const int port = port_of(server);
    const std::string answer =
        co_await with(server, [&](Server& entered) -> Coroutine<std::string> {
            EXPECT_TRUE(entered.is_serving());
            co_return co_await ask(port, "inside");
        });
    EXPECT_EQ(answer, "inside");
    EXPECT_FALSE(server.is_serving());
    const auto refused = co_await as_result(ask(port, "x"));
    EXPECT_FALSE(refused.has_value());
}

// The scene of CPython's test_start_server_1.
NETWORK_TEST(Server, is_ended_by_a_handler_that_cancels_who_serves) {
    Task<> main;
    const auto stop = [&main](StreamReader reader, StreamWriter writer) -> Coroutine<> {
        const std::string line = co_await reader.readline();
        main.cancel();
        writer.write("1");
        writer.close();
        co_await writer.wait_closed();
    };
    Server server = co_await start_server(stop, "127.0.0.1", 0, {.start_serving = false});
    const auto serve = [](Server served) -> Coroutine<> {
        co_await with(served, [&served]() -> Coroutine<> { co_await served.serve_forever(); });
    };
    main = create_task(serve(server));
    co_await settle();
    auto [reader, writer] = co_await open_connection("127.0.0.1", port_of(server));
    writer.write(std::string(5 * 1024, '1') + "\n");
    const std::string answer = co_await reader.read();
    EXPECT_EQ(answer, "1");
    const auto result = co_await as_result(main);
    EXPECT_TRUE(result.cancelled());
}

// Runner cancels the tasks that are left, closes the loop, and nothing stays open.
TEST(Server, leaves_nothing_behind_when_the_program_ends) {
    const std::size_t before = open_descriptors();
    for (int i = 0; i < 20; ++i) {
        const auto main = [](int connections) -> Coroutine<> {
            Server server = co_await start_server(echo, "", 0);
            std::vector<StreamPair> kept;
            for (int k = 0; k < connections; ++k) {
                kept.push_back(co_await open_connection("127.0.0.1", port_of(server)));
                kept.back().writer.write(std::string(16 << 20, 'x'));
            }
        };
        run(main(i % 4));
    }
    EXPECT_EQ(open_descriptors(), before);
}
