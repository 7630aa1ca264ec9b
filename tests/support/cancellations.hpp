// cancellations.hpp - cancels tasks at every step: each task of a scenario at each step of its run,
// and each pair of tasks at each pair of steps.
//
// A scenario is run on a proactor without a system, which is also the adversary: it sees what is
// ready in each turn, puts cancellations between any two callbacks, and lets time pass when nothing
// is ready. A step is the place before one callback, or a moment at which nothing was ready.
// Afterwards everybody must have ended, with the cancellations that he was sent and no others,
// nothing may be left (tasks, timers, memory), and the scenario's own invariants must hold.
//
//     struct Meeting final : CancelScenario {
//         void begin() override { spawn("guest", guest(*this)); spawn("host", host(*this)); }
//         void idle() override { expect(!door.is_set() || waiting == 0, "somebody is left out"); }
//         bool rescue() override { door.set(); return true; }    // the host was cancelled
//         Event door;
//     };
//     TEST(Cancellations, of_a_meeting) { expect_withstands_cancellations<Meeting>(); }
//
// A failure names who was cancelled and when. To run that case alone:
//
//     ASYNCIO_CANCEL='guest@3 host@5' build/dev/tests/cancellation_locks_test --gtest_filter=...
// SPDX-License-Identifier: MIT
#pragma once

#include "support/live_allocations.hpp"

#include <asyncio/tasks.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asyncio::testing {

/// What a task has to show at its end.
enum class Ends : std::uint8_t {
    as_asked,  ///< cancelled if it was sent a cancellation, otherwise with a result
    anyhow,    ///< with any outcome; its cancelling() counts what it was sent
    freely,    ///< others than the adversary may cancel it, too
};

/// A cancellation of `victim` before the callback with the number `step`.
struct Blow {
    std::string_view victim;
    int step;
};
using Blows = std::vector<Blow>;

inline std::string text_of(const Blows& blows) {
    std::string text;
    for (const Blow& blow : blows) {
        text +=
            (text.empty() ? "" : " ") + std::string(blow.victim) + "@" + std::to_string(blow.step);
    }
    return text;
}

/// What runs, and what is to be true of it. Each run has a new one.
class CancelScenario {
public:
    CancelScenario() = default;
    CancelScenario(const CancelScenario&) = delete;
    CancelScenario& operator=(const CancelScenario&) = delete;
    virtual ~CancelScenario() = default;

    /// Spawns the tasks.
    virtual void begin() = 0;
    /// Nothing is ready: whoever can go on has gone on.
    virtual void idle() {}
    /// Nothing will ever be ready: does what a cancelled task left undone. Once; false: nothing.
    virtual bool rescue() { return false; }
    /// Something was reported to the exception handler: was it meant to be?
    virtual bool expects(const ExceptionContext&) { return false; }
    /// All have ended: in a task of its own, tries what was used.
    virtual Coroutine<> probe() { co_return; }

    void expect(bool holds, std::string_view what) {
        if (!holds && complaint_.empty()) {
            complaint_ = what;
        }
    }
    [[nodiscard]] const std::string& complaint() const noexcept { return complaint_; }

protected:
    struct Member {
        std::string_view name;
        AnyTask task;
        Ends ends;
        int born;
        int dead = -1;
        int sent = 0;
    };

    /// A task that is also a victim. `name` is unique in the scenario, and a literal.
    template <class T>
    Task<T> spawn(std::string_view name, Coroutine<T> coroutine, Ends ends = Ends::as_asked) {
        Task<T> task = create_task(std::move(coroutine));
        enter(name, task, ends);
        return task;
    }
    void enter(std::string_view name, const AnyTask& task, Ends ends) {
        cast_.push_back({name, task, ends, step_});
    }
    /// How many cancellations the adversary has sent to `name`.
    [[nodiscard]] int sent(std::string_view name) const {
        const auto member = std::find_if(cast_.begin(), cast_.end(),
                                         [name](const Member& each) { return each.name == name; });
        return member != cast_.end() ? member->sent : 0;
    }
    /// And to all.
    [[nodiscard]] int sent() const {
        int all = 0;
        for (const Member& member : cast_) {
            all += member.sent;
        }
        return all;
    }

private:
    friend class CancelRun;

    std::vector<Member> cast_;
    std::string complaint_;
    int step_ = 0;
};

/// Adds one while it lives.
class Counted {
public:
    explicit Counted(int& count) noexcept : count_(&count) { ++count; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    ~Counted() { end(); }
    void end() noexcept {
        if (count_ != nullptr) {
            --*std::exchange(count_, nullptr);
        }
    }

private:
    int* count_;
};

/// One run of a scenario, with the blows that are to fall.
class CancelRun {
public:
    struct Life {
        std::string_view name;
        int born;
        int dead;
    };
    static constexpr std::size_t most_victims = 12;
    static constexpr int most_steps = 2000;

