// no_memory_processes_test.cpp - what becomes of programs that are started, and of signals, when
// there is no memory.
//
// SPDX-License-Identifier: MIT
#include "support/children.hpp"
#include "support/each_allocation.hpp"
#include "support/network.hpp"
#include "support/programs.hpp"

#include <asyncio/signals.hpp>
#include <asyncio/subprocess.hpp>

#include <gtest/gtest.h>

#include <csignal>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace asyncio {

namespace {

using testing::expect_survives_each_failure;
using testing::has_children;
using testing::open_descriptors;
using testing::OutsideWork;
using testing::with_program;

void check(bool holds) {
    if (!holds) {
        throw InvalidStateError("the result is wrong");
    }
}

Coroutine<> talk_to(Process process) {
    const ProcessOutput output = co_await process.communicate("a line\n");
    check(output.stdout_ == "a line\n");
    check(output.stderr_ == "a complaint\n");
    check(process.returncode() == 3);
}

Coroutine<> start_a_program() {
    const OutsideWork outside;
    Process process =
        co_await create_subprocess_exec({.stdin_ = PIPE, .stdout_ = PIPE, .stderr_ = PIPE},
                                        "/bin/sh", "-c", "cat; echo a complaint >&2; exit 3");
    co_await with_program(process, &talk_to);
}

class UntilItEnds final : public SubprocessProtocol {
public:
    explicit UntilItEnds(Future<> ended) noexcept : ended_(std::move(ended)) {}
    void pipe_data_received(int, std::string_view data) override { heard += data; }
    void connection_lost(std::exception_ptr) override {
        if (!ended_.done()) {
            ended_.set_result();
        }
    }
    std::string heard;

private:
    Future<> ended_;
};

Coroutine<> start_a_program_with_a_protocol() {
    const OutsideWork outside;
    const Future<> ended = get_running_loop().create_future();
    auto [transport, protocol] =
        co_await subprocess_exec([&ended] { return std::make_unique<UntilItEnds>(ended); },
                                 {.stdin_ = DEVNULL}, "/bin/sh", "-c", "echo hello");
    co_await ended;
    check(protocol->heard == "hello\n" || protocol->heard.empty());
}

Coroutine<> handle_signals() {
    const Future<> called = get_running_loop().create_future();
    add_signal_handler(SIGUSR1, [called] {
        if (!called.done()) {
            called.set_result();
        }
    });
    Signals signals(SIGUSR2);
    ::raise(SIGUSR1);
    ::raise(SIGUSR2);
    const std::optional<int> signal = co_await wait_for(signals.next(), 100);
    co_await wait_for(called, 100);
    check(signal == SIGUSR2);
    remove_signal_handler(SIGUSR1);
}

TEST(NoMemory, for_programs) {
    const std::size_t before = open_descriptors();

    expect_survives_each_failure(&start_a_program);

    EXPECT_EQ(open_descriptors(), before);
    EXPECT_FALSE(has_children());
}

TEST(NoMemory, for_programs_with_protocols) {
    const std::size_t before = open_descriptors();

    expect_survives_each_failure(&start_a_program_with_a_protocol);

    EXPECT_EQ(open_descriptors(), before);
    EXPECT_FALSE(has_children());
}

TEST(NoMemory, for_signals) {
    std::signal(SIGUSR1, SIG_IGN);  // they may come where nobody handles them
    std::signal(SIGUSR2, SIG_IGN);

    expect_survives_each_failure(&handle_signals);

    std::signal(SIGUSR1, SIG_DFL);
    std::signal(SIGUSR2, SIG_DFL);
}

}  // namespace

}  // namespace asyncio
