// file_system.cpp - what os and shutil do with paths.
//
// SPDX-License-Identifier: MIT
#include <asyncio/files.hpp>

#include "file_function.hpp"
#include "file_io.hpp"
#include "file_paths.hpp"
#include "file_status.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace asyncio {

namespace detail {

using lowlevel::Opcode;

std::string checked_path(std::string_view path) {
    if (path.find('\0') != path.npos) {
        raise_value_error("embedded null byte");
    }
    return std::string(path);
}

namespace {

/// One operation on one path, or on two.
class PathCall final : public FileCall {
public:
    PathCall(FileIO& io, Opcode opcode, std::string path, std::string target)
        : FileCall(io, opcode), path_(std::move(path)), target_(std::move(target)) {
        request_.path = path_.c_str();
        request_.target = target_.c_str();
        request_.status = &status;
    }

    void set_flags(int flags) noexcept { request_.flags = flags; }
    void set_mode(std::uint32_t mode) noexcept { request_.mode = mode; }

    lowlevel::FileStatus status;

private:
    [[nodiscard]] bool goes_through() const noexcept override { return opcode != Opcode::status; }

    std::string path_;
    std::string target_;
};

/// What is called.
struct PathRequest {
    Opcode opcode;
    std::string path;
    const char* doing;
    std::string target = {};
    int flags = 0;
    std::uint32_t mode = 0;
};

Coroutine<> change(PathRequest request) {
    const FileCallRef call(
        new PathCall(FileIO::of(get_running_loop()), request.opcode, request.path, request.target));
    call->set_flags(request.flags);
    call->set_mode(request.mode);
    co_await end_of(*call);
    std::string name = request.path;
    if (request.opcode == Opcode::make_symlink) {
        name = request.target + "' -> '" + request.path;  // as Python has it
    } else if (!request.target.empty()) {
        name += "' -> '" + request.target;
    }
    call->check(request.doing, name);
}

Coroutine<files::Stat> status_of(std::string path, bool follow) {
    const FileCallRef call(
        new PathCall(FileIO::of(get_running_loop()), Opcode::status, path, std::string()));
    call->set_flags(follow ? 0 : AT_SYMLINK_NOFOLLOW);
    co_await end_of(*call);
    call->check("stat", path);
    co_return to_stat(call->status);
}

// As os.path.exists(): a path that cannot be looked at does not exist.
Coroutine<bool> path_exists(std::string path) {
    const FileCallRef call(
        new PathCall(FileIO::of(get_running_loop()), Opcode::status, path, std::string()));
    co_await end_of(*call);
    co_return call->result >= 0;
}

Coroutine<> make_directories(std::string path, files::MakeDirectoriesOptions options) {
    // From the first that is not there on, as os.makedirs() does.
    std::vector<std::string> missing;
    for (std::string parent = path;;) {
        const std::size_t end = parent.find_last_not_of('/');
        const std::size_t slash =
            end == std::string::npos ? std::string::npos : parent.find_last_of('/', end);
        if (slash == std::string::npos || slash == 0) {
            break;
        }
        parent.resize(slash);
        const bool there = co_await path_exists(parent);
        if (there) {
            break;
        }
        missing.push_back(parent);
    }
    while (!missing.empty()) {
        // Somebody else may make it meanwhile.
        PathRequest parent{Opcode::make_directory, std::move(missing.back()), "mkdir", {}, 0, 0777};
        missing.pop_back();
        auto made = co_await as_result(change(std::move(parent)));
        try {
            made.get();
        } catch (const FileExistsError&) {}
    }
    PathRequest last{Opcode::make_directory, path, "mkdir", {}, 0, options.mode};
    auto made = co_await as_result(change(std::move(last)));
    if (!made.has_value() && !made.cancelled() && options.exist_ok) {
        const auto status = co_await as_result(status_of(path, true));
        if (status.has_value() && status.value().is_dir()) {
            co_return;
        }
    }
    made.get();
}

// ---- what is no Operation: functions for a thread

[[noreturn]] void fail(const char* doing, const std::string& path) {
    const int error = errno;
    raise_os_error(error, std::string(doing) + " '" + path + "'");
}

using files::DirEntry;

DirEntry::Type type_of(unsigned char type) noexcept {
    switch (type) {
        case DT_REG:
            return DirEntry::Type::file;
        case DT_DIR:
            return DirEntry::Type::directory;
        case DT_LNK:
            return DirEntry::Type::symlink;
        case DT_UNKNOWN:
            return DirEntry::Type::unknown;
        default:
            return DirEntry::Type::other;
    }
}

std::vector<DirEntry> entries_of(const std::string& path) {
    struct Close {
        void operator()(DIR* directory) const noexcept { ::closedir(directory); }
    };
    const std::unique_ptr<DIR, Close> directory(::opendir(path.c_str()));
    if (directory == nullptr) {
        fail("scandir", path);
    }
    std::vector<DirEntry> entries;
    const std::string prefix = path.ends_with('/') ? path : path + "/";
    for (;;) {
        errno = 0;
        const dirent* const entry = ::readdir(directory.get());
        if (entry == nullptr) {
            if (errno != 0) {
                fail("scandir", path);
            }
            return entries;
        }
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") {
            entries.push_back({std::string(name), prefix + std::string(name),
                               type_of(entry->d_type), entry->d_ino});
        }
    }
}

std::string target_of(const std::string& path) {
    std::string target(256, '\0');
    for (;;) {
        const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
        if (size < 0) {
            fail("readlink", path);
        }
        if (static_cast<std::size_t>(size) < target.size()) {
            target.resize(static_cast<std::size_t>(size));
            return target;
        }
        target.resize(2 * target.size());
    }
}

bool change_mode(const std::string& path, std::uint32_t mode) {
    if (::chmod(path.c_str(), mode) != 0) {
        fail("chmod", path);
    }
    return true;
}

/// A descriptor of a function's.
class Descriptor {
public:
    Descriptor(const std::string& path, int flags, mode_t permissions = 0) {
        do {
            fd_ = ::open(path.c_str(), flags | O_CLOEXEC, permissions);
        } while (fd_ < 0 && errno == EINTR);
        if (fd_ < 0) {
            fail("open", path);
        }
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { ::close(fd_); }
    [[nodiscard]] int get() const noexcept { return fd_; }

private:
    int fd_;
};

void write_all(int fd, const char* data, std::size_t size, const std::string& path) {
    while (size > 0) {
        const ssize_t written = ::write(fd, data, size);
        if (written < 0 && errno != EINTR) {
            fail("write", path);
        }
        data += std::max<ssize_t>(written, 0);
        size -= static_cast<std::size_t>(std::max<ssize_t>(written, 0));
    }
}

// Whoever opens one may wait for ever.
void refuse_fifo(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0 && S_ISFIFO(status.st_mode)) {
        throw files::SpecialFileError("`" + path + "` is a named pipe");
    }
}

// In the kernel, as far as it can (copy_file_range: between file systems since Linux 5.3, though
// not of /proc, where it copies nothing); otherwise piece by piece.
bool copy_contents(const std::string& source, const std::string& target) {
    refuse_fifo(source);
    refuse_fifo(target);
    const Descriptor from(source, O_RDONLY);
    struct stat status{};
    if (::fstat(from.get(), &status) != 0) {
        fail("stat", source);
    }
    if (S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        fail("copyfile", source);
    }
    struct stat existing{};
    if (::stat(target.c_str(), &existing) == 0 && existing.st_dev == status.st_dev &&
        existing.st_ino == status.st_ino) {
        throw files::SameFileError("'" + source + "' and '" + target + "' are the same file");
    }
    const Descriptor to(target, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    for (;;) {
        constexpr std::size_t piece = std::size_t{1} << 30;
        const ssize_t copied = ::copy_file_range(from.get(), nullptr, to.get(), nullptr, piece, 0);
        if (copied <= 0) {
            break;  // the end, or it cannot: then the rest is read
        }
    }
    std::vector<char> buffer(std::size_t{256} * 1024);
    for (;;) {
        const ssize_t size = ::read(from.get(), buffer.data(), buffer.size());
        if (size == 0) {
            return true;
        }
        if (size < 0 && errno != EINTR) {
            fail("read", source);
        }
        if (size > 0) {
            write_all(to.get(), buffer.data(), static_cast<std::size_t>(size), target);
        }
    }
}

Coroutine<std::vector<std::string>> list_directory(std::string path) {
    auto list = [path = std::move(path)] {
        std::vector<std::string> names;
        for (DirEntry& entry : entries_of(path)) {
            names.push_back(std::move(entry.name));
        }
        return names;
    };
    return in_thread(std::move(list), false);
}

Coroutine<> discard(Coroutine<bool> done) {
    co_await std::move(done);
}

}  // namespace

}  // namespace detail

