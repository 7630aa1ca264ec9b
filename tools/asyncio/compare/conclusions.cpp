// conclusions.cpp - what follows from the times of the two jobs: the arithmetic, and the words.
//
// SPDX-License-Identifier: MIT
#include "conclusions.hpp"

#include "format.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

namespace compare {
namespace {

/// A model is suited to a job if no other one is faster by more than this.
constexpr double nearly = 1.25;

/// The point where the job took the least time.
Point fastest(const std::vector<Point>& series) {
    return *std::min_element(series.begin(), series.end(),
                             [](const Point& a, const Point& b) { return a.seconds < b.seconds; });
}

/// What the job takes without units, of all the times that this was measured.
double least_alone(const std::vector<Point>& series) {
    double least = std::numeric_limits<double>::infinity();
    for (const Point& point : series) {
        least = std::min(least, point.alone);
    }
    return least;
}

double seconds_with(const std::vector<Point>& series, double units) {
    for (const Point& point : series) {
        if (point.units == units) {
            return point.seconds;
        }
    }
    return std::numeric_limits<double>::infinity();
}

/// The largest number of units that every model could do the job with.
double most_common_units(const Job& job) {
    double most = std::numeric_limits<double>::infinity();
    for (const Model model : models) {
        most = std::min(most, job.series[model].back().units);
    }
    return most;
}

double least(const PerModel<double>& seconds) {
    return std::min({seconds.asyncio, seconds.threads, seconds.processes});
}

std::string times(double ratio) {
    return quantity(ratio) + " x";
}

}  // namespace

Row parallelism_of(const Job& cpu) {
    Row row{"parallelism",
            "parallelism",
            "times",
            "How many times faster the CPU-bound job is done by the number of units that is the "
            "best for it than by the same code without any unit. The two are measured in turn; the "
            "smallest time of each counts.",
            {}};
    for (const Model model : models) {
        const Point best = fastest(cpu.series[model]);
        const double alone = least_alone(cpu.series[model]);
        const double speed_up = alone / best.seconds;
        row.cells[model] = {times(speed_up),
                            {{"value", speed_up},
                             {"units", best.units},
                             {"seconds", best.seconds},
                             {"seconds_without_units", alone}}};
    }
    return row;
}

Row best_suited_for(const Job& io, const Job& cpu) {
    const double io_units = most_common_units(io);
    PerModel<double> io_seconds;
    PerModel<double> cpu_seconds;
    for (const Model model : models) {
        io_seconds[model] = seconds_with(io.series[model], io_units);
        cpu_seconds[model] = fastest(cpu.series[model]).seconds;
    }
    Row row{"best_suited",
            "best suited for",
            "",
            "A model is suited to a job if it takes at most 1.25 times as long as the fastest one: "
            "the I/O-bound job with " +
                whole(io_units) +
                " units, the CPU-bound job with as many "
                "as each is fastest with.",
            {}};
    for (const Model model : models) {
        const double io_ratio = io_seconds[model] / least(io_seconds);
        const double cpu_ratio = cpu_seconds[model] / least(cpu_seconds);
        std::string value = "neither";
        if (io_ratio <= nearly && cpu_ratio <= nearly) {
            value = "I/O-bound and CPU-bound";
        } else if (io_ratio <= nearly) {
            value = "I/O-bound";
        } else if (cpu_ratio <= nearly) {
            value = "CPU-bound";
        }
        row.cells[model] = {value,
                            {{"value", value},
                             {"io_bound_seconds", io_seconds[model]},
                             {"io_bound_units", io_units},
                             {"io_bound_ratio", io_ratio},
                             {"cpu_bound_seconds", cpu_seconds[model]},
                             {"cpu_bound_ratio", cpu_ratio}}};
    }
    return row;
}

}  // namespace compare
