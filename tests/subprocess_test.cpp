// subprocess_test.cpp - processes with streams, and with protocols.
//
// Programs are /bin/sh and what it has. Nothing here waits for time: a process that is to live is a
// cat, whose input stays open, or a sleep that is killed.
// SPDX-License-Identifier: MIT
#include <asyncio/subprocess.hpp>
#include <asyncio/log.hpp>
#include <asyncio/pipes.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/timeouts.hpp>

#include "support/async_test.hpp"
#include "support/children.hpp"
#include "support/network.hpp"
#include "support/no_pidfd.hpp"
#include "support/observe.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace asyncio;
using asyncio::testing::has_children;
using asyncio::testing::open_descriptors;
using asyncio::testing::settle;
using asyncio::testing::wait_for_end;
using asyncio::testing::WithoutPidfds;

namespace {

using Texts = std::vector<std::string>;

/// What the library logs while it lives.
class Logged {
public:
    Logged() {
        set_logger([this](Level, std::string_view text) { lines_.emplace_back(text); });
    }
    Logged(const Logged&) = delete;
    Logged& operator=(const Logged&) = delete;
    ~Logged() { set_logger({}); }
    [[nodiscard]] bool has(std::string_view part) const {
        return std::any_of(lines_.begin(), lines_.end(), [part](const std::string& line) {
            return line.find(part) != std::string::npos;
        });
    }

private:
    Texts lines_;
};

/// Says what failed, as Python's repr() of it; "nothing" if nothing did.
template <class Awaitable>
Coroutine<std::string> failure_of(Awaitable awaitable) {
    const auto result = co_await as_result(std::move(awaitable));
    co_return result.has_value() ? "nothing" : describe(result.error());
}

/// A program that ends when its input does.
Coroutine<Process> start_cat() {
    return create_subprocess_exec({.stdin_ = PIPE, .stdout_ = PIPE}, "cat");
}

}  // namespace

// ------------------------------------------------------------------------------------- streams

ASYNC_TEST(Subprocess, gives_what_the_program_writes_and_its_status) {
    Process process =
        co_await create_subprocess_exec({.stdout_ = PIPE}, "/bin/sh", "-c", "echo hello; exit 3");

    EXPECT_GT(process.pid(), 0);
    EXPECT_EQ(co_await process.stdout_().readline(), "hello\n");
    EXPECT_EQ(co_await process.stdout_().read(), "");
    EXPECT_EQ(co_await process.wait(), 3);
    EXPECT_EQ(process.returncode(), 3);
    EXPECT_EQ(co_await process.wait(), 3);
}

ASYNC_TEST(Subprocess, reads_what_is_written_to_it) {
    Process process = co_await start_cat();

    process.stdin_().write("some data");
    co_await process.stdin_().drain();
    process.stdin_().close();

    EXPECT_EQ(co_await process.stdout_().read(), "some data");
    EXPECT_EQ(co_await process.wait(), 0);
    co_await process.stdin_().wait_closed();
}

ASYNC_TEST(Subprocess, says_which_streams_are_pipes) {
    Process process = co_await create_subprocess_exec({.stderr_ = PIPE}, "true");

    EXPECT_FALSE(process.has_stdin());
    EXPECT_FALSE(process.has_stdout());
    EXPECT_TRUE(process.has_stderr());
    EXPECT_THROW(static_cast<void>(process.stdin_()), RuntimeError);
    EXPECT_THROW(static_cast<void>(process.stdout_()), RuntimeError);
    co_await process.wait();
}

ASYNC_TEST(Subprocess, takes_texts_paths_and_ranges_of_them_as_arguments) {
    const Texts more{"two", "three"};
    const std::string last = "four";
    auto starting = create_subprocess_exec({.stdout_ = PIPE}, "printf", "%s,", "one", more,
                                           std::string_view(last));
    Process process = co_await std::move(starting);
    const ProcessOutput output = co_await process.communicate();

    EXPECT_EQ(output.stdout_, "one,two,three,four,");
}

