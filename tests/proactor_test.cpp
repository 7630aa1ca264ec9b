// proactor_test.cpp - the contract of Proactor (src/testing/proactor_contract*), against each one
// there is; and what is particular to epoll, to the choice between proactors, and to the virtual
// clock.
//
// The proactors are driven by hand here, as the loop does it: attempt, else pending; poll; run what
// is ready. Time is real, so no test expects that something is quick.
//
// SPDX-License-Identifier: MIT
#include <asyncio/lowlevel/proactor.hpp>
#include <asyncio/testing/contracts.hpp>
#include <asyncio/testing/virtual_clock.hpp>

#include "support/proactors.hpp"
#include "testing/proactor_driver.hpp"

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

using namespace asyncio::testing;
using asyncio::lowlevel::Buffer;
using asyncio::lowlevel::make_proactor;
using asyncio::lowlevel::make_system_proactor;
using asyncio::lowlevel::Message;
using asyncio::TimePoint;

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

/// One promise, on one of them.
class ProactorContract : public testing::TestWithParam<std::tuple<Maker, std::string_view>> {};

INSTANTIATE_TEST_SUITE_P(All, ProactorContract,
                         testing::Combine(testing::ValuesIn(makers()),
                                          testing::ValuesIn(proactor_contract())),
                         [](const auto& information) {
                             return std::string(std::get<0>(information.param).name) + "_" +
                                    std::string(std::get<1>(information.param));
                         });

/// One that says that an operation has completed before it has.
class HastyProactor final : public Proactor {
public:
    explicit HastyProactor(std::unique_ptr<Proactor> inner)
        : Proactor(&attempt_inside), inner_(std::move(inner)) {}

    void poll(CallbackList& pending, CallbackList& ready, TimePoint deadline) override {
        CallbackList passed;
        while (!pending.empty()) {
            auto& operation = static_cast<Operation&>(pending.pop_front());
            if (operation.opcode == Opcode::recv) {
                operation.result = 0;
                operation.completed = true;
                ready.push_back(operation);
                deadline = TimePoint::min();
            } else {
                passed.push_back(operation);
            }
        }
        inner_->poll(passed, ready, deadline);
    }
    void cancel(Operation& operation, CallbackList& ready) noexcept override {
        inner_->cancel(operation, ready);
    }
    void abort_all(CallbackList& ready) noexcept override { inner_->abort_all(ready); }
    std::int64_t call(Operation& operation) noexcept override { return inner_->call(operation); }
    [[nodiscard]] TimePoint now() const noexcept override { return inner_->now(); }
    void wake() noexcept override { inner_->wake(); }
    [[nodiscard]] int descriptor() const noexcept override { return inner_->descriptor(); }
    [[nodiscard]] std::uint64_t random() noexcept override { return 4; }
    [[nodiscard]] std::string_view name() const noexcept override { return "hasty"; }

private:
    static bool attempt_inside(Proactor& self, Operation& operation) noexcept {
        return static_cast<HastyProactor&>(self).inner_->attempt(operation);
    }

    std::unique_ptr<Proactor> inner_;
};

std::unique_ptr<Proactor> make_hasty() {
    return std::make_unique<HastyProactor>(make_epoll());
}

}  // namespace

TEST_P(ProactorContract, is_kept) {
    const auto& [maker, promise] = GetParam();
    for (const std::string& violation : check_proactor_contract(maker.make, promise)) {
        ADD_FAILURE() << violation;
    }
}

TEST(CheckProactorContract, finds_what_is_violated) {
    for (const char* const promise :
         {"completes_a_receive_when_data_arrives", "draws_random_numbers_that_differ"}) {
        const std::vector<std::string> found = check_proactor_contract(&make_hasty, promise);
        EXPECT_FALSE(found.empty());
        for (const std::string& violation : found) {
            EXPECT_EQ(violation.rfind(promise, 0), 0U) << violation;
        }
    }
}

TEST(CheckProactorContract, knows_what_there_is_to_check) {
    EXPECT_GE(proactor_contract().size(), 90U);
    EXPECT_THROW(static_cast<void>(check_proactor_contract(&make_hasty, "is_quick")),
                 std::invalid_argument);
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

    turn(beginning + 1s);

    EXPECT_EQ(proactor().now(), beginning + 1s);
    EXPECT_EQ(probe.runs, 0);
    EXPECT_GE(std::chrono::steady_clock::now() - start,
              std::chrono::nanoseconds(VirtualClock::least_patience));
}

// A time limit around what comes from outside holds on a busy machine, too.
TEST_F(VirtualClockTest, gives_the_more_of_a_chance_the_longer_the_jump) {
    Pair pair = tcp_pair();
    Probe& probe = wait_with(make_receiver(pair.ours));
    const auto start = std::chrono::steady_clock::now();

    turn(beginning + 50s);

    EXPECT_EQ(proactor().now(), beginning + 50s);
    EXPECT_EQ(probe.runs, 0);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 50ms);
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
            turn(proactor().now() + 1s);
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
