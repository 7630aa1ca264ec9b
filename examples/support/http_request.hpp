// http_request.hpp - what a client asks for: Request, parse_request().
//
// Strict where laxness has let requests be smuggled past a proxy that reads them differently: RFC
// 9112, sections 2.2, 5.1, 6.1 and 6.3. Parsing does no I/O: it is given the head as a whole.
// SPDX-License-Identifier: MIT
#pragma once

#include "http_body.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace http {

/// The request cannot be served, and the connection not be used any more.
class RequestError : public std::runtime_error {
public:
    RequestError(int status, const std::string& why) : runtime_error(why), status_(status) {}
    /// What to answer.
    [[nodiscard]] int status() const noexcept { return status_; }

private:
    int status_;
};

struct Request {
    std::string method;
    std::string path;   ///< without the query
    std::string query;  ///< without the question mark
    int minor_version = 1;
    std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
    std::string body;

    /// The value of a header that may be there once at most.
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const {
        std::optional<std::string_view> found;
        for (const auto& [key, value] : headers) {
            if (key == name) {
                if (found.has_value()) {
                    throw RequestError(400, "two headers of the name " + key);
                }
                found = value;
            }
        }
        return found;
    }
    /// Is `option` among the words of the Connection headers?
    [[nodiscard]] bool connection(std::string_view option) const;
    /// May another request follow on the same connection?
    [[nodiscard]] bool keep_alive() const {
        return !connection("close") && (minor_version >= 1 || connection("keep-alive"));
    }
};

inline bool Request::connection(std::string_view option) const {
    for (const auto& [name, value] : headers) {
        if (name != "connection") {
            continue;
        }
        std::string_view rest = value;
        while (!rest.empty()) {
            const auto comma = std::min(rest.find(','), rest.size());
            if (detail::to_lower(std::string(detail::trim(rest.substr(0, comma)))) == option) {
                return true;
            }
            rest.remove_prefix(std::min(comma + 1, rest.size()));
        }
    }
    return false;
}

namespace detail {

constexpr std::size_t most_headers = 100;
constexpr std::size_t longest_target = 4 << 10;

/// What names of methods and headers are made of.
inline bool is_token(std::string_view text) {
    const auto allowed = [](unsigned char c) {
        return std::isalnum(c) != 0 ||
               (c != 0 && std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) !=
                              std::string_view::npos);
    };
    return !text.empty() && std::all_of(text.begin(), text.end(), allowed);
}

inline bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(),
                       [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; });
}

/// Takes a line off `head`. Bare newlines, and carriage returns elsewhere, have their own fame.
inline std::string_view take_line(std::string_view& head) {
    const auto end = head.find('\n');
    if (end == head.npos || end == 0 || head[end - 1] != '\r') {
        throw RequestError(400, "a line does not end with CR LF");
    }
    const std::string_view line = head.substr(0, end - 1);
    head.remove_prefix(end + 1);
    return line;
}

inline void parse_target(std::string_view target, Request& request) {
    if (target.size() > longest_target) {
        throw RequestError(414, "the target is too long");
    }
    if (target == "*" && request.method == "OPTIONS") {
        request.path = target;
        return;
    }
    constexpr std::string_view scheme = "http://";  // proxies are asked so, and so may any server
    if (target.starts_with(scheme)) {
        target.remove_prefix(std::min(target.find_first_of("/?", scheme.size()), target.size()));
        target = target.empty() ? "/" : target;
    }
    if ((!target.starts_with('/') && !target.starts_with('?')) ||
        target.find('\t') != target.npos) {
        throw RequestError(400, "the target is not a path");
    }
    const auto question = std::min(target.find('?'), target.size());
    request.path = question == 0 ? "/" : target.substr(0, question);
    request.query = target.substr(std::min(question + 1, target.size()));
}

inline void parse_request_line(std::string_view line, Request& request) {
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    const std::string_view version = line.substr(last == line.npos ? line.size() : last + 1);
    const bool form = version.size() == 8 && version.starts_with("HTTP/") && version[6] == '.' &&
                      std::isdigit(static_cast<unsigned char>(version[5])) != 0 &&
                      std::isdigit(static_cast<unsigned char>(version[7])) != 0;
    if (!form || first == last || !is_token(line.substr(0, first)) || has_control(line)) {
        throw RequestError(400, "the request does not begin as HTTP/1.1");
    }
    if (version[5] != '1') {
        throw RequestError(505, "only HTTP/1 is spoken here");
    }
    request.minor_version = version[7] - '0';
    request.method = line.substr(0, first);
    const std::string_view target = line.substr(first + 1, last - first - 1);
    if (target.find(' ') != target.npos) {
        throw RequestError(400, "there is a space in the target");
    }
    parse_target(target, request);
}

inline void parse_field(std::string_view line, Request& request) {
    const auto colon = line.find(':');
    // With a space before the colon, or one at the beginning (a line that goes on), it is no token.
    if (colon == line.npos || !is_token(line.substr(0, colon)) || has_control(line)) {
        throw RequestError(400, "the head has a line that is none");
    }
    if (request.headers.size() == most_headers) {
        throw RequestError(431, "too many headers");
    }
    request.headers.emplace_back(to_lower(std::string(line.substr(0, colon))),
                                 trim(line.substr(colon + 1)));
}

}  // namespace detail

/// How a request's body is delimited.
struct Framing {
    bool chunked = false;
    std::size_t length = 0;  ///< if it is not chunked
};

/// RFC 9112, section 6.3; throws RequestError for whatever may be read in two ways.
inline Framing framing_of(const Request& request) {
    const auto coding = request.header("transfer-encoding");
    const auto length = request.header("content-length");
    if (coding.has_value()) {
        if (length.has_value() || request.minor_version == 0) {
            throw RequestError(400, "two ways to tell where the body ends");
        }
        if (detail::to_lower(std::string(*coding)) != "chunked") {
            throw RequestError(501, "the transfer encoding is not understood");
        }
        return {.chunked = true};
    }
    return {.length = length.has_value() ? detail::parse_length(*length, 10) : 0};
}

/// `head` up to and including its empty line. Throws RequestError.
inline Request parse_request(std::string_view head) {
    Request request;
    if (head.starts_with("\r\n")) {
        head.remove_prefix(2);  // some clients end a body with one too many
    }
    detail::parse_request_line(detail::take_line(head), request);
    for (std::string_view line = detail::take_line(head); !line.empty();
         line = detail::take_line(head)) {
        detail::parse_field(line, request);
    }
    if (request.minor_version >= 1 && !request.header("host").has_value()) {
        throw RequestError(400, "the host is missing");
    }
    return request;
}

}  // namespace http