namespace files {

using detail::checked_path;
using detail::PathRequest;
using lowlevel::Opcode;

SameFileError::~SameFileError() = default;
SpecialFileError::~SpecialFileError() = default;

Coroutine<Stat> stat(std::string_view path, StatOptions options) {
    return detail::status_of(checked_path(path), options.follow_symlinks);
}

Coroutine<bool> exists(std::string_view path) {
    return detail::path_exists(checked_path(path));
}

Coroutine<> rename(std::string_view from, std::string_view to) {
    return detail::change({Opcode::rename, checked_path(from), "rename", checked_path(to)});
}

Coroutine<> replace(std::string_view from, std::string_view to) {
    return rename(from, to);
}

Coroutine<> remove(std::string_view path) {
    return detail::change({Opcode::unlink, checked_path(path), "remove"});
}

Coroutine<> unlink(std::string_view path) {
    return remove(path);
}

Coroutine<> rmdir(std::string_view path) {
    return detail::change({Opcode::unlink, checked_path(path), "rmdir", {}, AT_REMOVEDIR});
}

Coroutine<> mkdir(std::string_view path, std::uint32_t mode) {
    return detail::change({Opcode::make_directory, checked_path(path), "mkdir", {}, 0, mode});
}

Coroutine<> makedirs(std::string_view path, MakeDirectoriesOptions options) {
    return detail::make_directories(checked_path(path), options);
}

Coroutine<> symlink(std::string_view target, std::string_view path) {
    return detail::change(
        {Opcode::make_symlink, checked_path(path), "symlink", checked_path(target)});
}

Coroutine<> link(std::string_view path, std::string_view new_path) {
    return detail::change({Opcode::make_link, checked_path(path), "link", checked_path(new_path)});
}

Coroutine<std::string> readlink(std::string_view path) {
    return detail::in_thread([path = checked_path(path)] { return detail::target_of(path); },
                             false);
}

Coroutine<> chmod(std::string_view path, std::uint32_t mode) {
    auto call = [path = checked_path(path), mode] { return detail::change_mode(path, mode); };
    return detail::discard(detail::in_thread(std::move(call), true));
}

Coroutine<> copyfile(std::string_view from, std::string_view to) {
    auto call = [from = checked_path(from), to = checked_path(to)] {
        return detail::copy_contents(from, to);
    };
    return detail::discard(detail::in_thread(std::move(call), true));
}

Coroutine<std::vector<std::string>> listdir(std::string_view path) {
    return detail::list_directory(checked_path(path));
}

Coroutine<std::vector<DirEntry>> scandir(std::string_view path) {
    return detail::in_thread([path = checked_path(path)] { return detail::entries_of(path); },
                             false);
}

}  // namespace files

}  // namespace asyncio
