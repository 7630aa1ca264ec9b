// streams_test.cpp - readers fed by hand; and connections, whose other end the test holds.
//
// SPDX-License-Identifier: MIT
#include <asyncio/streams.hpp>
#include <asyncio/log.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/timeouts.hpp>

#include "support/network.hpp"
#include "support/no_memory.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

using namespace asyncio;
using namespace std::chrono_literals;
using asyncio::testing::Faults;
using asyncio::testing::NoMemory;
using asyncio::testing::open_descriptors;
using asyncio::testing::open_to;
using asyncio::testing::Peer;
using asyncio::testing::PeerListener;
using asyncio::testing::run_with_faults;
using asyncio::testing::settle;

namespace {

const std::string lines = "line1\nline2\nline3\n";

/// `size` bytes in which every position can be told from its neighbours.
std::string pattern(std::size_t size) {
    std::string bytes(size, '\0');
    std::uint32_t state = 12345;
    for (char& byte : bytes) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<char>(state >> 24);
    }
    return bytes;
}

/// Everything that is in the reader's buffer; it must be of no further use.
Coroutine<std::string> rest_of(StreamReader& reader) {
    if (!reader.at_eof() && reader.exception() == nullptr) {
        try {
            reader.feed_eof();
        } catch (const RuntimeError&) {}
    }
    co_return co_await reader.read();
}

/// An awaitable of the reader's as a coroutine, for a task of its own.
template <class Awaitable>
Coroutine<std::string> reading(Awaitable awaitable) {
    co_return co_await std::move(awaitable);
}

Coroutine<> drain(StreamWriter& writer) {
    co_await writer.drain();
}

/// What an OSError says, without what belongs to its number.
std::string doing(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const OSError& e) {
        return e.doing();
    }
}

/// Is it an OSError of exactly that class?
template <class E>
bool is_a(const std::exception_ptr& error) {
    return error != nullptr && *error.__cxa_exception_type() == typeid(E);
}

/// Collects what is logged.
class LogCapture {
public:
    LogCapture() {
        set_logger([this](Level level, std::string_view text) {
            levels.push_back(level);
            texts.emplace_back(text);
        });
    }
    LogCapture(const LogCapture&) = delete;
    LogCapture& operator=(const LogCapture&) = delete;
    ~LogCapture() { set_logger(nullptr); }

    std::vector<Level> levels;
    std::vector<std::string> texts;
};

}  // namespace

// ------------------------------------------------------------- StreamReader, fed by hand: read()

NETWORK_TEST(StreamReader, reads_no_bytes_without_touching_the_buffer) {
    StreamReader reader;
    reader.feed_data("");
    reader.feed_data(lines);
    const std::string none = co_await reader.read(0);
    EXPECT_EQ(none, "");
    const std::string rest = co_await rest_of(reader);
    EXPECT_EQ(rest, lines);
}

NETWORK_TEST(StreamReader, reads_what_is_there_up_to_the_size) {
    StreamReader reader;
    reader.feed_data("line1");
    reader.feed_data("line2");
    const std::string five = co_await reader.read(5);
    EXPECT_EQ(five, "line1");
    const std::string more = co_await reader.read(100);
    EXPECT_EQ(more, "line2");
}

NETWORK_TEST(StreamReader, waits_for_bytes) {
    StreamReader reader;
    get_running_loop().call_soon([&reader] { reader.feed_data(lines); });
    const std::string all = co_await reader.read(30);
    EXPECT_EQ(all, lines);
}

NETWORK_TEST(StreamReader, gives_nothing_at_the_end) {
    StreamReader reader;
    get_running_loop().call_soon([&reader] { reader.feed_eof(); });
    const std::string none = co_await reader.read(1024);
    EXPECT_EQ(none, "");
    EXPECT_TRUE(reader.at_eof());
}

NETWORK_TEST(StreamReader, reads_everything_to_the_end) {
    StreamReader reader;
    get_running_loop().call_soon([&reader] {
        reader.feed_data("chunk1\n");
        reader.feed_data("chunk2");
        reader.feed_eof();
    });
    const std::string all = co_await reader.read();
    EXPECT_EQ(all, "chunk1\nchunk2");
}

NETWORK_TEST(StreamReader, reads_more_than_its_limit) {
    StreamReader reader(3);
    reader.feed_data("chunk");
    const std::string all = co_await reader.read(5);
    EXPECT_EQ(all, "chunk");
}

NETWORK_TEST(StreamReader, throws_its_exception_at_every_read) {
    StreamReader reader;
    reader.feed_data("line\n");
    const std::string two = co_await reader.read(2);
    EXPECT_EQ(two, "li");
    EXPECT_EQ(reader.exception(), nullptr);

    reader.set_exception(RuntimeError("bad"));
    EXPECT_EQ(describe(reader.exception()), "RuntimeError('bad')");
    const auto read = co_await as_result(reader.read(2));
    EXPECT_EQ(describe(read.error()), "RuntimeError('bad')");
    const auto zero = co_await as_result(reader.read(0));
    EXPECT_EQ(describe(zero.error()), "RuntimeError('bad')");
    const auto line = co_await as_result(reader.readline());
    EXPECT_EQ(describe(line.error()), "RuntimeError('bad')");
    const auto exactly = co_await as_result(reader.readexactly(2));
    EXPECT_EQ(describe(exactly.error()), "RuntimeError('bad')");
    std::array<std::byte, 4> memory{};
    const auto into = co_await as_result(reader.read_into(memory));
    EXPECT_EQ(describe(into.error()), "RuntimeError('bad')");
}

NETWORK_TEST(StreamReader, wakes_the_task_that_waits_with_its_exception) {
    StreamReader reader;
    auto task = create_task(reading(reader.readline()));
    co_await settle();
    reader.set_exception(RuntimeError("bad"));
    const auto result = co_await as_result(task);
    EXPECT_EQ(describe(result.error()), "RuntimeError('bad')");
}

NETWORK_TEST(StreamReader, takes_an_exception_after_a_read_was_cancelled) {
    StreamReader reader;
    auto task = create_task(reading(reader.readline()));
    co_await settle();
    task.cancel();
    reader.set_exception(RuntimeError("bad"));
    co_await settle();
    EXPECT_TRUE(task.cancelled());
}

TEST(StreamReader, has_a_limit_above_zero) {
    try {
        const StreamReader reader(0);
        ADD_FAILURE();
    } catch (const std::invalid_argument& error) {
        EXPECT_STREQ(error.what(), "Limit cannot be <= 0");
    }
}

TEST(StreamReader, can_not_be_fed_after_its_end) {
    StreamReader reader;
    reader.feed_eof();
    EXPECT_THROW(reader.feed_data("x"), RuntimeError);
}

TEST(StreamReader, can_not_be_used_after_it_was_moved_from) {
    StreamReader reader;
    reader.feed_data("x");
    StreamReader other = std::move(reader);
    EXPECT_THROW(static_cast<void>(reader.read(1)), RuntimeError);
    EXPECT_FALSE(other.at_eof());
    reader = std::move(other);
    reader.feed_eof();
    EXPECT_FALSE(reader.at_eof());
}

NETWORK_TEST(StreamReader, reads_into_memory_of_the_caller) {
    StreamReader reader;
    std::array<char, 8> memory{};
    reader.feed_data("0123456789");
    const std::size_t first = co_await reader.read_into(memory);
    EXPECT_EQ(std::string(memory.data(), first), "01234567");
    const std::size_t second = co_await reader.read_into(memory);
    EXPECT_EQ(std::string(memory.data(), second), "89");
    const std::size_t none = co_await reader.read_into(std::span<char>());
    EXPECT_EQ(none, 0U);
    reader.feed_eof();
    const std::size_t end = co_await reader.read_into(memory);
    EXPECT_EQ(end, 0U);
}

NETWORK_TEST(StreamReader, knows_when_everything_has_been_read) {
    StreamReader reader;
    EXPECT_FALSE(reader.at_eof());
    reader.feed_data("some data\n");
    EXPECT_FALSE(reader.at_eof());
    const std::string line = co_await reader.readline();
    EXPECT_FALSE(reader.at_eof());
    reader.feed_data(line);
    reader.feed_eof();
    EXPECT_FALSE(reader.at_eof());
    const std::string again = co_await reader.readline();
    EXPECT_EQ(again, line);
    EXPECT_TRUE(reader.at_eof());
}

// ---------------------------------------------------------------------------------- readline()

NETWORK_TEST(StreamReader, reads_a_line_that_comes_in_pieces) {
    StreamReader reader;
    reader.feed_data("chunk1 ");
    get_running_loop().call_soon([&reader] {
        reader.feed_data("chunk2 ");
        reader.feed_data("chunk3 ");
        reader.feed_data("\n chunk4");
    });
    const std::string line = co_await reader.readline();
    EXPECT_EQ(line, "chunk1 chunk2 chunk3 \n");
    const std::string rest = co_await rest_of(reader);
    EXPECT_EQ(rest, " chunk4");
}

NETWORK_TEST(StreamReader, reads_lines_and_bytes_in_turns) {
    StreamReader reader;
    reader.feed_data(lines.substr(0, 6));
    reader.feed_data(lines.substr(6));
    const std::string line = co_await reader.readline();
    EXPECT_EQ(line, "line1\n");
    const std::string seven = co_await reader.read(7);
    EXPECT_EQ(seven, "line2\nl");
    const std::string rest = co_await rest_of(reader);
    EXPECT_EQ(rest, "ine3\n");
}

