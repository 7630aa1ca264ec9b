// socket_connection.cpp - what is special about a connection over a socket.
//
// SPDX-License-Identifier: MIT
#include "socket_connection.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace asyncio::detail {

using lowlevel::Opcode;
using lowlevel::Operation;
using lowlevel::SocketAddress;

static SocketAddress own_address(const Socket& socket) noexcept {
    Operation operation(&run_nothing, Opcode::socket_name, socket.fileno());
    SocketAddress raw;
    operation.address = &raw;
    if (socket.io()->loop()->call(operation) < 0) {
        raw.size = 0;
    }
    return raw;
}

SocketConnection::SocketConnection(LoopIO& io, Socket socket, std::size_t limit,
                                   const SocketAddress& peer)
    : DescriptorConnection(io, std::move(socket), limit, {Opcode::recv, Opcode::send}),
      peer_(peer),
      own_(own_address(descriptor())) {
    const AddressFamily family = own_.get().family();
    if (family == AddressFamily::ipv4 || family == AddressFamily::ipv6) {
        // What is written is sent at once and not held back until an earlier part is acknowledged.
        int on = 1;
        Operation operation(&run_nothing, Opcode::set_option, descriptor().fileno());
        operation.argument = IPPROTO_TCP;
        operation.argument2 = TCP_NODELAY;
        operation.data = &on;
        io.loop()->call(operation);
    }
}

void SocketConnection::write_all(std::span<const std::string_view> views) {
    constexpr std::size_t most_buffers = 64;

    if (!writable()) {
        refuse_write("writelines");
    }
    const auto is_empty = [](std::string_view view) { return view.empty(); };
    if (std::all_of(views.begin(), views.end(), is_empty) || refuses_writes()) {
        return;
    }
    std::size_t offset = 0;  // in the first of the views that are left
    bool more = output_empty();
    while (more && !views.empty()) {
        std::array<lowlevel::Buffer, most_buffers> buffers;
        const std::size_t count = std::min(views.size(), buffers.size());
        std::size_t size = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::string_view view = views[i].substr(i == 0 ? offset : 0);
            buffers[i] = {const_cast<char*>(view.data()), view.size()};
            size += view.size();
        }
        Operation operation(&run_nothing, Opcode::send_vector, descriptor().fileno());
        operation.data = buffers.data();
        operation.size = count;
        const std::int64_t taken = send_now(operation);
        if (taken < 0) {
            return;
        }
        more = static_cast<std::size_t>(taken) == size;
        offset += static_cast<std::size_t>(taken);
        while (!views.empty() && offset >= views.front().size()) {
            offset -= views.front().size();
            views = views.subspan(1);
        }
    }
    if (!views.empty()) {
        keep(views, offset);
    }
}

void SocketConnection::end_output() {
    descriptor().shutdown(SHUT_WR);
}

// A socket that is closed with bytes unread resets the connection, and the peer may not get what
// was sent to it. CPython has received what was there by now. It is called, not attempted: the
// attempts of this turn may be used up. Bounded, because the peer may go on sending.
void SocketConnection::before_close() noexcept {
    constexpr int most_receives = 32;
    constexpr std::size_t reserve_size = 1024;

    std::array<char, reserve_size> reserve;
    Operation operation(&run_nothing, Opcode::recv, descriptor().fileno());
    try {
        operation.data = descriptor().io()->scratch();
        operation.size = LoopIO::scratch_size;
    } catch (const std::bad_alloc&) {
        operation.data = reserve.data();
        operation.size = reserve.size();
    }
    for (int i = 0; i < most_receives; ++i) {
        if (loop()->call(operation) <= 0) {
            return;
        }
    }
}

std::string SocketConnection::peer_text() const {
    return peername().to_string();
}

}  // namespace asyncio::detail
