// posix.cpp - every system call on sockets and pipes outside io_uring.
//
// SPDX-License-Identifier: MIT
#include "posix.hpp"

#include <asyncio/detail/config.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <ctime>

#include <limits.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace asyncio::lowlevel::posix {

static_assert(sizeof(SocketAddress::storage) >= sizeof(sockaddr_storage));
static_assert(alignof(SocketAddress) >= alignof(sockaddr_storage));
static_assert(sizeof(Buffer) == sizeof(iovec));
static_assert(offsetof(Buffer, data) == offsetof(iovec, iov_base));
static_assert(offsetof(Buffer, size) == offsetof(iovec, iov_len));
static_assert(most_buffers <= IOV_MAX);
static_assert(sizeof(Message) == sizeof(msghdr));
static_assert(offsetof(Message, address) == offsetof(msghdr, msg_name));
static_assert(offsetof(Message, address_size) == offsetof(msghdr, msg_namelen));
static_assert(offsetof(Message, buffers) == offsetof(msghdr, msg_iov));
static_assert(offsetof(Message, buffer_count) == offsetof(msghdr, msg_iovlen));
static_assert(offsetof(Message, control) == offsetof(msghdr, msg_control));
static_assert(offsetof(Message, control_size) == offsetof(msghdr, msg_controllen));
static_assert(offsetof(Message, flags) == offsetof(msghdr, msg_flags));

