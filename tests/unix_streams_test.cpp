// unix_streams_test.cpp - streams over Unix sockets, and the files of these.
//
// SPDX-License-Identifier: MIT
#include <asyncio/streams.hpp>

#include "support/network.hpp"
#include "support/scratch_directory.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

using namespace asyncio;
using asyncio::testing::open_descriptors;
using asyncio::testing::Peer;
using asyncio::testing::ScratchDirectory;
using asyncio::testing::settle;

namespace {

namespace fs = std::filesystem;

Coroutine<> echo(StreamReader reader, StreamWriter writer) {
    const std::string line = co_await reader.readline();
    writer.write(line);
    co_await writer.drain();
    writer.close();
    co_await writer.wait_closed();
}

Coroutine<> ignore(StreamReader, StreamWriter) {
    co_return;
}

/// What the server says to a line.
Coroutine<std::string> ask(std::string path, std::string line) {
    auto [reader, writer] = co_await open_unix_connection(path);
    writer.write(line);
    std::string answer = co_await reader.read();
    writer.close();
    co_await writer.wait_closed();
    co_return answer;
}

Coroutine<> close(Server& server) {
    server.close();
    co_await server.wait_closed();
}

/// A name that no other test has.
std::string abstract_name(std::string_view name) {
    return std::string(1, '\0') + "asyncio-test-" + std::to_string(::getpid()) + "-" +
           std::string(name);
}

/// A Unix socket that is bound to `path`, and listens if it is told to.
int bound_by_another(const std::string& path, bool listens, int type = SOCK_STREAM) {
    const int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const Address address = Address::from_path(path);
    EXPECT_EQ(
        ::bind(fd, reinterpret_cast<const sockaddr*>(address.raw().storage), address.raw().size),
        0);
    if (listens) {
        EXPECT_EQ(::listen(fd, 1), 0);
    }
    return fd;
}

int mode_of(const std::string& path) {
    struct ::stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return static_cast<int>(status.st_mode & 0777);
}

/// The number of the error, and what was being done; 0 if there was none.
std::pair<int, std::string> error_of(const std::exception_ptr& error) {
    try {
        if (error != nullptr) {
            std::rethrow_exception(error);
        }
    } catch (const OSError& e) {
        return {e.error_number(), e.doing()};
    } catch (const std::exception& e) {
        return {-1, e.what()};
    }
    return {0, ""};
}

}  // namespace

// ------------------------------------------------------------------------------------ Address

TEST(UnixAddress, is_a_path) {
    const Address address = Address::from_path("/tmp/x");
    EXPECT_EQ(address.family(), AddressFamily::unix_);
    EXPECT_EQ(address.host(), "/tmp/x");
    EXPECT_EQ(address.to_string(), "/tmp/x");
    EXPECT_EQ(address.port(), 0);
    EXPECT_EQ(address, Address::from_path("/tmp/x"));
    EXPECT_NE(address, Address::from_path("/tmp/y"));
    EXPECT_TRUE(address);
}

TEST(UnixAddress, is_an_abstract_name_in_which_every_byte_counts) {
    const std::string name("\0a\0b", 4);
    const Address address = Address::from_path(name);
    EXPECT_EQ(address.host(), name);
    EXPECT_EQ(address.to_string(), std::string("@a\0b", 4));
    EXPECT_NE(address, Address::from_path(std::string("\0a\0", 3)));
    EXPECT_NE(address, Address::from_path(std::string("\0a\0b\0", 5)));
}

TEST(UnixAddress, may_be_as_long_as_the_system_allows) {
    const std::string path(107, 'p');
    EXPECT_EQ(Address::from_path(path).host(), path);
    EXPECT_THROW(static_cast<void>(Address::from_path(path + "p")), OSError);
    const std::string name = std::string(1, '\0') + std::string(107, 'n');
    EXPECT_EQ(Address::from_path(name).host(), name);
    EXPECT_THROW(static_cast<void>(Address::from_path(name + "n")), OSError);
    EXPECT_THROW(static_cast<void>(Address::from_path(std::string("a\0b", 3))),
                 std::invalid_argument);
    EXPECT_EQ(Address::from_path("").host(), "");
    EXPECT_EQ(Address::from_path("").family(), AddressFamily::unix_);
}

// ------------------------------------------------------------------------------------ streams

NETWORK_TEST(UnixStreams, go_over_a_path) {
    const ScratchDirectory directory;
    const std::string path = directory / "socket";
    Server server = co_await start_unix_server(echo, path);
    EXPECT_EQ(co_await ask(path, "hello\n"), "hello\n");
    EXPECT_EQ(co_await ask(path, "again\n"), "again\n");
    co_await close(server);
}

