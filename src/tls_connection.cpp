// tls_connection.cpp - how a TLS connection begins and ends.
//
// SPDX-License-Identifier: MIT
#include "tls_connection.hpp"

#include <asyncio/log.hpp>

#include "connect_socket.hpp"
#include "report.hpp"

#include <new>
#include <utility>

namespace asyncio::detail {

using lowlevel::Callback;

static constexpr std::size_t high_water = std::size_t{512} * 1024;

TLSConnection::TLSConnection(Connection& carrier, std::size_t limit, const TLSSettings& settings)
    : Connection(limit),
      TLSTimer(&on_time_up),
      TLSDelivery(&on_delivery),
      io_(LoopIO::of(*carrier.loop())),
      carrier_(carrier),
      engine_(settings.context->make_engine(incoming_, outgoing_, settings.server_side,
                                            settings.server_hostname)),
      handshake_timeout_(settings.handshake_timeout),
      shutdown_timeout_(settings.shutdown_timeout),
      suppress_ragged_eofs_(settings.suppress_ragged_eofs) {
    set_write_buffer_limits({.high = high_water});
    retain();
    carrier.set_receiver(this);
}

TLSConnection::~TLSConnection() {
    if (carrier().successor() == this) {
        carrier().forget_successor();
    }
}

std::optional<std::string> TLSConnection::extra_info(std::string_view name) const {
    std::optional<std::string> own = engine_->extra_info(name);
    return own.has_value() ? own : carrier().extra_info(name);
}

void TLSConnection::supersede_carrier(Receiver* receiver) noexcept {
    carrier().hand_over(*this);
    if (receiver != nullptr) {
        carrier().stop_reading();
        take_over_pause(carrier());
        set_receiver(receiver);
    }
}

// --------------------------------------------------------------------------------- the handshake

void TLSConnection::start(HandshakeDone done) {
    const StreamKeep keep(*this);
    handshake_done_ = std::move(done);
    state_ = State::handshake;
    if (carrier().ended() && carrier().buffered().empty()) {
        incoming_->end();
    }
    try {
        start_timer(handshake_timeout_);
        do_handshake();
    } catch (const std::bad_alloc&) {
        handshake_failed(std::current_exception());
    }
    look_for_input();
}

void TLSConnection::do_handshake() {
    const TLSStatus status = engine_->handshake();
    const std::exception_ptr error =
        status == TLSStatus::done || status == TLSStatus::want_read ? nullptr : engine_->error();
    flush();  // also the alert that tells the peer why
    if (status == TLSStatus::want_read) {
        return;
    }
    if (status == TLSStatus::ended) {
        handshake_failed(std::make_exception_ptr(
            ConnectionResetError("the peer closed the connection during the TLS handshake")));
        return;
    }
    if (error != nullptr) {
        handshake_failed(error);
        return;
    }
    state_ = State::wrapped;
    stop_timer();
    const HandshakeDone done = std::exchange(handshake_done_, HandshakeDone());
    done(nullptr);
    if (state_ == State::wrapped) {
        write_backlog();
    }
    if (state_ == State::wrapped) {
        go_on_reading();  // the peer may have said something with the end of its handshake
    }
}

void TLSConnection::handshake_failed(std::exception_ptr error) {
    const HandshakeDone done = std::exchange(handshake_done_, HandshakeDone());
    fail(error);
    if (done) {
        done(std::move(error));
    }
}

void TLSConnection::tell_of_failed_handshake(const std::exception_ptr& error) {
    if (!loop()->get_debug() && is_os_error(error)) {
        return;
    }
    ExceptionContext context;
    set_message(context, [] { return "Error on transport creation for incoming connection"; });
    context.exception = error;
    loop()->call_exception_handler(context);
}

// --------------------------------------------------------------------------------------- timers

void TLSConnection::start_timer(Duration delay) {
    loop()->arm(static_cast<TLSTimer&>(*this), after(loop()->time(), delay));
}

void TLSConnection::stop_timer() noexcept {
    if (TLSTimer& timer = *this; timer.waiting()) {
        loop()->withdraw(timer);
    }
}

// A peer that takes what is left, however slowly, gets another term.
void TLSConnection::on_time_up(Callback& callback) {
    auto& self = static_cast<TLSConnection&>(static_cast<TLSTimer&>(callback));
    const StreamKeep keep(self);
    if (self.state_ == State::handshake) {
        self.handshake_failed(std::make_exception_ptr(ConnectionAbortedError(
            "SSL handshake is taking longer than " + seconds_text(self.handshake_timeout_) +
            " seconds: aborting the connection")));
        return;
    }
    const std::size_t left = self.write_buffer_size() + self.carrier().write_buffer_size();
    if (left < std::exchange(self.left_to_send_, left)) {
        self.start_timer(self.shutdown_timeout_);
        return;
    }
    self.fail(std::make_exception_ptr(TimeoutError("SSL shutdown timed out")));
}

// -------------------------------------------------------------------------------------- the end

void TLSConnection::close() noexcept {
    if (closing_) {
        return;
    }
    if (state_ != State::wrapped) {
        force_close(nullptr);
        return;
    }
    try {
        start_shutdown();
    } catch (...) {  // no memory
        force_close(std::current_exception());
    }
    look_for_input();
}

void TLSConnection::start_shutdown() {
    closing_ = true;
    in_vain_ = 1;
    state_ = State::flushing;
    left_to_send_ = write_buffer_size() + carrier().write_buffer_size();
    start_timer(shutdown_timeout_);
    go_on_closing();
}

// Called again whenever something has changed: everything written was given to the carrier, or the
// peer has ended.
void TLSConnection::go_on_closing() {
    if (state_ == State::flushing && write_buffer_size() == 0) {
        const TLSStatus status = engine_->end_writing();
        flush();
        if (status == TLSStatus::want_read && !peer_ended_) {
            return;  // in the middle of what the peer says
        }
        if (status != TLSStatus::done) {
            fail(engine_->error());
            return;
        }
        state_ = State::shutdown;
        if (!peer_ended_) {
            discard_input();
            return;
        }
    }
    if (state_ == State::shutdown && peer_ended_) {
        finish_shutdown();
    }
}

// The timer goes on until the carrier is lost: it may have something left that nobody takes.
void TLSConnection::finish_shutdown() noexcept {
    state_ = State::unwrapped;
    carrier().close();
}

void TLSConnection::force_close(std::exception_ptr error) noexcept {
    fail(std::move(error));
}

// What is left to send is dropped. The carrier tells when it is over.
void TLSConnection::fail(std::exception_ptr error) noexcept {
    closing_ = true;
    in_vain_ = in_vain_ == 0 ? std::uint8_t{1} : in_vain_;
    state_ = State::unwrapped;
    if (loop() != nullptr) {
        stop_timer();
    }
    carrier().force_close(std::move(error));
}

void TLSConnection::detach() noexcept {
    stop_timer();
    if (delivering_) {
        delivering_ = false;
        loop()->withdraw(static_cast<TLSDelivery&>(*this));
        release();
    }
    closing_ = true;
    state_ = State::unwrapped;
    std::string().swap(backlog_);
    backlog_begin_ = 0;
    attached_ = false;
}

void TLSConnection::connection_lost(std::exception_ptr error) {
    const StreamKeep keep(*this);
    release();
    detach();
    const HandshakeDone done = std::exchange(handshake_done_, HandshakeDone());
    struct Leave {  // also when a SystemExit leaves the receiver
        TLSConnection& connection;
        ~Leave() { connection.leave_server(); }
    } leave{*this};
    set_lost(error);
    if (done) {
        done(error != nullptr ? std::move(error)
                              : std::make_exception_ptr(ConnectionAbortedError(
                                    "the connection was closed during the TLS handshake")));
    }
}

void TLSConnection::connection_dropped() noexcept {
    const StreamKeep keep(*this);
    release();
    detach();
    const HandshakeDone dropped = std::exchange(handshake_done_, HandshakeDone());
    set_lost_silently();
    leave_server();
}

void TLSConnection::abandoned() noexcept {
    if (closing_ || loop() == nullptr) {
        return;
    }
    if (loop()->get_debug()) {
        try {
            log(Level::warning, "unclosed <StreamWriter> of " + peername().to_string());
        } catch (const std::bad_alloc&) {
            log(Level::warning, "unclosed <StreamWriter>");
        }
    }
    close();
}

}  // namespace asyncio::detail
