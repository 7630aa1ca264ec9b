// sock_sendfile.cpp - sending a file over a socket.
//
// SPDX-License-Identifier: MIT
#include <asyncio/sockets.hpp>
#include <asyncio/threads.hpp>

#include "loop_io.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include <sys/sendfile.h>
#include <sys/types.h>
#include <unistd.h>

namespace asyncio {

namespace {

using detail::SocketOperation;

/// Waits until the socket takes more; once around the loop in any case, so that a socket that
/// always does lets others run.
class [[nodiscard]] WritableAwaiter final : public SocketOperation {
public:
    explicit WritableAwaiter(const detail::SocketBase& socket)
        : SocketOperation(socket, lowlevel::Opcode::poll_out) {}
    [[nodiscard]] bool await_ready() {
        prepare_to_wait();
        return false;
    }
    void await_resume() {
        if (std::exception_ptr error = failure("send to ", lowlevel::Opcode::peer_name)) {
            std::rethrow_exception(error);
        }
    }
};

class [[nodiscard]] Writable {
public:
    static constexpr bool awaited_by_value = true;

    explicit Writable(const detail::SocketBase& socket) noexcept : socket_(socket) {}
    WritableAwaiter operator co_await() const { return WritableAwaiter(socket_); }

private:
    const detail::SocketBase& socket_;
};

/// How far the sending has come. Leaves the file's position there.
struct Progress {
    int file;
    std::int64_t offset;
    std::int64_t left;  // none: as many as there are
    std::int64_t sent = 0;

    ~Progress() {
        if (sent > 0) {
            ::lseek(file, offset, SEEK_SET);
        }
    }
    void add(std::int64_t n) noexcept {
        offset += n;
        sent += n;
        left -= n;
    }
};

// At a time: the disk is waited for in the loop's thread.
constexpr std::int64_t most_at_once = std::int64_t{1} << 20;
constexpr std::int64_t read_size = std::int64_t{256} << 10;

// True if the system can do it; false if it could not even begin.
Coroutine<bool> send_natively(const Socket& socket, Progress& progress) {
    while (progress.left > 0) {
        off_t offset = progress.offset;
        const auto size = static_cast<std::size_t>(std::min(progress.left, most_at_once));
        static_cast<void>(socket.get_loop());  // or there is none
        const ssize_t n = ::sendfile(socket.fileno(), progress.file, &offset, size);
        if (n > 0) {
            progress.add(n);
        } else if (n == 0) {
            break;
        } else if (errno != EAGAIN && errno != EINTR) {
            const bool cannot = errno == EINVAL || errno == ENOSYS || errno == ESPIPE;
            if (cannot && progress.sent == 0) {
                co_return false;
            }
            detail::raise_os_error(errno, "sendfile");
        }
        co_await Writable(socket);
    }
    co_return true;
}

/// What is read at a time, by a thread that outlives whoever asked for it.
struct Piece {
    std::unique_ptr<char[]> memory = std::make_unique<char[]>(read_size);
    ssize_t size = 0;
    int error = 0;
};

// From where it is if it has no positions, as a pipe.
void read_piece(int file, std::int64_t offset, std::size_t size, Piece& piece) {
    do {
        piece.size = ::pread(file, piece.memory.get(), size, offset);
        if (piece.size < 0 && errno == ESPIPE) {
            piece.size = ::read(file, piece.memory.get(), size);
        }
    } while (piece.size < 0 && errno == EINTR);
    piece.error = piece.size < 0 ? errno : 0;
}

Coroutine<> send_by_reading(const Socket& socket, Progress& progress) {
    const auto piece = std::make_shared<Piece>();
    // The descriptor may be closed, and its number be another's, while a thread still reads.
    const int own = ::dup(progress.file);
    if (own < 0) {
        detail::raise_os_error(errno, "dup");
    }
    const std::shared_ptr<const int> file(new int(own), [](const int* fd) {
        ::close(*fd);
        delete fd;
    });
    EventLoop& loop = get_running_loop();
    while (progress.left > 0) {
        const auto size = static_cast<std::size_t>(std::min(progress.left, read_size));
        const std::int64_t offset = progress.offset;
        auto reading = loop.run_in_executor(
            nullptr, [piece, file, offset, size] { read_piece(*file, offset, size, *piece); });
        co_await reading;
        if (piece->error != 0) {
            detail::raise_os_error(piece->error, "read");
        }
        if (piece->size == 0) {
            break;
        }
        const std::string_view bytes(piece->memory.get(), static_cast<std::size_t>(piece->size));
        co_await sock_sendall(socket, bytes);
        progress.add(piece->size);
    }
}

Coroutine<std::int64_t> send_file(const Socket& socket, int file, SockSendfileOptions options) {
    if (socket.type() != SocketType::stream) {
        detail::raise_value_error("only SOCK_STREAM type sockets are supported");
    }
    if (options.count.has_value() && *options.count <= 0) {
        const std::string text =
            "count must be a positive integer (got " + std::to_string(*options.count) + ")";
        detail::raise_value_error(text.c_str());
    }
    if (options.offset < 0) {
        const std::string text =
            "offset must be a non-negative integer (got " + std::to_string(options.offset) + ")";
        detail::raise_value_error(text.c_str());
    }
    Progress progress{file, options.offset,
                      options.count.value_or(std::numeric_limits<std::int64_t>::max())};
    const bool sent = co_await send_natively(socket, progress);
    if (!sent) {
        if (!options.fallback) {
            throw SendfileNotAvailableError("os.sendfile call failed");
        }
        co_await send_by_reading(socket, progress);
    }
    co_return progress.sent;
}

}  // namespace

Coroutine<std::int64_t> sock_sendfile(const Socket& socket, int file, SockSendfileOptions options) {
    return send_file(socket, file, options);
}

}  // namespace asyncio
