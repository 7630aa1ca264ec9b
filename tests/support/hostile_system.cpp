// hostile_system.cpp - what stands between the library and the C library in tests of failure.
//
// SPDX-License-Identifier: MIT
#include "hostile_system.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

// As <liburing.h> has them, which need not be there.
struct io_uring;
struct io_uring_cqe;
struct io_uring_params;

// What the linker makes of the C library's functions where they are wrapped.
extern "C" {
int __real_accept4(int fd, sockaddr* address, socklen_t* size, int flags);
int __real_close(int fd);
int __real_connect(int fd, const sockaddr* address, socklen_t size);
int __real_epoll_ctl(int epoll, int action, int fd, epoll_event* event);
int __real_epoll_wait(int epoll, epoll_event* events, int size, int timeout);
int __real_eventfd(unsigned value, int flags);
int __real_fcntl(int fd, int command, long argument);
ssize_t __real_getrandom(void* data, std::size_t size, unsigned flags);
int __real_getsockopt(int fd, int level, int name, void* value, socklen_t* size);
int __real_poll(pollfd* entries, nfds_t count, int timeout);
ssize_t __real_pread(int fd, void* data, std::size_t size, off_t offset);
ssize_t __real_pwrite(int fd, const void* data, std::size_t size, off_t offset);
ssize_t __real_read(int fd, void* data, std::size_t size);
ssize_t __real_recv(int fd, void* data, std::size_t size, int flags);
ssize_t __real_recvfrom(int fd, void* data, std::size_t size, int flags, sockaddr* address,
                        socklen_t* address_size);
ssize_t __real_recvmsg(int fd, msghdr* message, int flags);
ssize_t __real_send(int fd, const void* data, std::size_t size, int flags);
ssize_t __real_sendfile(int to, int from, off_t* offset, std::size_t size);
ssize_t __real_sendmsg(int fd, const msghdr* message, int flags);
ssize_t __real_sendto(int fd, const void* data, std::size_t size, int flags,
                      const sockaddr* address, socklen_t address_size);
long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
ssize_t __real_write(int fd, const void* data, std::size_t size);
}

namespace asyncio::testing {

namespace {

template <int... Errors>
constexpr std::array<int, sizeof...(Errors)> errors_of{Errors...};

constexpr SystemCall table[] = {
#define SYSTEM_CALL(name, ...) {#name, errors_of<__VA_ARGS__>},
#define NUMBERED_CALL(name, ...) SYSTEM_CALL(name, __VA_ARGS__)
#include "system_calls.inc"
#undef NUMBERED_CALL
#undef SYSTEM_CALL
};

/// The system's mood, and what it has to remember in order not to contradict itself.
class Mood {
public:
    static Mood& get() {
        static Mood mood;
        return mood;
    }

    void begin(const Hostility& hostility) {
        const std::scoped_lock lock(mutex_);
        hostility_ = hostility;
        random_ = hostility.seed;
        counts_.clear();
        calls_ = 0;
        lies_ = 0;
        failed_ = 0;
        active_.store(true, std::memory_order_release);
    }
    void end() {
        const std::scoped_lock lock(mutex_);
        active_.store(false, std::memory_order_release);
    }

    static inline thread_local int friendly = 0;

    [[nodiscard]] bool active() const noexcept {
        return friendly == 0 && active_.load(std::memory_order_acquire);
    }

