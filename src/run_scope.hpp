// run_scope.hpp - a loop runs in this thread: from run_forever() and its kin to their end.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/events.hpp>

namespace asyncio::detail {

/// While it exists, the loop is the one that runs in this thread.
class RunScope {
public:
    explicit RunScope(EventLoop& loop) noexcept;
    RunScope(const RunScope&) = delete;
    RunScope& operator=(const RunScope&) = delete;
    ~RunScope();

private:
    EventLoop& loop_;
    ContextState context_;
    TaskBase* task_;  // the parent's, in a child of fork()
};

}  // namespace asyncio::detail
