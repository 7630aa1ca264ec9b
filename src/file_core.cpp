// file_core.cpp - an open file: who is next, and what was read ahead.
//
// SPDX-License-Identifier: MIT
#include "file_core.hpp"

#include <asyncio/files.hpp>

#include "loop_io.hpp"

#include <algorithm>

#include <unistd.h>

namespace asyncio::detail {

using lowlevel::Opcode;
using lowlevel::Operation;

FileCore::FileCore(FileIO& io, int fd, bool waits, std::int64_t size, FileName name)
    : io_(io), name_(std::move(name)), size_(size), fd_(fd), waits_(waits) {
    io_.retain();
}

FileCore::~FileCore() {
    if (fd_ >= 0) {
        close_here();
    }
    io_.release();
}

// ------------------------------------------------------------------------------------ checks

void FileCore::check_open() const {
    if (closing_) {
        raise_value_error("I/O operation on closed file.");
    }
}

void FileCore::check_readable() const {
    check_open();
    if (!mode().readable) {
        throw files::UnsupportedOperation("not readable");
    }
}

void FileCore::check_writable() const {
    check_open();
    if (!mode().writable) {
        throw files::UnsupportedOperation("not writable");
    }
}

void FileCore::check_seekable() const {
    check_open();
    if (waits_) {
        throw files::UnsupportedOperation("underlying stream is not seekable");
    }
}

// -------------------------------------------------------------------------------- read ahead

void FileCore::move_to(std::int64_t offset) noexcept {
    const std::int64_t first = position - static_cast<std::int64_t>(ahead.size());
    if (offset >= first && offset <= position) {
        ahead_begin = static_cast<std::size_t>(offset - first);
        return;
    }
    ahead.clear();
    ahead_begin = 0;
    position = offset;
    block_ = 0;
}

void FileCore::forget_ahead() noexcept {
    if (!waits_) {  // what was read of these cannot be read again
        position = tell();
        ahead.clear();
        ahead_begin = 0;
    }
}

void FileCore::spoil_ahead() noexcept {
    if (busy_) {
        spoilt_ = true;  // what is being read may be of before
    } else {
        forget_ahead();
    }
}

void FileCore::keep_ahead(std::string text, std::size_t begin, std::int64_t end) noexcept {
    ahead = std::move(text);
    ahead_begin = begin;
    position = end;
    if (std::exchange(spoilt_, false)) {
        forget_ahead();
    }
}

// Whoever reads on will read more. After a seek that is not known yet.
std::size_t FileCore::next_block() noexcept {
    constexpr std::uint32_t least = 16 * 1024;
    constexpr std::uint32_t most = 256 * 1024;
    block_ = std::clamp(block_ * 4, least, most);
    return block_;
}

// The first error says most.
void FileCore::note_failure(const FileCall& call) noexcept {
    if (call.abandoned() && call.result < 0 && write_error == 0) {
        write_error = static_cast<int>(-call.result);
    }
}

// ------------------------------------------------------------------------------------- calls

void FileCore::enter(FileCall& call) noexcept {
    if (call.beside()) {
        ++beside_;
        call.start();
        return;
    }
    queue_.push_back(call);
    go_on();
}

// A loop and no recursion: any number of calls may be queued that take no time.
void FileCore::go_on() noexcept {
    if (std::exchange(going_on_, true)) {
        return;
    }
    retain();
    while (!busy_ && !queue_.empty()) {
        FileCall& first = queue_.front();
        if (first.exclusive() && beside_ > 0) {
            break;
        }
        busy_ = true;
        first.start();
    }
    going_on_ = false;
    release();
}

void FileCore::revoke(FileCall& call) noexcept {
    static_cast<lowlevel::ListHook<FileQueue>&>(call).unlink();
    go_on();
}

void FileCore::ended(FileCall& call) noexcept {
    auto& queued = static_cast<lowlevel::ListHook<FileQueue>&>(call);
    if (queued.linked()) {
        queued.unlink();
        busy_ = false;
    } else {
        --beside_;
    }
    go_on();
}

// The loop closes: what is queued never runs.
void FileCore::drop_queue() noexcept {
    while (!queue_.empty()) {
        queue_.pop_front().drop();
    }
}

// Without waiting: nothing is queued, and nothing under way.
void FileCore::close_here() noexcept {
    const int fd = std::exchange(fd_, -1);
    EventLoop* const loop = io_.loop();
    if (loop == nullptr) {
        ::close(fd);
        return;
    }
    if (loop->get_debug() && !closing_) {
        try {
            log(Level::warning, "unclosed <File '" + name() + "'>");
        } catch (...) {}
    }
    Operation operation(&run_nothing, Opcode::close, fd);
    loop->call(operation);
}

}  // namespace asyncio::detail
