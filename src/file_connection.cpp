// file_connection.cpp - reads and writes a file in threads of the default executor.
//
// SPDX-License-Identifier: MIT
#include "file_connection.hpp"

#include <asyncio/threads.hpp>

#include <cerrno>
#include <utility>

#include <unistd.h>

namespace asyncio::detail {

namespace {

std::string read_block(int fd) {
    constexpr std::size_t block_size = std::size_t{64} * 1024;
    std::string block(block_size, '\0');
    for (;;) {
        const ssize_t size = ::read(fd, block.data(), block.size());
        if (size >= 0) {
            block.resize(static_cast<std::size_t>(size));
            return block;
        }
        if (errno != EINTR) {
            raise_os_error(errno, "read descriptor " + std::to_string(fd));
        }
    }
}

void write_block(int fd, std::string_view block) {
    while (!block.empty()) {
        const ssize_t size = ::write(fd, block.data(), block.size());
        if (size >= 0) {
            block.remove_prefix(static_cast<std::size_t>(size));
        } else if (errno != EINTR) {
            raise_os_error(errno, "write to descriptor " + std::to_string(fd));
        }
    }
}

/// A call that is never made, because its executor was shut down, has failed, too.
std::exception_ptr failure_of(const AnyFuture& call) {
    return call.cancelled() ? std::make_exception_ptr(OSError(ECANCELED, "use a file"))
                            : call.exception();
}

}  // namespace

FileConnection::FileConnection(LoopIO& io, Pipe file, std::size_t limit)
    : Connection(limit), io_(io), file_(std::make_shared<const Pipe>(std::move(file))) {
    io_.retain();
    io_.add(*this);
}

FileConnection::~FileConnection() {
    io_.release();
}

void FileConnection::want_data() noexcept {
    if (reading_ || closing_ || ended()) {
        return;
    }
    try {
        start_read();
    } catch (...) {
        force_close(std::current_exception());
    }
}

void FileConnection::start_read() {
    const Future<std::string> block =
        submit_work(*loop(), nullptr, [file = file_] { return read_block(file->fileno()); });
    reading_ = true;
    block.add_done_callback([this, keep = StreamKeep(*this)](const Future<std::string>& done) {
        reading_ = false;
        received(failure_of(done), done);
        if (reader_waits()) {
            want_data();
        }
    });
}

void FileConnection::received(const std::exception_ptr& error, const Future<std::string>& block) {
    if (closing_) {
        return;
    }
    if (error != nullptr) {
        force_close(error);
        return;
    }
    try {
        const std::string text = block.result();
        if (!text.empty()) {
            feed_data(text);
            return;
        }
        feed_eof();
        close();
    } catch (...) {  // no memory
        force_close(std::current_exception());
    }
}

void FileConnection::write(std::string_view bytes) {
    if (bytes.empty()) {
        return;
    }
    if (closing_) {
        dropped_write();
        return;
    }
    queue_ += bytes;
    start_write();
    check_high_water();
}

void FileConnection::write_all(std::span<const std::string_view> views) {
    for (const std::string_view view : views) {
        write(view);
    }
}

void FileConnection::start_write() {
    if (writing_ > 0 || queue_.empty()) {
        return;
    }
    writing_ = queue_.size();
    auto block = std::make_shared<const std::string>(std::exchange(queue_, std::string()));
    const Future<> done = submit_work(*loop(), nullptr, [file = file_, block = std::move(block)] {
        write_block(file->fileno(), *block);
    });
    done.add_done_callback([this, keep = StreamKeep(*this)](const Future<>& ended) {
        writing_ = 0;
        if (const std::exception_ptr error = failure_of(ended)) {
            force_close(error);
        } else if (!losing_) {
            written();
        }
    });
}

void FileConnection::written() {
    check_low_water();
    if (!queue_.empty()) {
        start_write();
    } else if (closing_) {
        lose_soon(nullptr);
    }
}

void FileConnection::close() noexcept {
    if (!std::exchange(closing_, true) && write_buffer_size() == 0) {
        lose_soon(nullptr);
    }
}

void FileConnection::force_close(std::exception_ptr error) noexcept {
    closing_ = true;
    queue_.clear();
    lose_soon(std::move(error));
}

void FileConnection::lose_soon(std::exception_ptr error) noexcept {
    if (std::exchange(losing_, true) || lost()) {
        return;
    }
    try {
        loop()->call_soon([this, keep = StreamKeep(*this), error] {
            set_lost(error);
            file_.reset();
        });
    } catch (...) {  // no memory
        set_lost(std::current_exception());
        file_.reset();
    }
}

void FileConnection::abandoned() noexcept {
    if (!closing_ && loop() != nullptr) {
        close();
    }
}

void FileConnection::loop_closing() noexcept {
    const StreamKeep keep(*this);
    closing_ = true;
    losing_ = true;
    set_lost_silently();
    queue_.clear();
    file_.reset();
}

}  // namespace asyncio::detail
