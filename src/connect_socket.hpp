// connect_socket.hpp - a connected socket, whatever becomes of it: connect_socket().
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>
#include <asyncio/sockets.hpp>
#include <asyncio/time.hpp>

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace asyncio::detail {

/// What open_connection() and create_connection() were asked for; passed by std::move().
struct ConnectRequest {
    std::string host;
    bool has_host = true;  ///< false: a null view, which stands for this machine
    int port = 0;
    AddressFamily family = AddressFamily::unspecified;
    int proto = 0;
    int flags = 0;
    std::string local_host;
    int local_port = 0;
    std::optional<Duration> happy_eyeballs_delay;  ///< none: one address after the other
    std::optional<int> interleave;                 ///< none: 1 with happy eyeballs, otherwise 0
    bool all_errors = false;

    [[nodiscard]] std::string_view host_view() const noexcept {
        return has_host ? std::string_view(host) : std::string_view();
    }
    [[nodiscard]] bool has_local() const noexcept { return !local_host.empty() || local_port != 0; }
};

/// As the options of either of them have it.
template <class Options>
[[nodiscard]] ConnectRequest connect_request(std::string_view host, int port,
                                             const Options& options) {
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
    return request;
}

/// A socket, and the address that it is connected to.
struct Connected {
    Socket socket;
    Address peer;
};

[[nodiscard]] bool is_os_error(const std::exception_ptr& error);

/// The addresses of each family in their order, the families by turns, after `first_family_count`
/// of the first one.
[[nodiscard]] std::vector<AddressInfo> interleave_addresses(const std::vector<AddressInfo>& infos,
                                                            int first_family_count);

/// Connects to one of `infos`, from one of `local` if there are any.
[[nodiscard]] Coroutine<Connected> connect_to_one(std::vector<AddressInfo> infos,
                                                  std::vector<AddressInfo> local,
                                                  std::optional<Duration> happy_eyeballs_delay,
                                                  bool all_errors);

/// Looks the host up and connects to one of its addresses: one after the other, or, with a delay,
/// the next when the one before has taken that long (RFC 8305).
///
/// Cancellation: every socket that was made is closed.
/// Errors: AddressInfoError; the OSError of the only address, or one that tells them all; with
///         all_errors an ExceptionGroup of them.
[[nodiscard]] Coroutine<Connected> connect_socket(ConnectRequest request);

}  // namespace asyncio::detail
