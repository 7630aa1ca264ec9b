// open_connection.cpp - how a connection is made.
//
// SPDX-License-Identifier: MIT
#include <asyncio/streams.hpp>

#include "connect_socket.hpp"
#include "endpoints.hpp"
#include "loop_io.hpp"
#include "socket_connection.hpp"
#include "tls_handshake.hpp"
#include "unix_endpoints.hpp"

#include <optional>
#include <string>
#include <utility>

namespace asyncio {

namespace detail {

namespace {

SocketConnection& make_connection(Connected connected, std::size_t limit) {
    LoopIO& io = *connected.socket.io();
    return *new SocketConnection(io, std::move(connected.socket), limit, connected.peer.raw());
}

StreamPair make_streams(Connection& connection) {
    StreamReader reader(connection);
    return {std::move(reader), StreamWriter(connection)};
}

Coroutine<StreamPair> make_tls_streams(Connected connected, std::size_t limit,
                                       TLSSettings settings) {
    const StreamKeep carrier(make_connection(std::move(connected), limit));
    auto& connection = *new TLSConnection(connection_of(carrier.get()), limit, settings);
    StreamPair streams = make_streams(connection);
    co_await tls_handshake(connection);
    co_return streams;
}

Coroutine<StreamPair> connect(ConnectRequest request, std::size_t limit, TLSRequest tls) {
    check_limit(limit);
    std::optional<TLSSettings> settings = client_tls_settings(tls, request.host);
    Connected connected = co_await connect_socket(std::move(request));
    if (!settings.has_value()) {
        co_return make_streams(make_connection(std::move(connected), limit));
    }
    co_return co_await make_tls_streams(std::move(connected), limit, *std::move(settings));
}

Coroutine<StreamPair> adopt(Socket socket, std::size_t limit, TLSRequest tls) {
    check_limit(limit);
    std::optional<TLSSettings> settings = client_tls_settings(tls, "");
    check_stream(socket);
    Connected connected;
    connected.peer = socket.getpeername();
    connected.socket = std::move(socket);
    if (!settings.has_value()) {
        co_return make_streams(make_connection(std::move(connected), limit));
    }
    co_return co_await make_tls_streams(std::move(connected), limit, *std::move(settings));
}

Coroutine<StreamPair> connect_to_path(std::string path, std::size_t limit, TLSRequest tls) {
    check_limit(limit);
    std::optional<TLSSettings> settings = client_tls_settings(tls, "", no_unix_name);
    Connected connected = co_await connect_unix(std::move(path));
    if (!settings.has_value()) {
        co_return make_streams(make_connection(std::move(connected), limit));
    }
    co_return co_await make_tls_streams(std::move(connected), limit, *std::move(settings));
}

Coroutine<StreamPair> adopt_unix(Socket socket, std::size_t limit, TLSRequest tls) {
    static_cast<void>(client_tls_settings(tls, "", no_unix_name));  // first, as in CPython
    check_unix_stream(socket);
    co_return co_await adopt(std::move(socket), limit, std::move(tls));
}

}  // namespace

}  // namespace detail

Coroutine<StreamPair> open_connection(std::string_view host, int port,
                                      OpenConnectionOptions options) {
    return detail::connect(detail::connect_request(host, port, options), options.limit,
                           detail::tls_request(options.ssl, options));
}

Coroutine<StreamPair> open_connection(Socket socket, OpenConnectionOptions options) {
    return detail::adopt(std::move(socket), options.limit,
                         detail::tls_request(options.ssl, options));
}

Coroutine<StreamPair> open_unix_connection(std::string_view path,
                                           OpenUnixConnectionOptions options) {
    return detail::connect_to_path(std::string(path), options.limit,
                                   detail::tls_request(options.ssl, options));
}

Coroutine<StreamPair> open_unix_connection(Socket socket, OpenUnixConnectionOptions options) {
    return detail::adopt_unix(std::move(socket), options.limit,
                              detail::tls_request(options.ssl, options));
}

}  // namespace asyncio