NETWORK_TEST(StreamReader, gives_the_last_line_without_a_newline) {
    StreamReader reader;
    reader.feed_data("some data");
    reader.feed_eof();
    const std::string line = co_await reader.readline();
    EXPECT_EQ(line, "some data");
    const std::string none = co_await reader.readline();
    EXPECT_EQ(none, "");
}

NETWORK_TEST(StreamReader, is_iterated_by_line) {
    StreamReader reader;
    reader.feed_data("a\n\nb");
    reader.feed_eof();
    std::vector<std::string> got;
    while (auto line = co_await reader.next()) {
        got.push_back(*line);
    }
    EXPECT_EQ(got, (std::vector<std::string>{"a\n", "\n", "b"}));
}

static const char* const found_text =
    "ValueError('Separator is found, but chunk is longer than limit')";
static const char* const not_found_text =
    "ValueError('Separator is not found, and chunk exceed the limit')";

NETWORK_TEST(StreamReader, discards_a_line_that_is_too_long) {
    StreamReader reader(3);
    reader.feed_data("li");
    reader.feed_data("ne1\nline2\n");
    const auto found = co_await as_result(reader.readline());
    EXPECT_EQ(describe(found.error()), found_text);
    const std::string rest = co_await rest_of(reader);
    EXPECT_EQ(rest, "line2\n");
}

NETWORK_TEST(StreamReader, discards_everything_if_no_line_ends_within_the_limit) {
    StreamReader reader(3);
    reader.feed_data("li");
    reader.feed_data("ne1");
    reader.feed_data("li");
    const auto not_found = co_await as_result(reader.readline());
    EXPECT_EQ(describe(not_found.error()), not_found_text);
    const std::string rest = co_await rest_of(reader);
    EXPECT_EQ(rest, "");
}

// What came in before the task runs counts, as in CPython, which looks when it runs.
NETWORK_TEST(StreamReader, judges_a_line_when_its_task_runs) {
    StreamReader all(7);
    get_running_loop().call_soon([&all] {
        all.feed_data("chunk1");
        all.feed_data("chunk2");
        all.feed_data("chunk3\n");
        all.feed_eof();
    });
    const auto one = co_await as_result(all.readline());
    EXPECT_EQ(describe(one.error()), found_text);
    const std::string rest = co_await rest_of(all);
    EXPECT_EQ(rest, "");

    StreamReader two(7);
    get_running_loop().call_soon([&two] {
        two.feed_data("chunk1");
        two.feed_data("chunk2\n");
        two.feed_data("chunk3\n");
        two.feed_eof();
    });
    const auto first = co_await as_result(two.readline());
    EXPECT_EQ(describe(first.error()), found_text);
    const std::string second = co_await two.readline();
    EXPECT_EQ(second, "chunk3\n");
}

NETWORK_TEST(StreamReader, does_not_count_the_newline_to_the_limit) {
    StreamReader reader(7);
    reader.feed_data("1234567\n");
    const std::string line = co_await reader.readline();
    EXPECT_EQ(line, "1234567\n");
    reader.feed_data("12345678\n");
    const auto found = co_await as_result(reader.readline());
    EXPECT_EQ(describe(found.error()), found_text);
    reader.feed_data("12345678");
    const auto not_found = co_await as_result(reader.readline());
    EXPECT_EQ(describe(not_found.error()), not_found_text);
    const std::string rest = co_await rest_of(reader);
    EXPECT_EQ(rest, "");
}

// --------------------------------------------------------------------------------- readuntil()

NETWORK_TEST(StreamReader, needs_a_separator) {
    StreamReader reader;
    const auto empty = co_await as_result(reader.readuntil(""));
    EXPECT_EQ(describe(empty.error()),
              "ValueError('Separator should be at least one-byte string')");
    const auto one_empty = co_await as_result(reader.readuntil("a", ""));
    EXPECT_EQ(describe(one_empty.error()),
              "ValueError('Separator should be at least one-byte string')");
    const auto none = co_await as_result(reader.readuntil(std::vector<std::string>()));
    EXPECT_EQ(describe(none.error()),
              "ValueError('Separator should contain at least one element')");
}

NETWORK_TEST(StreamReader, finds_a_separator_that_comes_in_pieces) {
    const std::vector<std::vector<std::string>> cases{
        {"lineAAA"}, {"QWEAA", "XYAA", "A"}, {"QWEAA", "XYA", "AA"}, {"AAA"},
        {"XAAA"},    {"XXX", "A", "A", "A"}};
    for (const auto& pieces : cases) {
        StreamReader reader;
        std::string all;
        auto task = create_task(reading(reader.readuntil("AAA")));
        for (const std::string& piece : pieces) {
            co_await settle();
            EXPECT_FALSE(task.done());
            reader.feed_data(piece);
            all += piece;
        }
        const std::string got = co_await task;
        EXPECT_EQ(got, all);
    }
}

// S8: a separator split at each place, over each number of bytes before it.
NETWORK_TEST(StreamReader, finds_a_separator_at_every_split) {
    const std::string separator = "\r\n.\r\n";
    for (std::size_t before = 0; before < 8; ++before) {
        const std::string message = std::string(before, '\r') + separator;
        const std::string all = message + "tail";
        for (std::size_t first = 0; first <= all.size(); ++first) {
            for (std::size_t second = first; second <= all.size(); ++second) {
                StreamReader reader;
                auto task = create_task(reading(reader.readuntil(separator)));
                co_await sleep(0);
                reader.feed_data(all.substr(0, first));
                co_await sleep(0);
                reader.feed_data(all.substr(first, second - first));
                co_await sleep(0);
                reader.feed_data(all.substr(second));
                const std::string got = co_await task;
                EXPECT_EQ(got, message) << first << " " << second;
                const std::string rest = co_await rest_of(reader);
                EXPECT_EQ(rest, "tail") << first << " " << second;
            }
        }
    }
}

NETWORK_TEST(StreamReader, leaves_what_is_behind_the_separator) {
    StreamReader reader;
    reader.feed_data("lineAAAxxx");
    const std::string line = co_await reader.readuntil("AAA");
    EXPECT_EQ(line, "lineAAA");
    const std::string rest = co_await rest_of(reader);
    EXPECT_EQ(rest, "xxx");
}

NETWORK_TEST(StreamReader, reports_an_end_before_the_separator) {
    StreamReader reader;
    reader.feed_data("some dataAA");
    reader.feed_eof();
    try {
        const std::string never = co_await reader.readuntil("AAA");
        ADD_FAILURE() << never;
    } catch (const IncompleteReadError& error) {
        EXPECT_STREQ(error.what(), "11 bytes read on a total of undefined expected bytes");
        EXPECT_EQ(error.partial(), "some dataAA");
        EXPECT_EQ(error.expected(), std::nullopt);
    }
    EXPECT_TRUE(reader.at_eof());
}

NETWORK_TEST(StreamReader, keeps_what_is_longer_than_its_limit) {
    StreamReader reader(3);
    reader.feed_data("some dataAA");
    try {
        const std::string never = co_await reader.readuntil("AAA");
        ADD_FAILURE() << never;
    } catch (const LimitOverrunError& error) {
        EXPECT_STREQ(error.what(), "Separator is not found, and chunk exceed the limit");
        EXPECT_EQ(error.consumed(), 9U);
    }
    reader.feed_data("A");
    try {
        const std::string never = co_await reader.readuntil("AAA");
        ADD_FAILURE() << never;
    } catch (const LimitOverrunError& error) {
        EXPECT_STREQ(error.what(), "Separator is found, but chunk is longer than limit");
        EXPECT_EQ(error.consumed(), 9U);
    }
    const std::string rest = co_await rest_of(reader);
    EXPECT_EQ(rest, "some dataAAA");
}

NETWORK_TEST(StreamReader, reads_until_the_separator_that_ends_first) {
    StreamReader reader;
    reader.feed_data("line 1\nline 2\r");
    const std::string first = co_await reader.readuntil("\r", "\n");
    EXPECT_EQ(first, "line 1\n");
    const std::string second = co_await reader.readuntil("\r", "\n");
    EXPECT_EQ(second, "line 2\r");

    reader.feed_data("ABCDEFG");
    const std::vector<std::string> separators{"DEF", "BCDE"};
    const std::string third = co_await reader.readuntil(separators);
    EXPECT_EQ(third, "ABCDE");
    const std::string rest = co_await rest_of(reader);
    EXPECT_EQ(rest, "FG");
}

NETWORK_TEST(StreamReader, applies_its_limit_to_the_shortest_separator) {
    StreamReader reader(3);
    reader.feed_data("some dataA");
    const auto found = co_await as_result(reader.readuntil("A", "ome dataA"));
    EXPECT_EQ(describe(found.error()),
              "LimitOverrunError('Separator is found, but chunk is longer than limit')");
    const std::string rest = co_await rest_of(reader);
    EXPECT_EQ(rest, "some dataA");
}

NETWORK_TEST(StreamReader, finds_a_short_separator_before_a_long_one_would_fit) {
    StreamReader reader;
    reader.feed_data("data");
    auto task = create_task(reading(reader.readuntil("A", "long sep")));
    co_await settle();
    reader.feed_data("Z");
    reader.feed_data("Aaaa");
    const std::string got = co_await task;
    EXPECT_EQ(got, "dataZA");
    const std::string rest = co_await rest_of(reader);
    EXPECT_EQ(rest, "aaa");
}

