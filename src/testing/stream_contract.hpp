// stream_contract.hpp - the checks of which check_stream_contract() is made.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/testing/contracts.hpp>

#include "findings.hpp"

#include <span>

namespace asyncio::testing {

/// Tries one thing on connections of its own.
struct StreamCheck {
    const char* name;  ///< a sentence about streams
    Coroutine<> (*check)(StreamMaker& maker, Findings& findings);
    bool duplex = false;  ///< it needs both directions
};

[[nodiscard]] std::span<const StreamCheck> checks_of_reading() noexcept;
[[nodiscard]] std::span<const StreamCheck> checks_of_writing() noexcept;
[[nodiscard]] std::span<const StreamCheck> checks_of_the_end() noexcept;

}  // namespace asyncio::testing
