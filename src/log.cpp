// log.cpp - the library's reports.
//
// SPDX-License-Identifier: MIT
#include <asyncio/log.hpp>

#include <asyncio/exceptions.hpp>

#include "fork.hpp"

#include <cstdio>
#include <memory>
#include <mutex>
#include <new>
#include <string>

namespace asyncio {

namespace {

struct Sink {
    Sink() noexcept;

    std::recursive_mutex mutex;  // a logger that makes the library report again must not hang
    std::shared_ptr<const Logger> logger;
};

// Never destroyed: the last future of a program may report after the destructors of statics ran.
Sink& sink() {
    static Sink& instance = *new Sink;
    return instance;
}

// Held while the process forks: another thread may be reporting. In the child it is made anew, as a
// recursive mutex knows its thread by a number that has changed.
Sink::Sink() noexcept {
    detail::at_fork([] { sink().mutex.lock(); }, [] { sink().mutex.unlock(); },
                    [] { new (&sink().mutex) std::recursive_mutex; });
}

}  // namespace

void set_logger(Logger logger) {
    auto shared = logger ? std::make_shared<const Logger>(std::move(logger)) : nullptr;
    const std::lock_guard lock(sink().mutex);
    std::swap(sink().logger, shared);
}

namespace detail {

void log(Level level, std::string_view text) noexcept {
    Sink& out = sink();
    const std::lock_guard lock(out.mutex);
    if (const std::shared_ptr<const Logger> logger = out.logger) {  // it may replace itself
        (*logger)(level, text);
    } else if (level >= Level::warning) {
        std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
    }
}

void log_error(std::string_view text, const std::exception_ptr& error) noexcept {
    try {
        log(Level::error, std::string(text) + describe(error));
    } catch (...) {
        log(Level::error, text);
    }
}

}  // namespace detail

}  // namespace asyncio
