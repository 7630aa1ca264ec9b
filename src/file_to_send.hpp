// file_to_send.hpp - a file on its way to a socket: FileToSend.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/futures.hpp>

#include <cstdint>

namespace asyncio::detail {

/// A piece of a file that is to be sent. It has a descriptor of its own, so that the caller may
/// close his at any time.
struct FileToSend {
    /// OSError if there is no descriptor to be had.
    FileToSend(EventLoop& loop, int descriptor, std::int64_t begin, std::int64_t most);
    FileToSend(const FileToSend&) = delete;
    FileToSend& operator=(const FileToSend&) = delete;
    ~FileToSend();

    int fd;
    std::int64_t offset;    // of what is next
    std::int64_t left;      // at most; the file may end before
    std::int64_t sent = 0;  // bytes
    Future<> done;          // with the error, if the file cannot be sent, or the connection is lost
};

}  // namespace asyncio::detail
