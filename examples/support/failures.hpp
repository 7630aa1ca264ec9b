// failures.hpp - what went wrong: Failures.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "progress.hpp"

#include <asyncio/exceptions.hpp>

#include <algorithm>
#include <exception>
#include <set>
#include <string>
#include <utility>

namespace tour {

/// Reports what went wrong, each thing once.
class Failures {
public:
    explicit Failures(const Progress& progress) : progress_(progress) {}

    void report(std::string line) {
        // It is made of what others sent: a line it stays, and no escape sequence.
        std::replace_if(
            line.begin(), line.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
        line = line.substr(0, 300);
        if (reported_.insert(line).second) {
            progress_.print("tour: " + line);
        }
    }
    [[nodiscard]] bool any() const { return !reported_.empty(); }

private:
    const Progress& progress_;
    std::set<std::string> reported_;
};

/// What an exception says of itself.
inline std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& exception) {
        return exception.what();
    } catch (...) {
        return asyncio::describe(error);
    }
}

}  // namespace tour
