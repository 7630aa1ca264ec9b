// failing_calls_test.cpp - each system call, and each operation, of what programs do with the
// network fails, in turn.
//
// SPDX-License-Identifier: MIT
#include "support/each_operation.hpp"
#include "support/each_system_call.hpp"

#include <asyncio/sockets.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/testing/contracts.hpp>
#include <asyncio/timeouts.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace asyncio {

namespace {

using testing::expect_survives_each_operation;
using testing::expect_survives_each_system_call;

void check(bool holds) {
    if (!holds) {
        throw InvalidStateError("the result is wrong");
    }
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

int port_of(const Server& server) {
    return server.addresses().front().port();
}

// ---------------------------------------------------------------------------------- streams

Coroutine<> echo(StreamReader reader, StreamWriter writer) {
    for (;;) {
        const std::string piece = co_await reader.read(4096);
        if (piece.empty()) {
            break;
        }
        writer.write(piece);
        co_await writer.drain();
    }
    writer.close();
    co_await writer.wait_closed();
}

Coroutine<> converse(int port) {
    auto [reader, writer] = co_await open_connection("127.0.0.1", port);
    writer.write("one line\n");
    const std::string line = co_await reader.readline();
    check(line == "one line\n");
    writer.writelines({"and ", "another ", "one\n"});
    co_await writer.drain();
    const std::string another = co_await reader.readuntil("one\n");
    check(another == "and another one\n");
    writer.write_eof();
    const std::string rest = co_await reader.read();
    check(rest.empty());
    writer.close();
    co_await writer.wait_closed();
}

Coroutine<> echo_over_streams() {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    const Closing closing(server);
    co_await wait_for(converse(port_of(server)), 100);
    server.close();
    co_await wait_for(server.wait_closed(), 100);
}

Coroutine<> talk(StreamReader, StreamWriter writer) {
    const std::string block(100'000, 'x');
    for (int time = 0; time < 10; ++time) {
        writer.write(block);
        co_await writer.drain();
    }
    writer.close();
    co_await writer.wait_closed();
}

Coroutine<> receive_much() {
    Server server = co_await start_server(talk, "127.0.0.1", 0);
    const Closing closing(server);
    auto [reader, writer] = co_await open_connection("127.0.0.1", port_of(server));
    std::size_t total = 0;
    for (;;) {
        const std::string piece = co_await wait_for(reader.read(50'000), 100);
        if (piece.empty()) {
            break;
        }
        total += piece.size();
    }
    check(total == 1'000'000);
    writer.close();
    co_await wait_for(writer.wait_closed(), 100);
}

TEST(EachSystemCall, may_fail_in_an_echo_over_streams) {
    expect_survives_each_system_call(&echo_over_streams);
}
TEST(EachOperation, may_fail_in_an_echo_over_streams) {
    expect_survives_each_operation(&echo_over_streams);
}
TEST(EachSystemCall, may_fail_where_a_writer_waits_for_a_reader) {
    expect_survives_each_system_call(&receive_much);
}
TEST(EachOperation, may_fail_where_a_writer_waits_for_a_reader) {
    expect_survives_each_operation(&receive_much);
}

// ---------------------------------------------------------------------------------- servers

Coroutine<> visit(int port) {
    auto [reader, writer] = co_await open_connection("127.0.0.1", port);
    writer.write("x");
    const std::string answer = co_await reader.readexactly(1);
    check(answer == "x");
    writer.close();
    co_await writer.wait_closed();
}

Coroutine<> serve_several() {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    const Closing closing(server);
    co_await wait_for(gather(visit(port_of(server)), visit(port_of(server))), 100);
    co_await wait_for(visit(port_of(server)), 100);
    server.close();
    co_await wait_for(server.wait_closed(), 100);
}

Coroutine<> serve_on_all_interfaces() {
    Server server = co_await start_server(echo, nullptr, 0);
    const Closing closing(server);
    co_await wait_for(visit(port_of(server)), 100);
}

TEST(EachSystemCall, may_fail_in_a_server) {
    expect_survives_each_system_call(&serve_several);
}
TEST(EachOperation, may_fail_in_a_server) {
    expect_survives_each_operation(&serve_several);
}
TEST(EachSystemCall, may_fail_in_a_server_on_all_interfaces) {
    expect_survives_each_system_call(&serve_on_all_interfaces);
}
TEST(EachOperation, may_fail_in_a_server_on_all_interfaces) {
    expect_survives_each_operation(&serve_on_all_interfaces);
}

// CPython takes it for a family that the system does not have, and listens on what is left.
TEST(FailingCalls, want_of_a_descriptor_for_one_of_its_addresses_is_an_error_of_a_server) {
    const auto start = []() -> Coroutine<> {
        Server server = co_await start_server(echo, nullptr, 0);
        const Closing closing(server);
    };
    const testing::VirtualClockScope clock;
    testing::Hostility hostility;
    hostility.call = "socket";
    hostility.nth = 2;
    hostility.error = EMFILE;
    const testing::HostileSystem system(hostility);
    try {
        run(start());
        EXPECT_FALSE(system.failed());  // a machine that has one family only
    } catch (const OSError& error) {
        EXPECT_EQ(error.error_number(), EMFILE);
    }
}

// ---------------------------------------------------------------------------------- sockets

Coroutine<> echo_once(const Socket& listener) {
    auto [socket, peer] = co_await sock_accept(listener);
    const std::string bytes = co_await sock_recv(socket, 100);
    co_await sock_sendall(socket, bytes);
}

Coroutine<> use_sockets() {
    Socket listener(AddressFamily::ipv4, SocketType::stream);
    listener.bind(*Address::parse("127.0.0.1", 0));
    listener.listen();
    const Task<> serving = create_task(echo_once(listener));
    Socket socket(AddressFamily::ipv4, SocketType::stream);
    const Address address = listener.getsockname();
    co_await wait_for(sock_connect(socket, address), 100);
    co_await sock_sendall(socket, "some bytes");
    const std::string answer = co_await wait_for(sock_recv(socket, 100), 100);
    co_await wait_for(serving, 100);
    check(answer == "some bytes");
}

TEST(EachSystemCall, may_fail_between_sockets) {
    expect_survives_each_system_call(&use_sockets);
}
TEST(EachOperation, may_fail_between_sockets) {
    expect_survives_each_operation(&use_sockets);
}

// ------------------------------------------------------------------------------------ time

// As before Linux 5.11, and where a filter of system calls forbids it: it waits in milliseconds.
TEST(EpollProactor, keeps_its_promises_without_epoll_pwait2) {
    for (const int error : {ENOSYS, EPERM}) {
        testing::Hostility hostility;
        hostility.call = "epoll_pwait2";
        hostility.nth = 1;
        hostility.times = 1'000'000'000;
        hostility.error = error;
        const testing::HostileSystem system(hostility);
        const auto make = [] { return lowlevel::make_system_proactor("epoll"); };
        EXPECT_EQ(testing::check_proactor_contract(make), std::vector<std::string>());
        EXPECT_TRUE(system.failed());
    }
}

// ------------------------------------------------------------------------------------ names

Coroutine<> look_up() {
    const std::vector<AddressInfo> infos = co_await wait_for(getaddrinfo("localhost", 80), 100);
    check(!infos.empty());
}

TEST(EachSystemCall, may_fail_in_a_lookup_of_a_name) {
    expect_survives_each_system_call(&look_up);
}

}  // namespace

}  // namespace asyncio
