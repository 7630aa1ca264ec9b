// io_uring_files.cpp - operations on files, which the kernel performs by itself.
//
// What an operation points to is the kernel's from the entry until the completion, also when it is
// cancelled in between: nothing is given back before.
//
// SPDX-License-Identifier: MIT
#include "io_uring.hpp"

#include <asyncio/detail/config.hpp>

#include <algorithm>
#include <cerrno>
#include <limits>

#include <fcntl.h>
#include <linux/stat.h>
#include <unistd.h>

namespace asyncio::lowlevel {

// Linux 6.9; liburing's header may be older.
static constexpr unsigned io_uring_ftruncate = 55;

// While the kernel has an operation, its result says whether it was cancelled.
static constexpr std::int64_t is_to_end = 1;
static constexpr std::int64_t told_to_end = 2;

static constexpr unsigned entry_for(Opcode opcode) noexcept {
    switch (opcode) {
        case Opcode::open_file:
            return IORING_OP_OPENAT;
        case Opcode::close_file:
            return IORING_OP_CLOSE;
        case Opcode::read_at:
            return IORING_OP_READ;
        case Opcode::write_at:
            return IORING_OP_WRITE;
        case Opcode::sync:
            return IORING_OP_FSYNC;
        case Opcode::status:
            return IORING_OP_STATX;
        case Opcode::truncate:
            return io_uring_ftruncate;
        case Opcode::rename:
            return IORING_OP_RENAMEAT;
        case Opcode::unlink:
            return IORING_OP_UNLINKAT;
        case Opcode::make_directory:
            return IORING_OP_MKDIRAT;
        case Opcode::make_symlink:
            return IORING_OP_SYMLINKAT;
        case Opcode::make_link:
            return IORING_OP_LINKAT;
        default:
            return IORING_OP_LAST;
    }
}

bool IoUring::performs(Opcode on_file) const noexcept {
    return is_on_file(on_file) && ring_->supports(entry_for(on_file));
}

static void fill(io_uring_sqe& entry, const Operation& operation) noexcept {
    const FileRequest& request = *static_cast<const FileRequest*>(operation.data);
    const int fd = operation.fd;
    const auto size = static_cast<unsigned>(
        std::min<std::size_t>(operation.size, std::numeric_limits<int>::max()));
    const auto offset = static_cast<std::uint64_t>(request.offset);  // -1 as the kernel means it
    switch (operation.opcode) {
        case Opcode::open_file:
            io_uring_prep_openat(&entry, AT_FDCWD, request.path, request.flags | O_CLOEXEC,
                                 request.mode);
            // Not to be tried without waiting, which of a FIFO means something else.
            entry.flags |= IOSQE_ASYNC;
            return;
        case Opcode::close_file:
            io_uring_prep_close(&entry, fd);
            return;
        case Opcode::read_at:
            io_uring_prep_read(&entry, fd, request.buffer, size, offset);
            return;
        case Opcode::write_at:
            io_uring_prep_write(&entry, fd, request.buffer, size, offset);
            return;
        case Opcode::sync:
            io_uring_prep_fsync(&entry, fd, operation.argument != 0 ? IORING_FSYNC_DATASYNC : 0);
            return;
        case Opcode::status:
            io_uring_prep_statx(&entry, request.path != nullptr ? AT_FDCWD : fd,
                                request.path != nullptr ? request.path : "",
                                request.path != nullptr ? request.flags : AT_EMPTY_PATH,
                                STATX_BASIC_STATS | STATX_BTIME,
                                reinterpret_cast<struct statx*>(request.status->storage));
            return;
        case Opcode::truncate:
            io_uring_prep_rw(io_uring_ftruncate, &entry, fd, nullptr, 0, offset);
            return;
        case Opcode::rename:
            io_uring_prep_renameat(&entry, AT_FDCWD, request.path, AT_FDCWD, request.target,
                                   static_cast<unsigned>(request.flags));
            return;
        case Opcode::unlink:
            io_uring_prep_unlinkat(&entry, AT_FDCWD, request.path, request.flags);
            return;
        case Opcode::make_directory:
            io_uring_prep_mkdirat(&entry, AT_FDCWD, request.path, request.mode);
            return;
        case Opcode::make_symlink:
            io_uring_prep_symlinkat(&entry, request.target, AT_FDCWD, request.path);
            return;
        case Opcode::make_link:
            io_uring_prep_linkat(&entry, AT_FDCWD, request.path, AT_FDCWD, request.target, 0);
            return;
        default:
            ASYNCIO_ASSERT(false);  // performs() has said no
    }
}

// It is in a list so that abort_all() finds it; from here on it is not the loop's to take out.
void IoUring::start_on_file(Operation& operation, CallbackList& ready) noexcept {
    io_uring_sqe* const entry = ring_->next();
    if (entry == nullptr) {
        finish(operation, -ENOMEM, ready);
        return;
    }
    fill(*entry, operation);
    io_uring_sqe_set_data(entry, &operation);
    operation.started = true;
    operation.result = 0;
    on_files_.push_back(operation);
}

// A thread of the kernel that is told to stop waiting says what it would say to itself: that the
// system call is to be made again (ERESTARTSYS and its kin, which no program should ever see).
static bool was_interrupted(std::int32_t result) noexcept {
    return result == -EINTR || (result <= -512 && result >= -516);
}

void IoUring::complete_on_file(const Completion& completion, CallbackList& ready) noexcept {
    auto& operation = *reinterpret_cast<Operation*>(completion.tag);
    operation.unlink();
    if (was_interrupted(completion.result)) {
        if (operation.opcode == Opcode::close_file) {
            finish(operation, 0, ready);  // the number is free all the same: never a second time
            return;
        }
        if (operation.result == 0 && thread_ == this_thread()) {
            start_on_file(operation, ready);
            return;
        }
        finish(operation, -ECANCELED, ready);
        return;
    }
    finish(operation, completion.result, ready);
}

// True if it is the kernel's to complete.
bool IoUring::cancel_on_file(Operation& operation) noexcept {
    if (!is_on_file(operation.opcode) || !operation.started || operation.completed) {
        return false;
    }
    if (operation.result == 0) {
        operation.result = is_to_end;
        tell_to_end(operation);
    }
    return true;
}

// Where there is no entry left for it the kernel is told later.
void IoUring::tell_to_end(Operation& operation) noexcept {
    io_uring_sqe* const entry = use() == 0 ? ring_->next() : nullptr;
    if (entry == nullptr) {
        untold_ = true;
        return;
    }
    operation.result = told_to_end;
    io_uring_prep_cancel(entry, &operation, 0);
    io_uring_sqe_set_data64(entry, 0);
    static_cast<void>(ring_->enter());
}

void IoUring::tell_the_rest() noexcept {
    untold_ = false;
    for (Callback& callback : on_files_) {
        auto& operation = static_cast<Operation&>(callback);
        if (operation.result == is_to_end) {
            tell_to_end(operation);
        }
    }
}

void IoUring::cancel(Operation& operation, CallbackList& ready) noexcept {
    if (!cancel_on_file(operation)) {
        Readiness::cancel(operation, ready);
    }
}

// What the kernel has begun to do it may finish; either way it tells. Of what it does for the
// parent a child process hears nothing, but none of it is in the child's memory.
void IoUring::abort_all(CallbackList& ready) noexcept {
    Readiness::abort_all(ready);
    while (!on_files_.empty() && in_child_process()) {
        finish(static_cast<Operation&>(on_files_.pop_front()), -ECANCELED, ready);
    }
    for (Callback& operation : on_files_) {
        cancel_on_file(static_cast<Operation&>(operation));
    }
    while (!on_files_.empty()) {
        if (use() == 0) {
            if (untold_) {
                tell_the_rest();
            }
            static_cast<void>(untold_ ? ring_->enter() : ring_->wait());
        } else {
            ::usleep(1000);  // another thread's ring has them, until that thread ends
        }
        take_completions(ready);
    }
    ready.splice_back(finished_);
}

}  // namespace asyncio::lowlevel
