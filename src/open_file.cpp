// open_file.cpp - files::open(): modes, and what it is that was opened.
//
// SPDX-License-Identifier: MIT
#include <asyncio/files.hpp>

#include "file_core.hpp"
#include "file_paths.hpp"
#include "file_status.hpp"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace asyncio {

namespace detail {

using lowlevel::Opcode;

namespace {

/// Opens a path, and asks what it is.
class FileOpen final : public FileCall {
public:
    FileOpen(FileIO& io, const std::string& path, int flags, std::uint32_t permissions)
        : FileCall(io, Opcode::open_file), path_(path) {
        request_.path = path_.c_str();
        request_.flags = flags;
        request_.mode = permissions;
        request_.status = &status_;
    }

    [[nodiscard]] files::Stat status() const noexcept { return to_stat(status_); }
    [[nodiscard]] int take() noexcept { return std::exchange(fd, -1); }

private:
    ~FileOpen() override {
        if (fd >= 0) {
            ::close(fd);
        }
    }
    bool advance() noexcept override {
        if (opcode == Opcode::status || result < 0) {
            if (result >= 0 && status().is_dir()) {
                result = -EISDIR;
            }
            return true;
        }
        fd = static_cast<int>(result);
        request_.path = nullptr;
        aim(Opcode::status);
        return false;
    }

    std::string path_;
    lowlevel::FileStatus status_;
};

[[noreturn]] void raise_invalid_mode(std::string_view mode) {
    raise_value_error(("invalid mode: '" + std::string(mode) + "'").c_str());
}

FileMode parse_mode(std::string_view text) {
    FileMode mode;
    int ways = 0;
    bool updating = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text.find(text[i]) != i) {
            raise_invalid_mode(text);
        }
        switch (text[i]) {
            case 'r':
                mode.readable = true;
                ++ways;
                break;
            case 'w':
                mode.flags |= O_CREAT | O_TRUNC;
                mode.writable = true;
                ++ways;
                break;
            case 'x':
                mode.flags |= O_CREAT | O_EXCL;
                mode.writable = true;
                ++ways;
                break;
            case 'a':
                mode.flags |= O_CREAT | O_APPEND;
                mode.writable = mode.appends = true;
                ++ways;
                break;
            case '+':
                updating = true;
                break;
            case 'b':
            case 't':
                break;
            default:
                raise_invalid_mode(text);
        }
    }
    if (text.find('b') != text.npos && text.find('t') != text.npos) {
        raise_value_error("can't have text and binary mode at once");
    }
    if (ways > 1) {
        raise_value_error("must have exactly one of create/read/write/append mode");
    }
    if (ways == 0) {
        raise_value_error(
            "Must have exactly one of create/read/write/append mode and at most one plus");
    }
    mode.readable |= updating;
    mode.writable |= updating;
    mode.flags |= updating ? O_RDWR : (mode.readable ? O_RDONLY : O_WRONLY);
    return mode;
}

/// What has no positions may have to be waited for: that is the loop's business then.
bool make_waitable(int fd) {
    if (::lseek(fd, 0, SEEK_CUR) >= 0) {
        return false;
    }
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    return true;
}

Coroutine<files::File> open_file(FileName name, files::OpenOptions options) {
    FileIO& io = FileIO::of(get_running_loop());
    const FileCallRef call(
        new FileOpen(io, name.path, name.mode.flags | options.flags, options.permissions));
    co_await end_of(*call);
    call->check("open", name.path);
    const std::int64_t size = call->status().st_size;
    const bool appends = name.mode.appends;
    const bool waits = make_waitable(call->fd);
    const FileRef file(*new FileCore(io, call->fd, waits, size, std::move(name)));
    static_cast<void>(call->take());
    file->position = appends ? size : 0;
    co_return files::File(file);
}

}  // namespace

}  // namespace detail

Coroutine<files::File> files::open(std::string_view path, std::string_view mode,
                                   OpenOptions options) {
    if (path.find('\0') != path.npos) {
        detail::raise_value_error("embedded null byte");
    }
    return detail::open_file({std::string(path), std::string(mode), detail::parse_mode(mode)},
                             options);
}

}  // namespace asyncio
