// datagrams_test.cpp - create_datagram_endpoint(): datagrams to and from protocols.
//
// SPDX-License-Identifier: MIT
#include <asyncio/datagrams.hpp>
#include <asyncio/contextvars.hpp>
#include <asyncio/log.hpp>
#include <asyncio/tasks.hpp>

#include "support/network.hpp"
#include "support/scratch_directory.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace asyncio;
using asyncio::testing::open_descriptors;
using asyncio::testing::ScratchDirectory;
using asyncio::testing::settle;

namespace {

using Lines = std::vector<std::string>;

std::string error_text(const std::exception_ptr& error) {
    if (error == nullptr) {
        return "none";
    }
    try {
        std::rethrow_exception(error);
    } catch (const OSError& e) {
        return std::to_string(e.error_number());
    } catch (...) {
        return describe(error);
    }
}

/// Writes down what happens to it.
struct Recorder : DatagramProtocol {
    using DatagramProtocol::connection_made;
    void connection_made(DatagramTransport& made) override {
        transport = &made;
        add("made");
    }
    void datagram_received(std::string_view data, const Address& addr) override {
        last_sender = addr;
        add(data.size() > 40 ? std::to_string(data.size()) + " bytes" : "got " + std::string(data));
    }
    void error_received(std::exception_ptr exc) override { add("error " + error_text(exc)); }
    void connection_lost(std::exception_ptr exc) override { add("lost " + error_text(exc)); }
    void pause_writing() override { add("pause"); }
    void resume_writing() override { add("resume"); }

    void add(std::string line) {
        lines.push_back(std::move(line));
        if (then) {
            then(lines.back());
        }
    }

    DatagramTransport* transport = nullptr;
    Address last_sender;
    Lines lines;
    std::function<void(const std::string&)> then;
};

using Endpoint = ProtocolPair<Recorder, DatagramTransport>;

Coroutine<Endpoint> endpoint(CreateDatagramEndpointOptions options = {
                                 .local_addr = DatagramAddress("127.0.0.1", 0)}) {
    co_return co_await create_datagram_endpoint([] { return std::make_unique<Recorder>(); },
                                                options);
}

Coroutine<Endpoint> endpoint_to(Address remote) {
    co_return co_await create_datagram_endpoint([] { return std::make_unique<Recorder>(); },
                                                {.remote_addr = remote});
}

/// Waits until as much has happened.
Coroutine<> until(const Recorder& recorder, std::size_t count) {
    for (int i = 0; i < 2000 && recorder.lines.size() < count; ++i) {
        co_await sleep(0.001);
    }
}

/// A Unix datagram socket of somebody who need not read.
struct Mailbox {
    explicit Mailbox(const std::string& path)
        : fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        const Address address = Address::from_path(path);
        EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(address.raw().storage),
                         address.raw().size),
                  0);
    }
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;
    ~Mailbox() { ::close(fd); }
    /// The next one; "nothing" if there is none.
    [[nodiscard]] std::string take() const {
        std::string data(1 << 18, '\0');
        const ssize_t n = ::recv(fd, data.data(), data.size(), 0);
        if (n < 0) {
            return "nothing";
        }
        data.resize(static_cast<std::size_t>(n));
        return data;
    }
    int fd;
};

}  // namespace

NETWORK_TEST(Datagrams, go_to_and_fro) {
    auto a = co_await endpoint();
    auto b = co_await endpoint();
    EXPECT_EQ(a.protocol->lines, Lines{"made"});
    EXPECT_EQ(a.protocol->transport, &a.transport);
    a.transport.sendto("hello", b.transport.sockname());
    co_await until(*b.protocol, 2);
    EXPECT_EQ(b.protocol->lines, (Lines{"made", "got hello"}));
    EXPECT_EQ(b.protocol->last_sender, a.transport.sockname());
    b.transport.sendto("hello yourself", b.protocol->last_sender);
    co_await until(*a.protocol, 2);
    EXPECT_EQ(a.protocol->lines, (Lines{"made", "got hello yourself"}));
    a.transport.close();
    b.transport.abort();
    co_await settle();
    EXPECT_EQ(a.protocol->lines.back(), "lost none");
    EXPECT_EQ(b.protocol->lines.back(), "lost none");
}

