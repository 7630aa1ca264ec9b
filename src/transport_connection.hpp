// transport_connection.hpp - what a StreamWriter over a transport of the program's own writes to:
// TransportConnection.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/stream_protocols.hpp>
#include <asyncio/transports.hpp>

#include "streams.hpp"

#include <cstddef>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace asyncio::detail {

/// Carried by any transport, which does what it is asked for; its protocol tells when to wait, and
/// of the end. (Over a transport of the library's the writer has the connection below it.)
class TransportConnection final : public Connection {
public:
    /// That of the protocol, which there is one of.
    static TransportConnection& of(Transport& transport, FlowControlMixin& protocol,
                                   EventLoop& loop);

    // By its protocol.
    void pause(bool paused) { set_paused(paused); }
    void lost_by_protocol(std::exception_ptr error);

    void write(std::string_view bytes) override;
    void write_all(std::span<const std::string_view> views) override;
    void write_eof() override;
    [[nodiscard]] bool can_write_eof() const noexcept override;
    void close() noexcept override;
    void force_close(std::exception_ptr error) noexcept override;
    [[nodiscard]] std::size_t write_buffer_size() const noexcept override;
    void set_write_buffer_limits(WriteBufferLimits limits) override;
    [[nodiscard]] std::pair<std::size_t, std::size_t> write_buffer_limits() const override;
    [[nodiscard]] Address peername() const override;
    [[nodiscard]] Address sockname() const override;
    [[nodiscard]] TransportSocket socket() const override;
    [[nodiscard]] std::optional<std::string> extra_info(std::string_view name) const override;
    [[nodiscard]] EventLoop* loop() const noexcept override { return &loop_; }

private:
    TransportConnection(Transport& transport, EventLoop& loop);

    void destroy() noexcept override { delete this; }
    void abandoned() noexcept override { close(); }
    void want_input() noexcept override {}
    /// Calls `what` of the transport, if there is one still; reports what it throws.
    template <class What>
    void tell(What what) noexcept;

    Transport* transport_;  // null once it is lost
    EventLoop& loop_;
};

}  // namespace asyncio::detail
