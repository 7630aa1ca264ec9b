// connect_socket_test.cpp - which address of a host is connected to, and when (RFC 8305).
//
// SPDX-License-Identifier: MIT
#include "connect_socket.hpp"

#include <asyncio/streams.hpp>

#include "support/network.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace asyncio;
using namespace std::chrono_literals;
using asyncio::testing::open_descriptors;
using asyncio::testing::Peer;
using asyncio::testing::PeerListener;
using asyncio::testing::settle;

namespace {

AddressInfo info_of(const Address& address) {
    return {address.family(), SocketType::stream, 6, "", address};
}
AddressInfo at(int port) {
    return info_of(Address("127.0.0.1", port));
}

std::vector<AddressInfo> list(std::vector<AddressInfo> infos) {
    return infos;
}

/// Of a socket that is bound, and does not listen: connecting is refused.
class Refusing {
public:
    explicit Refusing(const char* host = "127.0.0.1") : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        const Address any(host, 0);
        EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(any.raw().storage), any.raw().size),
                  0);
        lowlevel::SocketAddress raw;
        socklen_t size = sizeof raw.storage;
        EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(raw.storage), &size), 0);
        raw.size = size;
        address_ = Address(raw);
    }
    Refusing(const Refusing&) = delete;
    Refusing& operator=(const Refusing&) = delete;
    ~Refusing() { ::close(fd_); }

    [[nodiscard]] AddressInfo info() const { return info_of(address_); }
    [[nodiscard]] const Address& address() const { return address_; }

private:
    int fd_;
    Address address_;
};

/// Of a socket that has as many who wait as it may: connecting takes as long as one likes.
class Silent {
public:
    Silent() : listener_(0) {
        for (int i = 0; i < 4; ++i) {
            const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
            const Address to("127.0.0.1", listener_.port());
            static_cast<void>(
                ::connect(fd, reinterpret_cast<const sockaddr*>(to.raw().storage), to.raw().size));
            waiting_.emplace_back(fd);
        }
    }
    [[nodiscard]] AddressInfo info() const { return at(listener_.port()); }

private:
    PeerListener listener_;
    std::vector<Peer> waiting_;
};

std::string os_error(const Refusing& refusing) {
    return "Connect call failed ('127.0.0.1', " + std::to_string(refusing.address().port()) + ")";
}

std::string doing(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const OSError& e) {
        return e.doing();
    }
}

std::vector<std::string> hosts(const std::vector<AddressInfo>& infos) {
    std::vector<std::string> result;
    for (const AddressInfo& info : infos) {
        result.push_back(info.address.host());
    }
    return result;
}

double seconds_since(TimePoint start) {
    return std::chrono::duration<double>(get_running_loop().time() - start).count();
}

}  // namespace

TEST(InterleaveAddresses, lets_the_families_take_turns) {
    std::vector<AddressInfo> infos;
    for (const char* host : {"::1", "::2", "::3", "127.0.0.1", "127.0.0.2", "::4"}) {
        infos.push_back(info_of(Address(host, 1)));
    }
    using Hosts = std::vector<std::string>;
    EXPECT_EQ(hosts(detail::interleave_addresses(infos, 1)),
              (Hosts{"::1", "127.0.0.1", "::2", "127.0.0.2", "::3", "::4"}));
    EXPECT_EQ(hosts(detail::interleave_addresses(infos, 2)),
              (Hosts{"::1", "::2", "127.0.0.1", "::3", "127.0.0.2", "::4"}));
    EXPECT_EQ(hosts(detail::interleave_addresses(infos, 9)),
              (Hosts{"::1", "::2", "::3", "::4", "127.0.0.1", "127.0.0.2"}));
    EXPECT_EQ(hosts(detail::interleave_addresses({}, 1)), Hosts());
}

