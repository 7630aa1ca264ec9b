// spawn.hpp - starts a process, and finds out how it ended: spawn(), ChildProcess.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "spawn_child.hpp"

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace asyncio::detail {

/// What is to run, and how.
struct SpawnRequest {
    std::vector<std::string> arguments;  ///< the first is what the program is called
    std::string executable;              ///< with a '/', a path; otherwise looked for in PATH
    std::optional<std::vector<std::string>> environment;  ///< "NAME=value"; nullopt: the parent's
    std::string directory;                                ///< empty: the parent's
    std::vector<FdMapping> fds;                           ///< in any order; targets differ
    std::vector<gid_t> groups;                            ///< to have besides, with set_groups
    std::optional<uid_t> user;
    std::optional<gid_t> group;
    std::optional<mode_t> umask;
    std::optional<pid_t> process_group;
    int terminal = -1;  ///< number of the child's descriptor that becomes its terminal
    bool set_groups = false;
    bool new_session = false;
    bool close_fds = true;  ///< from 3 on, but for `fds`
    bool restore_signals = true;
};

/// A child process that has not been reaped: what it takes to signal and to reap it, and nobody
/// else. A value; what it stands for is not ended with it.
///
/// Where the system has descriptors for processes, a process that got the same number later is
/// never meant: not even if somebody else, by a waitpid(-1), has reaped the child.
class ChildProcess {
public:
    ChildProcess() = default;
    ChildProcess(pid_t pid, int pidfd) noexcept : pid_(pid), pidfd_(pidfd) {}

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    /// Readable when it has ended; -1 if the system has none.
    [[nodiscard]] int pidfd() const noexcept { return pidfd_; }
    void forget_pidfd() noexcept { pidfd_ = -1; }

    /// 0, or errno.
    [[nodiscard]] int send_signal(int number) const noexcept;

    enum class Reaped { running, exited, stolen };
    /// Its exit status, as Python has it, if it has ended. 255 if somebody else has got that.
    Reaped reap(int& returncode) const noexcept;

private:
    pid_t pid_ = 0;
    int pidfd_ = -1;
};

/// Starts a process. OSError, as that of the step that failed; then there is none.
[[nodiscard]] ChildProcess spawn(const SpawnRequest& request);

/// A child that runs, and that nobody waits for any more: it is reaped some time after it has
/// ended, by the next call. `child` is closed.
void leave_to_be_reaped(ChildProcess child) noexcept;
/// Reaps of these whoever has ended.
void reap_left() noexcept;

}  // namespace asyncio::detail
