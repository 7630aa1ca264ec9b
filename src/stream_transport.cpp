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

struct WriterTransport {
    Transport& transport;
    std::shared_ptr<ProtocolTransport> own;  // that, if it is the library's
    std::optional<StreamHandle> reader;      // kept by a writer that was made over the transport
    bool closes;                             // to drop it closes the transport
};

// The transport that a writer was made over has a handle of its own: with the writer's the
// connection would stay open. CPython closes it, too.
void DropTransport::operator()(WriterTransport* dropped) const noexcept {
    const Owned<WriterTransport> owned(dropped);
    if (!dropped->closes || dropped->transport.is_closing()) {
        return;
    }
    if (EventLoop* const loop = dropped->own->connection().loop()) {
        if (loop->get_debug()) {
            log(Level::warning, "unclosed <StreamWriter>");
        }
        dropped->own->close();
    }
}

namespace {

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

}  // namespace detail

StreamWriter::StreamWriter(WriteTransport& transport, BaseProtocol& protocol,
                           const StreamReader* reader, EventLoop& loop)
    : handle_(detail::connection_below(transport, protocol, loop)) {
    std::optional<detail::StreamHandle> kept;
    if (reader != nullptr) {
        kept.emplace(reader->stream());
    }
    std::shared_ptr<detail::ProtocolTransport> own;
    if (auto* const found = dynamic_cast<detail::ProtocolTransport*>(&transport)) {
        own = found->shared_from_this();
    }
    const bool closes = own != nullptr;  // one of the program's is closed by its connection
    transport_.reset(new detail::WriterTransport{detail::whole(transport), std::move(own),
                                                 std::move(kept), closes});
}

Transport& StreamWriter::transport() const {
    if (transport_ == nullptr) {
        auto own = std::make_shared<detail::ProtocolTransport>(detail::StreamHandle(connection()),
                                                               nullptr);
        Transport& transport = *own;
        transport_.reset(
            new detail::WriterTransport{transport, std::move(own), std::nullopt, false});
    }
    return transport_->transport;
}

}  // namespace asyncio
