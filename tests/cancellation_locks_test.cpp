// cancellation_locks_test.cpp - locks, whoever is cancelled at whatever step.
//
// SPDX-License-Identifier: MIT
#include "support/cancellations.hpp"

#include <asyncio/locks.hpp>
#include <asyncio/result.hpp>
#include <asyncio/tasks.hpp>

#include <algorithm>
#include <deque>
#include <memory>
#include <vector>

namespace asyncio {

using testing::CancelScenario;
using testing::Counted;
using testing::Ends;
using testing::expect_withstands_cancellations;

namespace {

using namespace std::chrono_literals;

bool in_order(const std::vector<int>& numbers) {
    return std::is_sorted(numbers.begin(), numbers.end());
}

// --------------------------------------------------------------------------------------- Lock

/// Six that want a lock, one after another.
template <class L>
class UseOfLock final : public CancelScenario {
public:
    void begin() override {
        spawn("first", work(*this, 1));
        spawn("second", work(*this, 2));
        spawn("third", work(*this, 3));
        spawn("fourth", work(*this, 4));
        spawn("fifth", work(*this, 5));
        spawn("sixth", work(*this, 6));
    }
    void idle() override {
        expect(lock_.locked() || waiting_ == 0, "the lock is open and somebody waits");
        expect(lock_.locked() == (inside_ > 0), "the lock is held by nobody");
    }
    Coroutine<> probe() override { return take_at_once(*this); }

private:
    static Coroutine<> work(UseOfLock& self, int number) {
        Counted waits(self.waiting_);
        co_await self.lock_.acquire();
        waits.end();
        Counted inside(self.inside_);
        self.expect(self.inside_ == 1, "two hold the lock");
        self.entered_.push_back(number);
        self.expect(in_order(self.entered_), "somebody was overtaken");
        const Duration delay = number % 2 == 0 ? Duration(0) : Duration(1h);
        auto slept = co_await as_result(sleep(delay));
        inside.end();
        self.lock_.release();
        slept.get();
    }
    static Coroutine<> take_at_once(UseOfLock& self) {
        self.expect(!self.lock_.locked(), "the lock is not open at the end");
        const int step = self.waiting_;
        co_await self.lock_.acquire();
        self.lock_.release();
        self.expect(step == 0 && self.inside_ == 0, "a frame is left");
    }

    L lock_;
    int waiting_ = 0;
    int inside_ = 0;
    std::vector<int> entered_;
};

TEST(CancellationOfEverybody, leaves_a_lock_in_order) {
    expect_withstands_cancellations<UseOfLock<Lock>>();
}

/// The same by a guard, which is given back by a cancellation, too.
class UseOfGuard final : public CancelScenario {
public:
    void begin() override {
        spawn("first", work(*this));
        spawn("second", work(*this));
        spawn("third", work(*this));
    }
    void idle() override { expect(lock_.locked() || waiting_ == 0, "the lock is open"); }
    Coroutine<> probe() override {
        expect(!lock_.locked() && inside_ == 0, "the lock is not open at the end");
        co_return;
    }

private:
    static Coroutine<> work(UseOfGuard& self) {
        for (int time = 0; time < 2; ++time) {
            Counted waits(self.waiting_);
            const auto held = co_await self.lock_.scoped();
            waits.end();
            const Counted inside(self.inside_);
            self.expect(self.inside_ == 1, "two hold the lock");
            co_await sleep(0);
        }
    }

