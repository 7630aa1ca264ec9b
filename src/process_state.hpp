// process_state.hpp - what a Process stands for, and how one is made.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/subprocess.hpp>

#include "child.hpp"
#include "pipe_connection.hpp"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace asyncio::detail {

/// Users and groups that are to be looked up, and what was found.
struct AccountNames {
    std::string user;
    std::string group;
    std::vector<std::string> groups;
    std::optional<uid_t> user_id;
    std::optional<gid_t> group_id;
    std::vector<gid_t> group_ids;
};

/// What a SubprocessOptions says, kept: it is read after the caller has gone on.
struct ProcessRequest {
    /// std::invalid_argument
    ProcessRequest(std::vector<std::string> arguments, const SubprocessOptions& options);

    SpawnRequest spawn;
    std::array<Stdio, 3> streams;
    std::size_t limit;
    std::optional<TerminalSize> pty;
    bool kill_on_cancel;
    AccountNames names;

    /// Asks the system's databases, which may take a while: in a thread. std::out_of_range
    /// (Python's KeyError) for a name that is not there.
    [[nodiscard]] Coroutine<> look_up_names();
};

/// A child, and the ends of its pipes that are this program's.
struct StartedChild {
    Child* child = nullptr;       ///< retained by itself until it ends
    std::array<Socket, 3> pipes;  ///< non-blocking; empty where there is none
    Socket terminal;              ///< a duplicate, to set its size
};

/// Starts what was asked for. OSError; then nothing is left.
[[nodiscard]] StartedChild start_child(LoopIO& io, ProcessRequest& request);

class ProcessState {
public:
    explicit ProcessState(Child& running) noexcept : child(running) { child.retain(); }
    ProcessState(const ProcessState&) = delete;
    ProcessState& operator=(const ProcessState&) = delete;
    ~ProcessState() { child.release(); }

    /// See Process::wait().
    void read_ahead() noexcept;

    Child& child;
    std::optional<StreamWriter> input;
    std::optional<StreamReader> output;
    std::optional<StreamReader> errors;
    std::vector<StreamKeep> read_pipes;  // PipeConnections, of these two
    Socket terminal;
    // Of communicate(): what was read so far.
    std::optional<std::string> collected_output;
    std::optional<std::string> collected_errors;
    bool communicating = false;
    bool kill_on_cancel = false;
};

}  // namespace asyncio::detail
