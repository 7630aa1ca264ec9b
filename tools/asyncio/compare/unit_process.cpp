// unit_process.cpp - a process as a unit of work: its beginning and its end.
//
// SPDX-License-Identifier: MIT
#include "unit_process.hpp"

#include <cerrno>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace compare {
namespace {

/// Never returns into what the parent was at; its static objects are the parent's to destroy.
[[noreturn]] void live(const std::function<void()>& body, pid_t parent) noexcept {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) {
        ::_exit(1);  // it had ended before it could be asked for
    }
    try {
        body();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "asyncio: in a process: %s\n", error.what());
        ::_exit(1);
    } catch (...) {
        ::_exit(1);
    }
    ::_exit(0);
}

int wait_for(pid_t pid) noexcept {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return status;
}

}  // namespace

UnitProcess::UnitProcess(const std::function<void()>& body) {
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
        live(body, parent);
    }
    if (pid_ < 0) {
        throw std::system_error(errno, std::generic_category(), "fork");
    }
}

UnitProcess::~UnitProcess() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        wait_for(pid_);
    }
}

void UnitProcess::wait() {
    const int status = wait_for(std::exchange(pid_, -1));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        throw std::runtime_error("a process has failed, with wait status " +
                                 std::to_string(status));
    }
}

Pipe::Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) < 0) {
        throw std::system_error(errno, std::generic_category(), "pipe2");
    }
}

Pipe::~Pipe() {
    ::close(ends_[0]);
    close_write_end();
}

void Pipe::close_write_end() noexcept {
    if (ends_[1] >= 0) {
        ::close(std::exchange(ends_[1], -1));
    }
}

}  // namespace compare
