// file_io.hpp - FileIO: what a loop does with files, and the threads that it does it in.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/events.hpp>
#include <asyncio/lowlevel/loop_resource.hpp>

#include "file_calls.hpp"

#include <cstddef>
#include <memory>

namespace asyncio::detail {

/// The calls of a loop that are under way. Made when a loop first needs it; counted, because files
/// may outlive their loop.
class FileIO final : public lowlevel::LoopResource {
public:
    /// Throws RuntimeError if the loop is closed.
    static FileIO& of(EventLoop& loop);

    void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            delete this;
        }
    }

    /// Null once the loop is closed.
    [[nodiscard]] EventLoop* loop() const noexcept { return loop_; }

    /// Those that change something, and those that use a file, are awaited when the loop closes.
    void loop_closing() noexcept override;

private:
    friend class FileCall;
    friend class FileWork;
    struct Threads;

    explicit FileIO(EventLoop& loop) noexcept : loop_(&loop) {}
    ~FileIO() = default;

    Threads& threads();

    EventLoop* loop_;
    std::atomic<std::size_t> references_{1};  // the loop's
    lowlevel::List<FileCall, FilesUnderWay> under_way_;
    std::size_t opening_ = 0;  // calls that the proactor opens files for
    std::shared_ptr<Threads> threads_;
};

}  // namespace asyncio::detail
