// file_transfers.hpp - the calls that read and write: FileRead, FileWrite.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "file_core.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace asyncio::detail {

/// Reads until there is enough, or the end. What was read ahead comes first and what is too much is
/// left there.
class FileRead final : public FileCall {
public:
    enum class Until : std::uint8_t { count, line, end };

    FileRead(FileCore& file, Until until, std::size_t count = 0) noexcept
        : FileCall(file, lowlevel::Opcode::read_at), core_(file), until_(until), count_(count) {}
    /// At a place of its own, beside the others.
    FileRead(FileCore& file, std::size_t count, std::int64_t offset) noexcept
        : FileCall(file, lowlevel::Opcode::read_at),
          core_(file),
          offset_(offset),
          until_(Until::count),
          count_(count),
          beside_(true) {}

    [[nodiscard]] std::string take() noexcept { return std::move(taken_); }

private:
    bool begin() noexcept override;
    bool advance() noexcept override;
    void finish() noexcept override;
    [[nodiscard]] bool beside() const noexcept override { return beside_; }
    bool take_back() noexcept override;

    [[nodiscard]] bool enough() noexcept;
    void expect();
    void aim_next();

    FileCore& core_;           // whoever awaits keeps it
    std::string text_;         // valid from begin_ to used_
    std::string taken_;        // what the reader gets
    std::size_t begin_ = 0;    //
    std::size_t used_ = 0;     //
    std::size_t scanned_ = 0;  // up to where there is no newline
    std::size_t line_end_ = 0;
    std::int64_t offset_ = 0;  // in the file, of used_
    std::size_t block_ = 0;
    Until until_;
    std::size_t count_;
    bool beside_ = false;
    bool at_end_ = false;
};

/// Writes all of it, or fails.
class FileWrite final : public FileCall {
public:
    FileWrite(FileCore& file, std::string bytes, std::optional<std::int64_t> offset = {}) noexcept
        : FileCall(file, lowlevel::Opcode::write_at), bytes_(std::move(bytes)), at_(offset) {}

    [[nodiscard]] std::size_t written() const noexcept { return written_; }

private:
    bool begin() noexcept override;
    bool advance() noexcept override;
    void finish() noexcept override;
    [[nodiscard]] bool beside() const noexcept override { return at_.has_value(); }
    [[nodiscard]] bool goes_through() const noexcept override { return true; }

    void aim_next() noexcept;

    std::string bytes_;
    std::optional<std::int64_t> at_;
    std::int64_t offset_ = -1;  // -1: at the end, or where there are no offsets
    std::size_t written_ = 0;
};

}  // namespace asyncio::detail