// Each byte is searched once, however it comes: 30 MB in pieces of 8 would take minutes otherwise.
NETWORK_TEST(StreamReader, searches_in_linear_time) {
    constexpr std::size_t size = std::size_t{2} << 20;
    StreamReader reader(2 * size);
    auto task = create_task(reading(reader.readuntil("\r\n")));
    co_await sleep(0);
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < size; i += 8) {
        reader.feed_data("xxxxxxx\r");
        co_await sleep(0);  // the task looks at it
    }
    reader.feed_data("\n");
    const std::string all = co_await task;
    EXPECT_EQ(all.size(), size + 1);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 20s);
}

// ------------------------------------------------------------------------------- readexactly()

NETWORK_TEST(StreamReader, reads_exactly_what_was_asked_for) {
    StreamReader reader(3);
    get_running_loop().call_soon([&reader] {
        reader.feed_data(lines);
        reader.feed_data(lines);
        reader.feed_data(lines);
    });
    const std::string two =
        co_await reader.readexactly(static_cast<std::ptrdiff_t>(2 * lines.size()));
    EXPECT_EQ(two, lines + lines);
    const std::string none = co_await reader.readexactly(0);
    EXPECT_EQ(none, "");
    const std::string rest = co_await rest_of(reader);
    EXPECT_EQ(rest, lines);
}

TEST(StreamReader, reads_no_negative_number_of_bytes) {
    StreamReader reader;
    try {
        static_cast<void>(reader.readexactly(-1));
        ADD_FAILURE();
    } catch (const std::invalid_argument& error) {
        EXPECT_STREQ(error.what(), "readexactly size can not be less than zero");
    }
}

NETWORK_TEST(StreamReader, reports_an_end_before_everything_has_come) {
    StreamReader reader;
    get_running_loop().call_soon([&reader] {
        reader.feed_data(lines);
        reader.feed_eof();
    });
    try {
        const std::string never = co_await reader.readexactly(36);
        ADD_FAILURE() << never;
    } catch (const IncompleteReadError& error) {
        EXPECT_STREQ(error.what(), "18 bytes read on a total of 36 expected bytes");
        EXPECT_EQ(error.partial(), lines);
        EXPECT_EQ(error.expected(), 36U);
    }
    EXPECT_TRUE(reader.at_eof());
}

// --------------------------------------------------------------- one task at a time, cancelling

NETWORK_TEST(StreamReader, is_read_by_one_task_at_a_time) {
    StreamReader reader;
    auto first = create_task(reading(reader.read(10)));
    co_await settle();

    const auto until = co_await as_result(reader.readuntil("x"));
    EXPECT_EQ(describe(until.error()),
              "RuntimeError('readuntil() called while another coroutine is already waiting for "
              "incoming data')");
    const auto line = co_await as_result(reader.readline());
    EXPECT_EQ(describe(line.error()),
              "RuntimeError('readuntil() called while another coroutine is already waiting for "
              "incoming data')");
    const auto exactly = co_await as_result(reader.readexactly(5));
    EXPECT_EQ(describe(exactly.error()),
              "RuntimeError('readexactly() called while another coroutine is already waiting for "
              "incoming data')");
    const auto read = co_await as_result(reader.read());
    EXPECT_EQ(describe(read.error()),
              "RuntimeError('read() called while another coroutine is already waiting for "
              "incoming data')");

    reader.feed_data("for the first");
    const std::string got = co_await first;
    EXPECT_EQ(got, "for the fi");
}

// S10: at every number of turns after the bytes have come.
NETWORK_TEST(StreamReader, loses_no_byte_whenever_a_read_is_cancelled) {
    for (int turns = 0; turns < 4; ++turns) {
        for (int kind = 0; kind < 4; ++kind) {
            StreamReader reader;
            std::array<char, 4> memory{};
            const auto body = [](StreamReader& from, std::span<char> into, int what,
                                 std::string& out) -> Coroutine<> {
                if (what == 0) {
                    out = co_await from.read(3);
                } else if (what == 1) {
                    out = co_await from.readexactly(3);
                } else if (what == 2) {
                    out = co_await from.readuntil("c");
                } else {
                    const std::size_t count = co_await from.read_into(into);
                    out.assign(into.data(), count);
                }
            };
            std::string got;
            auto task = create_task(body(reader, memory, kind, got));
            co_await settle();
            reader.feed_data("abcdef");
            for (int i = 0; i < turns; ++i) {
                co_await sleep(0);
            }
            task.cancel();
            const auto result = co_await as_result(task);
            static_cast<void>(result);
            const std::string rest = co_await rest_of(reader);
            EXPECT_EQ(got + rest, "abcdef") << turns << " " << kind;
        }
    }
}

NETWORK_TEST(StreamReader, keeps_what_a_cancelled_read_to_the_end_has_collected) {
    StreamReader reader;
    auto task = create_task(reading(reader.read()));
    co_await settle();
    reader.feed_data("first ");
    co_await settle();
    task.cancel();
    co_await settle();
    reader.feed_data("second");
    const std::string all = co_await rest_of(reader);
    EXPECT_EQ(all, "first second");
}

NETWORK_TEST(StreamReader, may_be_destroyed_while_it_is_awaited) {
    auto reader = std::make_unique<StreamReader>();
    auto task = create_task(reading(reader->read(10)));
    co_await settle();
    reader.reset();
    task.cancel();
    co_await settle();
    EXPECT_TRUE(task.cancelled());
}

// The order of asyncio: what arrives makes the task ready, which runs in the next turn.
NETWORK_TEST(StreamReader, resumes_its_task_one_turn_after_it_was_fed) {
    StreamReader reader;
    std::vector<std::string> trace;
    const auto body = [](StreamReader& from, std::vector<std::string>& out) -> Coroutine<> {
        const std::string got = co_await from.read(10);
        out.push_back("task: " + got);
    };
    auto task = create_task(body(reader, trace));
    co_await settle();
    EventLoop& loop = get_running_loop();
    loop.call_soon([&] {
        reader.feed_data("data");
        trace.emplace_back("fed");
        loop.call_soon([&trace] { trace.emplace_back("later"); });
    });
    loop.call_soon([&trace] { trace.emplace_back("beside"); });
    co_await settle();
    EXPECT_EQ(trace, (std::vector<std::string>{"fed", "beside", "task: data", "later"}));
}

// ------------------------------------------------------------------------- over a connection

NETWORK_TEST(Connection, reads_and_writes) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);

    writer.write("hello ");
    writer.write(std::as_bytes(std::span("world", 5)));
    const std::string sent = co_await peer.receive_exactly(11);
    EXPECT_EQ(sent, "hello world");

    peer.send("one\ntwo\n");
    const std::string one = co_await reader.readline();
    EXPECT_EQ(one, "one\n");
    const std::string two = co_await reader.readline();
    EXPECT_EQ(two, "two\n");

    writer.close();
    co_await writer.wait_closed();
    const std::string end = co_await peer.receive_all();
    EXPECT_EQ(end, "");
}

NETWORK_TEST(Connection, waits_for_what_the_peer_sends_later) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    for (int i = 0; i < 10; ++i) {
        get_running_loop().call_later(1, [&peer] { peer.send("tick"); });
        const std::string tick = co_await reader.read(100);
        EXPECT_EQ(tick, "tick");
    }
}

namespace {

/// Messages of such sizes, each sent while the reader waits for it: how they arrive.
Coroutine<std::vector<std::string>> exchange(StreamReader& reader, Peer& peer,
                                             std::span<const std::string> messages) {
    std::vector<std::string> received;
    for (const std::string& message : messages) {
        get_running_loop().call_later(1, [&] { peer.send(message); });
        std::string got;
        while (got.size() < message.size()) {
            std::string piece = co_await reader.read(100'000);
            if (piece.empty()) {
                break;
            }
            got += piece;
            received.push_back(std::move(piece));
        }
        EXPECT_TRUE(got == message) << message.size() << " bytes";
    }
    co_return received;
}

/// As long as the one before, longer, shorter, a little longer, much longer.
std::vector<std::string> messages_of_many_sizes() {
    std::vector<std::string> messages;
    for (const std::size_t size :
         {5'000, 5'000, 9'000, 9'000, 100, 5'000, 5'512, 5'513, 6'024, 30'000, 14'000, 65'000, 1}) {
        messages.push_back(pattern(size));
    }
    return messages;
}

}  // namespace

NETWORK_TEST(Connection, reads_messages_of_many_sizes) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    const std::vector<std::string> messages = messages_of_many_sizes();
    const auto received = co_await exchange(reader, peer, messages);
    get_running_loop().call_later(1, [&] { peer.shut(); });
    const std::string end = co_await reader.read(100'000);
    EXPECT_EQ(end, "");
}

// A reader that gets a part of what is there, because the last message was shorter, would see
// messages where CPython sees one.
ASYNC_TEST(Connection, reads_all_that_is_there_at_once) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    const std::vector<std::string> messages = messages_of_many_sizes();
    const auto received = co_await exchange(reader, peer, messages);
    EXPECT_EQ(received.size(), messages.size());
}

NETWORK_TEST(Connection, knows_its_addresses) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    EXPECT_EQ(writer.peername().host(), "127.0.0.1");
    EXPECT_EQ(writer.sockname(), writer.socket().getsockname());
    EXPECT_EQ(writer.peername(), writer.socket().getpeername());
    EXPECT_EQ(writer.get_extra_info("peername"), writer.peername().to_string());
    EXPECT_EQ(writer.get_extra_info("sockname"), writer.sockname().to_string());
    EXPECT_EQ(writer.get_extra_info("socket"), std::to_string(writer.socket().fileno()));
    EXPECT_EQ(writer.get_extra_info("cipher"), std::nullopt);
    EXPECT_NE(writer.socket().getsockopt(IPPROTO_TCP, TCP_NODELAY), 0);

