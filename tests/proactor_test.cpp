// proactor_test.cpp - the contract of Proactor, against each one there is; and what is particular
// to epoll, to the choice between proactors, and to the virtual clock.
//
// The proactors are driven by hand here, as the loop does it: attempt, else pending; poll; run what
// is ready. Time is real, so no test expects that something is quick.
//
// SPDX-License-Identifier: MIT
#include <asyncio/lowlevel/proactor.hpp>
#include <asyncio/testing/virtual_clock.hpp>

#include "support/proactor_driver.hpp"
#include "support/proactors.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace support;
using asyncio::lowlevel::Buffer;
using asyncio::lowlevel::make_proactor;
using asyncio::lowlevel::make_system_proactor;
using asyncio::lowlevel::Message;
using asyncio::testing::VirtualClock;

namespace {

struct Maker {
    const char* name;
    std::unique_ptr<Proactor> (*make)();
};

std::unique_ptr<Proactor> make_epoll() {
    return make_system_proactor("epoll");
}
std::unique_ptr<Proactor> make_epoll_with_virtual_clock() {
    return std::make_unique<VirtualClock>(make_epoll());
}
std::unique_ptr<Proactor> make_io_uring() {
    return make_system_proactor("io_uring");
}
std::unique_ptr<Proactor> make_io_uring_with_virtual_clock() {
    return std::make_unique<VirtualClock>(make_io_uring());
}

// Those that this system has, each by itself and under a clock of ours.
std::vector<Maker> makers() {
    std::vector<Maker> all = {{"epoll", &make_epoll},
                              {"epoll_with_virtual_clock", &make_epoll_with_virtual_clock}};
    if (asyncio::testing::has_io_uring()) {
        all.push_back({"io_uring", &make_io_uring});
        all.push_back({"io_uring_with_virtual_clock", &make_io_uring_with_virtual_clock});
    }
    return all;
}

class ProactorContract : public testing::TestWithParam<Maker>, protected Driver {
protected:
    ProactorContract() : Driver(GetParam().make()) {}
};

INSTANTIATE_TEST_SUITE_P(All, ProactorContract, testing::ValuesIn(makers()),
                         [](const auto& information) { return information.param.name; });

}  // namespace

// ------------------------------------------------------------------------------------- completion

TEST_P(ProactorContract, completes_a_receive_when_data_arrives) {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));

    put(pair.theirs, "hello");

    EXPECT_TRUE(finished(probe));
    EXPECT_EQ(probe.text(), "hello");
}

TEST_P(ProactorContract, completes_a_receive_of_what_is_there_already) {
    Pair pair = tcp_pair();
    put(pair.theirs, "hello");

    Probe& probe = begin(make_receiver(pair.ours));

    EXPECT_TRUE(finished(probe));
    EXPECT_EQ(probe.text(), "hello");
}

TEST_P(ProactorContract, completes_exactly_once) {
    Pair pair = unix_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));
    put(pair.theirs, "a");
    EXPECT_TRUE(finished(probe));

    put(pair.theirs, "b");
    pair.theirs.reset();
    settle();

    EXPECT_EQ(probe.runs, 1);
    EXPECT_EQ(probe.text(), "a");
}

TEST_P(ProactorContract, starts_an_operation_again_that_has_completed) {
    Pair pair = tcp_pair();
    Probe& probe = make_receiver(pair.ours);
    std::string all;
    probe.then = [&] {
        all += probe.text();
        begin(probe);
    };
    wait_with(probe);

    for (const char* text : {"one ", "two ", "three"}) {
        const int before = probe.runs;
        put(pair.theirs, text);
        EXPECT_TRUE(until([&] { return probe.runs > before; }));
    }

    EXPECT_EQ(all, "one two three");
}

TEST_P(ProactorContract, marks_what_is_inside_and_what_is_complete) {
    Pair pair = tcp_pair();
    Probe& probe = make_receiver(pair.ours);
    EXPECT_FALSE(probe.started);
    EXPECT_FALSE(probe.completed);

    wait_with(probe);
    EXPECT_TRUE(probe.started);

    put(pair.theirs, "x");
    EXPECT_TRUE(finished(probe));
    EXPECT_FALSE(probe.started);
    EXPECT_TRUE(probe.completed);
}

TEST_P(ProactorContract, completes_in_the_order_of_the_starts_on_one_descriptor) {
    Pair pair = tcp_pair();
    Probe& first = receive(pair.ours, 1);
    Probe& second = receive(pair.ours, 1);
    Probe& third = receive(pair.ours, 1);
    settle();

    put(pair.theirs, "abc");

    EXPECT_TRUE(finished(third));
    EXPECT_EQ(first.text() + second.text() + third.text(), "abc");
}

TEST_P(ProactorContract, lets_no_later_operation_overtake_a_waiting_one) {
    Pair pair = tcp_pair();
    Probe& first = wait_with(make_receiver(pair.ours, 1));
    put(pair.theirs, "ab");

    Probe& second = begin(make_receiver(pair.ours, 1));

    EXPECT_TRUE(finished(second));
    EXPECT_EQ(first.text() + second.text(), "ab");
}

TEST_P(ProactorContract, waits_for_both_directions_of_one_descriptor) {
    Pair pair = unix_pair();
    fill(pair.ours);
    Probe& receiver = wait_with(make_receiver(pair.ours));
    Probe& sender = wait_with(make_sender(pair.ours, "out"));

    put(pair.theirs, "in");
    EXPECT_TRUE(finished(receiver));
    EXPECT_EQ(sender.runs, 0);
    while (!take(pair.theirs).empty()) {}

    EXPECT_TRUE(finished(sender));
    EXPECT_EQ(receiver.text(), "in");
    EXPECT_EQ(sender.result, 3);
    EXPECT_EQ(take(pair.theirs), "out");
}

TEST_P(ProactorContract, completes_a_receive_of_nothing_at_once) {
    Pair pair = tcp_pair();
    Probe& probe = start(make_receiver(pair.ours, 0));
    put(pair.theirs, "x");

    EXPECT_TRUE(finished(probe));
    EXPECT_EQ(probe.result, 0);
}

// ------------------------------------------------------------------------------ ends of
// connections

TEST_P(ProactorContract, reports_the_end_again_and_again) {
    Pair pair = tcp_pair();
    Probe& waiting = wait_with(make_receiver(pair.ours));

    pair.theirs.reset();

    EXPECT_TRUE(finished(waiting));
    EXPECT_EQ(waiting.result, 0);
    for (int i = 0; i < 3; ++i) {
        Probe& later = begin(make_receiver(pair.ours));
        EXPECT_TRUE(finished(later));
        EXPECT_EQ(later.result, 0);
    }
}

TEST_P(ProactorContract, delivers_all_data_before_the_end) {
    for (const bool over_tcp : {true, false}) {
        for (const std::size_t size : {1U, 3U, 7U, 64U}) {
            Pair pair = over_tcp ? tcp_pair() : unix_pair();
            std::string all;
            Probe& probe = make_receiver(pair.ours, size);
            probe.then = [&] {
                all += probe.text();
                if (probe.result > 0) {
                    start(probe);
                }
            };
            wait_with(probe);

            put(pair.theirs, "hang up with data pending");
            pair.theirs.reset();

            EXPECT_TRUE(until([&] { return probe.runs > 0 && probe.result == 0; }));
            EXPECT_EQ(all, "hang up with data pending");
            EXPECT_EQ(close(pair.ours), 0);
        }
    }
}

// The data is read with a short count before the end is there; then the end has to be noticed.
TEST_P(ProactorContract, notices_the_end_that_comes_after_a_short_read) {
    Pair pair = tcp_pair();
    Probe& data = wait_with(make_receiver(pair.ours));
    put(pair.theirs, "data");
    EXPECT_TRUE(finished(data));

    EXPECT_EQ(::shutdown(pair.theirs, SHUT_WR), 0);
    Probe& end = begin(make_receiver(pair.ours));

    EXPECT_TRUE(finished(end));
    EXPECT_EQ(data.text(), "data");
    EXPECT_EQ(end.result, 0);
}

// As above, but data and end are reported in one event.
TEST_P(ProactorContract, notices_the_end_that_comes_with_the_data) {
    Pair pair = tcp_pair();
    Probe& data = wait_with(make_receiver(pair.ours));
    put(pair.theirs, "data");
    EXPECT_EQ(::shutdown(pair.theirs, SHUT_WR), 0);
    EXPECT_TRUE(finished(data));

    Probe& end = begin(make_receiver(pair.ours));

    EXPECT_TRUE(finished(end));
    EXPECT_EQ(data.text(), "data");
    EXPECT_EQ(end.result, 0);
}

TEST_P(ProactorContract, goes_on_in_one_direction_when_the_other_has_ended) {
    Pair pair = tcp_pair();
    EXPECT_EQ(call(Opcode::shutdown, pair.ours, SHUT_WR), 0);
    EXPECT_EQ(take(pair.theirs), "");

    Probe& receiver = wait_with(make_receiver(pair.ours));
    put(pair.theirs, "still here");

    EXPECT_TRUE(finished(receiver));
    EXPECT_EQ(receiver.text(), "still here");
}

TEST_P(ProactorContract, sends_to_a_peer_that_has_half_closed) {
    Pair pair = tcp_pair();
    Probe& end = wait_with(make_receiver(pair.ours));
    EXPECT_EQ(::shutdown(pair.theirs, SHUT_WR), 0);
    EXPECT_TRUE(finished(end));

    Probe& sender = begin(make_sender(pair.ours, "answer"));

    EXPECT_TRUE(finished(sender));
    EXPECT_EQ(sender.result, 6);
    EXPECT_EQ(take(pair.theirs), "answer");
}

