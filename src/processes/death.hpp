// death.hpp - what is said of a worker that has ended, and of the call that it was at.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <typeinfo>

namespace asyncio::detail {

/// "was killed by signal 9 (SIGKILL)", of a status as waitpid() gives it.
[[nodiscard]] std::string describe_status(int status);

/// The name of a type as a person knows it.
[[nodiscard]] std::string name_of_type(const std::type_info& type);

}  // namespace asyncio::detail
