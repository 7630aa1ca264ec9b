// proactor_contract_completion.cpp - what proactors promise: what completes, and the ends of
// connections.
//
// SPDX-License-Identifier: MIT
#include "proactor_contract.hpp"

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <string>

namespace asyncio::testing {

using lowlevel::Buffer;

// ------------------------------------------------------------------------------------- completion

void ProactorContract::completes_a_receive_when_data_arrives() {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));

    put(pair.theirs, "hello");

    expect(finished(probe));
    expect_equal(probe.text(), "hello");
}

void ProactorContract::completes_a_receive_of_what_is_there_already() {
    Pair pair = tcp_pair();
    put(pair.theirs, "hello");

    Probe& probe = begin(make_receiver(pair.ours));

    expect(finished(probe));
    expect_equal(probe.text(), "hello");
}

void ProactorContract::completes_exactly_once() {
    Pair pair = unix_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));
    put(pair.theirs, "a");
    expect(finished(probe));

    put(pair.theirs, "b");
    pair.theirs.reset();
    settle();

    expect_equal(probe.runs, 1);
    expect_equal(probe.text(), "a");
}

void ProactorContract::starts_an_operation_again_that_has_completed() {
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
        expect(until([&] { return probe.runs > before; }));
    }

    expect_equal(all, "one two three");
}

void ProactorContract::marks_what_is_inside_and_what_is_complete() {
    Pair pair = tcp_pair();
    Probe& probe = make_receiver(pair.ours);
    expect(!probe.started);
    expect(!probe.completed);

    wait_with(probe);
    expect(probe.started);

    put(pair.theirs, "x");
    expect(finished(probe));
    expect(!probe.started);
    expect(probe.completed);
}

void ProactorContract::completes_in_the_order_of_the_starts_on_one_descriptor() {
    Pair pair = tcp_pair();
    Probe& first = receive(pair.ours, 1);
    Probe& second = receive(pair.ours, 1);
    Probe& third = receive(pair.ours, 1);
    settle();

    put(pair.theirs, "abc");

    expect(finished(third));
    expect_equal(first.text() + second.text() + third.text(), "abc");
}

void ProactorContract::lets_no_later_operation_overtake_a_waiting_one() {
    Pair pair = tcp_pair();
    Probe& first = wait_with(make_receiver(pair.ours, 1));
    put(pair.theirs, "ab");

    Probe& second = begin(make_receiver(pair.ours, 1));

    expect(finished(second));
    expect_equal(first.text() + second.text(), "ab");
}

void ProactorContract::waits_for_both_directions_of_one_descriptor() {
    Pair pair = unix_pair();
    fill(pair.ours);
    Probe& receiver = wait_with(make_receiver(pair.ours));
    Probe& sender = wait_with(make_sender(pair.ours, "out"));

    put(pair.theirs, "in");
    expect(finished(receiver));
    expect_equal(sender.runs, 0);
    while (!take(pair.theirs).empty()) {}

    expect(finished(sender));
    expect_equal(receiver.text(), "in");
    expect_equal(sender.result, 3);
    expect_equal(take(pair.theirs), "out");
}

void ProactorContract::completes_a_receive_of_nothing_at_once() {
    Pair pair = tcp_pair();
    Probe& probe = start(make_receiver(pair.ours, 0));
    put(pair.theirs, "x");

    expect(finished(probe));
    expect_equal(probe.result, 0);
}

// ------------------------------------------------------------------------------ ends of
// connections

void ProactorContract::reports_the_end_again_and_again() {
    Pair pair = tcp_pair();
    Probe& waiting = wait_with(make_receiver(pair.ours));

    pair.theirs.reset();

    expect(finished(waiting));
    expect_equal(waiting.result, 0);
    for (int i = 0; i < 3; ++i) {
        Probe& later = begin(make_receiver(pair.ours));
        expect(finished(later));
        expect_equal(later.result, 0);
    }
}

void ProactorContract::delivers_all_data_before_the_end() {
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

            expect(until([&] { return probe.runs > 0 && probe.result == 0; }));
            expect_equal(all, "hang up with data pending");
            expect_equal(close(pair.ours), 0);
        }
    }
}

// The data is read with a short count before the end is there; then the end has to be noticed.
void ProactorContract::notices_the_end_that_comes_after_a_short_read() {
    Pair pair = tcp_pair();
    Probe& data = wait_with(make_receiver(pair.ours));
    put(pair.theirs, "data");
    expect(finished(data));

    expect_equal(::shutdown(pair.theirs, SHUT_WR), 0);
    Probe& end = begin(make_receiver(pair.ours));

    expect(finished(end));
    expect_equal(data.text(), "data");
    expect_equal(end.result, 0);
}

// As above, but data and end are reported in one event.
void ProactorContract::notices_the_end_that_comes_with_the_data() {
    Pair pair = tcp_pair();
    Probe& data = wait_with(make_receiver(pair.ours));
    put(pair.theirs, "data");
    expect_equal(::shutdown(pair.theirs, SHUT_WR), 0);
    expect(finished(data));

    Probe& end = begin(make_receiver(pair.ours));

    expect(finished(end));
    expect_equal(data.text(), "data");
    expect_equal(end.result, 0);
}

