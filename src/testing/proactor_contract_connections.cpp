// proactor_contract_connections.cpp - what proactors promise: accepting, connecting, cancelling.
//
// SPDX-License-Identifier: MIT
#include "proactor_contract.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <set>
#include <vector>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace asyncio::testing {

// ------------------------------------------------------------------------------ accept and connect

void ProactorContract::accepts_every_connection_of_one_event() {
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

    expect(until([&] { return accepted.size() == 5; }));
    for (const Fd& fd : accepted) {
        expect(close_on_exec(fd));
        expect(non_blocking(fd));
    }
    for (const Fd& fd : clients) {
        expect_equal(peers.count(port_of(name_of(fd))), 1U);
    }
}

void ProactorContract::accepts_without_asking_for_the_address() {
    Fd listener = listening_socket();
    Fd client = connected_to(listener);

    Probe& acceptor = begin(make(Opcode::accept, listener));

    expect(finished(acceptor));
    Fd accepted(acceptor.result);
    put(client, "hello");
    Probe& receiver = begin(make_receiver(accepted));
    expect(finished(receiver));
    expect_equal(receiver.text(), "hello");
}

void ProactorContract::accepts_again_after_it_has_run_out_of_descriptors() {
    Fd listener = listening_socket();
    Fd client = connected_to(listener);
    rlimit limit{};
    expect_equal(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    const Fd next(::dup(listener));
    const rlimit used_up{static_cast<rlim_t>(next), limit.rlim_max};  // the numbers below are taken
    std::vector<Fd> holes;
    for (int fd = ::dup(listener); fd >= 0 && fd < next; fd = ::dup(listener)) {
        holes.emplace_back(fd);
    }

    expect_equal(::setrlimit(RLIMIT_NOFILE, &used_up), 0);
    Probe& refused = start(make(Opcode::accept, listener));
    expect(finished(refused));
    expect_equal(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    Probe& accepted = start(make(Opcode::accept, listener));

    expect(finished(accepted));
    expect_equal(refused.result, -EMFILE);
    Fd connection(accepted.result);
}

void ProactorContract::survives_a_connection_that_is_reset_before_it_is_accepted() {
    Fd listener = listening_socket();
    Fd client = connected_to(listener);
    close_hard(client);
    Fd good = connected_to(listener);

    Probe& first = begin(make(Opcode::accept, listener));
    expect(finished(first));
    Fd reset(first.result);
    Probe& second = begin(make(Opcode::accept, listener));
    expect(finished(second));
    Fd connection(second.result);

    Probe& receiver = begin(make_receiver(reset));
    expect(finished(receiver));
    expect_equal(receiver.result, -ECONNRESET);
    put(good, "fine");
    Probe& other = begin(make_receiver(connection));
    expect(finished(other));
    expect_equal(other.text(), "fine");
}

void ProactorContract::connects() {
    Fd listener = listening_socket();
    Fd fd(call(Opcode::socket, -1, AF_INET, SOCK_STREAM));

    Probe& connector = begin(make_with_address(Opcode::connect, fd, name_of(listener)));

    expect(finished(connector));
    expect_equal(connector.result, 0);
    Fd peer(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    put(peer, "welcome");
    Probe& receiver = begin(make_receiver(fd));
    expect(finished(receiver));
    expect_equal(receiver.text(), "welcome");
}

void ProactorContract::reports_a_refused_connection() {
    Fd bound = bound_socket(SOCK_STREAM);  // and does not listen
    Fd fd(call(Opcode::socket, -1, AF_INET, SOCK_STREAM));

    Probe& refused = begin(make_with_address(Opcode::connect, fd, name_of(bound)));
    expect(finished(refused));
    expect_equal(refused.result, -ECONNREFUSED);
}

void ProactorContract::reports_that_there_is_no_such_unix_socket() {
    Fd fd(call(Opcode::socket, -1, AF_UNIX, SOCK_STREAM));
    sockaddr_un un{};
    un.sun_family = AF_UNIX;
    std::strcpy(un.sun_path, "/nonexistent/socket");
    SocketAddress address;
    std::memcpy(address.storage, &un, sizeof un);
    address.size = sizeof un;

    Probe& probe = begin(make_with_address(Opcode::connect, fd, address));

    expect(finished(probe));
    expect_equal(probe.result, -ENOENT);
}

// A listener whose backlog is full answers nothing at all.
void ProactorContract::cancels_a_connect_that_is_under_way() {
    Fd listener = listening_socket(0);
    std::vector<Fd> clients;
    Probe* stuck = nullptr;
    for (int i = 0; i < 20 && stuck == nullptr; ++i) {
        clients.emplace_back(call(Opcode::socket, -1, AF_INET, SOCK_STREAM));
        Probe& probe = begin(make_with_address(Opcode::connect, clients.back(), name_of(listener)));
        settle();
        stuck = probe.runs == 0 ? &probe : nullptr;
    }
    expect(stuck != nullptr);
    if (stuck != nullptr) {
        cancel(*stuck);

        expect(finished(*stuck));
        expect_equal(stuck->result, -ECANCELED);
    }
}

// -------------------------------------------------------------------------------------- cancelling

void ProactorContract::cancels_what_is_still_pending() {
    Pair pair = tcp_pair();
    put(pair.theirs, "data");
    Probe& probe = start(make_receiver(pair.ours));

    cancel(probe);

    expect(finished(probe));
    expect_equal(probe.result, -ECANCELED);
    settle();
    expect_equal(probe.runs, 1);
    expect_equal(take(pair.ours), "data");
}

void ProactorContract::cancels_what_waits_and_loses_no_data() {
    Pair pair = tcp_pair();
    Probe& cancelled = wait_with(make_receiver(pair.ours));

    cancel(cancelled);
    put(pair.theirs, "data");

    expect(finished(cancelled));
    expect_equal(cancelled.result, -ECANCELED);
    Probe& next = begin(make_receiver(pair.ours));
    expect(finished(next));
    expect_equal(next.text(), "data");
    expect_equal(cancelled.runs, 1);
}

void ProactorContract::leaves_alone_what_has_completed() {
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

    expect_equal(probe.runs, 1);
    expect_equal(probe.text(), "data");
}

void ProactorContract::cancels_twice_as_once() {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));

    cancel(probe);
    cancel(probe);

    expect(finished(probe));
    settle();
    expect_equal(probe.runs, 1);
    expect_equal(probe.result, -ECANCELED);
}

void ProactorContract::cancels_one_of_many_that_wait_in_line() {
    Pair pair = tcp_pair();
    Probe& first = receive(pair.ours, 1);
    Probe& second = receive(pair.ours, 1);
    Probe& third = receive(pair.ours, 1);
    settle();

    cancel(second);
    put(pair.theirs, "ab");

    expect(finished(third));
    expect_equal(first.text() + third.text(), "ab");
    expect(finished(second));
    expect_equal(second.result, -ECANCELED);
}

void ProactorContract::starts_again_what_was_cancelled() {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));
    cancel(probe);
    expect(finished(probe));

    begin(probe);
    put(pair.theirs, "data");

    expect(until([&] { return probe.runs == 2; }));
    expect_equal(probe.text(), "data");
}