NETWORK_TEST(Datagrams, go_to_the_one_that_the_socket_is_connected_to) {
    auto server = co_await endpoint();
    auto client = co_await endpoint_to(server.transport.sockname());
    EXPECT_EQ(client.transport.peername(), server.transport.sockname());
    EXPECT_EQ(client.transport.get_extra_info("peername"), server.transport.sockname().to_string());
    EXPECT_FALSE(server.transport.get_extra_info("peername").has_value());
    client.transport.sendto("one");
    client.transport.sendto("two", server.transport.sockname());
    co_await until(*server.protocol, 3);
    EXPECT_EQ(server.protocol->lines, (Lines{"made", "got one", "got two"}));
    EXPECT_THROW(client.transport.sendto("x", Address("127.0.0.1", 1)), std::invalid_argument);
    // Others are not heard.
    auto other = co_await endpoint();
    other.transport.sendto("psst", client.transport.sockname());
    server.transport.sendto("loud", client.transport.sockname());
    co_await until(*client.protocol, 2);
    EXPECT_EQ(client.protocol->lines, (Lines{"made", "got loud"}));
    for (auto* end : {&server, &client, &other}) {
        end->transport.close();
    }
    co_await settle();
}

NETWORK_TEST(Datagrams, find_a_host_by_its_name) {
    auto server = co_await endpoint();
    const int port = server.transport.sockname().port();
    auto client =
        co_await create_datagram_endpoint([] { return std::make_unique<Recorder>(); },
                                          {.local_addr = DatagramAddress("127.0.0.1", 0),
                                           .remote_addr = DatagramAddress("localhost", port)});
    client.transport.sendto("hello");
    co_await until(*server.protocol, 2);
    EXPECT_EQ(server.protocol->lines.back(), "got hello");
    EXPECT_EQ(server.protocol->last_sender, client.transport.sockname());
    client.transport.close();
    server.transport.close();
    co_await settle();
}

NETWORK_TEST(Datagrams, may_be_empty) {
    auto a = co_await endpoint();
    auto b = co_await endpoint_to(a.transport.sockname());
    b.transport.sendto("");
    b.transport.sendto("x");
    b.transport.sendto("");
    co_await until(*a.protocol, 4);
    EXPECT_EQ(a.protocol->lines, (Lines{"made", "got ", "got x", "got "}));
    a.transport.close();
    b.transport.close();
    co_await settle();
}

NETWORK_TEST(Datagrams, of_ipv6_go_as_well) {
    auto a = co_await endpoint({.local_addr = DatagramAddress("::1", 0)});
    auto b = co_await endpoint_to(a.transport.sockname());
    b.transport.sendto("six");
    co_await until(*a.protocol, 2);
    EXPECT_EQ(a.protocol->lines.back(), "got six");
    EXPECT_EQ(a.protocol->last_sender.family(), AddressFamily::ipv6);
    a.transport.close();
    b.transport.close();
    co_await settle();
}

// As CPython does, which asks the system each time.
NETWORK_TEST(Datagrams, come_one_in_each_turn) {
    auto a = co_await endpoint();
    auto b = co_await endpoint_to(a.transport.sockname());
    Lines order;
    EventLoop& loop = get_running_loop();
    a.protocol->then = [&](const std::string& line) {
        order.push_back(line);
        loop.call_soon([&order, line] { order.push_back("after " + line); });
    };
    for (const char* text : {"1", "2", "3"}) {
        b.transport.sendto(text);
    }
    co_await until(*a.protocol, 4);
    co_await settle();
    EXPECT_EQ(order,
              (Lines{"got 1", "after got 1", "got 2", "after got 2", "got 3", "after got 3"}));
    a.transport.close();
    b.transport.close();
    co_await settle();
}

// ------------------------------------------------------------------------------------- errors

NETWORK_TEST(Datagrams, tell_that_nobody_was_there) {
    Address gone;
    {
        auto b = co_await endpoint();
        gone = b.transport.sockname();
        b.transport.abort();
        co_await settle();
    }
    auto a = co_await endpoint_to(gone);
    a.transport.sendto("anybody?");
    co_await until(*a.protocol, 2);
    EXPECT_EQ(a.protocol->lines, (Lines{"made", "error " + std::to_string(ECONNREFUSED)}));
    EXPECT_FALSE(a.transport.is_closing());
    a.transport.close();
    co_await settle();
}

