// stream_contract_writing.cpp - what a StreamWriter promises of what is written.
//
// SPDX-License-Identifier: MIT
#include <asyncio/exceptions.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/testing/settle.hpp>

#include "stream_contract.hpp"

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace asyncio::testing {

namespace {

constexpr std::size_t usual_limit = std::size_t{64} * 1024;

/// Of which no two stretches are alike.
std::string numbered(std::size_t size) {
    std::string text(size, '\0');
    std::uint32_t state = 2463534242U;
    for (char& each : text) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        each = static_cast<char>(state & 0xff);
    }
    return text;
}

Coroutine<std::string> read_all(StreamReader& reader) {
    const std::string all = co_await reader.read();
    co_return all;
}

/// Is the task still waiting, when whatever could happen has happened?
Coroutine<bool> still_waits(AnyTask task) {
    co_await sleep(1);
    co_return !task.done();
}

Coroutine<> drain(StreamWriter& writer) {
    co_await writer.drain();
}

Coroutine<> every_byte_arrives_in_order(StreamMaker& maker, Findings& findings) {
    const std::size_t much = maker.too_much();
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    const std::string text = numbered(much);
    const Task<std::string> reading = create_task(read_all(streams.second.reader));
    std::size_t size = 1;
    for (std::size_t begin = 0; begin < text.size();
         begin += size, size = (size * 7 + 1) % 100'003) {
        size = size == 0 ? 1 : size;
        streams.first.writer.write(std::string_view(text).substr(begin, size));
        co_await streams.first.writer.drain();
    }
    streams.first.writer.close();
    const std::string got = co_await reading;
    findings.expect(got == text, "other bytes arrived than were written");
}

Coroutine<> both_ways_at_once(StreamMaker& maker, Findings& findings) {
    const std::size_t much = maker.too_much();
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    const std::string text = numbered(much / 4);
    const auto talk = [](StreamPair& end, const std::string& text) -> Coroutine<bool> {
        end.writer.write(text);
        const std::string got = co_await end.reader.readexactly(text.size());
        co_await end.writer.drain();
        co_return got == text;
    };
    const Task<bool> one = create_task(talk(streams.first, text));
    const Task<bool> other = create_task(talk(streams.second, text));
    const bool one_well = co_await one;
    const bool other_well = co_await other;
    findings.expect(one_well && other_well, "other bytes arrived than were written");
}

Coroutine<> writing_takes_the_bytes_at_once(StreamMaker& maker, Findings& findings) {
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    std::string text = "as it was";
    streams.first.writer.write(text);
    text = "something";
    streams.first.writer.write("");
    const std::vector<std::string> lines{"", " and", "", " is", ""};
    streams.first.writer.writelines(lines);
    streams.first.writer.close();
    const std::string got = co_await streams.second.reader.read();
    findings.expect(got == "as it was and is", "'" + got + "' arrived");
}

Coroutine<> drain_waits_for_the_reader(StreamMaker& maker, Findings& findings) {
    const std::size_t much = maker.too_much();
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    StreamWriter& writer = streams.first.writer;
    const std::string text = numbered(much);
    writer.write(text);
    const auto [low, high] = writer.get_write_buffer_limits();
    findings.expect(writer.get_write_buffer_size() > high, "all of it was taken at once");
    std::vector<Task<>> draining;
    for (int number = 0; number < 3; ++number) {
        draining.push_back(create_task(drain(writer)));
    }
    for (const Task<>& each : draining) {
        const bool waits = co_await still_waits(each);
        findings.expect(waits, "drain() did not wait for a reader that does not read");
    }
    std::size_t received = 0;
    while (!draining.front().done() && received < text.size()) {
        const std::string piece = co_await streams.second.reader.read(65536);
        received += piece.size();
        co_await settle();
    }
    findings.expect(writer.get_write_buffer_size() <= low,
                    "drain() ended before the buffer was down to the low mark");
    co_await settle();
    for (const Task<>& each : draining) {
        findings.expect(each.done(), "not all that wait in drain() are woken");
    }
    writer.close();
    const std::string rest = co_await streams.second.reader.read();
    findings.expect(received + rest.size() == text.size(), "bytes are lost");
}

Coroutine<> writelines_counts_as_writing(StreamMaker& maker, Findings& findings) {
    const std::size_t much = maker.too_much();
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    const std::string block = numbered(much / 64);
    const std::vector<std::string> blocks(64, block);
    streams.first.writer.writelines(blocks);
    const Task<> draining = create_task(drain(streams.first.writer));
    const bool waits = co_await still_waits(draining);
    findings.expect(waits, "drain() after writelines() did not wait");
    for (const std::string& each : blocks) {
        const std::string got = co_await streams.second.reader.readexactly(each.size());
        findings.expect(got == each, "other bytes arrived than were written");
    }
    co_await draining;
}

Coroutine<> a_cancelled_drain_changes_nothing(StreamMaker& maker, Findings& findings) {
    const std::size_t much = maker.too_much();
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    const std::string text = numbered(much);
    streams.first.writer.write(text);
    Task<> draining = create_task(drain(streams.first.writer));
    const bool waits = co_await still_waits(draining);
    findings.expect(waits, "drain() did not wait");
    draining.cancel();
    co_await settle();
    findings.expect(draining.cancelled(), "drain() cannot be cancelled");
    streams.first.writer.close();
    const std::string got = co_await streams.second.reader.read();
    findings.expect(got == text, "other bytes arrived than were written");
}

Coroutine<> limits_of_the_buffer_are_kept(StreamMaker& maker, Findings& findings) {
    const std::size_t much = maker.too_much();
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    StreamWriter& writer = streams.first.writer;
    writer.set_write_buffer_limits({.high = 1000});
    findings.expect(
        writer.get_write_buffer_limits() == std::pair<std::size_t, std::size_t>(250, 1000),
        "the low mark is not a quarter of the high one");
    try {
        writer.set_write_buffer_limits({.high = 1, .low = 2});
        findings.add("a low mark above the high one is taken");
    } catch (const std::invalid_argument&) {}
    writer.set_write_buffer_limits({.high = 0});
    writer.write(numbered(much));
    const Task<> draining = create_task(drain(writer));
    const bool waits = co_await still_waits(draining);
    findings.expect(waits, "drain() did not wait");
    const Task<std::string> reading = create_task(read_all(streams.second.reader));
    co_await draining;
    findings.expect(writer.get_write_buffer_size() == 0, "drain() ended before all was sent");
    writer.close();
    const std::string got = co_await reading;
    findings.expect(got.size() == much, "bytes are lost");
}

constexpr StreamCheck checks[] = {
    {"every byte arrives, once and in order", &every_byte_arrives_in_order},
    {"both ends may write more than fits at once", &both_ways_at_once, true},
    {"write() takes the bytes when it is called", &writing_takes_the_bytes_at_once},
    {"drain() waits for a reader that does not read, in any number of tasks",
     &drain_waits_for_the_reader},
    {"writelines() fills the buffer as write() does", &writelines_counts_as_writing},
    {"a drain() that is cancelled changes nothing", &a_cancelled_drain_changes_nothing},
    {"the limits of the write buffer are kept", &limits_of_the_buffer_are_kept},
};

}  // namespace

std::span<const StreamCheck> checks_of_writing() noexcept {
    return checks;
}

}  // namespace asyncio::testing
