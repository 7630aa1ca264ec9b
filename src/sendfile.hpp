// sendfile.hpp - sending a file over any connection.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/files.hpp>

#include "streams.hpp"

#include <cstdint>
#include <optional>

namespace asyncio::detail {

/// What is to be sent: an open file of the system's, or a File, and which part of it.
struct FilePart {
    int fd;
    std::optional<File> file;
    std::int64_t offset;
    std::optional<std::int64_t> count;
};

/// See asyncio::sendfile().
[[nodiscard]] Coroutine<std::int64_t> send_file(StreamKeep connection, FilePart part,
                                                bool fallback);

}  // namespace asyncio::detail