    Lock lock_;
    int waiting_ = 0;
    int inside_ = 0;
};

TEST(CancellationOfEverybody, leaves_guards_in_order) {
    expect_withstands_cancellations<UseOfGuard>();
}

/// A lock with the mistake that is easiest to make: one that is cancelled after it was woken does
/// not wake the next.
class ForgetfulLock {
public:
    [[nodiscard]] bool locked() const noexcept { return locked_; }
    Coroutine<> acquire() {
        if (locked_ || !waiters_.empty()) {
            const Future<> turn = get_running_loop().create_future();
            waiters_.push_back(turn);
            const auto woken = co_await as_result(turn);
            std::erase(waiters_, turn);
            static_cast<void>(woken.get());
        }
        locked_ = true;
    }
    void release() {
        locked_ = false;
        if (!waiters_.empty() && !waiters_.front().done()) {
            waiters_.front().set_result();
        }
    }

private:
    bool locked_ = false;
    std::deque<Future<>> waiters_;
};

TEST(CancellationOfEverybody, finds_a_lock_that_forgets_to_wake_the_next) {
    testing::Cancellations<UseOfLock<ForgetfulLock>> cancellations;

    cancellations.enumerate();

    ASSERT_FALSE(cancellations.failures.empty());
    EXPECT_EQ(cancellations.failures.front(),
              "cancelled 'second@7': the lock is open and somebody waits");
}

/// Keeps a block for ever if it is cancelled.
class Leak final : public CancelScenario {
public:
    void begin() override { spawn("leaky", leak()); }

private:
    static Coroutine<> leak() {
        auto* kept = new int(0);
        co_await sleep(1h);
        delete kept;
    }
};

/// Sleeps longer than it should, swallows what it is sent, waits for what nobody does.
template <int kind>
class Wrong final : public CancelScenario {
public:
    void begin() override {
        spawn("wrong", kind == 0 ? swallow() : kind == 1 ? hang(*this) : arm());
    }

private:
    static Coroutine<> swallow() { static_cast<void>(co_await as_result(sleep(1h))); }
    static Coroutine<> hang(Wrong& self) {
        const auto slept = co_await as_result(sleep(1h));
        if (!slept.has_value()) {
            co_await self.event_.wait();
        }
    }
    static Coroutine<> arm() {
        TimerHandle timer = get_running_loop().call_later(2h, [] {});
        co_await sleep(1h);
        timer.cancel();
    }
    Event event_;
};

template <class Scenario>
std::string first_failure() {
    testing::Cancellations<Scenario> cancellations;
    cancellations.enumerate();
    return cancellations.failures.empty() ? "none" : cancellations.failures.front();
}

TEST(CancellationOfEverybody, finds_what_is_wrong) {
    EXPECT_EQ(first_failure<Wrong<0>>(), "cancelled 'wrong@1': wrong was not cancelled");
    EXPECT_EQ(first_failure<Wrong<1>>(), "cancelled 'wrong@1': wait for ever: wrong");
    EXPECT_EQ(first_failure<Wrong<2>>(), "cancelled 'wrong@1': a timer is left");
}

// ---------------------------------------------------------------------------------- Semaphore

template <class S>
class UseOfSemaphore final : public CancelScenario {
public:
    void begin() override {
        spawn("first", work(*this, 1));
        spawn("second", work(*this, 2));
        spawn("third", work(*this, 3));
        spawn("fourth", work(*this, 4));
        spawn("fifth", work(*this, 5));
    }
    void idle() override {
        expect(inside_ == 2 || waiting_ == 0, "there is a permit and somebody waits");
        expect(semaphore_.locked() == (inside_ == 2), "a permit is lost");
    }
    Coroutine<> probe() override { return take_all(*this); }

private:
    static Coroutine<> work(UseOfSemaphore& self, int number) {
        Counted waits(self.waiting_);
        const auto permit = co_await self.semaphore_.scoped();
        waits.end();
        const Counted inside(self.inside_);
        self.expect(self.inside_ <= 2, "more are inside than there are permits");
        self.entered_.push_back(number);
        self.expect(in_order(self.entered_), "somebody was overtaken");
        co_await sleep(0);
        co_await sleep(1h * number);
    }
    static Coroutine<> take_all(UseOfSemaphore& self) {
        for (int permit = 0; permit < 2; ++permit) {
            self.expect(!self.semaphore_.locked(), "a permit is lost at the end");
            co_await self.semaphore_.acquire();
        }
        self.expect(self.semaphore_.locked(), "there is a permit too many");
        self.semaphore_.release();
        self.semaphore_.release();
    }

