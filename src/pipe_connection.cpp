// pipe_connection.cpp - what is special about a connection over a pipe.
//
// SPDX-License-Identifier: MIT
#include "pipe_connection.hpp"

#include <asyncio/exceptions.hpp>

#include "fork.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

namespace asyncio::detail {

using lowlevel::Opcode;
using lowlevel::Operation;

namespace {

/// What this program has in non-blocking mode and may share with others: of each descriptor the
/// flags to put back, which one of those that are the same has.
struct SharedModes {
    SharedModes() noexcept;

    struct Entry {
        int fd;
        std::optional<int> flags_before;
    };
    std::mutex mutex;
    std::vector<Entry> entries;
};

// Never destroyed: a loop may be closed while the program ends.
SharedModes& shared_modes() {
    static auto* const modes = new SharedModes;
    return *modes;
}

// A child of fork() has the descriptors in common with its parent, who still needs the mode.
SharedModes::SharedModes() noexcept {
    const auto in_child = [] {
        shared_modes().entries.clear();
        shared_modes().mutex.unlock();
    };
    at_fork([] { shared_modes().mutex.lock(); }, [] { shared_modes().mutex.unlock(); }, in_child);
}

}  // namespace

SharedMode::SharedMode(int fd) {
    SharedModes& modes = shared_modes();
    const std::lock_guard lock(modes.mutex);
    modes.entries.reserve(modes.entries.size() + 1);
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0) {
        raise_os_error(errno, "fcntl");
    }
    const bool switched = (flags & O_NONBLOCK) == 0;
    if (switched && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        raise_os_error(errno, "fcntl");
    }
    modes.entries.push_back({fd, switched ? std::optional(flags) : std::nullopt});
    fd_ = fd;
}

// If that of another descriptor here has changed with it, the two are the same: it still needs the
// mode, and has to put it back.
void SharedMode::put_back() noexcept {
    if (fd_ < 0) {
        return;
    }
    SharedModes& modes = shared_modes();
    const std::lock_guard lock(modes.mutex);
    const int fd = std::exchange(fd_, -1);
    const auto found = std::find_if(modes.entries.begin(), modes.entries.end(),
                                    [fd](const SharedModes::Entry& each) { return each.fd == fd; });
    if (found == modes.entries.end()) {  // in a child of fork()
        return;
    }
    const std::optional<int> flags = found->flags_before;
    modes.entries.erase(found);
    if (!flags.has_value()) {
        return;
    }
    ::fcntl(fd, F_SETFL, *flags);
    for (SharedModes::Entry& other : modes.entries) {
        const int now = ::fcntl(other.fd, F_GETFL);
        if (now >= 0 && (now & O_NONBLOCK) == 0) {
            ::fcntl(other.fd, F_SETFL, now | O_NONBLOCK);
            other.flags_before = flags;
            return;
        }
    }
}

PipeDescriptor adopt_pipe(LoopIO& io, int fd, PipeDirection direction) {
    PipeDescriptor pipe{Socket(io, fd)};
    struct stat status{};
    if (::fstat(fd, &status) != 0) {
        const int error = errno;
        static_cast<void>(pipe.descriptor.detach());  // it is none
        raise_os_error(error, "use descriptor " + std::to_string(fd) + " as a pipe");
    }
    if (S_ISSOCK(status.st_mode)) {
        pipe.socket = true;
        return pipe;
    }
    if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode)) {
        raise_value_error(direction == PipeDirection::read
                              ? "Pipe transport is for pipes/sockets only."
                              : "Pipe transport is only for pipes, sockets and character devices");
    }
    pipe.mode = SharedMode(fd);
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
    : DescriptorConnection(io, std::move(pipe.descriptor), limit,
                           pipe.socket ? TransferOpcodes{Opcode::recv, Opcode::send}
                                       : TransferOpcodes{Opcode::read, Opcode::write}),
      mode_(std::move(pipe.mode)),
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
    mode_.put_back();
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
