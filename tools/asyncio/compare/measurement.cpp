// measurement.cpp - the cell of an ordinary measurement.
//
// SPDX-License-Identifier: MIT
#include "measurement.hpp"

#include "format.hpp"
#include "measure.hpp"

#include <algorithm>

namespace compare {

Cell cell_of_repetitions(Model, const Values& repetitions) {
    const auto [lowest, highest] = std::minmax_element(repetitions.begin(), repetitions.end());
    const double value = median(repetitions);
    return {quantity(value),
            {{"value", value},
             {"lowest", *lowest},
             {"highest", *highest},
             {"repetitions", static_cast<double>(repetitions.size())}}};
}

}  // namespace compare
