// proactor_contract_descriptors.cpp - what proactors promise: closing, numbers that come again,
// children, calls.
//
// SPDX-License-Identifier: MIT
#include "proactor_contract.hpp"

#include <cerrno>
#include <cstddef>
#include <set>
#include <string>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace asyncio::testing {

void ProactorContract::completes_what_waits_when_the_descriptor_is_closed() {
    Pair pair = unix_pair();
    fill(pair.ours);
    Probe& receiver = wait_with(make_receiver(pair.ours));
    Probe& sender = wait_with(make_sender(pair.ours, "x"));

    expect_equal(close(pair.ours), 0);

    expect(finished(receiver));
    expect(finished(sender));
    expect_equal(receiver.result, -ECANCELED);
    expect_equal(sender.result, -ECANCELED);
    settle();
    expect_equal(receiver.runs + sender.runs, 2);
}

void ProactorContract::means_the_descriptor_that_was_open_at_the_start() {
    Pair old = tcp_pair();
    const int number = old.ours;
    Probe& pending = start(make_receiver(old.ours));

    expect_equal(close(old.ours), 0);
    Pair next = unix_pair();
    expect(next.ours == number || next.theirs == number);
    put(next.ours, "x");
    put(next.theirs, "x");

    expect(finished(pending));
    expect_equal(pending.result, -ECANCELED);
}

void ProactorContract::takes_nothing_over_to_the_next_descriptor_of_that_number() {
    for (int i = 0; i < 3; ++i) {
        Pair old = tcp_pair();
        Probe& old_receiver = wait_with(make_receiver(old.ours));
        const int number = old.ours;
        put(old.theirs, "stale");
        expect_equal(close(old.ours), 0);
        Pair next = unix_pair();
        expect(next.ours == number || next.theirs == number);
        const Fd& reused = next.ours == number ? next.ours : next.theirs;
        const Fd& peer = next.ours == number ? next.theirs : next.ours;

        Probe& receiver = wait_with(make_receiver(reused));
        settle();
        expect_equal(receiver.runs, 0);
        put(peer, "new");

        expect(finished(receiver));
        expect_equal(receiver.text(), "new");
        expect_equal(old_receiver.runs, 1);
        expect_equal(call(Opcode::forget, reused), 0);
    }
}

// The registration belongs to the open file, which lives on in a duplicate.
void ProactorContract::hears_nothing_of_a_closed_descriptor_that_has_a_duplicate() {
    Pair old = tcp_pair();
    wait_with(make_receiver(old.ours));
    Fd duplicate(::dup(old.ours));
    const int number = old.ours;
    expect_equal(close(old.ours), 0);
    settle();
    Fd reused(::fcntl(duplicate, F_DUPFD_CLOEXEC, number));
    expect_equal(reused, number);
    reused.reset();
    Pipe next = make_pipe();
    expect_equal(next.read_end, number);
    Probe& reader = wait_with(make_receiver(next.read_end, 64, Opcode::read));

    settle();
    put(old.theirs, "ghost");

    pollfd entry{proactor().descriptor(), POLLIN, 0};
    expect_equal(::poll(&entry, 1, 0), 0);
    settle();
    expect_equal(reader.runs, 0);
    expect_equal(take(duplicate), "ghost");
    put(next.write_end, "real");
    expect(finished(reader));
    expect_equal(reader.text(), "real");
}

void ProactorContract::watches_a_descriptor_and_its_duplicate_as_two() {
    Pair pair = tcp_pair();
    Fd duplicate(::dup(pair.ours));
    Probe& one = wait_with(make(Opcode::poll_in, pair.ours));
    Probe& other = wait_with(make(Opcode::poll_in, duplicate));

    put(pair.theirs, "x");

    expect(finished(one));
    expect(finished(other));
}

// The events of one poll are in hand already when the callback of the first of them runs.
void ProactorContract::closes_a_descriptor_in_the_callback_of_an_earlier_event() {
    Pair first = tcp_pair();
    Pair second = tcp_pair();
    Pair next;
    Probe* of_next = nullptr;
    Probe& closing = make_receiver(first.ours);
    Probe& closed = make_receiver(second.ours);
    const int number = second.ours;
    closing.then = [&] {
        expect_equal(close(second.ours), 0);
        next = unix_pair();
        expect(next.ours == number || next.theirs == number);
        of_next = &start(make_receiver(number));
    };
    wait_with(closing);
    wait_with(closed);

    put(first.theirs, "one");
    put(second.theirs, "two");

    expect(finished(closed));
    settle();
    expect(of_next != nullptr);
    if (of_next != nullptr) {
        expect_equal(of_next->runs, 0);
        put(next.ours == number ? next.theirs : next.ours, "three");
        expect(finished(*of_next));
        expect_equal(of_next->text(), "three");
    }
    expect_equal(closed.runs, 1);
}

