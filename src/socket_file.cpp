// socket_file.cpp - making and removing the files of Unix sockets.
//
// SPDX-License-Identifier: MIT
#include "socket_file.hpp"

#include <asyncio/log.hpp>

#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

namespace asyncio::detail {

SocketFile::SocketFile(std::string path) {
    struct ::stat status{};
    if (::stat(path.c_str(), &status) == 0) {
        path_ = std::move(path);
        device_ = status.st_dev;
        inode_ = status.st_ino;
        process_ = ::getpid();
    }
}

SocketFile::SocketFile(SocketFile&& other) noexcept
    : path_(std::exchange(other.path_, std::string())),
      device_(other.device_),
      inode_(other.inode_),
      process_(other.process_) {}

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(device_, other.device_);
    std::swap(inode_, other.inode_);
    std::swap(process_, other.process_);
    return *this;
}

void log_socket_file(const char* what, const std::string& path, int error) noexcept {
    try {
        log(Level::error, std::string("Unable to ") + what + " UNIX socket '" + path +
                              "': " + std::strerror(error));
    } catch (const std::bad_alloc&) {
        log(Level::error, what);
    }
}

void SocketFile::remove() noexcept {
    if (path_.empty() || process_ != ::getpid()) {
        return;
    }
    struct ::stat status{};
    const bool there = ::stat(path_.c_str(), &status) == 0;
    const bool own = there && status.st_dev == device_ && status.st_ino == inode_;
    if ((!there && errno != ENOENT) || (own && ::unlink(path_.c_str()) != 0 && errno != ENOENT)) {
        log_socket_file("clean up listening", path_, errno);
    }
    path_.clear();
}

SocketFile file_of(const Socket& socket) {
    const std::string path = socket.getsockname().host();
    return path.empty() || path.front() == '\0' ? SocketFile() : SocketFile(path);
}

}  // namespace asyncio::detail
