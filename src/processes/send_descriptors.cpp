// send_descriptors.cpp - SCM_RIGHTS.
//
// SPDX-License-Identifier: MIT
#include "send_descriptors.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>

namespace asyncio::detail {

ssize_t send_with_descriptors(int socket, std::span<iovec> parts,
                              std::span<const FileDescriptor> descriptors) noexcept {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(most_descriptors * sizeof(int))> control;
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    if (!descriptors.empty()) {
        std::memset(control.data(), 0, sizeof(cmsghdr));
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
        cmsghdr* const rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
        unsigned char* place = CMSG_DATA(rights);
        for (const FileDescriptor& each : descriptors) {
            const int fd = each.fileno();
            std::memcpy(place, &fd, sizeof fd);
            place += sizeof fd;
        }
    }
    ssize_t result = 0;
    do {
        result = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (result < 0 && errno == EINTR);
    return result;
}

ssize_t receive_with_descriptors(int socket, char* data, std::size_t size,
                                 ReceivedDescriptors& descriptors, int flags) {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(most_descriptors * sizeof(int))> control;
    iovec part{data, size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t result = 0;
    do {
        result = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
    } while (result < 0 && errno == EINTR);
    if (result <= 0) {
        return result;
    }
    descriptors.some_are_missing = (message.msg_flags & MSG_CTRUNC) != 0;
    for (const cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr;
         each = CMSG_NXTHDR(&message, const_cast<cmsghdr*>(each))) {
        if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const std::size_t count = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(each) + i * sizeof fd, sizeof fd);
            descriptors.all.emplace_back(fd);
        }
    }
    return result;
}

}  // namespace asyncio::detail
