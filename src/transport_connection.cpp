// transport_connection.cpp - a writer's connection over a transport of the program's own.
//
// SPDX-License-Identifier: MIT
#include "transport_connection.hpp"

#include <asyncio/log.hpp>

namespace asyncio::detail {

TransportConnection::TransportConnection(Transport& transport, EventLoop& loop)
    : Connection(default_stream_limit), transport_(&transport), loop_(loop) {}

TransportConnection& TransportConnection::of(Transport& transport, FlowControlMixin& protocol,
                                             EventLoop& loop) {
    if (protocol.carrier_ == nullptr) {
        auto& made = *new TransportConnection(transport, loop);
        made.retain();
        protocol.carrier_ = &made;
        made.set_paused(protocol.paused_);
        if (protocol.lost_) {
            made.lost_by_protocol(protocol.lost_by_);
        }
    }
    return *protocol.carrier_;
}

void TransportConnection::lost_by_protocol(std::exception_ptr error) {
    if (!lost()) {
        transport_ = nullptr;
        closing_ = true;
        set_lost(std::move(error));
    }
}

void TransportConnection::write(std::string_view bytes) {
    if (transport_ != nullptr) {
        transport_->write(bytes);
    }
}

void TransportConnection::write_all(std::span<const std::string_view> views) {
    if (transport_ != nullptr) {
        transport_->writelines(views);
    }
}

void TransportConnection::write_eof() {
    if (transport_ != nullptr) {
        transport_->write_eof();
    }
}

template <class What>
void TransportConnection::tell(What what) noexcept {
    if (transport_ == nullptr) {
        return;
    }
    try {
        what(*transport_);
    } catch (...) {
        log_error("a transport under a StreamWriter threw: ", std::current_exception());
    }
}

bool TransportConnection::can_write_eof() const noexcept {
    try {
        return transport_ != nullptr && transport_->can_write_eof();
    } catch (const NotImplementedError&) {
        return false;
    }
}

void TransportConnection::close() noexcept {
    if (!std::exchange(closing_, true)) {
        tell([](Transport& transport) { transport.close(); });
    }
}

void TransportConnection::force_close(std::exception_ptr) noexcept {
    closing_ = true;
    tell([](Transport& transport) { transport.abort(); });
}

// Whoever is to wait does so until the protocol says otherwise.
std::size_t TransportConnection::write_buffer_size() const noexcept {
    std::size_t size = 0;
    try {
        size = transport_ != nullptr ? transport_->get_write_buffer_size() : 0;
    } catch (const NotImplementedError&) {}
    return size == 0 && paused() ? 1 : size;
}

void TransportConnection::set_write_buffer_limits(WriteBufferLimits limits) {
    if (transport_ != nullptr) {
        transport_->set_write_buffer_limits(limits);
    }
}

std::pair<std::size_t, std::size_t> TransportConnection::write_buffer_limits() const {
    return transport_ != nullptr ? transport_->get_write_buffer_limits()
                                 : Connection::write_buffer_limits();
}

Address TransportConnection::peername() const {
    return transport_ != nullptr ? transport_->peername() : Address();
}

Address TransportConnection::sockname() const {
    return transport_ != nullptr ? transport_->sockname() : Address();
}

TransportSocket TransportConnection::socket() const {
    return transport_ != nullptr ? transport_->socket() : TransportSocket(Socket());
}

std::optional<std::string> TransportConnection::extra_info(std::string_view name) const {
    return transport_ != nullptr ? transport_->get_extra_info(name) : std::nullopt;
}

}  // namespace asyncio::detail
