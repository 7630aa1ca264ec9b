// connect_socket.cpp - looking up a host, and trying its addresses.
//
// SPDX-License-Identifier: MIT
#include "connect_socket.hpp"

#include <asyncio/detail/config.hpp>

#include "addresses.hpp"
#include "endpoints.hpp"

#include <cerrno>
#include <cstring>
#include <exception>
#include <utility>
#include <vector>

namespace asyncio::detail {

namespace {

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

[[noreturn]] void raise_all(const std::vector<std::exception_ptr>& errors, bool all_errors) {
    ASYNCIO_ASSERT(!errors.empty());
    if (all_errors) {
        throw ExceptionGroup("create_connection failed", errors);
    }
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

}  // namespace

Coroutine<Connected> connect_socket(ConnectRequest request) {
    const bool has_local = request.has_local();
    const AddressInfoOptions wanted = stream_addresses(request.family, request.flags);
    const std::vector<AddressInfo> infos =
        co_await getaddrinfo(request.host_view(), request.port, wanted);
    std::vector<AddressInfo> local;
    if (!request.local_host.empty()) {
        local = co_await getaddrinfo(request.local_host, request.local_port, wanted);
    } else if (has_local) {
        for (const Address& any : all_interfaces(request.local_port, request.family)) {
            local.push_back({any.family(), SocketType::stream, 0, "", any});
        }
    }
    if (infos.empty() || (has_local && local.empty())) {
        throw OSError("getaddrinfo() returned empty list");
    }
    std::vector<std::exception_ptr> errors;
    for (const AddressInfo& info : infos) {
        Result<Socket> made = make_client_socket(info, has_local, local);
        if (!made.has_value()) {
            errors.push_back(made.error());
            continue;
        }
        Socket socket = std::move(made).get();
        const Result<void> connected = co_await as_result(sock_connect(socket, info.address));
        if (connected.has_value()) {
            if (!connected_to_itself(socket, info.address)) {
                co_return Connected{std::move(socket), info.address};
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
    raise_all(errors, request.all_errors);
}

}  // namespace asyncio::detail
