// fed_stream.cpp - how a reader that is fed by a protocol holds its transport back.
//
// SPDX-License-Identifier: MIT
#include "fed_stream.hpp"

#include <asyncio/exceptions.hpp>
#include <asyncio/log.hpp>

#include <exception>

namespace asyncio::detail {

FedStream* FedStream::of(StreamCount& stream) noexcept {
    return dynamic_cast<FedStream*>(&stream_of(stream));
}

void FedStream::set_transport(ReadTransport& transport) {
    if (transport_ != nullptr) {
        raise_runtime_error("Transport already set");
    }
    transport_ = &transport;
}

// Not while a task needs more than there is, however much that is.
void FedStream::feed(std::string_view data) {
    feed_data(data);
    const std::size_t size = buffered().size();
    if (transport_ == nullptr || feeder_paused() || reader_waits() || size <= limit() ||
        size - limit() <= limit()) {
        return;
    }
    try {
        transport_->pause_reading();
        set_feeder_paused(true);
    } catch (const NotImplementedError&) {
        transport_ = nullptr;  // it cannot be paused
    }
}

void FedStream::want_data() noexcept {
    if (feeder_paused()) {
        resume();
    }
}

void FedStream::consumed() noexcept {
    if (buffered().size() <= limit()) {
        resume();
    }
}

void FedStream::resume() noexcept {
    set_feeder_paused(false);
    if (transport_ == nullptr) {
        return;
    }
    try {
        transport_->resume_reading();
    } catch (...) {
        log_error("a transport could not resume reading: ", std::current_exception());
    }
}

}  // namespace asyncio::detail
