// spawn.cpp - prepares what a child process needs, and reports what kept it from running.
//
// SPDX-License-Identifier: MIT
#include "spawn.hpp"

#include <asyncio/exceptions.hpp>

#include "fork.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string_view>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace asyncio::detail {

// -------------------------------------------------------------------------------- ChildProcess

namespace {

constexpr id_t wait_for_pidfd = 3;  // P_PIDFD: Linux 5.4

int wait_status(const siginfo_t& info) noexcept {
    return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

int wait_for(idtype_t type, id_t id, siginfo_t& info, int options) noexcept {
    info = {};
    while (::waitid(type, id, &info, options) != 0) {
        if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

}  // namespace

int ChildProcess::send_signal(int number) const noexcept {
    if (pidfd_ >= 0) {
        if (::syscall(SYS_pidfd_send_signal, pidfd_, number, nullptr, 0) == 0) {
            return 0;
        }
        if (errno != ENOSYS && errno != EPERM) {
            return errno;
        }
        // Not there, or not allowed; or it is the signal that is not allowed, as kill() will say.
    }
    siginfo_t info;
    if (wait_for(P_PID, static_cast<id_t>(pid_), info, WEXITED | WNOHANG | WNOWAIT) == ECHILD) {
        return ESRCH;  // somebody else has reaped it: the number may be another one's
    }
    return ::kill(pid_, number) == 0 ? 0 : errno;
}

ChildProcess::Reaped ChildProcess::reap(int& returncode) const noexcept {
    siginfo_t info;
    int error = EINVAL;
    if (pidfd_ >= 0) {
        error = wait_for(static_cast<idtype_t>(wait_for_pidfd), static_cast<id_t>(pidfd_), info,
                         WEXITED | WNOHANG);
    }
    if (error == EINVAL) {
        error = wait_for(P_PID, static_cast<id_t>(pid_), info, WEXITED | WNOHANG);
    }
    if (error != 0) {
        returncode = 255;
        return Reaped::stolen;
    }
    if (info.si_pid == 0) {
        return Reaped::running;
    }
    returncode = wait_status(info);
    return Reaped::exited;
}

// --------------------------------------------------------------------------------------- spawn

namespace {

std::vector<const char*> pointers_to(const std::vector<std::string>& texts) {
    std::vector<const char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (const std::string& text : texts) {
        pointers.push_back(text.c_str());
    }
    pointers.push_back(nullptr);
    return pointers;
}

// Python's os.get_exec_path(): the PATH that the child will have.
std::string search_path(const SpawnRequest& request) {
    constexpr std::string_view name = "PATH=";
    constexpr const char* by_default = "/bin:/usr/bin";
    if (request.environment.has_value()) {
        for (const std::string& each : *request.environment) {
            if (each.starts_with(name)) {
                return each.substr(name.size());
            }
        }
        return by_default;
    }
    const char* const path = std::getenv("PATH");
    return path != nullptr ? path : by_default;
}

std::vector<std::string> candidates_of(const SpawnRequest& request) {
    if (request.executable.find('/') != std::string::npos) {
        return {request.executable};
    }
    const std::string path = search_path(request);
    std::vector<std::string> candidates;
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find(':', begin), path.size());
        std::string candidate = path.substr(begin, end - begin);
        if (!candidate.empty() && candidate.back() != '/') {
            candidate += '/';
        }
        candidates.push_back(candidate + request.executable);
        begin = end + 1;
    }
    return candidates;
}

// What Python takes for an embedded null byte would be cut off by the system without a word.
void check_text(const std::string& text) {
    if (text.find('\0') != std::string::npos) {
        raise_value_error("embedded null byte");
    }
}

void check_request(const SpawnRequest& request) {
    std::for_each(request.arguments.begin(), request.arguments.end(), check_text);
    check_text(request.executable);
    check_text(request.directory);
    if (request.environment.has_value()) {
        for (const std::string& each : *request.environment) {
            check_text(each);
            if (each.find('=', 1) == std::string::npos) {
                raise_value_error("illegal environment variable name");
            }
        }
    }
}

std::string describe_step(const SpawnRequest& request, SpawnStep step) {
    const std::string program = " of '" + request.executable + "'";
    switch (step) {
        case SpawnStep::descriptors:
            return "pass the descriptors" + program;
        case SpawnStep::directory:
            return "change the directory to '" + request.directory + "'";
        case SpawnStep::session:
            return "make the session" + program;
        case SpawnStep::process_group:
            return "set the process group" + program;
        case SpawnStep::groups:
            return "set the groups" + program;
        case SpawnStep::group:
            return "set the group" + program;
        case SpawnStep::user:
            return "set the user" + program;
        case SpawnStep::terminal:
            return "set the terminal" + program;
        default:
            return "execute '" + request.executable + "'";
    }
}

long number_or_none(const auto& value) {
    return value.has_value() ? static_cast<long>(*value) : -1;
}

/// A request in the form that a child can use, and the memory that it takes.
class Preparation {
public:
    explicit Preparation(const SpawnRequest& request)
        : fds_(request.fds),
          candidates_(candidates_of(request)),
          candidate_pointers_(pointers_to(candidates_)),
          argument_pointers_(pointers_to(request.arguments)) {
        std::sort(fds_.begin(), fds_.end(),
                  [](const FdMapping& a, const FdMapping& b) { return a.to < b.to; });
        plan.candidates = candidate_pointers_.data();
        plan.arguments = argument_pointers_.data();
        plan.environment = ::environ;
        if (request.environment.has_value()) {
            environment_pointers_ = pointers_to(*request.environment);
            plan.environment = environment_pointers_.data();
        }
        if (!request.directory.empty()) {
            plan.directory = request.directory.c_str();
        }
        plan.fds = fds_.data();
        plan.fd_count = fds_.size();
        plan.groups = request.groups.data();
        plan.group_count = request.groups.size();
        plan.set_groups = request.set_groups;
        plan.user = number_or_none(request.user);
        plan.group = number_or_none(request.group);
        plan.umask = number_or_none(request.umask);
        plan.process_group = number_or_none(request.process_group);
        plan.terminal = request.terminal;
        plan.new_session = request.new_session;
        plan.close_others = request.close_fds;
        plan.default_signals = request.restore_signals;
    }
    Preparation(const Preparation&) = delete;
    Preparation& operator=(const Preparation&) = delete;

    ChildPlan plan;

private:
    std::vector<FdMapping> fds_;
    std::vector<std::string> candidates_;
    std::vector<const char*> candidate_pointers_;
    std::vector<const char*> argument_pointers_;
    std::vector<const char*> environment_pointers_;
};

// It has ended already; only, somebody else may have been quicker.
void reap_failed(const ChildProcess& child) noexcept {
    siginfo_t info;
    wait_for(P_PID, static_cast<id_t>(child.pid()), info, WEXITED);
    if (child.pidfd() >= 0) {
        ::close(child.pidfd());
    }
}

}  // namespace

ChildProcess spawn(const SpawnRequest& request) {
    check_request(request);
    reap_left();
    Preparation prepared(request);
    const Birth birth = give_birth(prepared.plan);
    if (birth.pid < 0) {
        raise_os_error(static_cast<int>(-birth.pid), "start '" + request.executable + "'");
    }
    ChildProcess child(static_cast<pid_t>(birth.pid), birth.pidfd);
    if (prepared.plan.error != 0) {
        reap_failed(child);
        raise_os_error(prepared.plan.error, describe_step(request, prepared.plan.failed));
    }
    if (child.pidfd() < 0) {
        // Nobody has reaped it yet, unless by a waitpid(-1).
        child = {child.pid(), static_cast<int>(::syscall(SYS_pidfd_open, child.pid(), 0))};
    }
    return child;
}

// ------------------------------------------------------------------------- nobody's children

namespace {

struct Left {
    Left() noexcept;