    S semaphore_{2};
    int waiting_ = 0;
    int inside_ = 0;
    std::vector<int> entered_;
};

TEST(CancellationOfEverybody, leaves_a_semaphore_in_order) {
    expect_withstands_cancellations<UseOfSemaphore<Semaphore>>();
}
TEST(CancellationOfEverybody, leaves_a_bounded_semaphore_in_order) {
    expect_withstands_cancellations<UseOfSemaphore<BoundedSemaphore>>();
}

// -------------------------------------------------------------------------------------- Event

/// Set for a moment, and then for good.
class UseOfEvent final : public CancelScenario {
public:
    void begin() override {
        spawn("first", wait(*this));
        spawn("second", wait(*this));
        spawn("third", wait(*this));
        spawn("setter", set(*this));
    }
    void idle() override { expect(!event_.is_set() || waiting_ == 0, "somebody waits though set"); }
    bool rescue() override {
        event_.set();
        return true;
    }
    Coroutine<> probe() override {
        expect(event_.is_set() || woken_ == 0 || sent("setter") > 0, "the event is not set");
        co_return;
    }

private:
    static Coroutine<> wait(UseOfEvent& self) {
        const Counted waits(self.waiting_);
        co_await self.event_.wait();
        co_await sleep(0);
        co_await self.event_.wait();
        ++self.woken_;
    }
    static Coroutine<> set(UseOfEvent& self) {
        co_await sleep(0);
        self.event_.set();
        self.event_.clear();
        co_await sleep(1h);
        self.event_.set();
    }

    Event event_;
    int waiting_ = 0;
    int woken_ = 0;
};

TEST(CancellationOfEverybody, leaves_an_event_in_order) {
    expect_withstands_cancellations<UseOfEvent>();
}

// ---------------------------------------------------------------------------------- Condition

/// Two take tokens by wait_for(), one by wait(); one brings them, with notify() and notify_all().
class UseOfCondition final : public CancelScenario {
public:
    void begin() override {
        spawn("first", take(*this));
        spawn("second", take_by_hand(*this));
        spawn("third", take(*this));
        spawn("bringer", bring(*this));
    }
    void idle() override {
        expect(condition_.locked() || waiting_ == 0 || tokens_ == 0,
               "there is a token and somebody waits");
        expect(condition_.locked() == (holding_ > 0), "nobody holds the lock");
    }
    bool rescue() override {
        spawn("rescuer", bring_enough(*this));
        return true;
    }
    Coroutine<> probe() override { return take_at_once(*this); }

private:
    static Coroutine<> take(UseOfCondition& self) {
        const auto held = co_await self.condition_.scoped();
        {
            const Counted waits(self.waiting_);
            co_await self.condition_.wait_for([&self] { return self.tokens_ > 0; });
        }
        self.expect(self.condition_.locked() && self.tokens_ > 0, "went on without a reason");
        --self.tokens_;
    }
    static Coroutine<> take_by_hand(UseOfCondition& self) {
        co_await with(self.condition_, [&self]() -> Coroutine<> {
            while (self.tokens_ == 0) {
                const Counted waits(self.waiting_);
                co_await self.condition_.wait();
            }
            --self.tokens_;
        });
    }
    static Coroutine<> bring(UseOfCondition& self) {
        {
            const auto held = co_await self.condition_.scoped();
            const Counted holding(self.holding_);
            self.tokens_ += 1;
            self.condition_.notify();
            co_await sleep(1h);
        }
        co_await sleep(0);
        const auto held = co_await self.condition_.scoped();
        self.tokens_ += 2;
        self.condition_.notify(2);
    }
    static Coroutine<> bring_enough(UseOfCondition& self) {
        const auto held = co_await self.condition_.scoped();
        self.tokens_ += 3;
        self.condition_.notify_all();
    }
    static Coroutine<> take_at_once(UseOfCondition& self) {
        self.expect(!self.condition_.locked() && self.waiting_ == 0, "the lock is not open");
        self.tokens_ += 1;
        co_await with(self.condition_, [&self]() -> Coroutine<> {
            co_await self.condition_.wait_for([&self] { return self.tokens_ > 0; });
            self.condition_.notify_all();
        });
    }

