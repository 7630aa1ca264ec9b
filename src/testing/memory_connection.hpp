// memory_connection.hpp - one end of a connection in memory: MemoryConnection.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/loop_resource.hpp>
#include <asyncio/testing/memory_streams.hpp>

#include "loop_io.hpp"
#include "streams.hpp"

#include <cstddef>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace asyncio::testing {

// Bases of a connection, so that each callback leads back to it.
struct ArrivalCallback : lowlevel::Callback {
    using Callback::Callback;
    bool scheduled = false;
};
struct SendingCallback : lowlevel::Callback {
    using Callback::Callback;
    bool scheduled = false;
};
struct LossCallback : lowlevel::Callback {
    using Callback::Callback;
    bool scheduled = false;
};

/// Bytes that come in at one end and go out at the other.
class ByteQueue {
public:
    [[nodiscard]] std::string_view view() const noexcept {
        return std::string_view(bytes_).substr(begin_);
    }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size() - begin_; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    void append(std::string_view bytes) { bytes_.append(bytes); }
    // Room is made at the front when half has gone, so that each byte is moved once at most.
    void remove(std::size_t n) noexcept {
        begin_ += n;
        if (begin_ > bytes_.size() / 2) {
            bytes_.erase(0, std::exchange(begin_, 0));
        }
    }
    void clear() noexcept {
        std::string().swap(bytes_);
        begin_ = 0;
    }

private:
    std::string bytes_;
    std::size_t begin_ = 0;
};

/// One end. What the other has sent is in `arrived_`, which has room for `options.buffer` bytes:
/// the two directions of a wire. Who takes from it lets the other end send more.
///
/// As DescriptorConnection it is kept by its handles and by what is scheduled.
class MemoryConnection final : public detail::Connection,
                               public lowlevel::LoopResource,
                               private ArrivalCallback,
                               private SendingCallback,
                               private LossCallback {
public:
    MemoryConnection(detail::LoopIO& io, MemoryStreamOptions options);
    ~MemoryConnection() override;

    static void connect(MemoryConnection& one, MemoryConnection& other) noexcept;
    void stall(bool stalled) noexcept;

    bool receive(detail::ReadWaiter& reader) override;
    void want_data() noexcept override { schedule_arrival(); }

    void write(std::string_view bytes) override;
    void write_all(std::span<const std::string_view> views) override;
    void write_eof() override;
    [[nodiscard]] bool can_write_eof() const noexcept override { return true; }
    void close() noexcept override;
    void force_close(std::exception_ptr error) noexcept override;
    [[nodiscard]] std::size_t write_buffer_size() const noexcept override { return left_.size(); }
    [[nodiscard]] Address peername() const override { return Address(); }
    [[nodiscard]] Address sockname() const override { return Address(); }
    [[nodiscard]] TransportSocket socket() const override { return TransportSocket(Socket()); }
    [[nodiscard]] EventLoop* loop() const noexcept override { return io_.loop(); }

    void loop_closing() noexcept override;

private:
    void destroy() noexcept override { delete this; }
    void abandoned() noexcept override;
    void want_input() noexcept override { schedule_arrival(); }

    // Receiving.
    [[nodiscard]] std::size_t available() const noexcept;
    [[nodiscard]] bool end_arrived() const noexcept;
    [[nodiscard]] bool has_input() const noexcept { return available() > 0 || end_arrived(); }
    bool receive_some();
    void took(std::size_t n) noexcept;
    void push_some();
    void schedule_arrival() noexcept;
    static void on_arrival(lowlevel::Callback& callback);

    // Sending.
    std::size_t transmit(std::string_view bytes);
    void finish_sending();
    void schedule_sending() noexcept;
    static void on_sending(lowlevel::Callback& callback);

    // The end.
    void peer_lost() noexcept;
    void lose_soon(std::exception_ptr error) noexcept;
    void lose(std::exception_ptr error);
    static void on_loss(lowlevel::Callback& callback);

    template <class Scheduled>
    void schedule(Scheduled& callback) noexcept;
    template <class Scheduled>
    void unschedule(Scheduled& callback) noexcept;

    detail::LoopIO& io_;
    MemoryStreamOptions options_;
    MemoryConnection* peer_ = nullptr;
    ByteQueue arrived_;     // sent by the peer, not yet received
    ByteQueue left_;        // written, and still to be sent
    bool no_more_ = false;  // will come from the peer
    bool stalled_ = false;
    bool losing_ = false;  // it is about to be lost, or is
    bool eof_written_ = false;
};

}  // namespace asyncio::testing
