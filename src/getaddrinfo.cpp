// getaddrinfo.cpp - looking up names, in a thread.
//
// SPDX-License-Identifier: MIT
#include <asyncio/sockets.hpp>
#include <asyncio/threads.hpp>

#include "addresses.hpp"

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace asyncio {

using lowlevel::SocketAddress;

namespace {

/// What a lookup asks for, and what it came to: they go to a thread and back.
struct Query {
    std::optional<std::string> host;
    std::string service;
    AddressInfoOptions options;
};

struct Answer {
    int error = 0;         // EAI_*
    int system_error = 0;  // errno, of EAI_SYSTEM
    std::vector<AddressInfo> infos;
};

}  // namespace

static Answer resolve(const Query& query) {
    addrinfo hints{};
    hints.ai_family = detail::system_family(query.options.family);
    hints.ai_socktype = detail::system_type(query.options.type);
    hints.ai_protocol = query.options.proto;
    hints.ai_flags = query.options.flags;
    addrinfo* first = nullptr;
    Answer answer;
    answer.error = ::getaddrinfo(query.host.has_value() ? query.host->c_str() : nullptr,
                                 query.service.c_str(), &hints, &first);
    answer.system_error = answer.error == EAI_SYSTEM ? errno : 0;
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(
        answer.error == 0 ? first : nullptr, &::freeaddrinfo);
    for (const addrinfo* info = owner.get(); info != nullptr; info = info->ai_next) {
        SocketAddress raw;
        if (info->ai_addrlen > sizeof raw.storage) {
            continue;
        }
        std::memcpy(raw.storage, info->ai_addr, info->ai_addrlen);
        raw.size = info->ai_addrlen;
        answer.infos.push_back({detail::family_of(info->ai_family),
                                detail::type_of(info->ai_socktype), info->ai_protocol,
                                info->ai_canonname != nullptr ? info->ai_canonname : "",
                                Address(raw)});
    }
    return answer;
}

// Of these flags a numeric host, with its port as a number, is the same without asking the C
// library.
static constexpr int flags_of_numbers = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV;

// What the C library would answer for a numeric host, without asking it.
static std::vector<AddressInfo> numeric(const Address& address, const AddressInfoOptions& options) {
    struct Kind {
        SocketType type;
        int proto;
    };
    static constexpr Kind kinds[] = {{SocketType::stream, IPPROTO_TCP},
                                     {SocketType::datagram, IPPROTO_UDP},
                                     {SocketType::other, 0}};
    std::vector<AddressInfo> infos;
    for (const Kind& kind : kinds) {
        if ((options.type == SocketType::any || options.type == kind.type) &&
            (options.proto == 0 || options.proto == kind.proto)) {
            infos.push_back({address.family(), kind.type, kind.proto, "", address});
        }
    }
    return infos;
}

static Coroutine<std::vector<AddressInfo>> look_up(Query query) {
    const std::string host = query.host.value_or("");
    EventLoop& loop = get_running_loop();
    auto pending = loop.run_in_executor(&loop.resolver_executor(),
                                        [query = std::move(query)] { return resolve(query); });
    Answer answer = co_await pending;
    if (answer.error == EAI_SYSTEM) {
        detail::raise_os_error(answer.system_error, "getaddrinfo " + host);
    }
    if (answer.error != 0) {
        throw AddressInfoError(answer.error, ::gai_strerror(answer.error), host);
    }
    co_return std::move(answer.infos);
}

static Coroutine<std::vector<AddressInfo>> give(std::vector<AddressInfo> infos) {
    co_return std::move(infos);
}

static Query make_query(std::string_view host, std::string service, AddressInfoOptions options) {
    if (host.find('\0') != std::string_view::npos || service.find('\0') != std::string::npos) {
        detail::raise_value_error("embedded null character");
    }
    Query query;
    if (host.data() != nullptr) {
        query.host.emplace(host);
    }
    query.service = std::move(service);
    query.options = options;
    return query;
}

Coroutine<std::vector<AddressInfo>> getaddrinfo(std::string_view host, int port,
                                                AddressInfoOptions options) {
    if (port < 0 || port > 65535) {
        detail::raise_value_error("port must be 0-65535.");
    }
    // Zones are left to the C library, as CPython does.
    if (host.find('%') == std::string_view::npos && (options.flags & ~flags_of_numbers) == 0) {
        const std::optional<Address> address = Address::parse(host, port);
        if (address.has_value() &&
            (options.family == AddressFamily::unspecified || options.family == address->family())) {
            std::vector<AddressInfo> infos = numeric(*address, options);
            if (!infos.empty()) {
                return give(std::move(infos));
            }
        }
    }
    return look_up(make_query(host, std::to_string(port), options));
}

Coroutine<std::vector<AddressInfo>> getaddrinfo(std::string_view host, std::string_view service,
                                                AddressInfoOptions options) {
    return look_up(make_query(host, std::string(service), options));
}

}  // namespace asyncio
