// child.cpp - waits for the end of a child process, and reaps it.
//
// SPDX-License-Identifier: MIT
#include "child.hpp"

#include <asyncio/log.hpp>
#include <asyncio/threads.hpp>

#include <cerrno>
#include <csignal>
#include <exception>
#include <new>
#include <string>
#include <thread>
#include <utility>

#include <pthread.h>
#include <sys/wait.h>

namespace asyncio::detail {

using lowlevel::Callback;
using lowlevel::Opcode;
using lowlevel::Operation;

namespace {

/// A thread for each job. For children alone: they may run for days, and would fill a pool.
class ThreadPerJob final : public Executor {
public:
    void submit(lowlevel::Job& job) override {
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);  // handlers run in threads of the program
        try {
            std::thread([&job] { job.run(); }).detach();
        } catch (...) {
            pthread_sigmask(SIG_SETMASK, &before, nullptr);
            throw;
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    void shutdown(bool, bool) override {}
};

// Never destroyed: its jobs may outlive main().
ThreadPerJob& waiting_threads() {
    static auto* const executor = new ThreadPerJob;
    return *executor;
}

// Leaves it to be reaped: until then its number is not given to another one.
void wait_for_exit(pid_t pid) {
    siginfo_t info;
    while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) != 0 &&
           errno == EINTR) {}
}

}  // namespace

Child::Child(LoopIO& io, ChildProcess process) noexcept
    : Operation(&on_readable, Opcode::poll_in, process.pidfd()), io_(io), process_(process) {
    io_.retain();
    io_.add(*this);
}

Child::~Child() {
    io_.release();
}

Child& Child::start(LoopIO& io, const SpawnRequest& request) {
    const ChildProcess process = spawn(request);
    Child* child = nullptr;
    try {
        child = new Child(io, process);
        child->watch();
    } catch (...) {
        static_cast<void>(process.send_signal(SIGKILL));
        leave_to_be_reaped(process);
        if (child != nullptr) {
            child->release();
        }
        throw;
    }
    return *child;
}

void Child::watch() {
    if (process_.pidfd() < 0) {
        watch_in_thread();
        return;
    }
    polling_ = true;
    io_.loop()->start(*this);
}

void Child::watch_in_thread() {
    const Future<> exited = submit_work(*io_.loop(), &waiting_threads(),
                                        [pid = process_.pid()] { wait_for_exit(pid); });
    exited.add_done_callback([this](const AnyFuture&) { look(); });
}

void Child::on_readable(Callback& callback) {
    auto& self = static_cast<Child&>(static_cast<Operation&>(callback));
    self.polling_ = false;
    if (self.result >= 0) {
        self.look();
    } else {
        self.watch_again(true);
    }
}

// It has ended, or so it seems.
void Child::look() {
    int returncode = 0;
    switch (process_.reap(returncode)) {
        case ChildProcess::Reaped::running:
            watch_again(false);
            return;
        case ChildProcess::Reaped::stolen:
            report_stolen();
            break;
        default:
            break;
    }
    returncode_ = returncode;
    close_pidfd();
    exit_waiters.wake_all();
    struct Release {
        Child& child;
        ~Release() { child.release(); }
    } release{*this};
    if (ChildOwner* const owner = std::exchange(owner_, nullptr)) {
        owner->child_exited();
    }
}

// `in_thread`: the system refuses to watch the pidfd.
void Child::watch_again(bool in_thread) noexcept {
    try {
        if (in_thread) {
            watch_in_thread();
        } else {
            watch();
        }
    } catch (...) {
        log_error("nobody waits for a child process any more", std::current_exception());
    }
}

void Child::report_stolen() const noexcept {
    try {
        log(Level::warning, "child process pid " + std::to_string(pid()) +
                                " exit status already read:  will report returncode 255");
    } catch (const std::bad_alloc&) {
        log(Level::warning, "a child process's exit status was read by somebody else");
    }
}

void Child::close_pidfd() noexcept {
    if (process_.pidfd() >= 0) {
        io_.close(process_.pidfd());
        process_.forget_pidfd();
    }
}

void Child::send_signal(int number) const {
    if (returncode_.has_value() || orphaned_) {
        throw ProcessLookupError(ESRCH, "send a signal to pid " + std::to_string(pid()));
    }
    const int error = process_.send_signal(number);
    if (error != 0 && error != ESRCH) {
        raise_os_error(error, "send a signal to pid " + std::to_string(pid()));
    }
}

void Child::kill() const noexcept {
    if (!returncode_.has_value() && !orphaned_) {
        static_cast<void>(process_.send_signal(SIGKILL));
    }
}

void Child::loop_closing() noexcept {
    int returncode = 0;
    // In a child of fork() it can neither be reaped nor is it to be killed: it is the parent's.
    if (process_.reap(returncode) == ChildProcess::Reaped::running) {
        kill();
    }
    orphaned_ = true;
    if (polling_) {
        auto& callback = static_cast<Callback&>(*this);
        if (callback.linked()) {
            callback.unlink();
        }
    }
    if (process_.pidfd() >= 0) {
        Operation forget(&run_nothing, Opcode::forget, process_.pidfd());
        io_.loop()->call(forget);
    }
    leave_to_be_reaped(process_);
    if (ChildOwner* const owner = std::exchange(owner_, nullptr)) {
        owner->child_dropped();
    }
    release();
}

}  // namespace asyncio::detail
