// create_datagram_endpoint.cpp - how a protocol gets a socket for datagrams.
//
// SPDX-License-Identifier: MIT
#include <asyncio/datagrams.hpp>

#include "addresses.hpp"
#include "connect_socket.hpp"
#include "datagram_transport.hpp"
#include "endpoints.hpp"
#include "unix_endpoints.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace asyncio::detail {

namespace {

/// An address of the options that is kept.
struct Place {
    DatagramAddress::Kind kind;
    std::string text;
    int port;
    Address address;

    explicit Place(const DatagramAddress& from)
        : kind(from.kind()), text(from.text()), port(from.port()), address(from.address()) {}
    explicit operator bool() const noexcept { return kind != DatagramAddress::Kind::none; }
};

struct EndpointRequest {
    explicit EndpointRequest(const CreateDatagramEndpointOptions& options)
        : local(options.local_addr),
          remote(options.remote_addr),
          family(options.family),
          proto(options.proto),
          flags(options.flags),
          reuse_port(options.reuse_port),
          allow_broadcast(options.allow_broadcast) {}

    Place local;
    Place remote;
    AddressFamily family;
    int proto;
    int flags;
    bool reuse_port;
    bool allow_broadcast;
};

/// What goes together: of one family.
struct Ends {
    AddressFamily family;
    int proto;
    Address local;
    Address remote;
};

Coroutine<std::vector<AddressInfo>> resolve(const EndpointRequest& request, const Place& place) {
    if (place.kind == DatagramAddress::Kind::address) {
        std::vector<AddressInfo> one;
        one.push_back({place.address.family(), SocketType::datagram, 0, "", place.address});
        co_return one;
    }
    if (place.kind == DatagramAddress::Kind::path) {
        throw TypeError("a host and a port are expected");
    }
    AddressInfoOptions options;
    options.family = request.family;
    options.type = SocketType::datagram;
    options.proto = request.proto;
    options.flags = request.flags;
    std::vector<AddressInfo> infos = co_await getaddrinfo(place.text, place.port, options);
    if (infos.empty()) {
        throw OSError("getaddrinfo() returned empty list");
    }
    co_return infos;
}

// Each family for which both are known, if both are asked for, in the order of getaddrinfo(). Of
// several addresses of one family it is the last, as in CPython.
Coroutine<std::vector<Ends>> find_ends(const EndpointRequest& request) {
    std::vector<Ends> all;
    for (const bool is_local : {true, false}) {
        const Place& place = is_local ? request.local : request.remote;
        if (!place) {
            continue;
        }
        const std::vector<AddressInfo> infos = co_await resolve(request, place);
        for (const AddressInfo& info : infos) {
            auto ends = std::find_if(all.begin(), all.end(), [&](const Ends& known) {
                return known.family == info.family;
            });
            if (ends == all.end()) {
                ends = all.insert(ends, Ends{info.family, request.proto, Address(), Address()});
            }
            (is_local ? ends->local : ends->remote) = info.address;
        }
    }
    std::erase_if(all, [&](const Ends& ends) {
        return (request.local && !ends.local) || (request.remote && !ends.remote);
    });
    if (all.empty()) {
        raise_value_error("can not get address information");
    }
    co_return all;
}

Address unix_address(const Place& place) {
    switch (place.kind) {
        case DatagramAddress::Kind::none:
            return {};
        case DatagramAddress::Kind::address:
            return place.address;
        case DatagramAddress::Kind::path:
            return Address::from_path(place.text);
        default:
            throw TypeError("string is expected");
    }
}

Ends unix_ends(const EndpointRequest& request) {
    Ends ends{AddressFamily::unix_, 0, unix_address(request.local), unix_address(request.remote)};
    const std::string path = ends.local.host();
    if (!path.empty() && path.front() != '\0') {
        remove_stale_socket(path);
    }
    return ends;
}

bool is_unix(const EndpointRequest& request) {
    return request.family == AddressFamily::unix_ ||
           (request.family == AddressFamily::unspecified &&
            (request.local.address.family() == AddressFamily::unix_ ||
             request.remote.address.family() == AddressFamily::unix_));
}

Coroutine<Socket> make_socket(const EndpointRequest& request, const Ends& ends) {
    Socket socket(ends.family, SocketType::datagram);
    if (request.reuse_port) {
        socket.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (request.allow_broadcast) {
        socket.setsockopt(SOL_SOCKET, SO_BROADCAST, 1);
    }
    if (ends.local) {
        socket.bind(ends.local);
    }
    // Connected to a broadcast address it would receive nothing.
    if (ends.remote && !request.allow_broadcast) {
        co_await sock_connect(socket, ends.remote);
    }
    co_return socket;
}

Coroutine<UntypedPair<DatagramTransport>> attach(MakeProtocol make, Socket socket,
                                                 Address only_to) {
    std::shared_ptr<BaseProtocol> protocol = make();
    if (protocol == nullptr) {
        raise_value_error("the protocol factory gave no protocol");
    }
    const auto endpoint = std::make_shared<DatagramEndpoint>(std::move(socket), protocol, only_to);
    const Future<> ready = get_running_loop().create_future();
    endpoint->begin(ready);
    const Result<void> waited = co_await as_result(ready);
    if (!waited.has_value()) {  // cancelled
        endpoint->close();
        std::rethrow_exception(waited.error());
    }
    co_return UntypedPair<DatagramTransport>{endpoint.get(), std::move(protocol)};
}

Coroutine<UntypedPair<DatagramTransport>> create(MakeProtocol make, EndpointRequest request) {
    std::vector<Ends> all;
    if (!request.local && !request.remote) {
        if (request.family == AddressFamily::unspecified) {
            raise_value_error("unexpected address family");
        }
        all.push_back({request.family, request.proto, Address(), Address()});
    } else if (is_unix(request)) {
        all.push_back(unix_ends(request));
    } else {
        all = co_await find_ends(request);
    }
    std::exception_ptr first_error;
    for (const Ends& ends : all) {
        Result<Socket> made = co_await as_result(make_socket(request, ends));
        if (made.has_value()) {
            const Address only_to = request.allow_broadcast ? ends.remote : Address();
            co_return co_await attach(std::move(make), std::move(made).get(), only_to);
        }
        if (!is_os_error(made.error())) {
            std::rethrow_exception(made.error());
        }
        first_error = first_error != nullptr ? first_error : made.error();
    }
    std::rethrow_exception(first_error);
}

Coroutine<UntypedPair<DatagramTransport>> adopt(MakeProtocol make, Socket socket) {
    if (socket.type() == SocketType::stream) {
        raise_value_error("A datagram socket was expected");
    }
    co_return co_await attach(std::move(make), std::move(socket), Address());
}

}  // namespace

Coroutine<UntypedPair<DatagramTransport>> create_endpoint(
    MakeProtocol make, const CreateDatagramEndpointOptions& options) {
    return create(std::move(make), EndpointRequest(options));
}

Coroutine<UntypedPair<DatagramTransport>> create_endpoint(MakeProtocol make, Socket socket) {
    return adopt(std::move(make), std::move(socket));
}

}  // namespace asyncio::detail
