// subprocess_protocols_test.cpp - processes and protocols: SubprocessTransport, SubprocessProtocol.
//
// SPDX-License-Identifier: MIT
#include <asyncio/subprocess.hpp>
#include <asyncio/tasks.hpp>

#include "support/async_test.hpp"
#include "support/children.hpp"
#include "support/network.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

using namespace asyncio;
using asyncio::testing::has_children;
using asyncio::testing::settle;
using asyncio::testing::wait_for_end;

namespace {

/// Notes what it is told, data per stream joined.
class Recorder : public SubprocessProtocol {
public:
    void connection_made(SubprocessTransport& made) override {
        transport = &made;
        note("made");
        if (on_made) {
            on_made(made);
        }
    }
    void pipe_data_received(int fd, std::string_view data) override {
        received[static_cast<std::size_t>(fd)] += data;
    }
    void pipe_connection_lost(int fd, std::exception_ptr exc) override {
        note("lost " + std::to_string(fd) + " " + describe(exc));
    }
    void process_exited() override {
        note("exited " + std::to_string(transport->get_returncode().value_or(1000)));
    }
    void connection_lost(std::exception_ptr exc) override {
        note("lost " + describe(exc));
        done.set_result();
    }
    void pause_writing() override { note("pause"); }
    void resume_writing() override { note("resume"); }

    void note(std::string event) { events.push_back(std::move(event)); }
    /// What came between the beginning and the end, in any order.
    [[nodiscard]] std::vector<std::string> between() const {
        std::vector<std::string> sorted(events.begin() + 1, events.end() - 1);
        std::sort(sorted.begin(), sorted.end());
        return sorted;
    }

    SubprocessTransport* transport = nullptr;
    std::vector<std::string> events;
    std::string received[3];
    detail::UniqueFunction<void(SubprocessTransport&)> on_made;
    Future<> done = get_running_loop().create_future();
};

using Events = std::vector<std::string>;

std::unique_ptr<Recorder> make_recorder() {
    return std::make_unique<Recorder>();
}

WriteTransport& input_of(SubprocessTransport& transport) {
    return dynamic_cast<WriteTransport&>(*transport.get_pipe_transport(0));
}

}  // namespace

ASYNC_TEST(SubprocessProtocol, is_told_everything_and_the_end_last) {
    auto [transport, protocol] =
        co_await subprocess_exec(make_recorder, "/bin/sh", "-c", "cat; echo err >&2; exit 3");
    EXPECT_EQ(protocol->events, Events{"made"});
    EXPECT_EQ(&transport, protocol->transport);
    EXPECT_GT(transport.get_pid(), 0);
    EXPECT_EQ(transport.get_returncode(), std::nullopt);
    EXPECT_FALSE(transport.is_closing());
    EXPECT_EQ(transport.get_protocol(), protocol);
    EXPECT_EQ(transport.get_extra_info("subprocess"), std::to_string(transport.get_pid()));
    EXPECT_EQ(transport.get_pipe_transport(7), nullptr);

    input_of(transport).write("data");
    input_of(transport).write_eof();
    co_await protocol->done;

    EXPECT_EQ(protocol->events.front(), "made");
    EXPECT_EQ(protocol->events.back(), "lost None");
    EXPECT_EQ(protocol->between(),
              (Events{"exited 3", "lost 0 None", "lost 1 None", "lost 2 None"}));
    EXPECT_EQ(protocol->received[1], "data");
    EXPECT_EQ(protocol->received[2], "err\n");
    EXPECT_EQ(transport.get_returncode(), 3);
    EXPECT_EQ(transport.get_protocol(), nullptr);
    EXPECT_THROW(transport.kill(), ProcessLookupError);
}

