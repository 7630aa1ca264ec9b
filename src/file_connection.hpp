// file_connection.hpp - a regular file as a stream: FileConnection.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/futures.hpp>
#include <asyncio/lowlevel/loop_resource.hpp>
#include <asyncio/pipes.hpp>

#include "loop_io.hpp"
#include "streams.hpp"

#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace asyncio::detail {

/// What a program's standard streams are when they are redirected to files. A file is never waited
/// for by the proactor, and may be on a disk that is slow: so a thread reads it, a block whenever a
/// task waits for one, and writes to it. For tasks: no receiver is given one.
class FileConnection final : public Connection, public lowlevel::LoopResource {
public:
    FileConnection(LoopIO& io, Pipe file, std::size_t limit);

    void want_data() noexcept override;

    void write(std::string_view bytes) override;
    void write_all(std::span<const std::string_view> views) override;
    void write_eof() override { close(); }
    [[nodiscard]] bool can_write_eof() const noexcept override { return true; }
    void close() noexcept override;
    void force_close(std::exception_ptr error) noexcept override;
    [[nodiscard]] std::size_t write_buffer_size() const noexcept override {
        return writing_ + queue_.size();
    }
    [[nodiscard]] Address peername() const override { return {}; }
    [[nodiscard]] Address sockname() const override { return {}; }
    [[nodiscard]] TransportSocket socket() const override { return TransportSocket(Socket()); }
    [[nodiscard]] EventLoop* loop() const noexcept override { return io_.loop(); }

    void loop_closing() noexcept override;

private:
    ~FileConnection() override;
    [[nodiscard]] bool pushes() const noexcept override { return false; }
    void want_input() noexcept override {}
    void destroy() noexcept override { delete this; }
    void abandoned() noexcept override;

    void start_read();
    void received(const std::exception_ptr& error, const Future<std::string>& block);
    void start_write();
    void written();
    void lose_soon(std::exception_ptr error) noexcept;

    LoopIO& io_;                        // counted
    std::shared_ptr<const Pipe> file_;  // shared with the thread
    std::string queue_;
    std::size_t writing_ = 0;  // bytes, by a thread
    bool reading_ = false;     // a thread does
    bool losing_ = false;
};

}  // namespace asyncio::detail
