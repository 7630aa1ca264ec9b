// proactor_contract_readiness.cpp - what proactors promise: readiness, and descriptors of every
// kind.
//
// SPDX-License-Identifier: MIT
#include "proactor_contract.hpp"

#include <algorithm>
#include <cerrno>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

namespace asyncio::testing {

// --------------------------------------------------------------------------------------- readiness

void ProactorContract::reports_readiness_for_as_long_as_there_is_something_to_read() {
    Pair pair = tcp_pair();
    Probe& first = wait_with(make(Opcode::poll_in, pair.ours));
    put(pair.theirs, "data");
    expect(finished(first));
    expect((first.result & POLLIN) != 0);

    Probe& again = begin(make(Opcode::poll_in, pair.ours));
    expect(finished(again));
    expect_equal(take(pair.ours, 2), "da");
    Probe& rest = begin(make(Opcode::poll_in, pair.ours));
    expect(finished(rest));

    expect_equal(take(pair.ours), "ta");
    Probe& later = begin(make(Opcode::poll_in, pair.ours));
    settle();
    expect_equal(later.runs, 0);
    put(pair.theirs, "x");
    expect(finished(later));
}

void ProactorContract::reports_that_something_is_left_after_a_receive() {
    Pair pair = tcp_pair();
    Probe& part = wait_with(make_receiver(pair.ours, 2));
    put(pair.theirs, "data");
    expect(finished(part));

    Probe& left = begin(make(Opcode::poll_in, pair.ours));
    expect(finished(left));
    expect(finished(begin(make_receiver(pair.ours, 2))));
    Probe& none = begin(make(Opcode::poll_in, pair.ours));
    settle();

    expect_equal(none.runs, 0);
}

void ProactorContract::reports_when_there_is_room_to_write() {
    Pair pair = unix_pair();
    Probe& room = begin(make(Opcode::poll_out, pair.ours));
    expect(finished(room));
    expect((room.result & POLLOUT) != 0);
    fill(pair.ours);

    Probe& full = begin(make(Opcode::poll_out, pair.ours));
    settle();
    expect_equal(full.runs, 0);
    while (!take(pair.theirs).empty()) {}

    expect(finished(full));
    expect((full.result & POLLOUT) != 0);
}

void ProactorContract::watches_readiness_from_within_its_callback() {
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
        expect(until([&] { return readable.runs > before; }));
    }

    expect(finished(writable));
    expect_equal(all, "abc");
    expect_equal(readable.runs, 3);
}

void ProactorContract::reports_a_hang_up_as_readiness_once() {
    Pipe pipe = make_pipe();
    Probe& broken = wait_with(make(Opcode::poll_in, pipe.read_end));

    pipe.write_end.reset();

    expect(finished(broken));
    expect((broken.result & POLLHUP) != 0);
    settle();
    expect_equal(broken.runs, 1);
}

void ProactorContract::reports_an_error_to_those_who_wait_for_room() {
    Pipe pipe = make_pipe();
    fill(pipe.write_end);
    Probe& broken = wait_with(make(Opcode::poll_out, pipe.write_end));

    pipe.read_end.reset();

    expect(finished(broken));
    expect((broken.result & POLLERR) != 0);
}

// What has been reported and concerns nobody any more must not end one wait after another.
void ProactorContract::does_not_spin_on_a_descriptor_that_nobody_waits_for() {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make(Opcode::poll_in, pair.ours));
    put(pair.theirs, "unread");
    pair.theirs.reset();
    expect(finished(probe));
    settle();

    polls = 0;
    const TimePoint deadline = proactor().now() + 30ms;
    while (proactor().now() < deadline) {
        turn(deadline);
    }

    expect(polls <= 20);  // a few end early; one that spins makes thousands
}

// -------------------------------------------------------------------------- files, numbers,
// closing

