// spawn_test.cpp - starting, signalling and reaping processes, without a loop.
//
// SPDX-License-Identifier: MIT
#include "spawn.hpp"

#include "support/children.hpp"
#include "support/network.hpp"
#include "support/no_pidfd.hpp"
#include "support/scratch_directory.hpp"

#include <asyncio/exceptions.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace asyncio;
using asyncio::detail::ChildProcess;
using asyncio::detail::SpawnRequest;
using asyncio::testing::has_children;
using asyncio::testing::open_descriptors;
using asyncio::testing::ScratchDirectory;
using asyncio::testing::wait_for_end;
using asyncio::testing::WithoutPidfds;

namespace {

std::string path_of(const ScratchDirectory& directory) {
    const std::string inside = directory / "x";
    return inside.substr(0, inside.rfind('/'));
}

SpawnRequest program(std::vector<std::string> arguments) {
    SpawnRequest request;
    request.executable = arguments.front();
    request.arguments = std::move(arguments);
    return request;
}

SpawnRequest shell(const std::string& script) {
    return program({"/bin/sh", "-c", script});
}

/// Waits for it, and reaps it.
int status_of(const ChildProcess& child) {
    wait_for_end(child.pid());
    int returncode = 1000;
    EXPECT_EQ(child.reap(returncode), ChildProcess::Reaped::exited);
    if (child.pidfd() >= 0) {
        ::close(child.pidfd());
    }
    return returncode;
}

int run_program(const SpawnRequest& request) {
    return status_of(detail::spawn(request));
}

/// What it writes to its standard output.
std::string output_of(SpawnRequest request) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    request.fds.push_back({ends[1], 1});
    const ChildProcess child = detail::spawn(request);
    ::close(ends[1]);
    std::string text;
    std::array<char, 4096> block{};
    for (ssize_t size = 0; (size = ::read(ends[0], block.data(), block.size())) > 0;) {
        text.append(block.data(), static_cast<std::size_t>(size));
    }
    ::close(ends[0]);
    EXPECT_EQ(status_of(child), 0);
    return text;
}

/// The error that it fails with; after which nothing is left of it.
template <class E = OSError>
std::pair<int, std::string> failure_of(const SpawnRequest& request) {
    const std::size_t descriptors = open_descriptors();
    std::pair<int, std::string> failure{0, "it did not fail"};
    try {
        run_program(request);
    } catch (const E& error) {
        failure = {error.error_number(), error.what()};
    }
    EXPECT_EQ(open_descriptors(), descriptors);
    EXPECT_FALSE(has_children());
    return failure;
}

/// A mask of /proc/self/status as the program sees it: "SigBlk".
std::uint64_t signal_mask(SpawnRequest request, const std::string& name) {
    request.arguments = {"sed", "-n", "s/^" + name + ":\t//p", "/proc/self/status"};
    request.executable = "sed";
    return std::stoull(output_of(request), nullptr, 16);
}

std::uint64_t bit_of(int signal) {
    return std::uint64_t{1} << static_cast<unsigned>(signal - 1);
}

struct Failing {
    const char* name;
    SpawnRequest request;
    int error;
};

}  // namespace

TEST(Spawn, gives_the_exit_status_or_the_signal) {
    EXPECT_EQ(run_program(program({"true"})), 0);
    EXPECT_EQ(run_program(shell("exit 3")), 3);
    EXPECT_EQ(run_program(shell("kill -9 $$")), -SIGKILL);
    EXPECT_FALSE(has_children());
}

TEST(Spawn, reports_what_cannot_be_executed_with_its_name) {
    const auto missing = failure_of<FileNotFoundError>(program({"no-such-program"}));
    EXPECT_EQ(missing.first, ENOENT);
    EXPECT_NE(missing.second.find("'no-such-program'"), std::string::npos) << missing.second;
    EXPECT_EQ(failure_of<PermissionError>(program({"/etc/passwd"})).first, EACCES);
    EXPECT_EQ(failure_of<NotADirectoryError>(program({"/etc/passwd/x"})).first, ENOTDIR);
}

// Python raises it, too, and does not run it by a shell as execvp() would.
TEST(Spawn, does_not_execute_what_is_no_program) {
    const ScratchDirectory directory;
    const std::string path = directory / "script";
    std::ofstream(path) << "exit 0\n";
    ::chmod(path.c_str(), 0700);

    EXPECT_EQ(failure_of(program({path})).first, ENOEXEC);
}

