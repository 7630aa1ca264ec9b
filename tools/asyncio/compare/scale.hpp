// scale.hpp - how much of everything is measured.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "model.hpp"

#include <chrono>
#include <cstddef>
#include <vector>

namespace compare {

using namespace std::chrono_literals;

/// Counts and limits of a comparison. All of it is bounded: the counts by these numbers and by what
/// the machine has, the time of each measurement by `repetition_time` and, however slow the machine
/// is, by `limit`.
struct Scale {
    int repetitions = 5;                             ///< of each measurement; the median counts
    std::chrono::milliseconds repetition_time = 2s;  ///< after which none is begun any more
    std::chrono::milliseconds limit = 30s;           ///< of a measurement; it has failed then
    std::chrono::milliseconds whole = 240s;          ///< of the comparison
    PerModel<std::size_t> switches = {500'000, 50'000, 50'000};  ///< in one repetition
    PerModel<std::size_t> starts = {200'000, 2'000, 300};
    PerModel<std::size_t> hand_overs = {500'000, 50'000, 50'000};  ///< of locks, and messages
    PerModel<std::size_t> suspended = {1'000'000, 5'000, 500};     ///< units, to see their memory
    std::size_t traces = 20;                                       ///< runs of one program
    std::size_t trace_steps = 100;                                 ///< of each of its units
    std::size_t numbers_per_piece = 15'000;  ///< of the computation, which has 64 pieces
    std::vector<std::size_t> cpu_units = {1, 2, 4, 8, 16, 64};
    std::size_t io_rounds = 8;  ///< a question, a wait and a block of a file each
    PerModel<std::vector<std::size_t>> io_units = {{1, 10, 30, 100, 300, 1'000, 3'000},
                                                   {1, 10, 30, 100, 300, 1'000, 3'000},
                                                   {1, 10, 30, 100, 300, 1'000}};
};

/// What is done in a few seconds, to see that everything works; its figures are rough.
inline Scale quick_scale() {
    Scale scale;
    scale.repetitions = 3;
    scale.repetition_time = 200ms;
    scale.switches = {20'000, 2'000, 2'000};
    scale.starts = {5'000, 100, 20};
    scale.hand_overs = {20'000, 2'000, 2'000};
    scale.suspended = {20'000, 200, 30};
    scale.traces = 5;
    scale.numbers_per_piece = 2'000;
    scale.cpu_units = {1, 2, 8};
    scale.io_rounds = 2;
    scale.io_units = {{1, 10, 50}, {1, 10, 50}, {1, 10, 50}};
    return scale;
}

}  // namespace compare