ASYNC_TEST(Subprocess, runs_commands_by_a_shell) {
    Process process = co_await create_subprocess_shell("exit 7");
    EXPECT_EQ(co_await process.wait(), 7);

    process = co_await create_subprocess_shell({.stdout_ = PIPE}, "echo $0; echo b | tr b c");
    const ProcessOutput output = co_await process.communicate();
    EXPECT_EQ(output.stdout_, "/bin/sh\nc\n");

    process = co_await create_subprocess_shell({.stdout_ = PIPE, .executable = "/bin/bash"},
                                               "echo ${BASH##*/}");
    const ProcessOutput by_bash = co_await process.communicate();
    EXPECT_EQ(by_bash.stdout_, "bash\n");
}

ASYNC_TEST(Subprocess, joins_errors_with_the_output_and_drops_what_is_to_be_dropped) {
    Process process = co_await create_subprocess_shell({.stdout_ = PIPE, .stderr_ = STDOUT},
                                                       "echo out; echo err >&2");
    const ProcessOutput joined = co_await process.communicate();
    EXPECT_EQ(joined.stdout_, "out\nerr\n");
    EXPECT_EQ(joined.stderr_, "");

    process = co_await create_subprocess_shell(
        {.stdin_ = DEVNULL, .stdout_ = DEVNULL, .stderr_ = PIPE}, "cat; echo out; echo err >&2");
    const ProcessOutput dropped = co_await process.communicate();
    EXPECT_EQ(dropped.stdout_, "");
    EXPECT_EQ(dropped.stderr_, "err\n");
}

ASYNC_TEST(Subprocess, takes_descriptors_and_passes_others_on) {
    auto [read_end, write_end] = open_pipe();
    auto [extra_read, extra_write] = open_pipe();
    const std::array<int, 1> passed{extra_write.fileno()};
    const std::array<MappedFd, 1> mapped{{{extra_write.fileno(), 9}}};
    const std::string command =
        "echo out; echo nine >&9; echo same >&" + std::to_string(extra_write.fileno());
    Process process = co_await create_subprocess_shell(
        {.stdout_ = write_end.fileno(), .pass_fds = passed, .map_fds = mapped}, command);
    write_end.close();
    extra_write.close();

    StreamReader output = co_await open_read_pipe(std::move(read_end));
    StreamReader extra = co_await open_read_pipe(std::move(extra_read));
    EXPECT_EQ(co_await output.read(), "out\n");
    EXPECT_EQ(co_await extra.read(), "nine\nsame\n");
    EXPECT_EQ(co_await process.wait(), 0);
}

ASYNC_TEST(Subprocess, has_the_environment_that_was_asked_for) {
    const std::map<std::string, std::string> variables{{"A", "1"}, {"B", "2"}};
    Process process =
        co_await create_subprocess_exec({.stdout_ = PIPE, .env = variables}, "/usr/bin/env");
    const ProcessOutput all = co_await process.communicate();
    EXPECT_EQ(all.stdout_, "A=1\nB=2\n");

    const Texts others{"B=3", "C=4"};
    process = co_await create_subprocess_exec(
        {.stdout_ = PIPE, .env = variables, .extra_env = others}, "/usr/bin/env");
    const ProcessOutput more = co_await process.communicate();
    EXPECT_EQ(more.stdout_, "A=1\nB=3\nC=4\n");

    process = co_await create_subprocess_shell({.stdout_ = PIPE, .extra_env = others},
                                               "echo $C; [ -n \"$PATH\" ] && echo inherited");
    const ProcessOutput inherited = co_await process.communicate();
    EXPECT_EQ(inherited.stdout_, "4\ninherited\n");
}

ASYNC_TEST(Subprocess, begins_elsewhere_in_a_session_of_its_own_with_its_own_umask) {
    Process process = co_await create_subprocess_shell(
        {.stdout_ = PIPE, .cwd = "/", .start_new_session = true, .umask = 077},
        "pwd; umask; cut -d' ' -f6 /proc/$$/stat");
    const ProcessOutput output = co_await process.communicate();

    EXPECT_EQ(output.stdout_, "/\n0077\n" + std::to_string(process.pid()) + "\n");
}