    std::mutex mutex;
    std::vector<ChildProcess> children;
};

// Never destroyed: a loop may be closed while the program ends.
Left& left() noexcept {
    alignas(Left) static unsigned char memory[sizeof(Left)];
    static Left* const all = new (memory) Left;
    return *all;
}

std::mutex& mutex_of_left() noexcept {
    return left().mutex;
}

// A child of fork() has the list, too: to it these are nobody's children.
Left::Left() noexcept {
    keep_over_fork<&mutex_of_left>();
}

void close_child(const ChildProcess& child) noexcept {
    if (child.pidfd() >= 0) {
        ::close(child.pidfd());
    }
}

}  // namespace

void leave_to_be_reaped(ChildProcess child) noexcept {
    int returncode = 0;
    if (child.reap(returncode) != ChildProcess::Reaped::running) {
        close_child(child);
        return;
    }
    const std::lock_guard lock(left().mutex);
    try {
        left().children.push_back(child);
    } catch (const std::bad_alloc&) {  // it stays a zombie until the parent ends
        close_child(child);
    }
}

void reap_left() noexcept {
    const std::lock_guard lock(left().mutex);
    std::erase_if(left().children, [](const ChildProcess& child) {
        int returncode = 0;
        if (child.reap(returncode) == ChildProcess::Reaped::running) {
            return false;
        }
        close_child(child);
        return true;
    });
}

}  // namespace asyncio::detail
