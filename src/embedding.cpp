// embedding.cpp - one descriptor for all that a loop may have to do.
//
// SPDX-License-Identifier: MIT
#include "embedding_hooks.hpp"

#include <asyncio/embedding.hpp>

#include "run_scope.hpp"
#include "timer_heap.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace asyncio {

namespace detail {

static int checked(int fd, const char* what) {
    if (fd < 0) {
        raise_os_error(errno, what);
    }
    return fd;
}

Embedding::Embedding(EventLoop& loop) : loop_(&loop) {
    loop.check_runnable();
    if (loop.embedding_ != nullptr) {
        throw RuntimeError("This event loop is driven by another loop already");
    }
    try {
        epoll_ = checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
        timer_ = checked(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
                         "timerfd_create");
        kick_ = checked(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
        // It may be one that begins to tell of anything when it is polled for the first time.
        loop.proactor_->poll(loop.pending_, loop.ready_, TimePoint::min());
        watch(loop.proactor().descriptor());
        watch(timer_);
        watch(kick_);
    } catch (...) {
        leave();
        throw;
    }
    loop.resources().push_back(*this);
    loop.embedding_ = this;
    left();
}

Embedding::~Embedding() {
    if (loop_ != nullptr) {
        loop_->asleep_.store(false, std::memory_order_relaxed);
        loop_->embedding_ = nullptr;
    }
    leave();
}

void Embedding::loop_closing() noexcept {
    std::exchange(loop_, nullptr)->embedding_ = nullptr;
    leave();
}

void Embedding::leave() noexcept {
    for (int* const fd : {&epoll_, &timer_, &kick_}) {
        if (*fd >= 0) {
            ::close(std::exchange(*fd, -1));
        }
    }
}

void Embedding::watch(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
        raise_os_error(errno, "epoll_ctl");
    }
}

bool Embedding::run_ready() {
    if (loop_ == nullptr) {
        throw RuntimeError("Event loop is closed");
    }
    loop_->check_runnable();
    if (loop_->get_debug() && !kicked_ && !loop_->ready_.empty()) {
        log(Level::warning,
            "something was made ready while the event loop did not run, and outside of "
            "GuestLoop::call(): it had to wait for something else to happen");
    }
    stopped_ = false;
    return loop_->run_ready(stopped_);
}

std::optional<TimePoint> Embedding::next_due() const noexcept {
    if (loop_ == nullptr || loop_->timers_->next_due() == TimePoint::max()) {
        return std::nullopt;
    }
    return loop_->timers_->next_due();
}

void Embedding::entered() noexcept {
    loop_->asleep_.store(false, std::memory_order_relaxed);
}

void Embedding::expect() noexcept {
    if (!std::exchange(kicked_, true)) {
        kick();
    }
}

void Embedding::kick() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(kick_, &one, sizeof one);
}

// The loop sleeps from now on: whoever posts wakes it, by way of the proactor's descriptor.
void Embedding::left() noexcept {
    loop_->asleep_.store(true, std::memory_order_seq_cst);
    if (!something_to_do()) {
        kicked_ = false;
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t size = ::read(kick_, &count, sizeof count);
    }
    // Again: a signal may have come before the read, which took its kick.
    if (something_to_do()) {
        expect();
    }
    set_timer();
}

bool Embedding::something_to_do() const noexcept {
    return !loop_->inbox_.empty_for_sure() || loop_->something_ready();
}

void Embedding::set_timer() noexcept {
    const TimePoint due = loop_->timers_->next_due();
    if (due == armed_ && due > loop_->now_) {
        return;
    }
    armed_ = due;
    itimerspec time{};
    if (due != TimePoint::max()) {
        // A time of zero would switch it off.
        const std::int64_t at = std::max<std::int64_t>(due.time_since_epoch().count(), 1);
        time.it_value.tv_sec = at / 1'000'000'000;
        time.it_value.tv_nsec = at % 1'000'000'000;
    }
    ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &time, nullptr);
}

GuestCall::GuestCall(Embedding& embedding) {
    EventLoop* const loop = embedding.loop();
    if (loop == nullptr) {
        throw RuntimeError("Event loop is closed");
    }
    if (thread_state.loop != loop) {  // otherwise a callback of the loop's
        loop->check_runnable();
        scope_ = std::make_unique<RunScope>(*loop);
    }
}

GuestCall::~GuestCall() = default;

}  // namespace detail

GuestLoop::GuestLoop(EventLoop& loop) : embedding_(std::make_unique<detail::Embedding>(loop)) {}
GuestLoop::GuestLoop(GuestLoop&&) noexcept = default;
GuestLoop& GuestLoop::operator=(GuestLoop&&) noexcept = default;
GuestLoop::~GuestLoop() = default;

int GuestLoop::fileno() const noexcept {
    return embedding_->fd();
}

bool GuestLoop::run_ready() {
    return embedding_->run_ready();
}

bool GuestLoop::stopped() const noexcept {
    return embedding_->stopped();
}

std::optional<TimePoint> GuestLoop::next_due() const noexcept {
    return embedding_->next_due();
}

EventLoop& GuestLoop::loop() const {
    if (embedding_->loop() == nullptr) {
        throw RuntimeError("Event loop is closed");
    }
    return *embedding_->loop();
}

}  // namespace asyncio
