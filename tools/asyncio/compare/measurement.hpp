// measurement.hpp - a row of the table: how it is measured and what its cells say.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "comparison.hpp"
#include "isolated.hpp"
#include "model.hpp"
#include "scale.hpp"

#include <string_view>

namespace compare {

/// Each has a source file of its own, which says what the values are.
struct Measurement {
    std::string_view key;
    std::string_view title;
    std::string_view unit;
    std::string_view method;
    /// Called in a process of its own.
    PerModel<Values (*)(const Scale&)> measure;
    Cell (*cell)(Model, const Values&);
};

extern const Measurement execution_model;
extern const Measurement context_switch;
extern const Measurement start;
extern const Measurement memory;
extern const Measurement synchronisation;
extern const Measurement determinism;

/// The cell of a measurement whose values are repetitions: "value" is their median.
Cell cell_of_repetitions(Model model, const Values& repetitions);

}  // namespace compare
