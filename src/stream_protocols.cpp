// stream_protocols.cpp - how a protocol feeds a reader, and tells a writer when to wait.
//
// SPDX-License-Identifier: MIT
#include <asyncio/stream_protocols.hpp>

#include <asyncio/events.hpp>

#include "fed_stream.hpp"
#include "report.hpp"
#include "transport_connection.hpp"

#include <utility>

namespace asyncio {

// --------------------------------------------------------------------------- FlowControlMixin

FlowControlMixin::~FlowControlMixin() {
    if (carrier_ != nullptr) {
        carrier_->release();
    }
}

void FlowControlMixin::pause_writing() {
    paused_ = true;
    if (carrier_ != nullptr) {
        carrier_->pause(true);
    }
}

void FlowControlMixin::resume_writing() {
    paused_ = false;
    if (carrier_ != nullptr) {
        carrier_->pause(false);
    }
}

void FlowControlMixin::connection_lost(std::exception_ptr exc) {
    lost_ = true;
    lost_by_ = exc;
    if (carrier_ != nullptr) {
        carrier_->lost_by_protocol(std::move(exc));
    }
}

// ----------------------------------------------------------------------- StreamReaderProtocol

namespace {

detail::StreamCount& stream_that_is_fed(detail::StreamCount& stream) {
    if (detail::FedStream::of(stream) == nullptr) {
        detail::raise_value_error("a connection feeds this reader");
    }
    return stream;
}

detail::FedStream& fed(const detail::StreamKeep& stream) noexcept {
    return static_cast<detail::FedStream&>(detail::stream_of(stream.get()));
}

}  // namespace

StreamReaderProtocol::StreamReaderProtocol(const StreamReader& stream_reader)
    : stream_(stream_that_is_fed(stream_reader.stream())) {}

StreamReaderProtocol::StreamReaderProtocol(const StreamReader& stream_reader,
                                           detail::StartClient start)
    : stream_(stream_that_is_fed(stream_reader.stream())), kept_(std::in_place, stream_.get()) {
    served_->start = std::move(start);
}

StreamReaderProtocol::~StreamReaderProtocol() {
    forget_transport();
}

void StreamReaderProtocol::forget_transport() noexcept {
    if (std::exchange(served_->transport, nullptr) != nullptr) {
        fed(stream_).forget_transport();
    }
}

// What serves the client ends with its connection closed, unless it has ended well: then the last
// handle closes it, or whoever has got one.
void StreamReaderProtocol::connection_made(Transport& transport) {
    fed(stream_).set_transport(transport);
    served_->transport = &transport;
    if (!kept_.has_value()) {
        return;
    }
    EventLoop& loop = get_running_loop();
    StreamReader reader(stream_.get());
    kept_.reset();
    StreamWriter writer(transport, *this, reader, loop);
    const AnyFuture task = served_->start(loop, std::move(reader), std::move(writer));
    if (!task) {
        return;
    }
    task.add_done_callback([served = served_](const AnyFuture& ended) {
        const std::exception_ptr error = ended.cancelled() ? nullptr : ended.exception();
        if (error != nullptr) {
            ExceptionContext context;
            detail::set_message(context,
                                [] { return "Unhandled exception in client_connected_cb"; });
            context.exception = error;
            context.transport = served->transport;
            get_running_loop().call_exception_handler(context);
        }
        if (served->transport != nullptr && (ended.cancelled() || error != nullptr)) {
            served->transport->close();
        }
    });
}

bool StreamReaderProtocol::serves() const noexcept {
    return static_cast<bool>(served_->start);
}

void StreamReaderProtocol::give_back(detail::Connection& carrier) {
    if (fed(stream_).reader() != nullptr) {
        throw RuntimeError(
            "start_tls() called while another coroutine is already waiting for incoming data");
    }
    if (!carrier.ended()) {
        carrier.feed_data(fed(stream_).take_all());
    }
}

void StreamReaderProtocol::data_received(std::string_view data) {
    if (!fed(stream_).unread()) {
        fed(stream_).feed(data);
    }
}

bool StreamReaderProtocol::eof_received() {
    fed(stream_).feed_eof();
    const Transport* const transport = served_->transport;
    return transport == nullptr || !transport->get_extra_info("sslcontext").has_value();
}

void StreamReaderProtocol::connection_lost(std::exception_ptr exc) {
    if (exc == nullptr) {
        fed(stream_).feed_eof();
    } else {
        fed(stream_).set_exception(exc);
    }
    forget_transport();
    FlowControlMixin::connection_lost(std::move(exc));
}

}  // namespace asyncio
