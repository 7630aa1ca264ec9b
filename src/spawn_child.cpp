// spawn_child.cpp - from clone() to execve(), in memory that belongs to the parent.
//
// No fork(): it copies the page tables, which takes milliseconds for a parent of gigabytes and
// fails where memory is not overcommitted. Not posix_spawn() either, which has no umask, no user,
// no controlling terminal and no pidfd. What it is made of is used here in its stead: clone() with
// CLONE_VM and CLONE_VFORK, on a stack of its own.
//
// Until the program runs, the child is a second thread of control in the parent's memory:
//
// - All signals are blocked, and handlers are reset before that ends: a handler of the parent's
// must
//   not run here.
// - System calls are made by syscall(). Wrappers of the C library do more: setuid() sets the user
// of
//   all threads of the parent, and sanitizers note what close() and sigaction() do in tables of the
//   parent. For the same reason this file is compiled without sanitizers.
//
// SPDX-License-Identifier: MIT
#include "spawn_child.hpp"

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// The thread sanitizer replaces clone(), and takes the child for one with memory of its own. This
// is the same function by the C library's inner name, where it has that.
extern "C" [[gnu::weak]] int __clone(int (*function)(void*), void* stack, int flags, void* argument,
                                     ...);

namespace asyncio::detail {

namespace {

static_assert(sizeof(long) == 8, "where it is less, SYS_setresuid takes 16 bits");

constexpr std::size_t signal_set_size = 8;  // the kernel's
constexpr int most_signals = 64;

/// As the kernel has it, on all systems of 64 bits; only what is first is looked at.
struct KernelAction {
    void (*handler)(int);
    unsigned long rest[5];
};

/// Remembers what was being done, for fail().
class Child {
public:
    explicit Child(ChildPlan& plan) noexcept : plan_(plan) {}

    [[noreturn]] void run() noexcept {
        begin(SpawnStep::descriptors);
        map_descriptors();
        if (plan_.directory != nullptr) {
            begin(SpawnStep::directory);
            check(::syscall(SYS_chdir, plan_.directory));
        }
        if (plan_.umask >= 0) {
            ::syscall(SYS_umask, plan_.umask);
        }
        reset_signals();
        join_session();
        become_user();
        if (plan_.close_others) {
            begin(SpawnStep::descriptors);
            close_others();
        }
        unblock_signals();
        begin(SpawnStep::execute);
        execute();
    }

private:
    void begin(SpawnStep step) noexcept { plan_.failed = step; }

    [[noreturn]] void fail(int error) noexcept {
        plan_.error = error;
        for (;;) {
            ::syscall(SYS_exit_group, 127);
        }
    }
    long check(long result) noexcept {
        if (result < 0) {
            fail(errno);
        }
        return result;
    }

    [[nodiscard]] bool is_target(int fd) const noexcept {
        for (std::size_t i = 0; i < plan_.fd_count; ++i) {
            if (plan_.fds[i].to == fd) {
                return true;
            }
        }
        return false;
    }

    // A descriptor whose number somebody else is to have is moved out of the way first.
    void map_descriptors() noexcept {
        const int above = plan_.fd_count == 0 ? 0 : plan_.fds[plan_.fd_count - 1].to + 1;
        for (std::size_t i = 0; i < plan_.fd_count; ++i) {
            FdMapping& each = plan_.fds[i];
            if (each.from != each.to && is_target(each.from)) {
                each.from = static_cast<int>(
                    check(::syscall(SYS_fcntl, each.from, F_DUPFD_CLOEXEC, above)));
            }
        }
        for (std::size_t i = 0; i < plan_.fd_count; ++i) {
            const FdMapping& each = plan_.fds[i];
            if (each.from != each.to) {
                check(::syscall(SYS_dup3, each.from, each.to, 0));
            } else {
                const long flags = check(::syscall(SYS_fcntl, each.from, F_GETFD));
                check(::syscall(SYS_fcntl, each.from, F_SETFD, flags & ~FD_CLOEXEC));
            }
        }
    }

    // execve() resets handlers, too, but a signal may come before. What is ignored stays so.
    void reset_signals() noexcept {
        for (int number = 1; number <= most_signals; ++number) {
            KernelAction action{};
            if (::syscall(SYS_rt_sigaction, number, nullptr, &action, signal_set_size) != 0 ||
                action.handler == SIG_DFL) {
                continue;
            }
            const bool stays = !plan_.default_signals || (number != SIGPIPE && number != SIGXFSZ);
            if (action.handler != SIG_IGN || !stays) {
                const KernelAction by_default{};
                ::syscall(SYS_rt_sigaction, number, &by_default, nullptr, signal_set_size);
            }
        }
    }

    void unblock_signals() noexcept {
        const std::uint64_t none = 0;
        ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, signal_set_size);
    }