void ProactorContract::goes_on_in_one_direction_when_the_other_has_ended() {
    Pair pair = tcp_pair();
    expect_equal(call(Opcode::shutdown, pair.ours, SHUT_WR), 0);
    expect_equal(take(pair.theirs), "");

    Probe& receiver = wait_with(make_receiver(pair.ours));
    put(pair.theirs, "still here");

    expect(finished(receiver));
    expect_equal(receiver.text(), "still here");
}

void ProactorContract::sends_to_a_peer_that_has_half_closed() {
    Pair pair = tcp_pair();
    Probe& end = wait_with(make_receiver(pair.ours));
    expect_equal(::shutdown(pair.theirs, SHUT_WR), 0);
    expect(finished(end));

    Probe& sender = begin(make_sender(pair.ours, "answer"));

    expect(finished(sender));
    expect_equal(sender.result, 6);
    expect_equal(take(pair.theirs), "answer");
}

void ProactorContract::reports_a_reset_to_the_one_that_waits() {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));

    close_hard(pair.theirs);

    expect(finished(probe));
    expect_equal(probe.result, -ECONNRESET);
}

void ProactorContract::reports_a_reset_to_a_sender_that_waits() {
    Pair pair = tcp_pair();
    fill(pair.ours);
    Probe& probe = wait_with(make_sender(pair.ours, "more"));

    close_hard(pair.theirs);

    expect(finished(probe));
    expect_equal(probe.result, -ECONNRESET);
}

void ProactorContract::sends_to_a_closed_peer_without_a_signal() {
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

    expect(finished(sender));
    expect(finished(gathered));
    expect(finished(writer));
    expect_equal(sender.result, -EPIPE);
    expect_equal(gathered.result, -EPIPE);
    expect_equal(writer.result, -EPIPE);
}

void ProactorContract::leaves_the_signal_mask_alone_when_a_pipe_breaks() {
    Pipe pipe = make_pipe();
    pipe.read_end.reset();

    expect(finished(begin(make_sender(pipe.write_end, "x", Opcode::write))));

    sigset_t blocked;
    sigset_t waiting;
    expect_equal(pthread_sigmask(SIG_SETMASK, nullptr, &blocked), 0);
    expect_equal(sigpending(&waiting), 0);
    expect_equal(sigismember(&blocked, SIGPIPE), 0);
    expect_equal(sigismember(&waiting, SIGPIPE), 0);
}

std::span<const ProactorCheck> ProactorContract::checks_of_completion() noexcept {
    static constexpr ProactorCheck all[] = {
        {"completes_a_receive_when_data_arrives",
         &ProactorContract::completes_a_receive_when_data_arrives},
        {"completes_a_receive_of_what_is_there_already",
         &ProactorContract::completes_a_receive_of_what_is_there_already},
        {"completes_exactly_once", &ProactorContract::completes_exactly_once},
        {"starts_an_operation_again_that_has_completed",
         &ProactorContract::starts_an_operation_again_that_has_completed},
        {"marks_what_is_inside_and_what_is_complete",
         &ProactorContract::marks_what_is_inside_and_what_is_complete},
        {"completes_in_the_order_of_the_starts_on_one_descriptor",
         &ProactorContract::completes_in_the_order_of_the_starts_on_one_descriptor},
        {"lets_no_later_operation_overtake_a_waiting_one",
         &ProactorContract::lets_no_later_operation_overtake_a_waiting_one},
        {"waits_for_both_directions_of_one_descriptor",
         &ProactorContract::waits_for_both_directions_of_one_descriptor},
        {"completes_a_receive_of_nothing_at_once",
         &ProactorContract::completes_a_receive_of_nothing_at_once},
        {"reports_the_end_again_and_again", &ProactorContract::reports_the_end_again_and_again},
        {"delivers_all_data_before_the_end", &ProactorContract::delivers_all_data_before_the_end},
        {"notices_the_end_that_comes_after_a_short_read",
         &ProactorContract::notices_the_end_that_comes_after_a_short_read},
        {"notices_the_end_that_comes_with_the_data",
         &ProactorContract::notices_the_end_that_comes_with_the_data},
        {"goes_on_in_one_direction_when_the_other_has_ended",
         &ProactorContract::goes_on_in_one_direction_when_the_other_has_ended},
        {"sends_to_a_peer_that_has_half_closed",
         &ProactorContract::sends_to_a_peer_that_has_half_closed},
        {"reports_a_reset_to_the_one_that_waits",
         &ProactorContract::reports_a_reset_to_the_one_that_waits},
        {"reports_a_reset_to_a_sender_that_waits",
         &ProactorContract::reports_a_reset_to_a_sender_that_waits},
        {"sends_to_a_closed_peer_without_a_signal",
         &ProactorContract::sends_to_a_closed_peer_without_a_signal},
        {"leaves_the_signal_mask_alone_when_a_pipe_breaks",
         &ProactorContract::leaves_the_signal_mask_alone_when_a_pipe_breaks},
    };
    return all;
}

}  // namespace asyncio::testing