TEST_P(ProactorContract, reports_a_reset_to_the_one_that_waits) {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));

    close_hard(pair.theirs);

    EXPECT_TRUE(finished(probe));
    EXPECT_EQ(probe.result, -ECONNRESET);
}

TEST_P(ProactorContract, reports_a_reset_to_a_sender_that_waits) {
    Pair pair = tcp_pair();
    fill(pair.ours);
    Probe& probe = wait_with(make_sender(pair.ours, "more"));

    close_hard(pair.theirs);

    EXPECT_TRUE(finished(probe));
    EXPECT_EQ(probe.result, -ECONNRESET);
}

TEST_P(ProactorContract, sends_to_a_closed_peer_without_a_signal) {
    Pair pair = unix_pair();
    Pipe pipe = make_pipe();
    pair.theirs.reset();
    pipe.read_end.reset();
    Buffer buffer{const_cast<char*>("x"), 1};
    Probe& gathered = make(Opcode::send_vector, pair.ours);
    gathered.data = &buffer;
    gathered.size = 1;

    Probe& sender = begin(make_sender(pair.ours, "x"));
    begin(gathered);
    Probe& writer = begin(make_sender(pipe.write_end, "x", Opcode::write));

    EXPECT_TRUE(finished(sender));
    EXPECT_TRUE(finished(gathered));
    EXPECT_TRUE(finished(writer));
    EXPECT_EQ(sender.result, -EPIPE);
    EXPECT_EQ(gathered.result, -EPIPE);
    EXPECT_EQ(writer.result, -EPIPE);
}

TEST_P(ProactorContract, leaves_the_signal_mask_alone_when_a_pipe_breaks) {
    Pipe pipe = make_pipe();
    pipe.read_end.reset();

    EXPECT_TRUE(finished(begin(make_sender(pipe.write_end, "x", Opcode::write))));

    sigset_t blocked;
    sigset_t waiting;
    EXPECT_EQ(pthread_sigmask(SIG_SETMASK, nullptr, &blocked), 0);
    EXPECT_EQ(sigpending(&waiting), 0);
    EXPECT_EQ(sigismember(&blocked, SIGPIPE), 0);
    EXPECT_EQ(sigismember(&waiting, SIGPIPE), 0);
}

// ----------------------------------------------------------------------------------- amounts of
// data

TEST_P(ProactorContract, sends_more_than_the_kernel_takes_at_once) {
    for (const bool over_tcp : {true, false}) {
        Pair pair = over_tcp ? tcp_pair() : unix_pair();
        std::string sent(8 << 20, '\0');
        for (std::size_t i = 0; i < sent.size(); ++i) {
            sent[i] = static_cast<char>(i * 31 >> 7);
        }
        std::size_t offset = 0;
        int short_counts = 0;
        Probe& sender = make(Opcode::send, pair.ours);
        const auto send_rest = [&] {
            sender.data = sent.data() + offset;
            sender.size = sent.size() - offset;
            start(sender);
        };
        sender.then = [&] {
            EXPECT_GT(sender.result, 0);
            short_counts += static_cast<std::size_t>(sender.result) < sender.size ? 1 : 0;
            offset += static_cast<std::size_t>(std::max<std::int64_t>(sender.result, 0));
            if (offset < sent.size() && sender.result > 0) {
                send_rest();
            }
        };
        std::string received;
        Probe& receiver = make_receiver(pair.theirs, 100'000);
        receiver.then = [&] {
            received += receiver.text();
            if (received.size() < sent.size() && receiver.result > 0) {
                start(receiver);
            }
        };

        send_rest();
        start(receiver);

        EXPECT_TRUE(until([&] { return received.size() == sent.size(); }));
        EXPECT_EQ(received, sent);
        EXPECT_GT(short_counts, 0);
        EXPECT_EQ(close(pair.ours), 0);
        EXPECT_EQ(close(pair.theirs), 0);
    }
}

TEST_P(ProactorContract, receives_what_is_longer_than_the_buffer_in_parts) {
    Pair pair = tcp_pair();
    put(pair.theirs, "abcdefgh");
    std::string all;

    for (int i = 0; i < 3; ++i) {
        Probe& probe = begin(make_receiver(pair.ours, 3));
        EXPECT_TRUE(finished(probe));
        all += probe.text() + "|";
    }

    EXPECT_EQ(all, "abc|def|gh|");
}

TEST_P(ProactorContract, sends_many_buffers_as_one) {
    Pair pair = tcp_pair();
    std::string parts[] = {"one ", "", "two ", "three"};
    std::vector<Buffer> buffers;
    buffers.reserve(std::size(parts));
    for (std::string& part : parts) {
        buffers.push_back({part.data(), part.size()});
    }
    Probe& probe = make(Opcode::send_vector, pair.ours);
    probe.data = buffers.data();
    probe.size = buffers.size();

    begin(probe);

    EXPECT_TRUE(finished(probe));
    EXPECT_EQ(probe.result, 13);
    EXPECT_EQ(take(pair.theirs), "one two three");
}

TEST_P(ProactorContract, sends_as_many_buffers_as_the_kernel_takes) {
    Pair pair = unix_pair();
    std::string letters(3000, 'x');
    std::vector<Buffer> buffers;
    buffers.reserve(letters.size());
    for (char& letter : letters) {
        buffers.push_back({&letter, 1});
    }
    std::size_t sent = 0;

    for (int i = 0; i < 10 && sent < letters.size(); ++i) {
        Probe& probe = make(Opcode::send_vector, pair.ours);
        probe.data = buffers.data() + sent;
        probe.size = buffers.size() - sent;
        EXPECT_TRUE(finished(begin(probe)));
        EXPECT_GT(probe.result, 0);
        sent += static_cast<std::size_t>(std::max<std::int64_t>(probe.result, 0));
    }

    EXPECT_EQ(take(pair.theirs), letters);
}

TEST_P(ProactorContract, fills_up_with_buffers_and_goes_on) {
    Pair pair = tcp_pair();
    std::string block(1 << 20, 'x');
    std::vector<Buffer> buffers(8, Buffer{block.data(), block.size()});
    Probe& first = make(Opcode::send_vector, pair.ours);
    first.data = buffers.data();
    first.size = buffers.size();
    EXPECT_TRUE(finished(begin(first)));
    EXPECT_LT(first.result, 8 << 20);

    Probe& second = start(make_sender(pair.ours, "end"));
    EXPECT_TRUE(until([&] {
        while (!take(pair.theirs).empty()) {}
        return second.runs > 0;
    }));

    EXPECT_EQ(second.result, 3);
}

// A short count of a datagram does not mean that there is no other one.
TEST_P(ProactorContract, receives_every_datagram) {
    Fd ours = bound_socket(SOCK_DGRAM);
    Fd theirs = bound_socket(SOCK_DGRAM);
    const SocketAddress destination = name_of(ours);
    std::string all;
    Probe& receiver = make_receiver(ours, 64, Opcode::recv_from);
    receiver.address = &receiver.own_address;
    receiver.then = [&] {
        all += receiver.text() + "|";
        EXPECT_EQ(port_of(receiver.own_address), port_of(name_of(theirs)));
        start(receiver);
    };
    wait_with(receiver);

    for (const char* text : {"one", "", "three", "four"}) {
        Probe& sender = make_sender(theirs, text, Opcode::send_to);
        sender.own_address = destination;
        sender.address = &sender.own_address;
        EXPECT_TRUE(finished(begin(sender)));
    }

    EXPECT_TRUE(until([&] { return receiver.runs == 4; }));
    EXPECT_EQ(all, "one||three|four|");
}

// The sender's address and whether there was more come with each message.
TEST_P(ProactorContract, receives_messages_with_what_belongs_to_them) {
    Fd ours = bound_socket(SOCK_DGRAM);
    Fd theirs = bound_socket(SOCK_DGRAM);
    SocketAddress destination = name_of(ours);
    SocketAddress source;
    char text[4];
    Buffer part{text, sizeof text};
    Message in;
    in.buffers = &part;
    in.buffer_count = 1;
    std::string all;
    Probe& receiver = make(Opcode::recv_message, ours);
    receiver.data = &in;
    receiver.argument = MSG_TRUNC;  // the whole length is the result
    const auto prepare = [&] {
        in.address = source.storage;
        in.address_size = sizeof source.storage;
        in.flags = 0;
    };
    receiver.then = [&] {
        all += std::to_string(receiver.result) + ((in.flags & MSG_TRUNC) != 0 ? "+" : "|");
        EXPECT_EQ(in.address_size, destination.size);
        EXPECT_EQ(port_of(source), port_of(name_of(theirs)));
        prepare();
        begin(receiver);
    };
    prepare();
    wait_with(receiver);

    for (const char* sent : {"one", "", "seventeen", "four"}) {
        Buffer out_part{const_cast<char*>(sent), std::strlen(sent)};
        Message out;
        out.address = destination.storage;
        out.address_size = destination.size;
        out.buffers = &out_part;
        out.buffer_count = 1;
        Probe& sender = make(Opcode::send_message, theirs);
        sender.data = &out;
        EXPECT_TRUE(finished(begin(sender)));
        EXPECT_EQ(sender.result, static_cast<std::int64_t>(out_part.size));
    }

    EXPECT_TRUE(until([&] { return all == "3|0|9+4|"; })) << all;
    receiver.then = nullptr;
}

TEST_P(ProactorContract, passes_descriptors_with_messages_which_are_closed_in_new_programs) {
    Pair pair = unix_pair();
    Pipe pipe = make_pipe();
    const int passed = pipe.write_end;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof passed)] = {};
    Buffer part{const_cast<char*>("x"), 1};
    Message out;
    out.buffers = &part;
    out.buffer_count = 1;
    out.control = control;
    out.control_size = sizeof control;
    auto* header = reinterpret_cast<cmsghdr*>(control);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof passed);
    std::memcpy(CMSG_DATA(header), &passed, sizeof passed);
    char text[8];
    alignas(cmsghdr) char received_control[CMSG_SPACE(sizeof passed)] = {};
    Buffer in_part{text, sizeof text};
    Message in;
    in.buffers = &in_part;
    in.buffer_count = 1;
    in.control = received_control;
    in.control_size = sizeof received_control;
    Probe& receiver = make(Opcode::recv_message, pair.theirs);
    receiver.data = &in;
    wait_with(receiver);

    Probe& sender = make(Opcode::send_message, pair.ours);
    sender.data = &out;
    EXPECT_TRUE(finished(begin(sender)));
    EXPECT_TRUE(until([&] { return receiver.runs == 1; }));

    EXPECT_EQ(receiver.result, 1);
    EXPECT_EQ(in.control_size, sizeof received_control);
    int received = -1;
    std::memcpy(&received, CMSG_DATA(reinterpret_cast<cmsghdr*>(received_control)),
                sizeof received);
    Fd owned{received};
    EXPECT_NE(::fcntl(owned, F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(::write(owned, "hi", 2), 2);
    EXPECT_EQ(::read(pipe.read_end, text, sizeof text), 2);
}

TEST_P(ProactorContract, calls_messages_without_waiting) {
    Pair pair = unix_pair(SOCK_DGRAM);
    char text[8];
    Buffer part{text, sizeof text};
    Message in;
    in.buffers = &part;
    in.buffer_count = 1;
    Probe& receiver = make(Opcode::recv_message, pair.ours);
    receiver.data = &in;
    EXPECT_EQ(proactor().call(receiver), -EAGAIN);
    put(pair.theirs, "seven77");
    EXPECT_EQ(proactor().call(receiver), 7);

    Buffer out_part{text, 7};
    Message out;
    out.buffers = &out_part;
    out.buffer_count = 1;
    Probe& sender = make(Opcode::send_message, pair.ours);
    sender.data = &out;
    std::int64_t result = 0;
    while ((result = proactor().call(sender)) > 0) {}
    EXPECT_EQ(result, -EAGAIN);
    EXPECT_EQ(take(pair.theirs), "seven77");
}

TEST_P(ProactorContract, receives_every_datagram_of_a_connected_socket) {
    for (const int type : {SOCK_DGRAM, SOCK_SEQPACKET}) {
        Pair pair = unix_pair(type);
        std::string all;
        Probe& receiver = make_receiver(pair.ours);
        receiver.then = [&] {
            all += receiver.text() + "|";
            begin(receiver);
        };
        wait_with(receiver);

        put(pair.theirs, "one");
        put(pair.theirs, "two");
        put(pair.theirs, "three");

        EXPECT_TRUE(until([&] { return all == "one|two|three|"; })) << all;
        receiver.then = nullptr;
        EXPECT_EQ(close(pair.ours), 0);
    }
}

// The kernel does not join what carries descriptors with what comes after it.
TEST_P(ProactorContract, receives_what_lies_behind_a_descriptor_in_a_unix_stream) {
    Pair pair = unix_pair();
    Probe& first = wait_with(make_receiver(pair.ours));
    int passed = pair.ours;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof passed)] = {};
    iovec part{const_cast<char*>("one"), 3};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof passed);
    std::memcpy(CMSG_DATA(header), &passed, sizeof passed);

    EXPECT_EQ(::sendmsg(pair.theirs, &message, 0), 3);
    put(pair.theirs, "two");
    EXPECT_TRUE(finished(first));
    Probe& second = begin(make_receiver(pair.ours));

    EXPECT_TRUE(finished(second));
    EXPECT_EQ(first.text() + second.text(), "onetwo");
}

