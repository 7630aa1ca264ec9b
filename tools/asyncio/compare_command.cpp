// compare_command.cpp - `asyncio compare`: its options, and where its results go.
//
// SPDX-License-Identifier: MIT
#include "compare_command.hpp"

#include "compare/compare.hpp"
#include "compare/render.hpp"

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <CLI/CLI.hpp>

#include <unistd.h>

namespace compare {
namespace {

/// On one line of a terminal, or else on a line for each step.
class ProgressLine {
public:
    ~ProgressLine() {
        if (terminal_) {
            std::fputs("\r\033[K", stderr);
        }
    }

    void tell(std::size_t step, std::size_t steps, std::string_view what) const {
        std::fprintf(stderr, "%sasyncio compare: %zu of %zu: %.*s%s", terminal_ ? "\r\033[K" : "",
                     step, steps, static_cast<int>(what.size()), what.data(),
                     terminal_ ? "" : "\n");
        std::fflush(stderr);
    }

private:
    bool terminal_ = ::isatty(STDERR_FILENO) == 1;
};

/// Known before anything is measured; a page that is there stays until there is another.
void check_writable(const std::string& path) {
    std::error_code ignored;
    const bool existed = std::filesystem::exists(path, ignored);
    if (!std::ofstream(path, std::ios::app)) {
        throw std::runtime_error(path + " cannot be written");
    }
    if (!existed) {
        std::filesystem::remove(path, ignored);
    }
}

void write_file(const std::string& path, const std::string& text) {
    std::ofstream file(path, std::ios::trunc | std::ios::binary);
    file << text;
    file.close();
    if (!file) {
        throw std::runtime_error(path + " could not be written");
    }
}

void print(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() ||
        std::fflush(stdout) != 0) {
        throw std::runtime_error("standard output could not be written");
    }
}

}  // namespace

Command::Command(CLI::App& app) {
    CLI::App* const command = app.add_subcommand(
        "compare", "Measures the same work done with asyncio, threads and processes.");
    command->add_flag("--quick", quick_, "A few seconds, for rough figures");
    command->add_flag("--json", json_, "Print JSON, and nothing else, on standard output");
    command->add_option("--html", html_, "Write a page with the table and charts, too")
        ->type_name("FILE");
}

void Command::run() const {
    if (!html_.empty()) {
        check_writable(html_);
    }
    const auto measured = [this] {
        const ProgressLine line;
        return compare_all(quick_ ? quick_scale() : Scale(),
                           [&](std::size_t step, std::size_t steps, std::string_view what) {
                               line.tell(step, steps, what);
                           });
    };
    const Comparison comparison = measured();
    if (!html_.empty()) {
        write_file(html_, as_html(comparison));
    }
    print(json_ ? as_json(comparison) : as_table(comparison));
}

}  // namespace compare
