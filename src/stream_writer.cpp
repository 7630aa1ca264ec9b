// stream_writer.cpp - flow control, and waiting for the end: StreamWriter.
//
// SPDX-License-Identifier: MIT
#include <asyncio/streams.hpp>

#include <asyncio/log.hpp>

#include "streams.hpp"
#include "write_buffer_limits.hpp"

#include <utility>

namespace asyncio {

namespace detail {

// -------------------------------------------------------------------------------- Connection

void Connection::set_write_buffer_limits(WriteBufferLimits limits) {
    const auto [low, high] = resolve_limits(limits);
    high_ = high;
    low_ = low;
    check_high_water();
}

void Connection::set_paused(bool paused) {
    paused_ = paused;
    if (!paused) {
        drain_waiters.wake_all();
    }
}

void Connection::check_high_water() {
    if (write_buffer_size() > high_ && !std::exchange(paused_, true) && receiver_ != nullptr) {
        receiver_->writing_paused();
    }
}

void Connection::check_low_water() {
    if (paused_ && write_buffer_size() <= low_) {
        set_paused(false);
        if (receiver_ != nullptr) {
            receiver_->writing_resumed();
        }
    }
}

void Connection::set_lost(std::exception_ptr error) {
    lost_ = true;
    lost_by_ = error;
    if (error != nullptr) {
        set_exception(error);
    } else {
        feed_eof();
    }
    closed_waiters.wake_all();
    while (lowlevel::Waiter* const waiter = drain_waiters.wake_first()) {
        static_cast<DrainAwaiter&>(*waiter).state_ = DrainAwaiter::State::lost;
    }
    if (Receiver* const receiver = std::exchange(receiver_, nullptr)) {
        receiver->connection_lost(std::move(error));
    }
}

void Connection::set_lost_silently() noexcept {
    orphaned_ = !std::exchange(lost_, true);
    if (Receiver* const receiver = std::exchange(receiver_, nullptr)) {
        receiver->connection_dropped();
    }
}

void Connection::dropped_write() noexcept {
    constexpr std::uint8_t log_from = 5;
    if (in_vain_ >= log_from) {
        log(Level::warning, dropped_write_text());
    } else {
        ++in_vain_;
    }
}

const char* Connection::dropped_write_text() const noexcept {
    return "socket.send() raised exception.";
}

void Connection::set_receiver(Receiver* receiver) noexcept {
    receiver_ = lost_ ? nullptr : receiver;
    reading_ = false;
}

void Connection::start_reading() noexcept {
    if (receiver_ != nullptr && !reading_ && !closing_ && (!ended() || !buffered().empty())) {
        reading_ = true;
        want_input();
    }
}

// The end that follows what is buffered was received before there was a receiver.
bool Connection::push_buffered() {
    if (buffered().empty()) {
        return false;
    }
    std::string text = take_all();
    push(text);
    if (ended() && receiver_ != nullptr && reading()) {
        push_end();
    }
    return true;
}

void Connection::push_end() {
    reading_ = false;
    feed_eof();
    receiver_->received_end();
}

std::optional<std::string> Connection::extra_info(std::string_view name) const {
    if (name == "peername" || name == "sockname") {
        const Address address = name == "peername" ? peername() : sockname();
        return address ? std::optional(address.to_string()) : std::nullopt;
    }
    if (name == "socket" && socket().fileno() >= 0) {
        return std::to_string(socket().fileno());
    }
    return std::nullopt;
}

// ---------------------------------------------------------------------------- tasks that wait

// CPython's order: the reader's exception first; a connection that is being closed gets a turn to
// become lost.
bool DrainAwaiter::await_ready() noexcept {
    const Connection& connection = connection_of(connection_);
    return connection.exception() != nullptr || connection.orphaned() ||
           (!connection.closing() && (connection.lost() || !connection.paused()));
}

void DrainAwaiter::suspend() noexcept {
    Connection& connection = connection_of(connection_);
    TaskBase& task = lowlevel::running_task();
    if (connection.paused() && !connection.lost() && connection.write_buffer_size() > 0) {
        state_ = State::parked;
        connection.drain_waiters.park(task, *this);
    } else {
        state_ = State::yielded;
        task.wake();
    }
}

void DrainAwaiter::await_resume() {
    const Connection& connection = connection_of(connection_);
    switch (state_) {
        case State::begun:
            if (connection.exception() != nullptr) {
                std::rethrow_exception(connection.exception());
            }
            if (connection.orphaned()) {
                std::rethrow_exception(loop_is_closed());
            }
            break;
        case State::yielded:
            lowlevel::running_task().throw_if_interrupted();
            break;
        default:
            lowlevel::running_task().throw_if_interrupted();
            if (state_ == State::lost && connection.lost_by() != nullptr) {
                std::rethrow_exception(connection.lost_by());
            }
            return;
    }
    if (connection.lost()) {
        throw ConnectionResetError("Connection lost");
    }
}

WaitClosedAwaiter StreamClosed::operator co_await() const noexcept {
    Connection& connection = connection_of(connection_.get());
    const std::exception_ptr& error =
        connection.orphaned() ? loop_is_closed() : connection.lost_by();
    return {connection.lost(), connection.closed_waiters, &error, "wait_closed"};
}

}  // namespace detail

using detail::connection_of;

// ------------------------------------------------------------------------------ StreamWriter

void StreamWriter::write(std::string_view bytes) {
    connection_of(connection()).write(bytes);
}
void StreamWriter::write_all(std::span<const std::string_view> views) {
    connection_of(connection()).write_all(views);
}
void StreamWriter::write_eof() {
    connection_of(connection()).write_eof();
}
bool StreamWriter::can_write_eof() const {
    return connection_of(connection()).can_write_eof();
}
void StreamWriter::close() {
    connection_of(connection()).close();
}
bool StreamWriter::is_closing() const {
    return connection_of(connection()).closing() ||
           (transport_ != nullptr && transport().is_closing());
}
void StreamWriter::abort() {
    connection_of(connection()).abort();
}
Address StreamWriter::peername() const {
    return connection_of(connection()).peername();
}
Address StreamWriter::sockname() const {
    return connection_of(connection()).sockname();
}
TransportSocket StreamWriter::socket() const {
    return connection_of(connection()).socket();
}

void StreamWriter::set_write_buffer_limits(WriteBufferLimits limits) {
    connection_of(connection()).set_write_buffer_limits(limits);
}
std::pair<std::size_t, std::size_t> StreamWriter::get_write_buffer_limits() const {
    return connection_of(connection()).write_buffer_limits();
}
std::size_t StreamWriter::get_write_buffer_size() const {
    return connection_of(connection()).write_buffer_size();
}

std::optional<std::string> StreamWriter::get_extra_info(std::string_view name) const {
    return connection_of(connection()).extra_info(name);
}

}  // namespace asyncio