NETWORK_TEST(Datagrams, tell_that_one_is_too_long_and_send_the_next) {
    auto a = co_await endpoint();
    auto b = co_await endpoint_to(a.transport.sockname());
    b.transport.sendto(std::string(70'000, 'x'));
    EXPECT_EQ(b.protocol->lines, (Lines{"made", "error " + std::to_string(EMSGSIZE)}));
    b.transport.sendto(std::string(65'000, 'x'));
    co_await until(*a.protocol, 2);
    EXPECT_EQ(a.protocol->lines.back(), "65000 bytes");
    a.transport.close();
    b.transport.close();
    co_await settle();
}

NETWORK_TEST(Datagrams, tell_that_there_is_no_address_to_send_to) {
    auto a = co_await endpoint();
    a.transport.sendto("to whom?");
    EXPECT_EQ(a.protocol->lines.back(), "error " + std::to_string(EDESTADDRREQ));
    a.transport.close();
    co_await settle();
}

// Only Unix sockets can send more than is received at a time.
NETWORK_TEST(Datagrams, are_not_passed_on_in_part) {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
    const int size = 1 << 20;
    EXPECT_EQ(::setsockopt(fds[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size), 0);
    auto a = co_await create_datagram_endpoint([] { return std::make_unique<Recorder>(); },
                                               Socket(fds[0]));
    const std::string huge(300'000, 'x');
    EXPECT_EQ(::send(fds[1], huge.data(), huge.size(), 0), 300'000);
    EXPECT_EQ(::send(fds[1], "next", 4, 0), 4);
    co_await until(*a.protocol, 3);
    EXPECT_EQ(a.protocol->lines, (Lines{"made", "error " + std::to_string(EMSGSIZE), "got next"}));
    a.transport.close();
    co_await settle();
    ::close(fds[1]);
}

NETWORK_TEST(Datagrams, go_on_after_the_protocol_has_thrown) {
    Lines reported;
    get_running_loop().set_exception_handler([&](EventLoop&, const ExceptionContext& context) {
        reported.push_back(context.message + ": " + describe(context.exception));
        EXPECT_NE(context.transport, nullptr);
        EXPECT_NE(context.protocol, nullptr);
    });
    auto a = co_await endpoint();
    a.protocol->then = [](const std::string& line) {
        if (line.starts_with("got bad")) {
            throw RuntimeError("oops");
        }
    };
    auto b = co_await endpoint_to(a.transport.sockname());
    b.transport.sendto("bad");
    b.transport.sendto("good");
    co_await until(*a.protocol, 3);
    EXPECT_EQ(a.protocol->lines, (Lines{"made", "got bad", "got good"}));
    EXPECT_EQ(reported, Lines{"Exception in callback: RuntimeError('oops')"});
    a.transport.close();
    b.transport.close();
    co_await settle();
}

// ------------------------------------------------------------------------------- flow control

NETWORK_TEST(Datagrams, are_kept_when_the_system_takes_no_more) {
    const ScratchDirectory directory;
    const Mailbox mailbox(directory / "mailbox");
    auto a = co_await create_datagram_endpoint(
        [] { return std::make_unique<Recorder>(); },
        {.remote_addr = DatagramAddress(directory / "mailbox"), .family = AddressFamily::unix_});
    a.transport.set_write_buffer_limits({.high = 1000, .low = 100});
    EXPECT_EQ(a.transport.get_write_buffer_limits(),
              (std::pair<std::size_t, std::size_t>(100, 1000)));
    int sent = 0;
    while (a.transport.get_write_buffer_size() == 0) {
        a.transport.sendto("datagram " + std::to_string(sent++));
    }
    const std::size_t each = std::string("datagram ").size() + std::to_string(sent - 1).size() + 8;
    EXPECT_EQ(a.transport.get_write_buffer_size(), each);
    EXPECT_EQ(a.protocol->lines, Lines{"made"});
    while (a.transport.get_write_buffer_size() <= 1000) {
        a.transport.sendto("datagram " + std::to_string(sent++));
    }
    EXPECT_EQ(a.protocol->lines, (Lines{"made", "pause"}));
    a.transport.sendto("");
    ++sent;
    int received = 0;
    for (int idle = 0; idle < 100 && received < sent; ++idle) {
        const std::string data = mailbox.take();
        if (data == "nothing") {
            co_await sleep(0.001);
            continue;
        }
        idle = 0;
        EXPECT_EQ(data, received == sent - 1 ? "" : "datagram " + std::to_string(received));
        ++received;
    }
    EXPECT_EQ(received, sent);
    co_await settle();
    EXPECT_EQ(a.transport.get_write_buffer_size(), 0U);
    EXPECT_EQ(a.protocol->lines, (Lines{"made", "pause", "resume"}));
    a.transport.close();
    co_await settle();
}

NETWORK_TEST(Datagrams, refuse_limits_that_contradict) {
    auto a = co_await endpoint();
    EXPECT_THROW(a.transport.set_write_buffer_limits({.high = 1, .low = 2}), std::invalid_argument);
    a.transport.set_write_buffer_limits({.low = 100});
    EXPECT_EQ(a.transport.get_write_buffer_limits(),
              (std::pair<std::size_t, std::size_t>(100, 400)));
    a.transport.set_write_buffer_limits();
    EXPECT_EQ(a.transport.get_write_buffer_limits(),
              (std::pair<std::size_t, std::size_t>(16 * 1024, 64 * 1024)));
    a.transport.close();
    co_await settle();
}

namespace {

/// An endpoint that has datagrams left to send, and how many it was given.
struct Full {
    ScratchDirectory directory;
    Mailbox mailbox{directory / "mailbox"};
    int sent = 0;

    Coroutine<Endpoint> connect() {
        auto a = co_await create_datagram_endpoint(
            [] { return std::make_unique<Recorder>(); },
            {.remote_addr = DatagramAddress(directory / "mailbox"),
             .family = AddressFamily::unix_});
        while (a.transport.get_write_buffer_size() < 50) {
            a.transport.sendto(std::to_string(sent++));
        }
        co_return a;
    }
    /// How many arrive.
    Coroutine<int> receive() {
        int received = 0;
        for (int idle = 0; idle < 20; ++idle) {
            while (mailbox.take() != "nothing") {
                ++received;
                idle = 0;
            }
            co_await sleep(0.001);
        }
        co_return received;
    }
};

}  // namespace

NETWORK_TEST(Datagrams, are_sent_before_the_endpoint_is_closed) {
    Full full;
    auto a = co_await full.connect();
    a.transport.close();
    EXPECT_TRUE(a.transport.is_closing());
    a.transport.sendto("too late");
    co_await settle();
    EXPECT_EQ(a.protocol->lines, Lines{"made"});
    EXPECT_EQ(co_await full.receive(), full.sent);
    EXPECT_EQ(a.protocol->lines, (Lines{"made", "lost none"}));
}

NETWORK_TEST(Datagrams, are_dropped_when_the_endpoint_is_aborted) {
    Full full;
    auto a = co_await full.connect();
    a.transport.abort();
    EXPECT_EQ(a.transport.get_write_buffer_size(), 0U);
    co_await settle();
    EXPECT_EQ(a.protocol->lines, (Lines{"made", "lost none"}));
    EXPECT_LT(co_await full.receive(), full.sent);
}

NETWORK_TEST(Datagrams, tell_when_the_receiver_has_gone_while_they_waited) {
    Full full;
    auto a = co_await full.connect();
    ::close(std::exchange(full.mailbox.fd, -1));
    co_await until(*a.protocol, 2);
    EXPECT_EQ(a.protocol->lines.at(1).substr(0, 5), "error");
    a.transport.close();
    for (int i = 0; i < 100 && a.protocol->lines.back() != "lost none"; ++i) {
        co_await sleep(0.001);
    }
    EXPECT_EQ(a.protocol->lines.back(), "lost none");
}

// There is room again, and the protocol fills it at once.
NETWORK_TEST(Datagrams, may_be_sent_until_it_is_full_when_the_protocol_is_resumed) {
    const ScratchDirectory directory;
    const Mailbox mailbox(directory / "mailbox");
    auto a = co_await create_datagram_endpoint(
        [] { return std::make_unique<Recorder>(); },
        {.remote_addr = DatagramAddress(directory / "mailbox"), .family = AddressFamily::unix_});
    a.transport.set_write_buffer_limits({.high = 100, .low = 0});
    int sent = 0;
    const auto fill = [&] {
        while (a.transport.get_write_buffer_size() <= 100) {
            a.transport.sendto(std::to_string(sent++));
        }
    };
    int resumed = 0;
    a.protocol->then = [&](const std::string& line) {
        if (line == "resume" && ++resumed < 4) {
            fill();
        }
    };
    fill();
    int received = 0;
    for (int idle = 0; idle < 100 && received < sent; ++idle) {
        for (std::string data; (data = mailbox.take()) != "nothing"; ++received, idle = 0) {
            EXPECT_EQ(data, std::to_string(received));
        }
        co_await sleep(0.01);
    }
    EXPECT_EQ(received, sent);
    EXPECT_EQ(resumed, 4);
    a.protocol->then = nullptr;
    a.transport.close();
    co_await settle();
    EXPECT_EQ(a.protocol->lines.back(), "lost none");
}

// That the socket is writable says nothing about the one that it sends to.
NETWORK_TEST(Datagrams, do_not_spin_while_the_receiver_reads_nothing) {
    const ScratchDirectory directory;
    const Mailbox mailbox(directory / "mailbox");
    auto a = co_await create_datagram_endpoint([] { return std::make_unique<Recorder>(); },
                                               {.family = AddressFamily::unix_});
    const Address to = Address::from_path(directory / "mailbox");
    int sent = 0;
    while (a.transport.get_write_buffer_size() == 0) {
        a.transport.sendto(std::to_string(sent++), to);
    }
    const std::uint64_t before = get_running_loop().callbacks_run();
    co_await sleep(1);
    EXPECT_LT(get_running_loop().callbacks_run() - before, 500U);
    int received = 0;
    while (received < sent) {
        const std::string data = mailbox.take();
        if (data == "nothing") {
            co_await sleep(0.01);
            continue;
        }
        EXPECT_EQ(data, std::to_string(received));
        ++received;
    }
    a.transport.abort();
    co_await settle();
}

// -------------------------------------------------------------------------------------- the end

NETWORK_TEST(Datagrams, sent_after_the_end_are_dropped_with_a_warning_at_last) {
    auto a = co_await endpoint();
    auto b = co_await endpoint();
    a.transport.close();
    a.transport.close();
    co_await settle();
    Lines logged;
    set_logger([&](Level, std::string_view line) { logged.emplace_back(line); });
    for (int i = 0; i < 7; ++i) {
        a.transport.sendto("x", b.transport.sockname());
    }
    set_logger(nullptr);
    EXPECT_EQ(logged, Lines(2, "socket.send() raised exception."));
    EXPECT_EQ(a.protocol->lines, (Lines{"made", "lost none"}));
    EXPECT_EQ(a.transport.get_protocol(), nullptr);
    EXPECT_FALSE(a.transport.get_extra_info("socket").has_value());
    EXPECT_TRUE(a.transport.get_extra_info("sockname").has_value());
    b.transport.close();
    co_await settle();
}

NETWORK_TEST(Datagrams, may_close_their_endpoint_from_every_callback) {
    for (const std::string when : {"made", "got x", "lost none"}) {
        for (const bool abort : {false, true}) {
            const std::size_t before = open_descriptors();
            {
                auto protocol = std::make_shared<Recorder>();
                protocol->then = [raw = protocol.get(), when, abort](const std::string& line) {
                    if (line == when) {
                        abort ? raw->transport->abort() : raw->transport->close();
                    }
                };
                const auto factory = [protocol] { return protocol; };
                auto a = co_await create_datagram_endpoint(
                    factory, {.local_addr = DatagramAddress("127.0.0.1", 0)});
                if (when != "made") {
                    a.transport.sendto("x", a.transport.sockname());
                    co_await until(*protocol, 2);
                    a.transport.close();
                }
                const std::size_t count = when == "made" ? 2 : 3;
                co_await until(*protocol, count);
                EXPECT_EQ(protocol->lines.back(), "lost none");
            }
            co_await settle();
            EXPECT_EQ(open_descriptors(), before);
        }
    }
}

NETWORK_TEST(Datagrams, keep_transport_and_protocol_as_long_as_needed) {
    std::weak_ptr<Recorder> seen;
    {
        auto a = co_await endpoint();
        seen = a.protocol;
    }
    co_await settle();
    EXPECT_FALSE(seen.expired());  // it is open
    seen.lock()->transport->close();
    co_await settle();
    EXPECT_TRUE(seen.expired());
}

NETWORK_TEST(Datagrams, change_their_protocol) {
    auto a = co_await endpoint();
    auto next = std::make_shared<Recorder>();
    a.transport.set_protocol(next);
    EXPECT_EQ(a.transport.get_protocol(), next);
    a.transport.sendto("for the next", a.transport.sockname());
    co_await until(*next, 1);
    EXPECT_EQ(next->lines, Lines{"got for the next"});
    EXPECT_EQ(a.protocol->lines, Lines{"made"});
    a.transport.close();
    co_await settle();
    EXPECT_EQ(next->lines.back(), "lost none");
}

NETWORK_TEST(Datagrams, are_received_in_the_context_of_who_made_the_endpoint) {
    static ContextVar<int> variable("variable", 0);
    std::vector<int> seen;
    variable.set(5);
    auto a = co_await endpoint();
    a.protocol->then = [&](const std::string&) { seen.push_back(variable.get()); };
    variable.set(6);
    a.transport.sendto("x", a.transport.sockname());
    co_await until(*a.protocol, 2);
    a.transport.close();
    co_await settle();
    EXPECT_EQ(seen, (std::vector<int>{5, 5}));
}

TEST(Datagrams, leave_nothing_when_the_loop_is_closed) {
    const std::size_t before = open_descriptors();
    for (const char* proactor : asyncio::testing::proactors) {
        for (int turns = 0; turns < 5; ++turns) {
            std::weak_ptr<Recorder> seen;
            auto loop = new_event_loop(proactor);
            loop->run_until_complete([](int count, std::weak_ptr<Recorder>& kept) -> Coroutine<> {
                Full full;
                auto a = co_await full.connect();
                kept = a.protocol;
                auto b = co_await endpoint();
                b.transport.sendto("x", b.transport.sockname());
                if (count % 2 == 1) {
                    a.transport.close();
                    b.transport.close();
                }
                for (int i = 0; i < count; ++i) {
                    co_await sleep(0);
                }
            }(turns, seen));
            loop->close();
            EXPECT_TRUE(seen.expired());
        }
    }
    EXPECT_EQ(open_descriptors(), before);
}

NETWORK_TEST(Datagrams, leave_nothing_whenever_their_start_is_cancelled) {
    const std::size_t before = open_descriptors();
    for (int turns = 0; turns < 8; ++turns) {
        for (const char* host : {"127.0.0.1", "localhost"}) {
            auto task = create_task(endpoint({.remote_addr = DatagramAddress(host, 9)}));
            for (int i = 0; i < turns; ++i) {
                co_await sleep(0);
            }
            task.cancel();
            const Result<Endpoint> result = co_await as_result(task);
            if (result.has_value()) {
                result.value().transport.close();
            }
            task = {};
            co_await settle();
        }
    }
    co_await settle();
    EXPECT_EQ(open_descriptors(), before);
}

// ------------------------------------------------------------------------------------- options

NETWORK_TEST(CreateDatagramEndpoint, checks_what_it_is_given) {
    const auto why = [](const std::exception_ptr& error) { return describe(error); };
    const auto make = [] { return std::make_unique<Recorder>(); };
    const Result<Endpoint> nothing = co_await as_result(create_datagram_endpoint(make));
    EXPECT_EQ(why(nothing.error()), "ValueError('unexpected address family')");
    const Result<Endpoint> mixed = co_await as_result(create_datagram_endpoint(
        make,
        {.local_addr = DatagramAddress("127.0.0.1", 0), .remote_addr = DatagramAddress("::1", 9)}));
    EXPECT_EQ(why(mixed.error()), "ValueError('can not get address information')");
    const Result<Endpoint> stream =
        co_await as_result(create_datagram_endpoint(make, Socket(AddressFamily::ipv4)));
    EXPECT_EQ(why(stream.error()), "ValueError('A datagram socket was expected')");
    const Result<Endpoint> path =
        co_await as_result(create_datagram_endpoint(make, {.local_addr = "/tmp/x"}));
    EXPECT_EQ(why(path.error()), "TypeError('a host and a port are expected')");
}

NETWORK_TEST(CreateDatagramEndpoint, needs_only_a_family) {
    auto a = co_await create_datagram_endpoint([] { return std::make_unique<Recorder>(); },
                                               {.family = AddressFamily::ipv4});
    auto b = co_await endpoint();
    a.transport.sendto("unbound", b.transport.sockname());
    co_await until(*b.protocol, 2);
    EXPECT_EQ(b.protocol->lines.back(), "got unbound");
    a.transport.close();
    b.transport.close();
    co_await settle();
}

NETWORK_TEST(CreateDatagramEndpoint, reports_that_an_address_is_taken) {
    const std::size_t before = open_descriptors();
    {
        auto a = co_await endpoint();
        const Result<Endpoint> second =
            co_await as_result(endpoint({.local_addr = a.transport.sockname()}));
        EXPECT_EQ(error_text(second.error()), std::to_string(EADDRINUSE));
        a.transport.close();
        co_await settle();
    }
    EXPECT_EQ(open_descriptors(), before);
}

NETWORK_TEST(CreateDatagramEndpoint, shares_a_port_if_it_is_told_to) {
    auto a = co_await endpoint({.local_addr = DatagramAddress("127.0.0.1", 0), .reuse_port = true});
    auto b = co_await endpoint({.local_addr = a.transport.sockname(), .reuse_port = true});
    EXPECT_EQ(a.transport.sockname(), b.transport.sockname());
    a.transport.close();
    b.transport.close();
    co_await settle();
}

NETWORK_TEST(CreateDatagramEndpoint, does_not_connect_where_broadcasts_are_allowed) {
    auto server = co_await endpoint();
    auto client =
        co_await endpoint({.remote_addr = server.transport.sockname(), .allow_broadcast = true});
    EXPECT_NE(client.transport.socket().getsockopt(SOL_SOCKET, SO_BROADCAST), 0);
    EXPECT_FALSE(client.transport.peername());
    client.transport.sendto("without an address");
    co_await until(*server.protocol, 2);
    EXPECT_EQ(server.protocol->lines.back(), "got without an address");
    EXPECT_THROW(client.transport.sendto("x", Address("127.0.0.1", 1)), std::invalid_argument);
    client.transport.close();
    server.transport.close();
    co_await settle();
}

NETWORK_TEST(CreateDatagramEndpoint, makes_unix_sockets) {
    const ScratchDirectory directory;
    const std::string path = directory / "a";
    { const Mailbox stale(path); }
    auto a = co_await endpoint({.local_addr = path.c_str(), .family = AddressFamily::unix_});
    auto b = co_await endpoint({.local_addr = DatagramAddress(directory / "b"),
                                .remote_addr = DatagramAddress(path),
                                .family = AddressFamily::unix_});
    b.transport.sendto("by a path");
    co_await until(*a.protocol, 2);
    EXPECT_EQ(a.protocol->lines.back(), "got by a path");
    EXPECT_EQ(a.protocol->last_sender.host(), directory / "b");
    a.transport.sendto("back", a.protocol->last_sender);
    co_await until(*b.protocol, 2);
    EXPECT_EQ(b.protocol->lines.back(), "got back");

    const Result<Endpoint> taken =
        co_await as_result(endpoint({.local_addr = path.c_str(), .family = AddressFamily::unix_}));
    EXPECT_EQ(error_text(taken.error()), std::to_string(EADDRINUSE));
    a.transport.close();
    b.transport.close();
    co_await settle();
    EXPECT_TRUE(std::filesystem::is_socket(path));
}

NETWORK_TEST(CreateDatagramEndpoint, refuses_its_descriptor_to_others) {
    auto a = co_await endpoint();
    EXPECT_THROW(add_reader(a.transport.socket(), [] {}), RuntimeError);
    a.transport.close();
    co_await settle();
}
