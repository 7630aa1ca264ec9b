// create_connection.cpp - how a protocol gets a connection.
//
// SPDX-License-Identifier: MIT
#include <asyncio/transports.hpp>

#include "attach_protocol.hpp"
#include "connect_socket.hpp"
#include "endpoints.hpp"
#include "loop_io.hpp"
#include "protocol_transport.hpp"
#include "socket_connection.hpp"
#include "tls_handshake.hpp"
#include "unix_endpoints.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace asyncio {

namespace detail {

std::shared_ptr<BaseProtocol> protocol_made_by(const MakeProtocol& make) {
    std::shared_ptr<BaseProtocol> protocol = make();
    if (protocol == nullptr) {
        raise_value_error("the protocol factory gave no protocol");
    }
    return protocol;
}

/// As in CPython: the protocol learns of its connection first.
Coroutine<UntypedPair<Transport>> attach_protocol(StreamHandle connection,
                                                  std::shared_ptr<BaseProtocol> protocol) {
    const auto transport = std::make_shared<ProtocolTransport>(std::move(connection), protocol);
    const Future<> ready = get_running_loop().create_future();
    transport->begin(ready);
    const Result<void> waited = co_await as_result(ready);
    if (!waited.has_value()) {  // cancelled
        transport->close();
        std::rethrow_exception(waited.error());
    }
    co_return UntypedPair<Transport>{transport.get(), std::move(protocol)};
}

namespace {

/// The protocol is made first, and learns of its connection after the handshake, if there is to be
/// TLS.
Coroutine<UntypedPair<Transport>> attach(MakeProtocol make, Socket socket, Address peer,
                                         std::optional<TLSSettings> tls) {
    std::shared_ptr<BaseProtocol> protocol = protocol_made_by(make);
    LoopIO& io = *socket.io();
    const StreamKeep carrier(
        *new SocketConnection(io, std::move(socket), default_stream_limit, peer.raw()));
    if (!tls.has_value()) {
        co_return co_await attach_protocol(StreamHandle(carrier.get()), std::move(protocol));
    }
    auto& connection = *new TLSConnection(connection_of(carrier.get()), default_stream_limit, *tls);
    StreamHandle handle(connection);
    co_await tls_handshake(connection);
    co_return co_await attach_protocol(std::move(handle), std::move(protocol));
}

Coroutine<UntypedPair<Transport>> connect(MakeProtocol make, ConnectRequest request,
                                          TLSRequest tls) {
    std::optional<TLSSettings> settings = client_tls_settings(tls, request.host);
    Connected connected = co_await connect_socket(std::move(request));
    co_return co_await attach(std::move(make), std::move(connected.socket), connected.peer,
                              std::move(settings));
}

Coroutine<UntypedPair<Transport>> adopt(MakeProtocol make, Socket socket, TLSRequest tls,
                                        bool server_side) {
    std::optional<TLSSettings> settings =
        server_side ? server_tls_settings(tls) : client_tls_settings(tls, "");
    check_stream(socket);
    const Address peer = socket.getpeername();
    co_return co_await attach(std::move(make), std::move(socket), peer, std::move(settings));
}

Coroutine<Transport&> upgrade(std::shared_ptr<ProtocolTransport> transport,
                              std::shared_ptr<BaseProtocol> protocol, TLSSettings settings) {
    Connection& carrier = transport->connection();
    if (carrier.closing()) {
        throw ConnectionResetError("Connection lost");
    }
    auto& connection = *new TLSConnection(carrier, default_stream_limit, settings);
    transport->upgrade(connection);
    if (transport->get_protocol() != protocol) {
        transport->set_protocol(std::move(protocol));
    }
    co_await tls_handshake(connection);
    transport->resume_after_upgrade();
    co_return *transport;
}

Coroutine<UntypedPair<Transport>> connect_to_path(MakeProtocol make, std::string path,
                                                  TLSRequest tls) {
    std::optional<TLSSettings> settings = client_tls_settings(tls, "", no_unix_name);
    Connected connected = co_await connect_unix(std::move(path));
    co_return co_await attach(std::move(make), std::move(connected.socket), connected.peer,
                              std::move(settings));
}

Coroutine<UntypedPair<Transport>> adopt_unix(MakeProtocol make, Socket socket, TLSRequest tls) {
    static_cast<void>(client_tls_settings(tls, "", no_unix_name));  // first, as in CPython
    check_unix_stream(socket);
    co_return co_await adopt(std::move(make), std::move(socket), std::move(tls), false);
}

}  // namespace

Coroutine<UntypedPair<Transport>> create_protocol_connection(
    MakeProtocol make, std::string_view host, int port, const CreateConnectionOptions& options) {
    return connect(std::move(make), connect_request(host, port, options),
                   tls_request(options.ssl, options));
}

Coroutine<UntypedPair<Transport>> create_protocol_connection(
    MakeProtocol make, Socket socket, const CreateConnectionOptions& options) {
    return adopt(std::move(make), std::move(socket), tls_request(options.ssl, options), false);
}

Coroutine<UntypedPair<Transport>> create_protocol_connection(
    MakeProtocol make, std::string_view path, const CreateUnixConnectionOptions& options) {
    return connect_to_path(std::move(make), std::string(path), tls_request(options.ssl, options));
}

Coroutine<UntypedPair<Transport>> create_protocol_connection(
    MakeProtocol make, Socket socket, const CreateUnixConnectionOptions& options) {
    return adopt_unix(std::move(make), std::move(socket), tls_request(options.ssl, options));
}

Coroutine<UntypedPair<Transport>> connect_accepted(MakeProtocol make, Socket socket,
                                                   const ConnectAcceptedSocketOptions& options) {
    return adopt(std::move(make), std::move(socket), tls_request(options.ssl, options), true);
}

}  // namespace detail

Coroutine<Transport&> start_tls(Transport& transport, std::shared_ptr<BaseProtocol> protocol,
                                const SSLContext& context, TransportStartTLSOptions options) {
    auto* const own = dynamic_cast<detail::ProtocolTransport*>(&transport);
    if (own == nullptr) {
        throw TypeError("transport " + transport.repr() + " is not supported by start_tls()");
    }
    return detail::upgrade(
        own->shared_from_this(), std::move(protocol),
        detail::upgrade_tls_settings(detail::tls_request(&context, options), options.server_side));
}

}  // namespace asyncio
