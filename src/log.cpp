// log.cpp - the library's reports.
//
// SPDX-License-Identifier: MIT
#include <asyncio/log.hpp>

#include <cstdio>
#include <mutex>
#include <string>

namespace asyncio {

namespace {

struct Sink {
    std::recursive_mutex mutex;  // a logger that makes the library report again must not hang
    Logger logger;
};

// Never destroyed: the last future of a program may report after the destructors of statics ran.
Sink& sink() {
    static Sink& instance = *new Sink;
    return instance;
}

}  // namespace

void set_logger(Logger logger) {
    const std::lock_guard lock(sink().mutex);
    std::swap(sink().logger, logger);
}

namespace detail {

void log(Level level, std::string_view text) noexcept {
    Sink& out = sink();
    const std::lock_guard lock(out.mutex);
    if (out.logger) {
        out.logger(level, text);
    } else if (level >= Level::warning) {
        std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
    }
}

}  // namespace detail

}  // namespace asyncio
