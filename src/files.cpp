// files.cpp - File: what a program does with an open one.
//
// SPDX-License-Identifier: MIT
#include <asyncio/files.hpp>

#include "file_core.hpp"
#include "file_status.hpp"
#include "file_transfers.hpp"
#include "loop_io.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>

#include <unistd.h>

namespace asyncio {

namespace detail {

using lowlevel::Opcode;

FileRef::FileRef(FileCore& file) noexcept : file_(&file) {
    file_->retain();
}

FileRef::FileRef(const FileRef& other) noexcept : file_(other.file_) {
    if (file_ != nullptr) {
        file_->retain();
    }
}

FileRef::~FileRef() {
    if (file_ != nullptr) {
        file_->release();
    }
}

FileCore& FileRef::get() const {
    if (file_ == nullptr) {
        raise_value_error("I/O operation on closed file.");
    }
    return *file_;
}

namespace {

/// Only waits for those before.
class FileTurn final : public FileCall {
public:
    explicit FileTurn(FileCore& file) noexcept : FileCall(file, Opcode::sync) {}

private:
    bool begin() noexcept override { return false; }
};

class FileStatusOf final : public FileCall {
public:
    explicit FileStatusOf(FileCore& file) noexcept : FileCall(file, Opcode::status) {
        request_.status = &status;
    }

    lowlevel::FileStatus status;
};

class FileSync final : public FileCall {
public:
    FileSync(FileCore& file, bool only_data) noexcept : FileCall(file, Opcode::sync) {
        argument = only_data ? 1 : 0;
    }

private:
    void finish() noexcept override { file().note_failure(*this); }
    [[nodiscard]] bool goes_through() const noexcept override { return true; }
};

class FileTruncate final : public FileCall {
public:
    FileTruncate(FileCore& file, std::optional<std::int64_t> size) noexcept
        : FileCall(file, Opcode::truncate), size_(size) {}

    [[nodiscard]] std::int64_t size() const noexcept { return request_.offset; }

private:
    bool begin() noexcept override {
        file().forget_ahead();
        request_.offset = size_.has_value() ? *size_ : file().tell();
        return true;
    }
    void finish() noexcept override { file().note_failure(*this); }
    [[nodiscard]] bool goes_through() const noexcept override { return true; }

    std::optional<std::int64_t> size_;
};

/// Moves the position, which only the end of a file takes a system call for.
class FileSeek final : public FileCall {
public:
    FileSeek(FileCore& file, std::int64_t offset, int whence) noexcept
        : FileCall(file, Opcode::status), offset_(offset), whence_(whence) {
        request_.status = &status_;
    }

    [[nodiscard]] std::int64_t position() const noexcept { return offset_; }

private:
    bool begin() noexcept override { return whence_ == SEEK_END; }
    void finish() noexcept override {
        if (abandoned() || result < 0) {
            return;
        }
        std::int64_t from = 0;
        if (whence_ == SEEK_END) {
            from = to_stat(status_).st_size;
        } else if (whence_ == SEEK_CUR) {
            from = file().tell();
        }
        if (offset_ > std::numeric_limits<std::int64_t>::max() - from || offset_ < -from) {
            result = -EINVAL;
        } else {
            offset_ += from;
            file().move_to(offset_);
        }
    }

