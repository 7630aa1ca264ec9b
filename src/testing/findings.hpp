// findings.hpp - what the checks of a contract have found.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asyncio::testing {

/// What one check has found; each line says which check it was.
class Findings {
public:
    void begin(std::string_view check) { check_ = check; }
    void add(std::string_view what) { all_.push_back(check_ + ": " + std::string(what)); }
    /// Adds what is not the case.
    void expect(bool holds, std::string_view what) {
        if (!holds) {
            add(what);
        }
    }
    [[nodiscard]] std::vector<std::string> take() { return std::move(all_); }

private:
    std::string check_;
    std::vector<std::string> all_;
};

}  // namespace asyncio::testing
