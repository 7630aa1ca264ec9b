// create_connection.hpp - what create_connection(), create_server() and their like are made of.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/detail/protocol_factory.hpp>
#include <asyncio/sockets.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asyncio {

class Server;
class Transport;
struct ConnectAcceptedSocketOptions;
struct CreateConnectionOptions;
struct CreateServerOptions;
struct CreateUnixConnectionOptions;
struct CreateUnixServerOptions;
template <class P, class T>
struct ProtocolPair;

namespace detail {

/// A transport, and its protocol, whatever type that has.
template <class T>
struct UntypedPair {
    T* transport;
    std::shared_ptr<BaseProtocol> protocol;
};

[[nodiscard]] Coroutine<UntypedPair<Transport>> create_protocol_connection(
    MakeProtocol make, std::string_view host, int port, const CreateConnectionOptions& options);
[[nodiscard]] Coroutine<UntypedPair<Transport>> create_protocol_connection(
    MakeProtocol make, Socket socket, const CreateConnectionOptions& options);
[[nodiscard]] Coroutine<UntypedPair<Transport>> create_protocol_connection(
    MakeProtocol make, std::string_view path, const CreateUnixConnectionOptions& options);
[[nodiscard]] Coroutine<UntypedPair<Transport>> create_protocol_connection(
    MakeProtocol make, Socket socket, const CreateUnixConnectionOptions& options);
[[nodiscard]] Coroutine<UntypedPair<Transport>> connect_accepted(
    MakeProtocol make, Socket socket, const ConnectAcceptedSocketOptions& options);

/// No host: all interfaces.
[[nodiscard]] Coroutine<Server> create_protocol_server(MakeProtocol make,
                                                       std::vector<std::string> hosts, int port,
                                                       const CreateServerOptions& options);
[[nodiscard]] Coroutine<Server> create_protocol_server(MakeProtocol make, Socket socket,
                                                       const CreateServerOptions& options);

[[nodiscard]] Coroutine<Server> create_unix_protocol_server(MakeProtocol make, std::string path,
                                                            const CreateUnixServerOptions& options);
[[nodiscard]] Coroutine<Server> create_unix_protocol_server(MakeProtocol make, Socket socket,
                                                            const CreateUnixServerOptions& options);

template <class P, class T>
Coroutine<ProtocolPair<P, T>> typed_pair(Coroutine<UntypedPair<T>> making) {
    UntypedPair<T> made = co_await std::move(making);
    co_return ProtocolPair<P, T>{*made.transport,
                                 std::static_pointer_cast<P>(std::move(made.protocol))};
}

}  // namespace detail

}  // namespace asyncio
