// messages_test.cpp - sock_recvfrom(), sock_sendto() and their kin, and descriptors that go with
// messages.
//
// SPDX-License-Identifier: MIT
#include <asyncio/descriptors.hpp>
#include <asyncio/sockets.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/tasks.hpp>

#include "support/network.hpp"
#include "support/scratch_directory.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace asyncio;
using asyncio::testing::open_descriptors;
using asyncio::testing::ScratchDirectory;
using asyncio::testing::settle;

namespace {

Socket bound_datagram_socket(const char* host = "127.0.0.1") {
    const Address any(host, 0);
    Socket socket(any.family(), SocketType::datagram);
    socket.bind(any);
    return socket;
}

struct Pair {
    Socket a;
    Socket b;
    explicit Pair(int type = SOCK_STREAM) {
        int fds[2] = {-1, -1};
        EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
        a = Socket(fds[0]);
        b = Socket(fds[1]);
    }
};

struct Pipe {
    FileDescriptor input;
    FileDescriptor output;
    Pipe() {
        int fds[2] = {-1, -1};
        EXPECT_EQ(::pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
        input = FileDescriptor(fds[0]);
        output = FileDescriptor(fds[1]);
    }
    /// Does `fd` write into it?
    [[nodiscard]] bool is_written_by(int fd) const {
        char c = 'x';
        return ::write(fd, &c, 1) == 1 && ::read(input.fileno(), &c, 1) == 1;
    }
};

int error_of(const std::exception_ptr& error) {
    try {
        if (error != nullptr) {
            std::rethrow_exception(error);
        }
    } catch (const OSError& e) {
        return e.error_number();
    } catch (const std::exception&) {
        return -1;
    }
    return 0;
}

std::string text_of(const std::exception_ptr& error) {
    return describe(error);
}

}  // namespace

// ---------------------------------------------------------------------------------- datagrams

NETWORK_TEST(SockRecvFrom, tells_who_has_sent_the_datagram) {
    for (const char* host : {"127.0.0.1", "::1"}) {
        const Socket a = bound_datagram_socket(host);
        const Socket b = bound_datagram_socket(host);
        EXPECT_EQ(co_await sock_sendto(a, "hello", b.getsockname()), 5U);
        auto [data, address] = co_await sock_recvfrom(b, 65536);
        EXPECT_EQ(data, "hello");
        EXPECT_EQ(address, a.getsockname());
    }
}

NETWORK_TEST(SockRecvFrom, waits_for_a_datagram) {
    const Socket a = bound_datagram_socket();
    const Socket b = bound_datagram_socket();
    auto receiving = create_task(sock_recvfrom(b, 100));
    co_await settle();
    EXPECT_FALSE(receiving.done());
    co_await sock_sendto(a, "late", b.getsockname());
    const ReceivedFrom received = co_await receiving;
    EXPECT_EQ(received.data, "late");
    EXPECT_EQ(received.address, a.getsockname());
}

NETWORK_TEST(SockRecvFrom, receives_empty_datagrams_and_cuts_off_long_ones) {
    const Socket a = bound_datagram_socket();
    const Socket b = bound_datagram_socket();
    for (const char* text : {"", "long one", "next"}) {
        co_await sock_sendto(a, text, b.getsockname());
    }
    EXPECT_EQ((co_await sock_recvfrom(b, 4)).data, "");
    EXPECT_EQ((co_await sock_recvfrom(b, 4)).data, "long");
    EXPECT_EQ((co_await sock_recvfrom(b, 4)).data, "next");
}

NETWORK_TEST(SockRecvFromInto, receives_into_memory_of_the_callers) {
    const Socket a = bound_datagram_socket();
    const Socket b = bound_datagram_socket();
    std::array<std::byte, 16> buffer{};
    auto receiving = create_task(
        [](const Socket& socket, std::span<std::byte> memory) -> Coroutine<ReceivedFromInto> {
            co_return co_await sock_recvfrom_into(socket, memory);
        }(b, buffer));
    co_await settle();
    co_await sock_sendto(a, "into", b.getsockname());
    const ReceivedFromInto received = co_await receiving;
    EXPECT_EQ(received.size, 4U);
    EXPECT_EQ(received.address, a.getsockname());
    EXPECT_EQ(std::memcmp(buffer.data(), "into", 4), 0);
}

NETWORK_TEST(SockRecvFrom, knows_the_names_of_unix_sockets) {
    const ScratchDirectory directory;
    Socket named(AddressFamily::unix_, SocketType::datagram);
    named.bind(Address::from_path(directory / "named"));
    const Socket unnamed(AddressFamily::unix_, SocketType::datagram);
    Socket receiver(AddressFamily::unix_, SocketType::datagram);
    receiver.bind(Address::from_path(directory / "receiver"));
    co_await sock_sendto(named, "1", receiver.getsockname());
    co_await sock_sendto(unnamed, "2", receiver.getsockname());
    EXPECT_EQ((co_await sock_recvfrom(receiver, 10)).address.host(), directory / "named");
    EXPECT_FALSE((co_await sock_recvfrom(receiver, 10)).address);
}

NETWORK_TEST(SockRecvFrom, of_a_stream_has_no_sender) {
    const Pair pair;
    co_await sock_sendall(pair.a, "bytes");
    const ReceivedFrom received = co_await sock_recvfrom(pair.b, 3);
    EXPECT_EQ(received.data, "byt");
    EXPECT_FALSE(received.address);
}

NETWORK_TEST(SockRecvFrom, loses_no_datagram_whenever_it_is_cancelled) {
    const Socket a = bound_datagram_socket();
    const Socket b = bound_datagram_socket();
    int sent = 0;
    int received = 0;
    for (int turns = 0; turns < 6; ++turns) {
        for (const bool send_first : {true, false}) {
            auto receiving = create_task(sock_recvfrom(b, 100));
            for (int i = 0; i < turns; ++i) {
                if (i == 1 && send_first) {
                    co_await sock_sendto(a, "x", b.getsockname());
                    ++sent;
                }
                co_await sleep(0);
            }
            receiving.cancel();
            const Result<ReceivedFrom> result = co_await as_result(receiving);
            received += result.has_value() ? 1 : 0;
        }
    }
    while (received < sent) {
        EXPECT_EQ((co_await sock_recvfrom(b, 100)).data, "x");
        ++received;
    }
    co_await sock_sendto(a, "last", b.getsockname());
    EXPECT_EQ((co_await sock_recvfrom(b, 100)).data, "last");
}

NETWORK_TEST(SockRecvFrom, ends_when_the_socket_is_closed) {
    Socket socket = bound_datagram_socket();
    auto receiving = create_task(sock_recvfrom(socket, 100));
    co_await settle();
    socket.close();
    const Result<ReceivedFrom> result = co_await as_result(receiving);
    EXPECT_EQ(error_of(result.error()), ECANCELED);
}

NETWORK_TEST(SockRecvFrom, reports_that_nobody_was_there) {
    const Socket a = bound_datagram_socket();
    Address gone;
    {
        const Socket b = bound_datagram_socket();
        gone = b.getsockname();
    }
    co_await sock_connect(a, gone);
    co_await sock_sendto(a, "to nobody", Address());
    const Result<ReceivedFrom> result = co_await as_result(sock_recvfrom(a, 10));
    EXPECT_EQ(error_of(result.error()), ECONNREFUSED);
}

NETWORK_TEST(SockSendTo, refuses_what_is_too_long) {
    const Socket a = bound_datagram_socket();
    const std::string huge(70'000, 'x');
    const Result<std::size_t> result = co_await as_result(sock_sendto(a, huge, a.getsockname()));
    EXPECT_EQ(error_of(result.error()), EMSGSIZE);
}

NETWORK_TEST(SockSendTo, waits_until_there_is_room) {
    const Pair pair(SOCK_DGRAM);
    auto sending = create_task([](const Socket& socket) -> Coroutine<int> {
        for (int i = 0; i < 1000; ++i) {
            co_await sock_sendto(socket, std::to_string(i), Address());
        }
        co_return 1000;
    }(pair.a));
    co_await settle();
    EXPECT_FALSE(sending.done());
    for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ((co_await sock_recvfrom(pair.b, 10)).data, std::to_string(i));
    }
    EXPECT_EQ(co_await sending, 1000);
}

// -------------------------------------------------------------------------------- descriptors

NETWORK_TEST(SendFds, gives_the_receiver_descriptors_of_his_own) {
    const Pair pair;
    Pipe pipe;
    const std::array fds{pipe.output.fileno(), pipe.input.fileno()};
    EXPECT_EQ(co_await send_fds(pair.a, "two of them", fds), 11U);
    const ReceivedFds received = co_await recv_fds(pair.b, 100, 10);
    EXPECT_EQ(received.data, "two of them");
    EXPECT_EQ(received.fds.size(), 2U);
    EXPECT_FALSE(received.truncated);
    pipe.output.close();
    EXPECT_TRUE(pipe.is_written_by(received.fds[0].fileno()));
    for (const FileDescriptor& fd : received.fds) {
        EXPECT_NE(::fcntl(fd.fileno(), F_GETFD) & FD_CLOEXEC, 0);
    }
}

NETWORK_TEST(RecvFds, waits_for_a_message) {
    const Pair pair;
    const Pipe pipe;
    auto receiving = create_task(recv_fds(pair.b, 100, 1));
    co_await settle();
    EXPECT_FALSE(receiving.done());
    const std::array fds{pipe.output.fileno()};
    co_await send_fds(pair.a, "x", fds);
    const ReceivedFds received = co_await receiving;
    EXPECT_TRUE(pipe.is_written_by(received.fds.at(0).fileno()));
}

NETWORK_TEST(RecvFds, receives_what_has_no_descriptors_and_the_end) {
    Pair pair;
    co_await send_fds(pair.a, "plain", {});
    const ReceivedFds received = co_await recv_fds(pair.b, 100, 4);
    EXPECT_EQ(received.data, "plain");
    EXPECT_TRUE(received.fds.empty());
    pair.a.close();
    const ReceivedFds end = co_await recv_fds(pair.b, 100, 4);
    EXPECT_EQ(end.data, "");
    EXPECT_FALSE(end.truncated);
}

// S16
NETWORK_TEST(RecvFds, leaves_nothing_open_of_those_that_are_too_many) {
    const Pair pair;
    const Pipe pipe;
    const std::size_t before = open_descriptors();
    for (std::size_t most = 0; most < 4; ++most) {
        const std::array fds{pipe.output.fileno(), pipe.output.fileno(), pipe.output.fileno()};
        co_await send_fds(pair.a, "x", fds);
        const ReceivedFds received = co_await recv_fds(pair.b, 10, most);
        EXPECT_EQ(received.fds.size(), most);
        EXPECT_EQ(received.truncated, most < 3);
        EXPECT_EQ(open_descriptors(), before + most);
    }
    EXPECT_EQ(open_descriptors(), before);
}

NETWORK_TEST(RecvFds, loses_and_leaks_nothing_whenever_it_is_cancelled) {
    const Pair pair;
    const Pipe pipe;
    const std::size_t before = open_descriptors();
    int sent = 0;
    int received = 0;
    for (int turns = 0; turns < 6; ++turns) {
        auto receiving = create_task(recv_fds(pair.b, 1, 1));
        for (int i = 0; i < turns; ++i) {
            if (i == 1) {
                const std::array fds{pipe.output.fileno()};
                co_await send_fds(pair.a, "x", fds);
                ++sent;
            }
            co_await sleep(0);
        }
        receiving.cancel();
        const Result<ReceivedFds> result = co_await as_result(receiving);
        received += result.has_value() ? 1 : 0;
    }
    while (received < sent) {
        const ReceivedFds rest = co_await recv_fds(pair.b, 1, 1);
        EXPECT_EQ(rest.fds.size(), 1U);
        ++received;
    }
    EXPECT_EQ(open_descriptors(), before);
}

TEST(RecvFds, leaks_nothing_when_its_loop_is_closed) {
    const std::size_t before = open_descriptors();
    for (const char* proactor : asyncio::testing::proactors) {
        for (int turns = 0; turns < 4; ++turns) {
            auto loop = new_event_loop(proactor);
            loop->run_until_complete([](int count) -> Coroutine<> {
                const Pair pair;
                const Pipe pipe;
                auto receiving = create_task([](int fd) -> Coroutine<> {
                    const Socket own(::dup(fd));
                    const ReceivedFds received = co_await recv_fds(own, 10, 4);
                    EXPECT_EQ(received.fds.size(), 1U);
                    co_await sleep(100);
                }(pair.b.fileno()));
                co_await settle();
                const std::array fds{pipe.output.fileno()};
                co_await send_fds(pair.a, "x", fds);
                for (int i = 0; i < count; ++i) {
                    co_await sleep(0);
                }
            }(turns));
            loop->set_exception_handler([](EventLoop&, const ExceptionContext&) {});
            loop->close();
        }
    }
    EXPECT_EQ(open_descriptors(), before);
}

NETWORK_TEST(SendFds, tells_what_cannot_be_sent) {
    const Pair pair;
    const Pipe pipe;
    const std::array good{pipe.output.fileno()};
    const Result<std::size_t> nothing = co_await as_result(send_fds(pair.a, "", good));
    EXPECT_EQ(text_of(nothing.error()), "ValueError('descriptors go with at least one byte')");
    const std::array bad{pipe.output.fileno(), -1};
    const Result<std::size_t> closed = co_await as_result(send_fds(pair.a, "x", bad));
    EXPECT_EQ(error_of(closed.error()), EBADF);
    const std::vector<int> many(254, pipe.output.fileno());
    const Result<std::size_t> too_many = co_await as_result(send_fds(pair.a, "x", many));
    EXPECT_EQ(text_of(too_many.error()), "ValueError('at most 253 descriptors go with a message')");
    const Result<ReceivedFds> too_many_back = co_await as_result(recv_fds(pair.b, 1, 254));
    EXPECT_EQ(error_of(too_many_back.error()), -1);
    const std::vector<int> most(253, pipe.output.fileno());
    EXPECT_EQ(co_await send_fds(pair.a, "x", most), 1U);
    EXPECT_EQ((co_await recv_fds(pair.b, 10, 253)).fds.size(), 253U);
}

// ------------------------------------------------------------------------------ sock_sendfile

namespace {

/// A connected TCP socket, and what the other end got of it until the end.
struct Sink {
    asyncio::testing::PeerListener listener;
    Socket ours{AddressFamily::ipv4};
    asyncio::testing::Peer theirs;

