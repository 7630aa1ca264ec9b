// inbox.hpp - how other threads hand work to a loop that may be asleep in epoll_wait.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace limits {

struct Message {
    Message* next = nullptr;
    std::uint64_t sent_ns = 0;
};

/// A lock-free stack that many threads push to and the loop takes whole, and an eventfd that is
/// written only if the loop sleeps: posting to a busy loop makes no system call.
class Inbox {
public:
    Inbox() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wakeup_(::eventfd(0, EFD_NONBLOCK)) {
        epoll_event interest{};
        interest.events = EPOLLIN | EPOLLET;
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, wakeup_, &interest) != 0) {
            std::perror("epoll_ctl");
            std::exit(1);
        }
    }
    Inbox(const Inbox&) = delete;
    Inbox& operator=(const Inbox&) = delete;
    ~Inbox() {
        ::close(wakeup_);
        ::close(epoll_);
    }

    void post(Message& message) noexcept {
        Message* top = top_.load(std::memory_order_relaxed);
        do {
            message.next = top;
        } while (!top_.compare_exchange_weak(top, &message, std::memory_order_seq_cst,
                                             std::memory_order_relaxed));
        // The loop announces its sleep and then looks at the stack once more; we push and then look
        // at the announcement. In one total order, at least one of the two sees the other.
        if (asleep_.load(std::memory_order_seq_cst) && asleep_.exchange(false)) {
            const std::uint64_t one = 1;
            [[maybe_unused]] const ssize_t written = ::write(wakeup_, &one, sizeof one);
        }
    }

    /// Calls `handle` with each message in the order of posting until it returns false.
    template <class Handle>
    void run(Handle handle) {
        for (;;) {
            Message* taken = top_.exchange(nullptr, std::memory_order_acquire);
            if (taken == nullptr) {
                sleep();
                continue;
            }
            for (Message* message = reversed(taken); message != nullptr;) {
                Message* next = message->next;  // `handle` may free the message
                if (!handle(*message)) {
                    return;
                }
                message = next;
            }
        }
    }

private:
    static Message* reversed(Message* stack) noexcept {
        Message* list = nullptr;
        while (stack != nullptr) {
            Message* next = stack->next;
            stack->next = list;
            list = stack;
            stack = next;
        }
        return list;
    }

    void sleep() noexcept {
        asleep_.store(true, std::memory_order_seq_cst);
        if (top_.load(std::memory_order_seq_cst) == nullptr) {
            epoll_event event{};
            ::epoll_wait(epoll_, &event, 1, -1);
        }
        asleep_.store(false);
    }

    std::atomic<Message*> top_{nullptr};
    std::atomic<bool> asleep_{false};
    int epoll_;
    int wakeup_;
};

}  // namespace limits
