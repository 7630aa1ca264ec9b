// compare.cpp - the order in which everything is measured, and the limits of time.
//
// SPDX-License-Identifier: MIT
#include "compare.hpp"

#include <asyncio/detail/config.hpp>

#include "conclusions.hpp"
#include "cpu_job.hpp"
#include "io_job.hpp"
#include "io_server.hpp"
#include "measure.hpp"
#include "measurement.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/utsname.h>
#include <unistd.h>

namespace compare {
namespace {

const std::array<const Measurement*, 6> measurements = {
    &execution_model, &context_switch, &start, &memory, &synchronisation, &determinism};

std::string version() {
    return std::to_string(ASYNCIO_VERSION_MAJOR) + "." + std::to_string(ASYNCIO_VERSION_MINOR) +
           "." + std::to_string(ASYNCIO_VERSION_PATCH);
}

Machine this_machine() {
    utsname names{};
    ::uname(&names);
    return {processors(),
            static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
                static_cast<double>(::sysconf(_SC_PAGESIZE)),
            std::string(names.sysname) + " " + names.release + " " + names.machine};
}

/// One comparison under way.
class Run {
public:
    Run(const Scale& scale, const Progress& progress)
        : scale_(scale), progress_(progress), most_connections_(most_connections()) {
        steps_ = measurements.size() * model_count;
        for (const Model model : models) {
            steps_ += scale_.cpu_units.size() + io_units(model).size();
        }
    }

    [[nodiscard]] double seconds() const { return seconds_since(begun_); }

    Row measure(const Measurement& measurement) {
        Row row{std::string(measurement.key),
                std::string(measurement.title),
                std::string(measurement.unit),
                std::string(measurement.method),
                {}};
        for (const Model model : models) {
            const Values values = step(row.title + ", " + std::string(model_names[model]),
                                       [&] { return measurement.measure[model](scale_); });
            row.cells[model] = measurement.cell(model, values);
        }
        return row;
    }

    Job time_cpu_job() {
        Job job{"cpu_bound", "CPU-bound job", std::string(cpu_job_method), {}};
        for (const Model model : models) {
            job.series[model] = series(job.title, model, scale_.cpu_units, [&](std::size_t units) {
                return do_cpu_job(model, units, scale_);
            });
        }
        return job;
    }

    Job time_io_job() {
        const IoServer server;
        Job job{"io_bound", "I/O-bound job", std::string(io_job_method), {}};
        for (const Model model : models) {
            job.series[model] = series(job.title, model, io_units(model), [&](std::size_t units) {
                return do_io_job(model, units, server.name(), scale_);
            });
        }
        return job;
    }

private:
    [[nodiscard]] std::vector<std::size_t> io_units(Model model) const {
        std::vector<std::size_t> counts = scale_.io_units[model];
        std::erase_if(counts, [this](std::size_t count) { return count > most_connections_; });
        return counts;
    }

    /// `do_job` gives what the fields of a Point are behind its units. A series ends where the
    /// system has no room for so many units.
    template <class DoJob>
    std::vector<Point> series(const std::string& title, Model model,
                              const std::vector<std::size_t>& counts, DoJob do_job) {
        std::vector<Point> points;
        bool room = true;
        for (const std::size_t units : counts) {
            const std::string what =
                title + ", " + std::to_string(units) + " " + std::string(unit_names[model]);
            const Values seconds = step(what, [&]() -> Values {
                try {
                    return room ? do_job(units) : Values();
                } catch (const std::system_error& error) {
                    if (error.code() != std::errc::resource_unavailable_try_again || units == 1) {
                        throw;
                    }
                    return {};
                }
            });
            room = !seconds.empty();
            if (room) {
                const double alone = seconds.size() > 1 ? seconds[1] : 0;
                points.push_back({static_cast<double>(units), seconds[0], alone});
            }
        }
        return points;
    }

    Values step(const std::string& what, const std::function<Values()>& measure) {
        progress_(++step_, steps_, what);
        const auto left = scale_.whole - std::chrono::duration_cast<std::chrono::milliseconds>(
                                             Clock::now() - begun_);
        try {
            return isolated(measure, std::clamp(left, std::chrono::milliseconds(1), scale_.limit));
        } catch (const std::exception& error) {
            throw std::runtime_error(what + ": " + error.what());
        }
    }

    const Scale& scale_;
    const Progress& progress_;
    std::size_t most_connections_;
    std::size_t step_ = 0;
    std::size_t steps_ = 0;
    Clock::time_point begun_ = Clock::now();
};

}  // namespace

Comparison compare_all(const Scale& scale, const Progress& progress) {
    Run run(scale, progress);
    Comparison comparison;
    comparison.version = version();
    comparison.quick = scale.repetitions < Scale().repetitions;
    comparison.machine = this_machine();
    comparison.cpu = run.time_cpu_job();
    comparison.io = run.time_io_job();
    std::vector<Row> rows;
    for (const Measurement* const measurement : measurements) {
        rows.push_back(run.measure(*measurement));
    }
    // In the order of the table: what follows from the jobs has its place among the others.
    rows.insert(rows.begin() + 3, parallelism_of(comparison.cpu));
    rows.insert(rows.begin(), best_suited_for(comparison.io, comparison.cpu));
    comparison.rows = std::move(rows);
    comparison.seconds = run.seconds();
    return comparison;
}

}  // namespace compare
