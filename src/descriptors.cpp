// descriptors.cpp - descriptors in messages.
//
// SPDX-License-Identifier: MIT
#include <asyncio/descriptors.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <unistd.h>

namespace asyncio {

void FileDescriptor::close() noexcept {
    if (fd_ >= 0) {
        ::close(std::exchange(fd_, -1));
    }
}

namespace detail {

using lowlevel::Message;
using lowlevel::Opcode;

// Of one message; the kernel refuses more.
static constexpr std::size_t most_descriptors = 253;

static void check_number(std::size_t number) {
    if (number > most_descriptors) {
        raise_value_error("at most 253 descriptors go with a message");
    }
}

// ------------------------------------------------------------------------------- ControlBuffer

// CMSG_LEN and not CMSG_SPACE: the latter is rounded up, and there would be room for one more.
ControlBuffer::ControlBuffer(std::size_t most)
    : size_(most == 0 ? 0 : CMSG_LEN(most * sizeof(int))) {
    check_number(most);
    memory_.reset(new char[CMSG_SPACE(most * sizeof(int))]());
}

ControlBuffer::ControlBuffer(std::span<const int> fds) : ControlBuffer(fds.size()) {
    auto* const header = reinterpret_cast<cmsghdr*>(memory_.get());
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    if (!fds.empty()) {
        std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
    }
}

void ControlBuffer::attach(Message& message) const noexcept {
    message.control = size_ == 0 ? nullptr : memory_.get();
    message.control_size = size_;
}

void ControlBuffer::take(const Message& message, std::vector<FileDescriptor>& fds) noexcept {
    msghdr raw{};
    raw.msg_control = message.control;
    raw.msg_controllen = message.control_size;
    for (cmsghdr* header = CMSG_FIRSTHDR(&raw); header != nullptr;
         header = CMSG_NXTHDR(&raw, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            fds.emplace_back(fd);
        }
    }
}

// ----------------------------------------------------------------------------------- recv_fds()

RecvFdsAwaiter::RecvFdsAwaiter(const SocketBase& socket, std::size_t n, std::size_t most)
    : MessageReceiver(socket, n, {}), control_(most) {
    received_.fds.reserve(most);  // so that they can be taken whatever happens
}

void RecvFdsAwaiter::keep() {
    ControlBuffer::take(message(), received_.fds);
    received_.truncated = (message().flags & MSG_CTRUNC) != 0;
    received_.data.assign(buffer());
}

Result<ReceivedFds> RecvFdsAwaiter::await_result() {
    if (std::exception_ptr error = failure("receive on ", Opcode::socket_name)) {
        return Result<ReceivedFds>(std::move(error));
    }
    return Result<ReceivedFds>(std::in_place, std::move(received_));
}

ReceivedFds RecvFdsAwaiter::await_resume() {
    return await_result().get();
}

// ----------------------------------------------------------------------------------- send_fds()

SendFdsAwaiter::SendFdsAwaiter(const SocketBase& socket, std::string_view bytes,
                               std::span<const int> fds)
    : SocketOperation(socket, Opcode::send_message),
      control_(fds),
      part_{const_cast<char*>(bytes.data()), bytes.size()} {
    if (bytes.empty()) {
        raise_value_error("descriptors go with at least one byte");
    }
    message_.buffers = &part_;
    message_.buffer_count = 1;
    control_.attach(message_);
    data = &message_;
}

Result<std::size_t> SendFdsAwaiter::await_result() {
    if (std::exception_ptr error = failure("send descriptors to ", Opcode::peer_name)) {
        return Result<std::size_t>(std::move(error));
    }
    return Result<std::size_t>(std::in_place, static_cast<std::size_t>(result));
}

std::size_t SendFdsAwaiter::await_resume() {
    return await_result().get();
}

}  // namespace detail

}  // namespace asyncio
