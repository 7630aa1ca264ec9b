// spawn_child.hpp - what a child process does between its birth and its program.
//
// It shares all memory with its parent, one thread of which waits until the program has begun. So
// the child allocates nothing, takes no lock, throws nothing and changes nothing but its own
// ChildPlan; whatever needs memory has been prepared.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include <sys/types.h>

namespace asyncio::detail {

/// What the child was doing when it failed.
enum class SpawnStep : std::uint8_t {
    none,
    descriptors,
    directory,
    session,
    process_group,
    groups,
    group,
    user,
    terminal,
    execute,
};

/// A descriptor of the parent's, and the number under which the child is to have it.
struct FdMapping {
    int from;
    int to;
};

/// Arrays belong to the parent and outlive the child's stay.
struct ChildPlan {
    const char* const* candidates = nullptr;  ///< paths to try, in order, up to a null
    const char* const* arguments = nullptr;   ///< up to a null
    const char* const* environment = nullptr;
    const char* directory = nullptr;  ///< null: the parent's
    FdMapping* fds = nullptr;         ///< targets differ, and ascend; `from` may be changed
    std::size_t fd_count = 0;
    const gid_t* groups = nullptr;  ///< to have besides
    std::size_t group_count = 0;
    int terminal = -1;  ///< number of the child's descriptor that becomes its terminal
    long process_group = -1;
    long umask = -1;
    long user = -1;
    long group = -1;
    bool set_groups = false;
    bool new_session = false;
    bool close_others = true;     ///< from 3 on, what is not in `fds`
    bool default_signals = true;  ///< SIGPIPE and SIGXFSZ, also where they are ignored

    // What became of it.
    SpawnStep failed = SpawnStep::none;
    int error = 0;  ///< errno
};

/// A child process that carries out `plan`, and, where the system has that, a descriptor of it
/// (otherwise -1). Returns when its program runs, or when it has failed and ended (to be reaped);
/// -errno if there is none.
struct Birth {
    long pid;
    int pidfd;
};
[[nodiscard]] Birth give_birth(ChildPlan& plan) noexcept;

}  // namespace asyncio::detail
