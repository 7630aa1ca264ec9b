// memory_connection.cpp - how a connection in memory receives, sends and ends.
//
// SPDX-License-Identifier: MIT
#include "memory_connection.hpp"

#include <asyncio/log.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace asyncio::testing {

using lowlevel::Callback;

MemoryConnection::MemoryConnection(detail::LoopIO& io, MemoryStreamOptions options)
    : Connection(options.limit),
      ArrivalCallback(&on_arrival),
      SendingCallback(&on_sending),
      LossCallback(&on_loss),
      io_(io),
      options_(options) {
    io_.retain();
    io_.add(*this);
}

MemoryConnection::~MemoryConnection() {
    peer_lost();
    io_.release();
}

void MemoryConnection::connect(MemoryConnection& one, MemoryConnection& other) noexcept {
    one.peer_ = &other;
    other.peer_ = &one;
}

void MemoryConnection::stall(bool stalled) noexcept {
    stalled_ = stalled;
    schedule_arrival();
}

// A callback keeps the connection as long as it is scheduled.
template <class Scheduled>
void MemoryConnection::schedule(Scheduled& callback) noexcept {
    if (!callback.scheduled && loop() != nullptr) {
        callback.scheduled = true;
        retain();
        loop()->schedule(callback);
    }
}

// It is in some list of the loop's, or was taken out of it already.
template <class Scheduled>
void MemoryConnection::unschedule(Scheduled& callback) noexcept {
    if (std::exchange(callback.scheduled, false)) {
        if (callback.linked()) {
            callback.unlink();
        }
        release();
    }
}

// --------------------------------------------------------------------------------- receiving

// Of what has arrived, how much may be taken at once.
std::size_t MemoryConnection::available() const noexcept {
    const std::size_t most = options_.piece > 0 ? options_.piece : arrived_.size();
    return stalled_ ? 0 : std::min(arrived_.size(), most);
}

bool MemoryConnection::end_arrived() const noexcept {
    return no_more_ && arrived_.empty() && !stalled_;
}

bool MemoryConnection::receive(detail::ReadWaiter&) {
    return !closing_ && !ended() && receive_some();
}

// True if there was something: bytes, or the end.
bool MemoryConnection::receive_some() {
    const std::size_t size = available();
    if (size > 0) {
        feed_data(arrived_.view().substr(0, size));
        took(size);
        return true;
    }
    if (end_arrived()) {
        feed_eof();
        return true;
    }
    return false;
}

void MemoryConnection::took(std::size_t n) noexcept {
    arrived_.remove(n);
    if (peer_ != nullptr && !peer_->left_.empty()) {
        peer_->schedule_sending();
    }
}

// One receive in each turn, so that no connection keeps the others waiting.
void MemoryConnection::push_some() {
    if (push_buffered()) {
        return;
    }
    if (!ended() && available() > 0) {
        std::span<char> memory = receiver()->receive_buffer();
        if (!reading()) {
            return;
        }
        if (memory.empty()) {
            memory = {io_.scratch(), detail::LoopIO::scratch_size};
        }
        const std::span<char> filled = memory.first(std::min(memory.size(), available()));
        std::memcpy(filled.data(), arrived_.view().data(), filled.size());
        took(filled.size());
        const detail::LoopIO::Kept kept(io_);
        push(filled);
    } else if (ended() || end_arrived()) {
        push_end();
    }
}

void MemoryConnection::schedule_arrival() noexcept {
    const bool wanted = reading() ? has_input() || !buffered().empty() || ended()
                                  : reader_waits() && !ended() && has_input();
    if (wanted && !closing_) {
        schedule(static_cast<ArrivalCallback&>(*this));
    }
}

void MemoryConnection::on_arrival(Callback& callback) {
    auto& self = static_cast<MemoryConnection&>(static_cast<ArrivalCallback&>(callback));
    const detail::StreamKeep keep(self);
    self.unschedule(static_cast<ArrivalCallback&>(self));
    if (self.closing_) {
        return;
    }
    std::exception_ptr leaving;
    try {
        if (self.reading()) {
            self.push_some();
        } else if (self.reader_waits() && !self.ended()) {
            self.receive_some();
        }
    } catch (...) {
        leaving = std::current_exception();
        if (!detail::leaves_the_loop(leaving)) {
            self.force_close(std::exchange(leaving, nullptr));
        }
    }
    self.schedule_arrival();
    if (leaving != nullptr) {
        std::rethrow_exception(leaving);
    }
}

// ----------------------------------------------------------------------------------- sending

