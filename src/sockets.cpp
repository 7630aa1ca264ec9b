// sockets.cpp - sockets of a loop: what is done to them at once.
//
// SPDX-License-Identifier: MIT
#include <asyncio/sockets.hpp>

#include "addresses.hpp"
#include "loop_io.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>

namespace asyncio {

using detail::run_nothing;
using lowlevel::Opcode;
using lowlevel::Operation;
using lowlevel::SocketAddress;

namespace detail {

SocketBase::SocketBase(LoopIO* io, int fd) noexcept : io_(io), fd_(fd) {
    io_->retain();
}

SocketBase::SocketBase(const SocketBase& other) noexcept : io_(other.io_), fd_(other.fd_) {
    if (io_ != nullptr) {
        io_->retain();
    }
}

SocketBase::~SocketBase() {
    if (io_ != nullptr) {
        io_->release();
    }
}

EventLoop& SocketBase::get_loop() const {
    if (io_ == nullptr) {
        raise_os_error(EBADF, "no socket");
    }
    if (io_->loop() == nullptr) {
        raise_runtime_error("Event loop is closed");
    }
    return *io_->loop();
}

std::int64_t SocketBase::call(Operation& operation) const {
    return get_loop().call(operation);
}

static void check(std::int64_t result, const char* doing) {
    if (result < 0) {
        raise_os_error(static_cast<int>(-result), doing);
    }
}

Address SocketBase::getsockname() const {
    Operation operation(&run_nothing, Opcode::socket_name, fd_);
    SocketAddress raw;
    operation.address = &raw;
    check(call(operation), "getsockname");
    return Address(raw);
}

Address SocketBase::getpeername() const {
    Operation operation(&run_nothing, Opcode::peer_name, fd_);
    SocketAddress raw;
    operation.address = &raw;
    check(call(operation), "getpeername");
    return Address(raw);
}

int SocketBase::getsockopt(int level, int option) const {
    int value = 0;
    Operation operation(&run_nothing, Opcode::get_option, fd_);
    operation.argument = level;
    operation.argument2 = option;
    operation.data = &value;
    check(call(operation), "getsockopt");
    return value;
}

void SocketBase::setsockopt(int level, int option, int value) const {
    Operation operation(&run_nothing, Opcode::set_option, fd_);
    operation.argument = level;
    operation.argument2 = option;
    operation.data = &value;
    check(call(operation), "setsockopt");
}

bool SocketBase::get_inheritable() const {
    const int flags = ::fcntl(fd_, F_GETFD);
    check(flags < 0 ? -errno : 0, "fcntl");
    return (flags & FD_CLOEXEC) == 0;
}

Socket SocketBase::dup() const {
    static_cast<void>(get_loop());  // or there is none
    const int fd = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
    check(fd < 0 ? -errno : 0, "dup");
    // The proactor may remember another one of that number.
    Operation operation(&run_nothing, Opcode::forget, fd);
    io_->loop()->call(operation);
    return {*io_, fd};
}

void SocketBase::shutdown(int how) const {
    Operation operation(&run_nothing, Opcode::shutdown, fd_);
    operation.argument = how;
    check(call(operation), "shutdown");
}

AddressFamily SocketBase::family() const {
    return family_of(getsockopt(SOL_SOCKET, SO_DOMAIN));
}
SocketType SocketBase::type() const {
    return type_of(getsockopt(SOL_SOCKET, SO_TYPE));
}
int SocketBase::proto() const {
    return getsockopt(SOL_SOCKET, SO_PROTOCOL);
}

}  // namespace detail

// --------------------------------------------------------------------------- TransportSocket

void TransportSocket::settimeout(std::optional<Duration> value) const {
    if (!value.has_value() || value->seconds() != 0) {
        detail::raise_value_error("settimeout(): only 0 timeout is allowed on transport sockets");
    }
}

void TransportSocket::setblocking(bool flag) const {
    if (flag) {
        detail::raise_value_error("setblocking(): transport sockets cannot be blocking");
    }
}

// ------------------------------------------------------------------------------------ Socket

static int make_socket(EventLoop& loop, AddressFamily family, SocketType type) {
    Operation operation(&run_nothing, Opcode::socket, -1);
    operation.argument = detail::system_family(family);
    operation.argument2 = detail::system_type(type);
    const std::int64_t fd = loop.call(operation);
    detail::check(fd, "socket");
    return static_cast<int>(fd);
}

static int take_over(int fd) {
    const int flags = ::fcntl(fd, F_GETFL);
    const int descriptor_flags = ::fcntl(fd, F_GETFD);
    if (flags < 0 || descriptor_flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        ::fcntl(fd, F_SETFD, descriptor_flags | FD_CLOEXEC) < 0) {
        detail::raise_os_error(errno, "fcntl");
    }
    return fd;
}

Socket::Socket(AddressFamily family, SocketType type)
    : SocketBase(&detail::LoopIO::of(get_running_loop()),
                 make_socket(get_running_loop(), family, type)) {}

Socket::Socket(int fd) : SocketBase(&detail::LoopIO::of(get_running_loop()), take_over(fd)) {}

// An operation that is still in the loop's list of those to be started would meet whatever has this
// number by then, and so would one that has sent a part and is about to go on. Cancelled, they
// complete as those do that the proactor knows.
void Socket::end_operations() noexcept {
    if (io_->loop() != nullptr) {
        io_->end_operations(fd_);
    }
}

void Socket::close() noexcept {
    if (fd_ >= 0) {
        end_operations();
        io_->close(std::exchange(fd_, -1));
    }
}

int Socket::detach() noexcept {
    if (fd_ >= 0) {
        end_operations();
        io_->disclaim(fd_);
        if (io_->loop() != nullptr) {
            Operation operation(&run_nothing, Opcode::forget, fd_);
            io_->loop()->call(operation);
        }
    }
    return std::exchange(fd_, -1);
}

void Socket::bind(const Address& address) const {
    Operation operation(&run_nothing, Opcode::bind, fd_);
    SocketAddress raw = address.raw();
    operation.address = &raw;
    if (const std::int64_t result = call(operation); result < 0) {
        detail::raise_os_error(static_cast<int>(-result), "bind to " + address.to_string());
    }
}

void Socket::listen(int backlog) const {
    Operation operation(&run_nothing, Opcode::listen, fd_);
    operation.argument = backlog;
    if (const std::int64_t result = call(operation); result < 0) {
        detail::raise_os_error(static_cast<int>(-result),
                               fd_ < 0 ? "listen" : "listen on " + getsockname().to_string());
    }
}

}  // namespace asyncio