TEST(Spawn, reports_arguments_that_are_too_long) {
    EXPECT_EQ(failure_of(program({"true", std::string(1 << 20, 'x')})).first, E2BIG);
}

TEST(Spawn, refuses_null_bytes_and_variables_without_a_name) {
    EXPECT_THROW(run_program(program({"echo", std::string("a\0b", 3)})), std::invalid_argument);
    SpawnRequest request = program({"true"});
    request.environment = {"=x"};
    EXPECT_THROW(run_program(request), std::invalid_argument);
    request.environment = {"novalue"};
    EXPECT_THROW(run_program(request), std::invalid_argument);
}

TEST(Spawn, looks_for_programs_in_the_path_that_they_will_have) {
    const ScratchDirectory directory;
    const std::string path = directory / "a-program";
    std::ofstream(path) << "#!/bin/sh\nexit 7\n";
    ::chmod(path.c_str(), 0700);

    SpawnRequest request = program({"a-program"});
    request.environment = {"PATH=/nowhere:" + path_of(directory)};
    EXPECT_EQ(run_program(request), 7);
    request.environment = {"PATH=/nowhere"};
    EXPECT_EQ(failure_of<FileNotFoundError>(request).first, ENOENT);
    request.environment = std::vector<std::string>();  // then it is /bin:/usr/bin
    EXPECT_EQ(failure_of<FileNotFoundError>(request).first, ENOENT);
}

TEST(Spawn, reports_the_candidate_that_was_there) {
    const ScratchDirectory directory;
    std::ofstream(directory / "a-program") << "#!/bin/sh\n";

    SpawnRequest request = program({"a-program"});
    request.environment = {"PATH=" + path_of(directory) + ":/nowhere"};

    EXPECT_EQ(failure_of<PermissionError>(request).first, EACCES);
}

TEST(Spawn, has_the_environment_that_was_asked_for) {
    SpawnRequest request = program({"/usr/bin/env"});
    request.environment = {"A=1", "B=two words"};
    EXPECT_EQ(output_of(request), "A=1\nB=two words\n");
    request.environment = std::vector<std::string>();
    EXPECT_EQ(output_of(request), "");
    ::setenv("ASYNCIO_SPAWN_TEST", "inherited", 1);
    request.environment.reset();
    EXPECT_NE(output_of(request).find("ASYNCIO_SPAWN_TEST=inherited\n"), std::string::npos);
}

TEST(Spawn, begins_in_a_directory_and_finds_relative_programs_there) {
    const ScratchDirectory directory;
    const std::string path = directory / "here";
    std::ofstream(path) << "#!/bin/sh\npwd\n";
    ::chmod(path.c_str(), 0700);

    SpawnRequest request = program({"./here"});
    request.directory = path_of(directory);
    EXPECT_EQ(output_of(request), path_of(directory) + "\n");

    request.directory = "/no-such-directory";
    const auto failure = failure_of<FileNotFoundError>(request);
    EXPECT_NE(failure.second.find("'/no-such-directory'"), std::string::npos) << failure.second;
}

TEST(Spawn, sets_umask_session_and_process_group) {
    SpawnRequest request = shell("umask");
    request.umask = 0027;
    EXPECT_EQ(output_of(request), "0027\n");

    // pid, process group, session
    request = program({"/bin/sh", "-c", "cut -d' ' -f5,6 /proc/$$/stat; echo $$"});
    request.new_session = true;
    std::string text = output_of(request);
    std::string pid = text.substr(text.find('\n') + 1);
    pid.pop_back();
    EXPECT_EQ(text, pid + " " + pid + "\n" + pid + "\n");

    request.new_session = false;
    request.process_group = 0;
    text = output_of(request);
    pid = text.substr(text.find('\n') + 1);
    pid.pop_back();
    EXPECT_EQ(text, pid + " " + std::to_string(::getsid(0)) + "\n" + pid + "\n");
}