    Condition condition_;
    int tokens_ = 0;
    int waiting_ = 0;
    int holding_ = 0;
};

TEST(CancellationOfEverybody, leaves_a_condition_in_order) {
    expect_withstands_cancellations<UseOfCondition>();
}

// ------------------------------------------------------------------------------------ Barrier

/// Four at a barrier for two, of which the first comes again.
class UseOfBarrier final : public CancelScenario {
public:
    void begin() override {
        spawn("first", meet(*this, 2));
        spawn("second", meet(*this, 1));
        spawn("third", meet(*this, 1));
        spawn("fourth", meet(*this, 1));
    }
    void idle() override {
        expect(waiting_ < 2, "enough wait");
        expect(barrier_.n_waiting() == waiting_ || barrier_.broken(), "the count is wrong");
    }
    bool rescue() override {
        spawn("breaker", barrier_.abort());
        return true;
    }
    Coroutine<> probe() override { return meet_again(*this); }

private:
    static Coroutine<> meet(UseOfBarrier& self, int times) {
        for (int time = 0; time < times; ++time) {
            const Counted waits(self.waiting_);
            const auto index = co_await as_result(self.barrier_.wait());
            if (!index.has_value() && self.barrier_.broken() && !index.cancelled()) {
                co_return;
            }
            const int number = index.get();
            self.expect(number == 0 || number == 1, "the index is wrong");
            self.met_[number] += 1;
        }
    }
    static Coroutine<> meet_again(UseOfBarrier& self) {
        // Of a pair one may be cancelled on its way out.
        const int odd = self.met_[0] - self.met_[1];
        self.expect(-self.sent() <= odd && odd <= self.sent(), "somebody met nobody");
        self.expect(self.barrier_.n_waiting() == 0, "somebody is left in the barrier");
        co_await self.barrier_.reset();
        const auto other = create_task(self.barrier_.wait());
        const int index = co_await self.barrier_.wait();
        const int index_of_other = co_await other;
        self.expect(index + index_of_other == 1, "the barrier is of no use at the end");
    }

    Barrier barrier_{2};
    int waiting_ = 0;
    int met_[2] = {};
};

TEST(CancellationOfEverybody, leaves_a_barrier_in_order) {
    expect_withstands_cancellations<UseOfBarrier>();
}

/// Three at a barrier for four, while it is reset, and somebody comes meanwhile.
class ResetOfBarrier final : public CancelScenario {
public:
    void begin() override {
        spawn("first", meet(*this));
        spawn("second", meet(*this));
        spawn("third", meet(*this));
        spawn("resetter", reset(*this));
    }
    void idle() override {
        expect(barrier_.n_waiting() == waiting_ || barrier_.broken(), "the count is wrong");
    }
    bool rescue() override {
        spawn("breaker", barrier_.abort());
        return true;
    }
    Coroutine<> probe() override {
        expect(barrier_.n_waiting() == 0 && waiting_ == 0, "somebody is left in the barrier");
        co_return;
    }

private:
    static Coroutine<> meet(ResetOfBarrier& self) {
        for (int time = 0; time < 2; ++time) {
            const Counted waits(self.waiting_);
            const auto index = co_await as_result(self.barrier_.wait());
            if (index.cancelled()) {
                static_cast<void>(index.get());
            }
            self.expect(!index.has_value(), "met nobody");
        }
    }
    static Coroutine<> reset(ResetOfBarrier& self) {
        co_await sleep(0);
        co_await self.barrier_.reset();
        co_await sleep(1h);
        co_await self.barrier_.abort();
    }

    Barrier barrier_{4};
    int waiting_ = 0;
};

TEST(CancellationOfEverybody, leaves_a_barrier_in_order_that_is_reset) {
    expect_withstands_cancellations<ResetOfBarrier>();
}

}  // namespace

}  // namespace asyncio
