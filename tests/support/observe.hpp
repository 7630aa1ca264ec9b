// observe.hpp - what tests look at: what was thrown, what was reported, how many turns passed.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/events.hpp>
#include <asyncio/exceptions.hpp>
#include <asyncio/futures.hpp>
#include <asyncio/log.hpp>
#include <asyncio/lowlevel/callback.hpp>

#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asyncio::testing {

/// What happened, in order.
using Trace = std::vector<std::string>;

/// What `fn` throws, as describe() writes it; "nothing" if it does not.
template <class Fn>
std::string thrown_by(Fn&& fn) {
    try {
        static_cast<void>(fn());
    } catch (...) {
        return describe(std::current_exception());
    }
    return "nothing";
}

/// Collects what `loop` reports to its exception handler.
class Reports {
public:
    explicit Reports(EventLoop& loop) : loop_(loop) {
        loop.set_exception_handler([this](EventLoop&, const ExceptionContext& context) {
            messages.push_back(context.message);
            errors.push_back(describe(context.exception));
        });
    }
    Reports() : Reports(get_running_loop()) {}
    Reports(const Reports&) = delete;
    Reports& operator=(const Reports&) = delete;
    ~Reports() { loop_.set_exception_handler(nullptr); }

    Trace messages;
    Trace errors;

private:
    EventLoop& loop_;
};

/// Collects what the library logs.
class Logged {
public:
    Logged() {
        set_logger([this](Level level, std::string_view text) {
            levels.push_back(level);
            texts.emplace_back(text);
        });
    }
    Logged(const Logged&) = delete;
    Logged& operator=(const Logged&) = delete;
    ~Logged() { set_logger(nullptr); }

    std::vector<Level> levels;
    Trace texts;
};

/// Counts the turns of a loop: a callback that is first in each of them. The loop never waits
/// while there is one, so no time passes on a virtual clock.
///
///     TurnCounter turns(loop);        // before anything else is scheduled
class TurnCounter final : public lowlevel::Callback {
public:
    explicit TurnCounter(EventLoop& loop) : Callback(&count), loop_(loop) { loop.schedule(*this); }
    ~TurnCounter() {
        if (linked()) {
            unlink();
        }
    }

    [[nodiscard]] int now() const noexcept { return turns_; }

private:
    static void count(Callback& callback) {
        auto& self = static_cast<TurnCounter&>(callback);
        ++self.turns_;
        self.loop_.schedule(self);
    }

    EventLoop& loop_;
    int turns_ = 0;
};

/// Adds its name to a trace when it is destroyed.
class Gone {
public:
    Gone(Trace& trace, std::string name) : trace_(&trace), name_(std::move(name)) {}
    Gone(Gone&& other) noexcept
        : trace_(std::exchange(other.trace_, nullptr)), name_(std::move(other.name_)) {}
    Gone& operator=(Gone&&) = delete;
    ~Gone() {
        if (trace_ != nullptr) {
            trace_->push_back(name_);
        }
    }

private:
    Trace* trace_;
    std::string name_;
};

}  // namespace asyncio::testing