// How many of the bytes the wire has taken. To an end that is closed all of them, in vain.
std::size_t MemoryConnection::transmit(std::string_view bytes) {
    if (peer_ == nullptr) {
        force_close(detail::make_os_error(EPIPE, "send to a closed memory stream"));
        return bytes.size();
    }
    const std::size_t room = options_.buffer - std::min(options_.buffer, peer_->arrived_.size());
    const std::size_t size = std::min(room, bytes.size());
    peer_->arrived_.append(bytes.substr(0, size));
    peer_->schedule_arrival();
    return size;
}

void MemoryConnection::write(std::string_view bytes) {
    write_all({&bytes, 1});
}

void MemoryConnection::write_all(std::span<const std::string_view> views) {
    if (eof_written_) {
        throw RuntimeError("Cannot call write() after write_eof()");
    }
    for (std::string_view view : views) {
        if (view.empty()) {
            continue;
        }
        if (closing_) {
            dropped_write();
            return;
        }
        if (left_.empty()) {
            view.remove_prefix(transmit(view));
        }
        left_.append(view);
    }
    check_high_water();
}

void MemoryConnection::schedule_sending() noexcept {
    schedule(static_cast<SendingCallback&>(*this));
}

void MemoryConnection::on_sending(Callback& callback) {
    auto& self = static_cast<MemoryConnection&>(static_cast<SendingCallback&>(callback));
    const detail::StreamKeep keep(self);
    self.unschedule(static_cast<SendingCallback&>(self));
    if (self.losing_ || self.left_.empty()) {
        return;
    }
    std::exception_ptr leaving;
    try {
        const std::size_t sent = self.transmit(self.left_.view());
        self.left_.remove(std::min(sent, self.left_.size()));  // without a peer nothing is left
        self.check_low_water();  // the receiver may write more, or close or abort the connection
    } catch (...) {
        leaving = std::current_exception();
        if (!detail::leaves_the_loop(leaving)) {
            self.force_close(std::exchange(leaving, nullptr));
        }
    }
    if (self.left_.empty() && !self.losing_) {
        self.finish_sending();
    }
    if (leaving != nullptr) {
        std::rethrow_exception(leaving);
    }
}

// Nothing is left to send.
void MemoryConnection::finish_sending() {
    if (closing_) {
        lose(nullptr);
    } else if (eof_written_ && peer_ != nullptr) {
        peer_->no_more_ = true;
        peer_->schedule_arrival();
    }
}

void MemoryConnection::write_eof() {
    if (closing_ || eof_written_) {
        return;
    }
    eof_written_ = true;
    if (left_.empty()) {
        finish_sending();
    }
}

// ----------------------------------------------------------------------------------- the end

void MemoryConnection::close() noexcept {
    if (closing_) {
        return;
    }
    closing_ = true;
    if (left_.empty()) {
        lose_soon(nullptr);
    }
}

// What is left to send is dropped.
void MemoryConnection::force_close(std::exception_ptr error) noexcept {
    if (losing_ || lost()) {
        return;
    }
    closing_ = true;
    left_.clear();
    lose_soon(std::move(error));
}

void MemoryConnection::lose_soon(std::exception_ptr error) noexcept {
    losing_ = true;
    in_vain_ = std::max<std::uint8_t>(in_vain_, 1);
    lost_by_ = std::move(error);
    schedule(static_cast<LossCallback&>(*this));
}

void MemoryConnection::on_loss(Callback& callback) {
    auto& self = static_cast<MemoryConnection&>(static_cast<LossCallback&>(callback));
    const detail::StreamKeep keep(self);
    self.unschedule(static_cast<LossCallback&>(self));
    self.lose(std::exchange(self.lost_by_, nullptr));
}

void MemoryConnection::lose(std::exception_ptr error) {
    if (lost()) {
        return;
    }
    losing_ = true;
    peer_lost();
    set_lost(std::move(error));
}

// The two know each other no longer: the other end gets the end of what was sent to it. What it
// still has to send, nobody will receive.
void MemoryConnection::peer_lost() noexcept {
    MemoryConnection* const other = std::exchange(peer_, nullptr);
    if (other == nullptr) {
        return;
    }
    other->peer_ = nullptr;
    other->no_more_ = true;
    other->schedule_arrival();
    if (!other->left_.empty()) {
        other->schedule_sending();
    }
}

void MemoryConnection::abandoned() noexcept {
    if (closing_ || loop() == nullptr) {
        return;
    }
    if (loop()->get_debug()) {
        detail::log(Level::warning, "unclosed <StreamWriter> in memory");
    }
    close();
}

// Tasks that wait are not woken: they are about to be destroyed.
void MemoryConnection::loop_closing() noexcept {
    const detail::StreamKeep keep(*this);
    closing_ = true;
    losing_ = true;
    set_lost_silently();
    unschedule(static_cast<ArrivalCallback&>(*this));
    unschedule(static_cast<SendingCallback&>(*this));
    unschedule(static_cast<LossCallback&>(*this));
    left_.clear();
}

}  // namespace asyncio::testing
