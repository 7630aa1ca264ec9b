// cancellation_tasks_test.cpp - futures and what waits for several of them, sleeps and threads,
// whoever is cancelled at whatever step.
//
// SPDX-License-Identifier: MIT
#include "support/cancellations.hpp"

#include <asyncio/futures.hpp>
#include <asyncio/log.hpp>
#include <asyncio/result.hpp>
#include <asyncio/tasks.hpp>
#include <asyncio/threads.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asyncio {

using testing::CancelScenario;
using testing::Counted;
using testing::Ends;
using testing::expect_withstands_cancellations;

namespace {

using namespace std::chrono_literals;

/// Needs a turn more to end if it is cancelled.
Coroutine<int> slow_to_end(int& alive, Duration delay, int value) {
    const Counted counted(alive);
    const auto slept = co_await as_result(sleep(delay));
    if (!slept.has_value()) {
        const auto cleaned = co_await as_result(sleep(0));
        if (cleaned.has_value()) {
            static_cast<void>(slept.get());
        }
        static_cast<void>(cleaned.get());
    }
    co_return value;
}

Coroutine<int> fail_after(Duration delay) {
    co_await sleep(delay);
    throw RuntimeError("as it should");
}

// -------------------------------------------------------------------------------------- sleep

class Sleepers final : public CancelScenario {
public:
    void begin() override {
        spawn("first", sleep_twice(*this, 1h));
        spawn("second", sleep_twice(*this, 1h));
        spawn("third", sleep_twice(*this, 2h));
        spawn("fourth", sleep_twice(*this, 0h));
    }
    Coroutine<> probe() override {
        expect(asleep_ == 0 && woken_ + sent() >= 4, "somebody did not wake up");
        co_return;
    }

private:
    static Coroutine<> sleep_twice(Sleepers& self, std::chrono::hours delay) {
        const Counted asleep(self.asleep_);
        const TimePoint before = get_running_loop().time();
        co_await sleep(delay);
        co_await sleep(delay);
        self.expect(get_running_loop().time() >= before + 2 * delay, "woke up early");
        ++self.woken_;
    }
    int asleep_ = 0;
    int woken_ = 0;
};

TEST(CancellationOfEverybody, leaves_sleepers_in_order) {
    expect_withstands_cancellations<Sleepers>();
}

// ------------------------------------------------------------------------------------- Future

/// Three wait for a future, of which one who is cancelled cancels it for all; one by a callback.
class SharedFuture final : public CancelScenario {
public:
    void begin() override {
        future_ = get_running_loop().create_future<int>();
        future_.add_done_callback([this](const AnyFuture&) { ++called_; });
        spawn("first", wait(*this), Ends::anyhow);
        spawn("second", wait(*this), Ends::anyhow);
        spawn("third", wait(*this), Ends::anyhow);
        spawn("giver", give(*this));
    }
    void idle() override {
        expect(!future_.done() || waiting_ == 0, "the future is done and somebody waits");
    }
    bool rescue() override {
        future_.cancel();
        return true;
    }
    Coroutine<> probe() override {
        expect(woken_ + sent() >= 3 || future_.cancelled(), "somebody did not get the result");
        expect(called_ == (future_.done() ? 1 : 0), "the callback was not called once");
        co_return;
    }

private:
    static Coroutine<> wait(SharedFuture& self) {
        const Counted waits(self.waiting_);
        const int value = co_await self.future_;
        self.expect(value == 7, "the result is wrong");
        ++self.woken_;
    }
    static Coroutine<> give(SharedFuture& self) {
        co_await sleep(0);
        co_await sleep(0);
        if (!self.future_.done()) {
            self.future_.set_result(7);
        }
    }