    const Address before = writer.peername();
    writer.close();
    co_await writer.wait_closed();
    EXPECT_EQ(writer.peername(), before);
    EXPECT_EQ(writer.get_extra_info("socket"), std::nullopt);
}

NETWORK_TEST(Connection, over_a_socket_that_is_connected_already) {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    Peer peer(fds[1]);
    auto [reader, writer] = co_await open_connection(Socket(fds[0]));
    peer.send("over a Unix socket");
    const std::string got = co_await reader.read(100);
    EXPECT_EQ(got, "over a Unix socket");
    writer.write("back");
    const std::string sent = co_await peer.receive_exactly(4);
    EXPECT_EQ(sent, "back");
    peer.close();
    const std::string end = co_await reader.read();
    EXPECT_EQ(end, "");
}

// What holds the bytes may be changed as soon as write() returns, also when they were not sent.
NETWORK_TEST(Connection, takes_what_is_written_at_once) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    const std::string all = pattern(16 << 20);
    std::string piece;
    for (std::size_t i = 0; i < all.size(); i += 1 << 18) {
        piece = all.substr(i, 1 << 18);
        writer.write(piece);
        piece.assign(piece.size(), '!');
    }
    EXPECT_GT(writer.get_write_buffer_size(), 0U);
    writer.close();
    const std::string got = co_await peer.receive_all();
    EXPECT_EQ(got.size(), all.size());
    EXPECT_TRUE(got == all);
}

NETWORK_TEST(Connection, carries_a_lot_both_ways_at_once) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    const std::string all = pattern(8 << 20);
    writer.write(all);
    writer.write_eof();
    auto receiver = create_task(peer.receive_all());
    std::size_t sent = 0;
    std::string got;
    while (got.size() < all.size()) {
        sent += peer.try_send(std::string_view(all).substr(sent));
        const std::string piece = co_await reader.read(100'000);
        got += piece;
    }
    EXPECT_TRUE(got == all);
    const std::string received = co_await receiver;
    EXPECT_TRUE(received == all);
}

NETWORK_TEST(Connection, reads_into_memory_of_the_caller) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    std::vector<char> large(100'000);
    const std::string bytes = pattern(70'000);
    peer.send(bytes);
    std::string got;
    while (got.size() < bytes.size()) {
        const std::size_t count = co_await reader.read_into(std::span(large));
        got.append(large.data(), count);
    }
    EXPECT_TRUE(got == bytes);

    std::array<char, 3> small{};
    peer.send("abcdefgh");
    got.clear();
    while (got.size() < 8) {
        const std::size_t count = co_await reader.read_into(small);
        EXPECT_LE(count, 3U);
        got.append(small.data(), count);
    }
    EXPECT_EQ(got, "abcdefgh");
    peer.close();
    const std::size_t end = co_await reader.read_into(std::span(large));
    EXPECT_EQ(end, 0U);
}

NETWORK_TEST(Connection, reads_more_at_once_than_it_receives_at_once) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer, 10);
    const std::string bytes = pattern(3'000'000);
    const auto feed = [](Peer& to, std::string_view what) -> Coroutine<> {
        while (!what.empty()) {
            what.remove_prefix(to.try_send(what));
            co_await sleep(0);
        }
    };
    auto feeding = create_task(feed(peer, bytes));
    const std::string exactly = co_await reader.readexactly(2'000'000);
    EXPECT_TRUE(exactly == bytes.substr(0, 2'000'000));
    co_await feeding;
    peer.shut();
    const std::string rest = co_await reader.read();
    EXPECT_TRUE(rest == bytes.substr(2'000'000));
}

NETWORK_TEST(Connection, reads_nothing_that_nobody_asks_for) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    const std::string piece(1 << 16, 'x');
    std::size_t sent = 0;
    for (int i = 0; i < 1000; ++i) {
        sent += peer.try_send(piece);
        co_await sleep(0);
    }
    co_await settle();
    EXPECT_EQ(peer.try_send(piece), 0U);  // the kernel's buffers are full: the peer has to wait
    std::string got;
    while (got.size() < sent) {
        got += co_await reader.read(1 << 20);
    }
    EXPECT_EQ(got.size(), sent);
}

// What is received goes to whoever reads, also when somebody else has fed the reader meanwhile.
NETWORK_TEST(Connection, may_be_fed_by_hand_beside) {
    for (int turns = 0; turns < 4; ++turns) {
        Peer peer;
        auto [reader, writer] = co_await open_to(peer);
        auto task = create_task(reading(reader.read(100)));
        co_await settle();
        peer.send("from the peer");
        for (int i = 0; i < turns; ++i) {
            co_await sleep(0);
        }
        reader.feed_data("by hand, ");
        std::string got = co_await task;
        while (got.size() < 22) {
            got += co_await reader.read(100);
        }
        EXPECT_EQ(got.size(), 22U) << got;
    }
}

// ------------------------------------------------------------------------------ flow control

NETWORK_TEST(Drain, waits_while_the_peer_does_not_read) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    co_await writer.drain();
    const std::string bytes(16 << 20, 'x');
    writer.write(bytes);
    auto draining = create_task(drain(writer));
    co_await settle();
    EXPECT_FALSE(draining.done());
    EXPECT_GT(writer.get_write_buffer_size(), std::size_t{64} * 1024);

    std::string got;
    while (!draining.done()) {
        peer.receive(got);
        co_await sleep(0);
    }
    EXPECT_LE(writer.get_write_buffer_size(), std::size_t{16} * 1024);
    writer.close();
    got += co_await peer.receive_all();
    EXPECT_EQ(got.size(), bytes.size());
}

NETWORK_TEST(Drain, may_be_awaited_by_many_tasks) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    writer.write(std::string(16 << 20, 'x'));
    std::vector<Task<>> tasks;
    for (int i = 0; i < 10; ++i) {
        tasks.push_back(create_task(drain(writer)));
    }
    co_await settle();
    tasks[3].cancel();
    co_await settle();
    EXPECT_TRUE(tasks[3].cancelled());
    EXPECT_FALSE(tasks[4].done());
    writer.close();
    const std::string got = co_await peer.receive_all();
    EXPECT_EQ(got.size(), std::size_t{16} << 20);
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        if (i != 3) {
            co_await tasks[i];
        }
    }
}

NETWORK_TEST(Drain, honours_writelines_too) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    const std::string piece(1 << 20, 'x');
    const std::vector<std::string> pieces(16, piece);
    writer.writelines(pieces);
    auto draining = create_task(drain(writer));
    co_await settle();
    EXPECT_FALSE(draining.done());
    writer.close();
    const std::string got = co_await peer.receive_all();
    EXPECT_EQ(got.size(), std::size_t{16} << 20);
    co_await draining;
}

NETWORK_TEST(WriteBufferLimits, are_those_of_asyncio) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    using Limits = std::pair<std::size_t, std::size_t>;
    EXPECT_EQ(writer.get_write_buffer_limits(), Limits(16 * 1024, 64 * 1024));
    writer.set_write_buffer_limits({.high = 1000});
    EXPECT_EQ(writer.get_write_buffer_limits(), Limits(250, 1000));
    writer.set_write_buffer_limits({.low = 1000});
    EXPECT_EQ(writer.get_write_buffer_limits(), Limits(1000, 4000));
    writer.set_write_buffer_limits({.high = 5, .low = 5});
    EXPECT_EQ(writer.get_write_buffer_limits(), Limits(5, 5));
    try {
        writer.set_write_buffer_limits({.high = 5, .low = 6});
        ADD_FAILURE();
    } catch (const std::invalid_argument& error) {
        EXPECT_STREQ(error.what(), "high (5) must be >= low (6) must be >= 0");
    }
    writer.set_write_buffer_limits();
    EXPECT_EQ(writer.get_write_buffer_limits(), Limits(16 * 1024, 64 * 1024));

    // Setting them counts for what is in the buffer already.
    writer.set_write_buffer_limits({.high = std::size_t{1} << 30});
    writer.write(std::string(16 << 20, 'x'));
    co_await writer.drain();
    writer.set_write_buffer_limits({.high = 0});
    auto draining = create_task(drain(writer));
    co_await settle();
    EXPECT_FALSE(draining.done());
    const std::string got = co_await peer.receive_exactly(std::size_t{16} << 20);
    co_await draining;
    EXPECT_EQ(writer.get_write_buffer_size(), 0U);
}