NETWORK_TEST(UnixStreams, go_over_an_abstract_name_of_whatever_length) {
    const std::string longest = std::string(1, '\0') + std::string(107, 'n');
    for (const std::string& name :
         {abstract_name("short"), abstract_name(std::string("a\0b", 3)), longest}) {
        Server server = co_await start_unix_server(echo, name);
        EXPECT_EQ(co_await ask(name, "hello\n"), "hello\n");
        EXPECT_EQ(server.addresses().front().host(), name);
        co_await close(server);
    }
}

NETWORK_TEST(UnixStreams, know_both_addresses_also_after_the_end) {
    const ScratchDirectory directory;
    const std::string path = directory / std::string(90 - (directory / "").size(), 'x');
    Address seen_peer;
    Address seen_own;
    Server server = co_await start_unix_server(
        [&](StreamReader, StreamWriter writer) {
            seen_peer = writer.peername();
            seen_own = writer.sockname();
        },
        path);
    auto [reader, writer] = co_await open_unix_connection(path);
    EXPECT_EQ(co_await reader.read(), "");
    writer.close();
    co_await writer.wait_closed();

    EXPECT_EQ(writer.peername().host(), path);
    EXPECT_EQ(writer.sockname().host(), "");
    EXPECT_EQ(writer.sockname().family(), AddressFamily::unix_);
    EXPECT_EQ(seen_own.host(), path);
    EXPECT_EQ(seen_peer.host(), "");
    co_await close(server);
}

NETWORK_TEST(UnixStreams, are_made_of_a_socket_that_is_connected) {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    auto ours = co_await open_unix_connection(Socket(fds[0]));
    auto theirs = co_await open_unix_connection(Socket(fds[1]));
    ours.writer.write("to and fro\n");
    EXPECT_EQ(co_await theirs.reader.readline(), "to and fro\n");
}

NETWORK_TEST(UnixStreams, are_not_made_of_other_sockets) {
    const std::size_t before = open_descriptors();
    {
        const Result<StreamPair> tcp =
            co_await as_result(open_unix_connection(Socket(AddressFamily::ipv4)));
        EXPECT_EQ(error_of(tcp.error()).second, "A UNIX Domain Stream Socket was expected");
        const Result<Server> datagrams = co_await as_result(
            start_unix_server(ignore, Socket(AddressFamily::unix_, SocketType::datagram)));
        EXPECT_EQ(error_of(datagrams.error()).second, "A UNIX Domain Stream Socket was expected");
    }
    EXPECT_EQ(open_descriptors(), before);
}

NETWORK_TEST(UnixStreams, refuse_a_limit_of_nothing) {
    const ScratchDirectory directory;
    const std::string path = directory / "socket";
    const Result<StreamPair> pair = co_await as_result(open_unix_connection(path, {.limit = 0}));
    EXPECT_EQ(error_of(pair.error()).second, "Limit cannot be <= 0");
    const Result<Server> server = co_await as_result(start_unix_server(ignore, path, {.limit = 0}));
    EXPECT_EQ(error_of(server.error()).second, "Limit cannot be <= 0");
    EXPECT_FALSE(fs::exists(path));
}

NETWORK_TEST(UnixStreams, report_why_they_cannot_be_connected) {
    const ScratchDirectory directory;
    const std::size_t before = open_descriptors();
    {
        const Result<StreamPair> missing =
            co_await as_result(open_unix_connection(directory / "missing"));
        EXPECT_EQ(error_of(missing.error()).first, ENOENT);

        ::close(bound_by_another(directory / "stale", false));
        const Result<StreamPair> refused =
            co_await as_result(open_unix_connection(directory / "stale"));
        EXPECT_EQ(error_of(refused.error()).first, ECONNREFUSED);

        const std::string too_long(108, 'p');
        const Result<StreamPair> longer = co_await as_result(open_unix_connection(too_long));
        EXPECT_EQ(error_of(longer.error()).second, "AF_UNIX path too long");
    }
    EXPECT_EQ(open_descriptors(), before);
}

// CPython takes a connection that was not made for one that was.
NETWORK_TEST(UnixStreams, report_that_too_many_wait_to_be_accepted) {
    const ScratchDirectory directory;
    const std::string path = directory / "socket";
    const int listener = bound_by_another(path, true);
    std::vector<StreamPair> waiting;
    int error = 0;
    while (error == 0 && waiting.size() < 10) {
        Result<StreamPair> pair = co_await as_result(open_unix_connection(path));
        error = error_of(pair.error()).first;
        if (pair.has_value()) {
            waiting.push_back(std::move(pair).get());
        }
    }
    EXPECT_EQ(error, EAGAIN);
    ::close(listener);
}

