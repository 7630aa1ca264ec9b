// sendfile.cpp - sending a file over any connection: by the system, or read and written.
//
// SPDX-License-Identifier: MIT
#include "sendfile.hpp"

#include <asyncio/threads.hpp>
#include <asyncio/transports.hpp>

#include "file_to_send.hpp"
#include "protocol_transport.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

namespace asyncio {

namespace detail {

namespace {

void check(const FilePart& part) {
    if (part.count.has_value() && *part.count <= 0) {
        throw std::invalid_argument("count must be a positive integer (got " +
                                    std::to_string(*part.count) + ")");
    }
    if (part.offset < 0) {
        throw std::invalid_argument("offset must be a non-negative integer (got " +
                                    std::to_string(part.offset) + ")");
    }
}

bool is_regular(int fd) {
    struct stat status{};
    return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/// As in CPython, the file's position is behind what was sent, if that was anything.
Coroutine<> move_position(FilePart& part, std::int64_t sent) {
    if (sent <= 0) {
        co_return;
    }
    if (part.file.has_value()) {
        co_await part.file->seek(part.offset + sent);
    } else {
        ::lseek(part.fd, part.offset + sent, SEEK_SET);
    }
}

/// By the system. Nullopt if it cannot.
Coroutine<std::optional<std::int64_t>> send_natively(Connection& connection, FilePart& part) {
    if (!is_regular(part.fd)) {
        co_return std::nullopt;
    }
    const auto piece =
        std::make_shared<FileToSend>(*connection.loop(), part.fd, part.offset,
                                     part.count.value_or(std::numeric_limits<std::int64_t>::max()));
    if (!connection.send_file(piece)) {
        co_return std::nullopt;
    }
    const Result<void> ended = co_await as_result(piece->done);
    if (!ended.has_value()) {
        connection.stop_file();
    }
    co_await move_position(part, piece->sent);
    if (ended.has_value()) {
        co_return piece->sent;
    }
    // As CPython: what has failed before anything was sent may be tried in another way.
    if (piece->sent == 0 && !ended.cancelled() && !connection.closing()) {
        co_return std::nullopt;
    }
    std::rethrow_exception(ended.error());
}

struct Chunk {
    std::string bytes;
    int error = 0;
};

/// In a thread, which may still read when nobody waits for it any more.
Chunk read_chunk(int fd, std::int64_t offset, std::size_t size) {
    Chunk chunk;
    chunk.bytes.resize(size);
    ssize_t count = 0;
    do {
        count = ::pread(fd, chunk.bytes.data(), size, offset);
    } while (count < 0 && errno == EINTR);
    chunk.error = count < 0 ? errno : 0;
    chunk.bytes.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return chunk;
}

/// Reads and writes, no more than the connection takes.
Coroutine<> copy(Connection& connection, const std::shared_ptr<FileToSend>& file) {
    constexpr std::int64_t chunk_size = std::int64_t{64} * 1024;

    while (file->left > 0) {
        const auto size = static_cast<std::size_t>(std::min(file->left, chunk_size));
        const auto read = [file, size] { return read_chunk(file->fd, file->offset, size); };
        const Chunk chunk = co_await connection.loop()->run_in_executor(nullptr, read);
        if (chunk.error != 0) {
            raise_os_error(chunk.error, "send a file");
        }
        if (chunk.bytes.empty()) {
            co_return;
        }
        co_await Drain(connection);
        if (connection.closing()) {
            throw ConnectionError("Connection is closed by peer");
        }
        connection.write(chunk.bytes);
        const auto count = static_cast<std::int64_t>(chunk.bytes.size());
        file->offset += count;
        file->left -= count;
        file->sent += count;
    }
}

}  // namespace

Coroutine<std::int64_t> send_file(StreamKeep keep, FilePart part, bool fallback) {
    check(part);
    Connection& connection = connection_of(keep.get());
    if (connection.closing()) {
        throw RuntimeError("Transport is closing");
    }
    const std::optional<std::int64_t> native = co_await send_natively(connection, part);
    if (native.has_value()) {
        co_return *native;
    }
    if (!fallback) {
        throw SendfileNotAvailableError("sendfile syscall is not supported");
    }
    const auto file =
        std::make_shared<FileToSend>(*connection.loop(), part.fd, part.offset,
                                     part.count.value_or(std::numeric_limits<std::int64_t>::max()));
    const Result<void> copied = co_await as_result(copy(connection, file));
    co_await move_position(part, file->sent);
    if (!copied.has_value()) {
        std::rethrow_exception(copied.error());
    }
    co_return file->sent;
}

static Coroutine<std::int64_t> send_over(Transport& transport, FilePart part, bool fallback) {
    auto* const own = dynamic_cast<ProtocolTransport*>(&transport);
    if (own == nullptr) {
        throw RuntimeError("sendfile is not supported for transport " + transport.repr());
    }
    return send_file(StreamKeep(own->connection()), std::move(part), fallback);
}

static FilePart part_of(int file, const SendfileOptions& options) {
    return {file, std::nullopt, options.offset, options.count};
}
static FilePart part_of(const File& file, const SendfileOptions& options) {
    return {file.fileno(), file, options.offset, options.count};
}

}  // namespace detail

Coroutine<std::int64_t> sendfile(Transport& transport, int file, SendfileOptions options) {
    return detail::send_over(transport, detail::part_of(file, options), options.fallback);
}

Coroutine<std::int64_t> sendfile(Transport& transport, const File& file, SendfileOptions options) {
    return detail::send_over(transport, detail::part_of(file, options), options.fallback);
}

Coroutine<std::int64_t> StreamWriter::sendfile(int file, SendfileOptions options) {
    return detail::send_file(detail::StreamKeep(connection()), detail::part_of(file, options),
                             options.fallback);
}

Coroutine<std::int64_t> StreamWriter::sendfile(const File& file, SendfileOptions options) {
    return detail::send_file(detail::StreamKeep(connection()), detail::part_of(file, options),
                             options.fallback);
}

}  // namespace asyncio
