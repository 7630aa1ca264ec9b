// json.hpp - JSON, written.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace compare {

/// Of UTF-8.
std::string json_string(std::string_view text);
/// As short as it can be without losing anything; null if JSON has no such number.
std::string json_number(double number);

/// Values, with commas between them.
class JsonArray {
public:
    template <class Part>
    void add(const Part& part) {
        append(part.text());
    }
    [[nodiscard]] std::string text() const { return "[" + parts_ + "]"; }

private:
    void append(std::string_view part) {
        parts_ += parts_.empty() ? "" : ", ";
        parts_ += part;
    }

    std::string parts_;
};

/// Names and values, in the order in which they were added. No name is added twice.
class JsonObject {
public:
    void add(std::string_view name, std::string_view value) { append(name, json_string(value)); }
    void add(std::string_view name, const char* value) { append(name, json_string(value)); }
    void add(std::string_view name, const std::string& value) { append(name, json_string(value)); }
    void add(std::string_view name, double value) { append(name, json_number(value)); }
    template <std::same_as<bool> Bool>
    void add(std::string_view name, Bool value) {
        append(name, value ? "true" : "false");
    }
    template <class Part>
        requires requires(const Part& part) { part.text(); }
    void add(std::string_view name, const Part& part) {
        append(name, part.text());
    }
    [[nodiscard]] std::string text() const { return "{" + members_ + "}"; }

private:
    void append(std::string_view name, std::string_view value) {
        members_ += members_.empty() ? "" : ",\n";
        members_ += json_string(name) + ": ";
        members_ += value;
    }

    std::string members_;
};

}  // namespace compare