// `make_call` until no signal interrupts it.
template <class Call>
static std::int64_t complete(Call make_call) noexcept {
    for (;;) {
        const std::int64_t result = make_call();
        if (result >= 0) [[likely]] {
            return result;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

// The same for what can be waited for.
template <class Call>
static std::int64_t transfer(Call make_call) noexcept {
    const std::int64_t result = complete(make_call);
    return result == -EAGAIN || result == -EWOULDBLOCK ? would_block : result;
}

static sockaddr* address_of(Operation& operation) noexcept {
    return reinterpret_cast<sockaddr*>(operation.address->storage);
}

// For calls that fill in an address, which may be null; they take its size from and leave it in it.
template <class Call>
static std::int64_t with_address(Operation& operation, Call make_call) noexcept {
    if (operation.address == nullptr) {
        return make_call(nullptr, nullptr);
    }
    socklen_t size = sizeof operation.address->storage;
    const std::int64_t result = make_call(address_of(operation), &size);
    if (result >= 0) {
        operation.address->size = std::min<std::uint32_t>(size, sizeof operation.address->storage);
    }
    return result;
}

static std::int64_t accept(Operation& operation) noexcept {
    return transfer([&]() noexcept {
        return with_address(operation, [&](sockaddr* address, socklen_t* size) noexcept {
            return ::accept4(operation.fd, address, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        });
    });
}

// Twice: the first time it sets out, the second time, when the descriptor is writable, it finds out
// how that ended. Operation::result tells them apart; -EINPROGRESS is never a final result.
static std::int64_t connect(Operation& operation) noexcept {
    if (operation.result == -EINPROGRESS) {
        int error = 0;
        socklen_t size = sizeof error;
        if (::getsockopt(operation.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
            return -errno;
        }
        return -error;
    }
    if (::connect(operation.fd, address_of(operation), operation.address->size) == 0) {
        return 0;
    }
    if (errno == EINPROGRESS || errno == EINTR) {  // an interrupted one goes on by itself
        operation.result = -EINPROGRESS;
        return would_block;
    }
    return -errno;
}

static std::int64_t send_vector(Operation& operation) noexcept {
    msghdr message{};
    message.msg_iov = static_cast<iovec*>(operation.data);
    message.msg_iovlen = std::min(operation.size, most_buffers);
    return transfer(
        [&]() noexcept { return ::sendmsg(operation.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT); });
}

static std::int64_t receive_from(Operation& operation) noexcept {
    return transfer([&]() noexcept {
        return with_address(operation, [&](sockaddr* address, socklen_t* size) noexcept {
            return ::recvfrom(operation.fd, operation.data, operation.size, MSG_DONTWAIT, address,
                              size);
        });
    });
}

static std::int64_t send_to(Operation& operation) noexcept {
    return transfer([&]() noexcept {
        return ::sendto(operation.fd, operation.data, operation.size, MSG_NOSIGNAL | MSG_DONTWAIT,
                        address_of(operation), operation.address->size);
    });
}

static msghdr& message_of(Operation& operation) noexcept {
    return *static_cast<msghdr*>(operation.data);
}

static std::int64_t receive_message(Operation& operation) noexcept {
    return transfer([&]() noexcept {
        return ::recvmsg(operation.fd, &message_of(operation),
                         operation.argument | MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    });
}

static std::int64_t send_message(Operation& operation) noexcept {
    return transfer([&]() noexcept {
        return ::sendmsg(operation.fd, &message_of(operation),
                         operation.argument | MSG_NOSIGNAL | MSG_DONTWAIT);
    });
}

// write() and sendfile() have no MSG_NOSIGNAL (RWF_NOSIGNAL came with Linux 6.18), and how the
// process treats SIGPIPE is not the library's to change. So the signal, which is sent to the thread
// that writes, is blocked, and taken back if it came. Two more system calls, for pipes and files
// only.
template <class Call>
static std::int64_t without_signal(Call make_call) noexcept {
    sigset_t broken_pipe;
    sigset_t blocked_before;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, &blocked_before);
    const std::int64_t result = transfer(make_call);
    if (result == -EPIPE && sigismember(&blocked_before, SIGPIPE) == 0) {
        const timespec no_time{};
        static_cast<void>(
            complete([&]() noexcept { return sigtimedwait(&broken_pipe, nullptr, &no_time); }));
    }
    pthread_sigmask(SIG_SETMASK, &blocked_before, nullptr);
    return result;
}

static std::int64_t write(Operation& operation) noexcept {
    return without_signal(
        [&]() noexcept { return ::write(operation.fd, operation.data, operation.size); });
}

// The file's own position is left alone.
static std::int64_t send_file(Operation& operation) noexcept {
    return without_signal([&]() noexcept {
        auto offset = static_cast<off_t>(*static_cast<const std::int64_t*>(operation.data));
        return ::sendfile(operation.fd, operation.argument, &offset, operation.size);
    });
}

static std::int64_t poll_now(int fd, short events) noexcept {
    pollfd entry{fd, events, 0};
    const std::int64_t count = complete([&]() noexcept { return ::poll(&entry, 1, 0); });
    if (count == 0) {
        return would_block;
    }
    if (count < 0) {
        return count;
    }
    return (entry.revents & POLLNVAL) != 0 ? -EBADF : entry.revents;
}

std::int64_t perform(Operation& operation) noexcept {
    switch (operation.opcode) {
        case Opcode::recv:
            return transfer([&]() noexcept {
                return ::recv(operation.fd, operation.data, operation.size, MSG_DONTWAIT);
            });
        case Opcode::send:
            return transfer([&]() noexcept {
                return ::send(operation.fd, operation.data, operation.size,
                              MSG_NOSIGNAL | MSG_DONTWAIT);
            });
        case Opcode::accept:
            return accept(operation);
        case Opcode::connect:
            return connect(operation);
        case Opcode::send_vector:
            return send_vector(operation);
        case Opcode::recv_from:
            return receive_from(operation);
        case Opcode::send_to:
            return send_to(operation);
        case Opcode::read:
            return transfer(
                [&]() noexcept { return ::read(operation.fd, operation.data, operation.size); });
        case Opcode::write:
            return write(operation);
        case Opcode::send_file:
            return send_file(operation);
        case Opcode::poll_in:
            return poll_now(operation.fd, POLLIN);
        case Opcode::poll_out:
            return poll_now(operation.fd, POLLOUT);
        case Opcode::recv_message:
            return receive_message(operation);
        case Opcode::send_message:
            return send_message(operation);
        default:
            ASYNCIO_ASSERT(false);  // it is called, not started
            return -ENOSYS;
    }
}

static std::int64_t get_option(Operation& operation) noexcept {
    socklen_t size = operation.size == 0 ? sizeof(int) : static_cast<socklen_t>(operation.size);
    return complete([&]() noexcept {
        return ::getsockopt(operation.fd, operation.argument, operation.argument2, operation.data,
                            &size);
    });
}

static std::int64_t set_option(Operation& operation) noexcept {
    const socklen_t size =
        operation.size == 0 ? sizeof(int) : static_cast<socklen_t>(operation.size);
    return complete([&]() noexcept {
        return ::setsockopt(operation.fd, operation.argument, operation.argument2, operation.data,
                            size);
    });
}

std::int64_t call(Operation& operation) noexcept {
    const int fd = operation.fd;
    switch (operation.opcode) {
        case Opcode::socket:
            return complete([&]() noexcept {
                return ::socket(operation.argument,
                                operation.argument2 | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
            });
        case Opcode::bind:
            return complete([&]() noexcept {
                return ::bind(fd, address_of(operation), operation.address->size);
            });
        case Opcode::listen:
            return complete([&]() noexcept { return ::listen(fd, operation.argument); });
        case Opcode::shutdown:
            return complete([&]() noexcept { return ::shutdown(fd, operation.argument); });
        case Opcode::accept:
        case Opcode::recv:
        case Opcode::read:
        case Opcode::recv_message:
        case Opcode::send_message: {
            const std::int64_t result = perform(operation);
            return result == would_block ? -EAGAIN : result;
        }
        case Opcode::close:
            // Linux has freed the number also when a signal interrupts it: never a second time.
            return ::close(fd) == 0 || errno == EINTR ? 0 : -errno;
        case Opcode::get_option:
            return get_option(operation);
        case Opcode::set_option:
            return set_option(operation);
        case Opcode::socket_name:
            return with_address(operation, [&](sockaddr* address, socklen_t* size) noexcept {
                return complete([&]() noexcept { return ::getsockname(fd, address, size); });
            });
        case Opcode::peer_name:
            return with_address(operation, [&](sockaddr* address, socklen_t* size) noexcept {
                return complete([&]() noexcept { return ::getpeername(fd, address, size); });
            });
        default:
            ASYNCIO_ASSERT(false);  // it is started, not called
            return -ENOSYS;
    }
}

}  // namespace asyncio::lowlevel::posix
