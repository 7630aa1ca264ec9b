// open_connection.cpp - how a connection is made.
//
// SPDX-License-Identifier: MIT
#include <asyncio/streams.hpp>

#include "connect_socket.hpp"
#include "loop_io.hpp"
#include "socket_connection.hpp"
#include "unix_endpoints.hpp"

#include <string>
#include <utility>

namespace asyncio {

namespace detail {

namespace {

StreamPair make_streams(Socket socket, std::size_t limit, const Address& peer) {
    LoopIO& io = *socket.io();
    auto* const connection = new SocketConnection(io, std::move(socket), limit, peer.raw());
    StreamReader reader(*connection);
    return {std::move(reader), StreamWriter(*connection)};
}

void check_limit(std::size_t limit) {
    if (limit == 0) {
        raise_value_error("Limit cannot be <= 0");
    }
}

Coroutine<StreamPair> connect(ConnectRequest request, std::size_t limit) {
    check_limit(limit);
    Connected connected = co_await connect_socket(std::move(request));
    co_return make_streams(std::move(connected.socket), limit, connected.peer);
}

Coroutine<StreamPair> adopt(Socket socket, std::size_t limit) {
    check_limit(limit);
    Address peer = socket.getpeername();
    co_return make_streams(std::move(socket), limit, peer);
}

Coroutine<StreamPair> connect_to_path(std::string path, std::size_t limit) {
    check_limit(limit);
    Connected connected = co_await connect_unix(std::move(path));
    co_return make_streams(std::move(connected.socket), limit, connected.peer);
}

Coroutine<StreamPair> adopt_unix(Socket socket, std::size_t limit) {
    check_unix_stream(socket);
    co_return co_await adopt(std::move(socket), limit);
}

}  // namespace

}  // namespace detail

Coroutine<StreamPair> open_connection(std::string_view host, int port,
                                      OpenConnectionOptions options) {
    detail::ConnectRequest request;
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
    return detail::connect(std::move(request), options.limit);
}

Coroutine<StreamPair> open_connection(Socket socket, OpenConnectionOptions options) {
    return detail::adopt(std::move(socket), options.limit);
}

Coroutine<StreamPair> open_unix_connection(std::string_view path,
                                           OpenUnixConnectionOptions options) {
    return detail::connect_to_path(std::string(path), options.limit);
}

Coroutine<StreamPair> open_unix_connection(Socket socket, OpenUnixConnectionOptions options) {
    return detail::adopt_unix(std::move(socket), options.limit);
}

}  // namespace asyncio