    Future<int> future_;
    int waiting_ = 0;
    int woken_ = 0;
    int called_ = 0;
};

TEST(CancellationOfEverybody, leaves_a_future_in_order) {
    expect_withstands_cancellations<SharedFuture>();
}

/// A task that waits for a task that waits for a task.
class ChainOfTasks final : public CancelScenario {
public:
    void begin() override {
        const auto innermost = spawn("innermost", slow_to_end(alive_, 1h, 5), Ends::freely);
        const auto inner = spawn("inner", wait(*this, innermost), Ends::freely);
        spawn("outer", wait(*this, inner), Ends::freely);
        spawn("other", wait(*this, inner), Ends::freely);
    }
    Coroutine<> probe() override {
        expect(alive_ == 0 && waiting_ == 0, "a frame is left");
        expect(ended_well_ == 3 || sent() > 0, "cancelled by nobody");
        co_return;
    }

private:
    static Coroutine<int> wait(ChainOfTasks& self, Task<int> task) {
        const Counted waits(self.waiting_);
        const int value = co_await task;
        self.expect(value == 5, "the result is wrong");
        ++self.ended_well_;
        co_return value;
    }

    int alive_ = 0;
    int waiting_ = 0;
    int ended_well_ = 0;
};

TEST(CancellationOfEverybody, leaves_tasks_in_order_that_wait_for_tasks) {
    expect_withstands_cancellations<ChainOfTasks>();
}

// ------------------------------------------------------------------------------------- gather

template <bool exceptions>
class Gathering final : public CancelScenario {
public:
    void begin() override {
        spawn("parent", gather_them(*this), Ends::freely);
        spawn("other", wait_for_one(*this), Ends::freely);
    }
    Coroutine<> probe() override {
        expect(alive_ == 0, "a child is left");
        expect(
            sent() > 0 || outcome_ == (exceptions ? "1 7 failed" : "RuntimeError('as it should')"),
            "the outcome is wrong");
        expect(sent("parent") == 0 || outcome_.empty() || sent() > 1 || !exceptions,
               "the parent was cancelled and has a result");
        co_return;
    }

private:
    static Coroutine<> gather_them(Gathering& self) {
        Task<int> first = self.spawn("child", slow_to_end(self.alive_, 1h, 1), Ends::freely);
        Task<int> second = self.spawn("shared", slow_to_end(self.alive_, 0s, 7), Ends::freely);
        Task<int> third = self.spawn("failing", fail_after(1h), Ends::freely);
        self.shared_ = second;
        self.made_ = true;
        if constexpr (exceptions) {
            const auto [a, b, c] = co_await gather(return_exceptions, first, second, third);
            self.outcome_ = (a.has_value() ? std::to_string(*a) : "none") + " " +
                            (b.has_value() ? std::to_string(*b) : "none") + " " +
                            (c.has_value() ? std::to_string(*c) : "failed");
        } else {
            const auto gathered = co_await as_result(gather(first, second, third));
            self.outcome_ = describe(gathered.error());
            if (gathered.cancelled()) {
                self.outcome_.clear();
                static_cast<void>(gathered.get());
            }
        }
    }
    static Coroutine<> wait_for_one(Gathering& self) {
        co_await sleep(0);
        if (self.made_) {
            const Task<int> shared = self.shared_;
            const int value = co_await shield(shared);
            self.expect(value == 7, "the result is wrong");
        }
    }

    bool made_ = false;
    Task<int> shared_;
    int alive_ = 0;
    std::string outcome_;
};

TEST(CancellationOfEverybody, leaves_a_gathering_in_order) {
    expect_withstands_cancellations<Gathering<false>>();
    expect_withstands_cancellations<Gathering<true>>();
}

// --------------------------------------------------------------------------------------- wait

template <ReturnWhen when, bool timed>
class WaitingForSome final : public CancelScenario {
public:
    void begin() override {
        children_.push_back(spawn("child", slow_to_end(alive_, 1h, 1), Ends::as_asked));
        children_.push_back(spawn("failing", fail_after(2h), Ends::anyhow));
        children_.push_back(spawn("long", slow_to_end(alive_, 4h, 1), Ends::as_asked));
        spawn("parent", wait_for_them(*this));
    }
    Coroutine<> probe() override {
        expect(alive_ == 0, "a child is left");
        expect(sent("parent") > 0 || done_ + pending_ == 3, "a child got lost");
        const int expected = timed || when == FIRST_COMPLETED ? 1 : when == FIRST_EXCEPTION ? 2 : 3;
        expect(sent() > 0 || done_ == expected, "not those are done that should be");
        children_.clear();
        co_return;
    }

private:
    static Coroutine<> wait_for_them(WaitingForSome& self) {
        co_await sleep(0);
        WaitOptions options;
        options.return_when = when;
        if (timed) {
            options.timeout = 90min;
        }
        const auto [done, pending] = co_await wait(self.children_, options);
        self.done_ = static_cast<int>(done.size());
        self.pending_ = static_cast<int>(pending.size());
        for (const AnyFuture& each : done) {
            self.expect(each.done(), "what is done is not");
        }
        self.expect(self.done_ > 0 || timed, "woken for nothing");
        self.expect(when != ALL_COMPLETED || timed || self.pending_ == 0, "woken early");
    }

