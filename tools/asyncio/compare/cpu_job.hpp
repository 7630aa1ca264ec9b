// cpu_job.hpp - the CPU-bound job: counting primes, in as many units as one likes.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "isolated.hpp"
#include "model.hpp"
#include "scale.hpp"

#include <cstddef>
#include <string_view>

namespace compare {

extern const std::string_view cpu_job_method;

/// The whole job, divided among so many units: the seconds that it takes, and those that it takes
/// without any unit, which is measured in turn with it.
///
/// Errors: std::system_error if the system has no room for them; std::runtime_error if the result
///         is wrong.
Values do_cpu_job(Model model, std::size_t units, const Scale& scale);

}  // namespace compare