TEST_P(ProactorContract, receives_what_lies_behind_urgent_data) {
    Pair pair = tcp_pair();
    Probe& first = wait_with(make_receiver(pair.ours));

    put(pair.theirs, "before");
    EXPECT_EQ(::send(pair.theirs, "!", 1, MSG_OOB), 1);
    put(pair.theirs, "behind");
    EXPECT_TRUE(finished(first));
    Probe& second = begin(make_receiver(pair.ours));

    EXPECT_TRUE(finished(second));
    EXPECT_EQ(first.text() + second.text(), "beforebehind");
}

TEST_P(ProactorContract, reads_every_line_of_a_terminal) {
    Fd controller(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    char name[128] = {};
    EXPECT_EQ(::grantpt(controller), 0);
    EXPECT_EQ(::unlockpt(controller), 0);
    EXPECT_EQ(::ptsname_r(controller, name, sizeof name), 0);
    Fd terminal(::open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    std::string all;
    Probe& reader = make_receiver(terminal, 64, Opcode::read);
    reader.then = [&] {
        all += reader.text() + "|";
        begin(reader);
    };
    wait_with(reader);

    put(controller, "one\ntwo\nthree\n");

    EXPECT_TRUE(until([&] { return all == "one\n|two\n|three\n|"; })) << all;
}

TEST_P(ProactorContract, reads_and_writes_pipes) {
    Pipe pipe = make_pipe();
    const std::size_t filled = fill(pipe.write_end);
    Probe& writer = wait_with(make_sender(pipe.write_end, "last", Opcode::write));
    std::string all;
    Probe& reader = make_receiver(pipe.read_end, 10'000, Opcode::read);
    reader.then = [&] {
        all += reader.text();
        if (all.size() < filled + 4) {
            begin(reader);
        }
    };

    start(reader);

    EXPECT_TRUE(until([&] { return all.size() == filled + 4; }));
    EXPECT_EQ(writer.result, 4);
    EXPECT_EQ(all.substr(filled), "last");
}

// ------------------------------------------------------------------------------ accept and connect

TEST_P(ProactorContract, accepts_every_connection_of_one_event) {
    Fd listener = listening_socket();
    std::vector<Fd> accepted;
    std::set<std::uint16_t> peers;
    SocketAddress peer;
    Probe& acceptor = make(Opcode::accept, listener);
    acceptor.address = &peer;
    acceptor.then = [&] {
        accepted.emplace_back(acceptor.result);
        peers.insert(port_of(peer));
        start(acceptor);
    };
    wait_with(acceptor);

    std::vector<Fd> clients;
    clients.reserve(5);
    for (int i = 0; i < 5; ++i) {
        clients.emplace_back(connected_to(listener));
    }

    EXPECT_TRUE(until([&] { return accepted.size() == 5; }));
    for (const Fd& fd : accepted) {
        EXPECT_TRUE(close_on_exec(fd));
        EXPECT_TRUE(non_blocking(fd));
    }
    for (const Fd& fd : clients) {
        EXPECT_EQ(peers.count(port_of(name_of(fd))), 1U);
    }
}

TEST_P(ProactorContract, accepts_without_asking_for_the_address) {
    Fd listener = listening_socket();
    Fd client = connected_to(listener);

    Probe& acceptor = begin(make(Opcode::accept, listener));

    EXPECT_TRUE(finished(acceptor));
    Fd accepted(acceptor.result);
    put(client, "hello");
    Probe& receiver = begin(make_receiver(accepted));
    EXPECT_TRUE(finished(receiver));
    EXPECT_EQ(receiver.text(), "hello");
}

TEST_P(ProactorContract, accepts_again_after_it_has_run_out_of_descriptors) {
    Fd listener = listening_socket();
    Fd client = connected_to(listener);
    rlimit limit{};
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    const Fd next(::dup(listener));
    const rlimit used_up{static_cast<rlim_t>(next), limit.rlim_max};  // the numbers below are taken
    std::vector<Fd> holes;
    for (int fd = ::dup(listener); fd >= 0 && fd < next; fd = ::dup(listener)) {
        holes.emplace_back(fd);
    }

    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &used_up), 0);
    Probe& refused = start(make(Opcode::accept, listener));
    EXPECT_TRUE(finished(refused));
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    Probe& accepted = start(make(Opcode::accept, listener));

    EXPECT_TRUE(finished(accepted));
    EXPECT_EQ(refused.result, -EMFILE);
    Fd connection(accepted.result);
}

TEST_P(ProactorContract, survives_a_connection_that_is_reset_before_it_is_accepted) {
    Fd listener = listening_socket();
    Fd client = connected_to(listener);
    close_hard(client);
    Fd good = connected_to(listener);

    Probe& first = begin(make(Opcode::accept, listener));
    EXPECT_TRUE(finished(first));
    Fd reset(first.result);
    Probe& second = begin(make(Opcode::accept, listener));
    EXPECT_TRUE(finished(second));
    Fd connection(second.result);

    Probe& receiver = begin(make_receiver(reset));
    EXPECT_TRUE(finished(receiver));
    EXPECT_EQ(receiver.result, -ECONNRESET);
    put(good, "fine");
    Probe& other = begin(make_receiver(connection));
    EXPECT_TRUE(finished(other));
    EXPECT_EQ(other.text(), "fine");
}

TEST_P(ProactorContract, connects) {
    Fd listener = listening_socket();
    Fd fd(call(Opcode::socket, -1, AF_INET, SOCK_STREAM));

    Probe& connector = begin(make_with_address(Opcode::connect, fd, name_of(listener)));

    EXPECT_TRUE(finished(connector));
    EXPECT_EQ(connector.result, 0);
    Fd peer(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    put(peer, "welcome");
    Probe& receiver = begin(make_receiver(fd));
    EXPECT_TRUE(finished(receiver));
    EXPECT_EQ(receiver.text(), "welcome");
}

TEST_P(ProactorContract, reports_a_refused_connection) {
    Fd bound = bound_socket(SOCK_STREAM);  // and does not listen
    Fd fd(call(Opcode::socket, -1, AF_INET, SOCK_STREAM));

    Probe& refused = begin(make_with_address(Opcode::connect, fd, name_of(bound)));
    EXPECT_TRUE(finished(refused));
    EXPECT_EQ(refused.result, -ECONNREFUSED);
}

TEST_P(ProactorContract, reports_that_there_is_no_such_unix_socket) {
    Fd fd(call(Opcode::socket, -1, AF_UNIX, SOCK_STREAM));
    sockaddr_un un{};
    un.sun_family = AF_UNIX;
    std::strcpy(un.sun_path, "/nonexistent/socket");
    SocketAddress address;
    std::memcpy(address.storage, &un, sizeof un);
    address.size = sizeof un;

    Probe& probe = begin(make_with_address(Opcode::connect, fd, address));

    EXPECT_TRUE(finished(probe));
    EXPECT_EQ(probe.result, -ENOENT);
}

// A listener whose backlog is full answers nothing at all.
TEST_P(ProactorContract, cancels_a_connect_that_is_under_way) {
    Fd listener = listening_socket(0);
    std::vector<Fd> clients;
    Probe* stuck = nullptr;
    for (int i = 0; i < 20 && stuck == nullptr; ++i) {
        clients.emplace_back(call(Opcode::socket, -1, AF_INET, SOCK_STREAM));
        Probe& probe = begin(make_with_address(Opcode::connect, clients.back(), name_of(listener)));
        settle();
        stuck = probe.runs == 0 ? &probe : nullptr;
    }
    EXPECT_NE(stuck, nullptr);
    if (stuck != nullptr) {
        cancel(*stuck);

        EXPECT_TRUE(finished(*stuck));
        EXPECT_EQ(stuck->result, -ECANCELED);
    }
}

// -------------------------------------------------------------------------------------- cancelling

TEST_P(ProactorContract, cancels_what_is_still_pending) {
    Pair pair = tcp_pair();
    put(pair.theirs, "data");
    Probe& probe = start(make_receiver(pair.ours));

    cancel(probe);

    EXPECT_TRUE(finished(probe));
    EXPECT_EQ(probe.result, -ECANCELED);
    settle();
    EXPECT_EQ(probe.runs, 1);
    EXPECT_EQ(take(pair.ours), "data");
}

TEST_P(ProactorContract, cancels_what_waits_and_loses_no_data) {
    Pair pair = tcp_pair();
    Probe& cancelled = wait_with(make_receiver(pair.ours));

    cancel(cancelled);
    put(pair.theirs, "data");

    EXPECT_TRUE(finished(cancelled));
    EXPECT_EQ(cancelled.result, -ECANCELED);
    Probe& next = begin(make_receiver(pair.ours));
    EXPECT_TRUE(finished(next));
    EXPECT_EQ(next.text(), "data");
    EXPECT_EQ(cancelled.runs, 1);
}

TEST_P(ProactorContract, leaves_alone_what_has_completed) {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));
    put(pair.theirs, "data");
    while (nothing_ready()) {
        poll(proactor().now() + 1s);
    }

    cancel(probe);  // its callback has not run yet
    run_ready();
    cancel(probe);  // now it has
    settle();

    EXPECT_EQ(probe.runs, 1);
    EXPECT_EQ(probe.text(), "data");
}