ASYNC_TEST(SubprocessProtocol, has_only_the_pipes_that_were_asked_for) {
    auto [transport, protocol] = co_await subprocess_shell({.stdin_ = DEVNULL, .stderr_ = STDOUT},
                                                           make_recorder, "echo out; echo err >&2");
    EXPECT_EQ(transport.get_pipe_transport(0), nullptr);
    EXPECT_NE(transport.get_pipe_transport(1), nullptr);
    EXPECT_EQ(transport.get_pipe_transport(2), nullptr);
    co_await protocol->done;

    EXPECT_EQ(protocol->between(), (Events{"exited 0", "lost 1 None"}));
    EXPECT_EQ(protocol->received[1], "out\nerr\n");
}

ASYNC_TEST(SubprocessProtocol, without_pipes_is_told_the_end) {
    auto [transport, protocol] = co_await subprocess_exec(
        make_recorder, {.stdin_ = INHERIT, .stdout_ = INHERIT, .stderr_ = INHERIT}, "false");
    co_await protocol->done;
    EXPECT_EQ(protocol->events, (Events{"made", "exited 1", "lost None"}));
}

ASYNC_TEST(SubprocessProtocol, is_called_by_the_program_s_whole_life) {
    auto [transport, protocol] = co_await subprocess_exec(make_recorder, "cat");
    for (const char* line : {"one", "two"}) {
        input_of(transport).write(line);
        while (protocol->received[1].find(line) == std::string::npos) {
            co_await settle();
        }
    }
    transport.terminate();
    co_await protocol->done;
    EXPECT_EQ(transport.get_returncode(), -SIGTERM);
    EXPECT_EQ(protocol->received[1], "onetwo");
}

ASYNC_TEST(SubprocessTransport, closed_kills_the_program) {
    auto [transport, protocol] = co_await subprocess_exec(make_recorder, "cat");
    transport.close();
    EXPECT_TRUE(transport.is_closing());
    transport.close();
    co_await protocol->done;
    EXPECT_EQ(transport.get_returncode(), -SIGKILL);
    EXPECT_EQ(protocol->between(),
              (Events{"exited -9", "lost 0 None", "lost 1 None", "lost 2 None"}));
}

ASYNC_TEST(SubprocessTransport, closed_when_the_program_has_ended_kills_nobody) {
    auto [transport, protocol] = co_await subprocess_exec(make_recorder, "cat");
    input_of(transport).close();
    co_await protocol->done;
    transport.close();
    EXPECT_EQ(transport.get_returncode(), 0);
}

ASYNC_TEST(SubprocessTransport, may_be_used_when_the_protocol_learns_of_it) {
    const auto make = [] {
        auto recorder = make_recorder();
        recorder->on_made = [](SubprocessTransport& transport) {
            input_of(transport).write("early");
            input_of(transport).close();
        };
        return recorder;
    };
    auto [transport, protocol] = co_await subprocess_exec(make, "cat");
    co_await protocol->done;
    EXPECT_EQ(protocol->received[1], "early");
}

ASYNC_TEST(SubprocessTransport, holds_its_writer_up) {
    auto [transport, protocol] = co_await subprocess_exec(make_recorder, "cat");
    dynamic_cast<ReadTransport&>(*transport.get_pipe_transport(1)).pause_reading();
    input_of(transport).write(std::string(1'000'000, 'x'));
    EXPECT_EQ(protocol->events, (Events{"made", "pause"}));
    dynamic_cast<ReadTransport&>(*transport.get_pipe_transport(1)).resume_reading();
    while (protocol->received[1].size() < 1'000'000) {
        co_await settle();
    }
    EXPECT_EQ(protocol->events, (Events{"made", "pause", "resume"}));
    input_of(transport).close();
    co_await protocol->done;
}

ASYNC_TEST(SubprocessTransport, gets_another_protocol) {
    auto [transport, protocol] = co_await subprocess_exec(make_recorder, "cat");
    const auto second = std::make_shared<Recorder>();
    second->transport = &transport;
    second->note("second");
    transport.set_protocol(second);
    input_of(transport).write("x");
    input_of(transport).close();
    co_await second->done;
    EXPECT_EQ(protocol->events, Events{"made"});
    EXPECT_EQ(second->received[1], "x");
}