void ProactorContract::closes_a_descriptor_in_a_callback_before_its_error_is_reported() {
    for (const Opcode waited_for : {Opcode::recv, Opcode::poll_in, Opcode::poll_out}) {
        Pair first = tcp_pair();
        Pair second = tcp_pair();
        fill(second.ours);
        Probe& closing = make_receiver(first.ours);
        Probe& failing =
            waited_for == Opcode::recv ? make_receiver(second.ours) : make(waited_for, second.ours);
        closing.then = [&] { expect_equal(close(second.ours), 0); };
        wait_with(closing);
        wait_with(failing);

        put(first.theirs, "one");
        close_hard(second.theirs);

        expect(finished(closing));
        expect(finished(failing));
        settle();
        expect_equal(failing.runs, 1);
        expect_equal(close(first.ours), 0);
    }
}

void ProactorContract::forgets_a_descriptor_that_stays_open() {
    Pair pair = tcp_pair();
    Probe& forgotten = wait_with(make_receiver(pair.ours));

    expect_equal(call(Opcode::forget, pair.ours), 0);
    expect(finished(forgotten));
    expect_equal(forgotten.result, -ECANCELED);

    Probe& known_again = wait_with(make_receiver(pair.ours));
    put(pair.theirs, "data");
    expect(finished(known_again));
    expect_equal(known_again.text(), "data");
}

void ProactorContract::forgets_what_it_never_knew() {
    Pair pair = tcp_pair();

    expect_equal(call(Opcode::forget, pair.ours), 0);
    expect_equal(call(Opcode::forget, -1), 0);
    expect_equal(close(pair.ours), 0);
}

// Nobody told the proactor; it can only find out where it makes the new descriptor itself.
void ProactorContract::finds_out_that_a_number_was_closed_behind_its_back() {
    Pair pair = tcp_pair();
    const int number = pair.ours;
    Probe& lost = wait_with(make_receiver(pair.ours));
    cancel(lost);
    expect(finished(lost));
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
    expect(finished(acceptor));
    Fd accepted(acceptor.result);
    expect_equal(accepted, number);
    Probe& receiver = wait_with(make_receiver(accepted));
    put(client, "hello");

    expect(finished(receiver));
    expect_equal(receiver.text(), "hello");
}

// As above, and a duplicate lives on, so that the old registration does, too.
void ProactorContract::hears_nothing_of_a_number_that_was_closed_behind_its_back() {
    Pair pair = tcp_pair();
    const int number = pair.ours;
    Fd duplicate(::dup(pair.ours));
    Fd listener = listening_socket();
    Fd client = connected_to(listener);
    Probe& lost = wait_with(make(Opcode::poll_in, pair.ours));
    cancel(lost);
    expect(finished(lost));
    pair.ours.reset();
    Probe& acceptor = start(make(Opcode::accept, listener));
    expect(finished(acceptor));
    Fd accepted(acceptor.result);
    expect_equal(accepted, number);
    Probe& probe = wait_with(make(Opcode::poll_in, accepted));

    put(pair.theirs, "ghost");
    settle();

    expect_equal(probe.runs, 0);
    put(client, "real");
    expect(finished(probe));
}

void ProactorContract::leaves_no_descriptor_open_in_other_programs() {
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
        Driver other(make_another());
        Fd fd(other.call(Opcode::socket, -1, AF_INET, SOCK_STREAM));
        other.turn();

        std::size_t own = 0;
        for (const int open : open_descriptors()) {
            if (before.count(open) == 0) {
                ++own;
                expect(close_on_exec(open));
            }
        }
        expect(own > 1U);
    }

    expect_equal(open_descriptors(), before);
}

void ProactorContract::is_not_disturbed_by_a_child_that_inherits_it() {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));

    const pid_t child = ::fork();
    if (child == 0) {
        const bool closed = call(Opcode::close, pair.ours) == 0;
        proactor().wake();
        ::_exit(closed ? 0 : 1);
    }
    int status = -1;
    expect_equal(::waitpid(child, &status, 0), child);
    expect_equal(status, 0);
    put(pair.theirs, "still here");

    expect(finished(probe));
    expect_equal(probe.text(), "still here");
}

