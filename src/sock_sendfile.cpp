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

#include <sys/types.h>
#include <unistd.h>

namespace asyncio {

namespace {

using detail::SocketOperation;

/// Sends a piece of a file, or as much of it as the socket takes. Once around the loop in any case,
/// so that a socket that always takes more lets others run.
class [[nodiscard]] SendPieceAwaiter final : public SocketOperation {
public:
    SendPieceAwaiter(const detail::SocketBase& socket, int file, std::int64_t offset,
                     std::size_t most)
        : SocketOperation(socket, lowlevel::Opcode::send_file), offset_(offset) {
        argument = file;
        data = &offset_;
        size = most;
    }
    [[nodiscard]] bool await_ready() {
        prepare_to_wait();
        return false;
    }
    /// Bytes, or -errno: whether that is an error depends.
    std::int64_t await_resume() {
        if (result == -ECANCELED) {
            std::rethrow_exception(failure("send to ", lowlevel::Opcode::peer_name));
        }
        return OperationWaiter::await_resume();
    }

private:
    std::int64_t offset_;  // in the file
};

class [[nodiscard]] SendPiece {
public:
    static constexpr bool awaited_by_value = true;

    SendPiece(const detail::SocketBase& socket, int file, std::int64_t offset,
              std::size_t most) noexcept
        : socket_(socket), file_(file), offset_(offset), most_(most) {}
    SendPieceAwaiter operator co_await() const { return {socket_, file_, offset_, most_}; }

private:
    const detail::SocketBase& socket_;
    int file_;
    std::int64_t offset_;
    std::size_t most_;
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
        const auto size = static_cast<std::size_t>(std::min(progress.left, most_at_once));
        const std::int64_t n = co_await SendPiece(socket, progress.file, progress.offset, size);
        if (n == 0) {
            break;
        }
        if (n < 0) {
            const bool cannot = n == -EINVAL || n == -ENOSYS || n == -ESPIPE;
            if (cannot && progress.sent == 0) {
                co_return false;
            }
            detail::raise_os_error(static_cast<int>(-n), "sendfile");
        }
        progress.add(n);
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