NETWORK_TEST(WriteLines, sends_any_number_of_pieces_in_order) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    std::vector<std::string> pieces;
    std::string all;
    for (int i = 0; i < 5000; ++i) {
        pieces.push_back(i % 3 == 0 ? std::string() : std::to_string(i) + ",");
        all += pieces.back();
    }
    writer.writelines(pieces);
    writer.writelines({"a", "", "b"});
    all += "ab";
    writer.writelines(std::vector<std::string>());
    writer.writelines({"", ""});
    const std::string large = pattern(16 << 20);
    const std::vector<std::string_view> more{large, "x", large};
    writer.writelines(more);
    writer.writelines(more);
    all += large + "x" + large + large + "x" + large;
    writer.close();
    const std::string got = co_await peer.receive_all();
    EXPECT_EQ(got.size(), all.size());
    EXPECT_TRUE(got == all);
}

// Neither what the range makes, nor what these refer to, is there any more a moment later.
NETWORK_TEST(WriteLines, keeps_what_a_range_makes_when_it_is_asked) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    const std::vector<int> numbers{1, 2, 3};
    const auto line = [](int number) {
        return std::string(100, static_cast<char>('0' + number)) + "\n";
    };
    writer.writelines(numbers | std::views::transform(line));
    std::string all = line(1) + line(2) + line(3);
    const std::vector<std::string> pieces{"of ", "strings, "};
    writer.writelines(
        pieces | std::views::transform([](const std::string& s) { return std::string_view(s); }));
    writer.writelines(pieces | std::views::reverse);
    const std::vector<const char*> texts{"and ", "texts"};
    writer.writelines(texts | std::views::transform([](const char* text) { return text; }));
    all += "of strings, strings, of and texts";
    writer.close();
    const std::string got = co_await peer.receive_all();
    EXPECT_EQ(got, all);
}

// S14
NETWORK_TEST(Connection, writes_nothing_without_harm) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    writer.write("");
    writer.write(std::string_view());
    co_await writer.drain();
    writer.write("x");
    const std::string got = co_await peer.receive_exactly(1);
    EXPECT_EQ(got, "x");
}

// --------------------------------------------------------------------------------- half-close

NETWORK_TEST(Connection, reads_on_after_it_has_ended_its_own_stream) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    EXPECT_TRUE(writer.can_write_eof());
    writer.write("question");
    writer.write_eof();
    writer.write_eof();
    const std::string question = co_await peer.receive_all();
    EXPECT_EQ(question, "question");
    EXPECT_FALSE(writer.is_closing());

    peer.send("answer");
    peer.shut();
    const std::string answer = co_await reader.read();
    EXPECT_EQ(answer, "answer");
    try {
        writer.write("more");
        ADD_FAILURE();
    } catch (const RuntimeError& error) {
        EXPECT_STREQ(error.what(), "Cannot call write() after write_eof()");
    }
    try {
        writer.writelines({"more"});
        ADD_FAILURE();
    } catch (const RuntimeError& error) {
        EXPECT_STREQ(error.what(), "Cannot call writelines() after write_eof()");
    }
}

NETWORK_TEST(Connection, ends_its_stream_behind_what_is_still_to_be_sent) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    const std::string bytes = pattern(16 << 20);
    writer.write(bytes);
    writer.write_eof();
    EXPECT_GT(writer.get_write_buffer_size(), 0U);
    const std::string got = co_await peer.receive_all();
    EXPECT_TRUE(got == bytes);
    peer.send("thanks");
    const std::string thanks = co_await reader.read(100);
    EXPECT_EQ(thanks, "thanks");
}

NETWORK_TEST(Connection, writes_on_after_the_peer_has_ended_its_stream) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    peer.send("question");
    peer.shut();
    const std::string question = co_await reader.read();
    EXPECT_EQ(question, "question");
    EXPECT_TRUE(reader.at_eof());
    const std::string bytes = pattern(4 << 20);
    writer.write(bytes);
    writer.close();
    const std::string got = co_await peer.receive_all();
    EXPECT_TRUE(got == bytes);
    co_await writer.wait_closed();
}

// The end of the input after every byte.
NETWORK_TEST(Connection, reports_how_much_came_before_the_end) {
    const std::string message = "0123456789";
    for (std::size_t n = 0; n < message.size(); ++n) {
        Peer peer;
        auto [reader, writer] = co_await open_to(peer);
        peer.send(message.substr(0, n));
        peer.close();
        try {
            const std::string never = co_await reader.readexactly(10);
            ADD_FAILURE() << never;
        } catch (const IncompleteReadError& error) {
            EXPECT_EQ(error.partial(), message.substr(0, n));
            EXPECT_EQ(error.expected(), 10U);
        }
        EXPECT_TRUE(reader.at_eof());
        const std::string none = co_await reader.read();
        EXPECT_EQ(none, "");
    }
}

// ------------------------------------------------------------------------------------ reset

NETWORK_TEST(Reset, is_thrown_by_the_read_that_waits_and_by_all_that_follows) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    get_running_loop().call_later(1, [&peer] { peer.reset(); });

    const auto read = co_await as_result(reader.read(10));
    EXPECT_EQ(describe(read.error()), "ConnectionResetError(104, 'Connection reset by peer')");
    EXPECT_TRUE(writer.is_closing());
    const auto again = co_await as_result(reader.readline());
    EXPECT_EQ(describe(again.error()), "ConnectionResetError(104, 'Connection reset by peer')");
    const auto drained = co_await as_result(writer.drain());
    EXPECT_EQ(describe(drained.error()), "ConnectionResetError(104, 'Connection reset by peer')");
    const auto closed = co_await as_result(writer.wait_closed());
    EXPECT_EQ(describe(closed.error()), "ConnectionResetError(104, 'Connection reset by peer')");
}

NETWORK_TEST(Reset, is_found_by_the_next_read) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    peer.reset();
    co_await settle();
    const auto read = co_await as_result(reader.read(10));
    EXPECT_EQ(describe(read.error()), "ConnectionResetError(104, 'Connection reset by peer')");
}

// If SIGPIPE were raised it would end this program.
NETWORK_TEST(Reset, is_found_by_the_next_write) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    peer.reset();
    co_await settle();
    writer.write("x");
    const auto drained = co_await as_result(writer.drain());
    EXPECT_TRUE(is_a<ConnectionResetError>(drained.error()));
    EXPECT_EQ(doing(drained.error()), "Connection lost");
    const auto closed = co_await as_result(writer.wait_closed());
    EXPECT_EQ(describe(closed.error()), "ConnectionResetError(104, 'Connection reset by peer')");
}

NETWORK_TEST(Reset, wakes_those_who_drain) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    writer.write(std::string(16 << 20, 'x'));
    auto draining = create_task(drain(writer));
    co_await settle();
    EXPECT_FALSE(draining.done());
    peer.reset();
    const auto drained = co_await as_result(draining);
    EXPECT_EQ(describe(drained.error()), "ConnectionResetError(104, 'Connection reset by peer')");
    EXPECT_EQ(writer.get_write_buffer_size(), 0U);
}

NETWORK_TEST(Reset, of_a_peer_that_has_closed_is_found_by_the_second_write) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    peer.close();
    co_await settle();
    writer.write("x");  // is answered by a reset
    co_await settle();
    writer.write("y");
    const auto drained = co_await as_result(writer.drain());
    EXPECT_TRUE(is_a<ConnectionResetError>(drained.error()));
    EXPECT_EQ(doing(drained.error()), "Connection lost");
    const auto closed = co_await as_result(writer.wait_closed());
    EXPECT_EQ(describe(closed.error()), "BrokenPipeError(32, 'Broken pipe')");
}

// ---------------------------------------------------------------------------------- closing

NETWORK_TEST(Close, sends_the_rest_first) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    const std::string bytes = pattern(16 << 20);
    writer.write(bytes);
    writer.close();
    writer.close();
    EXPECT_TRUE(writer.is_closing());
    const std::string got = co_await peer.receive_all();
    EXPECT_TRUE(got == bytes);
    co_await writer.wait_closed();
    co_await writer.wait_closed();
    EXPECT_EQ(writer.get_extra_info("socket"), std::nullopt);
}

NETWORK_TEST(Close, does_not_wait_in_vain_for_a_peer_that_is_gone) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    writer.write(std::string(16 << 20, 'x'));
    writer.close();
    co_await settle();
    peer.reset();
    const auto closed = co_await as_result(writer.wait_closed());
    EXPECT_EQ(describe(closed.error()), "ConnectionResetError(104, 'Connection reset by peer')");
}