ASYNC_TEST(SubprocessProtocol, that_throws_is_reported_and_told_the_rest) {
    std::string reported;
    get_running_loop().set_exception_handler(
        [&reported](EventLoop&, const ExceptionContext& context) {
            reported += describe(context.exception) + " ";
        });
    class Throwing final : public Recorder {
        void process_exited() override { throw RuntimeError("exited"); }
        void pipe_connection_lost(int, std::exception_ptr) override { throw RuntimeError("pipe"); }
    };
    auto [transport, protocol] =
        co_await subprocess_exec([] { return std::make_unique<Throwing>(); },
                                 {.stdin_ = DEVNULL, .stderr_ = DEVNULL}, "true");
    co_await protocol->done;
    EXPECT_NE(reported.find("RuntimeError('exited')"), std::string::npos);
    EXPECT_NE(reported.find("RuntimeError('pipe')"), std::string::npos);
    get_running_loop().set_exception_handler(nullptr);
}

ASYNC_TEST(SubprocessTransport, is_closed_when_its_start_is_cancelled) {
    auto starting = create_task(subprocess_exec(make_recorder, "cat"));
    co_await sleep(0);
    starting.cancel();
    const auto result = co_await as_result(starting);
    EXPECT_TRUE(result.cancelled());
    while (has_children()) {
        co_await settle();
    }
}

ASYNC_TEST(SubprocessTransport, that_cannot_be_started_says_so) {
    const auto failed = co_await as_result(subprocess_exec(make_recorder, "no-such-program"));
    EXPECT_EQ(describe(failed.error()), "FileNotFoundError(2, 'No such file or directory')");
    const auto throwing = []() -> std::unique_ptr<Recorder> { throw RuntimeError("no protocol"); };
    const auto refused = co_await as_result(subprocess_exec(throwing, "true"));
    EXPECT_EQ(describe(refused.error()), "RuntimeError('no protocol')");
    EXPECT_FALSE(has_children());
}

static Coroutine<> leave_with_a_protocol(std::weak_ptr<Recorder>& recorder, int& pid) {
    auto [transport, protocol] = co_await subprocess_exec(make_recorder, "cat");
    recorder = protocol;
    pid = transport.get_pid();
}

TEST(SubprocessTransport, ends_with_its_loop) {
    for (const char* proactor : asyncio::testing::proactors) {
        std::weak_ptr<Recorder> recorder;
        int pid = 0;
        run(leave_with_a_protocol(recorder, pid), {.proactor = proactor});
        EXPECT_TRUE(recorder.expired());
        wait_for_end(pid);
        const auto start = []() -> Coroutine<> {
            const Process process = co_await create_subprocess_exec("true");
            co_await process.wait();
        };
        run(start(), {.proactor = proactor});
        EXPECT_FALSE(has_children());
    }
}

ASYNC_TEST(SubprocessStreamProtocol, makes_streams_of_what_happens) {
    const auto make = [] { return std::make_unique<SubprocessStreamProtocol>(1000); };
    auto [transport, protocol] =
        co_await subprocess_shell(make, "head -c 100000 /dev/zero; read x; echo $x; echo err >&2");
    SubprocessStreamProtocol& streams = *protocol;

    const std::string zeros = co_await streams.stdout_()->readexactly(100'000);
    EXPECT_EQ(zeros, std::string(100'000, '\0'));
    streams.stdin_()->write("line\n");
    co_await streams.stdin_()->drain();
    EXPECT_EQ(co_await streams.stdout_()->read(), "line\n");
    EXPECT_EQ(co_await streams.stderr_()->read(), "err\n");
    while (!transport.is_closing()) {
        co_await settle();
    }
    EXPECT_EQ(transport.get_returncode(), 0);
    EXPECT_THROW(SubprocessStreamProtocol(0), std::invalid_argument);
}