    std::vector<Task<int>> children_;
    int alive_ = 0;
    int done_ = 0;
    int pending_ = 0;
};

TEST(CancellationOfEverybody, leaves_those_in_order_who_wait_for_some) {
    expect_withstands_cancellations<WaitingForSome<FIRST_COMPLETED, false>>();
    expect_withstands_cancellations<WaitingForSome<FIRST_EXCEPTION, false>>();
    expect_withstands_cancellations<WaitingForSome<ALL_COMPLETED, false>>();
    expect_withstands_cancellations<WaitingForSome<ALL_COMPLETED, true>>();
}

// ------------------------------------------------------------------------------- as_completed

template <bool timed>
class OneAfterAnother final : public CancelScenario {
public:
    void begin() override {
        children_.push_back(spawn("first", slow_to_end(alive_, 1h, 1)));
        children_.push_back(spawn("second", slow_to_end(alive_, 0s, 2)));
        children_.push_back(spawn("third", slow_to_end(alive_, 2h, 3)));
        completed_.emplace(as_completed(children_, {.timeout = limit()}));
        spawn("taker", take(*this));
        spawn("other taker", take(*this));
    }
    void idle() override { expect(done() == taken_ || takers_ == 0, "one is done and not taken"); }
    Coroutine<> probe() override {
        expect(alive_ == 0 && takers_ == 0, "a frame is left");
        // As in Python, an await that is cancelled has had its turn.
        const bool nobody = sent("taker") > 0 && sent("other taker") > 0;
        expect(taken_ + missed_ + sent() >= 3 || nobody, "one got lost");
        expect(taken_ + missed_ <= 3, "one came twice");
        completed_.reset();
        co_return;
    }

private:
    static std::optional<Duration> limit() {
        return timed ? std::optional<Duration>(90min) : std::nullopt;
    }
    [[nodiscard]] int done() const {
        int count = 0;
        for (const Task<int>& child : children_) {
            count += child.done() ? 1 : 0;
        }
        return timed && missed_ > 0 ? taken_ : count;
    }
    static Coroutine<> take(OneAfterAnother& self) {
        const Counted takes(self.takers_);
        for (bool more = true; more;) {
            auto next = co_await as_result(self.completed_->next());
            if (next.has_value()) {
                more = next->has_value();
                self.taken_ += more ? 1 : 0;
                self.expect(!more || (*next)->done(), "it is not done");
            } else if (next.cancelled()) {
                static_cast<void>(next.get());
            } else {
                ++self.missed_;
            }
        }
    }