    Coroutine<> connect() {
        co_await sock_connect(ours, Address("127.0.0.1", listener.port()));
        theirs = listener.accept();
    }
};

FileDescriptor make_file(const std::string& path, const std::string& content) {
    std::ofstream(path) << content;
    return FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
        text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
    }
    return text;
}

Coroutine<std::int64_t> send_and_close(Socket& socket, int file, SockSendfileOptions options) {
    const std::int64_t sent = co_await sock_sendfile(socket, file, options);
    socket.close();
    co_return sent;
}

std::int64_t position(const FileDescriptor& file) {
    return ::lseek(file.fileno(), 0, SEEK_CUR);
}

}  // namespace

NETWORK_TEST(SockSendfile, sends_a_file_that_does_not_fit_into_the_socket) {
    const ScratchDirectory directory;
    const std::string content = pattern(3'000'000);
    const FileDescriptor file = make_file(directory / "file", content);
    Sink sink;
    co_await sink.connect();
    auto sending = create_task(send_and_close(sink.ours, file.fileno(), {}));
    EXPECT_TRUE(co_await sink.theirs.receive_all() == content);
    EXPECT_EQ(co_await sending, 3'000'000);
    EXPECT_EQ(position(file), 3'000'000);
}

NETWORK_TEST(SockSendfile, sends_a_part_of_a_file) {
    const ScratchDirectory directory;
    const FileDescriptor file = make_file(directory / "file", "0123456789");
    struct Case {
        SockSendfileOptions options;
        std::string sent;
    };
    for (const Case& c :
         {Case{{.offset = 3, .count = 4}, "3456"}, Case{{.offset = 8, .count = 100}, "89"},
          Case{{.count = 1}, "0"}, Case{{.offset = 9}, "9"}, Case{{.offset = 50}, ""}}) {
        Sink sink;
        co_await sink.connect();
        auto sending = create_task(send_and_close(sink.ours, file.fileno(), c.options));
        EXPECT_EQ(co_await sink.theirs.receive_all(), c.sent);
        EXPECT_EQ(co_await sending, static_cast<std::int64_t>(c.sent.size()));
        if (!c.sent.empty()) {
            EXPECT_EQ(position(file), c.options.offset + static_cast<std::int64_t>(c.sent.size()));
        }
    }
}