// As Python's default for it.
ASYNC_TEST(Subprocess, has_this_program_s_umask_if_a_negative_one_is_asked_for) {
    const mode_t ours = ::umask(0);
    ::umask(ours);
    Process process =
        co_await create_subprocess_exec({.stdout_ = PIPE, .umask = -1}, "/bin/sh", "-c", "umask");
    const ProcessOutput output = co_await process.communicate();
    EXPECT_EQ(std::stoul(output.stdout_, nullptr, 8), ours);
}

ASYNC_TEST(Subprocess, looks_users_and_groups_up_by_name) {
    if (::geteuid() != 0) {
        co_return;
    }
    const std::array<UserOrGroup, 2> groups{UserOrGroup("daemon"), UserOrGroup(12345)};
    Process process = co_await create_subprocess_shell(
        {.stdout_ = PIPE, .user = "daemon", .group = "daemon", .extra_groups = groups},
        "id -un; id -gn; id -G");
    const ProcessOutput output = co_await process.communicate();
    EXPECT_EQ(output.stdout_.substr(0, 14), "daemon\ndaemon\n");
    EXPECT_NE(output.stdout_.find("12345"), std::string::npos);

    auto unknown = create_subprocess_exec({.user = "no-such-user"}, "true");
    EXPECT_EQ(co_await failure_of(std::move(unknown)),
              "KeyError(\"name not found: 'no-such-user'\")");
}

ASYNC_TEST(Subprocess, that_cannot_be_started_leaves_nothing) {
    const std::size_t descriptors = open_descriptors();
    auto missing = create_subprocess_exec({.stdin_ = PIPE, .stdout_ = PIPE, .stderr_ = PIPE},
                                          "no-such-program");
    EXPECT_EQ(co_await failure_of(std::move(missing)),
              "FileNotFoundError(2, 'No such file or directory')");
    auto no_file = create_subprocess_exec({.stdin_ = PIPE, .stdout_ = 777}, "true");
    EXPECT_EQ(co_await failure_of(std::move(no_file)), "OSError(9, 'Bad file descriptor')");
    EXPECT_EQ(open_descriptors(), descriptors);
    EXPECT_FALSE(has_children());
}

ASYNC_TEST(Subprocess, refuses_what_makes_no_sense) {
    EXPECT_THROW(static_cast<void>(create_subprocess_exec({.stdout_ = STDOUT}, "true")),
                 std::invalid_argument);
    EXPECT_THROW(static_cast<void>(create_subprocess_exec({.limit = 0}, "true")),
                 std::invalid_argument);
    EXPECT_THROW(static_cast<void>(create_subprocess_exec(Texts())), std::invalid_argument);
    EXPECT_THROW(static_cast<void>(Stdio(-1)), std::invalid_argument);
    // To the system these would mean "as it is": the program would run as root.
    EXPECT_THROW(static_cast<void>(create_subprocess_exec({.user = ~0U}, "true")),
                 std::invalid_argument);
    EXPECT_THROW(static_cast<void>(create_subprocess_exec({.group = ~0U}, "true")),
                 std::invalid_argument);
    const std::map<std::string, std::string> no_name{{"A=B", "C"}};
    EXPECT_THROW(static_cast<void>(create_subprocess_exec({.env = no_name}, "true")),
                 std::invalid_argument);
    co_return;
}

// ------------------------------------------------------------------------------ wait, signals

ASYNC_TEST(Subprocess, is_awaited_by_any_number_of_tasks) {
    Process process = co_await start_cat();
    auto all = gather(process.wait(), process.wait(), process.wait());
    co_await settle();
    EXPECT_EQ(process.returncode(), std::nullopt);

    process.stdin_().close();

    EXPECT_EQ(co_await all, std::make_tuple(0, 0, 0));
}