TEST(Spawn, maps_descriptors_also_onto_each_other) {
    std::array<int, 2> first{};
    std::array<int, 2> second{};
    ASSERT_EQ(::pipe2(first.data(), O_CLOEXEC), 0);
    ASSERT_EQ(::pipe2(second.data(), O_CLOEXEC), 0);
    SpawnRequest request = shell("echo one >&" + std::to_string(second[1]) + "; echo two >&" +
                                 std::to_string(first[1]) + "; echo three >&9");
    request.fds = {{first[1], second[1]}, {second[1], first[1]}, {first[1], 9}};

    EXPECT_EQ(run_program(request), 0);

    std::array<char, 64> text{};
    EXPECT_EQ(::read(first[0], text.data(), text.size()), 10);
    EXPECT_STREQ(text.data(), "one\nthree\n");
    text = {};
    EXPECT_EQ(::read(second[0], text.data(), text.size()), 4);
    EXPECT_STREQ(text.data(), "two\n");
    for (const int fd : {first[0], first[1], second[0], second[1]}) {
        ::close(fd);
    }
}

TEST(Spawn, closes_what_is_not_passed) {
    const int passed = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int left_open = ::fcntl(passed, F_DUPFD, 50);
    const int far = ::fcntl(passed, F_DUPFD, 300);
    const std::string script = "for fd in " + std::to_string(passed) + " " +
                               std::to_string(left_open) + " " + std::to_string(far) +
                               "; do [ -e /proc/$$/fd/$fd ] && echo $fd; done; true";
    SpawnRequest request = shell(script);

    EXPECT_EQ(output_of(request), "");
    request.fds = {{passed, passed}};
    EXPECT_EQ(output_of(request), std::to_string(passed) + "\n");
    request.fds = {{far, far}};
    EXPECT_EQ(output_of(request), std::to_string(far) + "\n");
    request.fds = {};
    request.close_fds = false;
    EXPECT_EQ(output_of(request), std::to_string(left_open) + "\n" + std::to_string(far) + "\n");
    for (const int fd : {passed, left_open, far}) {
        ::close(fd);
    }
}

TEST(Spawn, resets_handlers_and_the_mask_and_keeps_what_is_ignored) {
    using Handler = void (*)(int);
    const Handler usr1 = std::signal(SIGUSR1, [](int) {});
    const Handler usr2 = std::signal(SIGUSR2, SIG_IGN);
    const Handler pipe = std::signal(SIGPIPE, SIG_IGN);
    sigset_t blocked;
    sigset_t before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);

    EXPECT_EQ(signal_mask(shell(""), "SigBlk"), 0U);
    EXPECT_EQ(signal_mask(shell(""), "SigCgt"), 0U);
    EXPECT_EQ(signal_mask(shell(""), "SigIgn") & (bit_of(SIGUSR2) | bit_of(SIGPIPE)),
              bit_of(SIGUSR2));
    SpawnRequest request = shell("");
    request.restore_signals = false;
    EXPECT_EQ(signal_mask(request, "SigIgn") & bit_of(SIGPIPE), bit_of(SIGPIPE));

    sigset_t after;
    pthread_sigmask(SIG_SETMASK, &before, &after);
    EXPECT_EQ(sigismember(&after, SIGTERM), 1);
    EXPECT_EQ(sigismember(&after, SIGUSR1), 0) << "the parent's mask is what it was";
    std::signal(SIGUSR1, usr1);
    std::signal(SIGUSR2, usr2);
    std::signal(SIGPIPE, pipe);
}

// A user's number is that of a thread, for the kernel: only the child's may change.
TEST(Spawn, becomes_another_user) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root can";
    }
    SpawnRequest request = shell("id -u; id -g; id -G");
    request.user = 12345;
    request.group = 12346;
    request.groups = {12347};
    request.set_groups = true;

    EXPECT_EQ(output_of(request), "12345\n12346\n12346 12347\n");
    EXPECT_EQ(::geteuid(), 0U);
}

