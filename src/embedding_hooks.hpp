// embedding_hooks.hpp - Embedding: a descriptor that tells another loop when this one has something
// to do.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/events.hpp>
#include <asyncio/lowlevel/loop_resource.hpp>

#include <optional>

namespace asyncio::detail {

/// What a GuestLoop is the handle of. In the loop's list of resources; ends with the one or the
/// other.
class Embedding final : public lowlevel::LoopResource {
public:
    /// Throws RuntimeError if the loop is closed, runs, or is embedded already; OSError.
    explicit Embedding(EventLoop& loop);
    Embedding(const Embedding&) = delete;
    Embedding& operator=(const Embedding&) = delete;
    ~Embedding();

    /// Null once the loop is closed.
    [[nodiscard]] EventLoop* loop() const noexcept { return loop_; }
    /// Readable when there is something to do; -1 once the loop is closed.
    [[nodiscard]] int fd() const noexcept { return epoll_; }
    bool run_ready();
    [[nodiscard]] bool stopped() const noexcept { return stopped_; }
    [[nodiscard]] std::optional<TimePoint> next_due() const noexcept;

    // Of the loop.

    /// Something may be scheduled from outside of the loop.
    void expect() noexcept;
    /// The same from a signal handler.
    void kick() noexcept;
    /// It runs, in whatever way.
    void entered() noexcept;
    /// It has run, in whatever way: what is left to do is to be told.
    void left() noexcept;
    void loop_closing() noexcept override;

private:
    void watch(int fd);
    [[nodiscard]] bool something_to_do() const noexcept;
    void set_timer() noexcept;
    void leave() noexcept;

    EventLoop* loop_;
    int epoll_ = -1;  // of the three: the proactor's, ...
    int timer_ = -1;  // ... that of the next timer, ...
    int kick_ = -1;   // ... and that of what is ready already
    TimePoint armed_ = TimePoint::max();
    bool kicked_ = false;
    bool stopped_ = false;
};

}  // namespace asyncio::detail
