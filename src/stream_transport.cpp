// stream_transport.cpp - writers over transports, and the transports of writers.
//
// SPDX-License-Identifier: MIT
#include <asyncio/log.hpp>
#include <asyncio/streams.hpp>

#include "protocol_transport.hpp"
#include "transport_connection.hpp"

#include <memory>
#include <optional>
#include <utility>

namespace asyncio {

namespace detail {

namespace {

/// What a writer over a transport keeps besides its connection.
struct Written {
    Written(std::shared_ptr<ProtocolTransport> of, StreamCount* stream) : transport(std::move(of)) {
        if (stream != nullptr) {
            reader.emplace(*stream);
        }
    }
    Written(const Written&) = delete;
    Written& operator=(const Written&) = delete;
    // The transport has a handle of its own: with the writer's it would stay open.
    ~Written() {
        if (transport == nullptr || transport->is_closing()) {
            return;
        }
        if (EventLoop* const loop = transport->connection().loop()) {
            if (loop->get_debug()) {
                log(Level::warning, "unclosed <StreamWriter>");
            }
            transport->close();
        }
    }

    std::shared_ptr<ProtocolTransport> transport;  // null if it is the program's
    std::optional<StreamHandle> reader;
};

Transport& whole(WriteTransport& transport) {
    auto* const both = dynamic_cast<Transport*>(&transport);
    if (both == nullptr) {
        throw TypeError("a StreamWriter needs a Transport");
    }
    return *both;
}

StreamCount& connection_below(WriteTransport& transport, BaseProtocol& protocol, EventLoop& loop) {
    if (auto* const own = dynamic_cast<ProtocolTransport*>(&transport)) {
        return own->connection();
    }
    auto* const flow_control = dynamic_cast<FlowControlMixin*>(&protocol);
    if (flow_control == nullptr) {
        throw TypeError("the protocol of a StreamWriter's transport is to be a FlowControlMixin");
    }
    return TransportConnection::of(whole(transport), *flow_control, loop);
}

}  // namespace

WriterTransport::~WriterTransport() = default;

}  // namespace detail

StreamWriter::StreamWriter(WriteTransport& transport, BaseProtocol& protocol,
                           const StreamReader* reader, EventLoop& loop)
    : handle_(detail::connection_below(transport, protocol, loop)) {
    std::shared_ptr<detail::ProtocolTransport> own;
    if (auto* const found = dynamic_cast<detail::ProtocolTransport*>(&transport)) {
        own = found->shared_from_this();
    }
    const auto written = std::make_shared<detail::Written>(
        std::move(own), reader != nullptr ? &reader->stream() : nullptr);
    transport_.made = std::shared_ptr<Transport>(written, &detail::whole(transport));
}

Transport& StreamWriter::transport() const {
    if (transport_.made == nullptr) {
        transport_.made = std::make_shared<detail::ProtocolTransport>(
            detail::StreamHandle(connection()), nullptr);
    }
    return *transport_.made;
}

}  // namespace asyncio