TEST(Spawn, that_fails_at_any_step_leaves_nothing) {
    std::vector<Failing> all;
    all.push_back({"descriptors", program({"true"}), EBADF});
    all.back().request.fds = {{777, 1}};
    all.push_back({"a descriptor of its own number", program({"true"}), EBADF});
    all.back().request.fds = {{777, 777}};
    all.push_back({"directory", program({"true"}), ENOTDIR});
    all.back().request.directory = "/etc/passwd";
    all.push_back({"process group", program({"true"}), EPERM});
    all.back().request.process_group = 0x3ffffff;
    all.push_back({"process group of a session", program({"true"}), EPERM});
    all.back().request.process_group = 0;
    all.back().request.new_session = true;
    all.push_back({"terminal", program({"true"}), ENOTTY});
    all.back().request.terminal = 0;
    all.back().request.fds = {};
    all.push_back({"program", program({"/"}), EACCES});
    const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    all[5].request.fds = {{null, 0}};
    for (const Failing& each : all) {
        SCOPED_TRACE(each.name);
        EXPECT_EQ(failure_of(each.request).first, each.error);
    }
    ::close(null);
}

TEST(Spawn, without_the_right_to_it_reports_users_and_groups) {
    // In a process of its own, whose rights are few.
    EXPECT_EXIT(
        {
            if (::geteuid() == 0 && ::setresuid(12345, 12345, 12345) != 0) {
                ::_exit(2);
            }
            int failures = 0;
            for (int step = 0; step < 3; ++step) {
                SpawnRequest request = program({"true"});
                request.set_groups = step == 0;
                request.group = step == 1 ? std::optional<gid_t>(0) : std::nullopt;
                request.user = step == 2 ? std::optional<uid_t>(0) : std::nullopt;
                try {
                    run_program(request);
                } catch (const PermissionError&) {
                    ++failures;
                }
            }
            // Group 0 may be had by who has it.
            ::_exit(failures >= 2 && !has_children() ? 0 : 1);
        },
        ::testing::ExitedWithCode(0), "");
}

TEST(Child, is_known_to_run_until_it_has_ended) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    SpawnRequest request = program({"cat"});
    request.fds = {{ends[0], 0}};
    const ChildProcess child = detail::spawn(request);
    int returncode = 1000;

    EXPECT_EQ(child.reap(returncode), ChildProcess::Reaped::running);
    EXPECT_EQ(returncode, 1000);
    EXPECT_EQ(child.send_signal(0), 0);
    ::close(ends[0]);
    ::close(ends[1]);
    EXPECT_EQ(status_of(child), 0);
}

TEST(Child, that_somebody_else_has_reaped_is_never_signalled) {
    const ChildProcess child = detail::spawn(program({"true"}));
    EXPECT_EQ(::waitpid(child.pid(), nullptr, 0), child.pid());
    int returncode = 0;

    EXPECT_EQ(child.send_signal(SIGKILL), ESRCH);
    EXPECT_EQ(child.reap(returncode), ChildProcess::Reaped::stolen);
    EXPECT_EQ(returncode, 255);
    ::close(child.pidfd());
}

TEST(Child, that_has_ended_and_was_not_reaped_may_be_signalled_in_vain) {
    const ChildProcess child = detail::spawn(program({"true"}));
    wait_for_end(child.pid());

    EXPECT_EQ(child.send_signal(SIGKILL), 0);
    EXPECT_EQ(status_of(child), 0);
}

TEST(Child, does_without_pidfds) {
    std::thread([] {
        const WithoutPidfds sandbox;
        const std::size_t descriptors = open_descriptors();
        const ChildProcess child = detail::spawn(program({"sleep", "1000"}));
        EXPECT_LT(child.pidfd(), 0);
        EXPECT_EQ(open_descriptors(), descriptors);
        EXPECT_EQ(child.send_signal(SIGTERM), 0);
        EXPECT_EQ(status_of(child), -SIGTERM);
        EXPECT_EQ(failure_of(program({"no-such-program"})).first, ENOENT);
    }).join();
}

// Another process has got its number, or so it looks: one that is not our child.
TEST(Child, whose_number_is_another_s_is_not_signalled_without_a_pidfd) {
    EXPECT_EQ(ChildProcess(::getpid(), -1).send_signal(0), ESRCH);
}

TEST(Child, that_nobody_waits_for_is_reaped_by_the_next_one) {
    const std::size_t descriptors = open_descriptors();
    const ChildProcess child = detail::spawn(program({"sleep", "1000"}));
    detail::leave_to_be_reaped(child);
    EXPECT_TRUE(has_children());
    ::kill(child.pid(), SIGKILL);
    wait_for_end(child.pid());

    EXPECT_EQ(run_program(program({"true"})), 0);

    EXPECT_FALSE(has_children());
    EXPECT_EQ(open_descriptors(), descriptors);
}
