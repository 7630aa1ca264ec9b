// connect.hpp - connect_to(): streams to a peer, wherever it listens.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/streams.hpp>

#include <string>

/// `host:port`, or the path of a Unix socket.
inline asyncio::Coroutine<asyncio::StreamPair> connect_to(std::string where) {
    if (where.find('/') != where.npos) {
        co_return co_await asyncio::open_unix_connection(where);
    }
    const auto colon = where.rfind(':');
    const int port = std::stoi(where.substr(colon + 1));
    const std::string host = where.substr(0, colon);
    co_return co_await asyncio::open_connection(host, port);
}
