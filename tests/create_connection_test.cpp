// create_connection_test.cpp - create_connection(), create_server() and connect_accepted_socket():
// which addresses and sockets they take, and what they tell of those that are no good.
//
// SPDX-License-Identifier: MIT
#include <asyncio/transports.hpp>

#include "support/network.hpp"
#include "support/recording_protocols.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>

using namespace asyncio;
using namespace std::chrono_literals;
using asyncio::testing::open_descriptors;
using asyncio::testing::Peer;
using asyncio::testing::PeerListener;
using asyncio::testing::RecordingProtocol;
using asyncio::testing::settle;
using asyncio::testing::Trace;

namespace {

/// Makes protocols that note what they are told in one trace.
struct Recording {
    std::shared_ptr<RecordingProtocol> operator()() const {
        return std::make_shared<RecordingProtocol>(*trace);
    }
    std::shared_ptr<Trace> trace = std::make_shared<Trace>();
};

using Connecting = Coroutine<ProtocolPair<RecordingProtocol>>;

/// What an attempt comes to that is to fail.
Coroutine<std::exception_ptr> failure_of(Connecting connecting) {
    const auto result = co_await as_result(std::move(connecting));
    EXPECT_FALSE(result.has_value());
    co_return result.error();
}

std::string doing(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const OSError& failure) {
        return failure.doing();
    } catch (...) {
        return describe(error);
    }
}

/// Bound on ::1, so that nobody else has this port; who connects to it is refused.
class RefusingPort {
public:
    RefusingPort() : socket_(AddressFamily::ipv6) { socket_.bind(Address("::1", 0)); }
    [[nodiscard]] int port() const { return socket_.getsockname().port(); }

private:
    Socket socket_;
};

constexpr std::string_view this_machine;  // by both families: ::1 and 127.0.0.1

Coroutine<> close(Transport& transport) {
    transport.abort();
    co_await settle();
}

}  // namespace

// --------------------------------------------------------------------------- create_connection()

ASYNC_TEST(CreateConnection, tries_all_addresses_one_by_one_or_at_once) {
    const Recording recording;
    const PeerListener listener;  // on 127.0.0.1
    for (const std::optional<Duration> delay :
         {std::optional<Duration>(), std::optional<Duration>(0.25)}) {
        const std::size_t before = open_descriptors();
        auto [transport, protocol] = co_await create_connection(
            recording, this_machine, listener.port(), {.happy_eyeballs_delay = delay});
        EXPECT_EQ(transport.peername(), Address("127.0.0.1", listener.port()));
        EXPECT_EQ(open_descriptors(), before + 1);
        co_await close(transport);
    }
}

ASYNC_TEST(CreateConnection, tries_one_family_only_if_it_is_told_to) {
    const Recording recording;
    const PeerListener listener;
    auto [transport, protocol] = co_await create_connection(
        recording, this_machine, listener.port(), {.family = AddressFamily::ipv4});
    EXPECT_EQ(transport.peername().host(), "127.0.0.1");
    co_await close(transport);

    const RefusingPort refusing;
    const std::exception_ptr error = co_await failure_of(create_connection(
        recording, this_machine, refusing.port(), {.family = AddressFamily::ipv6}));
    EXPECT_EQ(doing(error),
              "Connect call failed ('::1', " + std::to_string(refusing.port()) + ", 0, 0)");
}

ASYNC_TEST(CreateConnection, tells_all_errors_as_one_or_in_a_group) {
    const Recording recording;
    const RefusingPort refusing;
    const std::string port = std::to_string(refusing.port());
    const std::size_t before = open_descriptors();
    for (const std::optional<Duration> delay :
         {std::optional<Duration>(), std::optional<Duration>(0.25)}) {
        const std::exception_ptr one = co_await failure_of(create_connection(
            recording, this_machine, refusing.port(), {.happy_eyeballs_delay = delay}));
        EXPECT_EQ(doing(one), "Multiple exceptions: [Errno 111] Connect call failed ('::1', " +
                                  port + ", 0, 0), [Errno 111] Connect call failed ('127.0.0.1', " +
                                  port + ")");

        const std::exception_ptr all = co_await failure_of(
            create_connection(recording, this_machine, refusing.port(),
                              {.happy_eyeballs_delay = delay, .all_errors = true}));
        try {
            std::rethrow_exception(all);
        } catch (const ExceptionGroup& group) {
            EXPECT_EQ(group.message(), "create_connection failed");
            EXPECT_EQ(group.exceptions().size(), 2U);
            EXPECT_TRUE(group.contains<ConnectionRefusedError>());
        }
    }
    EXPECT_EQ(open_descriptors(), before);
}

ASYNC_TEST(CreateConnection, passes_on_that_a_name_is_unknown) {
    const Recording recording;
    const std::exception_ptr error = co_await failure_of(create_connection(recording, "", 80));
    EXPECT_EQ(describe(error), "gaierror(-2, 'Name or service not known')");
}

ASYNC_TEST(CreateConnection, binds_to_a_local_address_of_the_same_family) {
    const Recording recording;
    const PeerListener listener;
    const CreateConnectionOptions local{.local_host = "127.0.0.1"};
    // Of the peer's addresses the other family's is passed over.
    for (const std::string_view host : {std::string_view("127.0.0.1"), this_machine}) {
        auto [transport, protocol] =
            co_await create_connection(recording, host, listener.port(), local);
        EXPECT_EQ(transport.sockname().host(), "127.0.0.1");
        EXPECT_EQ(transport.peername().host(), "127.0.0.1");
        co_await close(transport);
    }

    const std::exception_ptr none =
        co_await failure_of(create_connection(recording, "::1", listener.port(), local));
    EXPECT_EQ(doing(none),
              "no matching local address with family=<AddressFamily.AF_INET6: 10> found");
}