    CancelRun(CancelScenario& scenario, const Blows& blows)
        : scenario_(scenario), loop_(std::make_unique<Adversary>(*this)) {
        for (const Blow& blow : blows) {
            falling_.push_back(std::make_unique<Falling>(*this, blow));
        }
        loop_.set_exception_handler([this](EventLoop&, const ExceptionContext& context) {
            if (!scenario_.expects(context)) {
                complain("was reported: " + context.message + " " + describe(context.exception));
            }
        });
        loop_.run_forever();
        for (const CancelScenario::Member& member : scenario_.cast_) {
            judge(member);
        }
    }

    [[nodiscard]] int steps() const noexcept { return scenario_.step_; }
    [[nodiscard]] std::size_t victims() const noexcept { return scenario_.cast_.size(); }
    [[nodiscard]] Life life(std::size_t index) const {
        const CancelScenario::Member& member = scenario_.cast_[index];
        return {member.name, member.born, member.dead};
    }

private:
    /// Cancels its victim when its turn has come.
    class Falling final : public lowlevel::Callback {
    public:
        Falling(CancelRun& run, Blow to_fall) : Callback(&fall), blow(to_fall), run_(run) {}
        const Blow blow;

    private:
        static void fall(Callback& callback) {
            auto& self = static_cast<Falling&>(callback);
            for (CancelScenario::Member& member : self.run_.scenario_.cast_) {
                if (member.name == self.blow.victim && !member.task.done()) {
                    member.sent += 1;
                    member.task.cancel();
                }
            }
        }
        CancelRun& run_;
    };

    /// Time passes by a second in each turn that has something to do, so that the loop asks in
    /// every turn; scenarios count in hours.
    class Adversary final : public lowlevel::Proactor {
    public:
        explicit Adversary(CancelRun& run) noexcept : run_(run) {}
        void poll(lowlevel::CallbackList&, lowlevel::CallbackList& ready,
                  TimePoint deadline) override {
            run_.turn(ready, deadline, now_);
        }
        void cancel(lowlevel::Operation&, lowlevel::CallbackList&) noexcept override {}
        void abort_all(lowlevel::CallbackList&) noexcept override {}
        std::int64_t call(lowlevel::Operation&) noexcept override { return -ENOSYS; }
        [[nodiscard]] TimePoint now() const noexcept override { return now_; }
        void wake() noexcept override {}
        [[nodiscard]] int descriptor() const noexcept override { return -1; }
        [[nodiscard]] std::uint64_t random() noexcept override { return 4; }
        [[nodiscard]] std::string_view name() const noexcept override { return "adversary"; }

    private:
        CancelRun& run_;
        TimePoint now_{std::chrono::seconds(1)};
    };

    void complain(std::string_view what) { scenario_.expect(false, what); }

    void turn(lowlevel::CallbackList& ready, TimePoint deadline, TimePoint& now) {
        int& step = scenario_.step_;
        if (!std::exchange(begun_, true)) {
            scenario_.begin();
        }
        note_the_dead();
        if (step > most_steps) {
            complain("does not end");
            loop_.stop();
            return;
        }
        if (!ready.empty()) {
            now += std::chrono::seconds(1);
        } else {
            scenario_.idle();
            if (all_tasks(loop_).empty() && !go_on(deadline)) {
                loop_.stop();
                return;
            }
        }
        if (ready.empty()) {
            place(ready, step++);
            if (ready.empty()) {
                let_time_pass(deadline, now);
            }
            return;
        }
        lowlevel::CallbackList in_order(std::move(ready));
        while (!in_order.empty()) {
            place(ready, step++);
            ready.push_back(in_order.pop_front());
        }
    }

    void place(lowlevel::CallbackList& ready, int step) {
        for (const std::unique_ptr<Falling>& each : falling_) {
            if (each->blow.step == step) {
                ready.push_back(*each);
            }
        }
    }

    void let_time_pass(TimePoint deadline, TimePoint& now) {
        if (deadline != TimePoint::max()) {
            now = std::max(now, deadline);
        } else if (std::exchange(rescued_, true) || !scenario_.rescue()) {
            std::string who = "wait for ever:";
            for (const CancelScenario::Member& member : scenario_.cast_) {
                who += member.task.done() ? "" : " " + std::string(member.name);
            }
            complain(who);
            loop_.stop();
        }
    }

    /// All have ended. Is there more to do?
    bool go_on(TimePoint deadline) {
        expect_no_timer(deadline);
        if (std::exchange(probed_, true)) {
            return false;
        }
        const Task<> probe = loop_.create_task(scenario_.probe());
        scenario_.enter("probe", probe, Ends::as_asked);
        return true;
    }
    void expect_no_timer(TimePoint deadline) {
        if (deadline != TimePoint::max()) {
            complain("a timer is left");
        }
    }

