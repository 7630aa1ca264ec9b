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
#include <vector>

using namespace asyncio;
using asyncio::testing::connect_protocol;
using asyncio::testing::Faults;
using asyncio::testing::Peer;
using asyncio::testing::PeerListener;
using asyncio::testing::RecordingBufferedProtocol;
using asyncio::testing::RecordingProtocol;
using asyncio::testing::Reports;
using asyncio::testing::run_with_faults;
using asyncio::testing::settle;
using asyncio::testing::Trace;

namespace {

std::shared_ptr<RecordingProtocol> recording(Trace& trace) {
    return std::make_shared<RecordingProtocol>(trace);
}

}  // namespace

// ------------------------------------------------------------------------------ order of events

ASYNC_TEST(Protocol, is_told_of_its_connection_what_arrives_and_the_end) {
    Trace trace;
    Peer peer;
    const auto protocol = recording(trace);
    auto [transport, same] = co_await connect_protocol(peer, protocol);
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

ASYNC_TEST(Protocol, knows_its_connection_before_create_connection_returns) {
    Trace trace;
    Peer peer;
    const auto protocol = recording(trace);
    protocol->on_made = [&trace](RecordingProtocol&) {
        get_running_loop().call_soon([&trace] { trace.push_back("next turn"); });
    };
    co_await connect_protocol(peer, protocol);
    trace.push_back("returned");
    EXPECT_EQ(trace, (Trace{"made", "next turn", "returned"}));
    protocol->transport->close();
    co_await protocol->lost;
}

ASYNC_TEST(Protocol, gets_what_had_arrived_before_only_after_it_was_told_of_the_connection) {
    Trace trace;
    const PeerListener listener;
    Peer peer = Peer::connect(listener.port());
    Peer other = listener.accept();
    other.send("early");
    const auto protocol = recording(trace);
    co_await create_connection([&protocol] { return protocol; }, Socket(::dup(peer.fileno())));
    trace.push_back("returned");
    co_await settle();
    EXPECT_EQ(trace, (Trace{"made", "returned", "data early"}));
    protocol->transport->abort();
    co_await protocol->lost;
}

ASYNC_TEST(Protocol, is_lost_once_whatever_is_done_to_end_it) {
    Trace trace;
    Peer peer;
    const auto protocol = recording(trace);
    auto [transport, same] = co_await connect_protocol(peer, protocol);
    peer.close();
    transport.close();
    transport.abort();
    transport.close();
    EXPECT_TRUE(transport.is_closing());
    EXPECT_EQ(trace, Trace{"made"}) << "connection_lost() is called by the loop";
    co_await protocol->lost;
    transport.abort();
    transport.close();
    co_await settle();
    EXPECT_EQ(trace, (Trace{"made", "lost None"}));
}

ASYNC_TEST(Protocol, is_lost_by_what_the_system_reports) {
    Trace trace;
    Peer peer;
    const auto protocol = recording(trace);
    co_await connect_protocol(peer, protocol);
    peer.reset();
    co_await protocol->lost;
    EXPECT_EQ(trace.size(), 2U);
    EXPECT_EQ(trace.back().rfind("lost ConnectionResetError", 0), 0U) << trace.back();
}

ASYNC_TEST(Protocol, may_close_or_abort_when_it_is_told_of_the_connection) {
    for (const bool abort : {false, true}) {
        Trace trace;
        Peer peer;
        const auto protocol = recording(trace);
        protocol->on_made = [abort](RecordingProtocol& self) {
            self.transport->write("bye");
            if (abort) {
                self.transport->abort();
            } else {
                self.transport->close();
            }
        };
        co_await connect_protocol(peer, protocol);
        peer.send("too late");
        co_await settle();
        EXPECT_EQ(trace, (Trace{"made", "lost None"}));
        EXPECT_EQ(co_await peer.receive_all(), "bye");
    }
}

// ----------------------------------------------------------------------------- the peer's end

ASYNC_TEST(Protocol, keeps_the_connection_half_open_if_it_wants_to) {
    Trace trace;
    Peer peer;
    const auto protocol = recording(trace);
    protocol->keep_open = true;
    auto [transport, same] = co_await connect_protocol(peer, protocol);
    peer.send("all");
    peer.shut();
    co_await settle();
    EXPECT_EQ(trace, (Trace{"made", "data all", "eof"}));
    EXPECT_FALSE(transport.is_closing());
    transport.pause_reading();
    transport.resume_reading();
    transport.write("still here");
    co_await settle();
    EXPECT_EQ(trace.size(), 3U) << "the end comes once";
    transport.close();
    EXPECT_EQ(co_await peer.receive_all(), "still here");
    EXPECT_EQ(trace.back(), "lost None");
}

ASYNC_TEST(Protocol, gets_nothing_after_it_has_closed_the_connection_inside_of_a_call) {
    Trace trace;
    Peer peer;
    const auto protocol = recording(trace);
    protocol->on_data = [](RecordingProtocol& self) { self.transport->close(); };
    co_await connect_protocol(peer, protocol);
    peer.send("one");
    co_await settle();
    EXPECT_EQ(trace, (Trace{"made", "data one", "lost None"}));
}

// ------------------------------------------------------------------------------------ receiving

ASYNC_TEST(Protocol, gets_no_more_than_256_KiB_at_once) {
    Trace trace;
    Peer peer;
    const auto protocol = recording(trace);
    auto [transport, same] = co_await connect_protocol(peer, protocol);
    transport.pause_reading();
    co_await settle();
    std::string sent;
    const std::string block(64 * 1024, 'x');
    while (const std::size_t n = peer.try_send(block)) {
        sent.append(block, 0, n);
    }
    transport.resume_reading();
    while (protocol->received.size() < sent.size()) {
        co_await sleep(0);
    }
    EXPECT_EQ(protocol->received, sent);
    for (const std::string& entry : trace) {
        if (entry.rfind("data ", 0) == 0 && entry.size() > 7) {
            EXPECT_LE(std::stoul(entry.substr(5)), 256U * 1024);
        }
    }
    transport.abort();
    co_await protocol->lost;
}

ASYNC_TEST(Protocol, gets_nothing_while_reading_is_paused_and_loses_nothing) {
    Trace trace;
    Peer peer;
    const auto protocol = recording(trace);
    protocol->on_made = [](RecordingProtocol& self) {
        EXPECT_TRUE(self.transport->is_reading());
        self.transport->pause_reading();
        self.transport->pause_reading();
        EXPECT_FALSE(self.transport->is_reading());
    };
    protocol->on_data = [](RecordingProtocol& self) { self.transport->pause_reading(); };
    auto [transport, same] = co_await connect_protocol(peer, protocol);
    peer.send("one");
    co_await settle();
    EXPECT_EQ(trace, Trace{"made"});
    transport.resume_reading();
    transport.resume_reading();
    co_await settle();
    EXPECT_EQ(trace, (Trace{"made", "data one"}));
    peer.send("two");
    peer.shut();
    co_await settle();
    EXPECT_EQ(trace.size(), 2U);
    transport.resume_reading();
    co_await settle();
    EXPECT_EQ(trace, (Trace{"made", "data one", "data two"}));
    transport.resume_reading();
    co_await protocol->lost;
    EXPECT_EQ(trace, (Trace{"made", "data one", "data two", "eof", "lost None"}));
    EXPECT_FALSE(transport.is_reading());
    transport.resume_reading();
    transport.pause_reading();
}

ASYNC_TEST(Protocol, that_pauses_and_resumes_in_one_call_gets_everything_once) {
    Trace trace;
    Peer peer;
    const auto protocol = recording(trace);
    protocol->on_data = [](RecordingProtocol& self) {
        self.transport->pause_reading();
        self.transport->resume_reading();
        self.transport->pause_reading();
        self.transport->resume_reading();
    };
    co_await connect_protocol(peer, protocol);
    for (const char* const piece : {"a", "b", "c"}) {
        peer.send(piece);
        co_await settle();
    }
    peer.close();
    co_await protocol->lost;
    EXPECT_EQ(trace, (Trace{"made", "data a", "data b", "data c", "eof", "lost None"}));
}

static Coroutine<> ping_pong() {
    Trace trace;
    Peer peer;
    const auto protocol = recording(trace);
    auto [transport, same] = co_await connect_protocol(peer, protocol);
    transport.write("ping");
    EXPECT_EQ(co_await peer.receive_exactly(4), "ping");
    peer.send("pong");
    peer.shut();
    co_await protocol->lost;
    EXPECT_EQ(trace, (Trace{"made", "data pong", "eof", "lost None"}));
}

TEST(Protocol, gets_everything_where_nothing_can_be_attempted_in_place) {
    for (const unsigned refuse : {1U, 2U, 3U}) {
        Faults faults;
        faults.refuse_attempts = refuse;
        run_with_faults(faults, ping_pong());
    }
}

// ------------------------------------------------------------------------------ BufferedProtocol

ASYNC_TEST(BufferedProtocol, receives_into_memory_of_its_own) {
    Trace trace;
    Peer peer;
    const auto protocol = std::make_shared<RecordingBufferedProtocol>(trace, 4);
    co_await connect_protocol(peer, protocol);
    peer.send("123456");
    peer.shut();
    co_await protocol->lost;
    EXPECT_EQ(protocol->received, "123456");
    EXPECT_EQ(trace, (Trace{"made", "get_buffer -1", "updated 4", "get_buffer -1", "updated 2",
                            "get_buffer -1", "eof", "lost None"}));
}

ASYNC_TEST(BufferedProtocol, with_an_empty_buffer_loses_the_connection) {
    Trace trace;
    Peer peer;
    const Reports reports;
    const auto protocol = std::make_shared<RecordingBufferedProtocol>(trace, 0);
    co_await connect_protocol(peer, protocol);
    peer.send("x");
    co_await protocol->lost;
    EXPECT_EQ(reports.messages, Trace{"Fatal error: protocol.get_buffer() call failed."});
    EXPECT_EQ(reports.errors, Trace{"RuntimeError('get_buffer() returned an empty buffer')"});
    EXPECT_EQ(trace, (Trace{"made", "get_buffer -1",
                            "lost RuntimeError('get_buffer() returned an empty buffer')"}));
}

ASYNC_TEST(BufferedProtocol, may_do_everything_inside_of_get_buffer) {
    for (const char* const what : {"close", "abort", "pause"}) {
        Trace trace;
        Peer peer;
        const auto protocol = std::make_shared<RecordingBufferedProtocol>(trace, 8);
        protocol->on_get_buffer = [what](RecordingBufferedProtocol& self) {
            if (*what == 'c') {
                self.transport->close();
            } else if (*what == 'a') {
                self.transport->abort();
            } else {
                self.transport->pause_reading();
            }
        };
        auto [transport, same] = co_await connect_protocol(peer, protocol);
        peer.send("data");
        co_await settle();
        EXPECT_EQ(protocol->received, "") << what;
        protocol->on_get_buffer = nullptr;
        transport.resume_reading();
        co_await settle();
        EXPECT_EQ(protocol->received, *what == 'p' ? "data" : "") << what;
        transport.close();
        co_await protocol->lost;
    }
}

// ----------------------------------------------------------------------------------- set_protocol

ASYNC_TEST(SetProtocol, gives_what_arrives_to_another_kind_of_protocol) {
    Trace trace;
    Peer peer;
    const auto first = recording(trace);
    const auto second = std::make_shared<RecordingBufferedProtocol>(trace, 4);
    const auto third = recording(trace);
    first->on_data = [&](RecordingProtocol& self) { self.transport->set_protocol(second); };
    second->on_updated = [&](RecordingBufferedProtocol&) { first->transport->set_protocol(third); };
    auto [transport, same] = co_await connect_protocol(peer, first);
    EXPECT_EQ(transport.get_protocol(), first);
    peer.send("one");
    co_await settle();
    EXPECT_EQ(transport.get_protocol(), second);
    peer.send("twotail");
    co_await settle();
    EXPECT_EQ(transport.get_protocol(), third);
    peer.close();
    co_await third->lost;
    EXPECT_EQ(trace, (Trace{"made", "data one", "get_buffer -1", "updated 4", "data ail", "eof",
                            "lost None"}));
    EXPECT_EQ(transport.get_protocol(), nullptr);
}

ASYNC_TEST(SetProtocol, keeps_the_one_before_until_its_call_has_returned) {
    Trace trace;
    Peer peer;
    Transport* transport = nullptr;
    {
        auto first = recording(trace);
        first->note_destruction = true;
        first->on_data = [](RecordingProtocol& self) {
            self.transport->set_protocol(std::make_shared<Protocol>());
            self.note("still there");
        };
        co_await connect_protocol(peer, first);
        transport = first->transport;
    }
    peer.send("x");
    co_await settle();
    EXPECT_EQ(trace, (Trace{"made", "data x", "still there", "destroyed"}));
    transport->abort();
    co_await settle();
}

ASYNC_TEST(SetProtocol, takes_a_protocol_that_somebody_else_keeps) {
    Trace trace;
    Peer peer;
    RecordingProtocol own(trace, "own");
    auto [transport, first] = co_await connect_protocol(peer, recording(trace));
    transport.set_protocol(own);
    peer.send("x");
    peer.shut();
    co_await own.lost;
    EXPECT_EQ(trace, (Trace{"made", "own: data x", "own: eof", "own: lost None"}));
}

// --------------------------------------------------------------------------- what callbacks throw

ASYNC_TEST(Protocol, that_throws_from_data_received_loses_the_connection) {
    Trace trace;
    Peer peer;
    const auto protocol = recording(trace);
    BaseTransport* reported_transport = nullptr;
    BaseProtocol* reported_protocol = nullptr;
    Trace reports;
    get_running_loop().set_exception_handler([&](EventLoop&, const ExceptionContext& context) {
        reported_transport = context.transport;
        reported_protocol = context.protocol;
        reports.push_back(context.message + " " + describe(context.exception));
    });
    protocol->on_data = [](RecordingProtocol&) { throw RuntimeError("no"); };
    auto [transport, same] = co_await connect_protocol(peer, protocol);
    peer.send("x");
    co_await protocol->lost;
    EXPECT_EQ(reports,
              Trace{"Fatal error: protocol.data_received() call failed. RuntimeError('no')"});
    EXPECT_EQ(reported_transport, static_cast<BaseTransport*>(&transport));
    EXPECT_EQ(reported_protocol, protocol.get());
    EXPECT_EQ(trace, (Trace{"made", "data x", "lost RuntimeError('no')"}));
    get_running_loop().set_exception_handler(nullptr);
}

ASYNC_TEST(Protocol, that_throws_an_OSError_loses_the_connection_without_a_report) {
    Trace trace;
    Peer peer;
    const Reports reports;
    const auto protocol = recording(trace);
    protocol->on_data = [](RecordingProtocol&) { throw OSError("broken"); };
    co_await connect_protocol(peer, protocol);
    peer.send("x");
    co_await protocol->lost;
    EXPECT_EQ(reports.messages, Trace{});
    EXPECT_EQ(trace.back(), "lost OSError('broken')");
}

ASYNC_TEST(Protocol, that_throws_from_eof_received_loses_the_connection) {
    Trace trace;
    Peer peer;
    const Reports reports;
    const auto protocol = recording(trace);
    protocol->on_eof = [](RecordingProtocol&) { throw RuntimeError("no"); };
    co_await connect_protocol(peer, protocol);
    peer.close();
    co_await protocol->lost;
    EXPECT_EQ(reports.messages, Trace{"Fatal error: protocol.eof_received() call failed."});
    EXPECT_EQ(trace.back(), "lost RuntimeError('no')");
}

ASYNC_TEST(BufferedProtocol, that_throws_loses_the_connection) {
    for (const bool early : {true, false}) {
        Trace trace;
        Peer peer;
        const Reports reports;
        const auto protocol = std::make_shared<RecordingBufferedProtocol>(trace, 4);
        (early ? protocol->on_get_buffer : protocol->on_updated) = [](RecordingBufferedProtocol&) {
            throw RuntimeError("no");
        };
        co_await connect_protocol(peer, protocol);
        peer.send("x");
        co_await protocol->lost;
        EXPECT_EQ(reports.messages,
                  Trace{early ? "Fatal error: protocol.get_buffer() call failed."
                              : "Fatal error: protocol.buffer_updated() call failed."});
        EXPECT_EQ(trace.back(), "lost RuntimeError('no')");
    }
}

ASYNC_TEST(Protocol, that_throws_when_it_is_told_of_the_connection_keeps_it) {
    Trace trace;
    Peer peer;
    const Reports reports;
    const auto protocol = recording(trace);
    protocol->on_made = [](RecordingProtocol&) { throw RuntimeError("no"); };
    co_await connect_protocol(peer, protocol);
    peer.send("x");
    peer.shut();
    co_await protocol->lost;
    EXPECT_EQ(reports.errors, Trace{"RuntimeError('no')"});
    EXPECT_EQ(trace, (Trace{"made", "data x", "eof", "lost None"}));
}

ASYNC_TEST(Protocol, that_throws_from_connection_lost_is_reported_and_the_socket_is_closed) {
    Trace trace;
    Peer peer;
    const Reports reports;
    const auto protocol = recording(trace);
    protocol->on_lost = [](RecordingProtocol&) { throw RuntimeError("no"); };
    auto [transport, same] = co_await connect_protocol(peer, protocol);
    transport.close();
    co_await settle();
    EXPECT_EQ(reports.errors, Trace{"RuntimeError('no')"});
    EXPECT_EQ(co_await peer.receive_all(), "");
    EXPECT_EQ(transport.socket().fileno(), -1);
    EXPECT_EQ(transport.get_protocol(), nullptr);
}

TEST(Protocol, that_throws_SystemExit_leaves_the_loop_and_the_connection_as_it_is) {
    for (const char* const where : {"made", "data", "lost"}) {
        EventLoop loop;
        Trace trace;
        Peer peer;
        std::shared_ptr<RecordingProtocol> protocol;
        const auto leave = [](RecordingProtocol&) { throw SystemExit(3); };
        const auto talk = [&]() -> Coroutine<> {
            protocol = recording(trace);
            (*where == 'm'   ? protocol->on_made
             : *where == 'd' ? protocol->on_data
                             : protocol->on_lost) = leave;
            co_await connect_protocol(peer, protocol);
            peer.send("one");
            co_await settle();
            peer.shut();
            co_await protocol->lost;
        };
        auto task = loop.create_task(talk());
        EXPECT_THROW(loop.run_until_complete(task), SystemExit) << where;
        protocol->on_made = nullptr;
        protocol->on_data = nullptr;
        protocol->on_lost = nullptr;
        if (*where == 'l') {
            protocol->lost.set_result();
        }
        loop.run_until_complete(task);
        EXPECT_EQ(trace, (Trace{"made", "data one", "eof", "lost None"})) << where;
    }
}

// -------------------------------------------------------------------------------- who keeps whom

ASYNC_TEST(Protocol, is_kept_until_it_was_told_of_the_end_and_keeps_its_transport) {
    Trace trace;
    Peer peer;
    std::shared_ptr<RecordingProtocol> kept;
    {
        auto protocol = recording(trace);
        protocol->note_destruction = true;
        co_await connect_protocol(peer, std::move(protocol));
    }
    peer.send("x");
    co_await settle();
    peer.close();
    co_await settle();
    EXPECT_EQ(trace, (Trace{"made", "data x", "eof", "lost None", "destroyed"}));

    kept = recording(trace);
    co_await connect_protocol(peer, kept);
    kept->transport->abort();
    co_await kept->lost;
    kept->transport->write("to nobody");
    EXPECT_EQ(kept->transport->get_write_buffer_size(), 0U);
    EXPECT_TRUE(kept->transport->is_closing());
    EXPECT_TRUE(kept->transport->peername());
}

TEST(Protocol, of_a_loop_that_is_closed_goes_without_being_told) {
    Trace trace;
    Peer peer;
    std::shared_ptr<RecordingProtocol> kept;
    {
        EventLoop loop;
        const auto talk = [&]() -> Coroutine<> {
            auto protocol = recording(trace);
            protocol->note_destruction = true;
            co_await connect_protocol(peer, std::move(protocol));
            kept = recording(trace);
            Peer other;
            co_await connect_protocol(other, kept);
            kept->transport->write(std::string(1 << 22, 'x'));
        };
        loop.run_until_complete(talk());
        loop.close();
        EXPECT_EQ(trace, (Trace{"made", "made", "pause", "destroyed"}));
        kept->transport->write("x");
        kept->transport->resume_reading();
        kept->transport->close();
        kept->transport->abort();
        EXPECT_EQ(kept->transport->get_protocol(), nullptr);
    }
    kept.reset();
}

// ----------------------------------------------------------------------------------- the context

ASYNC_TEST(Protocol, is_called_in_a_copy_of_the_context_of_whoever_connected) {
    static ContextVar<std::string> user("user");
    Trace trace;
    Peer peer;
    const auto protocol = recording(trace);
    const auto note = [&trace](RecordingProtocol&) { trace.push_back(user.get("nobody")); };
    protocol->on_made = note;
    protocol->on_data = note;
    protocol->on_eof = note;
    protocol->on_lost = note;
    user.set("ann");
    co_await connect_protocol(peer, protocol);
    user.set("bob");
    peer.send("x");
    peer.shut();
    co_await protocol->lost;
    EXPECT_EQ(trace, (Trace{"made", "ann", "data x", "ann", "eof", "ann", "lost None", "ann"}));
}

// --------------------------------------------------------------------------------- the factories

namespace {

class ByValue final : public Protocol {
public:
    explicit ByValue(Future<> done) : done_(std::move(done)) {}
    void connection_made(BaseTransport& transport) override { transport.close(); }
    void connection_lost(std::exception_ptr) override { done_.set_result(); }

private:
    Future<> done_;
};

ByValue by_value(const Future<>& done) {
    return ByValue(done);
}

}  // namespace

ASYNC_TEST(ProtocolFactory, may_give_a_pointer_a_reference_or_the_protocol_itself) {
    const PeerListener listener;
    Trace trace;
    const auto connect = [&](auto factory) {
        return create_connection(std::move(factory), "127.0.0.1", listener.port());
    };
    auto [a, unique] = co_await connect([&] { return std::make_unique<RecordingProtocol>(trace); });
    a.close();
    co_await unique->lost;

    RecordingProtocol own(trace);
    auto [b, reference] = co_await connect([&]() -> RecordingProtocol& { return own; });
    EXPECT_EQ(reference.get(), &own);
    b.close();
    co_await own.lost;

    const Future<> done = get_running_loop().create_future();
    auto [c, value] = co_await connect([&] { return by_value(done); });
    co_await done;
    EXPECT_TRUE(c.is_closing());
}