// A socket that is closed with unread bytes would reset the connection and take back what was sent.
NETWORK_TEST(Close, delivers_what_was_written_though_not_everything_was_read) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    peer.send(std::string(100'000, 'x'));
    const std::string answer = pattern(100'000);
    writer.write(answer);
    writer.close();
    co_await writer.wait_closed();
    const std::string got = co_await peer.receive_all();
    EXPECT_TRUE(got == answer);
}

// However many attempts were made before: discarding what was not read does not depend on them.
static Coroutine<> answer_and_close(int writes) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    peer.send("a question that nobody reads");
    co_await settle();
    for (int i = 0; i < writes; ++i) {
        writer.write("x");
    }
    writer.close();
    co_await writer.wait_closed();
    std::string got;
    Peer::Received received = Peer::Received::nothing;
    do {
        received = peer.receive(got);
        co_await sleep(0);
    } while (received == Peer::Received::something || received == Peer::Received::nothing);
    EXPECT_EQ(received, Peer::Received::end) << writes;
    EXPECT_EQ(got, std::string(static_cast<std::size_t>(writes), 'x'));
}

TEST(Close, does_not_reset_the_peer_however_it_was_written) {
    for (const unsigned refuse : {0U, 1U, 2U}) {
        SCOPED_TRACE("refused: every " + std::to_string(refuse));
        for (const int writes : {0, 1, 20, 31, 32, 33, 100}) {
            Faults faults;
            faults.refuse_attempts = refuse;
            run_with_faults(faults, answer_and_close(writes));
        }
    }
}

// It has begun to receive when it is closed.
static Coroutine<> close_while_it_receives() {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    auto task = create_task(reading(reader.readexactly(100)));
    co_await settle();
    peer.send("some");
    for (int i = 0; i < 3; ++i) {
        co_await sleep(0);
    }
    writer.write("answer");
    writer.close();
    peer.send("more");
    co_await writer.wait_closed();
    const auto read = co_await as_result(task);
    EXPECT_FALSE(read.has_value());
    std::string got;
    Peer::Received received = Peer::Received::nothing;
    do {
        received = peer.receive(got);
        co_await sleep(0);
    } while (received == Peer::Received::something || received == Peer::Received::nothing);
    EXPECT_EQ(received, Peer::Received::end);
    EXPECT_EQ(got, "answer");
}

TEST(Close, does_not_reset_the_peer_while_it_receives) {
    for (const unsigned refuse : {0U, 1U, 2U}) {
        Faults faults;
        faults.refuse_attempts = refuse;
        run_with_faults(faults, close_while_it_receives());
    }
}

NETWORK_TEST(Close, ends_reading) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    auto task = create_task(reading(reader.read(10)));
    co_await settle();
    writer.close();
    const std::string none = co_await task;
    EXPECT_EQ(none, "");
    EXPECT_TRUE(reader.at_eof());
    const std::string again = co_await reader.read();
    EXPECT_EQ(again, "");
}

NETWORK_TEST(Close, keeps_what_was_received) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    peer.send("one\ntwo\n");
    const std::string one = co_await reader.readline();
    EXPECT_EQ(one, "one\n");
    writer.close();
    co_await writer.wait_closed();
    const std::string two = co_await reader.read();
    EXPECT_EQ(two, "two\n");
}

NETWORK_TEST(Close, is_over_in_the_next_turn) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    const auto wait = [](StreamWriter& of) -> Coroutine<> { co_await of.wait_closed(); };
    auto waiting = create_task(wait(writer));
    co_await settle();
    writer.close();
    co_await sleep(0);  // the connection is lost
    EXPECT_FALSE(waiting.done());
    co_await sleep(0);  // and the task told
    EXPECT_TRUE(waiting.done());
}

NETWORK_TEST(Close, lets_wait_closed_be_cancelled) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    const auto wait = [](StreamWriter& of) -> Coroutine<> { co_await of.wait_closed(); };
    auto waiting = create_task(wait(writer));
    co_await settle();
    waiting.cancel();
    co_await settle();
    EXPECT_TRUE(waiting.cancelled());
    writer.close();
    co_await writer
        .wait_closed();  // of CPython's future nothing would be left but the cancellation
}

NETWORK_TEST(Close, ignores_writes_and_warns_from_the_fifth_on) {
    const LogCapture log;
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    writer.close();
    for (int i = 0; i < 4; ++i) {
        writer.write("x");
    }
    EXPECT_TRUE(log.texts.empty());
    writer.write("x");
    writer.writelines({"x"});
    EXPECT_EQ(log.texts, (std::vector<std::string>{"socket.send() raised exception.",
                                                   "socket.send() raised exception."}));
    EXPECT_EQ(log.levels.at(0), Level::warning);
    const auto drained = co_await as_result(writer.drain());
    EXPECT_TRUE(is_a<ConnectionResetError>(drained.error()));
    EXPECT_EQ(doing(drained.error()), "Connection lost");
    const std::string got = co_await peer.receive_all();
    EXPECT_EQ(got, "");
}

NETWORK_TEST(Abort, drops_the_rest) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    writer.write(std::string(16 << 20, 'x'));
    auto draining = create_task(drain(writer));
    co_await settle();
    writer.abort();
    EXPECT_TRUE(writer.is_closing());
    EXPECT_EQ(writer.get_write_buffer_size(), 0U);
    co_await writer.wait_closed();
    co_await draining;
    const std::string got = co_await peer.receive_all();
    EXPECT_LT(got.size(), std::size_t{16} << 20);
}

NETWORK_TEST(Abort, ends_a_close_that_waits_for_the_peer) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    writer.write(std::string(16 << 20, 'x'));
    writer.close();
    co_await settle();
    writer.abort();
    co_await writer.wait_closed();
}

// --------------------------------------------------------------------------------- lifetime

NETWORK_TEST(Handles, close_the_connection_when_both_are_gone) {
    Peer peer;
    const std::string bytes = pattern(16 << 20);
    {
        auto [reader, writer] = co_await open_to(peer);
        writer.write(bytes);
    }
    const std::string got = co_await peer.receive_all();
    EXPECT_TRUE(got == bytes);
}

NETWORK_TEST(Handles, keep_the_connection_open_as_long_as_one_is_left) {
    Peer peer;
    std::optional<StreamReader> kept;
    {
        auto [reader, writer] = co_await open_to(peer);
        kept.emplace(std::move(reader));
    }
    co_await settle();
    peer.send("still open");
    const std::string got = co_await kept->read(100);
    EXPECT_EQ(got, "still open");
    std::string nothing;
    EXPECT_EQ(peer.receive(nothing), Peer::Received::nothing);
}

NETWORK_TEST(Handles, say_so_in_debug_mode_when_they_were_not_closed) {
    const LogCapture log;
    get_running_loop().set_debug(true);
    Peer peer;
    { auto [reader, writer] = co_await open_to(peer); }
    get_running_loop().set_debug(false);
    EXPECT_EQ(log.texts.size(), 1U);
    EXPECT_EQ(log.texts.at(0).substr(0, 24), "unclosed <StreamWriter> ");
    EXPECT_EQ(log.levels.at(0), Level::warning);
    const std::string end = co_await peer.receive_all();
    EXPECT_EQ(end, "");
}

NETWORK_TEST(Handles, say_nothing_when_they_were_closed) {
    const LogCapture log;
    get_running_loop().set_debug(true);
    Peer peer;
    {
        auto [reader, writer] = co_await open_to(peer);
        writer.close();
    }
    get_running_loop().set_debug(false);
    EXPECT_TRUE(log.texts.empty());
    co_return;
}

TEST(Handles, may_outlive_their_loop) {
    const std::size_t before = open_descriptors();
    std::optional<StreamPair> kept;
    {
        EventLoop loop;
        const auto body = [](std::optional<StreamPair>& out) -> Coroutine<> {
            Peer peer;
            out.emplace(co_await open_to(peer));
            out->writer.write(std::string(16 << 20, 'x'));
            out->reader.feed_data("fed");
        };
        loop.run_until_complete(body(kept));
    }
    EXPECT_EQ(open_descriptors(), before);
    kept->writer.write("x");
    kept->writer.close();
    kept->writer.abort();
    kept->writer.write_eof();
    EXPECT_TRUE(kept->writer.is_closing());
    EXPECT_EQ(kept->writer.get_write_buffer_size(), 0U);
    kept.reset();
}

TEST(Handles, that_have_outlived_their_loop_say_so) {
    const auto make = [](std::optional<StreamPair>& out, bool close) -> Coroutine<> {
        Peer peer;
        out.emplace(co_await open_to(peer));
        out->reader.feed_data("fed");
        if (close) {
            out->writer.close();
            co_await out->writer.wait_closed();
        }
    };
    const auto use = [](StreamPair& streams) -> Coroutine<> {
        const std::string closed = "RuntimeError('Event loop is closed')";
        const std::string fed = co_await streams.reader.readexactly(3);
        EXPECT_EQ(fed, "fed");
        for (int i = 0; i < 2; ++i) {
            const auto read = co_await as_result(streams.reader.read(10));
            EXPECT_EQ(describe(read.error()), closed);
            const auto line = co_await as_result(streams.reader.readline());
            EXPECT_EQ(describe(line.error()), closed);
            const auto drained = co_await as_result(streams.writer.drain());
            EXPECT_EQ(describe(drained.error()), closed);
            const auto waited = co_await as_result(streams.writer.wait_closed());
            EXPECT_EQ(describe(waited.error()), closed);
        }
    };
    std::optional<StreamPair> open;
    run(make(open, false));
    run(use(*open));

    // One that was closed in time has ended as any other.
    const auto look = [](StreamPair& streams) -> Coroutine<> {
        const std::string fed = co_await streams.reader.read();
        EXPECT_EQ(fed, "fed");
        co_await streams.writer.wait_closed();
    };
    std::optional<StreamPair> done;
    run(make(done, true));
    run(look(*done));
}

static Coroutine<> hold(StreamPair streams, int what) {
    switch (what) {
        case 0:
            co_await streams.reader.read(1);
            break;
        case 1:
            co_await streams.writer.drain();
            break;
        case 2:
            co_await streams.writer.wait_closed();
            break;
        default:
            co_await sleep(1000);
    }
}

