// debug_state.hpp - what a loop in debug mode knows of its handles.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/handle.hpp>

#include <cstdint>
#include <mutex>
#include <source_location>
#include <unordered_map>
#include <vector>

namespace asyncio::detail {

struct DebugState {
    std::mutex mutex;  // handles are made and dropped by other threads as well
    std::unordered_map<const HandleNode*, std::vector<std::source_location>> made_at;
    const HandleNode* running = nullptr;  // for the loop's thread
    std::uint64_t watched = 0;            // callbacks, and steps in them
};

}  // namespace asyncio::detail
