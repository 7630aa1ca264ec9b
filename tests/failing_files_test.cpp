// failing_files_test.cpp - each system call, and each operation, of what programs do with files,
// datagrams and raw sockets fails, in turn.
//
// SPDX-License-Identifier: MIT
#include "support/each_operation.hpp"
#include "support/each_system_call.hpp"
#include "support/file_proactor.hpp"

#include <asyncio/datagrams.hpp>
#include <asyncio/descriptors.hpp>
#include <asyncio/files.hpp>
#include <asyncio/sockets.hpp>
#include <asyncio/timeouts.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace asyncio {

namespace {

using testing::expect_survives_each_operation;
using testing::expect_survives_each_system_call;
using testing::FriendlySystem;

void check(bool holds) {
    if (!holds) {
        throw InvalidStateError("the result is wrong");
    }
}

/// For all runs: what one of them leaves in it the next one finds.
const std::string& directory() {
    static const testing::TemporaryDirectory made;
    return made.path();
}

std::pair<int, int> connected(int type) {
    const FriendlySystem friendly;
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    return {fds[0], fds[1]};
}

// ------------------------------------------------------------------------------------- files

Coroutine<> use_file() {
    files::File file = co_await files::open(directory() + "/a", "w+");
    co_await file.write("0123456789");
    co_await file.pwrite("ab", 2);
    co_await file.sync();
    co_await file.datasync();
    co_await file.seek(0);
    const std::string all = co_await file.read();
    check(all == "01ab456789");
    const std::string part = co_await file.pread(3, 7);
    check(part == "789");
    co_await file.truncate(5);
    const files::Stat status = co_await file.stat();
    check(status.st_size == 5);
    co_await file.close();
}

Coroutine<> use_whole_files() {
    const std::string path = directory() + "/whole";
    co_await files::write_file(path, "one", {.atomic = true});
    co_await files::write_file(path, "another", {.sync = true});
    const std::string read = co_await files::read_file(path);
    check(read == "another");
    files::File file = co_await files::open(path, "a");
    co_await file.write(" end");
    const std::int64_t end = co_await file.tell();
    check(end == 11);
    co_await file.close();
    co_await files::rename(path, path + "2");
    co_await files::remove(path + "2");
}

Coroutine<> use_directories() {
    const std::string path = directory() + "/b/c";
    co_await files::makedirs(path, {.exist_ok = true});
    const std::vector<std::string> names = co_await files::listdir(directory() + "/b");
    check(names == std::vector<std::string>{"c"});
    co_await files::rmdir(path);
}

TEST(EachSystemCall, may_fail_in_the_use_of_a_file) {
    expect_survives_each_system_call(&use_file);
}
TEST(EachOperation, may_fail_in_the_use_of_a_file) {
    expect_survives_each_operation(&use_file, true);
}
TEST(EachSystemCall, may_fail_in_the_use_of_whole_files) {
    expect_survives_each_system_call(&use_whole_files);
}
TEST(EachOperation, may_fail_in_the_use_of_whole_files) {
    expect_survives_each_operation(&use_whole_files, true);
}
TEST(EachSystemCall, may_fail_in_the_use_of_directories) {
    expect_survives_each_system_call(&use_directories);
}
TEST(EachOperation, may_fail_in_the_use_of_directories) {
    expect_survives_each_operation(&use_directories, true);
}

// --------------------------------------------------------------------------------- datagrams

/// Answers what it gets, or gives it to whoever waits.
struct Peer : DatagramProtocol {
    using DatagramProtocol::connection_made;
    void connection_made(DatagramTransport& made) override { transport = &made; }
    void datagram_received(std::string_view data, const Address& from) override {
        if (answers) {
            transport->sendto(data, from);
        } else if (!answer.done()) {
            answer.set_result(std::string(data));
        }
    }
    void error_received(std::exception_ptr error) override { fail(std::move(error)); }
    void connection_lost(std::exception_ptr error) override {
        if (error != nullptr) {
            fail(std::move(error));
        }
    }
    void fail(std::exception_ptr error) {
        Future<std::string>& told = other != nullptr ? other->answer : answer;
        if (!told.done()) {
            told.set_exception(std::move(error));
        }
    }

