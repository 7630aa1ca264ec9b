// death.hpp - what is said of a worker that has ended, and of what it ran.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace asyncio::detail {

/// "was killed by signal 9 (SIGKILL)", of a status as waitpid() gives it.
[[nodiscard]] std::string describe_status(int status);

/// A name of the compiler's as a person knows it.
[[nodiscard]] std::string demangled(const char* name);

}  // namespace asyncio::detail
