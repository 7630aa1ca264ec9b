// http_url.hpp - the parts of a URL: Url, parse_url().
//
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace http {

/// The URL is none, or what came back is no proper answer.
class HttpError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct Url {
    std::string host;
    int port = 80;
    std::string target = "/";  ///< path and query
};

/// Splits `http://host[:port][/path][?query]`.
inline Url parse_url(std::string_view text) {
    constexpr std::string_view scheme = "http://";
    if (text.starts_with("https://")) {
        throw HttpError("https needs TLS, which this client does not have yet");
    }
    if (!text.starts_with(scheme)) {
        throw HttpError("only URLs that begin with http:// are understood");
    }
    const auto forbidden = [](unsigned char c) { return c <= ' ' || c == 0x7f; };
    if (std::any_of(text.begin(), text.end(), forbidden)) {
        throw HttpError("there is a space or a control character in the URL");
    }
    text.remove_prefix(scheme.size());
    text = text.substr(0, text.find('#'));
    std::string_view authority = text.substr(0, text.find_first_of("/?"));

    Url url;
    if (std::string_view target = text.substr(authority.size()); !target.empty()) {
        url.target = (target.front() == '/' ? "" : "/") + std::string(target);
    }
    // The colon of a port comes after the bracket of an IPv6 address, if there is one.
    const auto bracket = authority.find(']');
    const auto colon = authority.find(':', bracket == authority.npos ? 0 : bracket);
    if (colon != authority.npos) {
        const char* const end = authority.data() + authority.size();
        const char* const digits = authority.data() + colon + 1;
        const auto [stopped_at, error] = std::from_chars(digits, end, url.port);
        if (error != std::errc() || stopped_at != end || url.port < 1 || url.port > 65535) {
            throw HttpError("the port of the URL is not a number from 1 to 65535");
        }
        authority = authority.substr(0, colon);
    }
    if (authority.starts_with('[') && authority.ends_with(']')) {
        authority = authority.substr(1, authority.size() - 2);
    }
    if (authority.empty() || authority.find_first_of("@[]") != authority.npos) {
        throw HttpError("the host of the URL is missing, or written in a way not understood here");
    }
    url.host = authority;
    return url;
}

}  // namespace http