    /// The errno that `call` is to fail with; 0: none. Counts it.
    int meet(std::string_view call) {
        if (!active()) {
            return 0;
        }
        const std::scoped_lock lock(mutex_);
        const std::int64_t number = ++counts_[call];
        if (++calls_ > most_calls) {
            std::fprintf(stderr, "the library calls and calls; the last: %.*s\n",
                         static_cast<int>(call.size()), call.data());
            std::abort();
        }
        if (call == hostility_.call && number >= hostility_.nth &&
            number < hostility_.nth + hostility_.times) {
            ++failed_;
            return hostility_.error;
        }
        if (lies(hostility_.delayed)) {
            const timespec time{0, 100'000};
            ::nanosleep(&time, nullptr);
        }
        return knows(call, EINTR) && lies(hostility_.interrupted) ? EINTR : 0;
    }

    /// The same for a transfer on `fd`; `size` becomes what it may transfer.
    int meet(std::string_view call, int fd, std::size_t& size) {
        if (!active() || is_counter(fd)) {
            return 0;
        }
        const int error = meet(call);
        const std::scoped_lock lock(mutex_);
        if (error != 0) {
            if (error == EAGAIN) {
                remember(fd);
            }
            return error;
        }
        if (knows(call, EAGAIN) && is_non_blocking(fd) && lies(hostility_.would_block)) {
            remember(fd);
            return EAGAIN;
        }
        if (size > hostility_.most_bytes && is_stream(fd)) {
            size = hostility_.most_bytes;
            ++lies_;
            remember(fd);
        }
        return 0;
    }

    /// What was said about a descriptor may not have been true: epoll is to look again.
    void make_good(int epoll) {
        if (!active_.load(std::memory_order_acquire)) {
            return;
        }
        const std::scoped_lock lock(mutex_);
        for (const int fd : std::exchange(lied_about_, {})) {
            const auto found = watched_.find({epoll, fd});
            if (found != watched_.end()) {
                __real_epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &found->second);
            }
        }
    }

    void watched(int epoll, int action, int fd, const epoll_event* event) {
        const std::scoped_lock lock(mutex_);
        if (action == EPOLL_CTL_DEL) {
            watched_.erase({epoll, fd});
        } else {
            watched_.insert_or_assign({epoll, fd}, *event);
        }
    }
    void made_counter(int fd) {
        const std::scoped_lock lock(mutex_);
        counters_.insert(fd);
    }
    void closed(int fd) {
        const std::scoped_lock lock(mutex_);
        counters_.erase(fd);
        lied_about_.erase(fd);
        std::erase_if(watched_, [fd](const auto& entry) {
            return entry.first.first == fd || entry.first.second == fd;
        });
    }

    [[nodiscard]] bool failed() {
        const std::scoped_lock lock(mutex_);
        return failed_ > 0;
    }
    [[nodiscard]] std::int64_t calls(std::string_view name) {
        const std::scoped_lock lock(mutex_);
        const auto found = counts_.find(name);
        return found != counts_.end() ? found->second : 0;
    }
    [[nodiscard]] std::int64_t calls() {
        const std::scoped_lock lock(mutex_);
        return calls_;
    }
    [[nodiscard]] std::int64_t told() {
        const std::scoped_lock lock(mutex_);
        return lies_;
    }

private:
    static constexpr std::int64_t most_calls = 5'000'000;

    static bool knows(std::string_view call, int error) {
        for (const SystemCall& each : table) {
            if (each.name == call) {
                for (const int known : each.errors) {
                    if (known == error) {
                        return true;
                    }
                }
                return false;
            }
        }
        return false;
    }

    bool lies(int percent) {
        if (percent == 0) {
            return false;
        }
        random_ ^= random_ << 13;
        random_ ^= random_ >> 7;
        random_ ^= random_ << 17;
        const bool lie = random_ % 100 < static_cast<std::uint64_t>(percent);
        lies_ += lie ? 1 : 0;
        return lie;
    }

    void remember(int fd) { lied_about_.insert(fd); }

    // That of an eventfd, or of a clock: it is never full.
    bool is_counter(int fd) {
        const std::scoped_lock lock(mutex_);
        return counters_.contains(fd);
    }

    // Whoever waits where he calls is never told to come back; nor are those who use a file.
    static bool is_non_blocking(int fd) { return (__real_fcntl(fd, F_GETFL, 0) & O_NONBLOCK) != 0; }

    static bool is_stream(int fd) {
        int type = 0;
        socklen_t size = sizeof type;
        return __real_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type == SOCK_STREAM;
    }

