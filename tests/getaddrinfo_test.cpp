// getaddrinfo_test.cpp - names and numbers, as the C library has them.
//
// SPDX-License-Identifier: MIT
#include <asyncio/sockets.hpp>
#include <asyncio/tasks.hpp>

#include "support/network.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <netdb.h>
#include <sys/socket.h>

using namespace asyncio;
using asyncio::testing::open_descriptors;
using asyncio::testing::settle;

namespace {

std::string line(int family, int type, int proto, const std::string& canonname,
                 const std::string& address) {
    return std::to_string(family) + " " + std::to_string(type) + " " + std::to_string(proto) + " " +
           canonname + " " + address;
}

int system_family(AddressFamily family) {
    return family == AddressFamily::ipv4 ? AF_INET : family == AddressFamily::ipv6 ? AF_INET6 : 0;
}
int system_type(SocketType type) {
    return type == SocketType::stream     ? SOCK_STREAM
           : type == SocketType::datagram ? SOCK_DGRAM
           : type == SocketType::other    ? SOCK_RAW
                                          : 0;
}

/// What the C library answers; the number of its error if it does not.
std::string of_libc(const std::string& host, int port, const AddressInfoOptions& options) {
    addrinfo hints{};
    hints.ai_family = system_family(options.family);
    hints.ai_socktype = system_type(options.type);
    hints.ai_protocol = options.proto;
    hints.ai_flags = options.flags;
    addrinfo* first = nullptr;
    const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &first);
    if (error != 0) {
        return "error " + std::to_string(error);
    }
    std::string text;
    for (const addrinfo* info = first; info != nullptr; info = info->ai_next) {
        lowlevel::SocketAddress raw;
        std::memcpy(raw.storage, info->ai_addr, info->ai_addrlen);
        raw.size = info->ai_addrlen;
        text += line(info->ai_family, info->ai_socktype, info->ai_protocol,
                     info->ai_canonname != nullptr ? info->ai_canonname : "",
                     Address(raw).to_string()) +
                "\n";
    }
    ::freeaddrinfo(first);
    return text;
}

std::string text_of(const Result<std::vector<AddressInfo>>& answer) {
    if (!answer.has_value()) {
        try {
            std::rethrow_exception(answer.error());
        } catch (const AddressInfoError& error) {
            return "error " + std::to_string(error.eai());
        } catch (...) {
            return describe(std::current_exception());
        }
    }
    std::string text;
    for (const AddressInfo& info : answer.value()) {
        text += line(system_family(info.family), system_type(info.type), info.proto, info.canonname,
                     info.address.to_string()) +
                "\n";
    }
    return text;
}

}  // namespace

ASYNC_TEST(GetAddrInfoOfNumbers, gives_what_the_c_library_gives) {
    for (const char* host : {"127.0.0.1", "::1", "0.0.0.0", "::", "::ffff:1.2.3.4", "fe80::1%lo"}) {
        for (const AddressFamily family :
             {AddressFamily::unspecified, AddressFamily::ipv4, AddressFamily::ipv6}) {
            for (const SocketType type :
                 {SocketType::any, SocketType::stream, SocketType::datagram}) {
                for (const int proto : {0, 6, 17}) {
                    for (const int flags : {0, AI_PASSIVE, AI_NUMERICHOST | AI_NUMERICSERV,
                                            AI_CANONNAME, AI_V4MAPPED, AI_ADDRCONFIG}) {
                        const AddressInfoOptions options{family, type, proto, flags};
                        const Result<std::vector<AddressInfo>> answer =
                            co_await as_result(getaddrinfo(host, 80, options));
                        EXPECT_EQ(text_of(answer), of_libc(host, 80, options))
                            << host << " family " << static_cast<int>(family) << " type "
                            << static_cast<int>(type) << " proto " << proto << " flags " << flags;
                    }
                }
            }
        }
    }
}

ASYNC_TEST(GetAddrInfoOfNames, refuses_those_that_are_no_names) {
    const std::string long_label(64, 'a');
    const std::string long_name = std::string(300, 'a') + ".example";
    for (const std::string& host :
         {long_label, long_name, std::string(70'000, 'x'), std::string("300.300.300.300"),
          std::string("::1::"), std::string("fe80::1%no-such-interface")}) {
        AddressInfoOptions options;
        options.flags = AI_NUMERICHOST;  // nobody is asked
        const Result<std::vector<AddressInfo>> answer =
            co_await as_result(getaddrinfo(host, 80, options));
        EXPECT_EQ(text_of(answer), "error " + std::to_string(EAI_NONAME)) << host.substr(0, 20);
    }
}

ASYNC_TEST(GetAddrInfoOfNames, tells_what_is_wrong_with_the_request) {
    AddressInfoOptions options;
    options.type = SocketType::stream;
    options.proto = 17;
    const Result<std::vector<AddressInfo>> kinds =
        co_await as_result(getaddrinfo("localhost", 80, options));
    EXPECT_EQ(text_of(kinds), of_libc("localhost", 80, options));
    const Result<std::vector<AddressInfo>> service =
        co_await as_result(getaddrinfo("127.0.0.1", "no-such-service"));
    EXPECT_TRUE(text_of(service).starts_with("error "));
}

ASYNC_TEST(GetAddrInfoOfNames, drops_what_nobody_waits_for) {
    const std::size_t before = open_descriptors();
    std::vector<Task<std::vector<AddressInfo>>> tasks;
    for (int i = 0; i < 30; ++i) {
        tasks.push_back(create_task(getaddrinfo("localhost", 80)));
    }
    co_await sleep(0);
    for (const auto& task : tasks) {
        task.cancel();
    }
    for (const auto& task : tasks) {
        const Result<std::vector<AddressInfo>> answer = co_await as_result(task);
        EXPECT_TRUE(answer.cancelled());
    }
    // The pool is as good as new.
    const std::vector<AddressInfo> infos = co_await getaddrinfo("localhost", 80);
    EXPECT_FALSE(infos.empty());
    EXPECT_LE(open_descriptors(), before + 8);  // what the C library keeps in each thread
}
