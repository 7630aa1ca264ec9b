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
#include "unix_endpoints.hpp"

#include <memory>
#include <string>
#include <utility>

namespace asyncio::detail {

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

StreamHandle carry(Socket socket, const Address& peer) {
    LoopIO& io = *socket.io();
    return StreamHandle(
        *new SocketConnection(io, std::move(socket), default_stream_limit, peer.raw()));
}

Coroutine<UntypedPair<Transport>> connect(MakeProtocol make, ConnectRequest request) {
    Connected connected = co_await connect_socket(std::move(request));
    std::shared_ptr<BaseProtocol> protocol = protocol_made_by(make);
    co_return co_await attach_protocol(carry(std::move(connected.socket), connected.peer),
                                       std::move(protocol));
}

Coroutine<UntypedPair<Transport>> adopt(MakeProtocol make, Socket socket) {
    check_stream(socket);
    const Address peer = socket.getpeername();
    std::shared_ptr<BaseProtocol> protocol = protocol_made_by(make);
    co_return co_await attach_protocol(carry(std::move(socket), peer), std::move(protocol));
}

Coroutine<UntypedPair<Transport>> connect_to_path(MakeProtocol make, std::string path) {
    Connected connected = co_await connect_unix(std::move(path));
    std::shared_ptr<BaseProtocol> protocol = protocol_made_by(make);
    co_return co_await attach_protocol(carry(std::move(connected.socket), connected.peer),
                                       std::move(protocol));
}

Coroutine<UntypedPair<Transport>> adopt_unix(MakeProtocol make, Socket socket) {
    check_unix_stream(socket);
    co_return co_await adopt(std::move(make), std::move(socket));
}

}  // namespace

Coroutine<UntypedPair<Transport>> create_protocol_connection(
    MakeProtocol make, std::string_view host, int port, const CreateConnectionOptions& options) {
    ConnectRequest request;
    request.host = host;
    request.has_host = host.data() != nullptr;
    request.port = port;
    request.family = options.family;
    request.proto = options.proto;
    request.flags = options.flags;
    request.local_host = options.local_host;
    request.local_port = options.local_port;
    request.happy_eyeballs_delay = options.happy_eyeballs_delay;
    request.interleave = options.interleave;
    request.all_errors = options.all_errors;
    return connect(std::move(make), std::move(request));
}

Coroutine<UntypedPair<Transport>> create_protocol_connection(MakeProtocol make, Socket socket,
                                                             const CreateConnectionOptions&) {
    return adopt(std::move(make), std::move(socket));
}

Coroutine<UntypedPair<Transport>> create_protocol_connection(MakeProtocol make,
                                                             std::string_view path,
                                                             const CreateUnixConnectionOptions&) {
    return connect_to_path(std::move(make), std::string(path));
}

Coroutine<UntypedPair<Transport>> create_protocol_connection(MakeProtocol make, Socket socket,
                                                             const CreateUnixConnectionOptions&) {
    return adopt_unix(std::move(make), std::move(socket));
}

Coroutine<UntypedPair<Transport>> connect_accepted(MakeProtocol make, Socket socket,
                                                   const ConnectAcceptedSocketOptions&) {
    return adopt(std::move(make), std::move(socket));
}

}  // namespace asyncio::detail