    std::mutex mutex_;
    std::atomic<bool> active_{false};
    Hostility hostility_;
    std::uint64_t random_ = 1;
    std::map<std::string_view, std::int64_t> counts_;
    std::int64_t calls_ = 0;
    std::int64_t lies_ = 0;
    std::int64_t failed_ = 0;
    std::map<std::pair<int, int>, epoll_event>
        watched_;  // by the epoll instance and the descriptor
    std::set<int> lied_about_;
    std::set<int> counters_;
};

template <class Result = int>
Result refuse(int error) noexcept {
    errno = error;
    return -1;
}

/// Of a system call that is made by its number; null if it cannot fail.
const char* name_of(long number) {
    switch (number) {
#define SYSTEM_CALL(name, ...)
#define NUMBERED_CALL(name, ...) \
    case SYS_##name:             \
        return #name;
#include "system_calls.inc"
#undef NUMBERED_CALL
#undef SYSTEM_CALL
        // What a child does before its program begins: on descriptors and signals that are there.
        case SYS_close:
        case SYS_exit_group:
        case SYS_fcntl:
        case SYS_getdents64:
        case SYS_ioctl:
        case SYS_openat:
        case SYS_rt_sigaction:
        case SYS_rt_sigprocmask:
        case SYS_umask:
            return nullptr;
        default:
            std::fprintf(stderr, "system_calls.inc does not know system call %ld\n", number);
            std::abort();
    }
}

/// A message of which only `size` bytes are transferred.
class Shortened {
public:
    explicit Shortened(const msghdr& whole) : message_(whole) {
        for (std::size_t i = 0; i < whole.msg_iovlen; ++i) {
            size += whole.msg_iov[i].iov_len;
        }
    }
    std::size_t size = 0;

    msghdr* get() {
        if (!made_) {
            made_ = true;
            std::size_t left = size;
            for (std::size_t i = 0; i < message_.msg_iovlen; ++i) {
                iovec buffer = message_.msg_iov[i];
                buffer.iov_len = std::min(buffer.iov_len, left);
                left -= buffer.iov_len;
                buffers_.push_back(buffer);
            }
            message_.msg_iov = buffers_.data();
        }
        return &message_;
    }

private:
    msghdr message_;
    std::vector<iovec> buffers_;
    bool made_ = false;
};

}  // namespace

std::span<const SystemCall> system_calls() noexcept {
    return table;
}

HostileSystem::HostileSystem(const Hostility& hostility) {
    Mood::get().begin(hostility);
}
HostileSystem::~HostileSystem() {
    Mood::get().end();
}
bool HostileSystem::failed() const {
    return Mood::get().failed();
}
std::int64_t HostileSystem::calls(std::string_view name) const {
    return Mood::get().calls(name);
}
std::int64_t HostileSystem::calls() const {
    return Mood::get().calls();
}
std::int64_t HostileSystem::lies() const {
    return Mood::get().told();
}

FriendlySystem::FriendlySystem() noexcept {
    ++Mood::friendly;
}
FriendlySystem::~FriendlySystem() {
    --Mood::friendly;
}

}  // namespace asyncio::testing

// The wrappers. Those that only may fail come from one line each.

using asyncio::testing::Mood;
using asyncio::testing::refuse;
using asyncio::testing::Shortened;

