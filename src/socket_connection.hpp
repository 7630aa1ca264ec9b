// socket_connection.hpp - a connected stream socket: SocketConnection.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/blocks.hpp>
#include <asyncio/lowlevel/loop_resource.hpp>

#include "loop_io.hpp"
#include "short_address.hpp"
#include "streams.hpp"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string_view>

namespace asyncio::detail {

// Bases of a connection, so that each callback leads back to it without a pointer of its own.
struct LossCallback : lowlevel::Callback {
    using Callback::Callback;
};
struct InputOperation : lowlevel::Operation {
    using Operation::Operation;
    using Operation::set_function;
};

/// A connected stream socket. It is kept by its handles, and by what is under way: an operation,
/// or the turn in which it becomes lost.
///
/// Nothing is received unless a task reads. A connection whose task waits has no buffer: the
/// proactor tells when there is something, which is then received into memory that the whole loop
/// shares. What the system does not take is kept in memory that is freed when it has been sent.
class SocketConnection : public Connection,
                         public lowlevel::LoopResource,
                         private LossCallback,
                         private InputOperation {
public:
    SocketConnection(LoopIO& io, Socket socket, std::size_t limit,
                     const lowlevel::SocketAddress& peer);
    ~SocketConnection() override;

    bool receive(ReadWaiter& reader) override;
    void want_data() noexcept override;

    void write(std::string_view bytes) override;
    void write_all(std::span<const std::string_view> views) override;
    void write_eof() override;
    [[nodiscard]] bool can_write_eof() const noexcept override { return true; }
    void close() noexcept override;
    void abort() noexcept override { force_close(nullptr); }
    [[nodiscard]] std::size_t write_buffer_size() const noexcept override;
    [[nodiscard]] Address peername() const override { return peer_.get(); }
    [[nodiscard]] Address sockname() const override { return own_.get(); }
    [[nodiscard]] TransportSocket socket() const override { return TransportSocket(socket_); }

    void loop_closing() noexcept override;

    static void* operator new(std::size_t size) { return allocate_block(size); }
    static void operator delete(void* memory, std::size_t size) noexcept {
        free_block(memory, size);
    }

protected:
    [[nodiscard]] EventLoop* loop() const noexcept { return socket_.io()->loop(); }
    /// The server, if it is one's, is told that the connection is no more.
    virtual void leave_server() noexcept {}

    void destroy() noexcept override { delete this; }
    void abandoned() noexcept override;

private:
    struct Outgoing;

    void start_input(lowlevel::Opcode opcode) noexcept;
    void end_input() noexcept;
    bool receive_now(ReadWaiter& reader);
    bool receive_message(ReadWaiter& reader);
    bool receive_for(ReadWaiter& reader);
    void received(std::int64_t result, const char* data);
    static void on_input(lowlevel::Callback& callback);
    static void on_delivery(lowlevel::Callback& callback);

    bool refuses_writes() noexcept;
    std::int64_t send_now(lowlevel::Operation& operation) noexcept;
    Outgoing& outgoing();
    void keep(std::span<const std::string_view> views, std::size_t offset);
    void start_output() noexcept;
    void sent(std::int64_t result) noexcept;
    void shut_output() const;
    static void on_output(lowlevel::Callback& callback);

    void fail(int error, const char* doing) noexcept;
    void force_close(std::exception_ptr error) noexcept;
    void lose_soon(std::exception_ptr error) noexcept;
    void lose(std::exception_ptr error) noexcept;
    void discard_unread() noexcept;
    static void on_loss(lowlevel::Callback& callback);

    Socket socket_;
    std::unique_ptr<Outgoing> outgoing_;      // what the system has not taken yet
    std::unique_ptr<char[]> receive_buffer_;  // of an operation that receives; see receive_for()
    std::exception_ptr loss_;                 // what it is about to be lost by
    ShortAddress peer_;
    ShortAddress own_;
    std::uint32_t last_received_ = 0;  // bytes
    bool input_under_way_ = false;
    bool losing_ = false;  // it is about to be lost, or is
    bool loss_scheduled_ = false;
    bool eof_written_ = false;
};

}  // namespace asyncio::detail
