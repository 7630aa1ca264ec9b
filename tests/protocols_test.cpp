// protocols_test.cpp - what protocols are told, and in which order.
//
// SPDX-License-Identifier: MIT
#include <asyncio/protocols.hpp>
#include <asyncio/transports.hpp>

#include "support/network.hpp"
#include "support/recording_protocols.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

using namespace asyncio;
using asyncio::testing::Peer;
using asyncio::testing::PeerListener;
using asyncio::testing::RecordingBufferedProtocol;
using asyncio::testing::RecordingProtocol;
using asyncio::testing::Reports;
using asyncio::testing::settle;
using asyncio::testing::Trace;

namespace {

using Pair = ProtocolPair<RecordingProtocol>;

/// Connects a protocol; the other end becomes `peer`.
template <class P>
Coroutine<ProtocolPair<P>> connect_to(Peer& peer, std::shared_ptr<P> protocol) {
    const PeerListener listener;
    ProtocolPair<P> pair =
        co_await create_connection([&protocol] { return protocol; }, "127.0.0.1", listener.port());
    peer = listener.accept();
    co_return pair;
}

}  // namespace

ASYNC_TEST(Protocol, is_told_of_its_connection_what_arrives_and_the_end) {
    Trace trace;
    Peer peer;
    const auto protocol = std::make_shared<RecordingProtocol>(trace);
    auto [transport, same] = co_await connect_to(peer, protocol);
    EXPECT_EQ(same, protocol);
    EXPECT_EQ(&transport, protocol->transport);
    peer.send("hello");
    co_await settle();
    transport.write("answer");
    peer.shut();
    co_await protocol->lost;

    EXPECT_EQ(trace, (Trace{"made", "data hello", "eof", "lost None"}));
    EXPECT_EQ(co_await peer.receive_all(), "answer");
}
