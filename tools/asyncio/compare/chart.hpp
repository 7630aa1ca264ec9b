// chart.hpp - charts in SVG, to be put into a page: what they look like is the page's style.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "comparison.hpp"
#include "model.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace compare {

enum class AxisKind : std::uint8_t { linear, logarithmic };

/// A bar for each model, all of them with the number. Numbers are greater than 0.
std::string bar_chart(const std::string& title, const std::string& unit,
                      const PerModel<double>& values, AxisKind kind);

/// The seconds of a job against the number of units, which is on a logarithmic axis.
std::string line_chart(const Job& job, AxisKind seconds);

/// Text in HTML.
std::string escaped(std::string_view text);

}  // namespace compare
