// units.hpp - so many units that do the same: threads, processes.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>

namespace compare {

/// Calls body(0) ... body(count - 1), each in a thread of its own, and waits for them. When there
/// can be no more threads, those that there are are awaited.
///
/// Errors: std::system_error if there is no room for so many; what a body has thrown.
void in_threads(std::size_t count, const std::function<void(std::size_t)>& body);

/// The same in processes. What a body throws is told on standard error, and std::runtime_error is
/// thrown.
void in_processes(std::size_t count, const std::function<void(std::size_t)>& body);

}  // namespace compare
