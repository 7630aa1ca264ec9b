// measure.hpp - clocks, memory, repeatable random numbers and `metric=value` lines for benchmarks.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

namespace bench {

inline std::uint64_t read_clock(clockid_t clock) noexcept {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(now.tv_nsec);
}

/// Nanoseconds of CPU that this process has used: what its neighbours do does not enter.
inline std::uint64_t cpu_ns() noexcept {
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

/// Nanoseconds on the wall, for what two threads do together.
inline std::uint64_t wall_ns() noexcept {
    return read_clock(CLOCK_MONOTONIC);
}

/// Resident memory of this process, in bytes.
inline std::uint64_t resident_bytes() {
    unsigned long size = 0;
    unsigned long resident = 0;
    std::FILE* statm = std::fopen("/proc/self/statm", "r");
    if (statm == nullptr || std::fscanf(statm, "%lu %lu", &size, &resident) != 2) {
        std::perror("/proc/self/statm");
        std::exit(1);
    }
    std::fclose(statm);
    return std::uint64_t{resident} * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

inline void report(const char* metric, double value) {
    std::printf("%s=%.2f\n", metric, value);
    std::fflush(stdout);
}

/// Reports the CPU time of `body` divided by the number of operations it performs.
template <class Body>
void report_cpu(const char* metric, double operations, Body body) {
    const std::uint64_t start = cpu_ns();
    body();
    report(metric, static_cast<double>(cpu_ns() - start) / operations);
}

/// A benchmark that computed something wrong has measured something else: it must not report.
inline void require(bool condition, const char* what) {
    if (!condition) {
        std::fprintf(stderr, "wrong result: %s\n", what);
        std::exit(1);
    }
}

/// Keeps the calling thread on one core. Where that is not allowed, or the core does not exist, the
/// figures are noisier but still right, so failure is ignored.
inline void pin_to_core(int core) noexcept {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(static_cast<unsigned>(core), &cores);
    ::pthread_setaffinity_np(::pthread_self(), sizeof cores, &cores);
}

/// xorshift64: fast, and the same sequence in every run, so that both sides of a comparison do the
/// same work.
class Random {
public:
    std::uint64_t operator()() noexcept {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_;
    }

private:
    std::uint64_t state_ = 88172645463325252U;
};

}  // namespace bench
