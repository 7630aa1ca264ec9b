// descriptor_file.cpp - how a connection over a socket sends a file without reading it.
//
// SPDX-License-Identifier: MIT
#include "outgoing.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace asyncio::detail {

using lowlevel::Opcode;

FileToSend::FileToSend(EventLoop& loop, int descriptor, std::int64_t begin, std::int64_t most)
    : fd(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0)), offset(begin), left(most) {
    if (fd < 0) {
        raise_os_error(errno, "send a file");
    }
    done = loop.create_future();
}

FileToSend::~FileToSend() {
    ::close(fd);
}

bool DescriptorConnection::queue_file(const std::shared_ptr<FileToSend>& file) {
    if (unwritable_ != 0) {
        refuse_write("write");
    }
    outgoing().file = file;
    unwritable_ |= sending_file;
    go_on_sending();
    return true;
}

// As much at once as does not keep the other connections waiting.
void DescriptorConnection::start_file() {
    constexpr std::int64_t most_at_once = std::int64_t{1} << 20;

    FileToSend& file = *outgoing_->file;
    if (file.left <= 0) {
        finish_file(nullptr);
        return;
    }
    outgoing_->opcode = Opcode::send_file;
    outgoing_->argument = file.fd;
    outgoing_->data = &file.offset;
    outgoing_->size = static_cast<std::size_t>(std::min(file.left, most_at_once));
    start_operation();
}

// It cannot be sent this way, or cannot be read.
static bool concerns_the_file(int error) noexcept {
    switch (error) {
        case EBADF:
        case EINVAL:
        case EIO:
        case ENOMEM:
        case ENOSYS:
        case EOPNOTSUPP:
        case EOVERFLOW:
        case ESPIPE:
            return true;
        default:
            return false;
    }
}

void DescriptorConnection::file_sent(std::int64_t result) {
    FileToSend& file = *outgoing_->file;
    if (result > 0) {
        file.offset += result;
        file.left -= result;
        file.sent += result;
        start_file();
    } else if (result == 0 || result == -ECANCELED) {  // the end of the file, or it was stopped
        finish_file(nullptr);
    } else if (concerns_the_file(static_cast<int>(-result))) {
        finish_file(make_os_error(static_cast<int>(-result), "send a file"));
    } else {
        fail(static_cast<int>(-result), "send to ");
    }
}

void DescriptorConnection::finish_file(std::exception_ptr error) {
    const std::shared_ptr<FileToSend> file = std::exchange(outgoing_->file, nullptr);
    unwritable_ &= static_cast<std::uint8_t>(~sending_file);
    if (!file->done.done()) {
        if (error != nullptr) {
            file->done.set_exception(std::move(error));
        } else {
            file->done.set_result();
        }
    }
    go_on_sending();
}

// The operation may still be under way, with the file's descriptor.
void DescriptorConnection::drop_file() noexcept {
    unwritable_ &= static_cast<std::uint8_t>(~sending_file);
    if (outgoing_->file != nullptr && !outgoing_->file->done.done()) {
        outgoing_->file->done.set_exception(
            std::make_exception_ptr(ConnectionError("Connection is closed by peer")));
    }
}

void DescriptorConnection::stop_file() noexcept {
    if (outgoing_ == nullptr || outgoing_->file == nullptr) {
        return;
    }
    outgoing_->file->left = 0;
    if (outgoing_->under_way && outgoing_->opcode == Opcode::send_file) {
        loop()->cancel(*outgoing_);
    }
}

}  // namespace asyncio::detail