    void note_the_dead() {
        for (CancelScenario::Member& member : scenario_.cast_) {
            if (member.dead < 0 && member.task.done()) {
                member.dead = scenario_.step_;
            }
        }
    }

    void judge(const CancelScenario::Member& member) {
        const std::string name(member.name);
        if (!member.task.done()) {
            return;  // waits for ever, which is said already
        }
        const bool cancelled = member.task.cancelled();
        const std::exception_ptr error = cancelled ? nullptr : member.task.exception();
        if (member.ends == Ends::as_asked) {
            if (error != nullptr) {
                complain(name + " failed: " + describe(error));
            }
            if (cancelled != (member.sent > 0)) {
                complain(name + (cancelled ? " ended cancelled, unasked" : " was not cancelled"));
            }
        }
        if (member.ends != Ends::freely && member.task.cancelling() != member.sent) {
            complain(name + ": cancelling() is " + std::to_string(member.task.cancelling()) +
                     " and not " + std::to_string(member.sent));
        }
    }

    CancelScenario& scenario_;
    std::vector<std::unique_ptr<Falling>> falling_;
    bool begun_ = false;
    bool rescued_ = false;
    bool probed_ = false;
    EventLoop loop_;
};

/// What became of one run, in memory that outlasts it.
struct CancelReport {
    CancelRun::Life lives[CancelRun::most_victims];
    std::size_t victims = 0;
    int steps = 0;
    char complaint[240] = "";
};

template <class Scenario>
CancelReport run_with_cancellations(const Blows& blows) {
    CancelReport report;
    const auto perform = [&] {
        Scenario scenario;
        {
            const CancelRun run(scenario, blows);
            report.steps = run.steps();
            report.victims = std::min(run.victims(), CancelRun::most_victims);
            for (std::size_t index = 0; index < report.victims; ++index) {
                report.lives[index] = run.life(index);
            }
        }
        scenario.complaint().copy(report.complaint, sizeof report.complaint - 1);
    };
    // What is allocated once and kept is no leak: the second time tells.
    std::int64_t left = 0;
    for (int time = 0; time < 2 && report.complaint[0] == '\0'; ++time) {
        const std::int64_t before = live_allocations();
        perform();
        left = live_allocations() - before;
        if (left == 0) {
            break;
        }
    }
    if (left != 0 && report.complaint[0] == '\0') {
        std::string("memory is left: blocks " + std::to_string(left))
            .copy(report.complaint, sizeof report.complaint - 1);
    }
    return report;
}

/// Every cancellation and every pair of them, until a few have gone wrong; what went wrong.
template <class Scenario>
class Cancellations {
public:
    static constexpr std::size_t most_failures = 3;

    std::vector<std::string> failures;
    int runs = 0;

    void enumerate() {
        // The shorter ones first: they are the easier to understand.
        std::vector<std::pair<Blow, CancelReport>> singles;
        each_victim(run({}), 0, [&](Blow blow) { singles.emplace_back(blow, run({blow})); });
        for (const auto& [first, report] : singles) {
            // What comes before the second blow is as it was without it.
            each_victim(report, first.step, [this, &first](Blow second) { run({first, second}); });
        }
    }

    CancelReport run(const Blows& blows) {
        ++runs;
        const CancelReport report = run_with_cancellations<Scenario>(blows);
        if (report.complaint[0] != '\0') {
            failures.push_back("cancelled '" + text_of(blows) + "': " + report.complaint);
        }
        return report;
    }

private:
    template <class Fn>
    void each_victim(const CancelReport& report, int from, Fn&& fn) {
        for (std::size_t index = 0; index < report.victims; ++index) {
            const CancelRun::Life& life = report.lives[index];
            const int end = life.dead < 0 ? report.steps : life.dead;
            for (int step = std::max(from, life.born); step < end; ++step) {
                if (failures.size() >= most_failures) {
                    return;
                }
                fn(Blow{life.name, step});
            }
        }
    }
};

template <class Scenario>
void expect_withstands_cancellations() {
    Cancellations<Scenario> cancellations;
    if (const char* only = std::getenv("ASYNCIO_CANCEL"); only != nullptr) {
        std::istringstream words{std::string(only)};
        const std::vector<std::string> texts{std::istream_iterator<std::string>(words), {}};
        Blows blows;
        for (const std::string& text : texts) {
            const std::size_t at = text.rfind('@');
            blows.push_back({std::string_view(text).substr(0, at), std::stoi(text.substr(at + 1))});
        }
        cancellations.run(blows);
    } else {
        cancellations.enumerate();
        EXPECT_GT(cancellations.runs, 20);
    }
    for (const std::string& failure : cancellations.failures) {
        ADD_FAILURE() << failure;
    }
    ::testing::Test::RecordProperty("runs", cancellations.runs);
}

}  // namespace asyncio::testing