TEST_P(ProactorContract, cancels_twice_as_once) {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));

    cancel(probe);
    cancel(probe);

    EXPECT_TRUE(finished(probe));
    settle();
    EXPECT_EQ(probe.runs, 1);
    EXPECT_EQ(probe.result, -ECANCELED);
}

TEST_P(ProactorContract, cancels_one_of_many_that_wait_in_line) {
    Pair pair = tcp_pair();
    Probe& first = receive(pair.ours, 1);
    Probe& second = receive(pair.ours, 1);
    Probe& third = receive(pair.ours, 1);
    settle();

    cancel(second);
    put(pair.theirs, "ab");

    EXPECT_TRUE(finished(third));
    EXPECT_EQ(first.text() + third.text(), "ab");
    EXPECT_TRUE(finished(second));
    EXPECT_EQ(second.result, -ECANCELED);
}

TEST_P(ProactorContract, starts_again_what_was_cancelled) {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));
    cancel(probe);
    EXPECT_TRUE(finished(probe));

    begin(probe);
    put(pair.theirs, "data");

    EXPECT_TRUE(until([&] { return probe.runs == 2; }));
    EXPECT_EQ(probe.text(), "data");
}

TEST_P(ProactorContract, aborts_everything_at_once) {
    Pair one = tcp_pair();
    Pair other = unix_pair();
    fill(other.ours);
    Probe& receiver = wait_with(make_receiver(one.ours));
    Probe& sender = wait_with(make_sender(other.ours, "x"));
    CallbackList ready;

    proactor().abort_all(ready);
    while (!ready.empty()) {
        ready.pop_front().run();
    }

    EXPECT_EQ(receiver.runs, 1);
    EXPECT_EQ(sender.runs, 1);
    EXPECT_EQ(receiver.result, -ECANCELED);
    EXPECT_EQ(sender.result, -ECANCELED);
}

// --------------------------------------------------------------------------------------- readiness

TEST_P(ProactorContract, reports_readiness_for_as_long_as_there_is_something_to_read) {
    Pair pair = tcp_pair();
    Probe& first = wait_with(make(Opcode::poll_in, pair.ours));
    put(pair.theirs, "data");
    EXPECT_TRUE(finished(first));
    EXPECT_NE(first.result & POLLIN, 0);

    Probe& again = begin(make(Opcode::poll_in, pair.ours));
    EXPECT_TRUE(finished(again));
    EXPECT_EQ(take(pair.ours, 2), "da");
    Probe& rest = begin(make(Opcode::poll_in, pair.ours));
    EXPECT_TRUE(finished(rest));

    EXPECT_EQ(take(pair.ours), "ta");
    Probe& later = begin(make(Opcode::poll_in, pair.ours));
    settle();
    EXPECT_EQ(later.runs, 0);
    put(pair.theirs, "x");
    EXPECT_TRUE(finished(later));
}

TEST_P(ProactorContract, reports_that_something_is_left_after_a_receive) {
    Pair pair = tcp_pair();
    Probe& part = wait_with(make_receiver(pair.ours, 2));
    put(pair.theirs, "data");
    EXPECT_TRUE(finished(part));

    Probe& left = begin(make(Opcode::poll_in, pair.ours));
    EXPECT_TRUE(finished(left));
    EXPECT_TRUE(finished(begin(make_receiver(pair.ours, 2))));
    Probe& none = begin(make(Opcode::poll_in, pair.ours));
    settle();

    EXPECT_EQ(none.runs, 0);
}

TEST_P(ProactorContract, reports_when_there_is_room_to_write) {
    Pair pair = unix_pair();
    Probe& room = begin(make(Opcode::poll_out, pair.ours));
    EXPECT_TRUE(finished(room));
    EXPECT_NE(room.result & POLLOUT, 0);
    fill(pair.ours);

    Probe& full = begin(make(Opcode::poll_out, pair.ours));
    settle();
    EXPECT_EQ(full.runs, 0);
    while (!take(pair.theirs).empty()) {}

    EXPECT_TRUE(finished(full));
    EXPECT_NE(full.result & POLLOUT, 0);
}

TEST_P(ProactorContract, watches_readiness_from_within_its_callback) {
    Pair pair = tcp_pair();
    std::string all;
    Probe& writable = make(Opcode::poll_out, pair.ours);
    Probe& readable = make(Opcode::poll_in, pair.ours);
    readable.then = [&] {
        all += take(pair.ours);
        if (all.size() < 3) {
            start(readable);
        } else {
            start(writable);
        }
    };
    wait_with(readable);

    for (const char* text : {"a", "b", "c"}) {
        const int before = readable.runs;
        put(pair.theirs, text);
        EXPECT_TRUE(until([&] { return readable.runs > before; }));
    }

    EXPECT_TRUE(finished(writable));
    EXPECT_EQ(all, "abc");
    EXPECT_EQ(readable.runs, 3);
}

TEST_P(ProactorContract, reports_a_hang_up_as_readiness_once) {
    Pipe pipe = make_pipe();
    Probe& broken = wait_with(make(Opcode::poll_in, pipe.read_end));

    pipe.write_end.reset();

    EXPECT_TRUE(finished(broken));
    EXPECT_NE(broken.result & POLLHUP, 0);
    settle();
    EXPECT_EQ(broken.runs, 1);
}

TEST_P(ProactorContract, reports_an_error_to_those_who_wait_for_room) {
    Pipe pipe = make_pipe();
    fill(pipe.write_end);
    Probe& broken = wait_with(make(Opcode::poll_out, pipe.write_end));

    pipe.read_end.reset();

    EXPECT_TRUE(finished(broken));
    EXPECT_NE(broken.result & POLLERR, 0);
}

