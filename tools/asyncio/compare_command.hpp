// compare_command.hpp - `asyncio compare`: its options, and where its results go.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace compare {

class Command {
public:
    /// Makes the subcommand known; this object must not move from then on.
    explicit Command(CLI::App& app);
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;

    /// Measures, prints, and writes the page that was asked for. What is under way is told on
    /// standard error.
    ///
    /// Errors: std::runtime_error if something could not be measured or written.
    void run() const;

private:
    bool quick_ = false;
    bool json_ = false;
    std::string html_;  // a file; empty: none
};

}  // namespace compare