extern "C" {

#define MAY_FAIL(Result, name, parameters, arguments)                \
    Result __real_##name parameters;                                 \
    Result __wrap_##name parameters {                                \
        if (const int error = Mood::get().meet(#name); error != 0) { \
            return refuse<Result>(error);                            \
        }                                                            \
        return __real_##name arguments;                              \
    }

MAY_FAIL(int, bind, (int fd, const sockaddr* address, socklen_t size), (fd, address, size))
MAY_FAIL(int, chmod, (const char* path, mode_t mode), (path, mode))
MAY_FAIL(int, __clone,
         (int (*function)(void*), void* stack, int flags, void* argument, void* a, void* b,
          void* c),
         (function, stack, flags, argument, a, b, c))
MAY_FAIL(int, clone,
         (int (*function)(void*), void* stack, int flags, void* argument, void* a, void* b,
          void* c),
         (function, stack, flags, argument, a, b, c))
MAY_FAIL(ssize_t, copy_file_range,
         (int from, off64_t* from_offset, int to, off64_t* to_offset, std::size_t size,
          unsigned flags),
         (from, from_offset, to, to_offset, size, flags))
MAY_FAIL(int, dup, (int fd), (fd))
MAY_FAIL(int, epoll_create1, (int flags), (flags))
MAY_FAIL(int, fchmod, (int fd, mode_t mode), (fd, mode))
MAY_FAIL(int, fdatasync, (int fd), (fd))
MAY_FAIL(int, fstat, (int fd, struct stat* status), (fd, status))
MAY_FAIL(int, fsync, (int fd), (fd))
MAY_FAIL(int, ftruncate, (int fd, off_t size), (fd, size))
MAY_FAIL(int, linkat, (int from, const char* path, int to, const char* name, int flags),
         (from, path, to, name, flags))
MAY_FAIL(off_t, lseek, (int fd, off_t offset, int from), (fd, offset, from))
MAY_FAIL(ssize_t, preadv2, (int fd, const iovec* buffers, int count, off_t offset, int flags),
         (fd, buffers, count, offset, flags))
MAY_FAIL(ssize_t, readlink, (const char* path, char* target, std::size_t size),
         (path, target, size))
MAY_FAIL(int, mkdirat, (int directory, const char* path, mode_t mode), (directory, path, mode))
MAY_FAIL(int, inotify_add_watch, (int fd, const char* path, std::uint32_t mask), (fd, path, mask))
MAY_FAIL(int, inotify_init1, (int flags), (flags))
MAY_FAIL(int, inotify_rm_watch, (int fd, int watch), (fd, watch))
MAY_FAIL(int, lstat, (const char* path, struct stat* status), (path, status))
MAY_FAIL(int, timerfd_create, (int clock, int flags), (clock, flags))
MAY_FAIL(int, ioctl, (int fd, unsigned long request, void* argument), (fd, request, argument))
MAY_FAIL(int, kill, (pid_t pid, int signal), (pid, signal))
MAY_FAIL(int, open, (const char* path, int flags, mode_t mode), (path, flags, mode))
MAY_FAIL(int, pipe2, (int* fds, int flags), (fds, flags))
MAY_FAIL(int, posix_openpt, (int flags), (flags))
MAY_FAIL(int, stat, (const char* path, struct stat* status), (path, status))
MAY_FAIL(int, unlink, (const char* path), (path))
MAY_FAIL(int, unlockpt, (int fd), (fd))
MAY_FAIL(int, waitid, (idtype_t type, id_t id, siginfo_t* info, int options),
         (type, id, info, options))
MAY_FAIL(int, openat, (int directory, const char* path, int flags, mode_t mode),
         (directory, path, flags, mode))
MAY_FAIL(int, renameat2, (int from, const char* path, int to, const char* name, unsigned flags),
         (from, path, to, name, flags))
MAY_FAIL(int, statx,
         (int directory, const char* path, int flags, unsigned mask, struct statx* status),
         (directory, path, flags, mask, status))
MAY_FAIL(int, symlinkat, (const char* target, int directory, const char* path),
         (target, directory, path))
MAY_FAIL(int, unlinkat, (int directory, const char* path, int flags), (directory, path, flags))
MAY_FAIL(int, fcntl, (int fd, int command, long argument), (fd, command, argument))
MAY_FAIL(int, getpeername, (int fd, sockaddr* address, socklen_t* size), (fd, address, size))
MAY_FAIL(ssize_t, getrandom, (void* data, std::size_t size, unsigned flags), (data, size, flags))
MAY_FAIL(int, getsockname, (int fd, sockaddr* address, socklen_t* size), (fd, address, size))
MAY_FAIL(int, getsockopt, (int fd, int level, int name, void* value, socklen_t* size),
         (fd, level, name, value, size))
MAY_FAIL(int, listen, (int fd, int backlog), (fd, backlog))
MAY_FAIL(int, setsockopt, (int fd, int level, int name, const void* value, socklen_t size),
         (fd, level, name, value, size))
MAY_FAIL(int, shutdown, (int fd, int how), (fd, how))
MAY_FAIL(int, socket, (int family, int type, int protocol), (family, type, protocol))

int __wrap_eventfd(unsigned value, int flags) {
    if (const int error = Mood::get().meet("eventfd"); error != 0) {
        return refuse(error);
    }
    const int fd = __real_eventfd(value, flags);
    Mood::get().made_counter(fd);
    return fd;
}

// Linux has closed it also when it says that it could not.
int __wrap_close(int fd) {
    Mood::get().closed(fd);
    const int error = Mood::get().meet("close");
    const int result = __real_close(fd);
    return error != 0 ? refuse(error) : result;
}

// An interrupted one goes on by itself.
int __wrap_connect(int fd, const sockaddr* address, socklen_t size) {
    const int error = Mood::get().meet("connect");
    if (error != 0 && error != EINTR) {
        return refuse(error);
    }
    const int result = __real_connect(fd, address, size);
    return error != 0 && (result == 0 || errno == EINPROGRESS) ? refuse(error) : result;
}

int __wrap_epoll_ctl(int epoll, int action, int fd, epoll_event* event) {
    if (action != EPOLL_CTL_DEL) {
        if (const int error = Mood::get().meet("epoll_ctl"); error != 0) {
            return refuse(error);
        }
    }
    const int result = __real_epoll_ctl(epoll, action, fd, event);
    if (result == 0) {
        Mood::get().watched(epoll, action, fd, event);
    }
    return result;
}

int __wrap_epoll_wait(int epoll, epoll_event* events, int size, int timeout) {
    Mood::get().make_good(epoll);
    const int error = Mood::get().meet("epoll_wait");
    return error != 0 ? refuse(error) : __real_epoll_wait(epoll, events, size, timeout);
}

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f) {
    if (number == SYS_epoll_pwait2) {
        Mood::get().make_good(static_cast<int>(a));
    }
    const char* const name = asyncio::testing::name_of(number);
    const int error = name != nullptr ? Mood::get().meet(name) : 0;
    return error != 0 ? refuse<long>(error) : __real_syscall(number, a, b, c, d, e, f);
}

