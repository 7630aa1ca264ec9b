// usage.hpp - what the process takes of the machine: Usage.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <fstream>
#include <string>

#include <sys/resource.h>

namespace tour {

/// What the kernel says at this moment.
struct Usage {
    long context_switches = 0;  ///< of all threads since the start
    long peak_memory = 0;       ///< KiB, since forget_peak()
    int threads = 0;

    static Usage now() {
        Usage usage;
        struct rusage total{};
        if (::getrusage(RUSAGE_SELF, &total) == 0) {
            usage.context_switches = total.ru_nvcsw + total.ru_nivcsw;
        }
        std::ifstream status("/proc/self/status");
        for (std::string name; status >> name;) {
            if (name == "VmHWM:") {
                status >> usage.peak_memory;
            } else if (name == "Threads:") {
                status >> usage.threads;
            }
        }
        return usage;
    }

    /// The peak begins anew; where that is not allowed it remains that of the whole program.
    static void forget_peak() { std::ofstream("/proc/self/clear_refs") << 5; }
};

}  // namespace tour
