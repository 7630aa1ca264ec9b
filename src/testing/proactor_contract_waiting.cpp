// proactor_contract_waiting.cpp - what proactors promise: fairness, time, waking.
//
// SPDX-License-Identifier: MIT
#include "proactor_contract.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/time.h>

namespace asyncio::testing {

// ---------------------------------------------------------------------------------------- fairness

void ProactorContract::completes_more_than_one_poll_can_report() {
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
        expect(finished(*probe));
    }
}

void ProactorContract::shares_the_turns_between_descriptors_that_are_always_ready() {
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
        expect(until([&] { return modest.runs > before; }));
    }

    expect(std::abs(greedy[0]->runs - greedy[1]->runs) <= 1);
    expect(greedy[0]->runs >= 50);
}

void ProactorContract::ends_a_row_of_attempts_that_never_have_to_wait() {
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

    expect(in_place < 10'000);
    expect(finished(other));
    expect(finished(greedy));
}

void ProactorContract::ends_a_row_of_attempts_on_many_descriptors() {
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

    expect(in_place < 5'000);
}

// The order of what was sent is the order in which it was asked for, whatever is done in place.
void ProactorContract::keeps_the_order_when_attempts_are_used_up() {
    Pair pair = tcp_pair();
    std::string expected;
    for (int i = 0; i < 100; ++i) {
        expected += std::to_string(i) + " ";
        begin(make_sender(pair.ours, std::to_string(i) + " "));
    }
    settle();

    std::string received;
    expect(until([&] {
        received += take(pair.theirs);
        return received.size() >= expected.size();
    }));
    expect_equal(received, expected);
}

// ----------------------------------------------------------------------------------- time and
// waking

void ProactorContract::waits_until_the_deadline_and_not_in_many_small_waits() {
    for (const auto delay : {300us, 1500us, 20'000us}) {
        const TimePoint deadline = proactor().now() + delay;
        polls = 0;

        while (proactor().now() < deadline) {
            turn(deadline);
        }

        expect(polls <= 3);
    }
}

void ProactorContract::waits_for_a_deadline_however_far_it_is() {
    // 50 days: cut off to 32 bits, this number of milliseconds is next to nothing.
    const auto days = std::chrono::milliseconds((std::int64_t{1} << 32) + 3);
    const TimePoint start = proactor().now();
    for (const TimePoint deadline : {start + days, start + 100 * 365 * 24h, TimePoint::max()}) {
        std::atomic<bool> said{false};
        polls = 0;
        std::thread thread([&] {
            std::this_thread::sleep_for(5ms);  // it waits, most likely
            said = true;
            proactor().wake();
        });

        while (!said && proactor().now() < deadline) {
            turn(deadline);
        }

        thread.join();
        settle();
        expect(polls <= 6);  // three of them to settle; who cannot wait so long makes thousands
    }
}

void ProactorContract::does_not_wait_for_what_is_past() {
    const TimePoint before = proactor().now();

    turn(TimePoint::min());
    turn(TimePoint(-1h));
    turn(before - 1s);
    turn(before);

    expect(nothing_ready());
    expect(proactor().now() >= before);
}

void ProactorContract::does_not_wait_when_something_has_completed_at_the_start() {
    Fd zero(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
    Probe& probe = start(make_receiver(zero, 1, Opcode::read));

    turn(TimePoint::max());

    expect_equal(probe.runs, 1);
}

void ProactorContract::does_not_wait_when_something_was_completed_by_close() {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));
    expect_equal(close(pair.ours), 0);

    turn(TimePoint::max());

    expect_equal(probe.runs, 1);
}

void ProactorContract::ends_a_wait_without_a_deadline_when_something_completes() {
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
    expect_equal(probe.text(), "x");
}

void ProactorContract::ends_the_next_wait_when_woken_before() {
    std::thread([&] { proactor().wake(); }).join();

    turn(TimePoint::max());

    expect(nothing_ready());
}

void ProactorContract::ends_the_wait_when_woken_by_another_thread() {
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
    expect(nothing_ready());
}

void ProactorContract::takes_many_wakes_as_one() {
    for (int i = 0; i < 1000; ++i) {
        proactor().wake();
    }
    turn(TimePoint::max());
    polls = 0;

    const TimePoint deadline = proactor().now() + 10ms;
    while (proactor().now() < deadline) {
        turn(deadline);
    }

    expect(polls <= 3);
}

void ProactorContract::loses_no_wake() {
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
    expect_equal(said.load(), rounds);
}

static std::atomic<Proactor*> woken_by_signal{nullptr};

void ProactorContract::is_woken_by_a_signal_handler_which_keeps_errno() {
    woken_by_signal = &proactor();
    struct sigaction action{};
    struct sigaction before{};
    action.sa_handler = [](int) { woken_by_signal.load()->wake(); };
    expect_equal(::sigaction(SIGUSR1, &action, &before), 0);
    errno = ENOTTY;

    ::raise(SIGUSR1);

    expect_equal(errno, ENOTTY);
    turn(TimePoint::max());
    expect(nothing_ready());
    expect_equal(::sigaction(SIGUSR1, &before, nullptr), 0);
}

void ProactorContract::survives_signals_while_it_waits() {
    static volatile std::sig_atomic_t alarms = 0;
    alarms = 0;
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));
    struct sigaction action{};
    struct sigaction before{};
    action.sa_handler = [](int) { alarms = alarms + 1; };
    expect_equal(::sigaction(SIGALRM, &action, &before), 0);
    itimerval often{};
    often.it_interval.tv_usec = often.it_value.tv_usec = 2000;
    expect_equal(::setitimer(ITIMER_REAL, &often, nullptr), 0);

    while (alarms < 5) {
        turn(TimePoint::max());
        expect_equal(probe.runs, 0);
    }
    const itimerval never{};
    expect_equal(::setitimer(ITIMER_REAL, &never, nullptr), 0);
    put(pair.theirs, "x");

    expect(finished(probe));
    expect_equal(::sigaction(SIGALRM, &before, nullptr), 0);
}

