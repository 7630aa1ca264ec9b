// protocol_transport.hpp - what connects a protocol with whatever carries its bytes:
// ProtocolTransport.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/context_slot.hpp>
#include <asyncio/futures.hpp>
#include <asyncio/transports.hpp>

#include "receiver.hpp"
#include "servers.hpp"
#include "streams.hpp"
#include "tls_connection.hpp"
#include "transport_of.hpp"

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace asyncio::detail {

/// The transport of a Protocol or a BufferedProtocol over any connection. Once it has begun it
/// keeps itself, and its protocol, until the connection is lost or the loop is closed. A writer's
/// has none, and does not begin, before set_protocol().
class ProtocolTransport final : public Transport,
                                public std::enable_shared_from_this<ProtocolTransport>,
                                private Receiver,
                                private ServerClient,
                                private lowlevel::Callback {
public:
    ProtocolTransport(StreamHandle connection, std::shared_ptr<BaseProtocol> protocol);
    ~ProtocolTransport() override;

    /// In the next turn the protocol is told that there is a connection, then receiving begins,
    /// and then `ready`, if it is one, is made done. `server`: what it is a client of.
    void begin(Future<> ready, ServerCore* server = nullptr);

    [[nodiscard]] std::optional<std::string> get_extra_info(std::string_view name) const override;
    [[nodiscard]] Address peername() const override { return connection().peername(); }
    [[nodiscard]] Address sockname() const override { return connection().sockname(); }
    [[nodiscard]] TransportSocket socket() const override { return connection().socket(); }
    [[nodiscard]] bool is_closing() const override { return connection().closing(); }
    void close() override { connection().close(); }
    void set_protocol(std::shared_ptr<BaseProtocol> protocol) override;
    [[nodiscard]] std::shared_ptr<BaseProtocol> get_protocol() const override { return protocol_; }
    [[nodiscard]] std::string repr() const override;

    [[nodiscard]] bool is_reading() const override { return !is_closing() && !paused_; }
    void pause_reading() override;
    void resume_reading() override;

    using WriteTransport::write;
    using WriteTransport::writelines;
    void set_write_buffer_limits(WriteBufferLimits limits) override {
        connection().set_write_buffer_limits(limits);
    }
    [[nodiscard]] std::pair<std::size_t, std::size_t> get_write_buffer_limits() const override {
        return connection().write_buffer_limits();
    }
    [[nodiscard]] std::size_t get_write_buffer_size() const override {
        return connection().write_buffer_size();
    }
    void write(std::string_view data) override { connection().write(data); }
    void writelines(std::span<const std::string_view> lines) override {
        connection().write_all(lines);
    }
    void write_eof() override { connection().write_eof(); }
    [[nodiscard]] bool can_write_eof() const override { return connection().can_write_eof(); }
    void abort() override { connection().abort(); }

    [[nodiscard]] SSLObject ssl_object() const override;

    [[nodiscard]] Connection& connection() const { return connection_of(connection_.get()); }
    /// TLS over its connection, whose handshake is about to start: it is the transport's from now
    /// on. Reading goes on by resume_after_upgrade().
    void upgrade(TLSConnection& connection) noexcept { connection.supersede_carrier(this); }
    void resume_after_upgrade() {
        if (is_reading()) {
            connection().start_reading();
        }
    }

private:
    // Of the connection.
    [[nodiscard]] std::span<char> receive_buffer() override;
    void received(std::span<char> data) override;
    void received_end() override;
    void writing_paused() override;
    void writing_resumed() override;
    void connection_lost(std::exception_ptr error) override;
    void connection_dropped() noexcept override;

    // Of the server.
    void close_client() noexcept override { connection().close(); }
    void abort_client() noexcept override { connection().abort(); }

    static void on_begin(lowlevel::Callback& callback);
    void take_over();
    void made();
    [[nodiscard]] std::span<std::byte> get_buffer(std::ptrdiff_t hint);
    void buffer_updated(std::size_t n);
    void choose_kind() noexcept;
    void leave_server() noexcept;
    void fail(const char* message);
    void report(const char* message, std::exception_ptr error);

    StreamHandle connection_;
    std::shared_ptr<BaseProtocol> protocol_;
    Protocol* stream_ = nullptr;  // what kind it is: one of these, or none
    BufferedProtocol* buffered_ = nullptr;
    char* target_ = nullptr;  // what get_buffer() gave last
    std::shared_ptr<ProtocolTransport> self_;
    ServerCore* server_ = nullptr;
    Future<> ready_;
    ContextSlot context_;  // of whoever made it, a copy: what its protocol is called in
    bool paused_ = false;
};

}  // namespace asyncio::detail