void ProactorContract::aborts_everything_at_once() {
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

    expect_equal(receiver.runs, 1);
    expect_equal(sender.runs, 1);
    expect_equal(receiver.result, -ECANCELED);
    expect_equal(sender.result, -ECANCELED);
}

std::span<const ProactorCheck> ProactorContract::checks_of_connections() noexcept {
    static constexpr ProactorCheck all[] = {
        {"accepts_every_connection_of_one_event",
         &ProactorContract::accepts_every_connection_of_one_event},
        {"accepts_without_asking_for_the_address",
         &ProactorContract::accepts_without_asking_for_the_address},
        {"accepts_again_after_it_has_run_out_of_descriptors",
         &ProactorContract::accepts_again_after_it_has_run_out_of_descriptors},
        {"survives_a_connection_that_is_reset_before_it_is_accepted",
         &ProactorContract::survives_a_connection_that_is_reset_before_it_is_accepted},
        {"connects", &ProactorContract::connects},
        {"reports_a_refused_connection", &ProactorContract::reports_a_refused_connection},
        {"reports_that_there_is_no_such_unix_socket",
         &ProactorContract::reports_that_there_is_no_such_unix_socket},
        {"cancels_a_connect_that_is_under_way",
         &ProactorContract::cancels_a_connect_that_is_under_way},
        {"cancels_what_is_still_pending", &ProactorContract::cancels_what_is_still_pending},
        {"cancels_what_waits_and_loses_no_data",
         &ProactorContract::cancels_what_waits_and_loses_no_data},
        {"leaves_alone_what_has_completed", &ProactorContract::leaves_alone_what_has_completed},
        {"cancels_twice_as_once", &ProactorContract::cancels_twice_as_once},
        {"cancels_one_of_many_that_wait_in_line",
         &ProactorContract::cancels_one_of_many_that_wait_in_line},
        {"starts_again_what_was_cancelled", &ProactorContract::starts_again_what_was_cancelled},
        {"aborts_everything_at_once", &ProactorContract::aborts_everything_at_once},
    };
    return all;
}

}  // namespace asyncio::testing
