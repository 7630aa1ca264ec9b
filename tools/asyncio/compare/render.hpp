// render.hpp - a comparison as text: for a terminal, for programs, for a browser.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "comparison.hpp"

#include <string>

namespace compare {

/// For a terminal; with two blanks at least between the columns.
std::string as_table(const Comparison& comparison);

/// One JSON object: docs/compare.md has its keys.
std::string as_json(const Comparison& comparison);

/// A page that needs nothing else: the table, and charts in SVG.
std::string as_html(const Comparison& comparison);

}  // namespace compare