// What has been reported and concerns nobody any more must not end one wait after another.
TEST_P(ProactorContract, does_not_spin_on_a_descriptor_that_nobody_waits_for) {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make(Opcode::poll_in, pair.ours));
    put(pair.theirs, "unread");
    pair.theirs.reset();
    EXPECT_TRUE(finished(probe));
    settle();

    polls = 0;
    const TimePoint deadline = proactor().now() + 30ms;
    while (proactor().now() < deadline) {
        turn(deadline);
    }

    EXPECT_LE(polls, 20);  // a few end early; one that spins makes thousands
}

// -------------------------------------------------------------------------- files, numbers,
// closing

TEST_P(ProactorContract, reads_and_writes_what_is_always_ready) {
    char name[] = "/tmp/proactor_test_XXXXXX";
    Fd file(::mkostemp(name, O_CLOEXEC));
    EXPECT_EQ(::unlink(name), 0);
    Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));

    Probe& writer = begin(make_sender(file, "contents", Opcode::write));
    EXPECT_TRUE(finished(writer));
    EXPECT_EQ(writer.result, 8);
    EXPECT_EQ(::lseek(file, 0, SEEK_SET), 0);
    Probe& reader = begin(make_receiver(file, 64, Opcode::read));
    EXPECT_TRUE(finished(reader));
    EXPECT_EQ(reader.text(), "contents");
    Probe& end = start(make_receiver(file, 64, Opcode::read));
    EXPECT_TRUE(finished(end));
    EXPECT_EQ(end.result, 0);
    for (const int fd : {static_cast<int>(file), static_cast<int>(null)}) {
        for (const Opcode opcode : {Opcode::poll_in, Opcode::poll_out}) {
            Probe& ready = start(make(opcode, fd));
            EXPECT_TRUE(finished(ready));
            EXPECT_GT(ready.result, 0);
        }
    }
    Probe& nothing = start(make_receiver(null, 64, Opcode::read));
    EXPECT_TRUE(finished(nothing));
    EXPECT_EQ(nothing.result, 0);
    Probe& not_a_socket = start(make_receiver(file));
    EXPECT_TRUE(finished(not_a_socket));
    EXPECT_EQ(not_a_socket.result, -ENOTSOCK);
}

TEST_P(ProactorContract, reports_descriptors_that_are_not_open) {
    Pair pair = tcp_pair();
    const int closed = pair.theirs;
    pair.theirs.reset();
    for (const int fd : {closed, -1, 1 << 30}) {
        for (const Opcode opcode : {Opcode::recv, Opcode::read, Opcode::poll_in, Opcode::poll_out,
                                    Opcode::send, Opcode::accept}) {
            Probe& probe = make_receiver(fd);
            probe.opcode = opcode;
            EXPECT_TRUE(finished(begin(probe)));
            EXPECT_EQ(probe.result, -EBADF) << fd;
        }
        EXPECT_EQ(call(Opcode::close, fd), -EBADF);
        EXPECT_EQ(call(Opcode::listen, fd, 1), -EBADF);
    }
}

TEST_P(ProactorContract, takes_descriptors_with_large_numbers) {
    rlimit limit{};
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlimit raised{limit.rlim_max, limit.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &raised), 0);
    const auto largest = static_cast<int>(std::min<rlim_t>(limit.rlim_max, 100'000)) - 1;
    EXPECT_GT(largest, 1024);
    Pair pair = tcp_pair();
    Fd large(::fcntl(pair.ours, F_DUPFD_CLOEXEC, largest));
    pair.ours.reset();

    Probe& probe = wait_with(make_receiver(large));
    put(pair.theirs, "hello");

    EXPECT_TRUE(finished(probe));
    EXPECT_EQ(probe.text(), "hello");
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
}

TEST_P(ProactorContract, completes_what_waits_when_the_descriptor_is_closed) {
    Pair pair = unix_pair();
    fill(pair.ours);
    Probe& receiver = wait_with(make_receiver(pair.ours));
    Probe& sender = wait_with(make_sender(pair.ours, "x"));

    EXPECT_EQ(close(pair.ours), 0);

    EXPECT_TRUE(finished(receiver));
    EXPECT_TRUE(finished(sender));
    EXPECT_EQ(receiver.result, -ECANCELED);
    EXPECT_EQ(sender.result, -ECANCELED);
    settle();
    EXPECT_EQ(receiver.runs + sender.runs, 2);
}

TEST_P(ProactorContract, means_the_descriptor_that_was_open_at_the_start) {
    Pair old = tcp_pair();
    const int number = old.ours;
    Probe& pending = start(make_receiver(old.ours));

    EXPECT_EQ(close(old.ours), 0);
    Pair next = unix_pair();
    EXPECT_TRUE(next.ours == number || next.theirs == number);
    put(next.ours, "x");
    put(next.theirs, "x");

    EXPECT_TRUE(finished(pending));
    EXPECT_EQ(pending.result, -ECANCELED);
}

TEST_P(ProactorContract, takes_nothing_over_to_the_next_descriptor_of_that_number) {
    for (int i = 0; i < 3; ++i) {
        Pair old = tcp_pair();
        Probe& old_receiver = wait_with(make_receiver(old.ours));
        const int number = old.ours;
        put(old.theirs, "stale");
        EXPECT_EQ(close(old.ours), 0);
        Pair next = unix_pair();
        EXPECT_TRUE(next.ours == number || next.theirs == number);
        const Fd& reused = next.ours == number ? next.ours : next.theirs;
        const Fd& peer = next.ours == number ? next.theirs : next.ours;

        Probe& receiver = wait_with(make_receiver(reused));
        settle();
        EXPECT_EQ(receiver.runs, 0);
        put(peer, "new");

        EXPECT_TRUE(finished(receiver));
        EXPECT_EQ(receiver.text(), "new");
        EXPECT_EQ(old_receiver.runs, 1);
        EXPECT_EQ(call(Opcode::forget, reused), 0);
    }
}

// The registration belongs to the open file, which lives on in a duplicate.
TEST_P(ProactorContract, hears_nothing_of_a_closed_descriptor_that_has_a_duplicate) {
    Pair old = tcp_pair();
    wait_with(make_receiver(old.ours));
    Fd duplicate(::dup(old.ours));
    const int number = old.ours;
    EXPECT_EQ(close(old.ours), 0);
    settle();
    Fd reused(::fcntl(duplicate, F_DUPFD_CLOEXEC, number));
    EXPECT_EQ(reused, number);
    reused.reset();
    Pipe next = make_pipe();
    EXPECT_EQ(next.read_end, number);
    Probe& reader = wait_with(make_receiver(next.read_end, 64, Opcode::read));

    settle();
    put(old.theirs, "ghost");

    pollfd entry{proactor().descriptor(), POLLIN, 0};
    EXPECT_EQ(::poll(&entry, 1, 0), 0);
    settle();
    EXPECT_EQ(reader.runs, 0);
    EXPECT_EQ(take(duplicate), "ghost");
    put(next.write_end, "real");
    EXPECT_TRUE(finished(reader));
    EXPECT_EQ(reader.text(), "real");
}

TEST_P(ProactorContract, watches_a_descriptor_and_its_duplicate_as_two) {
    Pair pair = tcp_pair();
    Fd duplicate(::dup(pair.ours));
    Probe& one = wait_with(make(Opcode::poll_in, pair.ours));
    Probe& other = wait_with(make(Opcode::poll_in, duplicate));

    put(pair.theirs, "x");

    EXPECT_TRUE(finished(one));
    EXPECT_TRUE(finished(other));
}

// The events of one poll are in hand already when the callback of the first of them runs.
TEST_P(ProactorContract, closes_a_descriptor_in_the_callback_of_an_earlier_event) {
    Pair first = tcp_pair();
    Pair second = tcp_pair();
    Pair next;
    Probe* of_next = nullptr;
    Probe& closing = make_receiver(first.ours);
    Probe& closed = make_receiver(second.ours);
    const int number = second.ours;
    closing.then = [&] {
        EXPECT_EQ(close(second.ours), 0);
        next = unix_pair();
        EXPECT_TRUE(next.ours == number || next.theirs == number);
        of_next = &start(make_receiver(number));
    };
    wait_with(closing);
    wait_with(closed);

    put(first.theirs, "one");
    put(second.theirs, "two");

    EXPECT_TRUE(finished(closed));
    settle();
    EXPECT_NE(of_next, nullptr);
    if (of_next != nullptr) {
        EXPECT_EQ(of_next->runs, 0);
        put(next.ours == number ? next.theirs : next.ours, "three");
        EXPECT_TRUE(finished(*of_next));
        EXPECT_EQ(of_next->text(), "three");
    }
    EXPECT_EQ(closed.runs, 1);
}

TEST_P(ProactorContract, forgets_a_descriptor_that_stays_open) {
    Pair pair = tcp_pair();
    Probe& forgotten = wait_with(make_receiver(pair.ours));

    EXPECT_EQ(call(Opcode::forget, pair.ours), 0);
    EXPECT_TRUE(finished(forgotten));
    EXPECT_EQ(forgotten.result, -ECANCELED);

    Probe& known_again = wait_with(make_receiver(pair.ours));
    put(pair.theirs, "data");
    EXPECT_TRUE(finished(known_again));
    EXPECT_EQ(known_again.text(), "data");
}

TEST_P(ProactorContract, forgets_what_it_never_knew) {
    Pair pair = tcp_pair();

    EXPECT_EQ(call(Opcode::forget, pair.ours), 0);
    EXPECT_EQ(call(Opcode::forget, -1), 0);
    EXPECT_EQ(close(pair.ours), 0);
}

// Nobody told the proactor; it can only find out where it makes the new descriptor itself.
TEST_P(ProactorContract, finds_out_that_a_number_was_closed_behind_its_back) {
    Pair pair = tcp_pair();
    const int number = pair.ours;
    Probe& lost = wait_with(make_receiver(pair.ours));
    cancel(lost);
    EXPECT_TRUE(finished(lost));
    pair.ours.reset();
    Fd listener = listening_socket();
    if (listener == number) {
        listener = Fd(::dup(listener));  // leaves the number free
    }
    Fd client = connected_to(listener);
    if (client == number) {
        client = Fd(::dup(client));
    }

    Probe& acceptor = start(make(Opcode::accept, listener));
    EXPECT_TRUE(finished(acceptor));
    Fd accepted(acceptor.result);
    EXPECT_EQ(accepted, number);
    Probe& receiver = wait_with(make_receiver(accepted));
    put(client, "hello");

    EXPECT_TRUE(finished(receiver));
    EXPECT_EQ(receiver.text(), "hello");
}

// As above, and a duplicate lives on, so that the old registration does, too.
TEST_P(ProactorContract, hears_nothing_of_a_number_that_was_closed_behind_its_back) {
    Pair pair = tcp_pair();
    const int number = pair.ours;
    Fd duplicate(::dup(pair.ours));
    Fd listener = listening_socket();
    Fd client = connected_to(listener);
    Probe& lost = wait_with(make(Opcode::poll_in, pair.ours));
    cancel(lost);
    EXPECT_TRUE(finished(lost));
    pair.ours.reset();
    Probe& acceptor = start(make(Opcode::accept, listener));
    EXPECT_TRUE(finished(acceptor));
    Fd accepted(acceptor.result);
    EXPECT_EQ(accepted, number);
    Probe& probe = wait_with(make(Opcode::poll_in, accepted));

    put(pair.theirs, "ghost");
    settle();

    EXPECT_EQ(probe.runs, 0);
    put(client, "real");
    EXPECT_TRUE(finished(probe));
}

TEST_P(ProactorContract, leaves_no_descriptor_open_in_other_programs) {
    const auto open_descriptors = [] {
        std::set<int> fds;
        for (int fd = 0; fd < 1024; ++fd) {
            if (::fcntl(fd, F_GETFD) >= 0) {
                fds.insert(fd);
            }
        }
        return fds;
    };
    const std::set<int> before = open_descriptors();

    {
        Driver other(GetParam().make());
        Fd fd(other.call(Opcode::socket, -1, AF_INET, SOCK_STREAM));
        other.turn();

        std::size_t own = 0;
        for (const int open : open_descriptors()) {
            if (before.count(open) == 0) {
                ++own;
                EXPECT_TRUE(close_on_exec(open)) << open;
            }
        }
        EXPECT_GT(own, 1U);
    }

    EXPECT_EQ(open_descriptors(), before);
}

TEST_P(ProactorContract, is_not_disturbed_by_a_child_that_inherits_it) {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));

    const pid_t child = ::fork();
    if (child == 0) {
        const bool closed = call(Opcode::close, pair.ours) == 0;
        proactor().wake();
        ::_exit(closed ? 0 : 1);
    }
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    put(pair.theirs, "still here");

    EXPECT_TRUE(finished(probe));
    EXPECT_EQ(probe.text(), "still here");
}

