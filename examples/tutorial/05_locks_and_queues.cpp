// 05_locks_and_queues.cpp - chapter 5 of docs/tutorial: locks and queues.
//
// Its Python twin, 05_locks_and_queues.py, prints the same.
// SPDX-License-Identifier: MIT
#include <asyncio/asyncio.hpp>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

using namespace asyncio;
using namespace std::chrono_literals;

// [lock]
class Account {
public:
    explicit Account(int balance) : balance_(balance) {}

    Coroutine<> withdraw(std::string who, int amount) {
        auto held = co_await lock_.scoped();  // released at the end of the scope
        if (balance_ < amount) {
            std::printf("%s: no\n", who.c_str());
            co_return;
        }
        co_await sleep(10ms);  // ask the bank: without the lock, others would look now
        balance_ -= amount;
        std::printf("%s: yes, %d left\n", who.c_str(), balance_);
    }

private:
    int balance_;
    Lock lock_;
};

Coroutine<> lock() {
    Account account(100);
    co_await gather(account.withdraw("Ann", 70), account.withdraw("Ben", 70));
}
// [/lock]

// [semaphore]
Coroutine<> download(Semaphore& limit, int& active, int number) {
    auto permit = co_await limit.scoped();
    ++active;
    co_await sleep(10ms);
    std::printf("%d: %d at a time\n", number, active);
    --active;
}

Coroutine<> semaphore() {
    Semaphore limit(2);
    int active = 0;
    std::vector<Coroutine<>> downloads;
    for (int number : {0, 1, 2}) {
        downloads.push_back(download(limit, active, number));
    }
    co_await gather(std::move(downloads));
}
// [/semaphore]

// [event]
Coroutine<> runner(std::string name, Event& start) {
    co_await start.wait();
    std::printf("%s runs\n", name.c_str());
}

Coroutine<> event() {
    Event start;
    std::vector<Task<>> runners;
    for (const char* name : {"Ann", "Ben"}) {
        runners.push_back(create_task(runner(name, start)));
    }
    co_await sleep(10ms);
    std::puts("go");
    start.set();
    co_await gather(runners);
}
// [/event]

// [condition]
Coroutine<> consume(Condition& changed, std::vector<int>& items) {
    auto held = co_await changed.scoped();
    co_await changed.wait_for([&] { return items.size() >= 2; });
    std::printf("took [%d, %d]\n", items[0], items[1]);
    items.clear();
}

Coroutine<> condition() {
    Condition changed;
    std::vector<int> items;
    auto consumer = create_task(consume(changed, items));
    for (int item : {1, 2}) {
        co_await sleep(10ms);
        auto held = co_await changed.scoped();
        items.push_back(item);
        changed.notify();
    }
    co_await consumer;
}
// [/condition]

// [queue]
Coroutine<> worker(std::string name, Queue<int>& queue) {
    try {
        while (true) {
            int job = co_await queue.get();
            std::printf("%s has job %d\n", name.c_str(), job);
            co_await sleep(10ms);
        }
    } catch (const QueueShutDown&) {
        std::printf("%s goes home\n", name.c_str());
    }
}

Coroutine<> queue() {
    Queue<int> jobs(2);
    co_await task_group([&](TaskGroup& group) -> Coroutine<> {
        group.create_task(worker("Ann", jobs));
        group.create_task(worker("Ben", jobs));
        for (int job = 0; job < 4; ++job) {
            co_await jobs.put(job);  // waits while two are in it
        }
        jobs.shutdown();  // what is in it is still given out
    });
}
// [/queue]

Coroutine<> amain() {
    std::puts("-- lock");
    co_await lock();
    std::puts("-- semaphore");
    co_await semaphore();
    std::puts("-- event");
    co_await event();
    std::puts("-- condition");
    co_await condition();
    std::puts("-- queue");
    co_await queue();
}

int main() {
    run(amain());
}
