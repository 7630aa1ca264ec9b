// descriptor_connection.cpp - how a connection over a descriptor begins and ends.
//
// SPDX-License-Identifier: MIT
#include "descriptor_connection.hpp"

#include <asyncio/log.hpp>

#include "outgoing.hpp"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

namespace asyncio::detail {

using lowlevel::Callback;
using lowlevel::Opcode;

DescriptorConnection::DescriptorConnection(LoopIO& io, Socket descriptor, std::size_t limit,
                                           TransferOpcodes opcodes)
    : Connection(limit),
      LossCallback(&on_loss),
      InputOperation(&on_input, Opcode::poll_in, descriptor.fileno()),
      descriptor_(std::move(descriptor)),
      opcodes_(opcodes) {
    argument = lowlevel::poll_tries_anyway;
    io.claim(descriptor_.fileno());
    io.add(*this);
}

DescriptorConnection::~DescriptorConnection() = default;

void DescriptorConnection::close() noexcept {
    if (closing_) {
        return;
    }
    closing_ = true;
    if (outgoing_ == nullptr) {
        lose_soon(nullptr);
    }
}

void DescriptorConnection::fail(int error, const char* doing) noexcept {
    std::exception_ptr failure;
    try {
        failure = make_os_error(error, doing + peer_text());
    } catch (const std::bad_alloc&) {
        failure = std::current_exception();
    }
    force_close(std::move(failure));
}

// What is left to send is dropped.
void DescriptorConnection::force_close(std::exception_ptr error) noexcept {
    if (losing_ || lost()) {
        return;
    }
    closing_ = true;
    if (outgoing_ != nullptr) {
        drop_file();
        if (outgoing_->under_way) {
            outgoing_->dropped = true;
            loop()->cancel(*outgoing_);
        } else {
            outgoing_.reset();
        }
    }
    lose_soon(std::move(error));
}

void DescriptorConnection::lose_soon(std::exception_ptr error) noexcept {
    losing_ = true;
    in_vain_ = std::max<std::uint8_t>(in_vain_, 1);
    lost_by_ = std::move(error);
    loss_scheduled_ = true;
    retain();
    loop()->schedule(static_cast<LossCallback&>(*this));
}

void DescriptorConnection::on_loss(Callback& callback) {
    auto& self = static_cast<DescriptorConnection&>(static_cast<LossCallback&>(callback));
    const StreamKeep keep(self);
    self.loss_scheduled_ = false;
    self.release();
    self.lose(std::exchange(self.lost_by_, nullptr));
}

void DescriptorConnection::lose(std::exception_ptr error) {
    if (lost()) {
        return;
    }
    losing_ = true;
    if (error == nullptr && !ended()) {
        before_close();
    }
    struct Close {  // also when a SystemExit leaves the receiver
        DescriptorConnection& connection;
        ~Close() {
            if (connection.input_under_way_) {
                connection.loop()->cancel(static_cast<InputOperation&>(connection));
            }
            connection.close_descriptor();
            connection.leave_server();
        }
    } close{*this};
    set_lost(std::move(error));
}

void DescriptorConnection::abandoned() noexcept {
    if (closing_ || loop() == nullptr) {
        return;
    }
    if (loop()->get_debug()) {
        try {
            log(Level::warning, "unclosed <StreamWriter> of " + peer_text());
        } catch (const std::bad_alloc&) {
            log(Level::warning, "unclosed <StreamWriter>");
        }
    }
    close();
}

static void unlink_if_linked(Callback& callback) noexcept {
    if (callback.linked()) {
        callback.unlink();
    }
}

// What was to run is in some list of the loop's, or was taken out of it already. Tasks that wait
// are not woken: they are about to be destroyed.
void DescriptorConnection::loop_closing() noexcept {
    const StreamKeep keep(*this);
    const bool was_lost = lost();
    closing_ = true;
    set_lost_silently();
    if (loss_scheduled_) {
        loss_scheduled_ = false;
        unlink_if_linked(static_cast<LossCallback&>(*this));
        release();
    }
    if (input_under_way_) {
        input_under_way_ = false;
        unlink_if_linked(static_cast<InputOperation&>(*this));
        release();
    }
    if (outgoing_ != nullptr && outgoing_->under_way) {
        unlink_if_linked(*outgoing_);
        release();
    }
    outgoing_.reset();
    close_descriptor();
    if (!was_lost) {
        leave_server();
    }
}

}  // namespace asyncio::detail
