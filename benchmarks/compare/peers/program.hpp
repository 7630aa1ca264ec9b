// program.hpp - the main program of a peer in C++: `PROGRAM WORKLOAD SIZE TIMES`.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "../../support/measure.hpp"

namespace bench {

/// What was asked for, and how to answer.
struct Job {
    const char* workload;
    int size;
    int times;

    void print(double value) const { print(workload, value, "ns"); }

    void print(const char* name, double value, const char* unit) const {
        std::printf("{\"workload\": \"%s\", \"size\": %d, \"value\": %.3f, \"unit\": \"%s\"}\n",
                    name, size, value, unit);
    }
};

struct Workload {
    std::string_view name;
    void (*measure)(const Job&);
};

/// CPU time since it was made, of all threads.
class Stopwatch {
public:
    double ns() const noexcept { return static_cast<double>(cpu_ns() - start_); }

private:
    std::uint64_t start_ = cpu_ns();
};

inline std::int64_t sum_below(std::int64_t count) {
    return count * (count - 1) / 2;
}

/// The array of handles is touched before memory is looked at, and not counted to the tasks.
template <class Handle>
std::vector<Handle> room_for(int count) {
    std::vector<Handle> handles;
    handles.reserve(static_cast<std::size_t>(count));
    std::memset(static_cast<void*>(handles.data()), 1,
                sizeof(Handle) * static_cast<std::size_t>(count));
    return handles;
}

/// Exit status 3: this program does not have the workload.
inline int run_workload(std::span<const Workload> workloads, int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: %s WORKLOAD SIZE TIMES\n", argv[0]);
        return 2;
    }
    const Job job{argv[1], std::atoi(argv[2]), std::atoi(argv[3])};
    const auto found = std::ranges::find(workloads, std::string_view(argv[1]), &Workload::name);
    if (found == workloads.end()) {
        return 3;
    }
    found->measure(job);
    return 0;
}

}  // namespace bench
