// axis.hpp - where on a line a number is, and which numbers are written beside it.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace compare {

/// From `low` to `high`, drawn from `begin` to `end`.
class Axis {
public:
    /// Begins at 0; the marks are at round numbers.
    static Axis linear(double highest, double begin, double end);
    /// Holds all from `lowest` to `highest`, which are greater than 0; marks are at powers of ten
    /// and, if there are few of them, at twice and five times these.
    static Axis logarithmic(double lowest, double highest, double begin, double end);

    [[nodiscard]] double place(double value) const;
    [[nodiscard]] const std::vector<double>& marks() const noexcept { return marks_; }

private:
    Axis(bool logarithmic, double begin, double end, std::vector<double> marks);

    bool logarithmic_;
    double begin_;
    double end_;
    std::vector<double> marks_;  // the first and the last are the ends
};

/// A mark as it is written: "0.05", "20,000".
std::string mark_text(double value);

}  // namespace compare
