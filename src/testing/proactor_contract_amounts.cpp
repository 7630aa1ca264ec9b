// proactor_contract_amounts.cpp - what proactors promise: amounts of data: streams, buffers,
// messages, pipes, terminals.
//
// SPDX-License-Identifier: MIT
#include "proactor_contract.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

namespace asyncio::testing {

using lowlevel::Buffer;
using lowlevel::Message;

// ----------------------------------------------------------------------------------- amounts of
// data

void ProactorContract::sends_more_than_the_kernel_takes_at_once() {
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
            expect(sender.result > 0);
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

        expect(until([&] { return received.size() == sent.size(); }));
        expect_equal(received, sent);
        expect(short_counts > 0);
        expect_equal(close(pair.ours), 0);
        expect_equal(close(pair.theirs), 0);
    }
}

void ProactorContract::receives_what_is_longer_than_the_buffer_in_parts() {
    Pair pair = tcp_pair();
    put(pair.theirs, "abcdefgh");
    std::string all;

    for (int i = 0; i < 3; ++i) {
        Probe& probe = begin(make_receiver(pair.ours, 3));
        expect(finished(probe));
        all += probe.text() + "|";
    }

    expect_equal(all, "abc|def|gh|");
}

void ProactorContract::sends_many_buffers_as_one() {
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

    expect(finished(probe));
    expect_equal(probe.result, 13);
    expect_equal(take(pair.theirs), "one two three");
}

void ProactorContract::sends_as_many_buffers_as_the_kernel_takes() {
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
        expect(finished(begin(probe)));
        expect(probe.result > 0);
        sent += static_cast<std::size_t>(std::max<std::int64_t>(probe.result, 0));
    }

    expect_equal(take(pair.theirs), letters);
}

void ProactorContract::fills_up_with_buffers_and_goes_on() {
    Pair pair = tcp_pair();
    std::string block(1 << 20, 'x');
    std::vector<Buffer> buffers(8, Buffer{block.data(), block.size()});
    Probe& first = make(Opcode::send_vector, pair.ours);
    first.data = buffers.data();
    first.size = buffers.size();
    expect(finished(begin(first)));
    expect(first.result < 8 << 20);

    Probe& second = start(make_sender(pair.ours, "end"));
    expect(until([&] {
        while (!take(pair.theirs).empty()) {}
        return second.runs > 0;
    }));

    expect_equal(second.result, 3);
}

// A short count of a datagram does not mean that there is no other one.
void ProactorContract::receives_every_datagram() {
    Fd ours = bound_socket(SOCK_DGRAM);
    Fd theirs = bound_socket(SOCK_DGRAM);
    const SocketAddress destination = name_of(ours);
    std::string all;
    Probe& receiver = make_receiver(ours, 64, Opcode::recv_from);
    receiver.address = &receiver.own_address;
    receiver.then = [&] {
        all += receiver.text() + "|";
        expect_equal(port_of(receiver.own_address), port_of(name_of(theirs)));
        start(receiver);
    };
    wait_with(receiver);

    for (const char* text : {"one", "", "three", "four"}) {
        Probe& sender = make_sender(theirs, text, Opcode::send_to);
        sender.own_address = destination;
        sender.address = &sender.own_address;
        expect(finished(begin(sender)));
    }

    expect(until([&] { return receiver.runs == 4; }));
    expect_equal(all, "one||three|four|");
}

// The sender's address and whether there was more come with each message.
void ProactorContract::receives_messages_with_what_belongs_to_them() {
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
        expect_equal(in.address_size, destination.size);
        expect_equal(port_of(source), port_of(name_of(theirs)));
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
        expect(finished(begin(sender)));
        expect_equal(sender.result, static_cast<std::int64_t>(out_part.size));
    }

    expect(until([&] { return all == "3|0|9+4|"; }));
    receiver.then = nullptr;
}

void ProactorContract::passes_descriptors_with_messages_which_are_closed_in_new_programs() {
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
    expect(finished(begin(sender)));
    expect(until([&] { return receiver.runs == 1; }));

    expect_equal(receiver.result, 1);
    expect_equal(in.control_size, sizeof received_control);
    int received = -1;
    std::memcpy(&received, CMSG_DATA(reinterpret_cast<cmsghdr*>(received_control)),
                sizeof received);
    Fd owned{received};
    expect((::fcntl(owned, F_GETFD) & FD_CLOEXEC) != 0);
    expect_equal(::write(owned, "hi", 2), 2);
    expect_equal(::read(pipe.read_end, text, sizeof text), 2);
}