TEST_P(ProactorContract, calls_what_needs_no_waiting) {
    SocketAddress address = loopback();
    Fd fd(call(Opcode::socket, -1, AF_INET, SOCK_STREAM));
    EXPECT_TRUE(close_on_exec(fd));
    EXPECT_TRUE(non_blocking(fd));
    EXPECT_EQ(call(Opcode::bind, fd, 0, 0, nullptr, &address), 0);
    EXPECT_EQ(call(Opcode::listen, fd, 5), 0);
    SocketAddress own;
    EXPECT_EQ(call(Opcode::socket_name, fd, 0, 0, nullptr, &own), 0);
    EXPECT_NE(port_of(own), 0);
    EXPECT_EQ(own.size, sizeof(sockaddr_in));
    SocketAddress peer;
    EXPECT_EQ(call(Opcode::peer_name, fd, 0, 0, nullptr, &peer), -ENOTCONN);
    EXPECT_EQ(peer.size, 0U);
    Fd client = connected_to(fd);
    EXPECT_EQ(call(Opcode::peer_name, client, 0, 0, nullptr, &peer), 0);
    EXPECT_EQ(port_of(peer), port_of(own));
    int on = 1;
    EXPECT_EQ(call(Opcode::set_option, client, IPPROTO_TCP, TCP_NODELAY, &on), 0);
    int value = -1;
    EXPECT_EQ(call(Opcode::get_option, client, IPPROTO_TCP, TCP_NODELAY, &value), 0);
    EXPECT_NE(value, 0);
    linger setting{1, 7};
    Operation wide(nullptr, Opcode::set_option, client);
    wide.argument = SOL_SOCKET;
    wide.argument2 = SO_LINGER;
    wide.data = &setting;
    wide.size = sizeof setting;
    EXPECT_EQ(proactor().call(wide), 0);
    setting = {};
    wide.opcode = Opcode::get_option;
    EXPECT_EQ(proactor().call(wide), 0);
    EXPECT_EQ(setting.l_linger, 7);
    EXPECT_EQ(call(Opcode::socket, -1, 9999, SOCK_STREAM), -EAFNOSUPPORT);
}

// Also where no attempt is let through any more, and whatever waits on the descriptor.
TEST_P(ProactorContract, receives_by_a_call_without_waiting) {
    Pair pair = tcp_pair();
    std::string buffer(64, '\0');
    const auto call_recv = [&] {
        Operation operation(nullptr, Opcode::recv, pair.ours);
        operation.data = buffer.data();
        operation.size = buffer.size();
        return proactor().call(operation);
    };
    EXPECT_EQ(call_recv(), -EAGAIN);
    Probe& waiting = wait_with(make(Opcode::poll_in, pair.ours));
    put(pair.theirs, "called");
    Probe& attempted = make_sender(pair.ours, "x");
    while (proactor().attempt(attempted)) {}
    EXPECT_EQ(call_recv(), 6);
    EXPECT_EQ(buffer.substr(0, 6), "called");
    EXPECT_EQ(call_recv(), -EAGAIN);

    put(pair.theirs, "more");
    EXPECT_TRUE(finished(waiting));
    Probe& receiver = receive(pair.ours);
    EXPECT_TRUE(finished(receiver));
    EXPECT_EQ(receiver.text(), "more");
    close_hard(pair.theirs);
    EXPECT_EQ(call_recv(), -ECONNRESET);
    EXPECT_EQ(call_recv(), 0);
}

// ---------------------------------------------------------------------------------------- fairness

TEST_P(ProactorContract, completes_more_than_one_poll_can_report) {
    std::vector<Pair> pairs;
    pairs.reserve(400);
    std::vector<Probe*> probes;
    for (int i = 0; i < 400; ++i) {
        pairs.emplace_back(unix_pair());
        probes.push_back(&receive(pairs.back().ours));
    }
    settle();

    for (const Pair& pair : pairs) {
        put(pair.theirs, "x");
    }

    for (Probe* probe : probes) {
        EXPECT_TRUE(finished(*probe));
    }
}

