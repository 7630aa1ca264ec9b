// receive_text.hpp - receiving into a string of its own.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/operation.hpp>

#include <cstddef>
#include <string>

namespace asyncio {

class EventLoop;

namespace detail {

/// Attempts `operation`, a recv, into `text`, which becomes what was received: at most `size`
/// bytes; empty at the end of the input, and if it failed or could not be attempted. False if it
/// could not. The memory is not cleared before.
bool receive_text(EventLoop& loop, lowlevel::Operation& operation, std::size_t size,
                  std::string& text);

}  // namespace detail

}  // namespace asyncio