void ProactorContract::calls_what_needs_no_waiting() {
    SocketAddress address = loopback();
    Fd fd(call(Opcode::socket, -1, AF_INET, SOCK_STREAM));
    expect(close_on_exec(fd));
    expect(non_blocking(fd));
    expect_equal(call(Opcode::bind, fd, 0, 0, nullptr, &address), 0);
    expect_equal(call(Opcode::listen, fd, 5), 0);
    SocketAddress own;
    expect_equal(call(Opcode::socket_name, fd, 0, 0, nullptr, &own), 0);
    expect(port_of(own) != 0);
    expect_equal(own.size, sizeof(sockaddr_in));
    SocketAddress peer;
    expect_equal(call(Opcode::peer_name, fd, 0, 0, nullptr, &peer), -ENOTCONN);
    expect_equal(peer.size, 0U);
    Fd client = connected_to(fd);
    expect_equal(call(Opcode::peer_name, client, 0, 0, nullptr, &peer), 0);
    expect_equal(port_of(peer), port_of(own));
    int on = 1;
    expect_equal(call(Opcode::set_option, client, IPPROTO_TCP, TCP_NODELAY, &on), 0);
    int value = -1;
    expect_equal(call(Opcode::get_option, client, IPPROTO_TCP, TCP_NODELAY, &value), 0);
    expect(value != 0);
    linger setting{1, 7};
    Operation wide(nullptr, Opcode::set_option, client);
    wide.argument = SOL_SOCKET;
    wide.argument2 = SO_LINGER;
    wide.data = &setting;
    wide.size = sizeof setting;
    expect_equal(proactor().call(wide), 0);
    setting = {};
    wide.opcode = Opcode::get_option;
    expect_equal(proactor().call(wide), 0);
    expect_equal(setting.l_linger, 7);
    expect_equal(call(Opcode::socket, -1, 9999, SOCK_STREAM), -EAFNOSUPPORT);
}

// Also where no attempt is let through any more, and whatever waits on the descriptor.
void ProactorContract::receives_by_a_call_without_waiting() {
    Pair pair = tcp_pair();
    std::string buffer(64, '\0');
    const auto call_recv = [&] {
        Operation operation(nullptr, Opcode::recv, pair.ours);
        operation.data = buffer.data();
        operation.size = buffer.size();
        return proactor().call(operation);
    };
    expect_equal(call_recv(), -EAGAIN);
    Probe& waiting = wait_with(make(Opcode::poll_in, pair.ours));
    put(pair.theirs, "called");
    Probe& attempted = make_sender(pair.ours, "x");
    while (proactor().attempt(attempted)) {}
    expect_equal(call_recv(), 6);
    expect_equal(buffer.substr(0, 6), "called");
    expect_equal(call_recv(), -EAGAIN);

    put(pair.theirs, "more");
    expect(finished(waiting));
    Probe& receiver = receive(pair.ours);
    expect(finished(receiver));
    expect_equal(receiver.text(), "more");
    close_hard(pair.theirs);
    expect_equal(call_recv(), -ECONNRESET);
    expect_equal(call_recv(), 0);
}

std::span<const ProactorCheck> ProactorContract::checks_of_descriptors() noexcept {
    static constexpr ProactorCheck all[] = {
        {"completes_what_waits_when_the_descriptor_is_closed",
         &ProactorContract::completes_what_waits_when_the_descriptor_is_closed},
        {"means_the_descriptor_that_was_open_at_the_start",
         &ProactorContract::means_the_descriptor_that_was_open_at_the_start},
        {"takes_nothing_over_to_the_next_descriptor_of_that_number",
         &ProactorContract::takes_nothing_over_to_the_next_descriptor_of_that_number},
        {"hears_nothing_of_a_closed_descriptor_that_has_a_duplicate",
         &ProactorContract::hears_nothing_of_a_closed_descriptor_that_has_a_duplicate},
        {"watches_a_descriptor_and_its_duplicate_as_two",
         &ProactorContract::watches_a_descriptor_and_its_duplicate_as_two},
        {"closes_a_descriptor_in_the_callback_of_an_earlier_event",
         &ProactorContract::closes_a_descriptor_in_the_callback_of_an_earlier_event},
        {"closes_a_descriptor_in_a_callback_before_its_error_is_reported",
         &ProactorContract::closes_a_descriptor_in_a_callback_before_its_error_is_reported},
        {"forgets_a_descriptor_that_stays_open",
         &ProactorContract::forgets_a_descriptor_that_stays_open},
        {"forgets_what_it_never_knew", &ProactorContract::forgets_what_it_never_knew},
        {"finds_out_that_a_number_was_closed_behind_its_back",
         &ProactorContract::finds_out_that_a_number_was_closed_behind_its_back},
        {"hears_nothing_of_a_number_that_was_closed_behind_its_back",
         &ProactorContract::hears_nothing_of_a_number_that_was_closed_behind_its_back},
        {"leaves_no_descriptor_open_in_other_programs",
         &ProactorContract::leaves_no_descriptor_open_in_other_programs},
        {"is_not_disturbed_by_a_child_that_inherits_it",
         &ProactorContract::is_not_disturbed_by_a_child_that_inherits_it},
        {"calls_what_needs_no_waiting", &ProactorContract::calls_what_needs_no_waiting},
        {"receives_by_a_call_without_waiting",
         &ProactorContract::receives_by_a_call_without_waiting},
    };
    return all;
}

}  // namespace asyncio::testing
