// posix_files.cpp - operations on files as system calls, for threads that may wait.
//
// SPDX-License-Identifier: MIT
#include <asyncio/detail/config.hpp>
#include <asyncio/lowlevel/proactor.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdio>

#include <fcntl.h>
#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

namespace asyncio::lowlevel {

static_assert(sizeof(off_t) == sizeof(std::int64_t));
static_assert(sizeof(FileStatus::storage) >= sizeof(struct statx));

// `make_call` until no signal interrupts it.
template <class Call>
static std::int64_t complete(Call make_call) noexcept {
    for (;;) {
        const std::int64_t result = make_call();
        if (result >= 0) {
            return result;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

static std::int64_t status_of(const Operation& operation, const FileRequest& request) noexcept {
    auto* const status = reinterpret_cast<struct statx*>(request.status->storage);
    const unsigned what = STATX_BASIC_STATS | STATX_BTIME;
    return complete([&]() noexcept {
        return request.path != nullptr
                   ? ::statx(AT_FDCWD, request.path, request.flags, what, status)
                   : ::statx(operation.fd, "", AT_EMPTY_PATH, what, status);
    });
}

std::int64_t read_cached(Operation& operation) noexcept {
    const FileRequest& request = *static_cast<const FileRequest*>(operation.data);
    const iovec buffer{request.buffer, operation.size};
    const std::int64_t result = complete(
        [&]() noexcept { return ::preadv2(operation.fd, &buffer, 1, request.offset, RWF_NOWAIT); });
    // Whatever it is that fails will fail in a thread as well, or succeed there.
    return result < 0 ? -EAGAIN : result;
}

std::int64_t perform_on_file(Operation& operation) noexcept {
    const int fd = operation.fd;
    const std::size_t size = operation.size;
    const FileRequest& request = *static_cast<const FileRequest*>(operation.data);
    switch (operation.opcode) {
        case Opcode::open_file:
            return complete([&]() noexcept {
                return ::openat(AT_FDCWD, request.path, request.flags | O_CLOEXEC, request.mode);
            });
        case Opcode::close_file:
            // Linux has freed the number also when a signal interrupts it: never a second time.
            return ::close(fd) == 0 || errno == EINTR ? 0 : -errno;
        case Opcode::read_at:
            return complete([&]() noexcept {
                return request.offset < 0 ? ::read(fd, request.buffer, size)
                                          : ::pread(fd, request.buffer, size, request.offset);
            });
        case Opcode::write_at:
            return complete([&]() noexcept {
                return request.offset < 0 ? ::write(fd, request.buffer, size)
                                          : ::pwrite(fd, request.buffer, size, request.offset);
            });
        case Opcode::sync:
            return complete(
                [&]() noexcept { return operation.argument != 0 ? ::fdatasync(fd) : ::fsync(fd); });
        case Opcode::status:
            return status_of(operation, request);
        case Opcode::truncate:
            return complete([&]() noexcept { return ::ftruncate(fd, request.offset); });
        case Opcode::rename: {
            const auto flags = static_cast<unsigned>(request.flags);
            return complete([&]() noexcept {
                return ::renameat2(AT_FDCWD, request.path, AT_FDCWD, request.target, flags);
            });
        }
        case Opcode::unlink:
            return complete(
                [&]() noexcept { return ::unlinkat(AT_FDCWD, request.path, request.flags); });
        case Opcode::make_directory:
            return complete(
                [&]() noexcept { return ::mkdirat(AT_FDCWD, request.path, request.mode); });
        case Opcode::make_symlink:
            return complete(
                [&]() noexcept { return ::symlinkat(request.target, AT_FDCWD, request.path); });
        case Opcode::make_link:
            return complete([&]() noexcept {
                return ::linkat(AT_FDCWD, request.path, AT_FDCWD, request.target, 0);
            });
        default:
            ASYNCIO_ASSERT(false);  // it is none on a file
            return -ENOSYS;
    }
}

}  // namespace asyncio::lowlevel