    std::vector<Task<int>> children_;
    std::optional<AsCompleted<int>> completed_;
    int alive_ = 0;
    int takers_ = 0;
    int taken_ = 0;
    int missed_ = 0;
};

TEST(CancellationOfEverybody, leaves_those_in_order_who_take_one_after_another) {
    expect_withstands_cancellations<OneAfterAnother<false>>();
    expect_withstands_cancellations<OneAfterAnother<true>>();
}

// ------------------------------------------------------------------------------------- shield

/// Two behind shields of one task; it goes on, whatever becomes of them.
class Shielded final : public CancelScenario {
public:
    void begin() override {
        inner_ = spawn("inner", slow_to_end(alive_, 1h, 9));
        spawn("first", wait(*this), Ends::freely);
        spawn("second", wait(*this), Ends::freely);
    }
    Coroutine<> probe() override {
        expect(alive_ == 0, "a frame is left");
        expect(inner_.cancelled() == (sent("inner") > 0), "a cancellation came through");
        expect(woken_ + sent() >= 2 || inner_.cancelled(), "somebody did not get the result");
        inner_ = Task<int>();
        co_return;
    }

private:
    static Coroutine<> wait(Shielded& self) {
        const auto waited = co_await as_result(shield(self.inner_));
        if (waited.has_value()) {
            ++self.woken_;
        } else if (!self.inner_.done()) {
            // Python's recipe: it waits all the same.
            const Task<int> inner = self.inner_;
            const auto again = co_await as_result(shield(inner));
            self.woken_ += again.has_value() ? 1 : 0;
            static_cast<void>(waited.get());
        }
    }

    Task<int> inner_;
    int alive_ = 0;
    int woken_ = 0;
};

TEST(CancellationOfEverybody, leaves_what_is_shielded_in_order) {
    expect_withstands_cancellations<Shielded>();
}

// ------------------------------------------------------------------------------------ threads

/// Runs its jobs when an hour has passed, one at a time, in the loop's own thread.
class LateExecutor final : public Executor {
public:
    explicit LateExecutor(EventLoop& loop) noexcept : loop_(loop) {}
    void submit(lowlevel::Job& job) override {
        jobs_.push_back(job);
        loop_.call_later(1h, [this] {
            if (!jobs_.empty()) {
                jobs_.pop_front().run();
            }
        });
    }
    void shutdown(bool, bool) override {
        while (!jobs_.empty()) {
            jobs_.pop_front().abandon();
        }
    }

private:
    EventLoop& loop_;
    lowlevel::List<lowlevel::Job> jobs_;
};

class InThreads final : public CancelScenario {
public:
    void begin() override {
        executor_ = std::make_shared<LateExecutor>(get_running_loop());
        get_running_loop().set_default_executor(executor_);
        spawn("first", call(*this, false));
        spawn("second", call(*this, true));
        spawn("third", call(*this, false));
    }
    // What a call throws after nobody waits for it any more.
    bool expects(const ExceptionContext& context) override {
        ++reported_;
        return sent("second") > 0 && failed_ &&
               describe(context.exception) == "RuntimeError('as it should')";
    }
    Coroutine<> probe() override {
        expect(answered_ + sent() >= 3, "somebody got no answer");
        // As in CPython neither, if the cancellation came when the task was about to see it.
        expect(failure_seen_ + reported_ <= (failed_ ? 1 : 0), "an exception comes twice");
        expect(called_ >= answered_, "an answer without a call");
        executor_.reset();
        co_return;
    }

private:
    static Coroutine<> call(InThreads& self, bool fails) {
        co_await sleep(0);
        const auto function = [&self, fails] {
            ++self.called_;
            if (fails) {
                self.failed_ = true;
                throw RuntimeError("as it should");
            }
            return 3;
        };
        const auto answer = co_await as_result(to_thread(function));
        if (answer.cancelled()) {
            static_cast<void>(answer.get());
        }
        self.failure_seen_ += fails ? 1 : 0;
        self.expect(answer.has_value() != fails, "the outcome is wrong");
        ++self.answered_;
    }

    std::shared_ptr<LateExecutor> executor_;
    int called_ = 0;
    int answered_ = 0;
    bool failed_ = false;
    int failure_seen_ = 0;
    int reported_ = 0;
};

TEST(CancellationOfEverybody, leaves_calls_in_threads_in_order) {
    set_logger([](Level, std::string_view) {});  // it is told what threads threw for nobody
    expect_withstands_cancellations<InThreads>();
    set_logger(nullptr);
}

}  // namespace

}  // namespace asyncio