NETWORK_TEST(SockSendfile, reads_what_the_system_cannot_send) {
    Pipe pipe;
    EXPECT_EQ(::fcntl(pipe.input.fileno(), F_SETFL, 0), 0);
    EXPECT_EQ(::write(pipe.output.fileno(), "from a pipe", 11), 11);
    pipe.output.close();
    {
        Sink sink;
        co_await sink.connect();
        const Result<std::int64_t> refused =
            co_await as_result(sock_sendfile(sink.ours, pipe.input.fileno(), {.fallback = false}));
        EXPECT_EQ(text_of(refused.error()), "SendfileNotAvailableError('os.sendfile call failed')");
    }
    Sink sink;
    co_await sink.connect();
    auto sending = create_task(send_and_close(sink.ours, pipe.input.fileno(), {}));
    EXPECT_EQ(co_await sink.theirs.receive_all(), "from a pipe");
    EXPECT_EQ(co_await sending, 11);
}

NETWORK_TEST(SockSendfile, is_cancelled_between_two_parts) {
    const ScratchDirectory directory;
    const FileDescriptor file = make_file(directory / "file", std::string(8'000'000, 'x'));
    Sink sink;
    co_await sink.connect();
    auto sending = create_task(sock_sendfile(sink.ours, file.fileno()));
    co_await settle();
    EXPECT_FALSE(sending.done());
    sending.cancel();
    const Result<std::int64_t> result = co_await as_result(sending);
    EXPECT_TRUE(result.cancelled());
    const std::int64_t sent = position(file);
    EXPECT_GT(sent, 0);
    sink.ours.close();
    const std::string received = co_await sink.theirs.receive_all();
    EXPECT_EQ(static_cast<std::int64_t>(received.size()), sent);
}

