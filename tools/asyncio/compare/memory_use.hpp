// memory_use.hpp - what the system says about memory: /proc.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include <sys/types.h>

namespace compare {

/// Bytes that a process holds of memory: its own, and its share of what it has in common with
/// others (proportional set size). Where the system does not say that, what is resident and not
/// common; 0 if there is no such process.
double bytes_of_process(pid_t pid);

/// Bytes that the kernel holds for all processes: stacks, page tables, its own objects.
double bytes_of_kernel();

/// Bytes that programs may still have, of the machine's or of what this process is confined to.
double bytes_available();

/// Of so many units at most, how many fit in a quarter of that.
std::size_t affordable(std::size_t units, double bytes_each);

}  // namespace compare
