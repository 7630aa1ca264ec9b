// http_fetch.cpp - fetches what it is told to, all at the same time.
//
// usage: http_fetch URL...; prints of each, in this order, its status, its size and its sum.
// SPDX-License-Identifier: MIT
#include "../../examples/support/http_client.hpp"

#include <asyncio/asyncio.hpp>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

using namespace asyncio;

Coroutine<> amain(std::vector<std::string> urls) {
    std::vector<Task<http::Response>> fetched;
    for (const std::string& url : urls) {
        fetched.push_back(create_task(http::http_get(http::parse_url(url))));
    }
    for (const http::Response& response : co_await gather(std::move(fetched))) {
        unsigned long sum = 0;
        for (const char c : response.body) {
            sum += static_cast<unsigned char>(c);
        }
        std::printf("%d %zu %lu\n", response.status, response.body.size(), sum);
    }
}

int main(int argc, char** argv) {
    run(amain(std::vector<std::string>(argv + 1, argv + argc)));
}