TEST_P(ProactorContract, shares_the_turns_between_descriptors_that_are_always_ready) {
    Fd zero(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
    Fd other_zero(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
    Pair pair = tcp_pair();
    Probe* greedy[] = {&make_receiver(zero, 64, Opcode::read),
                       &make_receiver(other_zero, 64, Opcode::read)};
    for (Probe* probe : greedy) {
        probe->then = [this, probe] { start(*probe); };
        start(*probe);
    }
    Probe& modest = make_receiver(pair.ours);
    modest.then = [&] { start(modest); };
    start(modest);

    for (int i = 0; i < 50; ++i) {
        const int before = modest.runs;
        put(pair.theirs, "x");
        EXPECT_TRUE(until([&] { return modest.runs > before; }));
    }

    EXPECT_LE(std::abs(greedy[0]->runs - greedy[1]->runs), 1);
    EXPECT_GE(greedy[0]->runs, 50);
}

TEST_P(ProactorContract, ends_a_row_of_attempts_that_never_have_to_wait) {
    Fd zero(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
    Pair pair = tcp_pair();
    Probe& other = wait_with(make_receiver(pair.ours));
    put(pair.theirs, "x");
    Probe& greedy = make_receiver(zero, 1, Opcode::read);

    int in_place = 0;
    while (in_place < 10'000 && proactor().attempt(greedy)) {
        ++in_place;
    }
    start(greedy);

    EXPECT_LT(in_place, 10'000);
    EXPECT_TRUE(finished(other));
    EXPECT_TRUE(finished(greedy));
}

TEST_P(ProactorContract, ends_a_row_of_attempts_on_many_descriptors) {
    std::vector<Pair> pairs;
    pairs.reserve(400);
    for (int i = 0; i < 400; ++i) {
        pairs.emplace_back(unix_pair());
    }

    int in_place = 0;
    for (int i = 0; i < 25; ++i) {
        for (const Pair& pair : pairs) {
            Probe& probe = make_sender(pair.ours, "x");
            in_place += proactor().attempt(probe) ? 1 : 0;
        }
    }

    EXPECT_LT(in_place, 5'000);
}

// The order of what was sent is the order in which it was asked for, whatever is done in place.
TEST_P(ProactorContract, keeps_the_order_when_attempts_are_used_up) {
    Pair pair = tcp_pair();
    std::string expected;
    for (int i = 0; i < 100; ++i) {
        expected += std::to_string(i) + " ";
        begin(make_sender(pair.ours, std::to_string(i) + " "));
    }
    settle();

    std::string received;
    EXPECT_TRUE(until([&] {
        received += take(pair.theirs);
        return received.size() >= expected.size();
    }));
    EXPECT_EQ(received, expected);
}

// ----------------------------------------------------------------------------------- time and
// waking

TEST_P(ProactorContract, waits_until_the_deadline_and_not_in_many_small_waits) {
    for (const auto delay : {300us, 1500us, 20'000us}) {
        const TimePoint deadline = proactor().now() + delay;
        polls = 0;

        while (proactor().now() < deadline) {
            turn(deadline);
        }

        EXPECT_LE(polls, 3);
    }
}

TEST_P(ProactorContract, does_not_wait_for_what_is_past) {
    const TimePoint before = proactor().now();

    turn(TimePoint::min());
    turn(TimePoint(-1h));
    turn(before - 1s);
    turn(before);

    EXPECT_TRUE(nothing_ready());
    EXPECT_GE(proactor().now(), before);
}

TEST_P(ProactorContract, does_not_wait_when_something_has_completed_at_the_start) {
    Fd zero(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
    Probe& probe = start(make_receiver(zero, 1, Opcode::read));

    turn(TimePoint::max());

    EXPECT_EQ(probe.runs, 1);
}

TEST_P(ProactorContract, does_not_wait_when_something_was_completed_by_close) {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));
    EXPECT_EQ(close(pair.ours), 0);

    turn(TimePoint::max());

    EXPECT_EQ(probe.runs, 1);
}

TEST_P(ProactorContract, ends_a_wait_without_a_deadline_when_something_completes) {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));
    std::thread thread([&] {
        std::this_thread::sleep_for(10ms);
        put(pair.theirs, "x");
    });

    while (probe.runs == 0) {
        turn(TimePoint::max());
    }

    thread.join();
    EXPECT_EQ(probe.text(), "x");
}

TEST_P(ProactorContract, ends_the_next_wait_when_woken_before) {
    std::thread([&] { proactor().wake(); }).join();

    turn(TimePoint::max());

    EXPECT_TRUE(nothing_ready());
}

TEST_P(ProactorContract, ends_the_wait_when_woken_by_another_thread) {
    std::atomic<bool> said{false};
    std::thread thread([&] {
        std::this_thread::sleep_for(10ms);
        said = true;
        proactor().wake();
    });

    while (!said) {
        turn(TimePoint::max());
    }

    thread.join();
    EXPECT_TRUE(nothing_ready());
}

TEST_P(ProactorContract, takes_many_wakes_as_one) {
    for (int i = 0; i < 1000; ++i) {
        proactor().wake();
    }
    turn(TimePoint::max());
    polls = 0;

    const TimePoint deadline = proactor().now() + 10ms;
    while (proactor().now() < deadline) {
        turn(deadline);
    }

    EXPECT_LE(polls, 3);
}

TEST_P(ProactorContract, loses_no_wake) {
    constexpr int rounds = 20'000;
    std::atomic<int> said{0};
    std::atomic<int> heard{0};
    std::thread thread([&] {
        for (int i = 1; i <= rounds; ++i) {
            said.store(i);
            proactor().wake();
            while (i % 16 == 0 && heard.load() < i) {  // let it fall asleep now and then
                std::this_thread::yield();
            }
        }
    });

    while (heard.load() < rounds) {
        turn(TimePoint::max());
        heard.store(said.load());
    }

    thread.join();
    EXPECT_EQ(said.load(), rounds);
}

static std::atomic<Proactor*> woken_by_signal{nullptr};

TEST_P(ProactorContract, is_woken_by_a_signal_handler_which_keeps_errno) {
    woken_by_signal = &proactor();
    struct sigaction action{};
    struct sigaction before{};
    action.sa_handler = [](int) { woken_by_signal.load()->wake(); };
    EXPECT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
    errno = ENOTTY;

    ::raise(SIGUSR1);

    EXPECT_EQ(errno, ENOTTY);
    turn(TimePoint::max());
    EXPECT_TRUE(nothing_ready());
    EXPECT_EQ(::sigaction(SIGUSR1, &before, nullptr), 0);
}

TEST_P(ProactorContract, survives_signals_while_it_waits) {
    static volatile std::sig_atomic_t alarms = 0;
    alarms = 0;
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));
    struct sigaction action{};
    struct sigaction before{};
    action.sa_handler = [](int) { alarms = alarms + 1; };
    EXPECT_EQ(::sigaction(SIGALRM, &action, &before), 0);
    itimerval often{};
    often.it_interval.tv_usec = often.it_value.tv_usec = 2000;
    EXPECT_EQ(::setitimer(ITIMER_REAL, &often, nullptr), 0);

    while (alarms < 5) {
        turn(TimePoint::max());
        EXPECT_EQ(probe.runs, 0);
    }
    const itimerval never{};
    EXPECT_EQ(::setitimer(ITIMER_REAL, &never, nullptr), 0);
    put(pair.theirs, "x");

    EXPECT_TRUE(finished(probe));
    EXPECT_EQ(::sigaction(SIGALRM, &before, nullptr), 0);
}

TEST_P(ProactorContract, has_a_descriptor_that_says_when_there_is_something_to_do) {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));
    settle();
    pollfd entry{proactor().descriptor(), POLLIN, 0};
    EXPECT_EQ(::poll(&entry, 1, 0), 0);

    put(pair.theirs, "x");
    EXPECT_EQ(::poll(&entry, 1, 10'000), 1);
    EXPECT_TRUE(finished(probe));
    settle();
    EXPECT_EQ(::poll(&entry, 1, 0), 0);

    proactor().wake();
    EXPECT_EQ(::poll(&entry, 1, 10'000), 1);
    settle();
    EXPECT_EQ(::poll(&entry, 1, 0), 0);

    wait_with(make_receiver(pair.ours));
    EXPECT_EQ(close(pair.ours), 0);
    EXPECT_EQ(::poll(&entry, 1, 10'000), 1);
}

TEST_P(ProactorContract, draws_random_numbers_that_differ) {
    Driver other(GetParam().make());
    std::set<std::uint64_t> drawn;
    std::uint64_t all_ones = ~std::uint64_t{0};
    std::uint64_t any_ones = 0;

    for (int i = 0; i < 1000; ++i) {
        for (Proactor* source : {&proactor(), &other.proactor()}) {
            const std::uint64_t number = source->random();
            drawn.insert(number);
            all_ones &= number;
            any_ones |= number;
        }
    }

    EXPECT_EQ(drawn.size(), 2000U);
    EXPECT_EQ(all_ones, 0U);
    EXPECT_EQ(any_ones, ~std::uint64_t{0});
}

// -------------------------------------------------------------------------------- epoll's
// economies

namespace {

class EpollProactor : public testing::Test, protected Driver {
protected:
    EpollProactor() : Driver(make_epoll()) {}
};

}  // namespace

TEST_F(EpollProactor, is_called_so) {
    EXPECT_EQ(proactor().name(), "epoll");
}

TEST_F(EpollProactor, asks_no_more_after_a_short_read_of_tcp) {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));
    put(pair.theirs, "data");
    EXPECT_TRUE(finished(probe));

    put(pair.theirs, "more");  // there; but only the system call would tell
    EXPECT_FALSE(proactor().attempt(probe));

    start(probe);
    EXPECT_TRUE(until([&] { return probe.runs == 2; }));
    EXPECT_EQ(probe.text(), "more");
}

TEST_F(EpollProactor, asks_on_after_a_full_read) {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours, 2));
    put(pair.theirs, "data");
    EXPECT_TRUE(finished(probe));

    EXPECT_TRUE(proactor().attempt(probe));
    EXPECT_EQ(probe.text(), "ta");
}

TEST_F(EpollProactor, asks_no_more_after_a_short_write_of_tcp) {
    Pair pair = tcp_pair();
    Probe& probe = make_sender(pair.ours, std::string(16 << 20, 'x'));
    EXPECT_TRUE(proactor().attempt(probe));
    EXPECT_LT(probe.result, 16 << 20);

    EXPECT_FALSE(proactor().attempt(probe));
    wait_with(probe);
    EXPECT_TRUE(until([&] {
        while (!take(pair.theirs).empty()) {}
        return probe.runs > 0;
    }));

    EXPECT_GT(probe.result, 0);
}

TEST_F(EpollProactor, tries_a_new_descriptor_in_place) {
    Pair pair = tcp_pair();
    put(pair.theirs, "data");

    Probe& receiver = make_receiver(pair.ours);
    Probe& sender = make_sender(pair.ours, "answer");

    EXPECT_TRUE(proactor().attempt(receiver));
    EXPECT_TRUE(proactor().attempt(sender));
    EXPECT_TRUE(receiver.completed);
    EXPECT_FALSE(receiver.linked());
    EXPECT_EQ(receiver.text(), "data");
    EXPECT_EQ(sender.result, 6);
}

TEST_F(EpollProactor, finds_the_end_again_in_place) {
    Pair pair = tcp_pair();
    pair.theirs.reset();
    Probe& probe = make_receiver(pair.ours);

    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(proactor().attempt(probe));
        EXPECT_EQ(probe.result, 0);
    }
}

