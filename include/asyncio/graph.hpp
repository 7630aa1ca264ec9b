// graph.hpp - who waits for whom, and where: capture_call_graph, format_call_graph,
// print_call_graph.
//
// Mirrors asyncio.graph (Python 3.14); differences: docs/parity.md#graph.
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/futures.hpp>

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace asyncio {

/// A suspended await, or the place where the running one asks. Mirrors FrameCallGraphEntry.
struct FrameCallGraphEntry {
    std::string function;  ///< as the compiler spells it, without the return type
    const char* file = "";
    unsigned line = 0;
};

/// A future or task, the coroutines in which it is suspended (innermost first), and the tasks that
/// wait for it. Mirrors FutureCallGraph.
struct FutureCallGraph {
    AnyFuture future;
    std::vector<FrameCallGraphEntry> call_stack;
    const char* waits_in = "";  ///< what it is suspended in ("sleep", "lock"); empty if it is not
    std::vector<FutureCallGraph> awaited_by;
    int cancelling = 0;  ///< requests to cancel the task that it has not taken back
    /// In debug mode: the await that threw CancelledError, if the task has gone on since. It may
    /// clean up, or have swallowed the error.
    std::optional<FrameCallGraphEntry> swallowed_at;
    std::optional<FrameCallGraphEntry> created_at;  ///< in debug mode
};

/// Keyword arguments of the functions below.
struct CallGraphOptions {
    std::size_t limit = std::numeric_limits<std::size_t>::max();  ///< most frames of each stack
    std::size_t depth = 100;  ///< most levels of awaiters; what is beyond is left out
};

/// The call graph of `future`, or of the running task; nullopt if there is neither. It costs
/// nothing but the walk: every await records its site and its parent, in every build.
[[nodiscard]] std::optional<FutureCallGraph> capture_call_graph(const AnyFuture& future = {},
                                                                CallGraphOptions options = {});

/// The same as text; empty if there is neither.
///
///     * Task(name='Task-1')
///       + Call stack:
///       |   File 'app.cpp', line 10, in async fetch(std::string)
///       + Cancelling: 1, swallowed at File 'app.cpp', line 7, in async fetch(std::string)
///       + Created at: File 'app.cpp', line 20, in async amain()
///       + Awaited by:
///          * Task(name='main')
[[nodiscard]] std::string format_call_graph(const AnyFuture& future = {},
                                            CallGraphOptions options = {});

/// The same to standard error.
void print_call_graph(const AnyFuture& future = {}, CallGraphOptions options = {});

}  // namespace asyncio
