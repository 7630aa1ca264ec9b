// http_response.hpp - what a server answers: Response of a request, as bytes.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace http {

inline std::string_view reason_of(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 400:
            return "Bad Request";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 417:
            return "Expectation Failed";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 503:
            return "Service Unavailable";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "";
    }
}

struct Answer {
    int status = 200;
    std::string body;
    std::string_view type = "text/plain";
    std::vector<std::pair<std::string_view, std::string_view>> headers = {};  ///< besides
};

/// An answer that says what its status means.
inline Answer answer_of(int status) {
    return {.status = status, .body = std::string(reason_of(status)) + "\n"};
}

/// The time as headers have it; made anew once a second.
inline std::string_view http_date() {
    thread_local std::time_t made = 0;
    thread_local char text[32] = "";
    const std::time_t now = std::time(nullptr);
    if (now != made) {
        made = now;
        std::tm parts{};
        gmtime_r(&now, &parts);
        std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    }
    return text;
}

/// Status line and headers, and the empty line.
inline std::string head_of(const Answer& answer, bool keep_alive) {
    std::string head;
    head.reserve(256);
    head.append("HTTP/1.1 ").append(std::to_string(answer.status)).append(" ");
    head.append(reason_of(answer.status)).append("\r\nDate: ").append(http_date());
    head.append("\r\nContent-Type: ").append(answer.type).append("\r\nContent-Length: ");
    head.append(std::to_string(answer.body.size())).append("\r\n");
    if (!keep_alive) {
        head.append("Connection: close\r\n");
    }
    for (const auto& [name, value] : answer.headers) {
        head.append(name).append(": ").append(value).append("\r\n");
    }
    return head.append("\r\n");
}

}  // namespace http
