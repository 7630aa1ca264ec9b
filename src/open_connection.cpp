// open_connection.cpp - how a connection is made.
//
// SPDX-License-Identifier: MIT
#include <asyncio/streams.hpp>

#include <asyncio/detail/config.hpp>

#include "addresses.hpp"
#include "endpoints.hpp"
#include "loop_io.hpp"
#include "socket_connection.hpp"

#include <cerrno>
#include <cstring>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace asyncio {

namespace detail {

namespace {

StreamPair make_streams(Socket socket, std::size_t limit, const Address& peer) {
    LoopIO& io = *socket.io();
    auto* const connection = new SocketConnection(io, std::move(socket), limit, peer.raw());
    StreamReader reader(*connection);
    return {std::move(reader), StreamWriter(*connection)};
}

/// What open_connection() was asked for.
struct ConnectRequest {
    std::string host;
    bool has_host;
    int port;
    OpenConnectionOptions options;
    std::string local_host;
    bool has_local;

    [[nodiscard]] std::string_view host_view() const noexcept {
        return has_host ? std::string_view(host) : std::string_view();
    }
};

// Nobody listens, and the socket was given the very port that it is to connect to: TCP then makes a
// connection of one end.
bool connected_to_itself(const Socket& socket, const Address& peer) {
    return socket.getsockname() == peer;
}

/// The exception as Python's str() writes it: an OSError with its number.
std::string python_text(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const OSError& e) {
        if (e.error_number() == 0) {
            return e.doing();
        }
        return "[Errno " + std::to_string(e.error_number()) + "] " +
               (e.doing().empty() ? std::strerror(e.error_number()) : e.doing());
    } catch (const std::exception& e) {
        return e.what();
    } catch (...) {
        return describe(error);
    }
}

[[noreturn]] void raise_all(const std::vector<std::exception_ptr>& errors) {
    ASYNCIO_ASSERT(!errors.empty());
    const std::string first = python_text(errors.front());
    std::string all;
    bool same = true;
    for (const std::exception_ptr& error : errors) {
        const std::string text = python_text(error);
        same = same && text == first;
        all += (all.empty() ? "" : ", ") + text;
    }
    if (same) {
        std::rethrow_exception(errors.front());
    }
    throw OSError("Multiple exceptions: " + all);
}

void check_limit(std::size_t limit) {
    if (limit == 0) {
        raise_value_error("Limit cannot be <= 0");
    }
}

Coroutine<StreamPair> connect(ConnectRequest request) {
    check_limit(request.options.limit);
    const AddressInfoOptions wanted =
        stream_addresses(request.options.family, request.options.flags);
    const std::vector<AddressInfo> infos =
        co_await getaddrinfo(request.host_view(), request.port, wanted);
    std::vector<AddressInfo> local;
    if (!request.local_host.empty()) {
        local = co_await getaddrinfo(request.local_host, request.options.local_port, wanted);
    } else if (request.has_local) {
        for (const Address& any :
             all_interfaces(request.options.local_port, request.options.family)) {
            local.push_back({any.family(), SocketType::stream, 0, "", any});
        }
    }
    if (infos.empty() || (request.has_local && local.empty())) {
        throw OSError("getaddrinfo() returned empty list");
    }
    std::vector<std::exception_ptr> errors;
    for (const AddressInfo& info : infos) {
        Result<Socket> made = make_client_socket(info, request.has_local, local);
        if (!made.has_value()) {
            errors.push_back(made.error());
            continue;
        }
        Socket socket = std::move(made).get();
        const Result<void> connected = co_await as_result(sock_connect(socket, info.address));
        if (connected.has_value()) {
            if (!connected_to_itself(socket, info.address)) {
                co_return make_streams(std::move(socket), request.options.limit, info.address);
            }
            errors.push_back(
                make_os_error(ECONNREFUSED, "Connect call failed " + python_address(info.address)));
            continue;
        }
        if (connected.cancelled()) {
            std::rethrow_exception(connected.error());
        }
        errors.push_back(connected.error());
    }
    raise_all(errors);
}

Coroutine<StreamPair> adopt(Socket socket, std::size_t limit) {
    check_limit(limit);
    Address peer = socket.getpeername();
    co_return make_streams(std::move(socket), limit, peer);
}

}  // namespace

}  // namespace detail

Coroutine<StreamPair> open_connection(std::string_view host, int port,
                                      OpenConnectionOptions options) {
    detail::ConnectRequest request;
    request.host = host;
    request.has_host = host.data() != nullptr;
    request.port = port;
    request.options = options;
    request.local_host = options.local_host;
    request.has_local = !options.local_host.empty() || options.local_port != 0;
    return detail::connect(std::move(request));
}

Coroutine<StreamPair> open_connection(Socket socket, OpenConnectionOptions options) {
    return detail::adopt(std::move(socket), options.limit);
}

}  // namespace asyncio
