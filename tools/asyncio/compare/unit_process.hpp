// unit_process.hpp - a process as a unit of work: fork(), and a pipe.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <functional>
#include <utility>

#include <sys/types.h>

namespace compare {

/// A child that calls `body` and ends. It is killed when this process ends, and by the destructor.
///
/// Errors: std::system_error if the system has no room for another process.
class UnitProcess {
public:
    explicit UnitProcess(const std::function<void()>& body);
    UnitProcess(UnitProcess&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
    UnitProcess& operator=(UnitProcess&&) = delete;
    ~UnitProcess();

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    /// Waits for its end; std::runtime_error if that is not the end of `body`.
    void wait();

private:
    pid_t pid_;
};

/// Two descriptors.
///
/// Errors: std::system_error.
class Pipe {
public:
    Pipe();
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe();

    [[nodiscard]] int read_end() const noexcept { return ends_[0]; }
    [[nodiscard]] int write_end() const noexcept { return ends_[1]; }
    void close_write_end() noexcept;

private:
    std::array<int, 2> ends_ = {-1, -1};
};

}  // namespace compare