ASYNC_TEST(Subprocess, ends_by_signals) {
    Process process = co_await start_cat();
    process.kill();
    EXPECT_EQ(co_await process.wait(), -SIGKILL);
    process = co_await start_cat();
    process.terminate();
    EXPECT_EQ(co_await process.wait(), -SIGTERM);
    process = co_await start_cat();
    process.send_signal(SIGHUP);
    EXPECT_EQ(co_await process.wait(), -SIGHUP);
    EXPECT_EQ(process.returncode(), -SIGHUP);
}

ASYNC_TEST(Subprocess, that_has_ended_is_not_to_be_signalled) {
    Process process = co_await create_subprocess_exec("true");
    wait_for_end(process.pid());
    process.send_signal(SIGTERM);  // the loop does not know yet: in vain
    EXPECT_EQ(co_await process.wait(), 0);

    EXPECT_THROW(process.kill(), ProcessLookupError);
    EXPECT_THROW(process.terminate(), ProcessLookupError);
    EXPECT_THROW(process.send_signal(SIGHUP), ProcessLookupError);
}

ASYNC_TEST(Subprocess, handles_signals_itself_if_it_wants_to) {
    Process process = co_await create_subprocess_shell(
        {.stdin_ = PIPE, .stdout_ = PIPE}, "trap 'echo got it; exit 5' HUP; echo ready; read x");
    EXPECT_EQ(co_await process.stdout_().readline(), "ready\n");
    process.send_signal(SIGHUP);
    EXPECT_EQ(co_await process.stdout_().readline(), "got it\n");
    EXPECT_EQ(co_await process.wait(), 5);
}

ASYNC_TEST(Subprocess, goes_on_when_a_wait_is_cancelled) {
    Process process = co_await start_cat();
    auto waiting = create_task(process.wait());
    co_await settle();
    waiting.cancel();
    EXPECT_EQ(co_await failure_of(waiting), "CancelledError()");

    EXPECT_EQ(process.returncode(), std::nullopt);
    process.stdin_().close();
    EXPECT_EQ(co_await process.wait(), 0);
}

ASYNC_TEST(Subprocess, is_killed_by_a_cancellation_if_that_was_asked_for) {
    Process process = co_await create_subprocess_exec(
        {.stdin_ = PIPE, .stdout_ = PIPE, .kill_on_cancel = true}, "cat");
    auto waiting = create_task(process.wait());
    co_await settle();
    waiting.cancel();
    EXPECT_EQ(co_await failure_of(waiting), "CancelledError()");
    EXPECT_EQ(co_await process.wait(), -SIGKILL);

    process =
        co_await create_subprocess_exec({.stdout_ = PIPE, .kill_on_cancel = true}, "sleep", "1000");
    auto communicating = create_task(process.communicate());
    co_await settle();
    communicating.cancel();
    EXPECT_EQ(co_await failure_of(communicating), "CancelledError()");
    EXPECT_EQ(co_await process.wait(), -SIGKILL);
}

// Python receives in the background.
ASYNC_TEST(Subprocess, may_write_more_than_a_pipe_takes_before_it_is_read) {
    Process process = co_await create_subprocess_shell({.stdout_ = PIPE, .stderr_ = PIPE},
                                                       "head -c 150000 /dev/zero; "
                                                       "head -c 150000 /dev/zero >&2");
    EXPECT_EQ(co_await process.wait(), 0);
    const std::string output = co_await process.stdout_().read();
    const std::string errors = co_await process.stderr_().read();
    EXPECT_EQ(output.size(), 150000U);
    EXPECT_EQ(errors.size(), 150000U);
}

ASYNC_TEST(Subprocess, that_closes_its_streams_but_lives_is_waited_for) {
    auto [read_end, write_end] = open_pipe();
    Process process = co_await create_subprocess_shell(
        {.stdin_ = read_end.fileno(), .stdout_ = PIPE}, "exec >&-; read x; exit 4");
    read_end.close();
    EXPECT_EQ(co_await process.stdout_().read(), "");
    EXPECT_EQ(process.returncode(), std::nullopt);
    write_end.close();
    EXPECT_EQ(co_await process.wait(), 4);
}

