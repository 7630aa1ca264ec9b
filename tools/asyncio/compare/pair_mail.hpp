// pair_mail.hpp - where one thread, or process, puts messages and another one gets them.
//
// SPDX-License-Identifier: MIT
#pragma once

#include "unit_process.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <queue>
#include <stdexcept>

#include <unistd.h>

namespace compare {

/// A message of 64 bytes.
struct Mail {
    Mail() = default;
    explicit Mail(std::size_t which) noexcept : number(which) {}

    std::uint64_t number = 0;
    std::uint64_t rest[7] = {};
};

/// What a program with threads has for it.
class ThreadMail {
public:
    void put(const Mail& mail) {
        {
            const std::lock_guard held(mutex_);
            queue_.push(mail);
        }
        not_empty_.notify_one();
    }
    Mail get() {
        std::unique_lock held(mutex_);
        not_empty_.wait(held, [&] { return !queue_.empty(); });
        const Mail mail = queue_.front();
        queue_.pop();
        return mail;
    }

private:
    std::mutex mutex_;
    std::condition_variable not_empty_;
    std::queue<Mail> queue_;
};

/// So short a message goes through a pipe whole.
class PipeMail {
public:
    void put(const Mail& mail) {
        if (::write(pipe_.write_end(), &mail, sizeof mail) != sizeof mail) {
            throw std::runtime_error("a message could not be written to a pipe");
        }
    }
    Mail get() {
        Mail mail;
        if (::read(pipe_.read_end(), &mail, sizeof mail) != sizeof mail) {
            throw std::runtime_error("a message could not be read from a pipe");
        }
        return mail;
    }

private:
    Pipe pipe_;
};

}  // namespace compare
