// cpu_job.cpp - the CPU-bound job, written three times.
//
// SPDX-License-Identifier: MIT
#include "cpu_job.hpp"

#include <asyncio/runners.hpp>
#include <asyncio/tasks.hpp>

#include "measure.hpp"
#include "shared.hpp"
#include "units.hpp"

#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace compare {
namespace {

constexpr std::size_t pieces = 64;
constexpr std::size_t first_number = 1'000'000;

bool is_prime(std::uint32_t n) noexcept {
    if (n % 2 == 0) {
        return n == 2;
    }
    for (std::uint32_t d = 3; d * d <= n; d += 2) {
        if (n % d == 0) {
            return false;
        }
    }
    return n > 1;
}

/// The primes of a piece, of which each takes about as long as the others.
std::size_t count_primes(std::size_t piece, const Scale& scale) noexcept {
    const std::size_t begin = first_number + piece * scale.numbers_per_piece;
    std::size_t count = 0;
    for (std::size_t n = begin; n < begin + scale.numbers_per_piece; ++n) {
        count += is_prime(static_cast<std::uint32_t>(n)) ? 1 : 0;
    }
    return count;
}

/// What unit number `unit` of `units` has to do.
std::size_t count_share(std::size_t unit, std::size_t units, const Scale& scale) noexcept {
    std::size_t count = 0;
    for (std::size_t piece = unit; piece < pieces; piece += units) {
        count += count_primes(piece, scale);
    }
    return count;
}

using Counts = std::span<std::size_t>;

asyncio::Coroutine<> count_in_task(Counts counts, std::size_t unit, const Scale& scale) {
    for (std::size_t piece = unit; piece < pieces; piece += counts.size()) {
        counts[unit] += count_primes(piece, scale);
        co_await asyncio::sleep(0);  // so that others get their turn
    }
}

asyncio::Coroutine<> count_in_tasks(Counts counts, const Scale& scale) {
    std::vector<asyncio::Coroutine<>> units;
    for (std::size_t unit = 0; unit < counts.size(); ++unit) {
        units.push_back(count_in_task(counts, unit, scale));
    }
    co_await asyncio::gather(std::move(units));
}

/// Each unit puts its count in its place.
void count_in_units(Model model, Counts counts, const Scale& scale) {
    const auto body = [&](std::size_t unit) {
        counts[unit] = count_share(unit, counts.size(), scale);
    };
    switch (model) {
        case Model::asyncio:
            return asyncio::run(count_in_tasks(counts, scale));
        case Model::threads:
            return in_threads(counts.size(), body);
        case Model::processes:
            return in_processes(counts.size(), body);
    }
}

}  // namespace

const std::string_view cpu_job_method =
    "The primes of a range are counted by division, in 64 pieces that are dealt to the units, one "
    "after another or side by side as it happens. Beginning and end of the units are part of the "
    "time; the smallest of the repetitions, as other programs can only add to it. Each result is "
    "checked.";

Values do_cpu_job(Model model, std::size_t units, const Scale& scale) {
    Values alone;
    const Values together = repeat(scale, [&] {
        const Clock::time_point start = Clock::now();
        const std::size_t expected = count_share(0, 1, scale);
        const Clock::time_point middle = Clock::now();
        const Shared<std::size_t> counts(units);
        count_in_units(model, counts.all(), scale);
        const double seconds = seconds_since(middle);
        alone.push_back(std::chrono::duration<double>(middle - start).count());
        const Counts all = counts.all();
        require(std::accumulate(all.begin(), all.end(), std::size_t{0}) == expected,
                "the units have counted other primes");
        return seconds;
    });
    return {smallest(together), smallest(alone)};
}

}  // namespace compare
