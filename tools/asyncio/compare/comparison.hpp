// comparison.hpp - what a comparison has found: a table, two jobs, and the machine.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "model.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace compare {

/// One thing that was measured, or follows from what was.
struct Fact {
    std::string name;
    std::variant<double, bool, std::string> value;
};

/// Facts about one model, and how a table puts them. If there is one that the row is about, it is
/// called "value" and is the first.
struct Cell {
    std::string text;
    std::vector<Fact> facts;

    /// The number of that name; 0 if there is none.
    [[nodiscard]] double number(std::string_view name) const {
        for (const Fact& fact : facts) {
            if (fact.name == name && std::holds_alternative<double>(fact.value)) {
                return std::get<double>(fact.value);
            }
        }
        return 0;
    }
};

/// A row of the table.
struct Row {
    std::string key;
    std::string title;
    std::string unit;    ///< of "value"; empty if that is no quantity
    std::string method;  ///< how it was measured
    PerModel<Cell> cells;
};

/// How long a job took with so many units.
struct Point {
    double units = 0;
    double seconds = 0;
    double alone = 0;  ///< what the same work took without units; 0 if that is not known
};

/// A job that was done by all models. A series ends where the machine allows no more units.
struct Job {
    std::string key;
    std::string title;
    std::string method;
    PerModel<std::vector<Point>> series;
};

struct Machine {
    std::size_t processors = 0;
    double memory_bytes = 0;
    std::string system;  ///< kernel and architecture
};

struct Comparison {
    std::string version;  ///< of the library
    bool quick = false;
    double seconds = 0;  ///< that it took
    Machine machine;
    std::vector<Row> rows;
    Job io;
    Job cpu;

    /// The row of that key, which exists.
    [[nodiscard]] const Row& row(std::string_view key) const {
        for (const Row& row : rows) {
            if (row.key == key) {
                return row;
            }
        }
        return rows.front();
    }
};

}  // namespace compare
