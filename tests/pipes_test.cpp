// pipes_test.cpp - pipes, FIFOs, terminals and standard streams as connections.
//
// SPDX-License-Identifier: MIT
#include <asyncio/pipes.hpp>
#include <asyncio/log.hpp>
#include <asyncio/subprocess.hpp>
#include <asyncio/tasks.hpp>

#include "support/async_test.hpp"
#include "support/network.hpp"
#include "support/recording_protocols.hpp"
#include "support/scratch_directory.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

using namespace asyncio;
using asyncio::testing::open_descriptors;
using asyncio::testing::RecordingProtocol;
using asyncio::testing::ScratchDirectory;
using asyncio::testing::settle;
using asyncio::testing::Trace;

namespace {

bool is_non_blocking(int fd) {
    return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

void write_to(int fd, std::string_view text) {
    EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

/// What can be read without waiting.
std::string read_from(int fd) {
    ::fcntl(fd, F_SETFL, O_NONBLOCK);
    std::string text;
    std::array<char, 65536> block{};
    for (ssize_t size = 0; (size = ::read(fd, block.data(), block.size())) > 0;) {
        text.append(block.data(), static_cast<std::size_t>(size));
    }
    return text;
}

/// Both sides of a terminal.
struct Terminal {
    Pipe controlling;
    Pipe other;

    Terminal() {
        controlling = Pipe(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
        EXPECT_EQ(::unlockpt(controlling.fileno()), 0);
        other = Pipe(::ioctl(controlling.fileno(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
        EXPECT_GE(other.fileno(), 0);
        termios mode{};
        ::tcgetattr(other.fileno(), &mode);
        ::cfmakeraw(&mode);
        ::tcsetattr(other.fileno(), TCSANOW, &mode);
    }
};

std::string content_of(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

/// Puts something else in the place of a standard stream while it lives.
class Redirected {
public:
    Redirected(int number, int fd)
        : number_(number), before_(::fcntl(number, F_DUPFD_CLOEXEC, 10)) {
        EXPECT_EQ(::dup2(fd, number), number);
    }
    Redirected(const Redirected&) = delete;
    Redirected& operator=(const Redirected&) = delete;
    ~Redirected() {
        ::dup2(before_, number_);
        ::close(before_);
    }

private:
    int number_;
    int before_;
};

}  // namespace

// ----------------------------------------------------------------------------------- protocols

ASYNC_TEST(ReadPipe, tells_its_protocol_what_comes_and_the_end) {
    Trace trace;
    auto [read_end, write_end] = open_pipe();
    const auto make = [&trace] { return std::make_unique<RecordingProtocol>(trace); };
    auto [transport, protocol] = co_await connect_read_pipe(make, std::move(read_end));
    EXPECT_EQ(trace, Trace{"made"});
    EXPECT_TRUE(transport.is_reading());
    EXPECT_TRUE(transport.get_extra_info("pipe").has_value());

    write_to(write_end.fileno(), "one");
    co_await settle();
    write_to(write_end.fileno(), "two");
    write_end.close();
    co_await protocol->lost;

    EXPECT_EQ(trace, (Trace{"made", "data one", "data two", "eof", "lost None"}));
}

// Whatever eof_received() says: there is nothing to keep open.
ASYNC_TEST(ReadPipe, is_closed_by_its_end) {
    Trace trace;
    auto [read_end, write_end] = open_pipe();
    const auto make = [&trace] {
        auto made = std::make_unique<RecordingProtocol>(trace);
        made->keep_open = true;
        return made;
    };
    auto [transport, protocol] = co_await connect_read_pipe(make, std::move(read_end));
    write_end.close();
    co_await protocol->lost;
    EXPECT_EQ(trace, (Trace{"made", "eof", "lost None"}));
}

ASYNC_TEST(ReadPipe, pauses_and_resumes) {
    Trace trace;
    auto [read_end, write_end] = open_pipe();
    const auto make = [&trace] { return std::make_unique<RecordingProtocol>(trace); };
    auto [transport, protocol] = co_await connect_read_pipe(make, std::move(read_end));
    transport.pause_reading();
    EXPECT_FALSE(transport.is_reading());
    write_to(write_end.fileno(), "held");
    co_await settle();
    EXPECT_EQ(trace, Trace{"made"});

    transport.resume_reading();
    transport.resume_reading();
    co_await settle();
    EXPECT_EQ(trace, (Trace{"made", "data held"}));

    transport.close();
    EXPECT_TRUE(transport.is_closing());
    transport.pause_reading();
    transport.resume_reading();
    co_await protocol->lost;
    EXPECT_EQ(trace, (Trace{"made", "data held", "lost None"}));
}

ASYNC_TEST(WritePipe, writes_and_is_closed_when_all_is_written) {
    Trace trace;
    auto [read_end, write_end] = open_pipe();
    const auto make = [&trace] { return std::make_unique<RecordingProtocol>(trace); };
    auto [transport, protocol] = co_await connect_write_pipe(make, std::move(write_end));
    EXPECT_TRUE(transport.can_write_eof());

    transport.write("one");
    EXPECT_EQ(transport.get_write_buffer_size(), 0U);
    EXPECT_EQ(read_from(read_end.fileno()), "one");
    const std::string much(200'000, 'x');
    transport.write(much);
    EXPECT_GT(transport.get_write_buffer_size(), 0U);
    transport.writelines({"two", "three"});
    transport.write_eof();
    EXPECT_TRUE(transport.is_closing());
    transport.write("in vain");
    std::string read;
    while (read.size() < much.size() + 8) {
        read += read_from(read_end.fileno());
        co_await settle();
    }
    co_await protocol->lost;

    EXPECT_EQ(read, much + "twothree");
    EXPECT_EQ(trace, (Trace{"made", "pause", "resume", "lost None"}));
}

ASYNC_TEST(WritePipe, finds_that_its_reader_has_gone) {
    Trace trace;
    auto [read_end, write_end] = open_pipe();
    const auto make = [&trace] { return std::make_unique<RecordingProtocol>(trace); };
    auto [transport, protocol] = co_await connect_write_pipe(make, std::move(write_end));
    co_await settle();
    EXPECT_EQ(trace, Trace{"made"});
    read_end.close();
    co_await protocol->lost;
    EXPECT_EQ(trace, (Trace{"made", "lost None"}));
}

ASYNC_TEST(WritePipe, that_breaks_with_something_left_says_so) {
    Trace trace;
    auto [read_end, write_end] = open_pipe();
    const auto make = [&trace] { return std::make_unique<RecordingProtocol>(trace); };
    auto [transport, protocol] = co_await connect_write_pipe(make, std::move(write_end));
    transport.write(std::string(200'000, 'x'));
    read_end.close();
    co_await protocol->lost;
    EXPECT_EQ(trace, (Trace{"made", "pause", "lost BrokenPipeError(32, 'Broken pipe')"}));
}

ASYNC_TEST(WritePipe, written_to_in_vain_tells_after_five_times_and_raises_no_signal) {
    std::vector<std::string> lines;
    set_logger([&lines](Level, std::string_view text) { lines.emplace_back(text); });
    Trace trace;
    auto [read_end, write_end] = open_pipe();
    const auto make = [&trace] { return std::make_unique<RecordingProtocol>(trace); };
    auto [transport, protocol] = co_await connect_write_pipe(make, std::move(write_end));
    read_end.close();
    for (int i = 0; i < 7; ++i) {
        transport.write("x");  // SIGPIPE would end this program
    }
    co_await protocol->lost;
    EXPECT_FALSE(lines.empty());
    for (const std::string& line : lines) {
        EXPECT_EQ(line, "pipe closed by peer or os.write(pipe, data) raised exception.");
    }
    set_logger({});
}

ASYNC_TEST(WritePipe, aborted_drops_the_rest) {
    Trace trace;
    auto [read_end, write_end] = open_pipe();
    const auto make = [&trace] { return std::make_unique<RecordingProtocol>(trace); };
    auto [transport, protocol] = co_await connect_write_pipe(make, std::move(write_end));
    transport.write(std::string(200'000, 'x'));
    transport.abort();
    co_await protocol->lost;
    EXPECT_LT(read_from(read_end.fileno()).size(), 200'000U);
    EXPECT_EQ(trace, (Trace{"made", "pause", "lost None"}));
}

ASYNC_TEST(Pipes, refuse_files_and_directories) {
    Trace trace;
    const ScratchDirectory directory;
    const std::string path = directory / "file";
    std::ofstream(path) << "x";
    const std::size_t descriptors = open_descriptors();
    const auto make = [&trace] { return std::make_unique<RecordingProtocol>(trace); };
    const auto read = co_await as_result(connect_read_pipe(make, ::open(path.c_str(), O_RDONLY)));
    EXPECT_EQ(describe(read.error()), "ValueError('Pipe transport is for pipes/sockets only.')");
    const auto written =
        co_await as_result(connect_write_pipe(make, ::open(path.c_str(), O_WRONLY)));
    EXPECT_EQ(describe(written.error()),
              "ValueError('Pipe transport is only for pipes, sockets and character devices')");
    const auto nothing = co_await as_result(connect_read_pipe(make, 777));
    EXPECT_EQ(describe(nothing.error()), "OSError(9, 'Bad file descriptor')");
    EXPECT_EQ(open_descriptors(), descriptors);
}

ASYNC_TEST(Pipes, may_be_sockets) {
    Trace trace;
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    const auto make = [&trace] { return std::make_unique<RecordingProtocol>(trace); };
    auto [reading, reader] = co_await connect_read_pipe(make, Socket(ends[0]));
    auto [writing, writer] = co_await connect_write_pipe(make, ends[1]);
    writing.write("x");
    co_await settle();
    writing.close();
    co_await reader->lost;
    co_await writer->lost;
    EXPECT_EQ(reader->received, "x");
}

ASYNC_TEST(Pipes, may_be_fifos) {
    const ScratchDirectory directory;
    const std::string path = directory / "fifo";
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    Trace trace;
    const auto make = [&trace] { return std::make_unique<RecordingProtocol>(trace); };
    const int read_end = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    auto [reading, reader] = co_await connect_read_pipe(make, read_end);
    auto [writing, writer] =
        co_await connect_write_pipe(make, ::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    // What is not read yet is nothing that would be to be read here.
    reading.pause_reading();
    writing.write("1");
    co_await settle();
    EXPECT_FALSE(writing.is_closing());
    reading.resume_reading();
    writing.close();
    co_await reader->lost;
    EXPECT_EQ(reader->received, "1");
}

ASYNC_TEST(Pipes, may_be_both_sides_of_a_terminal) {
    Trace trace;
    const auto make = [&trace] { return std::make_unique<RecordingProtocol>(trace); };
    Terminal terminal;
    const int copy = ::fcntl(terminal.controlling.fileno(), F_DUPFD_CLOEXEC, 0);
    auto [reading, reader] = co_await connect_read_pipe(make, std::move(terminal.controlling));
    auto [writing, writer] = co_await connect_write_pipe(make, copy);
    writing.write("typed");
    co_await settle();
    EXPECT_EQ(read_from(terminal.other.fileno()), "typed");
    write_to(terminal.other.fileno(), "shown");
    while (reader->received.size() < 5) {
        co_await settle();
    }
    trace.clear();
    terminal.other.close();  // for the controlling side an error, EIO
    co_await reader->lost;
    EXPECT_EQ(trace, (Trace{"eof", "lost None"}));
    writing.close();
    co_await writer->lost;
}

ASYNC_TEST(Pipes, put_the_mode_back_that_others_share) {
    auto [read_end, write_end] = open_pipe();
    const Pipe same(::fcntl(write_end.fileno(), F_DUPFD_CLOEXEC, 0));
    {
        StreamWriter writer = co_await open_write_pipe(std::move(write_end));
        EXPECT_TRUE(is_non_blocking(same.fileno()));
        writer.close();
        co_await writer.wait_closed();
    }
    EXPECT_FALSE(is_non_blocking(same.fileno()));
}

// ------------------------------------------------------------------------------------- streams

ASYNC_TEST(PipeStreams, carry_lines) {
    auto [read_end, write_end] = open_pipe();
    StreamReader reader = co_await open_read_pipe(std::move(read_end), {.limit = 100});
    StreamWriter writer = co_await open_write_pipe(std::move(write_end));
    writer.writelines({"one\n", "two\n"});
    co_await writer.drain();
    EXPECT_EQ(co_await reader.readline(), "one\n");
    EXPECT_EQ(co_await reader.readline(), "two\n");
    auto next = create_task(reader.readline());
    co_await settle();
    writer.write("three");
    writer.close();
    EXPECT_EQ(co_await next, "three");
    EXPECT_EQ(co_await reader.read(), "");
    EXPECT_TRUE(reader.at_eof());
    co_await writer.wait_closed();
}

ASYNC_TEST(PipeStreams, carry_much_with_backpressure) {
    auto [read_end, write_end] = open_pipe();
    StreamReader reader = co_await open_read_pipe(std::move(read_end));
    StreamWriter writer = co_await open_write_pipe(std::move(write_end));
    const std::string much(1'000'000, 'x');
    writer.write(much);
    auto draining = create_task(writer.drain());
    co_await settle();
    EXPECT_FALSE(draining.done());
    const std::string read = co_await reader.readexactly(1'000'000);
    EXPECT_TRUE(read == much);
    co_await draining;
    writer.close();
    co_await writer.wait_closed();
}

ASYNC_TEST(PipeStreams, lose_nothing_when_a_read_is_cancelled) {
    auto [read_end, write_end] = open_pipe();
    StreamReader reader = co_await open_read_pipe(std::move(read_end));
    for (const bool arrives_first : {false, true}) {
        auto reading = create_task(reader.read(100));
        co_await settle();
        if (arrives_first) {
            write_to(write_end.fileno(), "bytes");
        }
        reading.cancel();
        const auto result = co_await as_result(reading);
        EXPECT_TRUE(result.cancelled());
        if (!arrives_first) {
            write_to(write_end.fileno(), "bytes");
        }
        EXPECT_EQ(co_await reader.read(100), "bytes");
    }
}

ASYNC_TEST(PipeStreams, end_with_their_handles) {
    const std::size_t descriptors = open_descriptors();
    auto [read_end, write_end] = open_pipe();
    {
        StreamReader reader = co_await open_read_pipe(std::move(read_end));
        StreamWriter writer = co_await open_write_pipe(std::move(write_end));
        writer.write("never read");
        writer.close();
        co_await writer.wait_closed();
    }
    co_await settle();
    EXPECT_EQ(open_descriptors(), descriptors);
}

static Coroutine<> leave_pipes_open(Pipe read_end, Pipe write_end, bool waiting) {
    StreamReader reader = co_await open_read_pipe(std::move(read_end));
    StreamWriter writer = co_await open_write_pipe(std::move(write_end));
    writer.write(std::string(1'000'000, 'x'));
    if (waiting) {
        co_await writer.drain();
    }
}

TEST(PipeStreams, end_with_their_loop) {
    for (const char* proactor : asyncio::testing::proactors) {
        for (const bool waiting : {false, true}) {
            const std::size_t descriptors = open_descriptors();
            {
                auto [read_end, write_end] = open_pipe();
                auto [unread, full] = open_pipe();
                const std::unique_ptr<EventLoop> loop = new_event_loop(proactor);
                const auto task = loop->create_task(
                    leave_pipes_open(std::move(read_end), std::move(full), waiting));
                loop->call_soon([] {});
                loop->run_until_complete(sleep(0));
                loop->close();
            }
            EXPECT_EQ(open_descriptors(), descriptors);
        }
    }
}

// ------------------------------------------------------------------------- the standard streams

static Coroutine<> copy_input_to_output() {
    auto [input, output] = co_await open_stdio();
    while (const auto line = co_await input.next()) {
        output.write("<" + line->substr(0, line->size() - 1) + ">\n");
        co_await output.drain();
    }
    output.close();
    co_await output.wait_closed();
}

ASYNC_TEST(Stdio, may_be_pipes_whose_mode_nobody_else_sees) {
    auto [input, feed] = open_pipe();
    auto [shown, output] = open_pipe();
    write_to(feed.fileno(), "one\ntwo\n");
    feed.close();
    {
        const Redirected in(0, input.fileno());
        const Redirected out(1, output.fileno());
        auto [reader, writer] = co_await open_stdio();
        EXPECT_FALSE(is_non_blocking(0));
        EXPECT_FALSE(is_non_blocking(1));
        EXPECT_EQ(co_await reader.readline(), "one\n");
        writer.write("out\n");
        EXPECT_EQ(co_await reader.read(), "two\n");
    }
    EXPECT_EQ(read_from(shown.fileno()), "out\n");
}

ASYNC_TEST(Stdio, may_be_files) {
    const ScratchDirectory directory;
    std::string lines;
    std::string expected;
    for (int i = 0; i < 30'000; ++i) {
        lines += std::to_string(i) + "\n";
        expected += "<" + std::to_string(i) + ">\n";
    }
    std::ofstream(directory / "in") << lines;
    const Pipe input(::open((directory / "in").c_str(), O_RDONLY | O_CLOEXEC));
    const Pipe output(::open((directory / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    {
        const Redirected in(0, input.fileno());
        const Redirected out(1, output.fileno());
        co_await copy_input_to_output();
    }
    EXPECT_TRUE(content_of(directory / "out") == expected);
}

ASYNC_TEST(Stdio, may_be_dev_null) {
    const Pipe null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const Redirected in(0, null.fileno());
    const Redirected out(1, null.fileno());
    auto [reader, writer] = co_await open_stdio();
    EXPECT_EQ(co_await reader.read(), "");
    writer.write("into nothing");
    co_await writer.drain();
    writer.close();
    co_await writer.wait_closed();
}

ASYNC_TEST(Stdio, may_be_a_terminal_whose_mode_nobody_else_sees) {
    Terminal terminal;
    const Redirected in(0, terminal.other.fileno());
    const Redirected out(1, terminal.other.fileno());
    auto [reader, writer] = co_await open_stdio();
    EXPECT_FALSE(is_non_blocking(terminal.other.fileno()));
    auto reading = create_task(reader.readline());
    co_await settle();
    write_to(terminal.controlling.fileno(), "typed\n");
    EXPECT_EQ(co_await reading, "typed\n");
    writer.write("shown");
    co_await writer.drain();
    EXPECT_EQ(read_from(terminal.controlling.fileno()), "shown");
}

ASYNC_TEST(Stdio, may_be_a_socket_whose_mode_is_put_back) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    const Pipe mine(ends[0]);
    const Pipe theirs(ends[1]);
    {
        StreamReader reader = co_await open_inherited_reader(mine.fileno());
        StreamWriter writer = co_await open_inherited_writer(mine.fileno());
        write_to(theirs.fileno(), "to it\n");
        EXPECT_EQ(co_await reader.readline(), "to it\n");
        writer.write("from it");
        co_await writer.drain();
        writer.close();
        co_await writer.wait_closed();
    }
    co_await settle();
    EXPECT_EQ(read_from(theirs.fileno()), "from it");
    EXPECT_FALSE(is_non_blocking(mine.fileno()));
}

ASYNC_TEST(Stdio, that_is_a_full_disk_says_so) {
    const Pipe full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    StreamWriter writer = co_await open_inherited_writer(full.fileno());
    writer.write("x");
    const auto closed = co_await as_result(writer.wait_closed());
    EXPECT_EQ(describe(closed.error()), "OSError(28, 'No space left on device')");
}

static Coroutine<> write_to_a_file(int fd) {
    StreamWriter writer = co_await open_inherited_writer(fd);
    writer.write("kept by nobody");
}

TEST(Stdio, ends_with_its_loop) {
    for (const char* proactor : asyncio::testing::proactors) {
        const ScratchDirectory directory;
        const std::size_t descriptors = open_descriptors();
        {
            const Pipe file(
                ::open((directory / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
            run(write_to_a_file(file.fileno()), {.proactor = proactor});
        }
        EXPECT_EQ(open_descriptors(), descriptors);
    }
}
