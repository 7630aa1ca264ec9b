// table.hpp - a table of text for people: Table.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace tour {

/// Rows of cells; the first column is flush left, the others flush right.
class Table {
public:
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

    [[nodiscard]] std::string text() const {
        std::vector<std::size_t> widths;
        for (const auto& row : rows_) {
            widths.resize(std::max(widths.size(), row.size()));
            for (std::size_t column = 0; column < row.size(); ++column) {
                widths[column] = std::max(widths[column], row[column].size());
            }
        }
        std::string text;
        for (const auto& row : rows_) {
            for (std::size_t column = 0; column < row.size(); ++column) {
                const std::string padding(widths[column] - row[column].size(), ' ');
                text += column == 0 ? row[column] + padding : "   " + padding + row[column];
            }
            text += '\n';
        }
        return text;
    }

private:
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace tour