NETWORK_TEST(SockSendfile, reports_that_the_peer_has_gone) {
    const ScratchDirectory directory;
    const FileDescriptor file = make_file(directory / "file", std::string(8'000'000, 'x'));
    Sink sink;
    co_await sink.connect();
    auto sending = create_task(sock_sendfile(sink.ours, file.fileno()));
    co_await settle();
    sink.theirs.reset();
    const Result<std::int64_t> result = co_await as_result(sending);
    EXPECT_TRUE(error_of(result.error()) == EPIPE || error_of(result.error()) == ECONNRESET);
}

// sendfile() has no MSG_NOSIGNAL: a signal that nobody handles would end this process.
NETWORK_TEST(SockSendfile, to_a_closed_peer_throws_and_raises_no_signal) {
    const ScratchDirectory directory;
    const FileDescriptor file = make_file(directory / "file", "content");
    Pair pair;
    pair.b.close();
    const Result<std::int64_t> result =
        co_await as_result(sock_sendfile(pair.a, file.fileno(), {.fallback = false}));
    EXPECT_EQ(error_of(result.error()), EPIPE);
    EXPECT_EQ(position(file), 0);
}

NETWORK_TEST(SockSendfile, ends_when_the_socket_is_closed) {
    const ScratchDirectory directory;
    const FileDescriptor file = make_file(directory / "file", std::string(8'000'000, 'x'));
    Sink sink;
    co_await sink.connect();
    auto sending = create_task(sock_sendfile(sink.ours, file.fileno()));
    co_await settle();
    EXPECT_FALSE(sending.done());
    const int number = sink.ours.fileno();
    sink.ours.close();
    Pair other;  // gets its number
    EXPECT_TRUE(other.a.fileno() == number || other.b.fileno() == number);
    const Result<std::int64_t> result = co_await as_result(sending);
    EXPECT_EQ(error_of(result.error()), ECANCELED);
    const std::string received = co_await sink.theirs.receive_all();
    EXPECT_EQ(static_cast<std::int64_t>(received.size()), position(file));
}

