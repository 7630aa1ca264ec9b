// io_server.hpp - who the units of the I/O-bound job talk to.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "unit_process.hpp"

#include <cstddef>
#include <string>

namespace compare {

constexpr std::size_t question_size = 64;  // and that of the answer
constexpr double answer_delay = 0.005;     // seconds

/// A process with a server on a Unix socket. It answers each question with the same bytes after a
/// while, as a server in another place would: what is measured is how units wait for it.
class IoServer {
public:
    IoServer();

    /// Its abstract name: a zero byte is the first.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

private:
    std::string name_;
    Pipe ready_;
    UnitProcess process_;
};

/// How many units can have a connection each.
std::size_t most_connections();

}  // namespace compare