    DatagramTransport* transport = nullptr;
    bool answers = false;
    Peer* other = nullptr;
    Future<std::string> answer = get_running_loop().create_future<std::string>();
};

/// What is open is closed however it ends.
struct Closing {
    ~Closing() { transport.close(); }
    DatagramTransport& transport;
};

Coroutine<> use_datagrams() {
    auto server = co_await create_datagram_endpoint(
        [] { return std::make_unique<Peer>(); }, {.local_addr = DatagramAddress("127.0.0.1", 0)});
    const Closing close_server{server.transport};
    const Address to = server.transport.socket().getsockname();
    auto client = co_await create_datagram_endpoint([] { return std::make_unique<Peer>(); },
                                                    {.remote_addr = to});
    const Closing close_client{client.transport};
    server.protocol->answers = true;
    server.protocol->other = client.protocol.get();
    client.transport.sendto("there and back");
    const std::string answer = co_await wait_for(client.protocol->answer, 100);
    check(answer == "there and back");
}

TEST(EachSystemCall, may_fail_between_datagram_endpoints) {
    expect_survives_each_system_call(&use_datagrams);
}
TEST(EachOperation, may_fail_between_datagram_endpoints) {
    expect_survives_each_operation(&use_datagrams);
}

// -------------------------------------------------------------------------------- raw sockets

/// Two connected ones. Whoever fails to make a Socket of a descriptor keeps it.
struct Sockets {
    explicit Sockets(int type) : Sockets(connected(type)) {}
    explicit Sockets(std::pair<int, int> fds) {
        FileDescriptor first(fds.first);
        FileDescriptor second(fds.second);
        one = Socket(first.fileno());
        static_cast<void>(first.detach());
        other = Socket(second.fileno());
        static_cast<void>(second.detach());
    }
    Socket one;
    Socket other;
};

Coroutine<> use_messages() {
    const Sockets sockets(SOCK_DGRAM);
    const Address nobody;
    co_await wait_for(sock_sendto(sockets.one, "datagram", nobody), 100);
    const ReceivedFrom received = co_await wait_for(sock_recvfrom(sockets.other, 100), 100);
    check(received.data == "datagram");
}

Coroutine<> pass_descriptors() {
    const Sockets sockets(SOCK_STREAM);
    const std::array<int, 1> passed{sockets.one.fileno()};
    const std::size_t sent = co_await wait_for(send_fds(sockets.one, "x", passed), 100);
    check(sent == 1);
    const ReceivedFds received = co_await wait_for(recv_fds(sockets.other, 10, 3), 100);
    check(received.data == "x" && received.fds.size() == 1);
}

Coroutine<> send_a_file() {
    Sockets sockets(SOCK_STREAM);
    const std::string path = directory() + "/sent";
    co_await files::write_file(path, "0123456789");
    files::File file = co_await files::open(path);
    const std::int64_t sent =
        co_await wait_for(sock_sendfile(sockets.one, file.fileno(), {.offset = 2}), 100);
    check(sent == 8);
    const std::string received = co_await wait_for(sock_recv(sockets.other, 100), 100);
    check(received == "23456789");
    co_await file.close();
}

TEST(EachSystemCall, may_fail_where_messages_are_sent) {
    expect_survives_each_system_call(&use_messages);
}
TEST(EachOperation, may_fail_where_messages_are_sent) {
    expect_survives_each_operation(&use_messages);
}
TEST(EachSystemCall, may_fail_where_descriptors_are_passed) {
    expect_survives_each_system_call(&pass_descriptors);
}
TEST(EachOperation, may_fail_where_descriptors_are_passed) {
    expect_survives_each_operation(&pass_descriptors);
}
TEST(EachSystemCall, may_fail_where_a_file_is_sent) {
    expect_survives_each_system_call(&send_a_file);
}
TEST(EachOperation, may_fail_where_a_file_is_sent) {
    expect_survives_each_operation(&send_a_file);
}

}  // namespace

}  // namespace asyncio