ASYNC_TEST(Subprocess, is_waited_for_without_its_children_that_keep_its_pipes) {
    auto [read_end, write_end] = open_pipe();
    Process process = co_await create_subprocess_shell(
        {.stdin_ = read_end.fileno(), .stdout_ = PIPE}, "exec 3<&0; cat <&3 & exit 6");
    read_end.close();
    EXPECT_EQ(co_await process.wait(), 6);

    auto communicating = create_task(process.communicate());
    co_await settle();
    EXPECT_FALSE(communicating.done());
    EXPECT_EQ(::write(write_end.fileno(), "late", 4), 4);
    write_end.close();
    const ProcessOutput output = co_await communicating;
    EXPECT_EQ(output.stdout_, "late");
}

// -------------------------------------------------------------------------------- communicate

ASYNC_TEST(Communicate, exchanges_more_than_pipes_take_in_both_directions) {
    const std::string input(3'000'000, 'x');
    Process process = co_await create_subprocess_shell(
        {.stdin_ = PIPE, .stdout_ = PIPE, .stderr_ = PIPE}, "tee /dev/stderr");
    const ProcessOutput output = co_await process.communicate(input);

    EXPECT_TRUE(output.stdout_ == input);
    EXPECT_TRUE(output.stderr_ == input);
    EXPECT_EQ(process.returncode(), 0);
}

ASYNC_TEST(Communicate, closes_the_input_also_if_there_is_none) {
    Process process = co_await start_cat();
    const ProcessOutput nothing = co_await process.communicate();
    EXPECT_EQ(nothing.stdout_, "");
    EXPECT_EQ(process.returncode(), 0);

    process = co_await start_cat();
    const ProcessOutput again = co_await process.communicate("");
    EXPECT_EQ(again.stdout_, "");
}

ASYNC_TEST(Communicate, does_not_mind_that_the_input_is_not_read) {
    const std::string input(1'000'000, 'x');
    Process process = co_await create_subprocess_exec({.stdin_ = PIPE, .stdout_ = PIPE}, "true");
    const ProcessOutput output = co_await process.communicate(input);
    EXPECT_EQ(output.stdout_, "");
    EXPECT_EQ(process.returncode(), 0);
}

ASYNC_TEST(Communicate, goes_on_where_it_was_cancelled) {
    auto [read_end, write_end] = open_pipe();
    const std::array<int, 1> passed{read_end.fileno()};
    const std::string command = "echo done >&2; exec 2>&-; cat; read x <&" +
                                std::to_string(read_end.fileno()) + "; echo $x";
    Process process = co_await create_subprocess_shell(
        {.stdin_ = PIPE, .stdout_ = PIPE, .stderr_ = PIPE, .pass_fds = passed}, command);
    read_end.close();

    auto first = create_task(process.communicate("first,"));
    for (int i = 0; i < 3; ++i) {
        co_await settle();
    }
    first.cancel();
    EXPECT_EQ(co_await failure_of(first), "CancelledError()");
    EXPECT_EQ(co_await failure_of(process.communicate("more")),
              "ValueError('Cannot send input after starting communication')");
    EXPECT_EQ(::write(write_end.fileno(), "second\n", 7), 7);
    const ProcessOutput output = co_await process.communicate();

    EXPECT_EQ(output.stdout_, "first,second\n");
    EXPECT_EQ(output.stderr_, "done\n");
}

ASYNC_TEST(Communicate, keeps_all_of_it_whenever_it_is_cancelled) {
    for (int turns = 0; turns < 40; ++turns) {
        Process process = co_await create_subprocess_shell(
            {.stdin_ = PIPE, .stdout_ = PIPE, .stderr_ = PIPE}, "cat; echo err >&2");
        auto first = create_task(process.communicate("input"));
        for (int i = 0; i < turns; ++i) {
            co_await sleep(0);
        }
        first.cancel();
        const auto result = co_await as_result(first);
        if (result.has_value()) {
            EXPECT_EQ((*result).stdout_ + (*result).stderr_, "inputerr\n");
            continue;
        }
        std::string input;
        if (turns == 0) {  // it had not begun
            input = "input";
        }
        const ProcessOutput rest = co_await process.communicate(input);
        EXPECT_EQ(rest.stdout_ + rest.stderr_, "inputerr\n") << turns;
    }
}

