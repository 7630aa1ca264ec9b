// source.hpp - something to wait for, many times: Source.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/coroutines.hpp>

#include <cstddef>
#include <string>

namespace tour {

/// One of the three kinds of waits. It says what there is to wait for and does it; how many at a
/// time is decided by others (work.hpp).
class Source {
public:
    Source() = default;
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    virtual ~Source() = default;

    /// "files", "requests", "queries"
    [[nodiscard]] virtual std::string kind() const = 0;
    [[nodiscard]] virtual std::size_t count() const = 0;
    /// What number `index` is about, for messages.
    [[nodiscard]] virtual std::string subject(std::size_t index) const = 0;
    /// Waits for number `index`; throws what goes wrong.
    virtual asyncio::Coroutine<> wait(std::size_t index) = 0;
};

}  // namespace tour
