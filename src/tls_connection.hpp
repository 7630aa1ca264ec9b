// tls_connection.hpp - TLS over another connection: TLSConnection.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/function.hpp>
#include <asyncio/detail/tls_engine.hpp>
#include <asyncio/lowlevel/callback.hpp>
#include <asyncio/time.hpp>

#include "loop_io.hpp"
#include "receiver.hpp"
#include "streams.hpp"
#include "tls_settings.hpp"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace asyncio::detail {

// Bases of a connection, so that each callback leads back to it without a pointer of its own.
struct TLSTimer : lowlevel::Callback {
    using Callback::Callback;
};
struct TLSDelivery : lowlevel::Callback {
    using Callback::Callback;
};

/// TLS over `carrier`, whose receiver it is. As in asyncio's sslproto:
///
///     unwrapped -> handshake -> wrapped -> flushing -> shutdown -> unwrapped
///
/// Reading: what the carrier has received is lent to the engine and decrypted where it is wanted;
/// the carrier is read only while somebody wants something: the handshake, the consumer, or the
/// end.
///
/// Writing: what is written is encrypted at once, as long as the carrier takes it. Otherwise it is
/// kept as plaintext (write_buffer_size(), and the marks of 512 and 128 KiB), for the carrier keeps
/// as much as its own marks allow.
///
/// The end: close() sends what is left and then close_notify, and waits for the peer's; an end of
/// the carrier without it loses the connection with SSLEOFError. The peer's close_notify closes the
/// connection: there is no half-closing.
///
/// It keeps itself until the carrier is lost. Reading is in tls_input.cpp, writing in
/// tls_output.cpp, the beginning and the end in tls_connection.cpp.
class TLSConnection : public Connection, private Receiver, private TLSTimer, private TLSDelivery {
public:
    /// With null: the connection is `wrapped`. Otherwise it is about to be lost by that error.
    using HandshakeDone = UniqueFunction<void(std::exception_ptr)>;

    /// Keeps the carrier, without a handle of its own: those of others may follow (hand_over()). It
    /// is the carrier's receiver from now on, and so lost with it, whether or not it was started.
    /// std::invalid_argument if the settings do not fit the context.
    TLSConnection(Connection& carrier, std::size_t limit, const TLSSettings& settings);

    /// Begins the handshake, over a carrier that is not closing and that no task reads; what it has
    /// received and nobody has read is taken for a part of the handshake. `done` is called once,
    /// unless the loop is closed. What goes wrong in here is for `done`, too.
    void start(HandshakeDone done);
    /// Before that: everybody who uses the carrier, handles and `receiver`, is to use this.
    void supersede_carrier(Receiver* receiver) noexcept;

    /// For a server: a client that does not get through the handshake is its own business, as in
    /// CPython, which tells of it in debug mode; but no error of the program's own.
    void tell_of_failed_handshake(const std::exception_ptr& error);

    bool receive(ReadWaiter& reader) override;
    void want_data() noexcept override;

    void write(std::string_view bytes) override;
    void write_all(std::span<const std::string_view> views) override;
    void write_eof() override;
    [[nodiscard]] bool can_write_eof() const noexcept override { return false; }
    void close() noexcept override;
    void force_close(std::exception_ptr error) noexcept override;
    [[nodiscard]] std::size_t write_buffer_size() const noexcept override {
        return backlog_.size() - backlog_begin_;
    }

    [[nodiscard]] Address peername() const override { return carrier().peername(); }
    [[nodiscard]] Address sockname() const override { return carrier().sockname(); }
    [[nodiscard]] TransportSocket socket() const override { return carrier().socket(); }
    [[nodiscard]] std::optional<std::string> extra_info(std::string_view name) const override;
    [[nodiscard]] EventLoop* loop() const noexcept override { return carrier().loop(); }
    [[nodiscard]] std::shared_ptr<TLSEngine> tls_engine() const override { return engine_; }

protected:
    ~TLSConnection() override;
    void destroy() noexcept override { delete this; }
    void abandoned() noexcept override;
    void want_input() noexcept override;
    /// The connection is no more: for the server, if it is one's.
    virtual void leave_server() noexcept {}

private:
    enum class State : std::uint8_t { unwrapped, handshake, wrapped, flushing, shutdown };

    // Of the carrier.
    [[nodiscard]] std::span<char> receive_buffer() override { return {}; }
    void received(std::span<char> data) override;
    void received_end() override;
    void writing_paused() override {}
    void writing_resumed() override;
    void connection_lost(std::exception_ptr error) override;
    void connection_dropped() noexcept override;

    [[nodiscard]] Connection& carrier() const noexcept { return connection_of(carrier_.get()); }

    // Reading.
    void advance();
    void go_on_reading();
    void read_for_task();
    void read_for_receiver();
    bool read_for(ReadWaiter& reader);
    std::size_t decrypt(std::span<char> into, TLSStatus& status);
    void discard_input();
    void look_at(TLSStatus status);
    void peer_ended();
    [[nodiscard]] bool wants_input() const noexcept;
    void look_for_input() noexcept;
    static void on_delivery(lowlevel::Callback& callback);

    // Writing.
    std::size_t encrypt(std::string_view bytes);
    void append_to_backlog(std::span<const std::string_view> views, std::size_t offset);
    void write_backlog();
    void go_on_writing();
    void flush();
    void output_failed();

    // The beginning and the end.
    void do_handshake();
    void handshake_failed(std::exception_ptr error);
    void start_shutdown();
    void go_on_closing();
    void finish_shutdown() noexcept;
    void fail(std::exception_ptr error) noexcept;
    void start_timer(Duration delay);
    void stop_timer() noexcept;
    void detach() noexcept;
    static void on_time_up(lowlevel::Callback& callback);

    LoopIO& io_;
    StreamKeep carrier_;
    std::shared_ptr<TLSBuffer> incoming_ = std::make_shared<TLSBuffer>();
    std::shared_ptr<TLSBuffer> outgoing_ = std::make_shared<TLSBuffer>();
    std::shared_ptr<TLSEngine> engine_;
    HandshakeDone handshake_done_;
    std::string backlog_;  // plaintext that waits for the carrier to take more
    std::size_t backlog_begin_ = 0;
    std::size_t replies_ = 0;       // bytes that reading made us send while the carrier was paused
    std::size_t left_to_send_ = 0;  // when the shutdown timer was started
    Duration handshake_timeout_;
    Duration shutdown_timeout_;
    State state_ = State::unwrapped;
    bool suppress_ragged_eofs_ : 1;
    bool attached_ : 1 = true;     // to the carrier, and so keeping itself
    bool delivering_ : 1 = false;  // the delivery is scheduled
    bool peer_ended_ : 1 = false;
    bool writing_waits_ : 1 = false;  // for the rest of a message of the peer's
};

}  // namespace asyncio::detail
