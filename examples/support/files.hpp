// files.hpp - the first wait: reading files.
//
// The kernel has no asynchronous read for files that works everywhere, so threads do it.
// SPDX-License-Identifier: MIT
#pragma once

#include "source.hpp"
#include "threads.hpp"

#include <asyncio/exceptions.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace tour {

/// The files below `directory`, at most `most` of them, without hidden ones and what is in build/.
/// In a thread.
inline std::vector<std::string> list_files(std::string directory, std::size_t most,
                                           std::stop_token stop) {
    namespace fs = std::filesystem;
    std::vector<std::string> found;
    std::vector<fs::path> directories{directory};
    while (!directories.empty()) {
        const fs::path current = std::move(directories.back());
        directories.pop_back();
        std::error_code error;
        fs::directory_iterator entry(current, error);
        for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
            if (found.size() >= most || stop.stop_requested()) {
                return found;
            }
            const std::string name = entry->path().filename();
            std::error_code ignored;
            const fs::file_status status = entry->status(ignored);
            if (name.starts_with('.')) {
                continue;
            }
            if (status.type() == fs::file_type::directory) {
                if (name != "build" && !entry->is_symlink(ignored)) {
                    directories.push_back(entry->path());
                }
            } else if (status.type() == fs::file_type::regular || !fs::exists(status)) {
                // Neither pipes nor devices, which may never end. A link that leads nowhere is
                // counted as a file: why it cannot be read is for reading to find out.
                found.push_back(entry->path());
            }
        }
        if (error && current == directory) {
            throw asyncio::OSError(error.value(), directory + ": cannot be listed");
        }
        if (error) {
            found.push_back(current);  // likewise
        }
    }
    return found;
}

/// Reads a file to its end; its size. In a thread.
inline std::size_t read_file(std::string path, std::stop_token stop) {
    const auto fail = [] { throw asyncio::OSError(errno, "cannot be read"); };
    struct Close {
        void operator()(std::FILE* file) const { static_cast<void>(std::fclose(file)); }
    };
    const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rbe"));
    if (file == nullptr) {
        fail();
    }
    std::array<char, 64 << 10> buffer{};
    std::size_t size = 0;
    while (!stop.stop_requested()) {
        const std::size_t read = std::fread(buffer.data(), 1, buffer.size(), file.get());
        size += read;
        if (read < buffer.size()) {
            break;
        }
    }
    if (std::ferror(file.get()) != 0) {
        fail();
    }
    return size;
}

class FileSource final : public Source {
public:
    FileSource(std::vector<std::string> paths, Threads& threads)
        : paths_(std::move(paths)), threads_(threads) {}

    /// The files below a directory. Throws what listing it throws.
    static asyncio::Coroutine<std::unique_ptr<Source>> below(std::string directory,
                                                             std::size_t most, Threads& threads) {
        auto paths = co_await threads.call(directory, list_files, directory, most);
        co_return std::make_unique<FileSource>(std::move(paths), threads);
    }

    [[nodiscard]] std::string kind() const override { return "files"; }
    [[nodiscard]] std::size_t count() const override { return paths_.size(); }
    [[nodiscard]] std::string subject(std::size_t index) const override { return paths_[index]; }
    asyncio::Coroutine<> wait(std::size_t index) override {
        co_await threads_.call(paths_[index], read_file, paths_[index]);
    }

private:
    std::vector<std::string> paths_;
    Threads& threads_;
};

}  // namespace tour