// Sizes and places that no 32 bits hold. The file has a hole: nothing of it is on a disk.
NETWORK_TEST(SockSendfile, sends_from_beyond_four_gigabytes) {
    constexpr std::int64_t far = (std::int64_t{1} << 32) + 12345;
    const ScratchDirectory directory;
    const FileDescriptor file = make_file(directory / "file", "");
    const FileDescriptor writable(::open((directory / "file").c_str(), O_WRONLY | O_CLOEXEC));
    EXPECT_EQ(::pwrite(writable.fileno(), "the end", 7, far), 7);
    for (const bool counted : {false, true}) {
        Sink sink;
        co_await sink.connect();
        SockSendfileOptions options{.offset = far + 4};
        if (counted) {
            options.count = std::int64_t{1} << 33;
        }
        auto sending = create_task(send_and_close(sink.ours, file.fileno(), options));
        EXPECT_EQ(co_await sink.theirs.receive_all(), "end");
        EXPECT_EQ(co_await sending, 3);
        EXPECT_EQ(position(file), far + 7);
    }
}

NETWORK_TEST(SockSendfile, sends_what_is_left_of_a_file_that_is_cut_off_meanwhile) {
    const ScratchDirectory directory;
    const FileDescriptor file = make_file(directory / "file", pattern(8'000'000));
    Sink sink;
    co_await sink.connect();
    auto sending = create_task(send_and_close(sink.ours, file.fileno(), {.count = 8'000'000}));
    co_await settle();
    EXPECT_FALSE(sending.done());
    EXPECT_EQ(::truncate((directory / "file").c_str(), 7'000'000), 0);
    const std::string received = co_await sink.theirs.receive_all();
    EXPECT_TRUE(received == pattern(7'000'000));
    EXPECT_EQ(co_await sending, 7'000'000);
    EXPECT_EQ(position(file), 7'000'000);
}

