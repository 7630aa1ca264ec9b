// pipe_connection.hpp - one direction over a pipe, or what can be used as one: PipeConnection.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "descriptor_connection.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace asyncio::detail {

enum class PipeDirection : std::uint8_t { read, write };

/// Non-blocking mode of what other processes, or other descriptors here, may share; it is put back
/// in the end.
class SharedMode {
public:
    SharedMode() = default;
    /// Switches it on. OSError.
    explicit SharedMode(int fd);
    SharedMode(SharedMode&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    SharedMode& operator=(SharedMode other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~SharedMode() { put_back(); }
    /// Before the descriptor is closed.
    void put_back() noexcept;

private:
    int fd_ = -1;
};

/// A descriptor for a PipeConnection: of a socket, in any mode, otherwise in non-blocking mode.
struct PipeDescriptor {
    Socket descriptor;
    SharedMode mode = {};  // destroyed before the descriptor
    bool socket = false;
};

/// Takes over `fd`, which is closed if that fails. std::invalid_argument (Python's ValueError) if
/// it is no pipe, socket or character device; OSError.
[[nodiscard]] PipeDescriptor adopt_pipe(LoopIO& io, int fd, PipeDirection direction);

/// A pipe, FIFO, terminal or other character device, or a socket, of which one direction is used.
///
/// Its end closes it: that of what is read, write_eof(), and that nobody reads any more what is
/// written, which is found also while nothing is written.
class PipeConnection final : public DescriptorConnection {
public:
    PipeConnection(LoopIO& io, PipeDescriptor pipe, std::size_t limit, PipeDirection direction);

    void write_all(std::span<const std::string_view> views) override;
    void write_eof() override { close(); }
    [[nodiscard]] bool can_write_eof() const noexcept override {
        return direction_ == PipeDirection::write;
    }
    [[nodiscard]] Address peername() const override { return {}; }
    [[nodiscard]] Address sockname() const override { return {}; }
    [[nodiscard]] TransportSocket socket() const override { return TransportSocket(descriptor()); }
    /// "pipe": the descriptor.
    [[nodiscard]] std::optional<std::string> extra_info(std::string_view name) const override;

    /// Receives up to about `most` bytes before anybody asks for them, so that who writes them need
    /// not wait.
    void read_ahead(std::size_t most) noexcept;

private:
    void end_output() override {}
    void close_descriptor() noexcept override;
    void abandoned() noexcept override;
    [[nodiscard]] bool is_end(int error) const noexcept override;
    void input_ended() noexcept override { close(); }
    void input_ready(std::int64_t result) override;
    [[nodiscard]] std::string peer_text() const override;
    [[nodiscard]] const char* dropped_write_text() const noexcept override;

    void reader_gone();
    void receive_ahead();

    std::size_t ahead_ = 0;
    SharedMode mode_;
    PipeDirection direction_;
    bool device_;  // a terminal, or another character device
};

}  // namespace asyncio::detail