TEST_F(EpollProactor, does_not_try_to_read_from_a_new_connection_before_something_has_come) {
    Fd listener = listening_socket();
    Fd fd(call(Opcode::socket, -1, AF_INET, SOCK_STREAM));
    Probe& connector = begin(make_with_address(Opcode::connect, fd, name_of(listener)));
    EXPECT_TRUE(finished(connector));
    Fd peer(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    put(peer, "welcome");  // there; but only the system call would tell

    Probe& receiver = make_receiver(fd);
    EXPECT_FALSE(proactor().attempt(receiver));

    start(receiver);
    EXPECT_TRUE(finished(receiver));
    EXPECT_EQ(receiver.text(), "welcome");
}

TEST_F(EpollProactor, does_not_answer_for_what_an_earlier_operation_has_consumed) {
    Pair pair = unix_pair();
    Probe& receiver = wait_with(make_receiver(pair.ours));
    Probe& readable = wait_with(make(Opcode::poll_in, pair.ours));

    put(pair.theirs, "x");
    EXPECT_TRUE(finished(receiver));
    settle();

    EXPECT_EQ(readable.runs, 0);
    put(pair.theirs, "y");
    EXPECT_TRUE(finished(readable));
}

TEST_F(EpollProactor, lets_others_run_after_a_few_attempts_on_one_descriptor) {
    Fd zero(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
    Probe& greedy = make_receiver(zero, 1, Opcode::read);
    for (int turns = 0; turns < 3; ++turns) {
        int in_place = 0;
        while (in_place < 1000 && proactor().attempt(greedy)) {
            ++in_place;
        }

        EXPECT_EQ(in_place, 32);
        turn();
    }
}

// Linux says EAGAIN, and there is no event to wait for.
TEST_F(EpollProactor, hands_on_that_the_backlog_of_a_unix_socket_is_full) {
    sockaddr_un un{};
    un.sun_family = AF_UNIX;  // with no more than that, bind() chooses an abstract name
    Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&un), sizeof un.sun_family), 0);
    EXPECT_EQ(::listen(listener, 0), 0);
    std::vector<Fd> clients;
    std::int64_t result = 0;

    for (int i = 0; i < 10 && result == 0; ++i) {
        clients.emplace_back(call(Opcode::socket, -1, AF_UNIX, SOCK_STREAM));
        Probe& probe = begin(make_with_address(Opcode::connect, clients.back(), name_of(listener)));
        EXPECT_TRUE(finished(probe));
        result = probe.result;
    }

    EXPECT_EQ(result, -EAGAIN);
}

TEST_F(EpollProactor, does_not_wake_for_each_read_at_the_other_end_of_a_unix_socket) {
    Pair pair = unix_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));
    settle();
    EXPECT_TRUE(proactor().attempt(make_sender(pair.ours, "request")));

    EXPECT_EQ(take(pair.theirs), "request");
    pollfd entry{proactor().descriptor(), POLLIN, 0};

    EXPECT_EQ(::poll(&entry, 1, 0), 0);
    EXPECT_EQ(probe.runs, 0);
}

// ------------------------------------------------------------------------------------- the
// choosing

namespace {

/// Sets a variable of the environment for a scope.
class Environment {
public:
    Environment(const char* name, const char* value) : name_(name) {
        const char* before = std::getenv(name);
        had_ = before != nullptr;
        before_ = had_ ? before : "";
        ::setenv(name, value, 1);
    }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    ~Environment() {
        if (had_) {
            ::setenv(name_, before_.c_str(), 1);
        } else {
            ::unsetenv(name_);
        }
    }

private:
    const char* name_;
    bool had_ = false;
    std::string before_;
};

std::string refusal(std::string_view name) {
    try {
        static_cast<void>(make_proactor(name));
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "made";
}

}  // namespace

TEST(MakeProactor, chooses_epoll_by_itself) {
    const Environment none("ASYNCIO_PROACTOR", "");

    EXPECT_EQ(make_proactor()->name(), "epoll");
    EXPECT_EQ(make_proactor("epoll")->name(), "epoll");
}

TEST(MakeProactor, asks_the_environment_where_no_name_is_given) {
    const Environment wrong("ASYNCIO_PROACTOR", "kqueue");

    EXPECT_EQ(refusal(""), "ASYNCIO_PROACTOR: there is no 'kqueue'; available: epoll, io_uring");
    EXPECT_EQ(make_proactor("epoll")->name(), "epoll");
}

TEST(MakeProactor, says_what_there_is_when_a_name_is_unknown) {
    EXPECT_EQ(refusal("Epoll"), "proactor: there is no 'Epoll'; available: epoll, io_uring");
}

TEST(MakeProactor, lets_a_factory_decide) {
    static std::string asked_for;
    const auto before = asyncio::lowlevel::set_proactor_factory([](std::string_view name) {
        asked_for = name;
        return make_epoll_with_virtual_clock();
    });

    EXPECT_EQ(make_proactor("whatever")->name(), "virtual_clock");
    EXPECT_EQ(asked_for, "whatever");
    EXPECT_EQ(make_system_proactor("epoll")->name(), "epoll");

    EXPECT_NE(asyncio::lowlevel::set_proactor_factory(before), nullptr);
}

// -------------------------------------------------------------------------------- the virtual
// clock

namespace {

class VirtualClockTest : public testing::Test, protected Driver {
protected:
    VirtualClockTest() : Driver(make_epoll_with_virtual_clock()) {}
};

constexpr TimePoint beginning{1s};

}  // namespace

TEST_F(VirtualClockTest, jumps_to_the_deadline) {
    EXPECT_EQ(proactor().now(), beginning);

    turn(beginning + 24h);
    EXPECT_EQ(proactor().now(), beginning + 24h);

    turn(beginning + 24h + 1ns);
    EXPECT_EQ(proactor().now(), beginning + 24h + 1ns);
}

TEST_F(VirtualClockTest, stands_still_while_there_is_something_to_do) {
    Fd zero(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
    Probe& probe = start(make_receiver(zero, 1, Opcode::read));

    turn(beginning + 1h);
    EXPECT_EQ(probe.runs, 1);
    EXPECT_EQ(proactor().now(), beginning);

    proactor().wake();
    turn(beginning + 1h);
    EXPECT_EQ(proactor().now(), beginning);
}

TEST_F(VirtualClockTest, never_goes_back) {
    turn(beginning + 1h);

    turn(beginning);
    turn(TimePoint::min());

    EXPECT_EQ(proactor().now(), beginning + 1h);
}

TEST_F(VirtualClockTest, lets_arrive_what_was_sent_before_it_jumps) {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));
    EXPECT_TRUE(finished(begin(make_sender(pair.theirs, "data"))));

    turn(beginning + 1h);

    EXPECT_EQ(probe.runs, 1);
    EXPECT_EQ(proactor().now(), beginning);
}

TEST_F(VirtualClockTest, jumps_when_what_is_under_way_has_had_its_chance) {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));
    const auto start = std::chrono::steady_clock::now();

    turn(beginning + 1h);

    EXPECT_EQ(proactor().now(), beginning + 1h);
    EXPECT_EQ(probe.runs, 0);
    EXPECT_GE(std::chrono::steady_clock::now() - start,
              std::chrono::nanoseconds(VirtualClock::patience));
}

// Each way in which an operation ends takes it out of the count; otherwise every jump of the test
// would go on to cost real time, as the last one here shows.
TEST_F(VirtualClockTest, jumps_at_once_when_nothing_is_under_way_any_more) {
    Pair one = tcp_pair();
    Pair other = tcp_pair();
    wait_with(make_receiver(one.ours));
    Probe& cancelled = wait_with(make_receiver(one.ours));
    Probe& pending = start(make_receiver(one.ours));
    cancel(pending);
    cancel(cancelled);
    Probe& completed = wait_with(make_receiver(other.ours));
    put(other.theirs, "x");
    EXPECT_TRUE(finished(completed));
    EXPECT_EQ(close(one.ours), 0);
    turn();

    const auto count_jumps = [&] {
        const auto end = std::chrono::steady_clock::now() + 50ms;
        int jumps = 0;
        while (std::chrono::steady_clock::now() < end) {
            turn(proactor().now() + 1h);
            ++jumps;
        }
        return jumps;
    };

    const int jumps_at_once = count_jumps();
    wait_with(make_receiver(other.ours));
    const int jumps_with_patience = count_jumps();
    EXPECT_GT(jumps_at_once, jumps_with_patience);
    EXPECT_LE(jumps_with_patience, 10);
}

TEST_F(VirtualClockTest, does_not_jump_while_work_is_with_other_threads) {
    std::atomic<bool> done{false};
    proactor().outside_work(true);
    std::thread thread([&] {
        std::this_thread::sleep_for(20ms);
        done = true;
        proactor().wake();
    });

    while (!done) {
        turn(beginning + 1h);
        EXPECT_EQ(proactor().now(), beginning);
    }

    thread.join();
    proactor().outside_work(false);
    turn();
    turn(beginning + 1h);
    EXPECT_EQ(proactor().now(), beginning + 1h);
}

TEST(UseVirtualClock, is_for_every_loop_made_from_then_on) {
    asyncio::testing::use_virtual_clock();
    EXPECT_EQ(make_proactor()->now(), beginning);
    EXPECT_EQ(refusal("kqueue"), "proactor: there is no 'kqueue'; available: epoll, io_uring");

    asyncio::testing::use_real_clock();
    EXPECT_EQ(make_proactor()->name(), "epoll");
}

TEST(UseVirtualClock, ends_with_its_scope) {
    {
        const asyncio::testing::VirtualClockScope scope;
        EXPECT_EQ(make_proactor()->name(), "virtual_clock");
    }
    EXPECT_EQ(make_proactor()->name(), "epoll");
}
