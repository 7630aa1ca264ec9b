// proactor_driver.hpp - what tests of proactors are made of: descriptors, connected pairs,
// operations that count, and a Driver that does by hand what the loop does.
//
// What it needs of the system and does not get is an exception.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/exceptions.hpp>
#include <asyncio/lowlevel/proactor.hpp>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace asyncio::testing {

using namespace std::chrono_literals;
using lowlevel::Callback;
using lowlevel::CallbackList;
using lowlevel::Opcode;
using lowlevel::Operation;
using lowlevel::Proactor;
using lowlevel::SocketAddress;

/// `holds`, or the error that the system has just had.
inline void require(bool holds, const char* what) {
    if (!holds) {
        asyncio::detail::raise_os_error(errno, what);
    }
}

/// Owns a descriptor.
class Fd {
public:
    Fd() = default;
    explicit Fd(std::int64_t fd) : fd_(static_cast<int>(fd)) { require(fd >= 0, "a descriptor"); }
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Fd() { reset(); }

    operator int() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }
    void reset() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
        fd_ = -1;
    }

private:
    int fd_ = -1;
};

struct Pair {
    Fd ours;
    Fd theirs;
};

inline Pair unix_pair(int type = SOCK_STREAM) {
    int fds[2] = {-1, -1};
    require(::socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0, "socketpair");
    return {Fd(fds[0]), Fd(fds[1])};
}

struct Pipe {
    Fd read_end;
    Fd write_end;
};

inline Pipe make_pipe() {
    int fds[2] = {-1, -1};
    require(::pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0, "pipe2");
    return {Fd(fds[0]), Fd(fds[1])};
}

inline SocketAddress loopback(std::uint16_t port = 0) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    SocketAddress address;
    std::memcpy(address.storage, &in, sizeof in);
    address.size = sizeof in;
    return address;
}

inline std::uint16_t port_of(const SocketAddress& address) {
    sockaddr_in in{};
    std::memcpy(&in, address.storage, sizeof in);
    return ntohs(in.sin_port);
}

inline SocketAddress name_of(int fd) {
    SocketAddress address;
    socklen_t size = sizeof address.storage;
    require(::getsockname(fd, reinterpret_cast<sockaddr*>(address.storage), &size) == 0,
            "getsockname");
    address.size = size;
    return address;
}

