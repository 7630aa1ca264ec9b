// http_body.hpp - what both ends of HTTP/1.1 read: lines, numbers, bodies of a length and in
// chunks.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "http_url.hpp"

#include <asyncio/exceptions.hpp>
#include <asyncio/streams.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

namespace http {

/// What the other end may send, in bytes.
struct Limits {
    std::size_t header = 64 << 10;  ///< status line and headers; also trailers, and a chunk's size
    std::size_t body = 64 << 20;
    bool bare_newlines = true;  ///< does a line end without a carriage return, too?
};

/// The body is larger than Limits allow.
class BodyTooLarge : public HttpError {
public:
    using HttpError::HttpError;
};

namespace detail {

/// A line without its end; takes its length from `budget`.
inline asyncio::Coroutine<std::string> read_line(asyncio::StreamReader& reader, Limits limits,
                                                 std::size_t& budget) {
    std::string line;
    try {
        line = co_await reader.readuntil("\n");
    } catch (const asyncio::IncompleteReadError&) {
        throw HttpError("the connection was closed before the message was complete");
    } catch (const asyncio::LimitOverrunError&) {
        throw HttpError("a line of the message is too long");
    }
    if (line.size() > budget) {
        throw HttpError("the header of the message is too long");
    }
    budget -= line.size();
    line.pop_back();
    if (line.ends_with('\r')) {
        line.pop_back();
    } else if (!limits.bare_newlines) {
        throw HttpError("a line of the message does not end with CR LF");
    }
    co_return line;
}

inline std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    const auto last = text.find_last_not_of(" \t");
    return first == text.npos ? std::string_view() : text.substr(first, last - first + 1);
}

inline std::string to_lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

/// A number that makes up the whole of `text`; what is too large for the type is the largest.
inline std::size_t parse_length(std::string_view text, int base) {
    std::size_t number = 0;
    const char* const begin = text.data();
    const char* const end = begin + text.size();
    const auto [stopped_at, error] = std::from_chars(begin, end, number, base);
    if (stopped_at != end || error == std::errc::invalid_argument) {
        throw HttpError("a length is not a number: " + std::string(text.substr(0, 40)));
    }
    return error == std::errc() ? number : static_cast<std::size_t>(-1);
}

inline void check_body_size(std::size_t size, Limits limits) {
    if (size > limits.body) {
        throw BodyTooLarge("the body is larger than the " + std::to_string(limits.body) +
                           " bytes allowed");
    }
}

inline asyncio::Coroutine<std::string> read_exactly(asyncio::StreamReader& reader, std::size_t n) {
    try {
        co_return co_await reader.readexactly(static_cast<std::ptrdiff_t>(n));
    } catch (const asyncio::IncompleteReadError& error) {
        throw HttpError("the connection was closed after " +
                        std::to_string(error.partial().size()) + " of " + std::to_string(n) +
                        " bytes of the body");
    }
}

inline asyncio::Coroutine<std::string> read_chunks(asyncio::StreamReader& reader, Limits limits) {
    std::string body;
    std::size_t extras = limits.header;  // all extensions and trailers together
    while (true) {
        std::size_t budget = limits.header;
        std::string line = co_await read_line(reader, limits, budget);
        // Whatever follows a semicolon is an extension that nobody has to understand.
        const std::string_view digits = std::string_view(line).substr(0, line.find(';'));
        const std::size_t size = parse_length(trim(digits), 16);
        if (line.size() - digits.size() > extras) {
            throw HttpError("the header of the message is too long");
        }
        extras -= line.size() - digits.size();
        if (size == 0) {
            break;
        }
        check_body_size(size > limits.body ? size : body.size() + size, limits);
        body += co_await read_exactly(reader, size);
        line = co_await read_line(reader, limits, budget);
        if (!line.empty()) {
            throw HttpError("a chunk of the body is longer than its size says");
        }
    }
    while (true) {  // trailers, and the empty line at their end
        std::string line = co_await read_line(reader, limits, extras);
        if (line.empty()) {
            co_return body;
        }
    }
}

}  // namespace detail

}  // namespace http
