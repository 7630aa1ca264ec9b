// groups.hpp - the main program of a benchmark that consists of named groups of metrics.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdio>
#include <span>
#include <string_view>

#include <sys/wait.h>
#include <unistd.h>

#include "measure.hpp"

namespace bench {

struct Group {
    std::string_view name;
    void (*measure)();
};

/// Runs one group in a process of its own. What a group leaves behind in malloc would otherwise be
/// part of the next one: a million timers cost three times as much after a hundred thousand
/// exceptions, and memory that is used again does not show in the resident size.
inline bool run_apart(const Group& group) {
    std::fflush(stdout);
    const pid_t child = ::fork();
    if (child == 0) {
        pin_to_core(0);
        group.measure();
        std::fflush(stdout);
        ::_exit(0);
    }
    int status = 0;
    return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

/// `program` runs all groups, `program GROUP...` those that are named.
inline int run_groups(std::span<const Group> groups, int argc, char** argv) {
    bool good = true;
    if (argc < 2) {
        for (const Group& group : groups) {
            good = run_apart(group) && good;
        }
    }
    for (int i = 1; i < argc; ++i) {
        const auto group = std::ranges::find(groups, std::string_view(argv[i]), &Group::name);
        if (group == groups.end()) {
            std::fprintf(stderr, "%s: no group '%s'; there are:", argv[0], argv[i]);
            for (const Group& known : groups) {
                std::fprintf(stderr, " %.*s", static_cast<int>(known.name.size()),
                             known.name.data());
            }
            std::fputc('\n', stderr);
            return 2;
        }
        good = run_apart(*group) && good;
    }
    return good ? 0 : 1;
}

}  // namespace bench
