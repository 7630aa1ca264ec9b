// blocking_io.hpp - what threads and processes wait with: system calls that block.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace compare {

/// A descriptor that is closed at the end. Errors of what is made of it: std::system_error, or
/// std::runtime_error if there is less to read than there should be.
class Descriptor {
public:
    /// Takes what a system call of that name has given.
    Descriptor(int fd, const char* call);
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor();

    [[nodiscard]] int fd() const noexcept { return fd_; }

private:
    int fd_;
};

/// To a Unix socket with an abstract name, which begins with a zero byte.
class BlockingConnection {
public:
    explicit BlockingConnection(std::string_view name);

    void write(std::string_view bytes) const;
    /// As many as there is room for.
    void read(std::span<char> bytes) const;

private:
    Descriptor socket_;
};

/// To read from, at any place.
class BlockingFile {
public:
    explicit BlockingFile(const char* path);

    void read(std::span<char> bytes, std::int64_t offset) const;

private:
    Descriptor file_;
};

void sleep_blocking(double seconds);

}  // namespace compare