// ------------------------------------------------------------------------------------- pipes

ASYNC_TEST(Subprocess, that_does_not_read_breaks_the_pipe) {
    Process process = co_await create_subprocess_exec({.stdin_ = PIPE}, "true");
    co_await process.wait();
    process.stdin_().write(std::string(200'000, 'x'));
    const std::string failure = co_await failure_of(process.stdin_().drain());
    EXPECT_TRUE(failure.starts_with("BrokenPipeError") || failure.starts_with("ConnectionReset"))
        << failure;
    EXPECT_TRUE(process.stdin_().is_closing());
}

ASYNC_TEST(Subprocess, does_not_hold_what_others_have_open) {
    Process first = co_await start_cat();
    Process second = co_await start_cat();
    first.stdin_().close();  // would not be the end if the second one had it, too
    EXPECT_EQ(co_await first.wait(), 0);
    second.stdin_().close();
    EXPECT_EQ(co_await second.wait(), 0);
}

ASYNC_TEST(Subprocess, loses_its_pipes_with_its_last_handle_and_is_reaped) {
    const std::size_t descriptors = open_descriptors();
    {
        Process process = co_await start_cat();
        const Process same = process;
        EXPECT_EQ(same.pid(), process.pid());
    }
    while (has_children()) {
        co_await settle();
    }
    co_await settle();
    // What the loop has of its own may be new.
    EXPECT_LE(open_descriptors(), descriptors + 1);
}

// -------------------------------------------------------------------------------- the terminal

ASYNC_TEST(Terminal, is_the_controlling_one_and_has_a_size) {
    const TerminalSize size{30, 100};
    Process process = co_await create_subprocess_shell(
        {.pty = size},
        "[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all; stty size; (echo mine > /dev/tty); read x; "
        "stty size; echo \"<$x>\"");
    EXPECT_EQ(co_await process.stdout_().readline(), "all\r\n");
    EXPECT_EQ(co_await process.stdout_().readline(), "30 100\r\n");
    EXPECT_EQ(co_await process.stdout_().readline(), "mine\r\n");
    process.set_terminal_size({40, 132});
    process.stdin_().write("typed\n");
    EXPECT_EQ(co_await process.stdout_().readline(), "typed\r\n");
    EXPECT_EQ(co_await process.stdout_().readline(), "40 132\r\n");
    EXPECT_EQ(co_await process.stdout_().read(), "<typed>\r\n");
    EXPECT_EQ(co_await process.wait(), 0);
}

ASYNC_TEST(Terminal, ends_what_is_typed_by_communicate) {
    Process process = co_await create_subprocess_exec({.pty = TerminalSize()}, "cat");
    const ProcessOutput output = co_await process.communicate("line\n");
    EXPECT_EQ(output.stdout_, "line\r\nline\r\n");
    EXPECT_EQ(process.returncode(), 0);
}

ASYNC_TEST(Terminal, leaves_the_streams_that_are_something_else) {
    Process process = co_await create_subprocess_shell({.stderr_ = PIPE, .pty = TerminalSize()},
                                                       "[ -t 2 ] || echo no terminal >&2");
    const ProcessOutput output = co_await process.communicate();
    EXPECT_EQ(output.stderr_, "no terminal\n");
    Process plain = co_await create_subprocess_exec("true");
    EXPECT_THROW(plain.set_terminal_size({1, 1}), RuntimeError);
    co_await plain.wait();
}

ASYNC_TEST(Terminal, ends_what_is_typed_by_communicate_behind_part_of_a_line) {
    Process process = co_await create_subprocess_exec({.pty = TerminalSize()}, "cat");
    const ProcessOutput output = co_await process.communicate("no line");
    EXPECT_EQ(output.stdout_, "no lineno line");
    EXPECT_EQ(process.returncode(), 0);
}

// ----------------------------------------------------------------------------------- reaping

ASYNC_TEST(Subprocess, that_somebody_else_reaps_has_255_and_a_warning) {
    const Logged logged;
    Process process = co_await create_subprocess_exec("true");
    wait_for_end(process.pid());
    EXPECT_EQ(::waitpid(process.pid(), nullptr, 0), process.pid());

    EXPECT_EQ(co_await process.wait(), 255);
    EXPECT_TRUE(logged.has("child process pid " + std::to_string(process.pid()) +
                           " exit status already read:  will report returncode 255"));
}

static Coroutine<> start_many(int count) {
    for (int i = 0; i < count; ++i) {
        Process process = co_await create_subprocess_exec("/bin/true");
        EXPECT_EQ(co_await process.wait(), 0);
    }
}

TEST(Subprocess, started_a_thousand_times_leaves_nothing) {
    for (const char* proactor : asyncio::testing::proactors) {
        const std::size_t before = open_descriptors();
        run(start_many(1000), {.proactor = proactor});
        EXPECT_EQ(open_descriptors(), before) << proactor;
        EXPECT_FALSE(has_children()) << proactor;
    }
}

TEST(Subprocess, is_reaped_by_the_loop_that_started_it) {
    for (const char* proactor : asyncio::testing::proactors) {
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([proactor] { run(start_many(30), {.proactor = proactor}); });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        EXPECT_FALSE(has_children());
    }
}

static Coroutine<> use_everything() {
    Process process = co_await start_cat();
    auto waiting = create_task(process.wait());
    const ProcessOutput output = co_await process.communicate("input");
    EXPECT_EQ(output.stdout_, "input");
    EXPECT_EQ(co_await waiting, 0);
    Process killed = co_await create_subprocess_exec("sleep", "1000");
    killed.kill();
    EXPECT_EQ(co_await killed.wait(), -SIGKILL);
    EXPECT_THROW(killed.kill(), ProcessLookupError);
}

TEST(Subprocess, works_without_pidfds) {
    std::thread([] {
        const WithoutPidfds sandbox;
        for (const char* proactor : asyncio::testing::proactors) {
            run(use_everything(), {.proactor = proactor});
        }
    }).join();
    EXPECT_FALSE(has_children());
}

static Coroutine<> leave_running(int& pid, bool with_a_task) {
    Process process = co_await create_subprocess_exec({.stdin_ = PIPE}, "cat");
    pid = process.pid();
    if (with_a_task) {
        static_cast<void>(create_task(process.wait()));
        co_await settle();
    }
}

// As CPython, where that is done by the destructor of its transport.
TEST(Subprocess, that_runs_when_its_loop_is_closed_is_killed) {
    for (const char* proactor : asyncio::testing::proactors) {
        for (const bool with_a_task : {false, true}) {
            const std::size_t before = open_descriptors();
            int pid = 0;
            run(leave_running(pid, with_a_task), {.proactor = proactor});
            wait_for_end(pid);
            run(start_many(1), {.proactor = proactor});  // reaps what was left
            EXPECT_FALSE(has_children());
            EXPECT_EQ(open_descriptors(), before);
        }
    }
}

TEST(Subprocess, that_runs_without_a_pidfd_when_its_loop_is_closed_is_killed) {
    std::thread([] {
        const WithoutPidfds sandbox;
        int pid = 0;
        run(leave_running(pid, true));
        while (has_children()) {  // until its thread has seen it, too
            run(start_many(1));
        }
    }).join();
}

TEST(Subprocess, may_be_asked_after_its_loop_is_closed) {
    std::optional<Process> process;
    const auto keep = [](std::optional<Process>* kept) -> Coroutine<> {
        *kept = co_await start_cat();
    };
    run(keep(&process));
    EXPECT_EQ(process->returncode(), std::nullopt);
    EXPECT_THROW(process->kill(), ProcessLookupError);
    const auto wait = [](Process waited) -> Coroutine<std::string> {
        co_return co_await failure_of(waited.wait());
    };
    EXPECT_EQ(run(wait(*process)), "RuntimeError('Event loop is closed')");
    wait_for_end(process->pid());
    process.reset();
    run(start_many(1));
    EXPECT_FALSE(has_children());
}