static Coroutine<> leave_waiting(int what, int turns) {
    Peer peer;
    StreamPair streams = co_await open_to(peer);
    streams.writer.write(std::string(16 << 20, 'x'));
    auto task = create_task(hold(std::move(streams), what));
    co_await sleep(0);
    co_await sleep(0);
    peer.send("x");
    for (int i = 0; i < turns; ++i) {
        co_await sleep(0);
    }
}

// Whatever a task waits for on a connection, and however far that has come.
TEST(Handles, leave_nothing_behind_when_the_loop_is_closed) {
    for (const char* proactor : asyncio::testing::proactors) {
        const std::size_t before = open_descriptors();
        for (int what = 0; what < 4; ++what) {
            for (int turns = 0; turns < 4; ++turns) {
                auto loop = new_event_loop(proactor);
                loop->set_exception_handler([](EventLoop&, const ExceptionContext&) {});
                loop->run_until_complete(leave_waiting(what, turns));
                loop->close();
                loop.reset();
                EXPECT_EQ(open_descriptors(), before) << proactor << " " << what << " " << turns;
            }
        }
    }
}

// --------------------------------------------------------------------------- open_connection()

/// A port of 127.0.0.1 on which a listener is, while ::1 has the same one and nobody listens there.
static std::optional<Socket> refuse_on_ipv6(int port) {
    try {
        Socket bound(AddressFamily::ipv6);
        bound.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1);
        bound.bind(Address("::1", port));
        return bound;
    } catch (const OSError&) {
        return std::nullopt;  // somebody else has it
    }
}

// Without a host: this machine by both families. The first refuses, the second accepts.
NETWORK_TEST(OpenConnection, tries_all_addresses) {
    PeerListener listener;
    std::optional<Socket> bound = refuse_on_ipv6(listener.port());
    EXPECT_TRUE(bound.has_value());
    const auto infos =
        co_await getaddrinfo(std::string_view(), listener.port(), {.type = SocketType::stream});
    EXPECT_EQ(infos.size(), 2U);
    EXPECT_EQ(infos.at(0).address, Address("::1", listener.port()));

    auto [reader, writer] = co_await open_connection(std::string_view(), listener.port());
    const Peer peer = listener.accept();
    EXPECT_EQ(writer.peername(), Address("127.0.0.1", listener.port()));
}

NETWORK_TEST(OpenConnection, reports_the_only_error) {
    int port = 0;
    {
        const PeerListener listener;
        port = listener.port();
    }
    const auto refused = co_await as_result(open_connection("127.0.0.1", port));
    EXPECT_EQ(describe(refused.error()), "ConnectionRefusedError(111, 'Connection refused')");
}

NETWORK_TEST(OpenConnection, reports_all_errors_as_one) {
    // Bound, not listening: nobody else gets this port, and connections to it are refused.
    Socket bound(AddressFamily::ipv6);
    bound.bind(Address("::1", 0));
    const int port = bound.getsockname().port();
    OpenConnectionOptions options;
    options.local_host = "127.0.0.1";
    const auto failed = co_await as_result(open_connection("::1", port, options));
    EXPECT_EQ(doing(failed.error()),
              "no matching local address with family=<AddressFamily.AF_INET6: 10> found");

    // Without a host: this machine by both families.
    const auto both = co_await as_result(open_connection(std::string_view(), port));
    EXPECT_FALSE(both.has_value());
    const std::string text = std::to_string(port);
    EXPECT_EQ(doing(both.error()),
              "Multiple exceptions: [Errno 111] Connect call failed ('::1', " + text +
                  ", 0, 0), [Errno 111] Connect call failed ('127.0.0.1', " + text + ")");
    EXPECT_TRUE(is_a<OSError>(both.error()));
}

NETWORK_TEST(OpenConnection, binds_to_a_local_address) {
    PeerListener listener;
    OpenConnectionOptions options;
    options.local_host = "127.0.0.1";
    auto [reader, writer] = co_await open_connection("127.0.0.1", listener.port(), options);
    const Peer peer = listener.accept();
    EXPECT_EQ(writer.sockname().host(), "127.0.0.1");
    const int taken = writer.sockname().port();

    options.local_port = taken;
    const auto in_use = co_await as_result(open_connection("127.0.0.1", listener.port(), options));
    EXPECT_FALSE(in_use.has_value());
    try {
        std::rethrow_exception(in_use.error());
    } catch (const OSError& error) {
        EXPECT_EQ(error.error_number(), EADDRINUSE);
        EXPECT_EQ(error.what(), "error while attempting to bind on address ('127.0.0.1', " +
                                    std::to_string(taken) + "): Address already in use");
    }
}

// TCP would make a connection of one end.
NETWORK_TEST(OpenConnection, does_not_connect_to_itself) {
    OpenConnectionOptions options;
    options.local_host = "127.0.0.1";
    {
        const PeerListener listener;
        options.local_port = listener.port();
    }
    const auto refused =
        co_await as_result(open_connection("127.0.0.1", options.local_port, options));
    EXPECT_EQ(describe(refused.error()), "ConnectionRefusedError(111, 'Connection refused')");
}

NETWORK_TEST(OpenConnection, passes_on_that_a_name_is_unknown) {
    const auto unknown = co_await as_result(open_connection("", 80));
    EXPECT_EQ(describe(unknown.error()), "gaierror(-2, 'Name or service not known')");
}

// Before it connects.
NETWORK_TEST(OpenConnection, needs_a_limit_above_zero) {
    PeerListener listener;
    const auto limit =
        co_await as_result(open_connection("127.0.0.1", listener.port(), {.limit = 0}));
    EXPECT_EQ(describe(limit.error()), "ValueError('Limit cannot be <= 0')");
    pollfd waiting{listener.fileno(), POLLIN, 0};
    EXPECT_EQ(::poll(&waiting, 1, 50), 0);
    const auto one =
        co_await as_result(open_connection("127.0.0.1", listener.port(), {.limit = 1}));
    EXPECT_TRUE(one.has_value());

    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    const Peer peer(fds[1]);
    const auto adopted = co_await as_result(open_connection(Socket(fds[0]), {.limit = 0}));
    EXPECT_EQ(describe(adopted.error()), "ValueError('Limit cannot be <= 0')");
}

static Coroutine<> connect_and_keep(int port, std::optional<StreamPair>& out) {
    out.emplace(co_await open_connection("127.0.0.1", port));
}

NETWORK_TEST(OpenConnection, takes_a_stream_socket_only) {
    Socket datagrams(AddressFamily::ipv4, SocketType::datagram);
    datagrams.bind(*Address::parse("127.0.0.1", 0));
    co_await sock_connect(datagrams, datagrams.getsockname());
    const std::string name = "fd=" + std::to_string(datagrams.fileno());
    const Result<StreamPair> refused = co_await as_result(open_connection(std::move(datagrams)));
    EXPECT_EQ(describe(refused.error()),
              "ValueError('A Stream Socket was expected, got <socket " + name + ">')");
}

// S18: cancelled at every turn, also while the peer's backlog is full and nothing is answered.
NETWORK_TEST(OpenConnection, leaves_nothing_open_whenever_it_is_cancelled) {
    PeerListener listener(0);
    std::vector<Peer> fill;
    fill.push_back(Peer::connect(listener.port()));
    for (int turns = 0; turns < 6; ++turns) {
        const std::size_t before = open_descriptors();
        std::optional<StreamPair> streams;
        auto task = create_task(connect_and_keep(listener.port(), streams));
        for (int i = 0; i < turns; ++i) {
            co_await sleep(0);
        }
        task.cancel();
        const auto result = co_await as_result(task);
        static_cast<void>(result);
        streams.reset();
        co_await settle();
        EXPECT_EQ(open_descriptors(), before) << turns;
    }
}

// ------------------------------------------------------------------------- short, late, refused

// S1, S2, S3: everything in small pieces, attempts refused, and a proactor without attempts.
static Coroutine<> talk_in_pieces(std::size_t size) {
    const std::string bytes = pattern(size);
    std::string message;
    for (int i = 0; i < 50; ++i) {
        message += "line " + std::to_string(i) + "\r\n";
    }
    const auto serve = [](StreamReader reader, StreamWriter writer) -> Coroutine<> {
        for (;;) {
            const std::string line = co_await reader.readuntil("\r\n");
            writer.write(line);
            if (line == "line 49\r\n") {
                break;
            }
        }
        std::array<char, 2000> memory{};
        for (;;) {
            const std::size_t count = co_await reader.read_into(std::span(memory));
            if (count == 0) {
                break;
            }
            const std::string_view got(memory.data(), count);
            writer.writelines({got.substr(0, count / 2), got.substr(count / 2)});
            co_await writer.drain();
        }
        writer.close();
    };
    Server server = co_await start_server(serve, "127.0.0.1", 0);
    auto [reader, writer] =
        co_await open_connection("127.0.0.1", server.addresses().front().port());
    writer.write(message);
    const std::string echoed =
        co_await reader.readexactly(static_cast<std::ptrdiff_t>(message.size()));
    EXPECT_EQ(echoed, message);
    writer.write(bytes);
    writer.write_eof();
    const std::string all = co_await reader.read();
    EXPECT_TRUE(all == bytes);
    writer.close();
    co_await writer.wait_closed();
    server.close();
    co_await server.wait_closed();
}