NETWORK_TEST(SockSendfile, checks_what_it_is_given) {
    const Socket datagrams = bound_datagram_socket();
    const Pair pair;
    const ScratchDirectory directory;
    const FileDescriptor file = make_file(directory / "file", "x");
    const Result<std::int64_t> kind = co_await as_result(sock_sendfile(datagrams, file.fileno()));
    EXPECT_EQ(text_of(kind.error()), "ValueError('only SOCK_STREAM type sockets are supported')");
    const Result<std::int64_t> count =
        co_await as_result(sock_sendfile(pair.a, file.fileno(), {.count = 0}));
    EXPECT_EQ(text_of(count.error()), "ValueError('count must be a positive integer (got 0)')");
    const Result<std::int64_t> offset =
        co_await as_result(sock_sendfile(pair.a, file.fileno(), {.offset = -1}));
    EXPECT_EQ(text_of(offset.error()),
              "ValueError('offset must be a non-negative integer (got -1)')");
    const Result<std::int64_t> closed = co_await as_result(sock_sendfile(pair.a, -1));
    EXPECT_EQ(error_of(closed.error()), EBADF);
}

// -------------------------------------------------------------------------------- getnameinfo

NETWORK_TEST(GetNameInfo, gives_numbers_if_it_is_asked_for_them) {
    auto [host, service] =
        co_await getnameinfo(Address("127.0.0.1", 80), NI_NUMERICHOST | NI_NUMERICSERV);
    EXPECT_EQ(host, "127.0.0.1");
    EXPECT_EQ(service, "80");
    const NameInfo v6 = co_await getnameinfo(Address("::1", 0), NI_NUMERICHOST | NI_NUMERICSERV);
    EXPECT_EQ(v6.host, "::1");
    EXPECT_EQ(v6.service, "0");
}

