// socket_connection.hpp - a connected stream socket: SocketConnection.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "descriptor_connection.hpp"
#include "short_address.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace asyncio::detail {

/// A connected stream socket.
class SocketConnection : public DescriptorConnection {
public:
    SocketConnection(LoopIO& io, Socket socket, std::size_t limit,
                     const lowlevel::SocketAddress& peer);

    void write_all(std::span<const std::string_view> views) override;
    bool send_file(const std::shared_ptr<FileToSend>& file) override { return queue_file(file); }
    [[nodiscard]] bool can_write_eof() const noexcept override { return true; }
    [[nodiscard]] Address peername() const override { return peer_.get(); }
    [[nodiscard]] Address sockname() const override { return own_.get(); }
    [[nodiscard]] TransportSocket socket() const override { return TransportSocket(descriptor()); }

protected:
    void end_output() override;
    void before_close() noexcept override;
    [[nodiscard]] std::string peer_text() const override;

private:
    ShortAddress peer_;
    ShortAddress own_;
};

}  // namespace asyncio::detail
