// cancellation_scopes_test.cpp - timeouts and task groups, whoever is cancelled at whatever step.
//
// SPDX-License-Identifier: MIT
#include "support/cancellations.hpp"

#include <asyncio/result.hpp>
#include <asyncio/taskgroups.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/timeouts.hpp>

#include <string>

namespace asyncio {

using testing::CancelScenario;
using testing::Counted;
using testing::Ends;
using testing::expect_withstands_cancellations;

namespace {

using namespace std::chrono_literals;

/// Needs a turn more to end if it is cancelled.
Coroutine<> slow_to_end(int& alive, Duration delay) {
    const Counted counted(alive);
    const auto slept = co_await as_result(sleep(delay));
    if (!slept.has_value()) {
        const auto cleaned = co_await as_result(sleep(0));
        cleaned.get();
        slept.get();
    }
}

Coroutine<> fail_after(int& alive, Duration delay) {
    const Counted counted(alive);
    co_await sleep(delay);
    throw RuntimeError("as it should");
}

bool timed_out(const std::exception_ptr& error) {
    return describe(error) == "TimeoutError()";
}

// ----------------------------------------------------------------------------------- timeouts

/// Of two limits, one inside the other, the one or the other is reached first.
class NestedTimeouts final : public CancelScenario {
public:
    void begin() override {
        spawn("inner first", nested(*this, 1h, 2h, 3h));
        spawn("outer first", nested(*this, 2h, 1h, 3h));
        spawn("neither", nested(*this, 2h, 3h, 1h));
    }
    Coroutine<> probe() override {
        expect(alive_ == 0, "a frame is left");
        expect(ended_ + sent() >= 3, "somebody did not go on");
        co_return;
    }

private:
    static Coroutine<> nested(NestedTimeouts& self, Duration inner, Duration outer,
                              Duration delay) {
        const auto body = [&]() -> Coroutine<> {
            const auto ended =
                co_await as_result(timeout(inner, [&] { return slow_to_end(self.alive_, delay); }));
            if (!ended.has_value() && !timed_out(ended.error())) {
                ended.get();
            }
            self.expect(ended.has_value() == (delay < inner), "the inner limit");
            co_await sleep(0);
        };
        const auto ended = co_await as_result(timeout(outer, body));
        if (ended.cancelled()) {
            ended.get();
        }
        self.expect(ended.has_value() || (timed_out(ended.error()) && outer < inner),
                    "the outer limit");
        co_await sleep(0);
        ++self.ended_;
    }

    int alive_ = 0;
    int ended_ = 0;
};

TEST(CancellationOfEverybody, leaves_timeouts_in_order) {
    expect_withstands_cancellations<NestedTimeouts>();
}

/// wait_for() of a coroutine, in time and too late, and of a task that others wait for.
class WaitFor final : public CancelScenario {
public:
    void begin() override {
        spawn("in time", wait_for_coroutine(*this, 1h, 2h));
        spawn("late", wait_for_coroutine(*this, 2h, 1h));
        spawn("at once", wait_for_coroutine(*this, 2h, 0s));
        task_ = spawn("task", slow_to_end(alive_, 2h), Ends::freely);
        spawn("of a task", wait_for_task(*this), Ends::anyhow);
    }
    Coroutine<> probe() override {
        expect(alive_ == 0, "a frame is left");
        expect(ended_ + sent() >= 4, "somebody did not go on");
        expect(task_.cancelled() || sent() > 0, "the limit did not cancel the task");
        task_ = Task<>();
        co_return;
    }

private:
    static Coroutine<> wait_for_coroutine(WaitFor& self, Duration delay, Duration limit) {
        const auto ended = co_await as_result(wait_for(slow_to_end(self.alive_, delay), limit));
        if (ended.cancelled()) {
            ended.get();
        }
        self.expect(ended.has_value() == (delay < limit), "the limit");
        co_await sleep(0);
        ++self.ended_;
    }
    static Coroutine<> wait_for_task(WaitFor& self) {
        const Task<> task = self.task_;
        const auto ended = co_await as_result(wait_for(task, 1h));
        self.expect(task.done(), "it did not wait for the end");
        if (ended.cancelled()) {
            ended.get();
        }
        co_await sleep(0);
        ++self.ended_;
    }

