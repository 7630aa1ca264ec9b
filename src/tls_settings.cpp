// tls_settings.cpp - what of the options of TLS goes together.
//
// SPDX-License-Identifier: MIT
#include "tls_settings.hpp"

#include <asyncio/exceptions.hpp>

#include <charconv>

namespace asyncio::detail {

std::string seconds_text(Duration duration) {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, duration.seconds());
    const std::string seconds(text, end.ptr);
    return seconds.find_first_of(".e") == std::string::npos ? seconds + ".0" : seconds;
}

static void set_timeout(Duration& timeout, const std::optional<Duration>& given, const char* name) {
    if (!given.has_value()) {
        return;
    }
    if (*given <= Duration(0)) {
        raise_value_error(
            (std::string(name) + " should be a positive number, got " + seconds_text(*given))
                .c_str());
    }
    timeout = *given;
}

static std::optional<TLSSettings> common_settings(const TLSRequest& request) {
    if (request.context == nullptr) {
        if (request.server_hostname.has_value()) {
            raise_value_error("server_hostname is only meaningful with ssl");
        }
        if (request.handshake_timeout.has_value()) {
            raise_value_error("ssl_handshake_timeout is only meaningful with ssl");
        }
        if (request.shutdown_timeout.has_value()) {
            raise_value_error("ssl_shutdown_timeout is only meaningful with ssl");
        }
        return std::nullopt;
    }
    TLSSettings settings;
    settings.context = request.context;
    settings.suppress_ragged_eofs = request.suppress_ragged_eofs;
    set_timeout(settings.handshake_timeout, request.handshake_timeout, "ssl_handshake_timeout");
    set_timeout(settings.shutdown_timeout, request.shutdown_timeout, "ssl_shutdown_timeout");
    return settings;
}

std::optional<TLSSettings> server_tls_settings(const TLSRequest& request) {
    std::optional<TLSSettings> settings = common_settings(request);
    if (settings.has_value()) {
        settings->server_side = true;
        settings->server_hostname = request.server_hostname.value_or("");
    }
    return settings;
}

std::optional<TLSSettings> client_tls_settings(const TLSRequest& request, std::string_view host,
                                               const char* no_name) {
    std::optional<TLSSettings> settings = common_settings(request);
    if (settings.has_value()) {
        if (!request.server_hostname.has_value() && host.empty()) {
            raise_value_error(no_name);
        }
        settings->server_hostname = request.server_hostname.value_or(std::string(host));
    }
    return settings;
}

TLSSettings upgrade_tls_settings(const TLSRequest& request, bool server_side) {
    TLSSettings settings = common_settings(request).value();
    settings.server_side = server_side;
    settings.server_hostname = request.server_hostname.value_or("");
    return settings;
}

}  // namespace asyncio::detail
