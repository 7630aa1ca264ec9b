// fork.hpp - what becomes of the library in a child of fork().
//
// The child has a copy of every loop, and the kernel's side of it in common with its parent: it may
// make loops of its own, but must not run those. (Children that start another program are made
// without fork(): src/spawn_child.cpp.)
// SPDX-License-Identifier: MIT
#pragma once

namespace asyncio::detail {

/// Has `before` called before each fork() of the process, and the others after it. Whoever asks
/// last comes first before, and last after.
void at_fork(void (*before)(), void (*in_parent)(), void (*in_child)()) noexcept;

/// Holds the mutex that the function `mutex` gives while the process forks. The child has a copy of
/// the mutex, but not the thread that may have locked it.
template <auto mutex>
void keep_over_fork() noexcept {
    constexpr auto unlock = [] { mutex().unlock(); };
    at_fork([] { mutex().lock(); }, unlock, unlock);
}

}  // namespace asyncio::detail