ASYNC_TEST(CreateConnection, reports_that_its_local_address_is_in_use) {
    const Recording recording;
    const PeerListener listener;
    const PeerListener other;
    const std::size_t before = open_descriptors();
    const std::exception_ptr error = co_await failure_of(
        create_connection(recording, "127.0.0.1", listener.port(),
                          {.local_host = "127.0.0.1", .local_port = other.port()}));
    EXPECT_EQ(open_descriptors(), before);
    try {
        std::rethrow_exception(error);
    } catch (const OSError& failure) {
        EXPECT_EQ(failure.error_number(), EADDRINUSE);
        EXPECT_EQ(failure.doing(), "error while attempting to bind on address ('127.0.0.1', " +
                                       std::to_string(other.port()) + ")");
    }
}

ASYNC_TEST(CreateConnection, goes_over_a_socket_that_is_connected_whatever_its_family) {
    const Recording recording;
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    Peer peer(fds[1]);
    auto [transport, protocol] = co_await create_connection(recording, Socket(fds[0]));
    peer.send("in");
    transport.write("out");
    EXPECT_EQ(co_await peer.receive_exactly(3), "out");
    peer.close();
    co_await protocol->lost;
    EXPECT_EQ(*recording.trace, (Trace{"made", "data in", "eof", "lost None"}));
}

// ------------------------------------------------------------------- connect_accepted_socket()

ASYNC_TEST(ConnectAcceptedSocket, gives_a_protocol_to_what_somebody_else_has_accepted) {
    const Recording recording;
    const PeerListener listener;
    Peer peer = Peer::connect(listener.port());
    Socket accepted(::accept4(listener.fileno(), nullptr, nullptr, SOCK_CLOEXEC));
    auto [transport, protocol] = co_await connect_accepted_socket(recording, std::move(accepted));
    peer.send("in");
    transport.write("out");
    EXPECT_EQ(co_await peer.receive_exactly(3), "out");
    EXPECT_EQ(transport.sockname().port(), listener.port());
    peer.close();
    co_await protocol->lost;
    EXPECT_EQ(*recording.trace, (Trace{"made", "data in", "eof", "lost None"}));
}

ASYNC_TEST(ConnectAcceptedSocket, takes_a_stream_socket_only) {
    const Recording recording;
    Socket datagrams(AddressFamily::ipv4, SocketType::datagram);
    const std::exception_ptr error =
        co_await failure_of(connect_accepted_socket(recording, std::move(datagrams)));
    EXPECT_EQ(describe(error).rfind("ValueError('A Stream Socket was expected, got", 0), 0U);
}

// ------------------------------------------------------------------------------- create_server()

ASYNC_TEST(CreateServer, listens_on_a_socket_that_is_bound_already) {
    const Recording recording;
    Socket bound(AddressFamily::ipv4);
    bound.bind(Address("127.0.0.1", 0));
    const int port = bound.getsockname().port();
    const Server server = co_await create_server(recording, std::move(bound));
    EXPECT_EQ(server.addresses().at(0), Address("127.0.0.1", port));
    Peer peer = Peer::connect(port);
    peer.send("in");
    co_await settle();
    EXPECT_EQ(*recording.trace, (Trace{"made", "data in"}));
    server.close();
    server.abort_clients();
    co_await server.wait_closed();
}

ASYNC_TEST(CreateServer, takes_a_stream_socket_only) {
    const Recording recording;
    const std::size_t before = open_descriptors();
    Socket datagrams(AddressFamily::ipv4, SocketType::datagram);
    const Result<Server> result =
        co_await as_result(create_server(recording, std::move(datagrams)));
    EXPECT_EQ(describe(result.error()).rfind("ValueError('A Stream Socket was expected, got", 0),
              0U);
    EXPECT_EQ(open_descriptors(), before);
}

ASYNC_TEST(CreateServer, listens_on_all_interfaces_or_on_several_hosts_with_one_port) {
    const Recording recording;
    const Server all = co_await create_server(recording, nullptr, 0);
    EXPECT_EQ(all.addresses().size(), 2U);
    EXPECT_EQ(all.addresses().at(0).port(), all.addresses().at(1).port());
    all.close();

    const std::vector<std::string> hosts{"127.0.0.1", "::1", "127.0.0.1", "127.0.0.2"};
    const Server several = co_await create_server(recording, hosts, 0);
    std::vector<std::string> bound;
    for (const Address& address : several.addresses()) {
        bound.push_back(address.host());
        EXPECT_EQ(address.port(), several.addresses().at(0).port());
    }
    EXPECT_EQ(bound, (std::vector<std::string>{"127.0.0.1", "::1", "127.0.0.2"}));
    several.close();
}

ASYNC_TEST(CreateServer, leaves_nothing_open_if_an_address_is_taken) {
    const Recording recording;
    const PeerListener taken;
    const std::size_t before = open_descriptors();
    const std::vector<std::string> hosts{"::1", "127.0.0.1"};
    const Result<Server> failed = co_await as_result(create_server(recording, hosts, taken.port()));
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_EQ(doing(failed.error()), "error while attempting to bind on address ('127.0.0.1', " +
                                         std::to_string(taken.port()) + ")");
}

ASYNC_TEST(CreateServer, shares_a_port_if_it_is_told_to) {
    const Recording recording;
    const Server first = co_await create_server(recording, "127.0.0.1", 0, {.reuse_port = true});
    const int port = first.addresses().at(0).port();
    const Server second =
        co_await create_server(recording, "127.0.0.1", port, {.reuse_port = true});
    EXPECT_EQ(second.addresses().at(0).port(), port);
    first.close();
    second.close();
}
