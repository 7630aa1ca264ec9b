// send_descriptors.hpp - bytes and descriptors over a Unix socket, without waiting.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/descriptors.hpp>

#include <cstddef>
#include <span>
#include <vector>

#include <sys/types.h>
#include <sys/uio.h>

namespace asyncio::detail {

/// More do not go with one message (SCM_MAX_FD of the kernel).
inline constexpr std::size_t most_descriptors = 253;

/// How many bytes went, with all descriptors, or -1 and errno. Is not interrupted.
ssize_t send_with_descriptors(int socket, std::span<iovec> parts,
                              std::span<const FileDescriptor> descriptors) noexcept;

/// What came along with bytes.
struct ReceivedDescriptors {
    std::vector<FileDescriptor> all;
    bool some_are_missing = false;  ///< this process may have no more of them: EMFILE
};

/// How many bytes came, 0 at the end, or -1 and errno; and the descriptors of one message at most.
/// `flags` may be MSG_DONTWAIT.
ssize_t receive_with_descriptors(int socket, char* data, std::size_t size,
                                 ReceivedDescriptors& descriptors, int flags);

}  // namespace asyncio::detail
