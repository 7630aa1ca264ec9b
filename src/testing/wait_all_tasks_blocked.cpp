// wait_all_tasks_blocked.cpp - how to find out that nothing has run.
//
// SPDX-License-Identifier: MIT
#include <asyncio/testing/wait_all_tasks_blocked.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace asyncio::testing::detail {

namespace {

/// The callbacks of this kind: they do not count. Of those in the turn under way the loop does not
/// know yet, so they are kept apart.
struct Own {
    std::uint64_t loop = 0;
    std::uint64_t turn = 0;  // callbacks that had run before it
    std::uint64_t before = 0;
    std::uint64_t in_turn = 0;
};
constinit thread_local Own own;

/// How many other callbacks have run in the turns before this one. To be called once by each.
std::uint64_t count_others(const EventLoop& loop) noexcept {
    const std::uint64_t turn = loop.callbacks_run();
    if (own.turn != turn || own.loop != loop.serial()) {
        own.before += std::exchange(own.in_turn, 0);
        own.turn = turn;
        own.loop = loop.serial();
    }
    ++own.in_turn;
    return turn - own.before;
}

}  // namespace

void BlockedAwaiter::suspend() {
    task_ = &lowlevel::running_task();
    task_->park(*this);
    task_->loop().schedule(*this);
}

void BlockedAwaiter::sleep() {
    constexpr Duration least = std::chrono::nanoseconds(1);
    state_ = State::sleeps;
    EventLoop& loop = task_->loop();
    loop.arm(*this, asyncio::detail::after(loop.time(), std::max(cushion_, least)));
}

// Turn by turn until one in which nothing else has run; then it sleeps. When the time is up it
// looks once more in the next turn, for only then is it known what has run in this one.
void BlockedAwaiter::look(Callback& callback) {
    auto& self = static_cast<BlockedAwaiter&>(callback);
    const std::uint64_t others = count_others(self.task_->loop());
    if (self.state_ == State::sleeps) {
        self.state_ = State::looks;
        self.task_->loop().schedule(self);
        return;
    }
    if (self.state_ == State::looks && others == self.others_before_) {
        self.task_->wake();
        return;
    }
    if (self.state_ == State::begins && others == self.others_before_) {
        self.sleep();
        return;
    }
    self.state_ = State::begins;
    self.others_before_ = others;
    self.task_->loop().schedule(self);
}

bool BlockedAwaiter::abort(lowlevel::TaskBase& task, lowlevel::CancelMessage message) noexcept {
    task.loop().withdraw(*this);
    task.interrupt(message);
    task.wake();
    return true;
}

BlockedAwaiter::~BlockedAwaiter() {
    if (task_ != nullptr && waiting()) {
        task_->loop().withdraw(*this);
    }
}

}  // namespace asyncio::testing::detail
