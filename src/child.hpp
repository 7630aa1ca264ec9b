// child.hpp - a child process of a loop, until its end is known: Child.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/lowlevel/loop_resource.hpp>
#include <asyncio/lowlevel/operation.hpp>
#include <asyncio/lowlevel/waiter.hpp>

#include "loop_io.hpp"
#include "spawn.hpp"

#include <cstdint>
#include <optional>

namespace asyncio::detail {

/// Who is told when a child has ended. Before the one or the other it is kept, or says that it is
/// gone (Child::set_owner).
class ChildOwner {
public:
    /// What it throws leaves the loop.
    virtual void child_exited() = 0;
    /// The loop is being closed; the child is killed.
    virtual void child_dropped() noexcept = 0;

protected:
    ChildOwner() = default;
    ChildOwner(const ChildOwner&) = default;
    ChildOwner& operator=(const ChildOwner&) = default;
    ~ChildOwner() = default;
};

/// A child process, and the wait for its end: for its pidfd to become readable, or, where there are
/// none, in a thread of its own. It is reaped by nobody but the thread of its loop, so that it can
/// be signalled there without a doubt who is meant.
///
/// Counted: by those who use it, and by itself until the process has ended. If the loop is closed
/// before, the process is killed, as CPython does.
class Child final : public lowlevel::LoopResource, private lowlevel::Operation {
public:
    /// Starts it. OSError; then there is none.
    [[nodiscard]] static Child& start(LoopIO& io, const SpawnRequest& request);

    void retain() noexcept { ++references_; }
    void release() noexcept {
        if (--references_ == 0) {
            delete this;
        }
    }

    [[nodiscard]] int pid() const noexcept { return process_.pid(); }
    [[nodiscard]] const std::optional<int>& returncode() const noexcept { return returncode_; }
    /// Its loop was closed while it ran: nobody will know how it ended.
    [[nodiscard]] bool orphaned() const noexcept { return orphaned_; }
    [[nodiscard]] LoopIO& io() const noexcept { return io_; }

    /// ProcessLookupError if it has ended, as far as the loop knows. If it has, but the loop does
    /// not know yet, nothing happens.
    void send_signal(int number) const;
    /// The same, whatever comes of it.
    void kill() const noexcept;

    void set_owner(ChildOwner* owner) noexcept { owner_ = owner; }

    void loop_closing() noexcept override;

    lowlevel::WaitList exit_waiters;

private:
    Child(LoopIO& io, ChildProcess process) noexcept;
    ~Child();

    void watch();
    void watch_in_thread();
    void watch_again(bool in_thread) noexcept;
    static void on_readable(lowlevel::Callback& callback);
    void look();
    void report_stolen() const noexcept;
    void close_pidfd() noexcept;

    LoopIO& io_;  // counted
    ChildProcess process_;
    std::optional<int> returncode_;
    ChildOwner* owner_ = nullptr;
    std::uint32_t references_ = 1;  // the process's
    bool orphaned_ = false;
    bool polling_ = false;
};

}  // namespace asyncio::detail
