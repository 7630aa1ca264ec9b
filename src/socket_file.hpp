// socket_file.hpp - the file that a listening Unix socket is found by: SocketFile.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/sockets.hpp>

#include <cstdint>
#include <string>

namespace asyncio::detail {

/// The file that a listening Unix socket is found by; none by default. It is removed when this
/// goes, if it is still the one that was made: another server may have put its own there. In a
/// child of fork() it stays: there it is the parent's.
class SocketFile {
public:
    SocketFile() = default;
    /// The file that is at `path` now; none if there is none.
    explicit SocketFile(std::string path);
    SocketFile(SocketFile&& other) noexcept;
    SocketFile& operator=(SocketFile&& other) noexcept;
    ~SocketFile() { remove(); }

    void remove() noexcept;
    /// It stays.
    void keep() noexcept { path_.clear(); }

private:
    std::string path_;  // empty: none
    std::uint64_t device_ = 0;
    std::uint64_t inode_ = 0;
    int process_ = 0;
};

/// The file of a socket that somebody else has bound; none if it has none, as an abstract one.
[[nodiscard]] SocketFile file_of(const Socket& socket);

/// Logs that something could not be done about the file at `path`.
void log_socket_file(const char* what, const std::string& path, int error) noexcept;

}  // namespace asyncio::detail