void ProactorContract::reads_and_writes_what_is_always_ready() {
    char name[] = "/tmp/proactor_test_XXXXXX";
    Fd file(::mkostemp(name, O_CLOEXEC));
    expect_equal(::unlink(name), 0);
    Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));

    Probe& writer = begin(make_sender(file, "contents", Opcode::write));
    expect(finished(writer));
    expect_equal(writer.result, 8);
    expect_equal(::lseek(file, 0, SEEK_SET), 0);
    Probe& reader = begin(make_receiver(file, 64, Opcode::read));
    expect(finished(reader));
    expect_equal(reader.text(), "contents");
    Probe& end = start(make_receiver(file, 64, Opcode::read));
    expect(finished(end));
    expect_equal(end.result, 0);
    for (const int fd : {static_cast<int>(file), static_cast<int>(null)}) {
        for (const Opcode opcode : {Opcode::poll_in, Opcode::poll_out}) {
            Probe& ready = start(make(opcode, fd));
            expect(finished(ready));
            expect(ready.result > 0);
        }
    }
    Probe& nothing = start(make_receiver(null, 64, Opcode::read));
    expect(finished(nothing));
    expect_equal(nothing.result, 0);
    Probe& not_a_socket = start(make_receiver(file));
    expect(finished(not_a_socket));
    expect_equal(not_a_socket.result, -ENOTSOCK);
}

void ProactorContract::reports_descriptors_that_are_not_open() {
    Pair pair = tcp_pair();
    const int closed = pair.theirs;
    pair.theirs.reset();
    for (const int fd : {closed, -1, 1 << 30}) {
        for (const Opcode opcode : {Opcode::recv, Opcode::read, Opcode::poll_in, Opcode::poll_out,
                                    Opcode::send, Opcode::accept}) {
            Probe& probe = make_receiver(fd);
            probe.opcode = opcode;
            expect(finished(begin(probe)));
            expect_equal(probe.result, -EBADF);
        }
        expect_equal(call(Opcode::close, fd), -EBADF);
        expect_equal(call(Opcode::listen, fd, 1), -EBADF);
    }
}

void ProactorContract::takes_descriptors_with_large_numbers() {
    constexpr rlim_t wanted = 100'000;  // beyond 16 bits
    rlimit limit{};
    expect_equal(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlimit raised{wanted, std::max(limit.rlim_max, wanted)};
    if (::setrlimit(RLIMIT_NOFILE, &raised) != 0) {  // not everybody may have more than rlim_max
        raised = {limit.rlim_max, limit.rlim_max};
        expect_equal(::setrlimit(RLIMIT_NOFILE, &raised), 0);
    }
    const auto largest = static_cast<int>(std::min(raised.rlim_cur, wanted)) - 1;
    expect(largest > 1024);
    Pair pair = tcp_pair();
    Fd large(::fcntl(pair.ours, F_DUPFD_CLOEXEC, largest));
    pair.ours.reset();

    Probe& probe = wait_with(make_receiver(large));
    put(pair.theirs, "hello");

    expect(finished(probe));
    expect_equal(probe.text(), "hello");
    expect_equal(::setrlimit(RLIMIT_NOFILE, &limit), 0);
}

std::span<const ProactorCheck> ProactorContract::checks_of_readiness() noexcept {
    static constexpr ProactorCheck all[] = {
        {"reports_readiness_for_as_long_as_there_is_something_to_read",
         &ProactorContract::reports_readiness_for_as_long_as_there_is_something_to_read},
        {"reports_that_something_is_left_after_a_receive",
         &ProactorContract::reports_that_something_is_left_after_a_receive},
        {"reports_when_there_is_room_to_write",
         &ProactorContract::reports_when_there_is_room_to_write},
        {"watches_readiness_from_within_its_callback",
         &ProactorContract::watches_readiness_from_within_its_callback},
        {"reports_a_hang_up_as_readiness_once",
         &ProactorContract::reports_a_hang_up_as_readiness_once},
        {"reports_an_error_to_those_who_wait_for_room",
         &ProactorContract::reports_an_error_to_those_who_wait_for_room},
        {"does_not_spin_on_a_descriptor_that_nobody_waits_for",
         &ProactorContract::does_not_spin_on_a_descriptor_that_nobody_waits_for},
        {"reads_and_writes_what_is_always_ready",
         &ProactorContract::reads_and_writes_what_is_always_ready},
        {"reports_descriptors_that_are_not_open",
         &ProactorContract::reports_descriptors_that_are_not_open},
        {"takes_descriptors_with_large_numbers",
         &ProactorContract::takes_descriptors_with_large_numbers},
    };
    return all;
}

}  // namespace asyncio::testing
