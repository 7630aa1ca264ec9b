// files.hpp - files, without blocking the loop: files::open(), File, and what os has for paths.
//
// What Python's open(), os and shutil (and aiofiles, which wraps them) do; docs/files.md.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/config.hpp>
#include <asyncio/exceptions.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace asyncio {

namespace detail {

class FileCore;

/// A counted reference to an open file; null by default.
class FileRef {
public:
    FileRef() = default;
    explicit FileRef(FileCore& file) noexcept;
    FileRef(const FileRef& other) noexcept;
    FileRef(FileRef&& other) noexcept : file_(std::exchange(other.file_, nullptr)) {}
    FileRef& operator=(FileRef other) noexcept {
        std::swap(file_, other.file_);
        return *this;
    }
    ~FileRef();

    /// Throws std::invalid_argument if there is none.
    [[nodiscard]] FileCore& get() const;
    FileCore* operator->() const noexcept { return file_; }
    FileCore& operator*() const noexcept { return *file_; }
    explicit operator bool() const noexcept { return file_ != nullptr; }

private:
    FileCore* file_ = nullptr;
};

}  // namespace detail

namespace files {

/// Python's io.UnsupportedOperation: "not readable", "not writable", "underlying stream is not
/// seekable".
class UnsupportedOperation : public OSError {
public:
    using OSError::OSError;
    ~UnsupportedOperation() override;
};

/// What the system knows of a file; the names are those of Python's os.stat_result, times in
/// nanoseconds since 1970.
struct Stat {
    std::uint32_t st_mode = 0;  ///< type and permissions: S_ISREG(), S_IMODE() of <sys/stat.h>
    std::uint64_t st_ino = 0;
    std::uint64_t st_dev = 0;
    std::uint64_t st_nlink = 0;
    std::uint32_t st_uid = 0;
    std::uint32_t st_gid = 0;
    std::int64_t st_size = 0;  ///< bytes
    std::uint32_t st_blksize = 0;
    std::uint64_t st_blocks = 0;  ///< of 512 bytes
    std::int64_t st_atime_ns = 0;
    std::int64_t st_mtime_ns = 0;
    std::int64_t st_ctime_ns = 0;
    std::int64_t st_birthtime_ns = 0;  ///< 0 where the file system does not know it

    [[nodiscard]] bool is_file() const noexcept;
    [[nodiscard]] bool is_dir() const noexcept;
    [[nodiscard]] bool is_symlink() const noexcept;
};

/// An open file: a shared handle. Closed by close(), or when the last copy of the handle is gone
/// and nothing that was begun is under way any more.
///
///     File f = co_await files::open("notes.txt");
///     while (auto line = co_await f.next()) {
///         use(*line);
///     }
///     co_await f.close();
///
/// Text is bytes: nothing is decoded, and a line ends in "\n". Reads are buffered, so that lines
/// are cheap; writes are not: when write() is done, the system has all of it, and sync() has the
/// disk have it.
///
/// Several tasks may use one file: what they ask for is done in that order, one after another.
/// Only pread() and pwrite() are done beside the others.
///
/// Cancellation: the task is cancelled at once, always. What waits for others is never done. A
///               write (or another change) that was begun is carried through; if it fails then, the
///               next write, flush(), sync() or close() throws the error. What a read gets then is
///               there for the next read: no byte is lost, and the position is that behind the last
///               byte that somebody was given.
/// The end:      the loop's close() waits for what was begun.
/// Errors:       OSError and its subclasses (FileNotFoundError, ...), with the name of the file in
///               the text; std::invalid_argument ("I/O operation on closed file."),
///               UnsupportedOperation where the mode does not allow it.
/// Threads:      belongs to its loop's thread.
class File {
public:
    /// No file; false as bool.
    File() = default;

    explicit operator bool() const noexcept { return static_cast<bool>(file_); }

    /// Exactly `n` bytes, fewer only at the end; with a negative `n`, everything up to the end.
    [[nodiscard]] Coroutine<std::string> read(std::ptrdiff_t n = -1) const;
    /// The same into memory of the caller's; how many bytes, 0 at the end.
    [[nodiscard]] Coroutine<std::size_t> read_into(std::span<char> buffer) const;
    [[nodiscard]] Coroutine<std::size_t> read_into(std::span<std::byte> buffer) const;
    /// Up to and including the next newline; empty at the end.
    [[nodiscard]] Coroutine<std::string> readline() const;
    /// The next line, with its newline; nullopt at the end.
    [[nodiscard]] Coroutine<std::optional<std::string>> next() const;
    /// All lines up to the end.
    [[nodiscard]] Coroutine<std::vector<std::string>> readlines() const;

