// timers.cpp - timers that are made and cancelled in any order, also by one another, against a
// model that sorts them.
//
// SPDX-License-Identifier: MIT
#include "fuzz.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

namespace {

using namespace asyncio;
using namespace std::chrono_literals;

/// What a timer does when it is due.
enum class Deed : std::uint8_t { nothing, cancel, add };

struct Plan {
    int delay = 0;  // milliseconds
    Deed deed = Deed::nothing;
    std::size_t victim = 0;  // of cancel: modulo the number of timers
    int next_delay = 0;      // of add
};

struct Timer {
    Plan plan;
    int due = 0;
    bool cancelled = false;
    bool fired = false;
};

/// All timers that were ever made, by number; those of the model are made in the same order.
class Model {
public:
    /// Returns when it is due.
    int add(const Plan& plan) {
        timers.push_back({plan, now + plan.delay, false, false});
        return timers.back().due;
    }
    void cancel(std::size_t number) {
        if (!timers.empty()) {
            timers[number % timers.size()].cancelled = true;
        }
    }
    // What is due together was so before the first of it ran: what these add comes in a turn of its
    // own.
    void advance(int milliseconds) {
        const int end = now + milliseconds;
        for (;;) {
            int next = end + 1;
            for (const Timer& timer : timers) {
                if (!timer.cancelled && !timer.fired) {
                    next = std::min(next, timer.due);
                }
            }
            if (next > end) {
                break;
            }
            now = std::max(now, next);
            std::vector<std::size_t> batch;
            for (std::size_t i = 0; i < timers.size(); ++i) {
                if (!timers[i].cancelled && !timers[i].fired && timers[i].due <= now) {
                    batch.push_back(i);
                }
            }
            std::sort(batch.begin(), batch.end(), [&](std::size_t a, std::size_t b) {
                return std::pair(timers[a].due, a) < std::pair(timers[b].due, b);
            });
            for (const std::size_t number : batch) {
                fire(number);
            }
        }
        now = end;
    }

    std::vector<Timer> timers;
    std::vector<std::size_t> order;
    int now = 0;

private:
    void fire(std::size_t number) {
        if (timers[number].cancelled) {
            return;
        }
        timers[number].fired = true;
        order.push_back(number);
        const Plan plan = timers[number].plan;
        if (plan.deed == Deed::cancel) {
            cancel(plan.victim);
        } else if (plan.deed == Deed::add && timers.size() < 1000) {
            add({plan.next_delay, Deed::nothing, 0, 0});
        }
    }
};

/// The same with the library's timers.
class Real {
public:
    void add(const Plan& plan, int due) {
        const std::size_t number = handles_.size();
        handles_.push_back(
            get_running_loop().call_at(begin_ + std::chrono::milliseconds(due),
                                       [this, number, plan] { fired(number, plan); }));
    }
    void cancel(std::size_t number) {
        if (!handles_.empty()) {
            handles_[number % handles_.size()].cancel();
        }
    }
    void cancel_all() {
        for (TimerHandle& handle : handles_) {
            handle.cancel();
        }
    }
    std::vector<std::size_t> order;

private:
    void fired(std::size_t number, const Plan& plan) {
        order.push_back(number);
        if (plan.deed == Deed::cancel) {
            cancel(plan.victim);
        } else if (plan.deed == Deed::add && handles_.size() < 1000) {
            add({plan.next_delay, Deed::nothing, 0, 0}, now() + plan.next_delay);
        }
    }
    [[nodiscard]] int now() const {
        return static_cast<int>((get_running_loop().time() - begin_) / 1ms);
    }

    TimePoint begin_ = get_running_loop().time();
    std::vector<TimerHandle> handles_;
};

Plan make_plan(fuzz::Input& input) {
    Plan plan;
    plan.delay = static_cast<int>(input.below(40));
    plan.deed = static_cast<Deed>(input.below(3));
    plan.victim = input.byte();
    plan.next_delay = static_cast<int>(input.below(20));
    return plan;
}

// What is done is done half a millisecond after whatever may be due, so that the sleep in between
// is due with no timer.
Coroutine<> try_all(fuzz::Input input) {
    Model model;
    Real real;
    co_await sleep(500us);
    while (!input.empty()) {
        switch (input.below(4)) {
            case 0:
            case 1: {
                const Plan plan = make_plan(input);
                real.add(plan, model.add(plan));
                break;
            }
            case 2: {
                const std::size_t victim = input.byte();
                model.cancel(victim);
                real.cancel(victim);
                break;
            }
            default: {
                const int time = static_cast<int>(1 + input.below(30));
                model.advance(time);
                co_await sleep(std::chrono::milliseconds(time));
                break;
            }
        }
    }
    model.advance(200);
    co_await sleep(200ms);
    fuzz::require(real.order == model.order, "timers fire in another order than the model's");
    real.cancel_all();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::run(try_all(fuzz::Input(data, std::min<std::size_t>(size, 2000))));
    return 0;
}