    void join_session() noexcept {
        if (plan_.new_session) {
            begin(SpawnStep::session);
            check(::syscall(SYS_setsid));
        }
        if (plan_.terminal >= 0) {
            begin(SpawnStep::terminal);
            check(::syscall(SYS_ioctl, plan_.terminal, TIOCSCTTY, 0));
        }
        if (plan_.process_group >= 0) {
            begin(SpawnStep::process_group);
            check(::syscall(SYS_setpgid, 0, plan_.process_group));
        }
    }

    // The user last: whoever is not root any more cannot change the rest.
    void become_user() noexcept {
        if (plan_.set_groups) {
            begin(SpawnStep::groups);
            check(::syscall(SYS_setgroups, plan_.group_count, plan_.groups));
        }
        if (plan_.group >= 0) {
            begin(SpawnStep::group);
            check(::syscall(SYS_setresgid, plan_.group, plan_.group, plan_.group));
        }
        if (plan_.user >= 0) {
            begin(SpawnStep::user);
            check(::syscall(SYS_setresuid, plan_.user, plan_.user, plan_.user));
        }
    }

    // The gaps between those that stay, which ascend.
    void close_others() noexcept {
        unsigned first = 3;
        for (std::size_t i = 0; i < plan_.fd_count; ++i) {
            const auto kept = static_cast<unsigned>(plan_.fds[i].to);
            if (kept < first) {
                continue;
            }
            if (kept > first) {
                close_range(first, kept - 1);
            }
            first = kept + 1;
        }
        close_range(first, ~0U);
    }

    // Linux 5.9; before, and under sandboxes that do not know it, what /proc lists.
    void close_range(unsigned first, unsigned last) noexcept {
        if (::syscall(SYS_close_range, first, last, 0) == 0) {
            return;
        }
        const long directory =
            ::syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory >= 0) {
            close_listed(directory, first, last);
            ::syscall(SYS_close, directory);
            return;
        }
        constexpr unsigned without_a_list = 65536;
        for (unsigned fd = first; fd <= last && fd < without_a_list; ++fd) {
            ::syscall(SYS_close, fd);
        }
    }

    void close_listed(long directory, unsigned first, unsigned last) noexcept {
        constexpr std::size_t offset_of_size = 16;  // in a struct linux_dirent64
        constexpr std::size_t offset_of_name = 19;
        alignas(8) char entries[2048];
        for (;;) {
            const long size = ::syscall(SYS_getdents64, directory, entries, sizeof entries);
            if (size <= 0) {
                return;
            }
            for (long at = 0; at < size;) {
                const char* const entry = entries + at;
                const unsigned fd = number(entry + offset_of_name);
                if (fd != no_number && fd >= first && fd <= last &&
                    fd != static_cast<unsigned>(directory)) {
                    ::syscall(SYS_close, fd);
                }
                at += *reinterpret_cast<const unsigned short*>(entry + offset_of_size);
            }
        }
    }

    static constexpr unsigned no_number = ~0U;
    static unsigned number(const char* text) noexcept {
        unsigned value = 0;
        for (; *text != '\0'; ++text) {
            if (*text < '0' || *text > '9') {
                return no_number;
            }
            value = value * 10 + static_cast<unsigned>(*text - '0');
        }
        return value;
    }

    // The error is that of the first candidate that was there, if one was.
    [[noreturn]] void execute() noexcept {
        int error = 0;
        int last = ENOENT;
        for (const char* const* path = plan_.candidates; *path != nullptr; ++path) {
            ::syscall(SYS_execve, *path, plan_.arguments, plan_.environment);
            last = errno;
            if (error == 0 && last != ENOENT && last != ENOTDIR) {
                error = last;
            }
        }
        fail(error != 0 ? error : last);
    }

    ChildPlan& plan_;
};

int run_child(void* plan) {
    Child(*static_cast<ChildPlan*>(plan)).run();
}

long clone_child(ChildPlan& plan, void* stack, int flags, int* pidfd) noexcept {
    if (&__clone != nullptr) {
        return __clone(&run_child, stack, flags, &plan, pidfd, nullptr, nullptr);
    }
    return ::clone(&run_child, stack, flags, &plan, pidfd, nullptr, nullptr);
}

}  // namespace

Birth give_birth(ChildPlan& plan) noexcept {
    constexpr std::size_t stack_size = std::size_t{16} * 1024;
    alignas(16) unsigned char stack[stack_size];  // the parent waits while the child uses it
    constexpr int flags = CLONE_VM | CLONE_VFORK | SIGCHLD;

    const std::uint64_t all = ~std::uint64_t{0};  // the C library's own signals, too
    std::uint64_t before = 0;
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, signal_set_size);
    int pidfd = -1;
    long pid = clone_child(plan, stack + stack_size, flags | CLONE_PIDFD, &pidfd);
    if (pid < 0 && (errno == EINVAL || errno == EPERM || errno == ENOSYS)) {
        // A system, or a sandbox, that does not know CLONE_PIDFD.
        pidfd = -1;
        pid = clone_child(plan, stack + stack_size, flags, nullptr);
    }
    const int error = errno;
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, nullptr, signal_set_size);
    return {pid < 0 ? -error : pid, pidfd};
}

}  // namespace asyncio::detail