    std::int64_t offset_;
    int whence_;
    lowlevel::FileStatus status_;
};

/// Comes to its turn in any case, after all the others.
class FileClose final : public FileCall {
public:
    explicit FileClose(FileCore& file) noexcept : FileCall(file, Opcode::close_file) {}

private:
    // The proactor that waits for it would keep it open, and mistake the next one for it.
    bool begin() noexcept override {
        if (file().waits()) {
            lowlevel::Operation operation(&run_nothing, Opcode::forget, fd);
            io().loop()->call(operation);
        }
        return true;
    }
    void finish() noexcept override {
        if (result == -EAGAIN || result == -ENOMEM) {  // no thread was to be had
            result = lowlevel::perform_on_file(*this);
            error_ = nullptr;
        }
        file().closed();
        report_failure();
    }
    // There is no next one to be told.
    void report_failure() const noexcept {
        if (abandoned() && result < 0) {
            log_failure("a file was closed, and nobody waited, with an error");
        }
    }
    [[nodiscard]] bool goes_through() const noexcept override { return true; }
    [[nodiscard]] bool cannot_be_revoked() const noexcept override { return true; }
    [[nodiscard]] bool exclusive() const noexcept override { return true; }
};

void check_write_error(FileCore& file) {
    if (const int error = std::exchange(file.write_error, 0)) {
        raise_os_error(error, "write '" + file.name() + "'");
    }
}

// As the kernel has it; -1 would be where the descriptor stands.
void check_offset(FileCore& file, const std::string& doing, std::int64_t offset) {
    if (offset < 0) {
        raise_os_error(EINVAL, doing + " '" + file.name() + "'");
    }
}

Coroutine<std::string> read_file(FileRef file, FileRead::Until until, std::size_t count) {
    file.get().check_readable();
    const FileCallRef call(new FileRead(*file, until, count));
    co_await end_of(*call);
    call->check("read", file->name());
    co_return call->take();
}

Coroutine<std::size_t> read_file_into(FileRef file, std::span<char> buffer) {
    const std::string text =
        co_await read_file(std::move(file), FileRead::Until::count, buffer.size());
    std::memcpy(buffer.data(), text.data(), text.size());
    co_return text.size();
}

Coroutine<std::optional<std::string>> next_line(FileRef file) {
    std::string line = co_await read_file(std::move(file), FileRead::Until::line, 0);
    if (line.empty()) {
        co_return std::nullopt;
    }
    co_return std::move(line);
}

Coroutine<std::vector<std::string>> read_lines(FileRef file) {
    const std::string text = co_await read_file(std::move(file), FileRead::Until::end, 0);
    std::vector<std::string> lines;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t newline = text.find('\n', begin);
        const std::size_t end = newline == std::string::npos ? text.size() : newline + 1;
        lines.push_back(text.substr(begin, end - begin));
        begin = end;
    }
    co_return std::move(lines);
}

Coroutine<std::string> read_file_at(FileRef file, std::size_t count, std::int64_t offset) {
    file.get().check_readable();
    file->check_seekable();
    check_offset(*file, "read", offset);
    const FileCallRef call(new FileRead(*file, count, offset));
    co_await end_of(*call);
    call->check("read", file->name());
    co_return call->take();
}

Coroutine<std::size_t> write_file(FileRef file, std::string bytes,
                                  std::optional<std::int64_t> offset) {
    file.get().check_writable();
    if (offset.has_value()) {
        file->check_seekable();
        check_offset(*file, "write", *offset);
    }
    check_write_error(*file);
    const FileCallRef call(new FileWrite(*file, std::move(bytes), offset));
    co_await end_of(*call);
    call->check("write", file->name());
    co_return call->written();
}

Coroutine<> write_file_lines(FileRef file, std::string bytes) {
    co_await write_file(std::move(file), std::move(bytes), std::nullopt);
}

Coroutine<> wait_for_turn(FileRef file) {
    const FileCallRef call(new FileTurn(*file));
    co_await end_of(*call);
}

Coroutine<files::Stat> status_of_file(FileRef file) {
    file.get().check_open();
    const FileCallRef call(new FileStatusOf(*file));
    co_await end_of(*call);
    call->check("stat", file->name());
    co_return to_stat(call->status);
}

Coroutine<std::int64_t> seek_file(FileRef file, std::int64_t offset, int whence) {
    file.get().check_seekable();
    if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END) {
        raise_value_error(
            ("invalid whence (" + std::to_string(whence) + ", should be 0, 1 or 2)").c_str());
    }
    const FileCallRef call(new FileSeek(*file, offset, whence));
    co_await end_of(*call);
    call->check("seek", file->name());
    co_return call->position();
}

Coroutine<std::int64_t> truncate_file(FileRef file, std::optional<std::int64_t> size) {
    file.get().check_writable();
    check_write_error(*file);
    const FileCallRef call(new FileTruncate(*file, size));
    co_await end_of(*call);
    call->check("truncate", file->name());
    co_return call->size();
}

Coroutine<> flush_file(FileRef file) {
    file.get().check_open();
    if (!file->idle()) {
        co_await wait_for_turn(file);
    }
    check_write_error(*file);
}

Coroutine<> sync_file(FileRef file, bool only_data) {
    file.get().check_open();
    const FileCallRef call(new FileSync(*file, only_data));
    co_await end_of(*call);
    check_write_error(*file);
    call->check("sync", file->name());
}

Coroutine<> close_file(FileRef file) {
    if (file->closing()) {
        if (!file->idle()) {
            co_await wait_for_turn(file);  // by somebody else, just now
        }
        co_return;
    }
    file->set_closing();
    const FileCallRef call(new FileClose(*file));
    co_await end_of(*call);
    check_write_error(*file);
    call->check("close", file->name());
}

Coroutine<bool> leave_file(FileRef file) {
    co_await close_file(std::move(file));
    co_return false;
}

Coroutine<> nothing() {
    co_return;
}

}  // namespace

}  // namespace detail

