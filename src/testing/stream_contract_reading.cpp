// stream_contract_reading.cpp - what a StreamReader promises.
//
// SPDX-License-Identifier: MIT
#include <asyncio/exceptions.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/testing/settle.hpp>

#include "stream_contract.hpp"

#include <cstddef>
#include <iterator>
#include <string>

namespace asyncio::testing {

namespace {

constexpr std::size_t usual_limit = std::size_t{64} * 1024;

Coroutine<> read_gives_what_is_there(StreamMaker& maker, Findings& findings) {
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    streams.first.writer.write("abcdef");
    const std::string some = co_await streams.second.reader.read(4);
    findings.expect(!some.empty() && some.size() <= 4, "read(4) gave another number of bytes");
    const std::string rest = co_await streams.second.reader.readexactly(6 - some.size());
    findings.expect(some + rest == "abcdef", "the bytes are others, or in another order");
    const std::string none = co_await streams.second.reader.read(0);
    findings.expect(none.empty(), "read(0) gave something");
}

Coroutine<> read_without_a_size_gives_all(StreamMaker& maker, Findings& findings) {
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    std::string all;
    for (int number = 0; number < 200; ++number) {
        const std::string piece(static_cast<std::size_t>(number),
                                static_cast<char>('a' + number % 26));
        all += piece;
        streams.first.writer.write(piece);
    }
    streams.first.writer.close();
    const std::string got = co_await streams.second.reader.read();
    findings.expect(got == all, "read() gave something else than what was written");
    findings.expect(streams.second.reader.at_eof(), "at_eof() is not true at the end");
    const std::string again = co_await streams.second.reader.read(1);
    findings.expect(again.empty(), "a read after the end gave something");
}

Coroutine<> readexactly_gives_exactly(StreamMaker& maker, Findings& findings) {
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    const Task<std::string> reading =
        create_task([](StreamReader& reader) -> Coroutine<std::string> {
            const std::string text = co_await reader.readexactly(6);
            co_return text;
        }(streams.second.reader));
    for (const char* piece : {"a", "bc", "def", "gh"}) {
        streams.first.writer.write(piece);
        co_await sleep(1);
    }
    const std::string exactly = co_await reading;
    findings.expect(exactly == "abcdef", "readexactly(6) gave something else");
    streams.first.writer.close();
    try {
        const std::string more = co_await streams.second.reader.readexactly(3);
        findings.add("readexactly(3) of two bytes gave something");
    } catch (const IncompleteReadError& error) {
        findings.expect(error.partial() == "gh", "IncompleteReadError carries something else");
    }
}

Coroutine<> lines_come_whole(StreamMaker& maker, Findings& findings) {
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    for (const char* piece : {"fir", "st\nsec", "ond\n", "\nla", "st"}) {
        streams.first.writer.write(piece);
        co_await sleep(1);
    }
    streams.first.writer.close();
    for (const char* line : {"first\n", "second\n", "\n", "last", ""}) {
        const std::string got = co_await streams.second.reader.readline();
        findings.expect(got == line, "readline() gave '" + got + "'");
    }
}

Coroutine<> a_separator_may_come_in_pieces(StreamMaker& maker, Findings& findings) {
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    for (const char* piece : {"head", "\r", "\n", "\r", "\n", "bo", "dy\r\n\r", "x\r\n\r\n"}) {
        streams.first.writer.write(piece);
        co_await sleep(1);
    }
    std::string got = co_await streams.second.reader.readuntil("\r\n\r\n");
    findings.expect(got == "head\r\n\r\n", "readuntil() gave something else");
    got = co_await streams.second.reader.readuntil("\r\n\r\n");
    findings.expect(got == "body\r\n\rx\r\n\r\n", "readuntil() took what only begins as one");
}

Coroutine<> the_limit_bounds_readuntil(StreamMaker& maker, Findings& findings) {
    ConnectedStreams streams = co_await maker.connect(16);
    const std::string text = std::string(40, 'x') + "\n" + "after";
    streams.first.writer.write(text);
    co_await sleep(1);
    try {
        const std::string got = co_await streams.second.reader.readuntil("\n");
        findings.add("readuntil() gave more than the limit");
    } catch (const LimitOverrunError&) {}
    const std::string all = co_await streams.second.reader.readexactly(text.size());
    findings.expect(all == text, "what was over the limit is not there to be read");
}

Coroutine<> a_cancelled_read_takes_nothing(StreamMaker& maker, Findings& findings) {
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    const auto read_ten = [](StreamReader& reader) -> Coroutine<std::string> {
        const std::string text = co_await reader.readexactly(10);
        co_return text;
    };
    std::string sent;
    for (int round = 0; round < 20; ++round) {
        Task<std::string> reading = create_task(read_ten(streams.second.reader));
        const std::string piece(static_cast<std::size_t>(round % 3),
                                static_cast<char>('a' + round));
        // Before it waits, while it waits, and when bytes have arrived.
        for (int turns = 0; turns < round % 4; ++turns) {
            co_await sleep(0);
        }
        streams.first.writer.write(piece);
        sent += piece;
        for (int turns = 0; turns < round / 4; ++turns) {
            co_await sleep(0);
        }
        reading.cancel();
        co_await settle();
        if (reading.done() && !reading.cancelled() && reading.exception() == nullptr) {
            const std::string got = reading.result();
            findings.expect(sent.compare(0, 10, got) == 0, "a read gave other bytes");
            sent.erase(0, got.size());
        }
    }
    streams.first.writer.close();
    const std::string rest = co_await streams.second.reader.read();
    findings.expect(rest == sent, "bytes are lost, or come twice");
}

Coroutine<> one_task_reads_at_a_time(StreamMaker& maker, Findings& findings) {
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    const auto read_one = [](StreamReader& reader) -> Coroutine<std::string> {
        const std::string text = co_await reader.readexactly(1);
        co_return text;
    };
    const Task<std::string> first = create_task(read_one(streams.second.reader));
    co_await settle();
    try {
        const std::string stolen = co_await streams.second.reader.read(1);
        findings.add("a second task read while the first one waited");
    } catch (const RuntimeError&) {}
    streams.first.writer.write("x");
    const std::string got = co_await first;
    findings.expect(got == "x", "the first task did not get its byte");
}

Coroutine<> both_directions_are_independent(StreamMaker& maker, Findings& findings) {
    ConnectedStreams streams = co_await maker.connect(usual_limit);
    const auto answer = [](StreamPair& end) -> Coroutine<> {
        for (int round = 0; round < 50; ++round) {
            const std::string line = co_await end.reader.readline();
            end.writer.write("re: " + line);
        }
    };
    const Task<> answering = create_task(answer(streams.second));
    for (int round = 0; round < 50; ++round) {
        const std::string line = "line " + std::to_string(round) + "\n";
        streams.first.writer.write(line);
        const std::string got = co_await streams.first.reader.readline();
        findings.expect(got == "re: " + line, "the answer is another one");
    }
    co_await answering;
}

constexpr StreamCheck checks[] = {
    {"read(n) gives up to n bytes, and waits for one", &read_gives_what_is_there},
    {"read() gives all bytes up to the end", &read_without_a_size_gives_all},
    {"readexactly() gives so many or says what there was", &readexactly_gives_exactly},
    {"readline() gives whole lines, the last as it is", &lines_come_whole},
    {"readuntil() finds separators that come in pieces", &a_separator_may_come_in_pieces},
    {"readuntil() gives no more than the limit, and loses nothing", &the_limit_bounds_readuntil},
    {"a read that is cancelled takes no byte", &a_cancelled_read_takes_nothing},
    {"only one task may read at a time", &one_task_reads_at_a_time},
    {"both directions are independent", &both_directions_are_independent, true},
};

}  // namespace

std::span<const StreamCheck> checks_of_reading() noexcept {
    return checks;
}

}  // namespace asyncio::testing
