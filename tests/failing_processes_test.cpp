// failing_processes_test.cpp - each system call, and each operation, of a program that starts
// others or serves until it is told to end fails, in turn; and a system that is hostile all the
// time.
//
// SPDX-License-Identifier: MIT
#include "support/children.hpp"
#include "support/each_operation.hpp"
#include "support/each_system_call.hpp"
#include "support/programs.hpp"

#include <asyncio/shutdown.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/subprocess.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/timeouts.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <sys/wait.h>

namespace asyncio {

namespace {

using namespace std::chrono_literals;
using testing::expect_survives_each_operation;
using testing::expect_survives_each_system_call;
using testing::has_children;
using testing::HostileSystem;
using testing::Hostility;
using testing::OutsideWork;
using testing::with_program;

void check(bool holds) {
    if (!holds) {
        throw InvalidStateError("the result is wrong");
    }
}

// -------------------------------------------------------------------------------- scenarios

Coroutine<> talk_to(Process process) {
    const ProcessOutput output = co_await process.communicate("a line\n");
    // That the program does not get its input, for EPIPE, is no error of communicate().
    check(output.stdout_ == "a line\n" || output.stdout_.empty());
    check(output.stderr_ == "a complaint\n");
    const int status = co_await process.wait();
    check(status == 3);
}

Coroutine<> start_a_program_with_three_pipes() {
    const OutsideWork outside;
    Process process =
        co_await create_subprocess_exec({.stdin_ = PIPE, .stdout_ = PIPE, .stderr_ = PIPE},
                                        "/bin/sh", "-c", "cat; echo a complaint >&2; exit 3");
    co_await with_program(process, &talk_to);
}

Coroutine<> end_by_a_signal(Process process) {
    const std::string line = co_await process.stdout_().readline();
    check(line == "ready\n");
    process.terminate();
    const int status = co_await process.wait();
    check(status == -SIGTERM);
}

Coroutine<> start_a_program_that_is_terminated() {
    const OutsideWork outside;
    SubprocessOptions options{.stdin_ = DEVNULL, .stdout_ = PIPE, .stderr_ = STDOUT};
    options.cwd = "/";
    options.start_new_session = true;
    Process process =
        co_await create_subprocess_exec(options, "/bin/sh", "-c", "echo ready; exec sleep 1000");
    co_await with_program(process, &end_by_a_signal);
}

Coroutine<> read_a_terminal(Process process) {
    const ProcessOutput output = co_await process.communicate();
    // EIO is how a terminal ends.
    check(output.stdout_ == "24 80\r\n" || output.stdout_.empty());
}

Coroutine<> start_a_program_in_a_terminal() {
    const OutsideWork outside;
    Process process = co_await create_subprocess_exec({.pty = TerminalSize()}, "stty", "size");
    co_await with_program(process, &read_a_terminal);
}

Coroutine<> serve_lines(StreamReader reader, StreamWriter writer) {
    for (;;) {
        const std::string line = co_await reader.readline();
        if (line.empty() || shutdown_event().is_set()) {
            break;
        }
        writer.write(line);
        co_await writer.drain();
    }
    writer.close();
    co_await writer.wait_closed();
}

Coroutine<> visit_until_the_end(int port, Task<int>& serving) {
    auto [reader, writer] = co_await open_connection("127.0.0.1", port);
    auto [idle_reader, idle_writer] = co_await open_connection("127.0.0.1", port);
    writer.write("a line\n");
    const std::string answer = co_await reader.readline();
    check(answer == "a line\n");
    if (!serving.done()) {
        ::raise(SIGTERM);
        co_await shutdown_event().wait();
    }
    writer.write("too late\n");
    const std::string rest = co_await reader.read();
    check(rest.empty());
    // The one that says nothing is cancelled after the time of grace.
    const std::string nothing = co_await idle_reader.read();
    check(nothing.empty());
    writer.close();
    idle_writer.close();
}

Coroutine<> serve_until_terminated() {
    Server server = co_await start_server(serve_lines, "127.0.0.1", 0);
    const int port = server.addresses().front().port();
    Task<int> serving = create_task(serve_until_signalled(server, {.grace = 10s}));
    const Result<void> visited =
        co_await as_result(wait_for(visit_until_the_end(port, serving), 100));
    if (!visited.has_value()) {
        serving.cancel();
        std::rethrow_exception(visited.error());
    }
    const int signal = co_await wait_for(serving, 100);
    check(signal == SIGTERM);
}

// ----------------------------------------------------------------------------------- sweeps

TEST(EachSystemCall, may_fail_in_a_program_with_three_pipes) {
    expect_survives_each_system_call(&start_a_program_with_three_pipes);
    EXPECT_FALSE(has_children());
}
TEST(EachOperation, may_fail_in_a_program_with_three_pipes) {
    expect_survives_each_operation(&start_a_program_with_three_pipes);
    EXPECT_FALSE(has_children());
}
TEST(EachOperation, that_waits_for_a_program_may_be_done_too_early) {
    const auto too_early = [] {  // no error: the result is 1, as if it were readable
        return std::make_unique<testing::FailingOperation>(lowlevel::Opcode::poll_in, 1, -1);
    };
    const lowlevel::ProactorFactory before =
        lowlevel::set_proactor_factory(&testing::make_failing_proactor);
    for (const char* proactor : testing::proactors) {
        SCOPED_TRACE(std::string("on ") + proactor);
        EXPECT_TRUE(testing::expect_survives(&start_a_program_that_is_terminated, proactor,
                                             "poll_in", too_early));
    }
    lowlevel::set_proactor_factory(before);
    EXPECT_FALSE(has_children());
}
TEST(EachSystemCall, may_fail_in_a_program_that_is_terminated) {
    expect_survives_each_system_call(&start_a_program_that_is_terminated);
    EXPECT_FALSE(has_children());
}
TEST(EachSystemCall, may_fail_in_a_program_in_a_terminal) {
    expect_survives_each_system_call(&start_a_program_in_a_terminal);
    EXPECT_FALSE(has_children());
}
TEST(EachSystemCall, may_fail_while_a_server_shuts_down) {
    std::signal(SIGTERM, SIG_IGN);  // it may come where nobody handles it
    expect_survives_each_system_call(&serve_until_terminated);
    std::signal(SIGTERM, SIG_DFL);
}
TEST(EachOperation, may_fail_while_a_server_shuts_down) {
    std::signal(SIGTERM, SIG_IGN);
    expect_survives_each_operation(&serve_until_terminated);
    std::signal(SIGTERM, SIG_DFL);
}

// ----------------------------------------------------------------------------------- storms

/// On the real clock. Returns how many lies were told.
std::int64_t withstand(testing::Scenario scenario, const Hostility& hostility) {
    std::int64_t lies = 0;
    for (const char* proactor : testing::proactors) {
        if ((hostility.would_block > 0 || hostility.most_bytes != Hostility::no_limit) &&
            std::string_view(proactor) != "epoll") {
            continue;  // only epoll can be made to report a descriptor again
        }
        SCOPED_TRACE(std::string("on ") + proactor);
        const std::size_t before = testing::open_descriptors();
        const HostileSystem system(hostility);
        try {
            run(wait_for(scenario(), 100), {.proactor = proactor});
        } catch (...) {
            ADD_FAILURE() << "the test threw " << describe(std::current_exception());
        }
        lies += system.lies();
        EXPECT_EQ(testing::open_descriptors(), before);
        EXPECT_FALSE(has_children());
    }
    return lies;
}

std::string long_text() {
    std::string text;
    for (int i = 0; text.size() < 200'000; ++i) {
        text += std::to_string(i) + '\n';
    }
    return text;
}

// More than pipes take, both ways: all of it arrives.
Coroutine<> exchange_much_with_a_program() {
    const std::string text = long_text();
    Process process = co_await create_subprocess_exec(
        {.stdin_ = PIPE, .stdout_ = PIPE, .stderr_ = PIPE}, "/bin/sh", "-c", "tee /dev/stderr");
    const ProcessOutput output = co_await process.communicate(text);
    check(output.stdout_ == text);
    check(output.stderr_ == text);
    check(process.returncode() == 0);
}

void withstand_storms(Hostility hostility) {
    std::int64_t lies = 0;
    for (hostility.seed = 1; hostility.seed <= 5; ++hostility.seed) {
        SCOPED_TRACE("seed " + std::to_string(hostility.seed));
        lies += withstand(&exchange_much_with_a_program, hostility);
        lies += withstand(&start_a_program_with_three_pipes, hostility);
        lies += withstand(&start_a_program_that_is_terminated, hostility);
    }
    EXPECT_GT(lies, 0);
}

TEST(HostileSystem, that_interrupts_programs_most_of_the_time_loses_no_byte) {
    Hostility hostility;
    hostility.interrupted = 80;
    withstand_storms(hostility);
}
TEST(HostileSystem, that_says_not_now_to_programs_most_of_the_time_loses_no_byte) {
    Hostility hostility;
    hostility.would_block = 90;
    withstand_storms(hostility);
}
TEST(HostileSystem, that_transfers_little_at_a_time_to_programs_loses_no_byte) {
    for (const std::size_t size : {1U, 2U, 7U, 64U}) {
        SCOPED_TRACE("in pieces of " + std::to_string(size));
        Hostility hostility;
        hostility.most_bytes = size;
        withstand(&start_a_program_with_three_pipes, hostility);
        withstand(&start_a_program_that_is_terminated, hostility);
    }
    Hostility hostility;
    hostility.most_bytes = 997;
    EXPECT_GT(withstand(&exchange_much_with_a_program, hostility), 0);
}

}  // namespace

}  // namespace asyncio
