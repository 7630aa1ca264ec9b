// memory_use.cpp - what the system says about memory: reading it.
//
// SPDX-License-Identifier: MIT
#include "memory_use.hpp"

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

#include <unistd.h>

namespace compare {
namespace {

/// The sum of the lines `name: number kB` of a file; none if it has none of them.
std::optional<double> sum_of(const std::string& path,
                             std::initializer_list<std::string_view> names) {
    std::ifstream file(path);
    std::optional<double> sum;
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string name;
        double kilobytes = 0;
        if (words >> name >> kilobytes &&
            std::find(names.begin(), names.end(), std::string_view(name)) != names.end()) {
            sum = sum.value_or(0) + kilobytes * 1024;
        }
    }
    return sum;
}

/// The number in a file that has nothing else; none if there is no such file, or a word in it.
std::optional<double> number_in(const char* path) {
    std::ifstream file(path);
    double number = 0;
    if (file >> number) {
        return number;
    }
    return std::nullopt;
}

double resident_and_own(const std::string& directory) {
    std::ifstream file(directory + "/statm");
    double size = 0;
    double resident = 0;
    double common = 0;
    if (!(file >> size >> resident >> common)) {
        return 0;
    }
    return (resident - common) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

double bytes_of_process(pid_t pid) {
    const std::string directory = "/proc/" + std::to_string(pid);
    const std::optional<double> share = sum_of(directory + "/smaps_rollup", {"Pss:"});
    return share ? *share : resident_and_own(directory);
}

double bytes_of_kernel() {
    return sum_of("/proc/meminfo", {"KernelStack:", "PageTables:", "SUnreclaim:"}).value_or(0);
}

double bytes_available() {
    double available = sum_of("/proc/meminfo", {"MemAvailable:"}).value_or(512.0 * 1024 * 1024);
    const std::optional<double> limit = number_in("/sys/fs/cgroup/memory.max");
    const std::optional<double> used = number_in("/sys/fs/cgroup/memory.current");
    if (limit && used) {
        available = std::min(available, std::max(*limit - *used, 0.0));
    }
    return available;
}

std::size_t affordable(std::size_t units, double bytes_each) {
    const double fit = bytes_available() / 4 / bytes_each;
    return std::clamp<std::size_t>(static_cast<std::size_t>(fit), 1, units);
}

}  // namespace compare
