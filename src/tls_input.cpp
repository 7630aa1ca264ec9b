// tls_input.cpp - how a TLS connection reads: ciphertext from its carrier, plaintext for whoever
// wants it.
//
// SPDX-License-Identifier: MIT
#include "loop_io.hpp"
#include "tls_connection.hpp"

#include <utility>

namespace asyncio::detail {

using lowlevel::Callback;

// ----------------------------------------------------------------------------- from the carrier

// What the engine does not read now, because nobody wants it yet, is kept; also when the consumer
// throws something that leaves the loop.
void TLSConnection::received(std::span<char> data) {
    struct Keep {
        TLSConnection& connection;
        ~Keep() {
            try {
                connection.incoming_->keep();
            } catch (const std::bad_alloc&) {
                connection.force_close(std::current_exception());
            }
            connection.look_for_input();
        }
    } keep{*this};
    incoming_->lend({data.data(), data.size()});
    advance();
}

void TLSConnection::received_end() {
    incoming_->end();
    advance();
    look_for_input();
}

void TLSConnection::advance() {
    switch (state_) {
        case State::unwrapped:
            break;
        case State::handshake:
            do_handshake();
            break;
        case State::wrapped:
            go_on_reading();
            go_on_writing();
            break;
        case State::flushing:
            discard_input();
            go_on_writing();
            go_on_closing();
            break;
        case State::shutdown:
            discard_input();
            break;
    }
}

bool TLSConnection::wants_input() const noexcept {
    // A peer may send what has to be answered (key updates) and not read the answers.
    constexpr std::size_t most_replies = std::size_t{64} * 1024;
    if (state_ == State::unwrapped || replies_ >= most_replies) {
        return false;
    }
    if (state_ == State::wrapped) {
        return writing_waits_ || (receiver() != nullptr ? reading() : reader_waits());
    }
    return true;
}

void TLSConnection::look_for_input() noexcept {
    if (!attached_) {
        return;
    }
    if (wants_input()) {
        carrier().start_reading();
    } else {
        carrier().stop_reading();
    }
}

// ---------------------------------------------------------------------------- for the consumer

void TLSConnection::go_on_reading() {
    if (receiver() != nullptr) {
        read_for_receiver();
    } else {
        read_for_task();
    }
}

// As many records as there are, and as fit.
std::size_t TLSConnection::decrypt(std::span<char> into, TLSStatus& status) {
    std::size_t total = 0;
    do {
        std::size_t size = 0;
        status = engine_->read(into.subspan(total), size);
        total += size;
    } while (status == TLSStatus::done && total < into.size());
    if (outgoing_->pending() > 0) {
        replies_ += carrier().paused() ? outgoing_->pending() : 0;
        flush();
    }
    return total;
}

bool TLSConnection::receive(ReadWaiter& reader) {
    return state_ == State::wrapped && !ended() && read_for(reader);
}

void TLSConnection::want_data() noexcept {
    look_for_input();
}

// True if there was something: bytes, or the end.
bool TLSConnection::read_for(ReadWaiter& reader) {
    TLSStatus status = TLSStatus::done;
    const std::span<char> own = direct(reader);
    const std::span<char> into = own.empty() ? io_.plaintext() : own;
    const std::size_t size = decrypt(into, status);
    if (size > 0 && own.empty()) {
        feed_data({into.data(), size});
    } else if (size > 0) {
        fed_directly(reader, size);
    }
    if (size == 0) {
        look_at(status);
    }
    return size > 0 || ended();
}

void TLSConnection::read_for_task() {
    while (reader_waits() && read_for(*reader())) {}
    notify();
}

// Its buffers are filled with as many records as fit. What it does in here may change everything.
void TLSConnection::read_for_receiver() {
    while (state_ == State::wrapped && reading()) {
        const std::span<char> own = receiver()->receive_buffer();
        if (state_ != State::wrapped || !reading()) {
            return;
        }
        const std::span<char> into = own.empty() ? io_.plaintext() : own;
        TLSStatus status = TLSStatus::done;
        const std::size_t size = decrypt(into, status);
        if (size > 0) {
            const LoopIO::Kept kept(io_);
            push(into.first(size));
        } else {
            look_at(status);
            return;
        }
    }
}

// The receiver wants to read: there may be plaintext that was decrypted for a task, ciphertext that
// was received and not read, or nothing yet. It is called by the loop only.
void TLSConnection::want_input() noexcept {
    if (!delivering_) {
        delivering_ = true;
        retain();
        loop()->schedule(static_cast<TLSDelivery&>(*this));
    }
}

void TLSConnection::on_delivery(Callback& callback) {
    auto& self = static_cast<TLSConnection&>(static_cast<TLSDelivery&>(callback));
    const StreamKeep keep(self);
    self.delivering_ = false;
    self.release();
    std::exception_ptr leaving;
    try {
        if (self.reading()) {
            self.push_buffered();
        }
        if (self.state_ == State::wrapped) {
            self.go_on_reading();
        }
    } catch (...) {
        leaving = std::current_exception();
        if (!leaves_the_loop(leaving)) {
            self.force_close(std::exchange(leaving, nullptr));
        }
    }
    self.look_for_input();
    if (leaving != nullptr) {
        std::rethrow_exception(leaving);
    }
}

// ------------------------------------------------------------------------------------- the end

// The engine had nothing more to give, while something was wanted.
void TLSConnection::look_at(TLSStatus status) {
    switch (status) {
        case TLSStatus::done:
        case TLSStatus::want_read:
        case TLSStatus::want_write:
            break;
        case TLSStatus::ended:
            if (!suppress_ragged_eofs_) {
                fail(engine_->error());
                break;
            }
            [[fallthrough]];
        case TLSStatus::closed:
            peer_ended();
            break;
        case TLSStatus::failed:
            fail(engine_->error());
            break;
    }
}

// There is no half-closing, as in asyncio: the consumer is told, also if it has closed the
// connection itself, and the connection closes.
void TLSConnection::peer_ended() {
    peer_ended_ = true;
    struct Close {  // also when a SystemExit leaves the receiver
        TLSConnection& connection;
        ~Close() {
            if (connection.state_ == State::wrapped) {
                connection.close();
            }
        }
    } close{*this};
    if (receiver() != nullptr) {
        push_end();
    } else {
        feed_eof();
    }
}

// What comes after close() is read only to find the peer's close_notify.
void TLSConnection::discard_input() {
    TLSStatus status = TLSStatus::done;
    while (status == TLSStatus::done) {
        decrypt(io_.plaintext(), status);
    }
    if (status == TLSStatus::failed) {
        fail(engine_->error());
    } else if (status == TLSStatus::closed || status == TLSStatus::ended) {
        if (!peer_ended_) {
            peer_ended();
        }
        go_on_closing();
    }
}

}  // namespace asyncio::detail