NETWORK_TEST(UnixStreams, are_not_opened_for_who_is_cancelled) {
    const ScratchDirectory directory;
    const std::string path = directory / "socket";
    Server server = co_await start_unix_server(echo, path);
    const std::size_t before = open_descriptors();
    for (int turns = 0; turns < 4; ++turns) {
        auto task = create_task(open_unix_connection(path));
        for (int i = 0; i < turns; ++i) {
            co_await sleep(0);
        }
        task.cancel();
        const Result<StreamPair> pair = co_await as_result(task);
        EXPECT_EQ(pair.cancelled(), task.cancelled());
        task = {};
    }
    co_await settle();
    server.close_clients();
    co_await settle();
    EXPECT_EQ(open_descriptors(), before);
    co_await close(server);
}

// -------------------------------------------------------------------------------------- files

NETWORK_TEST(UnixServer, removes_its_file_when_it_is_closed) {
    const ScratchDirectory directory;
    const std::string path = directory / "socket";
    Server server = co_await start_unix_server(ignore, path);
    EXPECT_TRUE(fs::is_socket(path));
    server.close();
    EXPECT_FALSE(fs::exists(path));
}

NETWORK_TEST(UnixServer, leaves_its_file_if_it_is_told_to) {
    const ScratchDirectory directory;
    const std::string path = directory / "socket";
    Server server = co_await start_unix_server(ignore, path, {.cleanup_socket = false});
    server.close();
    EXPECT_TRUE(fs::is_socket(path));
}

NETWORK_TEST(UnixServer, removes_the_file_of_a_socket_that_it_was_given) {
    const ScratchDirectory directory;
    for (const bool cleanup : {true, false}) {
        const std::string path = directory / (cleanup ? "gone" : "left");
        Socket socket(bound_by_another(path, false));
        Server server =
            co_await start_unix_server(echo, std::move(socket), {.cleanup_socket = cleanup});
        EXPECT_EQ(co_await ask(path, "hello\n"), "hello\n");
        server.close();
        EXPECT_EQ(fs::exists(path), !cleanup);
    }
}

NETWORK_TEST(UnixServer, does_not_miss_a_file_that_is_gone) {
    const ScratchDirectory directory;
    const std::string path = directory / "socket";
    Server server = co_await start_unix_server(ignore, path);
    fs::remove(path);
    server.close();
    EXPECT_FALSE(fs::exists(path));
}

NETWORK_TEST(UnixServer, leaves_a_file_that_is_not_its_own) {
    const ScratchDirectory directory;
    const std::string path = directory / "socket";
    Server server = co_await start_unix_server(ignore, path);
    // Moved, not removed: its inode is still in use, and cannot be the new one's.
    fs::rename(path, directory / "moved");
    ::close(bound_by_another(path, false));
    server.close();
    EXPECT_TRUE(fs::is_socket(path));
}

TEST(UnixServer, removes_its_file_when_its_loop_is_closed) {
    const ScratchDirectory directory;
    const std::string path = directory / "socket";
    {
        EventLoop loop;
        const Server server = loop.run_until_complete(start_unix_server(ignore, path));
        EXPECT_TRUE(fs::is_socket(path));
    }
    EXPECT_FALSE(fs::exists(path));
}

NETWORK_TEST(UnixServer, replaces_a_socket_that_nobody_listens_on) {
    const ScratchDirectory directory;
    const std::string path = directory / "socket";
    ::close(bound_by_another(path, true));
    Server server = co_await start_unix_server(echo, path);
    EXPECT_EQ(co_await ask(path, "hello\n"), "hello\n");
    co_await close(server);
}

NETWORK_TEST(UnixServer, does_not_take_the_path_of_another_that_listens) {
    const ScratchDirectory directory;
    const std::string path = directory / "socket";
    Server first = co_await start_unix_server(echo, path);
    const std::size_t before = open_descriptors();
    const Result<Server> second = co_await as_result(start_unix_server(ignore, path));
    EXPECT_EQ(error_of(second.error()),
              (std::pair{EADDRINUSE, "Address '" + path + "' is already in use"}));
    co_await settle();
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_EQ(co_await ask(path, "still there\n"), "still there\n");
    co_await close(first);
}

