// compare.hpp - asyncio, threads and processes at the same work, measured.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "comparison.hpp"
#include "scale.hpp"

#include <cstddef>
#include <functional>
#include <string_view>

namespace compare {

/// Is told what is measured next, and which step of how many that is.
using Progress = std::function<void(std::size_t step, std::size_t steps, std::string_view what)>;

/// Measures everything, one after another, each in a process of its own. To be called from a
/// process with one thread.
///
/// Errors: std::runtime_error that says which measurement has failed, and why.
Comparison compare_all(const Scale& scale, const Progress& progress);

}  // namespace compare
