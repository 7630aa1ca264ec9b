// tls_settings.hpp - what options say about TLS: TLSRequest, and what follows from it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/ssl.hpp>
#include <asyncio/time.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace asyncio::detail {

/// The options of TLS, as they were given; copied, because options last for a call only.
struct TLSRequest {
    std::shared_ptr<TLSContext> context;  // null: no TLS
    std::optional<std::string> server_hostname;
    std::optional<Duration> handshake_timeout;
    std::optional<Duration> shutdown_timeout;
    bool suppress_ragged_eofs = false;
};

/// Of a client or a server.
template <class Options>
[[nodiscard]] TLSRequest tls_request(const SSLContext* context, const Options& options) {
    TLSRequest request;
    if (context != nullptr) {
        request.context = context->implementation();
    }
    if constexpr (requires { options.server_hostname; }) {
        if (options.server_hostname.data() != nullptr) {
            request.server_hostname = options.server_hostname;
        }
    }
    request.handshake_timeout = options.ssl_handshake_timeout;
    request.shutdown_timeout = options.ssl_shutdown_timeout;
    request.suppress_ragged_eofs = options.suppress_ragged_eofs;
    return request;
}

/// What a connection's owner has to say about its TLS.
struct TLSSettings {
    std::shared_ptr<TLSContext> context;
    std::string server_hostname;
    Duration handshake_timeout = 60;
    Duration shutdown_timeout = 30;
    bool server_side = false;
    bool suppress_ragged_eofs = false;
};

/// A number of seconds as Python writes it: "60.0".
[[nodiscard]] std::string seconds_text(Duration duration);

/// Nullopt if there is to be no TLS. std::invalid_argument (ValueError) for what does not go
/// together, with Python's texts.
[[nodiscard]] std::optional<TLSSettings> server_tls_settings(const TLSRequest& request);
/// What is said where a client has no name to check.
inline constexpr const char* no_host_name =
    "You must set server_hostname when using ssl without a host";
inline constexpr const char* no_unix_name = "you have to pass server_hostname when using ssl";

/// `host`: whom the client connects to, if it has a name; its certificate is to be for that.
[[nodiscard]] std::optional<TLSSettings> client_tls_settings(const TLSRequest& request,
                                                             std::string_view host,
                                                             const char* no_name = no_host_name);
/// Of a connection that is there already: a host name is not asked for here, but by the context.
[[nodiscard]] TLSSettings upgrade_tls_settings(const TLSRequest& request, bool server_side);

}  // namespace asyncio::detail