inline Fd bound_socket(int type) {
    Fd fd(::socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const SocketAddress address = loopback();
    require(::bind(fd, reinterpret_cast<const sockaddr*>(address.storage), address.size) == 0,
            "bind");
    return fd;
}

inline Fd listening_socket(int backlog = 16) {
    Fd fd = bound_socket(SOCK_STREAM);
    require(::listen(fd, backlog) == 0, "listen");
    return fd;
}

/// Blocking, so that it is connected when this returns.
inline Fd connected_to(int listener) {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress address = name_of(listener);
    require(::connect(fd, reinterpret_cast<const sockaddr*>(address.storage), address.size) == 0,
            "connect");
    require(::fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "fcntl");
    return fd;
}

inline Pair tcp_pair() {
    Fd listener = listening_socket();
    Fd theirs = connected_to(listener);
    Fd ours(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    const int on = 1;
    require(::setsockopt(ours, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "setsockopt");
    require(::setsockopt(theirs, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "setsockopt");
    return {std::move(ours), std::move(theirs)};
}

inline void put(int fd, std::string_view text) {
    require(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()), "write");
}

inline std::string take(int fd, std::size_t size = 65536) {
    std::string text(size, '\0');
    const ssize_t count = ::read(fd, text.data(), size);
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
}

/// Until nothing more fits; how much that was.
inline std::size_t fill(int fd) {
    const std::string block(65536, 'x');
    std::size_t total = 0;
    ssize_t count = 0;
    while ((count = ::write(fd, block.data(), block.size())) > 0) {
        total += static_cast<std::size_t>(count);
    }
    return total;
}

/// Closes so that the peer gets a reset.
inline void close_hard(Fd& fd) {
    const linger hard{1, 0};
    require(::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard) == 0, "setsockopt");
    fd.reset();
}

inline bool close_on_exec(int fd) {
    return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}
inline bool non_blocking(int fd) {
    return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

/// An operation that counts how often it runs.
class Probe final : public Operation {
public:
    Probe(Opcode opcode, int fd) : Operation(&ran, opcode, fd) {}

    int runs = 0;
    std::function<void()> then;  // in its callback
    std::string buffer;
    SocketAddress own_address;

    /// What a receiving operation has received.
    [[nodiscard]] std::string text() const {
        return result < 0 ? std::string(std::strerror(static_cast<int>(-result)))
                          : buffer.substr(0, static_cast<std::size_t>(result));
    }

private:
    static void ran(Callback& callback) {
        auto& self = static_cast<Probe&>(callback);
        ++self.runs;
        if (self.then) {
            self.then();
        }
    }
};

/// A proactor and the part of the loop that it needs.
class Driver {
public:
    explicit Driver(std::unique_ptr<Proactor> proactor) : proactor_(std::move(proactor)) {}
    Driver(const Driver&) = delete;
    Driver& operator=(const Driver&) = delete;
    ~Driver() {
        proactor_->abort_all(ready_);
        while (!pending_.empty()) {
            proactor_->cancel(static_cast<Operation&>(pending_.front()), ready_);
        }
        for (Probe& probe : probes_) {
            probe.then = nullptr;
        }
        run_ready();
    }

    Proactor& proactor() { return *proactor_; }

    Probe& make(Opcode opcode, int fd) { return probes_.emplace_back(opcode, fd); }
    Probe& make_receiver(int fd, std::size_t size = 64, Opcode opcode = Opcode::recv) {
        Probe& probe = make(opcode, fd);
        probe.buffer.resize(size);
        probe.data = probe.buffer.data();
        probe.size = size;
        return probe;
    }
    Probe& make_sender(int fd, std::string text, Opcode opcode = Opcode::send) {
        Probe& probe = make(opcode, fd);
        probe.buffer = std::move(text);
        probe.data = probe.buffer.data();
        probe.size = probe.buffer.size();
        return probe;
    }
    Probe& make_with_address(Opcode opcode, int fd, const SocketAddress& address) {
        Probe& probe = make(opcode, fd);
        probe.own_address = address;
        probe.address = &probe.own_address;
        return probe;
    }

    /// As EventLoop::start().
    Probe& start(Probe& probe) {
        probe.completed = false;
        pending_.push_back(probe);
        return probe;
    }
    /// As an awaitable does it: in place, if that can be.
    Probe& begin(Probe& probe) {
        if (proactor_->attempt(probe)) {
            probe.run();
        } else {
            start(probe);
        }
        return probe;
    }
    /// Started, and in the hands of the proactor.
    Probe& wait_with(Probe& probe) {
        start(probe);
        poll();
        if (probe.runs != 0 || probe.completed) {
            throw RuntimeError("what has to wait has completed at once");
        }
        return probe;
    }
    Probe& receive(int fd, std::size_t size = 64) { return start(make_receiver(fd, size)); }
    Probe& send(int fd, std::string text) { return start(make_sender(fd, std::move(text))); }

    void cancel(Probe& probe) { proactor_->cancel(probe, ready_); }

    /// As the loop does it: what is pending is meant for this descriptor, not for the
    /// next one of that number.
    std::int64_t close(Fd& fd) {
        poll();
        return call(Opcode::close, fd.release());
    }
    std::int64_t call(Opcode opcode, int fd, int argument = 0, int argument2 = 0,
                      void* data = nullptr, SocketAddress* address = nullptr) {
        Operation operation(nullptr, opcode, fd);
        operation.argument = argument;
        operation.argument2 = argument2;
        operation.data = data;
        operation.address = address;
        return proactor_->call(operation);
    }

    void poll(TimePoint deadline = TimePoint::min()) {
        ++polls;
        proactor_->poll(pending_, ready_, deadline);
    }
    void run_ready() {
        CallbackList batch(std::move(ready_));
        while (!batch.empty()) {
            batch.pop_front().run();
        }
    }
    void turn(TimePoint deadline = TimePoint::min()) {
        poll(deadline);
        run_ready();
    }
    bool nothing_ready() const { return ready_.empty(); }

    /// Turns until `condition`. False after a time that only a mistake takes.
    bool until(const std::function<bool()>& condition) {
        const auto patience = std::chrono::steady_clock::now() + 20s;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > patience) {
                return false;
            }
            turn(proactor_->now() + 20ms);
        }
        return true;
    }
    bool finished(const Probe& probe) {
        return until([&] { return probe.runs > 0; });
    }
    /// Turns in which whatever might happen has happened.
    void settle() {
        for (int i = 0; i < 3; ++i) {
            turn(proactor_->now() + 2ms);
        }
    }

    int polls = 0;

private:
    std::deque<Probe> probes_;
    std::unique_ptr<Proactor> proactor_;
    CallbackList pending_;
    CallbackList ready_;
};

}  // namespace asyncio::testing