// Nobody can be asked whether he listens when as many wait as may.
NETWORK_TEST(UnixServer, does_not_take_the_path_of_one_that_is_busy) {
    const ScratchDirectory directory;
    const std::string path = directory / "socket";
    const int listener = bound_by_another(path, true);
    std::vector<Socket> waiting;
    for (int i = 0; i < 4; ++i) {
        Socket socket(AddressFamily::unix_);
        static_cast<void>(co_await as_result(sock_connect(socket, Address::from_path(path))));
        waiting.push_back(std::move(socket));
    }
    const Result<Server> second = co_await as_result(start_unix_server(ignore, path));
    EXPECT_EQ(error_of(second.error()).first, EADDRINUSE);
    EXPECT_TRUE(fs::is_socket(path));
    ::close(listener);
}

NETWORK_TEST(UnixServer, does_not_take_the_path_of_datagrams_or_files) {
    const ScratchDirectory directory;
    const int datagrams = bound_by_another(directory / "datagrams", false, SOCK_DGRAM);
    std::ofstream(directory / "file") << "precious";
    fs::create_directory(directory / "directory");
    for (const char* name : {"datagrams", "file", "directory"}) {
        const std::string path = directory / name;
        const Result<Server> server = co_await as_result(start_unix_server(ignore, path));
        EXPECT_EQ(error_of(server.error()),
                  (std::pair{EADDRINUSE, "Address '" + path + "' is already in use"}));
        EXPECT_TRUE(fs::exists(path));
    }
    EXPECT_EQ(fs::file_size(directory / "file"), 8U);
    ::close(datagrams);
}

NETWORK_TEST(UnixServer, gives_its_file_the_mode_that_was_asked_for) {
    const ScratchDirectory directory;
    const std::string path = directory / "socket";
    const mode_t before = ::umask(0077);
    Server shared = co_await start_unix_server(ignore, path, {.mode = 0666});
    EXPECT_EQ(mode_of(path), 0666);
    shared.close();
    Server own = co_await start_unix_server(ignore, path, {.mode = 0});
    EXPECT_EQ(mode_of(path), 0);
    own.close();
    Server by_umask = co_await start_unix_server(ignore, path);
    EXPECT_EQ(mode_of(path), 0700);
    by_umask.close();
    ::umask(before);

    for (const int mode : {01000, -1}) {
        const Result<Server> wrong =
            co_await as_result(start_unix_server(ignore, path, {.mode = mode}));
        EXPECT_EQ(error_of(wrong.error()).second, "mode must be 0 to 0777");
        EXPECT_FALSE(fs::exists(path));
    }
}

NETWORK_TEST(UnixServer, leaves_nothing_when_it_cannot_be_started) {
    const ScratchDirectory directory;
    const std::size_t before = open_descriptors();
    {
        const Result<Server> nowhere =
            co_await as_result(start_unix_server(ignore, directory / "no/such"));
        EXPECT_EQ(error_of(nowhere.error()).first, ENOENT);
        const Result<Server> zero =
            co_await as_result(start_unix_server(ignore, std::string("a\0b", 3)));
        EXPECT_EQ(error_of(zero.error()).second, "embedded null byte");
        Server first = co_await start_unix_server(ignore, abstract_name("taken"));
        const Result<Server> second =
            co_await as_result(start_unix_server(ignore, abstract_name("taken")));
        EXPECT_EQ(error_of(second.error()).first, EADDRINUSE);
        first.close();
    }
    EXPECT_EQ(open_descriptors(), before);
}

NETWORK_TEST(UnixServer, leaves_nothing_when_its_start_is_cancelled) {
    const ScratchDirectory directory;
    const std::string path = directory / "socket";
    const std::size_t before = open_descriptors();
    for (int turns = 0; turns < 3; ++turns) {
        auto task = create_task(start_unix_server(ignore, path));
        for (int i = 0; i < turns; ++i) {
            co_await sleep(0);
        }
        task.cancel();
        const Result<Server> server = co_await as_result(task);
        if (server.has_value()) {
            server.value().close();
        }
        EXPECT_FALSE(fs::exists(path));
    }
    EXPECT_EQ(open_descriptors(), before);
}

NETWORK_TEST(UnixServer, may_be_begun_later) {
    const ScratchDirectory directory;
    const std::string path = directory / "socket";
    Server server = co_await start_unix_server(echo, path, {.start_serving = false});
    EXPECT_FALSE(server.is_serving());
    const Result<StreamPair> early = co_await as_result(open_unix_connection(path));
    EXPECT_EQ(error_of(early.error()).first, ECONNREFUSED);
    co_await server.start_serving();
    EXPECT_EQ(co_await ask(path, "now\n"), "now\n");
    co_await close(server);
}
