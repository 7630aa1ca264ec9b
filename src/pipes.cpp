// pipes.cpp - pipes as transports and streams, and the standard streams of this program.
//
// SPDX-License-Identifier: MIT
#include <asyncio/pipes.hpp>

#include "attach_protocol.hpp"
#include "file_connection.hpp"
#include "pipe_connection.hpp"

#include <cerrno>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace asyncio {

void Pipe::close() noexcept {
    if (const int fd = detach(); fd >= 0) {
        ::close(fd);
    }
}

PipePair open_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        detail::raise_os_error(errno, "pipe2");
    }
    return {Pipe(ends[0]), Pipe(ends[1])};
}

namespace detail {

namespace {

PipeConnection& open_connection(Pipe pipe, std::size_t limit, PipeDirection direction) {
    check_limit(limit);
    LoopIO& io = LoopIO::of(get_running_loop());
    return *new PipeConnection(io, adopt_pipe(io, pipe.detach(), direction), limit, direction);
}

bool is_regular(int fd) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) {
        raise_os_error(errno, "use descriptor " + std::to_string(fd));
    }
    return S_ISREG(status.st_mode);
}

// To open the controlling side of a terminal makes another terminal; and who knows what it does to
// other devices.
bool can_be_opened_again(int fd) {
    struct stat status{};
    unsigned number = 0;
    return (::fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode)) ||
           (::isatty(fd) == 1 && ::ioctl(fd, TIOCGPTN, &number) != 0);
}

// The mode of what is open is that of all who share it, and is left behind by a program that
// crashes. So it is opened once more, where that is possible: not what belongs to another user.
Pipe open_again(int fd, PipeDirection direction) {
    if (can_be_opened_again(fd)) {
        const std::string path = "/proc/self/fd/" + std::to_string(fd);
        const int access = direction == PipeDirection::read ? O_RDONLY : O_WRONLY;
        const int again = ::open(path.c_str(), access | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (again >= 0) {
            return {again};
        }
    }
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) {
        raise_os_error(errno, "use descriptor " + std::to_string(fd));
    }
    return {copy};
}

// A file is not: its position is shared on purpose.
Connection& open_inherited(int fd, std::size_t limit, PipeDirection direction) {
    if (!is_regular(fd)) {
        return open_connection(open_again(fd, direction), limit, direction);
    }
    LoopIO& io = LoopIO::of(get_running_loop());
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) {
        raise_os_error(errno, "use descriptor " + std::to_string(fd));
    }
    return *new FileConnection(io, Pipe(copy), limit);
}

Coroutine<UntypedPair<Transport>> connect(MakeProtocol make, Pipe pipe, bool to_read) {
    std::shared_ptr<BaseProtocol> protocol = protocol_made_by(make);
    StreamHandle connection(open_connection(std::move(pipe), default_stream_limit,
                                            to_read ? PipeDirection::read : PipeDirection::write));
    co_return co_await attach_protocol(std::move(connection), std::move(protocol));
}

}  // namespace

Coroutine<UntypedPair<Transport>> connect_pipe(MakeProtocol make, Pipe pipe, bool to_read) {
    return connect(std::move(make), std::move(pipe), to_read);
}

}  // namespace detail

using detail::PipeDirection;

Coroutine<StreamReader> open_read_pipe(Pipe pipe, OpenPipeOptions options) {
    co_return StreamReader(
        detail::open_connection(std::move(pipe), options.limit, PipeDirection::read));
}

Coroutine<StreamWriter> open_write_pipe(Pipe pipe) {
    co_return StreamWriter(detail::open_connection(std::move(pipe), detail::default_stream_limit,
                                                   PipeDirection::write));
}

Coroutine<StreamReader> open_inherited_reader(int fd, OpenPipeOptions options) {
    co_return StreamReader(detail::open_inherited(fd, options.limit, PipeDirection::read));
}

Coroutine<StreamWriter> open_inherited_writer(int fd) {
    co_return StreamWriter(
        detail::open_inherited(fd, detail::default_stream_limit, PipeDirection::write));
}

Coroutine<StreamPair> open_stdio(OpenPipeOptions options) {
    StreamReader input(detail::open_inherited(STDIN_FILENO, options.limit, PipeDirection::read));
    StreamWriter output(
        detail::open_inherited(STDOUT_FILENO, detail::default_stream_limit, PipeDirection::write));
    co_return StreamPair{std::move(input), std::move(output)};
}

}  // namespace asyncio
