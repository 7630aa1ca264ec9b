// checkpoint.hpp - to give others their turn, and notice a cancellation, on purpose: checkpoint().
//
// Beyond asyncio: after Trio. In asyncio an await that has its result at once neither lets others
// run nor looks for a cancellation (a Lock that is free, a Queue with items, a Future that is
// done). A loop that does nothing else holds up everybody, and cannot be stopped; a checkpoint in
// it can. SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/detail/error_or.hpp>
#include <asyncio/lowlevel/waiter.hpp>
#include <asyncio/result.hpp>

#include <concepts>
#include <coroutine>

namespace asyncio {

namespace detail {

enum class CheckpointKind : bool { any, if_cancelled };

/// A turn of the loop, as sleep(0) takes.
class TurnAwaiter {
public:
    template <class P>
        requires std::derived_from<P, PromiseBase>
    void await_suspend(std::coroutine_handle<P>) const noexcept {
        thread_state.task->wake();
    }
};

template <CheckpointKind kind>
class [[nodiscard]] Checkpoint : public TurnAwaiter {
public:
    bool await_ready() const noexcept {
        return kind == CheckpointKind::if_cancelled && !thread_state.task->must_cancel();
    }
    void await_resume() const { thread_state.task->throw_if_interrupted(); }
    Result<void> await_result() const {
        return error_or<void>(thread_state.task->take_interrupt());
    }
};

class [[nodiscard]] ShieldedCheckpoint : public TurnAwaiter {
public:
    bool await_ready() const noexcept { return false; }
    void await_resume() const noexcept {
        if (thread_state.task->interrupted()) {
            thread_state.task->postpone_interrupt();
        }
    }
};

}  // namespace detail

namespace lowlevel {

/// Lets everything else that is ready run, then goes on; throws CancelledError if the task is to be
/// cancelled. What sleep(0) does.
[[nodiscard]] inline detail::Checkpoint<detail::CheckpointKind::any> checkpoint() noexcept {
    return {};
}

/// Throws CancelledError if the task is to be cancelled (after a turn); otherwise goes on at once,
/// and nobody else runs.
[[nodiscard]] inline detail::Checkpoint<detail::CheckpointKind::if_cancelled>
checkpoint_if_cancelled() noexcept {
    return {};
}

/// Lets everything else that is ready run, then goes on; a cancellation is left to the next await.
[[nodiscard]] inline detail::ShieldedCheckpoint cancel_shielded_checkpoint() noexcept {
    return {};
}

}  // namespace lowlevel

}  // namespace asyncio