// These return null.
#define MAY_GIVE_NOTHING(Result, name, parameters, arguments)        \
    Result* __real_##name parameters;                                \
    Result* __wrap_##name parameters {                               \
        if (const int error = Mood::get().meet(#name); error != 0) { \
            errno = error;                                           \
            return nullptr;                                          \
        }                                                            \
        return __real_##name arguments;                              \
    }

MAY_GIVE_NOTHING(DIR, opendir, (const char* path), (path))
MAY_GIVE_NOTHING(dirent, readdir, (DIR * directory), (directory))

// Those of liburing return the negative error. Without it these are here all the same.
#define RING_CALL_MAY_FAIL(name, parameters, arguments)       \
    [[gnu::weak]] int __real_##name parameters;               \
    int __wrap_##name parameters {                            \
        const int error = Mood::get().meet(#name);            \
        return error != 0 ? -error : __real_##name arguments; \
    }

RING_CALL_MAY_FAIL(io_uring_queue_init_params,
                   (unsigned entries, io_uring* ring, io_uring_params* parameters),
                   (entries, ring, parameters))
RING_CALL_MAY_FAIL(io_uring_register_iowq_max_workers, (io_uring * ring, unsigned* values),
                   (ring, values))
RING_CALL_MAY_FAIL(io_uring_register_ring_fd, (io_uring * ring), (ring))
RING_CALL_MAY_FAIL(io_uring_ring_dontfork, (io_uring * ring), (ring))
RING_CALL_MAY_FAIL(io_uring_submit, (io_uring * ring), (ring))
RING_CALL_MAY_FAIL(io_uring_submit_and_get_events, (io_uring * ring), (ring))
RING_CALL_MAY_FAIL(io_uring_submit_and_wait, (io_uring * ring, unsigned count), (ring, count))
RING_CALL_MAY_FAIL(io_uring_submit_and_wait_timeout,
                   (io_uring * ring, io_uring_cqe** entry, unsigned count, void* time,
                    sigset_t* signals),
                   (ring, entry, count, time, signals))

// These return their error.
#define MAY_RETURN_ERROR(name, parameters, arguments)        \
    int __real_##name parameters;                            \
    int __wrap_##name parameters {                           \
        const int error = Mood::get().meet(#name);           \
        return error != 0 ? error : __real_##name arguments; \
    }

MAY_RETURN_ERROR(getaddrinfo,
                 (const char* host, const char* service, const addrinfo* hints, addrinfo** infos),
                 (host, service, hints, infos))
MAY_RETURN_ERROR(getnameinfo,
                 (const sockaddr* address, socklen_t address_size, char* host, socklen_t host_size,
                  char* service, socklen_t service_size, int flags),
                 (address, address_size, host, host_size, service, service_size, flags))
