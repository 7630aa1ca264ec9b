// file_core.hpp - FileCore: an open file, its position, and its calls one after another.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "file_io.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace asyncio::detail {

/// What a mode of open() allows.
struct FileMode {
    int flags = 0;  // of open()
    bool readable = false;
    bool writable = false;
    bool appends = false;
};

/// What a file was opened as.
struct FileName {
    std::string path;
    std::string mode_text;
    FileMode mode;
};

/// An open file: a descriptor and what was read ahead of it. Counted: by handles, and by the calls
/// that are queued or under way.
class FileCore {
public:
    /// Takes over the descriptor. `waits`: it is one whose reads may wait for somebody, and has
    /// been made non-blocking. `size`: as far as that is known.
    FileCore(FileIO& io, int fd, bool waits, std::int64_t size, FileName name);
    FileCore(const FileCore&) = delete;
    FileCore& operator=(const FileCore&) = delete;

    void retain() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) {
            delete this;
        }
    }

    /// Nothing is queued and nothing under way: what is here can be had at once.
    [[nodiscard]] bool idle() const noexcept { return !busy_ && queue_.empty(); }

    [[nodiscard]] FileIO& io() const noexcept { return io_; }
    [[nodiscard]] int fd() const noexcept { return fd_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_.path; }
    [[nodiscard]] const std::string& mode_text() const noexcept { return name_.mode_text; }
    [[nodiscard]] const FileMode& mode() const noexcept { return name_.mode; }
    /// As it was when it was opened.
    [[nodiscard]] std::int64_t size() const noexcept { return size_; }
    [[nodiscard]] bool seekable() const noexcept { return !waits_; }
    /// Is it one whose reads may wait for somebody: a FIFO, a terminal?
    [[nodiscard]] bool waits() const noexcept { return waits_; }

    /// Throws std::invalid_argument if it is closed, or about to be.
    void check_open() const;
    void check_readable() const;
    void check_writable() const;
    void check_seekable() const;
    [[nodiscard]] bool closing() const noexcept { return closing_; }

    // What was read from the system and not yet by anybody, and the position of what comes behind.

    /// The position of what is read next; of no meaning if the file is not seekable.
    [[nodiscard]] std::int64_t tell() const noexcept {
        return position - static_cast<std::int64_t>(ahead.size() - ahead_begin);
    }
    void move_to(std::int64_t offset) noexcept;
    /// The position is where it seems to be. Of whoever's turn it is.
    void forget_ahead() noexcept;
    /// Somebody beside the others has written.
    void spoil_ahead() noexcept;
    /// What a read leaves: `text` from `begin` on, which ends at `end` in the file.
    void keep_ahead(std::string text, std::size_t begin, std::int64_t end) noexcept;
    /// How much to read ahead next: less at first, and after a seek.
    [[nodiscard]] std::size_t next_block() noexcept;

    std::string ahead;
    std::size_t ahead_begin = 0;
    std::int64_t position = 0;
    /// Of a write, or its kin, that nobody waited for; whoever writes next is told.
    int write_error = 0;
    /// Takes note of what `call` has failed with, if nobody waits for it any more.
    void note_failure(const FileCall& call) noexcept;

    // For calls.
    void enter(FileCall& call) noexcept;
    void revoke(FileCall& call) noexcept;
    void ended(FileCall& call) noexcept;
    void drop_queue() noexcept;
    /// No other call is taken; this one closes.
    void set_closing() noexcept { closing_ = true; }
    void closed() noexcept { fd_ = -1; }

private:
    ~FileCore();
    void go_on() noexcept;
    void close_here() noexcept;

    FileIO& io_;  // counted
    std::size_t references_ = 0;
    lowlevel::List<FileCall, FileQueue> queue_;  // the first is under way if busy_
    FileName name_;
    std::int64_t size_;
    int fd_;
    std::uint32_t beside_ = 0;  // calls under way that are in no order
    std::uint32_t block_ = 0;
    bool waits_;
    bool busy_ = false;
    bool going_on_ = false;
    bool spoilt_ = false;
    bool closing_ = false;
};

}  // namespace asyncio::detail