    int alive_ = 0;
    int ended_ = 0;
    Task<> task_;
};

TEST(CancellationOfEverybody, leaves_those_in_order_who_wait_with_a_limit) {
    expect_withstands_cancellations<WaitFor>();
}

// --------------------------------------------------------------------------------- TaskGroup

/// A group in a group, where a child of the inner one fails, of the outer one, of both, or of none.
template <bool inner_fails, bool outer_fails>
class NestedGroups final : public CancelScenario {
public:
    void begin() override { spawn("parent", outer(*this)); }
    void idle() override { expect(open_ || alive_ == 0, "a child has survived its group"); }
    Coroutine<> probe() override {
        expect(alive_ == 0, "a child is left");
        expect(sent() > 0 || outcome_ == expected(), outcome_);
        co_return;
    }

private:
    static std::string expected() {
        return inner_fails   ? "ExceptionGroup of ExceptionGroup"
               : outer_fails ? "ExceptionGroup"
                             : "nothing";
    }
    static std::string outline(const std::exception_ptr& error) {
        try {
            if (error != nullptr) {
                std::rethrow_exception(error);
            }
            return "nothing";
        } catch (const ExceptionGroup& group) {
            const std::string inside = outline(group.exceptions().front());
            return "ExceptionGroup" + (inside == "error" ? "" : " of " + inside);
        } catch (const CancelledError&) {
            throw;
        } catch (...) {
            return "error";
        }
    }
    static Coroutine<> outer(NestedGroups& self) {
        const auto body = [&](TaskGroup& group) -> Coroutine<> {
            self.open_ = true;
            self.enter("outer child", group.create_task(slow_to_end(self.alive_, 3h)),
                       Ends::freely);
            if (outer_fails) {
                self.enter("outer failing", group.create_task(fail_after(self.alive_, 2h)),
                           Ends::freely);
            }
            co_await inner(self);
        };
        const auto ended = co_await as_result(task_group(body));
        self.expect(self.alive_ == 0, "a child has survived its group");
        self.open_ = false;
        // If the parent was cancelled and a child failed, the cancellation comes at the next await.
        self.outcome_ = outline(ended.error());
        co_await sleep(0);
    }
    static Coroutine<> inner(NestedGroups& self) {
        const auto body = [&](TaskGroup& group) -> Coroutine<> {
            self.enter("inner child", group.create_task(slow_to_end(self.alive_, 2h)),
                       Ends::freely);
            if (inner_fails) {
                self.enter("inner failing", group.create_task(fail_after(self.alive_, 1h)),
                           Ends::freely);
            }
            const Duration delay = inner_fails ? Duration(0) : Duration(1h);
            co_await sleep(delay);
        };
        co_await task_group(body);
    }

    int alive_ = 0;
    bool open_ = false;
    std::string outcome_;
};

TEST(CancellationOfEverybody, leaves_task_groups_in_order) {
    expect_withstands_cancellations<NestedGroups<false, false>>();
    expect_withstands_cancellations<NestedGroups<true, false>>();
    expect_withstands_cancellations<NestedGroups<false, true>>();
    expect_withstands_cancellations<NestedGroups<true, true>>();
}

/// A group under a limit, and a limit in a group.
class GroupsAndTimeouts final : public CancelScenario {
public:
    void begin() override {
        spawn("group inside", group_in_timeout(*this));
        spawn("group outside", timeout_in_group(*this));
    }
    Coroutine<> probe() override {
        expect(alive_ == 0, "a child is left");
        expect(ended_ + sent() >= 2, "somebody did not go on");
        co_return;
    }

private:
    static Coroutine<> group_in_timeout(GroupsAndTimeouts& self) {
        const auto body = [&](TaskGroup& group) -> Coroutine<> {
            self.enter("child", group.create_task(slow_to_end(self.alive_, 2h)), Ends::freely);
            co_await sleep(0);
        };
        const auto ended = co_await as_result(timeout(1h, [&] { return task_group(body); }));
        if (ended.cancelled()) {
            ended.get();
        }
        self.expect(ended.has_value() ? self.sent("child") > 0 : timed_out(ended.error()),
                    "the limit");
        co_await sleep(0);
        ++self.ended_;
    }
    static Coroutine<> timeout_in_group(GroupsAndTimeouts& self) {
        const auto limited = [&]() -> Coroutine<> {
            co_await timeout(1h, [&] { return slow_to_end(self.alive_, 2h); });
        };
        const auto body = [&](TaskGroup& group) -> Coroutine<> {
            self.enter("sibling", group.create_task(slow_to_end(self.alive_, 3h)), Ends::freely);
            co_await limited();
        };
        const auto ended = co_await as_result(task_group(body));
        if (ended.cancelled()) {
            ended.get();
        }
        self.expect(!ended.has_value(), "the TimeoutError got lost");
        co_await sleep(0);
        ++self.ended_;
    }

    int alive_ = 0;
    int ended_ = 0;
};

TEST(CancellationOfEverybody, leaves_groups_and_timeouts_in_order) {
    expect_withstands_cancellations<GroupsAndTimeouts>();
}

}  // namespace

}  // namespace asyncio
