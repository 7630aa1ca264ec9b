// pipe_connection.cpp - what is special about a connection over a pipe.
//
// SPDX-License-Identifier: MIT
#include "pipe_connection.hpp"

#include <asyncio/exceptions.hpp>

#include <cerrno>
#include <exception>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

namespace asyncio::detail {

using lowlevel::Opcode;
using lowlevel::Operation;

PipeDescriptor adopt_pipe(LoopIO& io, int fd, PipeDirection direction) {
    PipeDescriptor pipe{Socket(io, fd), std::nullopt};
    struct stat status{};
    if (::fstat(fd, &status) != 0) {
        const int error = errno;
        static_cast<void>(pipe.descriptor.detach());  // it is none
        raise_os_error(error, "use descriptor " + std::to_string(fd) + " as a pipe");
    }
    if (!S_ISFIFO(status.st_mode) && !S_ISSOCK(status.st_mode) && !S_ISCHR(status.st_mode)) {
        raise_value_error(direction == PipeDirection::read
                              ? "Pipe transport is for pipes/sockets only."
                              : "Pipe transport is only for pipes, sockets and character devices");
    }
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0) {
        raise_os_error(errno, "fcntl");
    }
    if ((flags & O_NONBLOCK) == 0) {
        if (::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
            raise_os_error(errno, "fcntl");
        }
        pipe.flags_before = flags;
    }
    return pipe;
}

static bool is_character_device(int fd) noexcept {
    struct stat status{};
    return ::fstat(fd, &status) == 0 && S_ISCHR(status.st_mode);
}

// To be told that the reader has gone, one waits for something to read; but what comes from the
// other side of a terminal is another thing.
PipeConnection::PipeConnection(LoopIO& io, PipeDescriptor pipe, std::size_t limit,
                               PipeDirection direction)
    : DescriptorConnection(io, std::move(pipe.descriptor), limit, {Opcode::read, Opcode::write}),
      flags_before_(pipe.flags_before),
      direction_(direction),
      device_(is_character_device(descriptor().fileno())) {
    if (direction == PipeDirection::write && !device_) {
        start_input(Opcode::poll_in);
    }
}

// ------------------------------------------------------------------------------------- input

// A terminal whose other side is closed reports an error instead of an end.
bool PipeConnection::is_end(int error) const noexcept {
    return error == EIO && device_;
}

void PipeConnection::input_ready(std::int64_t result) {
    if (direction_ == PipeDirection::read) {
        if (result < 0 || reading()) {
            DescriptorConnection::input_ready(result);
        } else if (ahead_ > 0) {
            receive_ahead();
        }
    } else if (result < 0 || (result & (POLLERR | POLLHUP)) != 0) {
        reader_gone();
    }  // else a socket's peer writes, whatever that means: to look on would be to look for ever
}

void PipeConnection::reader_gone() {
    std::exception_ptr error;
    if (write_buffer_size() > 0) {
        error = make_os_error(EPIPE, "send to " + peer_text());
    }
    force_close(std::move(error));
}

void PipeConnection::read_ahead(std::size_t most) noexcept {
    ahead_ = most;
    if (!input_under_way() && !closing() && !ended() && receiver() == nullptr &&
        buffered().size() < ahead_) {
        start_input(Opcode::poll_in);
    }
}

void PipeConnection::receive_ahead() {
    try {
        Operation operation(&run_nothing, Opcode::read, descriptor().fileno());
        operation.data = descriptor().io()->scratch();
        operation.size = LoopIO::scratch_size;
        if (!loop()->attempt(operation)) {
            operation.result = loop()->call(operation);
        }
        if (operation.result != -EAGAIN) {
            received(operation.result, static_cast<const char*>(operation.data));
        }
    } catch (...) {  // no memory
        force_close(std::current_exception());
    }
    read_ahead(ahead_);
}

// ------------------------------------------------------------------------------------ output

// There is no vectored write here: a pipe takes 64 KiB, which is worth less than what it spares.
void PipeConnection::write_all(std::span<const std::string_view> views) {
    if (views.size() == 1) {
        write(views.front());
        return;
    }
    std::string joined;
    for (const std::string_view view : views) {
        joined += view;
    }
    write(joined);
}

const char* PipeConnection::dropped_write_text() const noexcept {
    return "pipe closed by peer or os.write(pipe, data) raised exception.";
}

// ----------------------------------------------------------------------------------- the end

void PipeConnection::close_descriptor() noexcept {
    if (flags_before_.has_value() && descriptor()) {
        ::fcntl(descriptor().fileno(), F_SETFL, *flags_before_);
        flags_before_.reset();
    }
    DescriptorConnection::close_descriptor();
}

// A reader has no close(): to drop it is the way.
void PipeConnection::abandoned() noexcept {
    if (direction_ == PipeDirection::read) {
        close();
    } else {
        DescriptorConnection::abandoned();
    }
}

std::string PipeConnection::peer_text() const {
    return "pipe " + std::to_string(descriptor().fileno());
}

std::optional<std::string> PipeConnection::extra_info(std::string_view name) const {
    if (name == "pipe" && descriptor()) {
        return std::to_string(descriptor().fileno());
    }
    return std::nullopt;
}

}  // namespace asyncio::detail
