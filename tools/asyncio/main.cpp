// main.cpp - the `asyncio` command: which subcommand is meant, and how it ends.
//
// SPDX-License-Identifier: MIT
#include "compare_command.hpp"

#include <asyncio/detail/config.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>
#include <CLI/CLI.hpp>

namespace {

/// Of whoever was told something wrong, as shells have it.
constexpr int usage_error = 2;

std::string version() {
    return "asyncio-cpp " + std::to_string(ASYNCIO_VERSION_MAJOR) + "." +
           std::to_string(ASYNCIO_VERSION_MINOR) + "." + std::to_string(ASYNCIO_VERSION_PATCH);
}

/// What was called wrongly. Of a subcommand that there is not, CLI11 says only that one is missing.
std::string complaint(const CLI::App& app, const CLI::ParseError& error) {
    const std::vector<std::string> rest = app.remaining();
    if (app.get_subcommands().empty() && !rest.empty()) {
        return rest.front() + " is not known";
    }
    return error.what();
}

int run(int argc, char** argv) {
    CLI::App app("Tools for those who use asyncio-cpp.", "asyncio");
    app.set_version_flag("--version", version());
    app.require_subcommand(1);
    compare::Command compare(app);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& help) {
        return app.exit(help);
    } catch (const CLI::ParseError& error) {
        std::fprintf(stderr, "asyncio: %s\nasyncio: --help says what there is\n",
                     complaint(app, error).c_str());
        return usage_error;
    }
    compare.run();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "asyncio: %s\n", error.what());
        return 1;
    }
}
