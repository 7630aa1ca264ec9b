// datagram_output.cpp - how datagrams are sent, at once or when there is room.
//
// SPDX-License-Identifier: MIT
#include "datagram_output.hpp"

#include <asyncio/log.hpp>

#include "addresses.hpp"

#include <cerrno>
#include <chrono>
#include <new>
#include <utility>

namespace asyncio::detail {

using lowlevel::Buffer;
using lowlevel::Callback;
using lowlevel::Message;
using lowlevel::Opcode;
using lowlevel::Operation;
using lowlevel::SocketAddress;

// What each datagram counts for besides its bytes, as in CPython.
static constexpr std::size_t header_size = 8;

// How long to wait for a Unix socket that reads nothing: that a socket is writable, which is all
// that can be waited for, says nothing about one that it is not connected to.
static constexpr int retry_delay = 10;  // ms

// -EAGAIN if it would have to wait.
std::int64_t DatagramEndpoint::send(std::string_view data, const SocketAddress& to) {
    Buffer part{const_cast<char*>(data.data()), data.size()};
    SocketAddress address = to;
    Message message;
    if (!peername() && to.size != 0) {
        message.address = address.storage;
        message.address_size = address.size;
    }
    message.buffers = &part;
    message.buffer_count = 1;
    Operation operation(&run_nothing, Opcode::send_message, socket_.fileno());
    operation.data = &message;
    return loop().call(operation);
}

void DatagramEndpoint::sendto(std::string_view data, const Address& addr) {
    const Address only_to = only_to_.get() ? only_to_.get() : peername();
    if (only_to && addr && addr != only_to) {
        const std::string text = "Invalid address: must be None or " + python_address(only_to);
        raise_value_error(text.c_str());
    }
    if (closing_) {
        constexpr std::uint8_t log_from = 5;
        if (in_vain_ >= log_from) {
            log(Level::warning, "socket.send() raised exception.");
        } else {
            ++in_vain_;
        }
        return;
    }
    const Address to = only_to ? only_to : addr;
    if (output_ == nullptr) {
        const std::int64_t result = send(data, to.raw());
        if (result >= 0) {
            return;
        }
        if (result != -EAGAIN) {
            tell_error(static_cast<int>(-result), "send to ", to);
            return;
        }
    }
    keep(data, to);
}

void DatagramEndpoint::keep(std::string_view data, const Address& addr) {
    if (output_ == nullptr) {
        output_ = std::make_unique<Output>(*this, socket_.fileno());
    }
    output_->datagrams.push_back({std::string(data), addr});
    kept_ += data.size() + header_size;
    if (!output_->under_way) {
        output_->under_way = true;
        loop().start(*output_);
    }
    pause_if_full();
}

void DatagramEndpoint::on_output(Callback& callback) {
    go_on_sending(static_cast<Output&>(static_cast<Operation&>(callback)));
}

void DatagramEndpoint::on_retry(Callback& callback) {
    go_on_sending(static_cast<Output::Retry&>(callback).output);
}

void DatagramEndpoint::go_on_sending(Output& output) {
    DatagramEndpoint& self = output.endpoint;
    const std::shared_ptr<DatagramEndpoint> keep = self.self_;
    if (self.losing_ || self.lost_) {
        self.output_.reset();
        self.let_go();
        return;
    }
    self.send_kept();
}

void DatagramEndpoint::wait_for_output() noexcept {
    if (output_->stuck) {
        try {
            loop().arm(output_->retry,
                       after(loop().time(), std::chrono::milliseconds(retry_delay)));
            return;
        } catch (const std::bad_alloc&) {  // then it asks at once
        }
    }
    loop().start(*output_);
}

// An error concerns one datagram.
void DatagramEndpoint::send_kept() {
    struct GoOn {  // also when a SystemExit leaves the protocol
        DatagramEndpoint& endpoint;
        bool sent_all = false;  // then there is none, or one that the protocol has begun anew
        ~GoOn() {
            if (sent_all) {
                return;
            }
            if (endpoint.losing_) {  // aborted by the protocol
                endpoint.output_.reset();
            } else {
                endpoint.wait_for_output();
            }
        }
    } go_on{*this};
    output_->stuck = true;
    while (!losing_ && !output_->datagrams.empty()) {
        const Output::Datagram& first = output_->datagrams.front();
        const std::int64_t result = send(first.data, first.to.raw());
        if (result == -EAGAIN) {
            break;
        }
        output_->stuck = false;
        const Address to = first.to;
        kept_ -= first.data.size() + header_size;
        output_->datagrams.pop_front();
        if (result < 0) {
            tell_error(static_cast<int>(-result), "send to ", to);
        }
    }
    if (!losing_ && output_->datagrams.empty()) {
        output_.reset();
        go_on.sent_all = true;
    }
    resume_if_empty();
    if (output_ == nullptr && closing_ && !losing_) {
        lose_soon(nullptr);
    }
}

void DatagramEndpoint::pause_if_full() {
    if (kept_ > high_ && !std::exchange(paused_, true)) {
        tell("protocol.pause_writing() failed",
             [](BaseProtocol& protocol) { protocol.pause_writing(); });
    }
}

void DatagramEndpoint::resume_if_empty() {
    if (paused_ && kept_ <= low_) {
        paused_ = false;
        tell("protocol.resume_writing() failed",
             [](BaseProtocol& protocol) { protocol.resume_writing(); });
    }
}

}  // namespace asyncio::detail