TEST(Faults, of_every_kind_lose_and_change_nothing) {
    for (const std::size_t pieces :
         {std::size_t{1}, std::size_t{7}, std::size_t{1000}, Faults::no_limit}) {
        for (const unsigned refuse : {0U, 1U, 2U, 3U, 10U}) {
            SCOPED_TRACE("pieces of " + std::to_string(pieces) + ", refused: every " +
                         std::to_string(refuse));
            Faults faults;
            faults.most_received = pieces;
            faults.most_sent = pieces;
            faults.refuse_attempts = refuse;
            run_with_faults(faults, talk_in_pieces(pieces < 1000 ? 3000 : 300'000));
        }
    }
}

// An error after so many bytes: what came before it is delivered, then it is reported.
static Coroutine<> receive_until_error(int error, std::size_t after) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    const std::string bytes = pattern(1000);
    peer.send(bytes);
    std::string got;
    std::exception_ptr failure;
    while (failure == nullptr) {
        const auto piece = co_await as_result(reader.read(300));
        failure = piece.error();
        got += piece.has_value() ? piece.get() : std::string();
    }
    EXPECT_EQ(got, bytes.substr(0, after));
    EXPECT_EQ(describe(failure), describe(detail::make_os_error(error, "")));
    EXPECT_TRUE(writer.is_closing());
    const auto closed = co_await as_result(writer.wait_closed());
    EXPECT_EQ(describe(closed.error()), describe(failure));
}

TEST(Faults, of_receiving_come_after_what_was_received) {
    for (const int error : {ECONNRESET, ENOBUFS, EHOSTUNREACH, ENOMEM}) {
        for (const std::size_t after : {std::size_t{0}, std::size_t{1}, std::size_t{299},
                                        std::size_t{300}, std::size_t{999}}) {
            for (const unsigned refuse : {0U, 1U, 2U}) {
                SCOPED_TRACE(std::to_string(error) + " after " + std::to_string(after) +
                             ", refused: every " + std::to_string(refuse));
                const std::size_t before = open_descriptors();
                Faults faults;
                faults.receive_error = error;
                faults.receive_error_after = after;
                faults.refuse_attempts = refuse;
                run_with_faults(faults, receive_until_error(error, after));
                EXPECT_EQ(open_descriptors(), before);
            }
        }
    }
}

static Coroutine<> send_until_error(int error, std::size_t after, bool lines) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    const std::string bytes = pattern(1000);
    for (std::size_t i = 0; i < bytes.size(); i += 100) {
        const std::string piece = bytes.substr(i, 100);
        if (lines) {
            writer.writelines(
                {std::string_view(piece).substr(0, 50), std::string_view(piece).substr(50)});
        } else {
            writer.write(piece);
        }
    }
    const auto closed = co_await as_result(writer.wait_closed());
    EXPECT_EQ(describe(closed.error()), describe(detail::make_os_error(error, "")));
    const auto drained = co_await as_result(writer.drain());
    EXPECT_FALSE(drained.has_value());
    const auto read = co_await as_result(reader.read());
    EXPECT_EQ(describe(read.error()), describe(closed.error()));
    const std::string got = co_await peer.receive_all();
    EXPECT_EQ(got, bytes.substr(0, got.size()));
    EXPECT_GE(got.size(), after);
    EXPECT_LT(got.size(), bytes.size());
}

TEST(Faults, of_sending_lose_the_connection) {
    for (const int error : {EPIPE, ECONNRESET, ENOBUFS}) {
        for (const std::size_t after : {std::size_t{0}, std::size_t{1}, std::size_t{100},
                                        std::size_t{101}, std::size_t{850}}) {
            for (const unsigned refuse : {0U, 1U, 2U}) {
                for (const bool lines : {false, true}) {
                    SCOPED_TRACE(std::to_string(error) + " after " + std::to_string(after) +
                                 ", refused: every " + std::to_string(refuse));
                    const std::size_t before = open_descriptors();
                    Faults faults;
                    faults.send_error = error;
                    faults.send_error_after = after;
                    faults.refuse_attempts = refuse;
                    run_with_faults(faults, send_until_error(error, after, lines));
                    EXPECT_EQ(open_descriptors(), before);
                }
            }
        }
    }
}

// Cancelled operations end some polls later, and what they were to do may have happened then.
TEST(Faults, of_late_cancellations_lose_and_change_nothing) {
    for (const unsigned polls : {1U, 2U, 7U}) {
        for (const unsigned refuse : {0U, 1U, 3U}) {
            Faults faults;
            faults.late_cancel = polls;
            faults.refuse_attempts = refuse;
            run_with_faults(faults, talk_in_pieces(30'000));
        }
    }
}

// --------------------------------------------------------------------------------- no memory

// A part was sent when there is no memory for the rest: nothing is sent twice, and nothing that
// seems to have been written is missing without a word.
static Coroutine<> write_without_memory(bool lines) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    writer.socket().setsockopt(SOL_SOCKET, SO_SNDBUF, 4096);
    const std::string bytes = pattern(8 << 20);
    bool refused = false;
    try {
        const NoMemory scope(100'000);
        if (lines) {
            writer.writelines({std::string_view(bytes).substr(0, 4 << 20),
                               std::string_view(bytes).substr(4 << 20)});
        } else {
            writer.write(bytes);
        }
    } catch (const std::bad_alloc&) {
        refused = true;
    }
    EXPECT_TRUE(refused);
    EXPECT_TRUE(writer.is_closing());
    EXPECT_EQ(writer.get_write_buffer_size(), 0U);
    writer.write("dropped");
    const auto closed = co_await as_result(writer.wait_closed());
    EXPECT_TRUE(is_a<std::bad_alloc>(closed.error()));
    const std::string got = co_await peer.receive_all();
    EXPECT_TRUE(got == bytes.substr(0, got.size()));
}

NETWORK_TEST(NoMemory, for_what_is_written_aborts_the_connection) {
    const std::size_t before = open_descriptors();
    co_await write_without_memory(false);
    co_await write_without_memory(true);
    co_await settle();
    EXPECT_EQ(open_descriptors(), before);
}

// Behind what is being sent already.
NETWORK_TEST(NoMemory, for_what_is_queued_aborts_the_connection) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    writer.write(std::string(16 << 20, 'x'));
    const std::string more(1 << 20, 'x');
    {
        const NoMemory scope(100'000);
        EXPECT_THROW(writer.write(more), std::bad_alloc);
    }
    const auto closed = co_await as_result(writer.wait_closed());
    EXPECT_TRUE(is_a<std::bad_alloc>(closed.error()));
}

// Not even for the text of an error.
TEST(NoMemory, for_a_report_ends_nothing_but_the_connection) {
    Faults faults;
    faults.send_error = EPIPE;
    const auto body = []() -> Coroutine<> {
        Peer peer;
        auto [reader, writer] = co_await open_to(peer);
        {
            const NoMemory scope(0);
            writer.write("x");
        }
        const auto closed = co_await as_result(writer.wait_closed());
        EXPECT_FALSE(closed.has_value());

        get_running_loop().set_debug(true);
        std::optional<StreamPair> other(co_await open_to(peer));
        int reports = 0;
        set_logger([&reports](Level, std::string_view) { ++reports; });
        {
            const NoMemory scope(0);
            other.reset();
        }
        set_logger(nullptr);
        EXPECT_EQ(reports, 1);
        get_running_loop().set_debug(false);
    };
    run_with_faults(faults, body());
}

// ------------------------------------------------------------------------------ cancellation

static Coroutine<> read_and_write(StreamReader& reader, StreamWriter& writer, std::string& got) {
    for (;;) {
        const std::string piece = co_await reader.read(1000);
        if (piece.empty()) {
            break;
        }
        got += piece;
        writer.write(piece);
        co_await writer.drain();
    }
}

// A task that is cancelled again and again, at random times, while bytes come and go.
NETWORK_TEST(Connection, loses_no_byte_however_often_its_task_is_cancelled) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    const std::string bytes = pattern(200'000);
    std::string received;
    std::string echoed;
    std::size_t sent = 0;
    std::uint32_t state = 1;
    while (received.size() < bytes.size()) {
        auto task = create_task(read_and_write(reader, writer, received));
        state = state * 1664525 + 1013904223;
        for (std::uint32_t i = 0; i < state >> 29; ++i) {
            const std::size_t size =
                std::min<std::size_t>((state >> 8) % 3000 + 1, bytes.size() - sent);
            sent += peer.try_send(std::string_view(bytes).substr(sent, size));
            peer.receive(echoed);
            co_await sleep(0);
        }
        task.cancel();
        const auto result = co_await as_result(task);
        EXPECT_TRUE(result.cancelled());
        if (sent == bytes.size()) {
            co_await settle();
        }
    }
    EXPECT_TRUE(received == bytes);
    writer.close();
    echoed += co_await peer.receive_all();
    EXPECT_TRUE(echoed == bytes);
}

NETWORK_TEST(Connection, can_be_read_under_a_timeout) {
    Peer peer;
    auto [reader, writer] = co_await open_to(peer);
    for (int i = 0; i < 3; ++i) {
        const auto late = co_await as_result(wait_for(reader.readline(), 1));
        EXPECT_EQ(describe(late.error()), "TimeoutError()");
        peer.send("half a line ");
    }
    peer.send("\n");
    const std::string line = co_await reader.readline();
    EXPECT_EQ(line, "half a line half a line half a line \n");
}
