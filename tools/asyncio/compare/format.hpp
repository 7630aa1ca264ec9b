// format.hpp - numbers for people.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace compare {

/// Three digits that count, or all before the point: "0.0123", "4.56", "45.6", "4,560".
std::string quantity(double value);

/// "4,560".
std::string whole(double value);

/// A time: "4.56 ms", "12.3 s".
std::string duration(double seconds);

/// "1,000 tasks".
std::string count_of(double count, std::string_view what);

}  // namespace compare
