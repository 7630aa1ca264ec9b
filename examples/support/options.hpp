// options.hpp - the tour's command line: Options.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace tour {

class UsageError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct Options {
    std::string files = TOUR_FILES;
    std::optional<std::string> url;  ///< none: a server of the tour's own
    std::optional<std::string> db;   ///< none: a database of the tour's own
    std::optional<std::string> sql;
    std::size_t max_files = 100;
    std::size_t requests = 100;
    std::size_t queries = 100;
    std::size_t workers = 16;
    double delay = 0.02;  ///< of the tour's own server, in seconds
    double deadline = 2;  ///< of each wait, in seconds
    bool help = false;
};

namespace detail {

/// `text` as a number, all of it, from `least` to `most`.
template <class Number>
Number parse_number(std::string_view text, Number least, Number most) {
    Number number{};
    const char* const begin = text.data();
    const char* const end = begin + text.size();
    const auto [stopped_at, error] = std::from_chars(begin, end, number);
    if (error != std::errc() || stopped_at != end || !(number >= least && number <= most)) {
        throw UsageError("'" + std::string(text) + "' is not a number that is possible here");
    }
    return number;
}

struct Option {
    std::string_view name;
    std::string_view value;  ///< what stands for it in the help
    std::string help;
    std::function<void(Options&, const std::string&)> set;
};

inline Option count(std::string_view name, std::string help, std::size_t Options::* member,
                    std::size_t least = 0) {
    help += " (default: " + std::to_string(Options().*member) + ")";
    return {name, "N", help, [=](Options& options, const std::string& text) {
                options.*member = parse_number<std::size_t>(text, least, 1'000'000);
            }};
}

inline Option seconds(std::string_view name, std::string help, double Options::* member) {
    char standard[32];
    std::snprintf(standard, sizeof standard, "%g", Options().*member);
    help += " (default: " + std::string(standard) + ")";
    return {name, "SECONDS", help, [=](Options& options, const std::string& text) {
                options.*member = parse_number<double>(text, 0, 86400);
            }};
}

inline std::vector<Option> all_options() {
    return {
        {"--files", "DIR", "read the files below DIR (default: this project's own)",
         [](Options& options, const std::string& text) { options.files = text; }},
        {"--url", "URL", "GET http://host:port/path (default: a server that the tour starts)",
         [](Options& options, const std::string& text) { options.url = text; }},
        {"--db", "FILE", "ask this SQLite database (default: one that the tour creates)",
         [](Options& options, const std::string& text) { options.db = text; }},
        {"--sql", "QUERY", "ask it this",
         [](Options& options, const std::string& text) { options.sql = text; }},
        count("--max-files", "read at most so many files", &Options::max_files),
        count("--requests", "make so many requests", &Options::requests),
        count("--queries", "make so many queries", &Options::queries),
        count("--workers", "do so much at a time in the second round", &Options::workers, 1),
        seconds("--delay", "how long the tour's own server takes to answer", &Options::delay),
        seconds("--deadline", "give up each wait after so long", &Options::deadline),
    };
}

}  // namespace detail

inline std::string usage() {
    std::string text =
        "usage: tour [OPTION]...\n\n"
        "Reads files, asks a server over HTTP and a database in SQL, each many times: first one\n"
        "after another, then many at a time. Shows what the second way gains.\n\n";
    for (const detail::Option& option : detail::all_options()) {
        std::string name = "  " + std::string(option.name) + " " + std::string(option.value);
        name.resize(22, ' ');
        text += name + option.help + "\n";
    }
    return text +
           "  --help              show this\n\n"
           "Exit status: 0 if all went well, 1 if something failed, 2 for a wrong command line,\n"
           "130 after Ctrl-C.\n";
}

/// Takes `--name value` and `--name=value`; throws UsageError.
inline Options parse_options(const std::vector<std::string>& arguments) {
    const auto known = detail::all_options();
    Options options;
    for (auto argument = arguments.begin(); argument != arguments.end(); ++argument) {
        if (*argument == "--help" || *argument == "-h") {
            options.help = true;
            return options;
        }
        const auto equals = argument->find('=');
        const std::string name = argument->substr(0, equals);
        const detail::Option* option = nullptr;
        for (const detail::Option& candidate : known) {
            option = candidate.name == name ? &candidate : option;
        }
        if (option == nullptr) {
            throw UsageError("there is no option " + name);
        }
        std::string value;
        if (equals != argument->npos) {
            value = argument->substr(equals + 1);
        } else if (std::next(argument) != arguments.end()) {
            value = *++argument;
        } else {
            throw UsageError(name + " needs a value");
        }
        try {
            option->set(options, value);
        } catch (const UsageError& error) {
            throw UsageError(name + ": " + error.what());
        }
    }
    return options;
}

}  // namespace tour
