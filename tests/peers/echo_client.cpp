// echo_client.cpp - several connections to a server that sends back what it gets, and ends when we
// do.
//
// usage: echo_client HOST:PORT|PATH CONNECTIONS BYTES; says whether all came back.
// SPDX-License-Identifier: MIT
#include "connect.hpp"

#include <asyncio/asyncio.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace asyncio;

Coroutine<> send(StreamWriter& writer, const std::string& data) {
    std::size_t size = 1;
    for (std::string_view rest(data); !rest.empty(); rest.remove_prefix(size)) {
        size = std::min(rest.size(), (size * 7) % 100'003);
        writer.write(rest.substr(0, size));
        co_await writer.drain();
    }
    writer.write_eof();
}

Coroutine<bool> comes_back(std::string where, int seed, std::size_t bytes) {
    std::string data(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) {
        data[i] = static_cast<char>(i * i + i / 251 + static_cast<std::size_t>(seed));
    }
    auto [reader, writer] = co_await connect_to(where);
    auto sent = create_task(send(writer, data));
    const std::string received = co_await reader.read();
    co_await sent;
    writer.close();
    co_await writer.wait_closed();
    co_return received == data;
}

Coroutine<> amain(std::string where, int connections, std::size_t bytes) {
    std::vector<Task<bool>> all;
    for (int i = 0; i < connections; ++i) {
        all.push_back(create_task(comes_back(where, i, bytes)));
    }
    const auto right = co_await gather(std::move(all));
    std::printf("%td of %d came back\n", std::count(right.begin(), right.end(), true), connections);
}

int main(int, char** argv) {
    run(amain(argv[1], std::stoi(argv[2]), std::stoul(argv[3])));
}
