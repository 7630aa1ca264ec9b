// io_server.cpp - who the units of the I/O-bound job talk to: a server made with this library.
//
// SPDX-License-Identifier: MIT
#include "io_server.hpp"

#include <asyncio/runners.hpp>
#include <asyncio/streams.hpp>
#include <asyncio/tasks.hpp>

#include <algorithm>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string_view>

#include <sys/resource.h>
#include <unistd.h>

namespace compare {
namespace {

constexpr int backlog = 4096;

asyncio::Coroutine<> answer(asyncio::StreamReader reader, asyncio::StreamWriter writer) {
    char buffer[question_size];
    std::size_t filled = 0;
    while (true) {
        const std::size_t got = co_await reader.read_into(std::span(buffer).subspan(filled));
        if (got == 0) {
            break;
        }
        filled += got;
        if (filled == question_size) {
            co_await asyncio::sleep(answer_delay);
            writer.write(std::string_view(buffer, question_size));
            filled = 0;
        }
    }
    writer.close();
}

asyncio::Coroutine<> serve(const std::string& name, int ready) {
    asyncio::Server server =
        co_await asyncio::start_unix_server(answer, name, {.backlog = backlog});
    if (::write(ready, "", 1) != 1) {
        throw std::runtime_error("nobody waits for the server");
    }
    co_await server.serve_forever();
}

/// Descriptors that this process may open: as many as it may allow itself.
std::size_t most_descriptors() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 256;
    }
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);  // children have it, too
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return static_cast<std::size_t>(std::min<rlim_t>(limit.rlim_cur, 1 << 20));
}

}  // namespace

IoServer::IoServer()
    : name_(std::string(1, '\0') + "asyncio-compare-" + std::to_string(::getpid())),
      process_([this] { asyncio::run(serve(name_, ready_.write_end())); }) {
    char byte = 0;
    ready_.close_write_end();
    if (::read(ready_.read_end(), &byte, 1) != 1) {
        throw std::runtime_error("the server of the I/O-bound job did not start");
    }
}

// One descriptor of a connection is here and one in the server, which are two processes. More
// connections at once than the system lets wait to be accepted are refused to tasks.
std::size_t most_connections() {
    std::ifstream file("/proc/sys/net/core/somaxconn");
    std::size_t waiting = 0;
    if (!(file >> waiting)) {
        waiting = 128;
    }
    const std::size_t descriptors = most_descriptors();
    const std::size_t spare = 64;
    return std::min({waiting, std::size_t{backlog}, std::max(descriptors, spare + 1) - spare});
}

}  // namespace compare
