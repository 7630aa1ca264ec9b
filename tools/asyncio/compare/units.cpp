// units.cpp - so many units that do the same: starting and awaiting them.
//
// SPDX-License-Identifier: MIT
#include "units.hpp"

#include "unit_process.hpp"

#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace compare {
namespace {

/// The first exception of any thread.
class FirstError {
public:
    void set(std::exception_ptr error) {
        const std::lock_guard held(mutex_);
        if (!error_) {
            error_ = std::move(error);
        }
    }
    void rethrow() const {
        if (error_) {
            std::rethrow_exception(error_);
        }
    }

private:
    std::mutex mutex_;
    std::exception_ptr error_;
};

}  // namespace

void in_threads(std::size_t count, const std::function<void(std::size_t)>& body) {
    FirstError error;
    {
        std::vector<std::jthread> threads;
        threads.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            threads.emplace_back([&body, &error, i] {
                try {
                    body(i);
                } catch (...) {
                    error.set(std::current_exception());
                }
            });
        }
    }
    error.rethrow();
}

void in_processes(std::size_t count, const std::function<void(std::size_t)>& body) {
    std::vector<UnitProcess> processes;
    processes.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        processes.emplace_back([&body, i] { body(i); });
    }
    for (UnitProcess& process : processes) {
        process.wait();
    }
}

}  // namespace compare
