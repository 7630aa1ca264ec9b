// tls_failing_calls_test.cpp - each system call, and each operation, of what programs do with TLS
// fails, in turn; and a system that transfers little at a time, interrupts, and says "not now".
//
// SPDX-License-Identifier: MIT
#include "support/each_operation.hpp"
#include "support/each_system_call.hpp"
#include "support/tls_scenarios.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace asyncio {

namespace {

using testing::expect_survives_each_operation;
using testing::expect_survives_each_system_call;
using testing::HostileSystem;
using testing::Hostility;
using testing::open_descriptors;
using testing::Scenario;
using testing::tls_begun_later;
using testing::tls_echo;
using testing::tls_of_protocols;

template <class Sweep>
void over_unix_sockets(Sweep sweep) {
    static_cast<void>(testing::the_client_context());
    static_cast<void>(testing::the_server_context());
    testing::over = testing::Over::unix_socket;
    sweep();
    testing::over = testing::Over::tcp;
}

TEST(EachSystemCall, may_fail_in_an_echo_over_tls) {
    over_unix_sockets([] { expect_survives_each_system_call(&tls_echo<1000>); });
}
TEST(EachOperation, may_fail_in_an_echo_over_tls) {
    over_unix_sockets([] { expect_survives_each_operation(&tls_echo<1000>); });
}
TEST(EachSystemCall, may_fail_where_tls_is_begun_later) {
    over_unix_sockets([] { expect_survives_each_system_call(&tls_begun_later); });
}
TEST(EachOperation, may_fail_where_tls_is_begun_later) {
    over_unix_sockets([] { expect_survives_each_operation(&tls_begun_later); });
}
TEST(EachSystemCall, may_fail_under_protocols_over_tls) {
    over_unix_sockets([] { expect_survives_each_system_call(&tls_of_protocols); });
}
TEST(EachOperation, may_fail_under_protocols_over_tls) {
    over_unix_sockets([] { expect_survives_each_operation(&tls_of_protocols); });
}

// On the real clock, on which nothing depends here: the virtual one would jump while the system
// says "not now".
std::int64_t withstand(Scenario scenario, const Hostility& hostility) {
    std::int64_t lies = 0;
    const bool lies_about_readiness =
        hostility.would_block > 0 || hostility.most_bytes != Hostility::no_limit;
    for (const char* proactor : testing::proactors) {
        if (lies_about_readiness && std::string_view(proactor) != "epoll") {
            continue;  // only epoll can be made to report a descriptor again
        }
        SCOPED_TRACE(std::string("on ") + proactor);
        const std::size_t before = open_descriptors();
        const HostileSystem system(hostility);
        try {
            run(scenario(), {.proactor = proactor});
        } catch (...) {
            ADD_FAILURE() << "the test threw " << describe(std::current_exception());
        }
        lies += system.lies();
        EXPECT_EQ(open_descriptors(), before);
    }
    return lies;
}

std::int64_t withstand_all(const Hostility& hostility) {
    return withstand(&tls_echo<40'000>, hostility) + withstand(&tls_begun_later, hostility) +
           withstand(&tls_of_protocols, hostility);
}

TEST(HostileSystem, that_transfers_little_at_a_time_loses_no_byte_of_tls) {
    for (const std::size_t size : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 16U, 63U, 501U, 4'096U}) {
        SCOPED_TRACE("in pieces of " + std::to_string(size));
        Hostility hostility;
        hostility.most_bytes = size;
        EXPECT_GT(withstand(size < 5 ? &tls_echo<100> : &tls_echo<40'000>, hostility), 0);
    }
}
TEST(HostileSystem, that_says_not_now_loses_no_byte_of_tls) {
    Hostility hostility;
    hostility.would_block = 90;
    for (hostility.seed = 1; hostility.seed <= 3; ++hostility.seed) {
        EXPECT_GT(withstand_all(hostility), 0);
    }
}
TEST(HostileSystem, that_interrupts_loses_no_byte_of_tls) {
    Hostility hostility;
    hostility.interrupted = 80;
    for (hostility.seed = 1; hostility.seed <= 3; ++hostility.seed) {
        EXPECT_GT(withstand_all(hostility), 0);
    }
}
TEST(HostileSystem, that_does_all_of_it_loses_no_byte_of_tls) {
    Hostility hostility;
    hostility.would_block = 30;
    hostility.interrupted = 30;
    hostility.delayed = 1;
    hostility.most_bytes = 501;
    for (hostility.seed = 1; hostility.seed <= 3; ++hostility.seed) {
        EXPECT_GT(withstand_all(hostility), 0);
    }
}

}  // namespace

}  // namespace asyncio