NETWORK_TEST(HappyEyeballs, take_the_first_address_that_answers) {
    const Silent silent;
    const PeerListener listener;
    const TimePoint start = get_running_loop().time();
    const std::size_t before = open_descriptors();
    {
        auto infos = list({silent.info(), silent.info(), at(listener.port())});
        detail::Connected connected =
            co_await detail::connect_to_one(std::move(infos), {}, 250ms, false);
        EXPECT_EQ(connected.peer.port(), listener.port());
        EXPECT_DOUBLE_EQ(seconds_since(start), 0.5);
        EXPECT_EQ(open_descriptors(), before + 1);  // of the others nothing is left
    }
    EXPECT_EQ(open_descriptors(), before);
}

NETWORK_TEST(HappyEyeballs, do_not_wait_for_what_is_refused) {
    const Refusing refusing;
    const PeerListener listener;
    const TimePoint start = get_running_loop().time();
    auto infos = list({refusing.info(), refusing.info(), at(listener.port())});
    detail::Connected connected = co_await detail::connect_to_one(std::move(infos), {}, 10s, false);
    EXPECT_EQ(connected.peer.port(), listener.port());
    EXPECT_LT(seconds_since(start), 1.0);
}

NETWORK_TEST(HappyEyeballs, begin_nothing_more_when_the_first_answers) {
    const PeerListener listener;
    const PeerListener other;
    auto infos = list({at(listener.port()), at(other.port())});
    detail::Connected connected =
        co_await detail::connect_to_one(std::move(infos), {}, 250ms, false);
    EXPECT_EQ(connected.peer.port(), listener.port());
    EXPECT_EQ(::fcntl(other.fileno(), F_SETFL, O_NONBLOCK), 0);
    EXPECT_EQ(::accept(other.fileno(), nullptr, nullptr), -1);
    EXPECT_EQ(errno, EAGAIN);
}

NETWORK_TEST(HappyEyeballs, tell_all_errors_when_nobody_answers) {
    const Refusing first;
    const Refusing second;
    const std::size_t before = open_descriptors();
    for (const std::optional<Duration> delay :
         {std::optional<Duration>(0.25), std::optional<Duration>()}) {
        auto infos = list({first.info(), second.info()});
        const Result<detail::Connected> connected =
            co_await as_result(detail::connect_to_one(std::move(infos), {}, delay, false));
        try {
            std::rethrow_exception(connected.error());
        } catch (const OSError& error) {
            EXPECT_EQ(error.error_number(), 0);
            EXPECT_EQ(error.doing(), "Multiple exceptions: [Errno 111] " + os_error(first) +
                                         ", [Errno 111] " + os_error(second));
        }
    }
    EXPECT_EQ(open_descriptors(), before);
}

NETWORK_TEST(HappyEyeballs, throw_the_one_error_that_all_have) {
    const Refusing refusing;
    for (const std::optional<Duration> delay :
         {std::optional<Duration>(0.25), std::optional<Duration>()}) {
        auto infos = list({refusing.info(), refusing.info()});
        const Result<detail::Connected> connected =
            co_await as_result(detail::connect_to_one(std::move(infos), {}, delay, false));
        try {
            std::rethrow_exception(connected.error());
        } catch (const ConnectionRefusedError& error) {
            EXPECT_EQ(error.doing(), os_error(refusing));
        }
    }
}

NETWORK_TEST(HappyEyeballs, throw_a_group_if_they_are_asked_for_all_errors) {
    const Refusing first;
    const Refusing second;
    for (const std::optional<Duration> delay :
         {std::optional<Duration>(0.25), std::optional<Duration>()}) {
        auto infos = list({first.info(), second.info()});
        const Result<detail::Connected> connected =
            co_await as_result(detail::connect_to_one(std::move(infos), {}, delay, true));
        try {
            std::rethrow_exception(connected.error());
        } catch (const ExceptionGroup& group) {
            EXPECT_EQ(group.message(), "create_connection failed");
            EXPECT_EQ(group.exceptions().size(), 2U);
            EXPECT_TRUE(group.contains<ConnectionRefusedError>());
        }
    }
}

