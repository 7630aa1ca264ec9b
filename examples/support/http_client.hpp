// http_client.hpp - a small HTTP/1.1 client on streams: http_get().
//
// As much as one GET needs, but that with care: a header that never ends, a body that ends too soon
// and every way to cut the bytes into packets are part of the real world. One connection for each
// request. Without TLS: an https URL is an error that says so.
// SPDX-License-Identifier: MIT
#pragma once

#include "http_body.hpp"
#include "http_url.hpp"

#include <asyncio/result.hpp>
#include <asyncio/streams.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace http {

struct Response {
    int status = 0;
    std::string reason;
    std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
    std::string body;
};

namespace detail {

inline void parse_status(std::string_view line, Response& response) {
    const bool version = line.starts_with("HTTP/1.0 ") || line.starts_with("HTTP/1.1 ");
    const std::string_view digits =
        line.substr(0, 12).substr(std::min<std::size_t>(9, line.size()));
    const auto is_digit = [](unsigned char c) { return std::isdigit(c) != 0; };
    if (!version || digits.size() != 3 || !std::all_of(digits.begin(), digits.end(), is_digit) ||
        digits.front() == '0' || (line.size() > 12 && line[12] != ' ')) {
        throw HttpError("the answer does not begin as HTTP/1.1");
    }
    std::from_chars(digits.data(), digits.data() + digits.size(), response.status);
    response.reason = line.substr(std::min<std::size_t>(13, line.size()));
}

inline void parse_header(std::string_view line, Response& response) {
    const auto colon = line.find(':');
    const std::string name(line.substr(0, colon));
    // A space before the colon, or a line that goes on with the one before: ways to smuggle.
    if (colon == line.npos || name.empty() || name.find_first_of(" \t") != name.npos) {
        throw HttpError("the header has a line that is none: " + std::string(line.substr(0, 40)));
    }
    response.headers.emplace_back(to_lower(name), trim(line.substr(colon + 1)));
}

/// Status line and headers; answers that only announce another one (1xx) are passed over.
inline asyncio::Coroutine<Response> read_head(asyncio::StreamReader& reader, Limits limits) {
    std::size_t budget = limits.header;
    Response response;
    do {
        response = Response();
        std::string line = co_await read_line(reader, limits, budget);
        parse_status(line, response);
        while (true) {
            line = co_await read_line(reader, limits, budget);
            if (line.empty()) {
                break;
            }
            parse_header(line, response);
        }
        if (response.status == 101) {
            throw HttpError("the server wants to speak another protocol, which it was not asked");
        }
    } while (response.status < 200);
    co_return response;
}

inline asyncio::Coroutine<std::string> read_to_end(asyncio::StreamReader& reader, Limits limits) {
    std::string body;
    while (true) {
        std::string piece = co_await reader.read(64 << 10);
        if (piece.empty()) {
            co_return body;
        }
        body += piece;
        check_body_size(body.size(), limits);
    }
}

/// Where the body ends: RFC 9112, section 6.3.
inline asyncio::Coroutine<std::string> read_body(asyncio::StreamReader& reader, Response& response,
                                                 Limits limits) {
    std::optional<std::string> length;
    std::optional<std::string> coding;
    for (const auto& [name, value] : response.headers) {
        std::optional<std::string>* const header = name == "content-length"      ? &length
                                                   : name == "transfer-encoding" ? &coding
                                                                                 : nullptr;
        if (header != nullptr && header->has_value() && **header != value) {
            throw HttpError("the answer contradicts itself: two values of " + name);
        }
        if (header != nullptr) {
            *header = value;
        }
    }
    if (response.status == 204 || response.status == 304) {
        co_return std::string();
    }
    if (coding.has_value() && length.has_value()) {
        throw HttpError("the answer contradicts itself: it is chunked and has a length");
    }
    if (coding.has_value()) {
        if (to_lower(*coding) != "chunked") {
            throw HttpError("the transfer encoding is not understood: " + *coding);
        }
        co_return co_await read_chunks(reader, limits);
    }
    if (length.has_value()) {
        const std::size_t bytes = parse_length(*length, 10);
        check_body_size(bytes, limits);
        co_return co_await read_exactly(reader, bytes);
    }
    co_return co_await read_to_end(reader, limits);
}

inline std::string request(const Url& url) {
    const bool ipv6 = url.host.find(':') != url.host.npos;
    const std::string host = ipv6 ? "[" + url.host + "]" : url.host;
    const std::string port = url.port == 80 ? "" : ":" + std::to_string(url.port);
    return "GET " + url.target + " HTTP/1.1\r\nHost: " + host + port +
           "\r\nUser-Agent: asyncio-cpp\r\nAccept: */*\r\nConnection: close\r\n\r\n";
}

inline asyncio::Coroutine<Response> exchange(asyncio::StreamReader& reader,
                                             asyncio::StreamWriter& writer, const Url& url,
                                             Limits limits) {
    writer.write(request(url));
    co_await writer.drain();
    Response response = co_await read_head(reader, limits);
    response.body = co_await read_body(reader, response, limits);
    co_return response;
}

}  // namespace detail

/// What a GET of `url` gives, whatever its status.
///
/// Cancellation: closes the connection.
/// Errors: HttpError for what is no answer, or one that was cut off; OSError from the network.
inline asyncio::Coroutine<Response> http_get(Url url, Limits limits = {}) {
    auto [reader, writer] =
        co_await asyncio::open_connection(url.host, url.port, {.limit = limits.header});
    auto response = co_await asyncio::as_result(detail::exchange(reader, writer, url, limits));
    writer.close();
    co_return std::move(response).get();
}

}  // namespace http