namespace files {

using detail::FileRead;

UnsupportedOperation::~UnsupportedOperation() = default;

Coroutine<std::string> File::read(std::ptrdiff_t n) const {
    return detail::read_file(file_, n < 0 ? FileRead::Until::end : FileRead::Until::count,
                             n < 0 ? 0 : static_cast<std::size_t>(n));
}

Coroutine<std::size_t> File::read_into(std::span<char> buffer) const {
    return detail::read_file_into(file_, buffer);
}

Coroutine<std::size_t> File::read_into(std::span<std::byte> buffer) const {
    return read_into(std::span(reinterpret_cast<char*>(buffer.data()), buffer.size()));
}

Coroutine<std::string> File::readline() const {
    return detail::read_file(file_, FileRead::Until::line, 0);
}

Coroutine<std::optional<std::string>> File::next() const {
    return detail::next_line(file_);
}

Coroutine<std::vector<std::string>> File::readlines() const {
    return detail::read_lines(file_);
}

Coroutine<> File::writelines(std::initializer_list<std::string_view> lines) const {
    return writelines(std::span(lines.begin(), lines.size()));
}

Coroutine<std::size_t> File::write_text(std::string bytes) const {
    return detail::write_file(file_, std::move(bytes), std::nullopt);
}

Coroutine<> File::write_lines(std::string bytes) const {
    return detail::write_file_lines(file_, std::move(bytes));
}

Coroutine<std::string> File::pread(std::size_t n, std::int64_t offset) const {
    return detail::read_file_at(file_, n, offset);
}

Coroutine<std::size_t> File::write_text_at(std::string bytes, std::int64_t offset) const {
    return detail::write_file(file_, std::move(bytes), offset);
}

Coroutine<std::int64_t> File::seek(std::int64_t offset, int whence) const {
    return detail::seek_file(file_, offset, whence);
}

Coroutine<std::int64_t> File::tell() const {
    return detail::seek_file(file_, 0, SEEK_CUR);
}

Coroutine<std::int64_t> File::truncate(std::optional<std::int64_t> size) const {
    return detail::truncate_file(file_, size);
}

Coroutine<> File::flush() const {
    return detail::flush_file(file_);
}

Coroutine<> File::sync() const {
    return detail::sync_file(file_, false);
}

Coroutine<> File::datasync() const {
    return detail::sync_file(file_, true);
}

Coroutine<Stat> File::stat() const {
    return detail::status_of_file(file_);
}

Coroutine<> File::close() const {
    return file_ ? detail::close_file(file_) : detail::nothing();
}

bool File::closed() const noexcept {
    return !file_ || file_->closing();
}

Coroutine<bool> File::aexit(std::exception_ptr) const {
    return detail::leave_file(file_);
}

int File::fileno() const {
    file_.get().check_open();
    return file_->fd();
}

const std::string& File::name() const {
    return file_.get().name();
}

const std::string& File::mode() const {
    return file_.get().mode_text();
}

bool File::readable() const {
    file_.get().check_open();
    return file_->mode().readable;
}

bool File::writable() const {
    file_.get().check_open();
    return file_->mode().writable;
}

bool File::seekable() const {
    file_.get().check_open();
    return file_->seekable();
}

}  // namespace files

}  // namespace asyncio