NETWORK_TEST(HappyEyeballs, throw_a_group_of_one_if_they_are_asked_for_all_errors) {
    const Refusing refusing;
    const Result<StreamPair> pair = co_await as_result(
        open_connection("127.0.0.1", refusing.address().port(), {.all_errors = true}));
    try {
        std::rethrow_exception(pair.error());
    } catch (const ExceptionGroup& group) {
        EXPECT_EQ(group.exceptions().size(), 1U);
    }
}

NETWORK_TEST(HappyEyeballs, leave_nothing_open_when_they_are_cancelled) {
    const Silent silent;
    const Refusing refusing;
    const std::size_t before = open_descriptors();
    for (int step = 0; step < 12; ++step) {
        auto infos = list({refusing.info(), silent.info(), silent.info(), silent.info()});
        auto task = create_task(detail::connect_to_one(std::move(infos), {}, 100ms, false));
        if (step < 6) {
            for (int i = 0; i < step; ++i) {
                co_await sleep(0);
            }
        } else {
            co_await sleep((step - 6) * 50ms);
        }
        task.cancel();
        const Result<detail::Connected> connected = co_await as_result(task);
        EXPECT_TRUE(connected.cancelled());
        EXPECT_EQ(open_descriptors(), before) << "in step " << step;
    }
    EXPECT_EQ(all_tasks().size(), 1U);
}

NETWORK_TEST(HappyEyeballs, end_with_the_time_that_is_given) {
    const Silent silent;
    const std::size_t before = open_descriptors();
    auto infos = list({silent.info(), silent.info()});
    const TimePoint start = get_running_loop().time();
    const Result<detail::Connected> connected = co_await as_result(
        wait_for(detail::connect_to_one(std::move(infos), {}, 250ms, false), 3s));
    EXPECT_THROW(std::rethrow_exception(connected.error()), TimeoutError);
    EXPECT_DOUBLE_EQ(seconds_since(start), 3.0);
    EXPECT_EQ(open_descriptors(), before);
}

NETWORK_TEST(HappyEyeballs, connect_streams) {
    Server server = co_await start_server(
        [](StreamReader, StreamWriter writer) { writer.write("hello"); }, "127.0.0.1", 0);
    const int port = server.addresses().front().port();
    auto [reader, writer] = co_await open_connection(
        "127.0.0.1", port, {.happy_eyeballs_delay = 0.25, .interleave = 2});
    EXPECT_EQ(co_await reader.read(), "hello");
    server.close();
}

NETWORK_TEST(ConnectSocket, tells_of_each_local_address_that_could_not_be_had) {
    const Refusing taken;  // with its port
    const PeerListener listener;
    auto infos = list({at(listener.port())});
    auto local = list({taken.info(), taken.info()});
    const Result<detail::Connected> connected = co_await as_result(
        detail::connect_to_one(std::move(infos), std::move(local), std::nullopt, true));
    try {
        std::rethrow_exception(connected.error());
    } catch (const ExceptionGroup& group) {
        EXPECT_EQ(group.exceptions().size(), 2U);
        for (const std::exception_ptr& error : group.exceptions()) {
            EXPECT_EQ(doing(error), "error while attempting to bind on address ('127.0.0.1', " +
                                        std::to_string(taken.address().port()) + ")");
        }
    }
}

NETWORK_TEST(ConnectSocket, takes_the_first_local_address_that_can_be_had) {
    const Refusing taken;
    const PeerListener listener;
    auto infos = list({at(listener.port())});
    auto local = list({info_of(Address("::1", 0)), taken.info(), info_of(Address("127.0.0.3", 0))});
    detail::Connected connected =
        co_await detail::connect_to_one(std::move(infos), std::move(local), 1s, false);
    EXPECT_EQ(connected.socket.getsockname().host(), "127.0.0.3");
}
