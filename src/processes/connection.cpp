// connection.cpp - whole messages over a socket, between processes.
//
// SPDX-License-Identifier: MIT
#include <asyncio/detail/processes/connection.hpp>

#include "send_descriptors.hpp"

#include <asyncio/futures.hpp>
#include <asyncio/sockets.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <ctime>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace asyncio {

EOFError::~EOFError() = default;

namespace detail {

namespace {

// What is larger does not go in one message, where other things are in the buffer already.
constexpr std::size_t most_inline = std::size_t{16} * 1024;
constexpr char inline_bytes = 'i';  // a message begins with one of these
constexpr char bytes_in_memory = 'm';

// Until `events`, or so long; false then. Interruptions are nothing.
bool wait_until(int fd, short events, std::optional<Duration> timeout) {
    const auto now = [] {
        timespec time{};
        ::clock_gettime(CLOCK_MONOTONIC, &time);
        constexpr std::int64_t second = 1'000'000'000;
        return time.tv_sec * second + time.tv_nsec;
    };
    constexpr std::int64_t millisecond = 1'000'000;
    const std::int64_t begin = now();
    for (;;) {
        int milliseconds = -1;
        if (timeout.has_value()) {
            const std::int64_t left =
                std::max<std::int64_t>(timeout->nanoseconds() - (now() - begin), 0);
            milliseconds = static_cast<int>(
                std::min<std::int64_t>((left + millisecond - 1) / millisecond, INT_MAX));
        }
        pollfd polled{fd, events, 0};
        const int result = ::poll(&polled, 1, milliseconds);
        if (result > 0) {
            return true;
        }
        if (result == 0 && milliseconds != INT_MAX) {
            return false;
        }
        if (result < 0 && errno != EINTR) {
            raise_os_error(errno, "wait for another process");
        }
    }
}

/// A message in the form in which it goes.
class Outgoing {
public:
    explicit Outgoing(std::string bytes) : bytes_(std::move(bytes)) {
        if (bytes_.size() > most_inline) {
            put_into_memory();
        }
    }

    /// False if it does not take it now.
    bool try_to_send(int fd) {
        char kind = descriptors_.empty() ? inline_bytes : bytes_in_memory;
        std::array<iovec, 2> parts{{{&kind, 1}, {bytes_.data(), bytes_.size()}}};
        ssize_t size = send_with_descriptors(fd, {parts.data(), parts.size()}, descriptors_);
        if (size < 0 && errno == ECONNRESET) {
            // The other end was closed with something in it: that is told once, whoever asks.
            size = send_with_descriptors(fd, {parts.data(), parts.size()}, descriptors_);
        }
        if (size < 0 && errno != EAGAIN && errno != ENOBUFS) {
            raise_os_error(errno, "send to another process");
        }
        return size >= 0;
    }

private:
    void put_into_memory() {
        FileDescriptor memory(::memfd_create("asyncio-message", MFD_CLOEXEC));
        if (!memory) {
            raise_os_error(errno, "send to another process");
        }
        for (std::size_t written = 0; written < bytes_.size();) {
            const ssize_t size =
                ::write(memory.fileno(), bytes_.data() + written, bytes_.size() - written);
            if (size < 0 && errno != EINTR) {
                raise_os_error(errno, "send to another process");
            }
            written += static_cast<std::size_t>(std::max<ssize_t>(size, 0));
        }
        descriptors_.push_back(std::move(memory));
        bytes_.clear();
    }