MAY_RETURN_ERROR(getgrnam_r,
                 (const char* name, group* entry, char* buffer, std::size_t size, group** result),
                 (name, entry, buffer, size, result))
MAY_RETURN_ERROR(getpwnam_r,
                 (const char* name, passwd* entry, char* buffer, std::size_t size, passwd** result),
                 (name, entry, buffer, size, result))

int __wrap_accept4(int fd, sockaddr* address, socklen_t* address_size, int flags) {
    std::size_t size = 0;
    const int error = Mood::get().meet("accept4", fd, size);
    return error != 0 ? refuse(error) : __real_accept4(fd, address, address_size, flags);
}

// That nothing is ready is a result, not an error.
int __wrap_poll(pollfd* entries, nfds_t count, int timeout) {
    std::size_t size = 0;
    const int error = Mood::get().meet("poll", entries->fd, size);
    if (error == EAGAIN) {
        entries->revents = 0;
        return 0;
    }
    return error != 0 ? refuse(error) : __real_poll(entries, count, timeout);
}

ssize_t __wrap_read(int fd, void* data, std::size_t size) {
    const int error = Mood::get().meet("read", fd, size);
    return error != 0 ? refuse<ssize_t>(error) : __real_read(fd, data, size);
}

ssize_t __wrap_write(int fd, const void* data, std::size_t size) {
    const int error = Mood::get().meet("write", fd, size);
    return error != 0 ? refuse<ssize_t>(error) : __real_write(fd, data, size);
}

ssize_t __wrap_recv(int fd, void* data, std::size_t size, int flags) {
    const int error = Mood::get().meet("recv", fd, size);
    return error != 0 ? refuse<ssize_t>(error) : __real_recv(fd, data, size, flags);
}

ssize_t __wrap_recvfrom(int fd, void* data, std::size_t size, int flags, sockaddr* address,
                        socklen_t* address_size) {
    const int error = Mood::get().meet("recvfrom", fd, size);
    return error != 0 ? refuse<ssize_t>(error)
                      : __real_recvfrom(fd, data, size, flags, address, address_size);
}

ssize_t __wrap_send(int fd, const void* data, std::size_t size, int flags) {
    const int error = Mood::get().meet("send", fd, size);
    return error != 0 ? refuse<ssize_t>(error) : __real_send(fd, data, size, flags);
}

ssize_t __wrap_sendto(int fd, const void* data, std::size_t size, int flags,
                      const sockaddr* address, socklen_t address_size) {
    const int error = Mood::get().meet("sendto", fd, size);
    return error != 0 ? refuse<ssize_t>(error)
                      : __real_sendto(fd, data, size, flags, address, address_size);
}

ssize_t __wrap_pread(int fd, void* data, std::size_t size, off_t offset) {
    const int error = Mood::get().meet("pread", fd, size);
    return error != 0 ? refuse<ssize_t>(error) : __real_pread(fd, data, size, offset);
}

ssize_t __wrap_pwrite(int fd, const void* data, std::size_t size, off_t offset) {
    const int error = Mood::get().meet("pwrite", fd, size);
    return error != 0 ? refuse<ssize_t>(error) : __real_pwrite(fd, data, size, offset);
}

ssize_t __wrap_sendfile(int to, int from, off_t* offset, std::size_t size) {
    const int error = Mood::get().meet("sendfile", to, size);
    return error != 0 ? refuse<ssize_t>(error) : __real_sendfile(to, from, offset, size);
}

ssize_t __wrap_sendmsg(int fd, const msghdr* message, int flags) {
    Shortened shortened(*message);
    const int error = Mood::get().meet("sendmsg", fd, shortened.size);
    return error != 0 ? refuse<ssize_t>(error) : __real_sendmsg(fd, shortened.get(), flags);
}

ssize_t __wrap_recvmsg(int fd, msghdr* message, int flags) {
    Shortened shortened(*message);
    if (const int error = Mood::get().meet("recvmsg", fd, shortened.size); error != 0) {
        return refuse<ssize_t>(error);
    }
    const ssize_t result = __real_recvmsg(fd, shortened.get(), flags);
    message->msg_namelen = shortened.get()->msg_namelen;
    message->msg_controllen = shortened.get()->msg_controllen;
    message->msg_flags = shortened.get()->msg_flags;
    return result;
}

}  // extern "C"
