// outgoing.hpp - what a connection over a descriptor has still to send.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "descriptor_connection.hpp"
#include "file_to_send.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace asyncio::detail {

/// While the operation is under way its bytes stay where they are; what is written meanwhile is
/// queued behind them.
struct DescriptorConnection::Outgoing final : lowlevel::Operation {
    Outgoing(DescriptorConnection& owner, lowlevel::Opcode send, int fd) noexcept
        : Operation(&DescriptorConnection::on_output, send, fd), connection(owner) {}

    static void* operator new(std::size_t size) { return allocate_block(size); }
    static void operator delete(void* memory, std::size_t size) noexcept {
        free_block(memory, size);
    }

    DescriptorConnection& connection;
    std::string sending;
    std::size_t sent = 0;
    std::string queued;
    std::shared_ptr<FileToSend> file;  // behind all of these
    bool under_way = false;
    bool dropped = false;  // the connection was aborted
};

}  // namespace asyncio::detail
