// wait.cpp - waiting for several futures.
//
// SPDX-License-Identifier: MIT
#include <asyncio/detail/wait.hpp>

#include <algorithm>
#include <unordered_set>

namespace asyncio {

namespace detail {

CompletionWaiter::CompletionWaiter(std::span<const AnyFuture> futures, WaitOptions options)
    : task_(*thread_state.task),
      nodes_(new Node[futures.size()]),
      size_(futures.size()),
      left_(futures.size()),
      options_(options) {
    for (std::size_t index = 0; index < size_; ++index) {
        nodes_[index].owner = this;
        nodes_[index].future = futures[index].raw();
    }
}

void CompletionWaiter::suspend() {
    EventLoop& loop = task_.loop();
    if (options_.timeout.has_value()) {
        loop.arm(time_up_, after(loop.time(), *options_.timeout));
    }
    for (std::size_t index = 0; index < size_; ++index) {
        Node& node = nodes_[index];
        if (node.future->done()) {
            loop.schedule(node);
        } else {
            node.future->callbacks().push_back(node);
        }
    }
    task_.park(*this);
}

void CompletionWaiter::future_done(Callback& callback) {
    const auto& node = static_cast<Node&>(callback);
    CompletionWaiter& self = *node.owner;
    --self.left_;
    bool enough = self.left_ == 0 || self.options_.return_when == FIRST_COMPLETED;
    if (!enough && self.options_.return_when == FIRST_EXCEPTION && !node.future->cancelled()) {
        enough = node.future->failure() != nullptr;
    }
    if (enough) {
        self.wake();
    }
}

void CompletionWaiter::time_up(Callback& callback) {
    static_cast<TimeUp&>(callback).owner.wake();
}

void CompletionWaiter::wake() noexcept {
    if (!std::exchange(woken_, true)) {
        task_.loop().withdraw(time_up_);
        task_.wake();
    }
}

bool CompletionWaiter::abort(TaskBase& task, CancelMessage message) noexcept {
    task.interrupt(message);
    wake();
    return true;
}

void CompletionWaiter::detach() noexcept {
    task_.loop().withdraw(time_up_);
    for (std::size_t index = 0; index < size_; ++index) {
        if (nodes_[index].linked()) {
            nodes_[index].unlink();
        }
    }
}

TaskBase* CompletionWaiter::waiting_task(const Callback& callback) noexcept {
    return callback.function() == &future_done ? &static_cast<const Node&>(callback).owner->task_
                                               : nullptr;
}

Coroutine<> cancel_and_wait(AnyFuture future) {
    future.cancel();
    co_await Completion(std::span(&future, 1), {});
}

Coroutine<DoneAndPending> wait_for_some(std::vector<AnyFuture> futures, WaitOptions options) {
    if (futures.empty()) {
        raise_value_error("Set of Tasks/Futures is empty.");
    }
    std::unordered_set<AnyFuture> seen;
    std::erase_if(futures, [&seen](const AnyFuture& future) {
        if (!future) {
            raise_empty_future();
        }
        return !seen.insert(future).second;
    });
    co_await Completion(futures, options);
    DoneAndPending result;
    for (AnyFuture& future : futures) {
        (future.done() ? result.done : result.pending).push_back(std::move(future));
    }
    co_return result;
}

}  // namespace detail

}  // namespace asyncio
