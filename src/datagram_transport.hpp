// datagram_transport.hpp - what connects a protocol with a socket for datagrams: DatagramEndpoint.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/context_slot.hpp>
#include <asyncio/futures.hpp>
#include <asyncio/lowlevel/loop_resource.hpp>
#include <asyncio/transports.hpp>

#include "loop_io.hpp"
#include "short_address.hpp"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace asyncio::detail {

// Bases, so that each callback leads back to the endpoint.
struct DatagramTurn : lowlevel::Callback {
    using Callback::Callback;
    using Callback::set_function;
};
struct DatagramInput : lowlevel::Operation {
    using Operation::Operation;
};

/// The transport of a DatagramProtocol. Once it has begun it keeps itself, and its protocol, until
/// it is closed and what it had under way has completed, or the loop is closed.
///
/// It has no buffer: the proactor tells when there is something, which is then received into memory
/// that the whole loop shares. What the system does not take is kept in memory that is freed when
/// it has been sent.
class DatagramEndpoint final : public DatagramTransport,
                               public std::enable_shared_from_this<DatagramEndpoint>,
                               public lowlevel::LoopResource,
                               private DatagramTurn,
                               private DatagramInput {
public:
    /// `only_to`: where everything goes, although the socket is not connected.
    DatagramEndpoint(Socket socket, std::shared_ptr<BaseProtocol> protocol, const Address& only_to);
    ~DatagramEndpoint() override;

    /// In the next turn the protocol is told that there is a connection, then receiving begins, and
    /// then `ready` is made done.
    void begin(Future<> ready);

    [[nodiscard]] std::optional<std::string> get_extra_info(std::string_view name) const override;
    [[nodiscard]] Address peername() const override { return peer_.get(); }
    [[nodiscard]] Address sockname() const override { return own_.get(); }
    [[nodiscard]] TransportSocket socket() const override { return TransportSocket(socket_); }
    [[nodiscard]] bool is_closing() const override { return closing_; }
    void close() override;
    void set_protocol(std::shared_ptr<BaseProtocol> protocol) override;
    [[nodiscard]] std::shared_ptr<BaseProtocol> get_protocol() const override { return protocol_; }
    [[nodiscard]] std::string repr() const override;

    void sendto(std::string_view data, const Address& addr) override;
    void abort() override { force_close(nullptr); }
    void set_write_buffer_limits(WriteBufferLimits limits) override;
    [[nodiscard]] std::pair<std::size_t, std::size_t> get_write_buffer_limits() const override {
        return {low_, high_};
    }
    [[nodiscard]] std::size_t get_write_buffer_size() const override { return kept_; }

    void loop_closing() noexcept override;

private:
    struct Output;

    [[nodiscard]] EventLoop& loop() const noexcept { return *socket_.io()->loop(); }

    static void on_begin(lowlevel::Callback& callback);
    void made();

    void wait_for_input() noexcept;
    static void on_input(lowlevel::Callback& callback);
    static void on_next(lowlevel::Callback& callback);
    void receive_one();
    void cut_off(std::int64_t size);

    [[nodiscard]] std::int64_t send(std::string_view data, const lowlevel::SocketAddress& to);
    void keep(std::string_view data, const Address& addr);
    static void on_output(lowlevel::Callback& callback);
    static void on_retry(lowlevel::Callback& callback);
    static void go_on_sending(Output& output);
    void send_kept();
    void wait_for_output() noexcept;
    void pause_if_full();
    void resume_if_empty();

    void force_close(std::exception_ptr error);
    void lose_soon(std::exception_ptr error) noexcept;
    static void on_loss(lowlevel::Callback& callback);
    void lose(std::exception_ptr error);
    void let_go() noexcept;

    template <class Call>
    void tell(const char* failure, Call call);
    void tell_error(int error, const char* doing, const Address& address);
    void report(const char* message, std::exception_ptr error);

    Socket socket_;
    std::shared_ptr<BaseProtocol> protocol_;
    DatagramProtocol* datagrams_ = nullptr;  // if it is one
    std::shared_ptr<DatagramEndpoint> self_;
    Future<> ready_;
    ContextSlot context_;  // of whoever made it, a copy: what its protocol is called in
    std::unique_ptr<Output> output_;
    std::size_t kept_ = 0;  // bytes, and 8 more for each datagram
    std::size_t low_ = std::size_t{16} * 1024;
    std::size_t high_ = std::size_t{64} * 1024;
    std::exception_ptr loss_;  // what it is about to be lost by
    ShortAddress peer_;        // that it is connected to
    ShortAddress own_;
    ShortAddress only_to_;
    std::uint8_t in_vain_ = 0;
    bool reads_ = false;  // an operation is under way, or a turn is scheduled
    bool closing_ = false;
    bool losing_ = false;
    bool lost_ = false;
    bool paused_ = false;
};

}  // namespace asyncio::detail
