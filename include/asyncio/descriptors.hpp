// descriptors.hpp - descriptors that are passed from process to process over Unix sockets:
// send_fds(), recv_fds().
//
// Mirrors Python's socket.send_fds() and socket.recv_fds(), which wait; these are awaited.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/message_operations.hpp>
#include <asyncio/detail/owned.hpp>
#include <asyncio/sockets.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asyncio {

/// Owns a descriptor of any kind. Movable; empty by default, and false then.
class FileDescriptor {
public:
    FileDescriptor() = default;
    explicit FileDescriptor(int fd) noexcept : fd_(fd) {}
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileDescriptor& operator=(FileDescriptor other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~FileDescriptor() { close(); }

    [[nodiscard]] int fileno() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    void close() noexcept;
    /// Gives it up: as in `Socket(fd.detach())`.
    [[nodiscard]] int detach() noexcept { return std::exchange(fd_, -1); }

private:
    int fd_ = -1;
};

/// What recv_fds() gives.
struct ReceivedFds {
    ReceivedFds() = default;
    ReceivedFds(ReceivedFds&&) =
        default;  // only: a vector says it can be copied, whatever is in it
    ReceivedFds& operator=(ReceivedFds&&) = default;

    std::string data;                 ///< empty only at the end
    std::vector<FileDescriptor> fds;  ///< close-on-exec
    bool truncated = false;           ///< more were sent than were to be received: they are closed
};

namespace detail {

/// Descriptors as they go with a message.
class ControlBuffer {
public:
    explicit ControlBuffer(std::span<const int> fds);
    explicit ControlBuffer(std::size_t most);

    /// To be sent, or before it is received.
    void attach(lowlevel::Message& message) const noexcept;
    /// What was received goes to `fds`, where there is room for all.
    static void take(const lowlevel::Message& message, std::vector<FileDescriptor>& fds) noexcept;

private:
    std::size_t size_;  // 0: nothing
    detail::Owned<char[]> memory_;
};

class [[nodiscard]] RecvFdsAwaiter final : public MessageReceiver {
public:
    RecvFdsAwaiter(const SocketBase& socket, std::size_t n, std::size_t most);
    ReceivedFds await_resume();
    Result<ReceivedFds> await_result();

private:
    void attach() noexcept override { control_.attach(message()); }
    void keep() override;

    ControlBuffer control_;
    ReceivedFds received_;
};

class [[nodiscard]] SendFdsAwaiter final : public SocketOperation {
public:
    SendFdsAwaiter(const SocketBase& socket, std::string_view bytes, std::span<const int> fds);
    std::size_t await_resume();
    Result<std::size_t> await_result();

private:
    ControlBuffer control_;
    lowlevel::Buffer part_;
    lowlevel::Message message_;
};

class [[nodiscard]] RecvFds {
public:
    static constexpr bool awaited_by_value = true;

    RecvFds(const SocketBase& socket, std::size_t n, std::size_t most) noexcept
        : socket_(socket), n_(n), most_(most) {}
    RecvFdsAwaiter operator co_await() const { return {socket_, n_, most_}; }

private:
    const SocketBase& socket_;
    std::size_t n_;
    std::size_t most_;
};

class [[nodiscard]] SendFds {
public:
    SendFds(const SocketBase& socket, std::string_view bytes, std::span<const int> fds) noexcept
        : socket_(socket), bytes_(bytes), fds_(fds) {}
    SendFdsAwaiter operator co_await() const { return {socket_, bytes_, fds_}; }

private:
    const SocketBase& socket_;
    std::string_view bytes_;
    std::span<const int> fds_;
};

}  // namespace detail

/// Sends `bytes`, and with the first of them `fds`: the receiver gets descriptors of his own for
/// the same open files, and those here may be closed. How many bytes were sent, which may be fewer
/// of a stream: the rest goes without the descriptors.
///
/// Cancellation: if they had been sent nevertheless, that is the result, and the CancelledError
/// comes
///               at the next await.
/// Errors:       std::invalid_argument if `bytes` is empty, or there are more than 253 descriptors;
///               OSError, as EBADF of a descriptor that is not open.
[[nodiscard]] inline detail::SendFds send_fds(const Socket& socket, std::string_view bytes,
                                              std::span<const int> fds) noexcept {
    return {socket, bytes, fds};
}

/// Receives up to `n` bytes, and up to `maxfds` descriptors that came with them.
///
/// Cancellation: nothing is lost: either nothing was received, or it is the result, and the
///               CancelledError comes at the next await.
/// Errors:       std::invalid_argument of more than 253; OSError. No descriptor is left open.
[[nodiscard]] inline detail::RecvFds recv_fds(const Socket& socket, std::size_t n,
                                              std::size_t maxfds) noexcept {
    return {socket, n, maxfds};
}

}  // namespace asyncio
