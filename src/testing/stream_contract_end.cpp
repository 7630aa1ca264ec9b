// stream_contract_end.cpp - what streams promise of their end.
//
// SPDX-License-Identifier: MIT
#include <asyncio/exceptions.hpp>
#include <asyncio/result.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/testing/settle.hpp>

#include "stream_contract.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace asyncio::testing {

namespace {

constexpr std::size_t usual_limit = std::size_t{64} * 1024;

Coroutine<std::string> read_all(StreamReader& reader) {
    const std::string all = co_await reader.read();
    co_return all;
}
Coroutine<> drain(StreamWriter& writer) {
    co_await writer.drain();
}
Coroutine<> closed(StreamWriter& writer) {
    co_await writer.wait_closed();
}

/// Any result but that of waiting for ever.
template <class T>
Coroutine<> ends(const Task<T>& task, Findings& findings, const char* what) {
    for (int time = 0; time < 100 && !task.done(); ++time) {
        co_await sleep(1);
    }
    findings.expect(task.done(), what);
    if (task.done()) {
        static_cast<void>(task.cancelled() ? nullptr : task.exception());
    } else {
        AnyTask(task).cancel();
        co_await settle();
    }
}

Coroutine<> half_of_it_may_end(StreamMaker& maker, Findings& findings) {
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    if (!streams.first.writer.can_write_eof()) {
        co_return;
    }
    streams.first.writer.write("question");
    streams.first.writer.write_eof();
    const std::string question = co_await streams.second.reader.read();
    findings.expect(question == "question", "the peer got something else before the end");
    try {
        streams.first.writer.write("more");
        findings.add("write() after write_eof() is no RuntimeError");
    } catch (const RuntimeError&) {}
    streams.second.writer.write("answer");
    streams.second.writer.close();
    const std::string answer = co_await streams.first.reader.read();
    findings.expect(answer == "answer", "what came after write_eof() is something else");
}

Coroutine<> half_of_it_ends_after_what_was_written(StreamMaker& maker, Findings& findings) {
    const std::size_t much = maker.too_much();
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    if (!streams.first.writer.can_write_eof()) {
        co_return;
    }
    streams.first.writer.write(std::string(much, 'x'));
    streams.first.writer.write_eof();
    const std::string all = co_await streams.second.reader.read();
    findings.expect(all.size() == much, "write_eof() overtook what was written");
}

Coroutine<> close_sends_what_is_left(StreamMaker& maker, Findings& findings) {
    const std::size_t much = maker.too_much();
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    StreamWriter& writer = streams.first.writer;
    findings.expect(!writer.is_closing(), "is_closing() is true of a new one");
    writer.write(std::string(much, 'x'));
    writer.close();
    writer.close();
    findings.expect(writer.is_closing(), "is_closing() is false after close()");
    writer.write("in vain");
    const Task<> closing = create_task(closed(writer));
    co_await settle();
    findings.expect(!closing.done(), "wait_closed() did not wait for what is still to be sent");
    const std::string all = co_await streams.second.reader.read();
    findings.expect(all == std::string(much, 'x'), "not what was written before close() arrived");
    co_await ends(closing, findings, "wait_closed() does not return");
    findings.expect(closing.done() && closing.exception() == nullptr, "wait_closed() has failed");
}

Coroutine<> abort_sends_nothing_more(StreamMaker& maker, Findings& findings) {
    const std::size_t much = maker.too_much();
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    streams.first.writer.write(std::string(much, 'x'));
    streams.first.writer.abort();
    findings.expect(streams.first.writer.is_closing(), "is_closing() is false after abort()");
    const Task<> closing = create_task(closed(streams.first.writer));
    co_await ends(closing, findings, "wait_closed() does not return after abort()");
    const Task<std::string> reading = create_task(read_all(streams.second.reader));
    co_await ends(reading, findings, "the peer of who aborts waits for ever");
    if (reading.done() && !reading.cancelled() && reading.exception() == nullptr) {
        findings.expect(reading.result().size() < much, "abort() sent what was left");
    }
}

Coroutine<> close_ends_the_own_read(StreamMaker& maker, Findings& findings) {
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    const Task<std::string> reading = create_task(read_all(streams.first.reader));
    co_await settle();
    streams.first.writer.close();
    co_await ends(reading, findings, "a task that reads waits for ever after close()");
}

Coroutine<> a_peer_that_goes_is_noticed_by_who_reads(StreamMaker& maker, Findings& findings) {
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    const Task<std::string> reading = create_task(read_all(streams.second.reader));
    co_await settle();
    streams.first.writer.write("last words");
    streams.first.writer.close();
    co_await ends(reading, findings, "who reads waits for ever for a peer that has closed");
    if (reading.done() && reading.exception() == nullptr) {
        findings.expect(reading.result() == "last words", "something else arrived");
    }
}

Coroutine<> a_peer_that_goes_is_noticed_by_who_writes(StreamMaker& maker, Findings& findings) {
    const std::size_t much = maker.too_much();
    std::optional<ConnectedStreams> streams = co_await maker.connect(usual_limit);
    StreamPair first = std::move(streams->first);
    first.writer.write(std::string(much, 'x'));
    const Task<> draining = create_task(drain(first.writer));
    co_await sleep(1);
    findings.expect(!draining.done(), "drain() did not wait");
    streams->second.writer.abort();
    streams.reset();
    co_await ends(draining, findings, "drain() waits for ever for a peer that has gone");
    for (int time = 0; time < 10; ++time) {
        first.writer.write("in vain");
        co_await sleep(1);
    }
    findings.expect(first.writer.is_closing(), "writing to a peer that has gone is not noticed");
    const Task<> after = create_task(drain(first.writer));
    co_await ends(after, findings, "drain() waits for ever after the connection was lost");
    findings.expect(after.done() && after.exception() != nullptr,
                    "drain() does not tell that the connection is lost");
    first.writer.close();
    const Task<> closing = create_task(closed(first.writer));
    co_await ends(closing, findings, "wait_closed() does not return after the connection was lost");
}

Coroutine<> handles_that_are_dropped_close_it(StreamMaker& maker, Findings& findings) {
    std::optional<ConnectedStreams> streams = co_await maker.connect(usual_limit);
    StreamReader reader = std::move(streams->second.reader);
    const StreamWriter writer = std::move(streams->second.writer);
    streams->first.writer.write("goodbye");
    streams.reset();
    const Task<std::string> reading = create_task(read_all(reader));
    co_await ends(reading, findings, "the peer of who has dropped its handles waits for ever");
    if (reading.done() && reading.exception() == nullptr) {
        findings.expect(reading.result() == "goodbye", "what was written is not sent");
    }
}

Coroutine<> wait_closed_waits(StreamMaker& maker, Findings& findings) {
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    Task<> given_up = create_task(closed(streams.first.writer));
    const Task<> one = create_task(closed(streams.first.writer));
    const Task<> other = create_task(closed(streams.first.writer));
    co_await sleep(1);
    findings.expect(!one.done(), "wait_closed() did not wait for close()");
    given_up.cancel();
    co_await settle();
    findings.expect(given_up.cancelled(), "wait_closed() cannot be cancelled");
    streams.first.writer.close();
    co_await ends(one, findings, "wait_closed() does not return");
    co_await ends(other, findings, "wait_closed() does not return to all");
    const Task<> late = create_task(closed(streams.first.writer));
    co_await ends(late, findings, "wait_closed() does not return when it is closed already");
}

constexpr StreamCheck checks[] = {
    {"write_eof() ends one direction and leaves the other", &half_of_it_may_end, true},
    {"write_eof() waits for what was written", &half_of_it_ends_after_what_was_written},
    {"close() sends what is left", &close_sends_what_is_left},
    {"abort() sends nothing more", &abort_sends_nothing_more},
    {"close() ends the read of one's own", &close_ends_the_own_read, true},
    {"a peer that goes is noticed by who reads", &a_peer_that_goes_is_noticed_by_who_reads},
    {"a peer that goes is noticed by who writes", &a_peer_that_goes_is_noticed_by_who_writes, true},
    {"handles that are dropped close the connection", &handles_that_are_dropped_close_it, true},
    {"wait_closed() waits for the end, in any number of tasks", &wait_closed_waits},
};

}  // namespace

std::span<const StreamCheck> checks_of_the_end() noexcept {
    return checks;
}

}  // namespace asyncio::testing
