// tls_output.cpp - how a TLS connection writes.
//
// SPDX-License-Identifier: MIT
#include "tls_connection.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace asyncio::detail {

static constexpr std::size_t record_size = std::size_t{16} * 1024;  // the most that one holds

void TLSConnection::write(std::string_view bytes) {
    write_all({&bytes, 1});
}

// Small pieces share a record, and all of it goes to the carrier at once.
void TLSConnection::write_all(std::span<const std::string_view> views) {
    std::size_t total = 0;
    for (const std::string_view view : views) {
        total += view.size();
    }
    if (total == 0) {
        return;
    }
    if (closing_) {
        dropped_write();
        return;
    }
    if (state_ != State::wrapped || write_buffer_size() > 0) {
        append_to_backlog(views, 0);
        return;
    }
    if (views.size() == 1) {
        append_to_backlog(views, encrypt(views.front()));
        return;
    }
    std::string joined;
    joined.reserve(total);
    for (const std::string_view view : views) {
        joined += view;
    }
    const std::string_view all = joined;
    append_to_backlog({&all, 1}, encrypt(all));
}

void TLSConnection::write_eof() {
    throw NotImplementedError("a TLS connection cannot be closed in one direction only");
}

// How many bytes the carrier took, or keeps within its marks. The peer may have sent a part of a
// message of the handshake, as a ticket or an update of keys: then nothing can be encrypted before
// the rest of it has come.
std::size_t TLSConnection::encrypt(std::string_view bytes) {
    constexpr std::size_t flush_from = 4 * record_size;
    std::size_t taken = 0;
    while (taken < bytes.size() && !carrier().paused()) {
        std::size_t size = 0;
        const TLSStatus status = engine_->write(bytes.substr(taken, record_size), size);
        if (status == TLSStatus::want_read) {
            writing_waits_ = true;
            look_for_input();
            break;
        }
        if (status != TLSStatus::done) {
            output_failed();
            return bytes.size();
        }
        taken += size;
        if (outgoing_->pending() >= flush_from) {
            flush();
        }
    }
    flush();
    return taken;
}

// Without memory a record is lost, and with it the connection.
void TLSConnection::output_failed() {
    const std::exception_ptr error = engine_->error();
    force_close(error);
    try {
        std::rethrow_exception(error);
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const std::exception&) {  // as the next read or drain will tell
    }
}

// A part of it may have been sent. So without memory for the rest the stream cannot go on: whoever
// wrote it again would send that part twice.
void TLSConnection::append_to_backlog(std::span<const std::string_view> views, std::size_t offset) {
    if (closing_) {
        return;
    }
    try {
        for (const std::string_view view : views) {
            backlog_.append(view.substr(std::min(offset, view.size())));
            offset = 0;
        }
    } catch (const std::exception&) {
        force_close(std::current_exception());
        throw;
    }
    check_high_water();
}

void TLSConnection::write_backlog() {
    if (write_buffer_size() == 0) {
        return;
    }
    backlog_begin_ += encrypt(std::string_view(backlog_).substr(backlog_begin_));
    if (backlog_begin_ >= backlog_.size()) {
        std::string().swap(backlog_);
        backlog_begin_ = 0;
    } else if (backlog_begin_ > backlog_.size() / 2) {
        backlog_.erase(0, std::exchange(backlog_begin_, 0));
    }
    check_low_water();
}

void TLSConnection::go_on_writing() {
    const bool waited = writing_waits_;
    writing_waits_ = false;
    if (waited && (state_ == State::wrapped || state_ == State::flushing)) {
        write_backlog();
    }
}

void TLSConnection::writing_resumed() {
    replies_ = 0;
    if (state_ == State::wrapped || state_ == State::flushing) {
        write_backlog();
    }
    check_low_water();  // also of a pause that was the carrier's, before there was TLS
    if (state_ == State::flushing) {
        go_on_closing();
    }
    look_for_input();
}

// Gives the carrier what the engine has made.
void TLSConnection::flush() {
    const std::string_view bytes = outgoing_->queued();
    if (bytes.empty()) {
        return;
    }
    struct Sent {
        TLSBuffer& buffer;
        std::size_t size;
        ~Sent() { buffer.discard(size); }
    } sent{*outgoing_, bytes.size()};
    if (!carrier().closing()) {
        carrier().write(bytes);
    }
}

}  // namespace asyncio::detail
