// isolated.hpp - a measurement in a process of its own.
//
// What one measurement leaves behind (memory in malloc, a place among the processors, threads)
// changes the next one; and one that hangs can be ended. So none runs in the command itself, which
// has one thread and little memory, as is best to fork from.
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <vector>

namespace compare {

using Values = std::vector<double>;

/// Calls `measure` in a child process and gives what it returned. The child, and every process that
/// it has started and not awaited, is killed then; and when this process ends, however it does.
///
/// Errors: std::runtime_error with the text of what `measure` has thrown; or if the child has
///         ended without a result, or had none after `limit`.
Values isolated(const std::function<Values()>& measure, std::chrono::milliseconds limit);

}  // namespace compare
