// scope.hpp - the scopes that a task is in: ScopeLink, ScopeShield.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/task_base.hpp>

namespace asyncio::detail {

/// One of the cancel scopes that a task is in: they are a list from the innermost outwards, which
/// begins at the task.
struct ScopeLink {
    ScopeLink* outer = nullptr;
    TimePoint deadline = TimePoint::max();
    bool cancelled = false;
    bool shield = false;   // scopes further out are not seen from within
    bool counted = false;  // as one of the task's requests to cancel
};

/// To its end, no scope disturbs the running task: for a wait in a cleanup that has to be repeated
/// until it succeeds. Does nothing where there is no scope.
class ScopeShield {
public:
    ScopeShield() noexcept : task_(thread_state.task) {
        if (task_->scope() == nullptr) {
            task_ = nullptr;
            return;
        }
        link_.shield = true;
        task_->enter_scope(link_);
    }
    ScopeShield(const ScopeShield&) = delete;
    ScopeShield& operator=(const ScopeShield&) = delete;
    ~ScopeShield() {
        if (task_ != nullptr) {
            task_->leave_scope(link_);
        }
    }

private:
    TaskBase* task_;
    ScopeLink link_;
};

}  // namespace asyncio::detail
