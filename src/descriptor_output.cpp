// descriptor_output.cpp - how a connection over a descriptor sends.
//
// SPDX-License-Identifier: MIT
#include "outgoing.hpp"

#include <utility>

namespace asyncio::detail {

using lowlevel::Callback;
using lowlevel::Operation;

void DescriptorConnection::refuse_write(const char* function) const {
    if ((unwritable_ & eof_written) != 0) {
        throw RuntimeError(std::string("Cannot call ") + function + "() after write_eof()");
    }
    throw RuntimeError(std::string("unable to ") + function + "; sendfile is in progress");
}

bool DescriptorConnection::refuses_writes() noexcept {
    if (closing_) {
        dropped_write();
    }
    return closing_;
}

std::int64_t DescriptorConnection::send_now(Operation& operation) noexcept {
    if (!loop()->attempt(operation)) {
        return 0;
    }
    if (operation.result < 0) {
        fail(static_cast<int>(-operation.result), "send to ");
    }
    return operation.result;
}

DescriptorConnection::Outgoing& DescriptorConnection::outgoing() {
    if (outgoing_ == nullptr) {
        outgoing_ = std::make_unique<Outgoing>(*this, opcodes_.send, descriptor_.fileno());
    }
    return *outgoing_;
}

void DescriptorConnection::write(std::string_view bytes) {
    if (unwritable_ != 0) {
        refuse_write("write");
    }
    if (bytes.empty() || refuses_writes()) {
        return;
    }
    if (outgoing_ == nullptr) {
        Operation operation(&run_nothing, opcodes_.send, descriptor_.fileno());
        operation.data = const_cast<char*>(bytes.data());
        operation.size = bytes.size();
        const std::int64_t taken = send_now(operation);
        if (taken < 0 || static_cast<std::size_t>(taken) == bytes.size()) {
            return;
        }
        bytes.remove_prefix(static_cast<std::size_t>(taken));
    }
    keep({&bytes, 1}, 0);
}

// A part of it may have been sent. So without memory for the rest the stream cannot go on: whoever
// wrote it again would send that part twice.
void DescriptorConnection::keep(std::span<const std::string_view> views, std::size_t offset) {
    try {
        std::string& queued = outgoing().queued;
        for (const std::string_view view : views) {
            queued.append(view.substr(std::exchange(offset, 0)));
        }
    } catch (const std::exception&) {
        force_close(std::current_exception());
        throw;
    }
    start_output();
    check_high_water();
}

// Sends what is queued, if nothing is under way.
void DescriptorConnection::start_output() noexcept {
    Outgoing& out = *outgoing_;
    if (out.under_way) {
        return;
    }
    if (out.sent == out.sending.size()) {
        out.sending = std::exchange(out.queued, std::string());
        out.sent = 0;
    }
    out.data = out.sending.data() + out.sent;
    out.size = out.sending.size() - out.sent;
    start_operation();
}

void DescriptorConnection::start_operation() noexcept {
    outgoing_->under_way = true;
    retain();
    loop()->start(*outgoing_);
}

void DescriptorConnection::on_output(Callback& callback) {
    auto& out = static_cast<Outgoing&>(static_cast<Operation&>(callback));
    DescriptorConnection& self = out.connection;
    const StreamKeep keep(self);
    out.under_way = false;
    self.release();
    if (out.dropped) {
        self.outgoing_.reset();
    } else if (out.opcode == lowlevel::Opcode::send_file) {
        self.file_sent(out.result);
    } else {
        self.sent(out.result);
    }
}

void DescriptorConnection::sent(std::int64_t result) {
    if (result < 0) {
        fail(static_cast<int>(-result), "send to ");
        return;
    }
    outgoing_->sent += static_cast<std::size_t>(result);
    try {
        check_low_water();  // the receiver may write more, or close or abort the connection
    } catch (...) {
        const std::exception_ptr error = std::current_exception();
        if (!leaves_the_loop(error)) {
            force_close(error);
            return;
        }
        go_on_sending();
        throw;
    }
    go_on_sending();
}

void DescriptorConnection::go_on_sending() {
    if (outgoing_ == nullptr || outgoing_->under_way) {
        return;
    }
    if (outgoing_->sent < outgoing_->sending.size() || !outgoing_->queued.empty()) {
        start_output();
        return;
    }
    if (outgoing_->file != nullptr) {
        start_file();
        return;
    }
    outgoing_.reset();
    if (closing_) {
        lose(nullptr);
    } else if ((unwritable_ & eof_written) != 0) {
        try {
            end_output();
        } catch (const OSError&) {  // there is no connection any more, as the next read will tell
        }
    }
}

std::size_t DescriptorConnection::write_buffer_size() const noexcept {
    return outgoing_ == nullptr || outgoing_->dropped
               ? 0
               : outgoing_->sending.size() - outgoing_->sent + outgoing_->queued.size();
}

void DescriptorConnection::write_eof() {
    if (closing_ || (unwritable_ & eof_written) != 0) {
        return;
    }
    unwritable_ |= eof_written;
    if (outgoing_ == nullptr) {
        end_output();
    }
}

}  // namespace asyncio::detail