    std::string bytes_;
    std::vector<FileDescriptor> descriptors_;
};

// As much as there is in it.
std::string read_memory(const FileDescriptor& memory) {
    struct stat status{};
    if (::fstat(memory.fileno(), &status) != 0) {
        raise_os_error(errno, "receive from another process");
    }
    std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
    for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t size = ::pread(memory.fileno(), bytes.data() + done, bytes.size() - done,
                                     static_cast<off_t>(done));
        if (size == 0) {
            raise_wrong_value("message");  // it was made shorter
        }
        if (size < 0 && errno != EINTR) {
            raise_os_error(errno, "receive from another process");
        }
        done += static_cast<std::size_t>(std::max<ssize_t>(size, 0));
    }
    return bytes;
}

/// Nothing if there is none now.
std::optional<std::string> try_to_receive(int fd) {
    std::array<char, most_inline + 1> buffer;
    ReceivedDescriptors descriptors;
    ssize_t size =
        receive_with_descriptors(fd, buffer.data(), buffer.size(), descriptors, MSG_DONTWAIT);
    if (size < 0 && errno == ECONNRESET) {
        // The other end was closed with something in it: that is told once, and before what has
        // come from there.
        size =
            receive_with_descriptors(fd, buffer.data(), buffer.size(), descriptors, MSG_DONTWAIT);
    }
    if (size < 0 && errno == EAGAIN) {
        return std::nullopt;
    }
    if (size == 0) {
        throw EOFError("the other end is closed");
    }
    if (size < 0) {
        raise_os_error(errno, "receive from another process");
    }
    if (buffer[0] == bytes_in_memory && descriptors.some_are_missing) {
        raise_os_error(EMFILE, "receive from another process");
    }
    if (buffer[0] == bytes_in_memory && descriptors.all.size() == 1) {
        return read_memory(descriptors.all.front());
    }
    if (buffer[0] != inline_bytes) {
        raise_wrong_value("message");
    }
    return std::string(buffer.data() + 1, static_cast<std::size_t>(size) - 1);
}

/// Watches a descriptor of its own for the same socket: others may watch that one.
class Watch {
public:
    Watch(EventLoop& loop, int fd, bool to_read)
        : loop_(loop), fd_(::fcntl(fd, F_DUPFD_CLOEXEC, 0)), to_read_(to_read) {
        if (!fd_) {
            raise_os_error(errno, "wait for another process");
        }
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() {
        if (!watched_) {
            return;
        }
        try {
            to_read_ ? remove_reader(fd_.fileno()) : remove_writer(fd_.fileno());
        } catch (const RuntimeError&) {}  // the loop is being closed, which ends it as well
    }

    /// Done at the next chance.
    Future<> next() {
        Future<> ready = loop_.create_future<void>();
        const auto tell = [ready] {
            if (!ready.done()) {
                ready.set_result();
            }
        };
        to_read_ ? add_reader(fd_.fileno(), tell) : add_writer(fd_.fileno(), tell);
        watched_ = true;
        return ready;
    }

private:
    EventLoop& loop_;
    FileDescriptor fd_;
    bool to_read_;
    bool watched_ = false;
};

}  // namespace

std::pair<MessageEnd, MessageEnd> MessageEnd::make_pair() {
    std::array<int, 2> sockets{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
        raise_os_error(errno, "make a pipe between processes");
    }
    return {MessageEnd(FileDescriptor(sockets[0])), MessageEnd(FileDescriptor(sockets[1]))};
}

void MessageEnd::send(std::string bytes, std::optional<Duration> timeout) const {
    Outgoing message(std::move(bytes));
    while (!message.try_to_send(fileno())) {
        if (!wait_until(fileno(), POLLOUT, timeout)) {
            throw TimeoutError();
        }
    }
}

std::string MessageEnd::receive(std::optional<Duration> timeout) const {
    for (;;) {
        std::optional<std::string> message = try_to_receive(fileno());
        if (message.has_value()) {
            return std::move(*message);
        }
        if (!wait_until(fileno(), POLLIN, timeout)) {
            throw TimeoutError();
        }
    }
}

bool MessageEnd::poll(Duration timeout) const {
    return wait_until(fileno(), POLLIN, timeout);
}

Coroutine<> MessageEnd::coro_send(std::string bytes) const {
    Outgoing message(std::move(bytes));
    Watch watch(get_running_loop(), fileno(), false);
    while (!message.try_to_send(fileno())) {
        const Future<> ready = watch.next();
        co_await ready;
    }
}

Coroutine<std::string> MessageEnd::coro_receive() const {
    Watch watch(get_running_loop(), fileno(), true);
    for (;;) {
        std::optional<std::string> message = try_to_receive(fileno());
        if (message.has_value()) {
            co_return std::move(*message);
        }
        const Future<> ready = watch.next();
        co_await ready;
    }
}

}  // namespace detail

ConnectionPair open_connection_pair() {
    auto [first, second] = detail::MessageEnd::make_pair();
    return {Connection(std::move(first)), Connection(std::move(second))};
}

}  // namespace asyncio
