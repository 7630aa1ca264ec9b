// requests.hpp - the second wait: requests to a server; and a server to ask.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "http_client.hpp"
#include "source.hpp"

#include <asyncio/streams.hpp>
#include <asyncio/tasks.hpp>

#include <cstddef>
#include <string>
#include <utility>

namespace tour {

/// The same request again and again.
class RequestSource final : public Source {
public:
    RequestSource(std::string url, std::size_t count) : url_(std::move(url)), count_(count) {}

    [[nodiscard]] std::string kind() const override { return "requests"; }
    [[nodiscard]] std::size_t count() const override { return count_; }
    [[nodiscard]] std::string subject(std::size_t) const override { return url_; }

    asyncio::Coroutine<> wait(std::size_t) override {
        const http::Url url = http::parse_url(url_);
        const http::Response response = co_await http::http_get(url);
        if (response.status < 200 || response.status > 299) {
            throw http::HttpError("the server answered " + std::to_string(response.status) + " " +
                                  response.reason);
        }
    }

private:
    std::string url_;
    std::size_t count_;
};

/// Answers any request, after a delay that stands for what servers do.
inline asyncio::Coroutine<> serve(asyncio::StreamReader reader, asyncio::StreamWriter writer,
                                  asyncio::Duration delay) {
    std::string line;
    do {
        line = co_await reader.readline();
    } while (line != "\r\n" && !line.empty());
    co_await asyncio::sleep(delay);
    const std::string body = "{\"waited\": " + std::to_string(delay.seconds()) + "}\n";
    writer.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                 std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body);
    co_await writer.drain();
    writer.close();
    co_await writer.wait_closed();
}

/// A server on a port of loopback that is free.
inline asyncio::Coroutine<asyncio::Server> start_slow_server(asyncio::Duration delay) {
    auto handler = [delay](asyncio::StreamReader reader, asyncio::StreamWriter writer) {
        return serve(std::move(reader), std::move(writer), delay);
    };
    co_return co_await asyncio::start_server(handler, "127.0.0.1", 0);
}

}  // namespace tour
