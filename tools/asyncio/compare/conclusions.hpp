// conclusions.hpp - what follows from the times of the two jobs.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "comparison.hpp"

namespace compare {

/// How many times faster the CPU-bound job gets by units, beside the same work without any.
Row parallelism_of(const Job& cpu);

/// Which model is the best, or nearly, at which job.
Row best_suited_for(const Job& io, const Job& cpu);

}  // namespace compare
