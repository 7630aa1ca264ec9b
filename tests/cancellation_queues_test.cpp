// cancellation_queues_test.cpp - queues, whoever is cancelled at whatever step.
//
// SPDX-License-Identifier: MIT
#include "support/cancellations.hpp"

#include <asyncio/queues.hpp>
#include <asyncio/result.hpp>
#include <asyncio/tasks.hpp>

#include <algorithm>
#include <vector>

namespace asyncio {

using testing::CancelScenario;
using testing::Counted;
using testing::expect_withstands_cancellations;

namespace {

using namespace std::chrono_literals;

using Items = std::vector<int>;

Items sorted(Items items) {
    std::sort(items.begin(), items.end());
    return items;
}

/// Who puts, who gets, who waits for the end; what went in and came out.
template <class Q, int maxsize>
class UseOfQueue : public CancelScenario {
public:
    void idle() override {
        const bool open = !shut_down_;
        expect(queue_.empty() || getting_ == 0, "there is an item and somebody waits for one");
        expect(queue_.full() || putting_ == 0 || !open, "there is room and somebody waits for it");
        expect(open || (getting_ == 0 && putting_ == 0), "somebody waits at a queue shut down");
        expect(open_items_ > 0 || joining_ == 0, "all is done and somebody waits for that");
    }
    /// Who gets was cancelled, or who puts.
    bool rescue() override {
        shut_down(false);
        this->spawn("drainer", get_all(*this));
        return true;
    }
    Coroutine<> probe() override {
        if (!std::exchange(shut_down_, true)) {
            queue_.shutdown();  // nobody hung, so it is open still
        }
        co_await get_all(*this);
        expect(getting_ == 0 && putting_ == 0 && joining_ == 0, "a frame is left");
        expect(sorted(put_) == sorted(got_), "items were lost or doubled");
        co_await queue_.join();
    }

protected:
    static Coroutine<> put(UseOfQueue& self, int first, int count) {
        for (int item = first; item < first + count; ++item) {
            const Counted puts(self.putting_);
            const auto done = co_await as_result(self.queue_.put(item));
            if (done.cancelled()) {
                static_cast<void>(done.get());
            }
            if (!done.has_value()) {
                co_return;  // it was shut down
            }
            self.put_.push_back(item);
            ++self.open_items_;
        }
    }
    static Coroutine<> get(UseOfQueue& self, int count) {
        for (int time = 0; time < count; ++time) {
            Counted gets(self.getting_);
            const auto item = co_await as_result(self.queue_.get());
            gets.end();
            if (item.cancelled()) {
                static_cast<void>(item.get());
            }
            if (!item.has_value()) {
                co_return;
            }
            self.take(*item);
            auto slept = co_await as_result(sleep(0));
            self.finish_one();
            slept.get();
        }
    }
    static Coroutine<> join(UseOfQueue& self) {
        co_await sleep(0);
        const Counted joins(self.joining_);
        const int before = self.times_done_;
        co_await self.queue_.join();
        // Since it was woken there may be new ones.
        self.expect(self.open_items_ == 0 || self.times_done_ > before, "join() is too early");
    }
    static Coroutine<> shut_down_later(UseOfQueue& self, bool immediate) {
        co_await sleep(1h);
        self.shut_down(immediate);
    }
    static Coroutine<> get_all(UseOfQueue& self) {
        while (!self.queue_.empty()) {
            self.take(self.queue_.get_nowait());
            self.finish_one();
        }
        co_return;
    }

    void shut_down(bool immediate) {
        shut_down_ = true;
        if (immediate) {
            // Dropped: these count as done.
            const int dropped = static_cast<int>(queue_.qsize());
            open_items_ -= dropped;
            dropped_ += dropped;
        }
        queue_.shutdown(immediate);
    }
    void take(int item) {
        got_.push_back(item);
        if (std::is_same_v<Q, Queue<int>>) {
            expect(std::equal(got_.begin(), got_.end(), put_.begin()), "out of order");
        }
    }
    void finish_one() {
        queue_.task_done();
        times_done_ += --open_items_ == 0 ? 1 : 0;
    }

    Q queue_{maxsize};
    bool shut_down_ = false;
    int getting_ = 0;
    int putting_ = 0;
    int joining_ = 0;
    int open_items_ = 0;  // put and not done
    int times_done_ = 0;  // all that was put
    int dropped_ = 0;
    Items put_;
    Items got_;
};

/// Two that put into a queue for one, and two that get.
template <class Q>
class Exchange final : public UseOfQueue<Q, 1> {
public:
    void begin() override {
        this->spawn("getter", this->get(*this, 2));
        this->spawn("putter", this->put(*this, 10, 2));
        this->spawn("other putter", this->put(*this, 20, 1));
        this->spawn("other getter", this->get(*this, 1));
        this->spawn("joiner", this->join(*this));
    }
};

TEST(CancellationOfEverybody, leaves_a_queue_in_order) {
    expect_withstands_cancellations<Exchange<Queue<int>>>();
}
TEST(CancellationOfEverybody, leaves_a_priority_queue_in_order) {
    expect_withstands_cancellations<Exchange<PriorityQueue<int>>>();
}
TEST(CancellationOfEverybody, leaves_a_lifo_queue_in_order) {
    expect_withstands_cancellations<Exchange<LifoQueue<int>>>();
}

/// Three that wait for items, which come two at a time.
class ManyGetters final : public UseOfQueue<Queue<int>, 0> {
public:
    void begin() override {
        spawn("first", get(*this, 1));
        spawn("second", get(*this, 1));
        spawn("third", get(*this, 1));
        spawn("putter", put(*this, 0, 3));
    }
};

TEST(CancellationOfEverybody, leaves_those_in_order_who_get) {
    expect_withstands_cancellations<ManyGetters>();
}

/// Three that wait for room, and one that makes it.
class ManyPutters final : public UseOfQueue<Queue<int>, 2> {
public:
    void begin() override {
        spawn("first", put(*this, 0, 2));
        spawn("second", put(*this, 10, 2));
        spawn("third", put(*this, 20, 1));
        spawn("getter", get(*this, 5));
    }
};

TEST(CancellationOfEverybody, leaves_those_in_order_who_put) {
    expect_withstands_cancellations<ManyPutters>();
}

/// Shut down while some put, or some get.
template <bool immediate, bool empty>
class Shutdown final : public UseOfQueue<Queue<int>, 1> {
public:
    void begin() override {
        if (empty) {
            spawn("first", get(*this, 1));
            spawn("second", get(*this, 1));
        } else {
            spawn("first", put(*this, 0, 2));
            spawn("second", put(*this, 10, 1));
            spawn("joiner", join(*this));
        }
        spawn("closer", shut_down_later(*this, immediate));
    }
    Coroutine<> probe() override {
        co_await get_all(*this);
        expect(put_.size() == got_.size() + static_cast<std::size_t>(dropped_), "an item is lost");
        co_await queue_.join();
        const auto refused = Result<>::of([&] { queue_.put_nowait(1); });
        expect(!refused.has_value() || !shut_down_, "it takes items after all");
        if (refused.has_value()) {
            queue_.task_done();
        }
    }
};

TEST(CancellationOfEverybody, leaves_a_queue_in_order_that_is_shut_down) {
    expect_withstands_cancellations<Shutdown<false, false>>();
    expect_withstands_cancellations<Shutdown<false, true>>();
    expect_withstands_cancellations<Shutdown<true, false>>();
    expect_withstands_cancellations<Shutdown<true, true>>();
}

}  // namespace

}  // namespace asyncio
