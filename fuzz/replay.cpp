// replay.cpp - a fuzz target as a plain program: gives it the files that are named, or are in the
// directories that are named, and then inputs of its own making, the same ones each time.
//
// SPDX-License-Identifier: MIT
#include "fuzz.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

std::vector<std::filesystem::path> files_in(const std::filesystem::path& path) {
    std::vector<std::filesystem::path> files;
    if (std::filesystem::is_directory(path)) {
        for (const auto& entry : std::filesystem::directory_iterator(path)) {
            files.push_back(entry.path());
        }
        std::sort(files.begin(), files.end());
    } else {
        files.push_back(path);
    }
    return files;
}

void give(const std::vector<std::uint8_t>& bytes) {
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

void give_made_up(int count) {
    std::uint64_t state = 88172645463325252U;
    for (int number = 0; number < count; ++number) {
        std::vector<std::uint8_t> bytes(static_cast<std::size_t>(number) % 200);
        for (std::uint8_t& each : bytes) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            each = static_cast<std::uint8_t>(state >> 32);
        }
        give(bytes);
    }
}

}  // namespace

int main(int count, char** arguments) {
    int files = 0;
    for (int i = 1; i < count; ++i) {
        for (const std::filesystem::path& path : files_in(arguments[i])) {
            std::ifstream file(path, std::ios::binary);
            give({std::istreambuf_iterator<char>(file), {}});
            ++files;
        }
    }
    constexpr int made_up = 1000;
    give_made_up(made_up);
    std::printf("%d files and %d inputs made up\n", files, made_up);
    return files > 0 ? 0 : 1;
}
