// io_job.hpp - the I/O-bound job: units that wait for a server, for time and for a file.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "isolated.hpp"
#include "model.hpp"
#include "scale.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace compare {

extern const std::string_view io_job_method;

/// The job in so many units, with the server of that name: the seconds that it takes.
///
/// Errors: std::system_error if the system has no room for them; std::runtime_error and others if
///         a unit gets something else than it should.
Values do_io_job(Model model, std::size_t units, const std::string& server, const Scale& scale);

}  // namespace compare