void ProactorContract::calls_messages_without_waiting() {
    Pair pair = unix_pair(SOCK_DGRAM);
    char text[8];
    Buffer part{text, sizeof text};
    Message in;
    in.buffers = &part;
    in.buffer_count = 1;
    Probe& receiver = make(Opcode::recv_message, pair.ours);
    receiver.data = &in;
    expect_equal(proactor().call(receiver), -EAGAIN);
    put(pair.theirs, "seven77");
    expect_equal(proactor().call(receiver), 7);

    Buffer out_part{text, 7};
    Message out;
    out.buffers = &out_part;
    out.buffer_count = 1;
    Probe& sender = make(Opcode::send_message, pair.ours);
    sender.data = &out;
    std::int64_t result = 0;
    while ((result = proactor().call(sender)) > 0) {}
    expect_equal(result, -EAGAIN);
    expect_equal(take(pair.theirs), "seven77");
}

void ProactorContract::receives_every_datagram_of_a_connected_socket() {
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

        expect(until([&] { return all == "one|two|three|"; }));
        receiver.then = nullptr;
        expect_equal(close(pair.ours), 0);
    }
}

// The kernel does not join what carries descriptors with what comes after it.
void ProactorContract::receives_what_lies_behind_a_descriptor_in_a_unix_stream() {
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

    expect_equal(::sendmsg(pair.theirs, &message, 0), 3);
    put(pair.theirs, "two");
    expect(finished(first));
    Probe& second = begin(make_receiver(pair.ours));

    expect(finished(second));
    expect_equal(first.text() + second.text(), "onetwo");
}

void ProactorContract::receives_what_lies_behind_urgent_data() {
    Pair pair = tcp_pair();
    Probe& first = wait_with(make_receiver(pair.ours));

    put(pair.theirs, "before");
    expect_equal(::send(pair.theirs, "!", 1, MSG_OOB), 1);
    put(pair.theirs, "behind");
    expect(finished(first));
    Probe& second = begin(make_receiver(pair.ours));

    expect(finished(second));
    expect_equal(first.text() + second.text(), "beforebehind");
}

void ProactorContract::reads_every_line_of_a_terminal() {
    Fd controller(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    char name[128] = {};
    expect_equal(::grantpt(controller), 0);
    expect_equal(::unlockpt(controller), 0);
    expect_equal(::ptsname_r(controller, name, sizeof name), 0);
    Fd terminal(::open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    std::string all;
    Probe& reader = make_receiver(terminal, 64, Opcode::read);
    reader.then = [&] {
        all += reader.text() + "|";
        begin(reader);
    };
    wait_with(reader);

    put(controller, "one\ntwo\nthree\n");

    expect(until([&] { return all == "one\n|two\n|three\n|"; }));
}

void ProactorContract::reads_and_writes_pipes() {
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

    expect(until([&] { return all.size() == filled + 4; }));
    expect_equal(writer.result, 4);
    expect_equal(all.substr(filled), "last");
}

std::span<const ProactorCheck> ProactorContract::checks_of_amounts() noexcept {
    static constexpr ProactorCheck all[] = {
        {"sends_more_than_the_kernel_takes_at_once",
         &ProactorContract::sends_more_than_the_kernel_takes_at_once},
        {"receives_what_is_longer_than_the_buffer_in_parts",
         &ProactorContract::receives_what_is_longer_than_the_buffer_in_parts},
        {"sends_many_buffers_as_one", &ProactorContract::sends_many_buffers_as_one},
        {"sends_as_many_buffers_as_the_kernel_takes",
         &ProactorContract::sends_as_many_buffers_as_the_kernel_takes},
        {"fills_up_with_buffers_and_goes_on", &ProactorContract::fills_up_with_buffers_and_goes_on},
        {"receives_every_datagram", &ProactorContract::receives_every_datagram},
        {"receives_messages_with_what_belongs_to_them",
         &ProactorContract::receives_messages_with_what_belongs_to_them},
        {"passes_descriptors_with_messages_which_are_closed_in_new_programs",
         &ProactorContract::passes_descriptors_with_messages_which_are_closed_in_new_programs},
        {"calls_messages_without_waiting", &ProactorContract::calls_messages_without_waiting},
        {"receives_every_datagram_of_a_connected_socket",
         &ProactorContract::receives_every_datagram_of_a_connected_socket},
        {"receives_what_lies_behind_a_descriptor_in_a_unix_stream",
         &ProactorContract::receives_what_lies_behind_a_descriptor_in_a_unix_stream},
        {"receives_what_lies_behind_urgent_data",
         &ProactorContract::receives_what_lies_behind_urgent_data},
        {"reads_every_line_of_a_terminal", &ProactorContract::reads_every_line_of_a_terminal},
        {"reads_and_writes_pipes", &ProactorContract::reads_and_writes_pipes},
    };
    return all;
}

}  // namespace asyncio::testing
