// failures.hpp - what went wrong: Failures.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "progress.hpp"
#include "text.hpp"

#include <set>
#include <string>

namespace tour {

/// Reports what went wrong, each thing once.
class Failures {
public:
    explicit Failures(const Progress& progress) : progress_(progress) {}

    void report(const std::string& what) {
        const std::string line = printable(what);
        if (reported_.insert(line).second) {
            progress_.print("tour: " + line);
        }
    }
    [[nodiscard]] bool any() const { return !reported_.empty(); }

private:
    const Progress& progress_;
    std::set<std::string> reported_;
};

}  // namespace tour
