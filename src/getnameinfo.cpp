// getnameinfo.cpp - looking up the names of addresses, in a thread.
//
// SPDX-License-Identifier: MIT
#include <asyncio/sockets.hpp>
#include <asyncio/threads.hpp>

#include <cerrno>
#include <utility>

#include <netdb.h>
#include <sys/socket.h>

namespace asyncio {

namespace {

struct Names {
    int error = 0;         // EAI_*
    int system_error = 0;  // errno, of EAI_SYSTEM
    NameInfo info;
};

Names find_names(const Address& address, int flags) {
    char host[NI_MAXHOST] = "";
    char service[NI_MAXSERV] = "";
    Names names;
    names.error =
        ::getnameinfo(reinterpret_cast<const sockaddr*>(address.raw().storage), address.raw().size,
                      host, sizeof host, service, sizeof service, flags);
    names.system_error = names.error == EAI_SYSTEM ? errno : 0;
    names.info = {host, service};
    return names;
}

Coroutine<NameInfo> look_up(Address address, int flags) {
    EventLoop& loop = get_running_loop();
    auto pending = loop.run_in_executor(&loop.resolver_executor(),
                                        [address, flags] { return find_names(address, flags); });
    Names names = co_await pending;
    if (names.error == EAI_SYSTEM) {
        detail::raise_os_error(names.system_error, "getnameinfo " + address.to_string());
    }
    if (names.error != 0) {
        throw AddressInfoError(names.error, ::gai_strerror(names.error), address.to_string());
    }
    co_return std::move(names.info);
}

}  // namespace

Coroutine<NameInfo> getnameinfo(const Address& address, int flags) {
    return look_up(address, flags);
}

}  // namespace asyncio