// A wait that began anew with all of its time whenever it is interrupted would never end.
void ProactorContract::keeps_its_deadline_though_signals_interrupt_it() {
    constexpr int too_many = 500;
    static volatile std::sig_atomic_t alarms = 0;
    alarms = 0;
    struct sigaction action{};
    struct sigaction before{};
    action.sa_handler = [](int) {
        alarms = alarms + 1;
        if (alarms == too_many) {
            const itimerval never{};
            ::setitimer(ITIMER_REAL, &never, nullptr);
        }
    };
    expect_equal(::sigaction(SIGALRM, &action, &before), 0);
    itimerval often{};
    often.it_interval.tv_usec = often.it_value.tv_usec = 2000;
    expect_equal(::setitimer(ITIMER_REAL, &often, nullptr), 0);

    const TimePoint deadline = proactor().now() + 20ms;
    while (proactor().now() < deadline) {
        turn(deadline);
    }

    const itimerval never{};
    expect_equal(::setitimer(ITIMER_REAL, &never, nullptr), 0);
    expect(alarms < too_many);
    expect_equal(::sigaction(SIGALRM, &before, nullptr), 0);
}

void ProactorContract::has_a_descriptor_that_says_when_there_is_something_to_do() {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));
    settle();
    pollfd entry{proactor().descriptor(), POLLIN, 0};
    expect_equal(::poll(&entry, 1, 0), 0);

    put(pair.theirs, "x");
    expect_equal(::poll(&entry, 1, 10'000), 1);
    expect(finished(probe));
    settle();
    expect_equal(::poll(&entry, 1, 0), 0);

    proactor().wake();
    expect_equal(::poll(&entry, 1, 10'000), 1);
    settle();
    expect_equal(::poll(&entry, 1, 0), 0);

    wait_with(make_receiver(pair.ours));
    expect_equal(close(pair.ours), 0);
    expect_equal(::poll(&entry, 1, 10'000), 1);
}

void ProactorContract::draws_random_numbers_that_differ() {
    Driver other(make_another());
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

    expect_equal(drawn.size(), 2000U);
    expect_equal(all_ones, 0U);
    expect_equal(any_ones, ~std::uint64_t{0});
}

std::span<const ProactorCheck> ProactorContract::checks_of_waiting() noexcept {
    static constexpr ProactorCheck all[] = {
        {"completes_more_than_one_poll_can_report",
         &ProactorContract::completes_more_than_one_poll_can_report},
        {"shares_the_turns_between_descriptors_that_are_always_ready",
         &ProactorContract::shares_the_turns_between_descriptors_that_are_always_ready},
        {"ends_a_row_of_attempts_that_never_have_to_wait",
         &ProactorContract::ends_a_row_of_attempts_that_never_have_to_wait},
        {"ends_a_row_of_attempts_on_many_descriptors",
         &ProactorContract::ends_a_row_of_attempts_on_many_descriptors},
        {"keeps_the_order_when_attempts_are_used_up",
         &ProactorContract::keeps_the_order_when_attempts_are_used_up},
        {"waits_until_the_deadline_and_not_in_many_small_waits",
         &ProactorContract::waits_until_the_deadline_and_not_in_many_small_waits},
        {"waits_for_a_deadline_however_far_it_is",
         &ProactorContract::waits_for_a_deadline_however_far_it_is},
        {"does_not_wait_for_what_is_past", &ProactorContract::does_not_wait_for_what_is_past},
        {"does_not_wait_when_something_has_completed_at_the_start",
         &ProactorContract::does_not_wait_when_something_has_completed_at_the_start},
        {"does_not_wait_when_something_was_completed_by_close",
         &ProactorContract::does_not_wait_when_something_was_completed_by_close},
        {"ends_a_wait_without_a_deadline_when_something_completes",
         &ProactorContract::ends_a_wait_without_a_deadline_when_something_completes},
        {"ends_the_next_wait_when_woken_before",
         &ProactorContract::ends_the_next_wait_when_woken_before},
        {"ends_the_wait_when_woken_by_another_thread",
         &ProactorContract::ends_the_wait_when_woken_by_another_thread},
        {"takes_many_wakes_as_one", &ProactorContract::takes_many_wakes_as_one},
        {"loses_no_wake", &ProactorContract::loses_no_wake},
        {"is_woken_by_a_signal_handler_which_keeps_errno",
         &ProactorContract::is_woken_by_a_signal_handler_which_keeps_errno},
        {"survives_signals_while_it_waits", &ProactorContract::survives_signals_while_it_waits},
        {"keeps_its_deadline_though_signals_interrupt_it",
         &ProactorContract::keeps_its_deadline_though_signals_interrupt_it},
        {"has_a_descriptor_that_says_when_there_is_something_to_do",
         &ProactorContract::has_a_descriptor_that_says_when_there_is_something_to_do},
        {"draws_random_numbers_that_differ", &ProactorContract::draws_random_numbers_that_differ},
    };
    return all;
}

}  // namespace asyncio::testing
