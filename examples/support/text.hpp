// text.hpp - texts for people: printable(), seconds_text(), text_of().
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/exceptions.hpp>
#include <asyncio/time.hpp>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

namespace tour {

namespace detail {

/// One character of UTF-8.
struct Character {
    std::size_t size = 0;  ///< in bytes; 0: what the text begins with is none
    char32_t code = 0;
};

inline Character first_character(std::string_view text) {
    const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(text[index]); };
    const std::size_t size = byte(0) < 0x80   ? 1
                             : byte(0) < 0xc0 ? 0
                             : byte(0) < 0xe0 ? 2
                             : byte(0) < 0xf0 ? 3
                             : byte(0) < 0xf8 ? 4
                                              : 0;
    if (size == 0 || size > text.size()) {
        return {};
    }
    char32_t code = size == 1 ? byte(0) : byte(0) & (0x7fU >> size);
    for (std::size_t index = 1; index < size; ++index) {
        if ((byte(index) & 0xc0) != 0x80) {
            return {};
        }
        code = code << 6 | (byte(index) & 0x3f);
    }
    // Written longer than need be, half of a pair of UTF-16, or beyond the last.
    constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool wrong = code < least[size] || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff;
    return wrong ? Character() : Character{size, code};
}

}  // namespace detail

/// `text` as one line of UTF-8 that a terminal only shows: without control characters, which also
/// begin its escape sequences, and cut to `most` bytes, but not within a character. For texts that
/// are made of what others sent.
inline std::string printable(std::string_view text, std::size_t most = 300) {
    std::string line;
    while (!text.empty()) {
        const auto [size, code] = detail::first_character(text);
        const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
        const std::string_view shown = size == 0 ? "?" : control ? " " : text.substr(0, size);
        if (line.size() + shown.size() > most) {
            break;
        }
        line += shown;
        text.remove_prefix(size == 0 ? 1 : size);
    }
    return line;
}

/// A number with so many digits after the point, and its unit.
inline std::string number(double value, int digits, const char* unit) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f %s", digits, value, unit);
    return text;
}

/// As many digits as it takes: 2 s, 0.005 s.
inline std::string seconds_text(asyncio::Duration duration) {
    char text[64];
    std::snprintf(text, sizeof text, "%g s", duration.seconds());
    return text;
}

/// What an exception says of itself.
inline std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& exception) {
        return exception.what();
    } catch (...) {
        return asyncio::describe(error);
    }
}

}  // namespace tour
