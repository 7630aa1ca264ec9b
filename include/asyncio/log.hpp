// log.hpp - where the library's reports go: set_logger.
//
// Mirrors asyncio.log, whose logger is called "asyncio".
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/function.hpp>

#include <exception>
#include <string_view>

namespace asyncio {

enum class Level { debug, info, warning, error };

/// What set_logger() takes. A report may have several lines and has no newline at its end.
using Logger = detail::UniqueFunction<void(Level, std::string_view)>;

/// Sends every report of the library to `logger`; an empty one stands for the default again, which
/// writes warnings and errors to standard error. The logger may be called from any thread, one call
/// at a time, and must not throw. It may make the library report again, or replace itself.
void set_logger(Logger logger);

namespace detail {

void log(Level level, std::string_view text) noexcept;
/// `text` and what describe() says of `error`, as far as there is memory for it.
void log_error(std::string_view text, const std::exception_ptr& error) noexcept;

}  // namespace detail

}  // namespace asyncio