    /// Writes all of it; how many bytes that were. The bytes are taken when it is called: a
    /// std::string that is moved in is not copied. OSError if there is no room: what could be
    /// written is, and tell() says how much.
    template <std::convertible_to<std::string_view> Bytes>
    [[nodiscard]] Coroutine<std::size_t> write(Bytes&& bytes) const {
        if constexpr (std::is_same_v<Bytes, std::string>) {
            return write_text(std::move(bytes));
        } else {
            return write_text(std::string(std::string_view(bytes)));
        }
    }
    [[nodiscard]] Coroutine<std::size_t> write(std::span<const std::byte> bytes) const {
        return write_text(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    }
    /// The same as one write of all. Nothing is put between them.
    template <class Lines>
        requires(!std::convertible_to<const Lines&, std::string_view>)
    [[nodiscard]] Coroutine<> writelines(const Lines& lines) const {
        std::string all;
        for (const auto& line : lines) {
            all += std::string_view(line);
        }
        return write_lines(std::move(all));
    }
    [[nodiscard]] Coroutine<> writelines(std::initializer_list<std::string_view> lines) const;

    /// `n` bytes at `offset`, fewer only at the end; the position stays. Any number of these may be
    /// under way at once.
    [[nodiscard]] Coroutine<std::string> pread(std::size_t n, std::int64_t offset) const;
    /// Writes all of it at `offset`; the position stays. What two write to one place at a time is
    /// for the system to choose. (A file opened to append is written to at its end.)
    template <std::convertible_to<std::string_view> Bytes>
    [[nodiscard]] Coroutine<std::size_t> pwrite(Bytes&& bytes, std::int64_t offset) const {
        if constexpr (std::is_same_v<Bytes, std::string>) {
            return write_text_at(std::move(bytes), offset);
        } else {
            return write_text_at(std::string(std::string_view(bytes)), offset);
        }
    }

    /// Moves to `offset`, from the beginning (SEEK_SET), the position (SEEK_CUR) or the end
    /// (SEEK_END); the position now.
    [[nodiscard]] Coroutine<std::int64_t> seek(std::int64_t offset, int whence = 0) const;
    [[nodiscard]] Coroutine<std::int64_t> tell() const;
    /// Makes it `size` bytes long, or as long as its position; the size. The position stays.
    [[nodiscard]] Coroutine<std::int64_t> truncate(
        std::optional<std::int64_t> size = std::nullopt) const;
    /// Waits for what others do with it; the error of a write that nobody waited for.
    [[nodiscard]] Coroutine<> flush() const;
    /// Waits until the disk has everything (os.fsync).
    [[nodiscard]] Coroutine<> sync() const;
    /// The same but for what is not needed to read the data again, as its times (os.fdatasync).
    [[nodiscard]] Coroutine<> datasync() const;
    [[nodiscard]] Coroutine<Stat> stat() const;

    /// Closes it, after what was asked for before. Nothing if it is closed. The file is closed
    /// whatever this throws, also if it is cancelled.
    [[nodiscard]] Coroutine<> close() const;
    [[nodiscard]] bool closed() const noexcept;

    /// The descriptor; std::invalid_argument if it is closed.
    [[nodiscard]] int fileno() const;
    /// As it was given to open().
    [[nodiscard]] const std::string& name() const;
    [[nodiscard]] const std::string& mode() const;
    [[nodiscard]] bool readable() const;
    [[nodiscard]] bool writable() const;
    [[nodiscard]] bool seekable() const;

    /// For with().
    File& aenter() noexcept { return *this; }
    Coroutine<bool> aexit(std::exception_ptr error) const;

    explicit File(detail::FileRef file) noexcept : file_(std::move(file)) {}

private:
    [[nodiscard]] Coroutine<std::size_t> write_text(std::string bytes) const;
    [[nodiscard]] Coroutine<> write_lines(std::string bytes) const;
    [[nodiscard]] Coroutine<std::size_t> write_text_at(std::string bytes,
                                                       std::int64_t offset) const;

    detail::FileRef file_;
};

/// Keyword arguments of open().
struct OpenOptions {
    std::uint32_t permissions = 0666;  ///< of a new file, less the umask
    int flags = 0;                     ///< more flags of open(2): O_NOFOLLOW, O_DSYNC, ...
};
static_assert(detail::trivially_destructible<OpenOptions>);

/// Opens a file as Python's open() does: `mode` is one of "r" (read), "w" (write, empty at first),
/// "x" (the same, of a file that does not exist) and "a" (write at the end), with "+" for both
/// reading and writing; "b" and "t" mean nothing here, where all is bytes.
///
/// A FIFO is opened when somebody opens its other end, and one of the threads for files waits for
/// that; terminals, FIFOs and other files without positions are then read and written by the loop.
///
/// Cancellation: a file that is opened nevertheless is closed.
/// Errors:       std::invalid_argument for a mode that is none; OSError (FileNotFoundError,
///               FileExistsError, IsADirectoryError, PermissionError, ...).
[[nodiscard]] Coroutine<File> open(std::string_view path, std::string_view mode = "r",
                                   OpenOptions options = {});

// -------------------------------------------------------------------------------- whole files

/// All of a file.
[[nodiscard]] Coroutine<std::string> read_file(std::string_view path);

/// Keyword arguments of write_file().
struct WriteFileOptions {
    /// Readers see the old file or the new one, and so does the next boot after a crash: it is
    /// written beside the old one, synced, and renamed. It keeps the old one's permissions. What is
    /// at the path is replaced, also if it is a symbolic link.
    bool atomic = false;
    bool sync = false;                 ///< waits for the disk; `atomic` does in any case
    std::uint32_t permissions = 0666;  ///< of a new file, less the umask
};
static_assert(detail::trivially_destructible<WriteFileOptions>);

}  // namespace files

namespace detail {

[[nodiscard]] Coroutine<> write_whole_file(std::string_view path, std::string bytes,
                                           files::WriteFileOptions options);

}  // namespace detail

namespace files {

/// Makes `bytes` all that is in a file. The bytes are taken when it is called.
///
/// Cancellation: once it has begun it is carried through.
/// Errors:       OSError. Without `atomic` a part of the bytes is there then.
template <std::convertible_to<std::string_view> Bytes>
[[nodiscard]] Coroutine<> write_file(std::string_view path, Bytes&& bytes,
                                     WriteFileOptions options = {}) {
    if constexpr (std::is_same_v<Bytes, std::string>) {
        return detail::write_whole_file(path, std::move(bytes), options);
    } else {
        return detail::write_whole_file(path, std::string(std::string_view(bytes)), options);
    }
}

// --------------------------------------------------------------------------------------- paths
//
// What the functions of these names do in Python's os and shutil.
//
// Cancellation: what has begun may still be done.
// Errors:       OSError and its subclasses, with the path in the text; std::invalid_argument if
//               there is a NUL in it.

/// Keyword arguments of stat().
struct StatOptions {
    bool follow_symlinks = true;
};

[[nodiscard]] Coroutine<Stat> stat(std::string_view path, StatOptions options = {});
/// False also for what cannot be looked at, and for a link to nothing.
[[nodiscard]] Coroutine<bool> exists(std::string_view path);
/// Replaces what is at `to`, if that is no directory that has something in it.
[[nodiscard]] Coroutine<> rename(std::string_view from, std::string_view to);
[[nodiscard]] Coroutine<> replace(std::string_view from, std::string_view to);
/// A file, not a directory.
[[nodiscard]] Coroutine<> remove(std::string_view path);
[[nodiscard]] Coroutine<> unlink(std::string_view path);
/// An empty directory.
[[nodiscard]] Coroutine<> rmdir(std::string_view path);
/// `mode`: the permissions, less the umask.
[[nodiscard]] Coroutine<> mkdir(std::string_view path, std::uint32_t mode = 0777);

/// Keyword arguments of makedirs().
struct MakeDirectoriesOptions {
    std::uint32_t mode = 0777;  ///< of the last one
    bool exist_ok = false;
};

/// A directory and those that it is in, as far as they are not there.
[[nodiscard]] Coroutine<> makedirs(std::string_view path, MakeDirectoriesOptions options = {});
/// Makes `path` a link to `target`, which need not exist.
[[nodiscard]] Coroutine<> symlink(std::string_view target, std::string_view path);
/// Another name for a file.
[[nodiscard]] Coroutine<> link(std::string_view path, std::string_view new_path);
/// What a symbolic link points to.
[[nodiscard]] Coroutine<std::string> readlink(std::string_view path);
[[nodiscard]] Coroutine<> chmod(std::string_view path, std::uint32_t mode);

/// shutil.SameFileError: a file cannot be copied to itself.
class SameFileError : public OSError {
public:
    using OSError::OSError;
    ~SameFileError() override;
};

/// shutil.SpecialFileError: a FIFO cannot be copied.
class SpecialFileError : public OSError {
public:
    using OSError::OSError;
    ~SpecialFileError() override;
};

/// The contents, without permissions and times.
[[nodiscard]] Coroutine<> copyfile(std::string_view from, std::string_view to);

/// The names in a directory, in no order.
[[nodiscard]] Coroutine<std::vector<std::string>> listdir(std::string_view path = ".");

/// What is in a directory.
struct DirEntry {
    enum class Type : std::uint8_t { unknown, file, directory, symlink, other };

    std::string name;
    std::string path;           ///< with that of the directory
    Type type = Type::unknown;  ///< of itself, if it is a link; not every file system knows it
    std::uint64_t inode = 0;

    [[nodiscard]] bool is_file() const noexcept { return type == Type::file; }
    [[nodiscard]] bool is_dir() const noexcept { return type == Type::directory; }
    [[nodiscard]] bool is_symlink() const noexcept { return type == Type::symlink; }
};

[[nodiscard]] Coroutine<std::vector<DirEntry>> scandir(std::string_view path = ".");

}  // namespace files

using files::File;

}  // namespace asyncio
