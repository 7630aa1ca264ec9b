// render_table.cpp - a comparison for a terminal.
//
// SPDX-License-Identifier: MIT
#include "format.hpp"
#include "render.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

namespace compare {
namespace {

using Line = std::array<std::string, 1 + model_count>;

std::vector<Line> lines_of(const Comparison& comparison) {
    std::vector<Line> lines{{"", std::string(model_names.asyncio), std::string(model_names.threads),
                             std::string(model_names.processes)}};
    for (const Row& row : comparison.rows) {
        const std::string unit = row.unit.empty() ? "" : " (" + row.unit + ")";
        lines.push_back({row.title + unit, row.cells.asyncio.text, row.cells.threads.text,
                         row.cells.processes.text});
    }
    return lines;
}

std::string jobs_of(const Job& job) {
    std::string text = "\n" + job.title + ", seconds with so many units:\n";
    for (const Model model : models) {
        text += "  " + std::string(model_names[model]) + ":";
        for (const Point& point : job.series[model]) {
            text += "  " + whole(point.units) + ": " + quantity(point.seconds);
        }
        text += "\n";
    }
    return text;
}

}  // namespace

std::string as_table(const Comparison& comparison) {
    const std::vector<Line> lines = lines_of(comparison);
    std::array<std::size_t, 1 + model_count> widths{};
    for (const Line& line : lines) {
        for (std::size_t column = 0; column < line.size(); ++column) {
            widths[column] = std::max(widths[column], line[column].size());
        }
    }
    std::string text;
    for (const Line& line : lines) {
        for (std::size_t column = 0; column < line.size(); ++column) {
            const bool last = column + 1 == line.size();
            text += line[column];
            text.append(last ? 0 : widths[column] - line[column].size() + 2, ' ');
        }
        text += "\n";
    }
    text += jobs_of(comparison.io) + jobs_of(comparison.cpu);
    text += "\n" + comparison.machine.system + ", " +
            count_of(static_cast<double>(comparison.machine.processors), "processors") +
            ". Measured in " + quantity(comparison.seconds) + " s.\n";
    for (const Row& row : comparison.rows) {
        text += "\n" + row.title + ": " + row.method + "\n";
    }
    text += "\n" + comparison.io.title + ": " + comparison.io.method + "\n";
    text += "\n" + comparison.cpu.title + ": " + comparison.cpu.method + "\n";
    return text;
}

}  // namespace compare