NETWORK_TEST(GetNameInfo, gives_names) {
    const NameInfo info = co_await getnameinfo(Address("127.0.0.1", 80), NI_NUMERICHOST);
    EXPECT_EQ(info.service, "http");
}

NETWORK_TEST(GetNameInfo, reports_addresses_that_have_no_names) {
    const Result<NameInfo> result = co_await as_result(getnameinfo(Address()));
    EXPECT_THROW(std::rethrow_exception(result.error()), AddressInfoError);
}

NETWORK_TEST(GetNameInfo, can_be_cancelled) {
    auto task = create_task(getnameinfo(Address("127.0.0.1", 80), NI_NUMERICHOST));
    co_await sleep(0);
    task.cancel();
    const Result<NameInfo> result = co_await as_result(task);
    EXPECT_TRUE(result.cancelled());
}

// ---------------------------------------------------------------------------- TransportSocket

NETWORK_TEST(TransportSocket, does_what_a_socket_does_and_never_waits) {
    const Pair pair;
    const TransportSocket socket(pair.a);
    EXPECT_FALSE(socket.get_inheritable());
    EXPECT_EQ(::fcntl(pair.a.fileno(), F_SETFD, 0), 0);
    EXPECT_TRUE(socket.get_inheritable());
    EXPECT_EQ(socket.gettimeout(), Duration(0));
    socket.settimeout(0);
    socket.setblocking(false);
    const auto refusal = [](auto fn) {
        try {
            fn();
        } catch (...) {
            return describe(std::current_exception());
        }
        return std::string();
    };
    EXPECT_EQ(refusal([&] { socket.settimeout(10); }),
              "ValueError('settimeout(): only 0 timeout is allowed on transport sockets')");
    EXPECT_EQ(refusal([&] { socket.settimeout(std::nullopt); }),
              "ValueError('settimeout(): only 0 timeout is allowed on transport sockets')");
    EXPECT_EQ(refusal([&] { socket.setblocking(true); }),
              "ValueError('setblocking(): transport sockets cannot be blocking')");
    co_return;
}

NETWORK_TEST(TransportSocket, can_be_duplicated) {
    Pair pair;
    const Socket copy = TransportSocket(pair.a).dup();
    EXPECT_NE(copy.fileno(), pair.a.fileno());
    EXPECT_FALSE(copy.get_inheritable());
    pair.a.close();
    co_await sock_sendall(copy, "still");
    EXPECT_EQ(co_await sock_recv(pair.b, 10), "still");
    EXPECT_THROW(static_cast<void>(TransportSocket(pair.a).dup()), OSError);
}
