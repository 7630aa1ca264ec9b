// axis.cpp - where on a line a number is, and which numbers are written beside it: the arithmetic.
//
// SPDX-License-Identifier: MIT
#include "axis.hpp"

#include "format.hpp"

#include <cmath>
#include <initializer_list>
#include <utility>

namespace compare {
namespace {

/// 1, 2 and 5, or 1 alone, times all powers of ten that are needed, in order: from the last that is
/// not above `lowest` to the first that is not below `highest`.
std::vector<double> round_numbers(double lowest, double highest,
                                  std::initializer_list<double> digits) {
    std::vector<double> numbers;
    const int first = static_cast<int>(std::floor(std::log10(lowest)));
    for (int power = first;; ++power) {
        for (const double digit : digits) {
            const double number = digit * std::pow(10, power);
            if (!numbers.empty() && number <= lowest) {
                numbers.clear();  // this one is nearer
            }
            numbers.push_back(number);
            if (number >= highest && numbers.size() > 1) {
                return numbers;
            }
        }
    }
}

}  // namespace

Axis::Axis(bool logarithmic, double begin, double end, std::vector<double> marks)
    : logarithmic_(logarithmic), begin_(begin), end_(end), marks_(std::move(marks)) {}

Axis Axis::linear(double highest, double begin, double end) {
    // The largest round number of which there are four at least.
    const std::vector<double> steps = round_numbers(highest / 10, highest / 4, {1, 2, 5});
    double step = steps.front();
    for (const double candidate : steps) {
        step = candidate <= highest / 4 ? candidate : step;
    }
    std::vector<double> marks{0};
    while (marks.back() < highest) {
        marks.push_back(static_cast<double>(marks.size()) * step);
    }
    return {false, begin, end, std::move(marks)};
}

Axis Axis::logarithmic(double lowest, double highest, double begin, double end) {
    const bool wide = highest / lowest > 1000;
    std::vector<double> marks =
        wide ? round_numbers(lowest, highest, {1}) : round_numbers(lowest, highest, {1, 2, 5});
    return {true, begin, end, std::move(marks)};
}

double Axis::place(double value) const {
    const auto along = [this](double number) { return logarithmic_ ? std::log(number) : number; };
    const double low = along(marks_.front());
    const double high = along(marks_.back());
    return begin_ + (along(value) - low) / (high - low) * (end_ - begin_);
}

std::string mark_text(double value) {
    if (value == 0 || value >= 0.9999) {
        return value < 10 && value != std::round(value) ? quantity(value).substr(0, 3)
                                                        : whole(value);
    }
    std::string text = quantity(value);  // three digits that count: of "0.0500" the zeros do not
    text.erase(text.find_last_not_of('0') + 1);
    return text;
}

}  // namespace compare
